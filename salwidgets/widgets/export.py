"""Self-contained pages: the same views from ``file://``, with no network and no kernel."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from ipywidgets.widgets.widget import _remove_buffers

from ..errors import InputError
from .base import STATIC, View

#: traits that belong to a notebook's machinery, not to the view
_MACHINERY = ("_esm", "_css", "_anywidget_id", "layout", "tooltip", "tabbable", "_dom_classes")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="generator" content="salwidgets">
<title>{title}</title>
<style>{css}
{page_css}</style>
</head>
<body>
<main>
<h1{quiet}>{title}</h1>
{body}
</main>
<script type="application/json" id="salw-state">{state}</script>
<script>{script}</script>
</body>
</html>
"""

#: the browser itself refuses whatever would need a network
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"

_PAGE_CSS = """
:root { color-scheme: light dark; --jp-layout-color0: #fff; --jp-layout-color1: #fff; --jp-ui-font-color1: #1d1f21;
  --jp-ui-font-color2: #565b61; --jp-border-color1: #b9bec4; --jp-border-color2: #e3e5e8; --jp-brand-color1: #1565c0;
  --jp-warn-color0: #b54708; --jp-success-color1: #2e7d32; --jp-error-color1: #c62828; }
@media (prefers-color-scheme: dark) { :root { --jp-layout-color0: #16181a; --jp-layout-color1: #1f2225;
  --jp-ui-font-color1: #e8e9ea; --jp-ui-font-color2: #a9afb5; --jp-border-color1: #53585e; --jp-border-color2: #33373b;
  --jp-brand-color1: #82b7f5; --jp-warn-color0: #f0a35e; --jp-success-color1: #7cc47f;
  --jp-error-color1: #ef8a80; } }
body { margin: 0; background: var(--jp-layout-color0); color: var(--jp-ui-font-color1);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 27px; line-height: 1.25; margin: 0 0 16px; text-wrap: balance; }
h1.salw-quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
h2 { font-size: 20px; line-height: 1.3; margin: 48px 0 8px; }
main .salw-root { margin-inline: -2px; width: calc(100% + 4px); }
p.salw-text { max-width: 68ch; margin: 0 0 14px; }
"""

Section = View | tuple[str, str | Sequence[str], View | None]


def save_page(sections: Sequence[Section], path: str | Path, *, title: str = "Explanations", intro: str = "") -> Path:
    """Write one page that holds several views, linked as they are, with words between them.

    sections: views, or ``(heading, paragraph, view)``; the paragraph may be a list of them, heading and paragraph
    may be empty and the view None. intro: a paragraph below the title. Returns the path. Raises `InputError`.
    """
    body = [_paragraph(intro)] if intro else []
    views: list[View] = []
    for section in sections:
        heading, words, view = ("", "", section) if isinstance(section, View) else _section(section)
        if heading:
            body.append(f"<h2>{html.escape(heading)}</h2>")
        body.extend(_paragraph(p) for p in ([words] if isinstance(words, str) else words) if p)
        if view is not None:
            views.append(view)
            body.append(f'<div data-salw-model="{html.escape(_id(view))}"></div>')
    if not body:
        raise InputError("the page would be empty: give at least one view or a paragraph.")
    text = _PAGE.format(
        policy=_POLICY, quiet=_quiet(sections, title), title=html.escape(title), css=_bundle("widget.css"),
        page_css=_PAGE_CSS, body="\n".join(body),
        state=script_safe(page_state(views)), script=_bundle("page.js").replace("</script", "<\\/script"))
    target = Path(path)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as e:
        raise InputError(f"cannot write the page {str(target)!r}: {e}.") from e
    return target


def page_state(views: Sequence[View]) -> dict[str, Any]:
    """The models of views, of what is inside them and of links: ``{id: {"state", "buffers": [[path, base64], ...]}}``."""
    models: dict[str, Any] = {}
    for view in views:
        parts: tuple[View, ...] = tuple(getattr(view, "parts", {}).values())
        for model in (view, *view.links.values(), *parts, *(link for part in parts for link in part.links.values())):
            state, paths, buffers = _remove_buffers(getattr(model, "page_state", model.get_state)())
            kept = {k: v for k, v in state.items() if k not in _MACHINERY and not k.startswith(("_model", "_view_"))}
            models[_id(model)] = {
                "state": kept,
                "buffers": [[path, base64.b64encode(b).decode()] for path, b in zip(paths, buffers, strict=True)],
            }
    return models


def script_safe(data: Any) -> str:
    """JSON that may stand inside a script element: no character opens a tag or ends a line."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _id(model: Any) -> str:
    return cast(str, model.model_id)


def _section(section: Any) -> tuple[str, str | Sequence[str], View | None]:
    if not isinstance(section, tuple) or len(section) != 3 or not (section[2] is None or isinstance(section[2], View)):
        raise InputError("a section is a view or (heading, paragraph, view or None); "
                         f"got {type(section).__name__}.")
    return section


def _quiet(sections: Sequence[Section], title: str) -> str:
    """A page of one view has its question as title; it is not shown twice, but screen readers still find it."""
    alone = len(sections) == 1 and isinstance(sections[0], View) and sections[0].heading == title
    return ' class="salw-quiet"' if alone else ""


def _paragraph(text: str) -> str:
    return f'<p class="salw-text">{html.escape(text)}</p>'


def _bundle(name: str) -> str:
    path = STATIC / name
    if not path.exists():
        raise InputError(f"the built file {name} is missing; run `npm ci && npm run build` in js/.")
    return path.read_text(encoding="utf-8")
