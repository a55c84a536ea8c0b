"""Widgets for notebooks and exported pages. One Python file and one TypeScript view each.

Eraser and Workbench ask the model that they are given, no other widget runs one; ConceptView has its extractor look at
the pictures of views that are linked to it.
"""

from __future__ import annotations

from .base import View
from .classtree import ClassTree
from .cluster_view import ClusterView
from .comparison import Comparison
from .concept_view import ConceptView
from .contrast import Contrast
from .eraser import Eraser
from .export import save_page
from .heatmap import Heatmap
from .layers import Layers
from .link import Link, link
from .narrative import Narrative
from .notebook_page import save_notebook
from .randomisation import Randomisation
from .scorecard import Scorecard
from .workbench import Workbench

__all__ = ["ClassTree", "ClusterView", "Comparison", "ConceptView", "Contrast", "Eraser", "Heatmap", "Layers", "Link",
           "Narrative", "Randomisation", "Scorecard", "View", "Workbench", "link", "save_notebook", "save_page"]
