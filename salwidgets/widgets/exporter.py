"""For nbconvert: ``jupyter nbconvert --to salwidgets notebook.ipynb`` writes the page of `save_notebook`."""

from __future__ import annotations

from typing import Any

from nbconvert import HTMLExporter

from .notebook_page import notebook_html


class SalwidgetsExporter(HTMLExporter):
    """HTML with salwidgets' views alive, offline. Takes none of HTMLExporter's looks: the page has its own."""

    export_from_notebook = "HTML with live salwidgets views"

    def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> Any:
        """The page, and nbconvert's resources."""
        resources = self._init_resources(resources)
        name = resources.get("metadata", {}).get("name") or "Notebook"
        text, *_ = notebook_html(nb, title=str(name))
        return text, resources
