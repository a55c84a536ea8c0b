"""Widgets for notebooks and exported pages. One Python file and one TypeScript view each; no widget runs a model."""

from __future__ import annotations

from .base import View
from .contrast import Contrast
from .export import save_page
from .heatmap import Heatmap
from .link import Link, link
from .narrative import Narrative

__all__ = ["Contrast", "Heatmap", "Link", "Narrative", "View", "link", "save_page"]
