"""Widgets for notebooks and exported pages. One Python file and one TypeScript view each; no widget runs a model."""

from __future__ import annotations

from .base import View
from .classtree import ClassTree
from .cluster_view import ClusterView
from .comparison import Comparison
from .contrast import Contrast
from .export import save_page
from .heatmap import Heatmap
from .layers import Layers
from .link import Link, link
from .narrative import Narrative
from .randomisation import Randomisation

__all__ = ["ClassTree", "ClusterView", "Comparison", "Contrast", "Heatmap", "Layers", "Link", "Narrative",
           "Randomisation", "View", "link", "save_page"]
