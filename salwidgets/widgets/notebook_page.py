"""A whole notebook as one self-contained page: its views stay alive with no kernel and no network.

ipywidgets' own pages load their manager from a network; this one brings the host of `salwidgets.widgets.save_page`, and
feeds it the widget state that the notebook holds. Where the notebook holds no state, the view's picture is shown.
"""

from __future__ import annotations

import copy
import html
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from .export import _MACHINERY, _PAGE_CSS, _bundle, script_safe

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"

#: only this page's own script runs: not what an output of the notebook brings along, and nothing is loaded
_POLICY = "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data:; font-src data:"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="salwidgets">
<title>{title}</title>
<style>{css}
{page_css}</style>
</head>
<body>
<main class="salw-notebook">
{body}
</main>
<script type="application/json" id="salw-state">{state}</script>
<script nonce="{nonce}">{script}</script>
</body>
</html>
"""

_CSS = """
.salw-notebook pre { overflow-x: auto; margin: 0; padding: 8px 10px; white-space: pre-wrap; overflow-wrap: anywhere;
  font: 13px/1.45 ui-monospace, "Liberation Mono", monospace; }
.salw-notebook .input_area { background: var(--jp-layout-color1); border: 1px solid var(--jp-border-color2);
  border-radius: 3px; }
.salw-notebook .cell { margin: 0 0 18px; }
.salw-notebook .output_area { margin-top: 8px; }
.salw-notebook .prompt, .salw-notebook .anchor-link { display: none; }
.salw-notebook .output_area img { max-width: 100%; background: #fff; }
.salw-notebook .output_stderr, .salw-notebook .output_error { border-left: 3px solid var(--jp-warn-color0); }
.salw-notebook h1 { font-size: 27px; }
.salw-notebook .rendered_html table { border-collapse: collapse; display: block; overflow-x: auto; }
.salw-notebook .rendered_html th, .salw-notebook .rendered_html td { padding: 3px 8px; text-align: right;
  border-bottom: 1px solid var(--jp-border-color2); }
"""


@dataclass(frozen=True)
class NotebookPage:
    """What `save_notebook` made. path: the page. live: views that answer. pictures: views shown as a picture, since the
    notebook holds no state of them. lost: widgets with neither.
    """

    path: Path
    live: int
    pictures: int
    lost: int

    def __str__(self) -> str:
        said = [f"{self.live} live {'view' if self.live == 1 else 'views'}"]
        said += [f"{self.pictures} shown as pictures (run the notebook and save it with its widget state: in JupyterLab "
                 "Settings > Save Widget State Automatically, or salwidgets export --execute)"] if self.pictures else []
        said += [f"{self.lost} of other packages without a picture"] if self.lost else []
        return f"{self.path}: {', '.join(said)}."


def save_notebook(notebook: str | Path, path: str | Path | None = None, *, execute: bool = False,
                  timeout: float = 600) -> NotebookPage:
    """Write a notebook as one page from ``file://``: views alive and linked, no network, no kernel.

    notebook: an .ipynb file. path: of the page; by default beside it, with .html. execute: run the notebook first, in its
    own folder (seconds a cell: ``timeout``); the file itself is left as it is. Scripts of other outputs do not run, and
    formulas stay as they were typed: both would need a network or trust. Needs nbconvert (it comes with JupyterLab).
    Raises `InputError`.
    """
    source = Path(notebook)
    target = Path(path) if path is not None else source.with_suffix(".html")
    node = _read(source)
    if execute:
        _run(node, source, timeout)
    text, live, pictures, lost = notebook_html(node, title=source.stem)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as e:
        raise InputError(f"cannot write the page {str(target)!r}: {e}.") from e
    return NotebookPage(target, live, pictures, lost)


def notebook_html(node: Any, title: str = "Notebook") -> tuple[str, int, int, int]:
    """The page of a notebook (an nbformat node), and how many views are live, pictures, lost."""
    try:
        from nbconvert import HTMLExporter
        from pygments.formatters import HtmlFormatter
    except ImportError as e:
        raise InputError("exporting a notebook needs nbconvert: pip install nbconvert (or 'salwidgets[lab]').") from e
    node = copy.deepcopy(node)
    stored = dict(node.metadata.get("widgets", {}).get(STATE, {}).get("state", {}))
    node.metadata.pop("widgets", None)
    used, counts = _mark(node, stored)
    exporter = HTMLExporter(template_name="basic", embed_images=True, exclude_input_prompt=True, exclude_output_prompt=True)
    body, _ = exporter.from_notebook_node(node)
    nonce = secrets.token_urlsafe(16)
    light, dark = (HtmlFormatter(style=s).get_style_defs(".highlight") for s in ("default", "github-dark"))
    css = f"{_PAGE_CSS}{_CSS}{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n.highlight {{ background: none; }}"
    text = _PAGE.format(
        policy=_POLICY.format(nonce=nonce), nonce=nonce, title=html.escape(title), css=_bundle("widget.css"), page_css=css,
        body=body, state=script_safe({key: _packed(stored[key]) for key in used}),
        script=_bundle("page.js").replace("</script", "<\\/script"))
    return text, *counts


def _mark(node: Any, stored: dict[str, Any]) -> tuple[list[str], tuple[int, int, int]]:
    """Puts a place for each stored view where its output was; returns the models that the page needs, and the counts."""
    used: dict[str, None] = {}
    live = pictures = lost = 0
    for cell in node.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if VIEW not in data:
                continue
            key = str(data.pop(VIEW).get("model_id", ""))
            needed = _needed(key, stored)
            if needed:
                used.update(dict.fromkeys(needed))
                live += 1
                output["data"] = {"text/html": f'<div data-salw-model="{html.escape(key)}"></div>'}
            elif "image/png" in data:
                pictures += 1
            else:
                lost += 1
    return list(used), (live, pictures, lost)


def _needed(key: str, stored: dict[str, Any]) -> list[str]:
    """A view of ours, the links it follows and the views inside it; nothing if one of them is not stored."""
    model = stored.get(key, {})
    state = model.get("state", {})
    if model.get("model_module") != "anywidget" or not isinstance(state.get("_view"), str) or "links" not in state:
        return []
    links = [str(ref).removeprefix("anywidget:") for ref in state["links"].values()]
    parts = [_needed(str(ref).removeprefix("anywidget:"), stored) for ref in state.get("parts", {}).values()]
    whole = all(link in stored for link in links) and all(parts)
    return list(dict.fromkeys([key, *links, *(model for part in parts for model in part)])) if whole else []


def _packed(model: dict[str, Any]) -> dict[str, Any]:
    """A stored model as the page's host reads it."""
    kept = {k: v for k, v in model["state"].items() if k not in _MACHINERY and not k.startswith(("_model", "_view_"))}
    buffers = []
    for b in model.get("buffers", ()):
        data = b["data"] if b.get("encoding") == "base64" else _base64(b["data"])
        if b["path"][0] in kept:
            buffers.append([_path(kept, list(b["path"])), data])
    return {"state": kept, "buffers": buffers}


def _path(state: dict[str, Any], path: list[Any]) -> list[Any]:
    """The path of a buffer; what lies on the way is made, since some managers store the leaf alone."""
    owner: Any = state
    for key in path[:-1]:
        owner = owner.setdefault(key, {}) if isinstance(owner, dict) else owner[key]
    return path


def _base64(data: str) -> str:
    import base64

    return base64.b64encode(bytes.fromhex(data)).decode()  # the other encoding of ipywidgets' format 2 is hex


def _read(path: Path) -> Any:
    try:
        import nbformat
    except ImportError as e:
        raise InputError("reading a notebook needs nbformat: pip install nbconvert (or 'salwidgets[lab]').") from e
    try:
        return nbformat.read(path, as_version=4)
    except OSError as e:
        raise InputError(f"cannot read the notebook {str(path)!r}: {e}.") from e
    except Exception as e:
        raise InputError(f"{str(path)!r} is no notebook: {e}.") from e


def _run(node: Any, path: Path, timeout: float) -> None:
    try:
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as e:
        raise InputError("running a notebook needs nbclient and a kernel: pip install 'salwidgets[lab]'.") from e
    try:
        NotebookClient(node, timeout=timeout, resources={"metadata": {"path": str(path.resolve().parent)}}).execute()
    except CellExecutionError as e:
        raise InputError(f"a cell of {str(path)!r} failed: {e.ename}: {e.evalue}.") from e
