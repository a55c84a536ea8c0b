"""`PrintFigure`: a figure that embeds its fonts, says what it shows in the file, and never touches pyplot."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import matplotlib as mpl
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from ..scale import Scale
from .words import settle, shown, tex

#: TrueType fonts inside PDF and PS, text as text in SVG: what journals ask for
PRINT: Any = {"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "salwidgets"}
#: dots per inch of the maps and pictures in the file, and of png
DPI = 300


class PrintFigure(Figure):
    """A matplotlib figure for print, which also shows itself in notebooks.

    heading: the question, or what else it is about. caption: what stands under it in a paper: question, method, layer,
    scale and rule of the limits. alt: a text for readers who cannot see it, or a function that makes it. scales: of the
    maps. in_lines: whether sign and strength are in the lines as well as in the colour.

    `savefig` writes pdf, svg or png (and what else matplotlib can) with fonts embedded, text as text, maps at 300 dots
    per inch, and heading, caption and alt text in the file's metadata; the same figure gives the same bytes.
    """

    heading: str = ""
    in_lines: bool = False

    def __init__(self, *args: Any, heading: str = "", caption: str = "", alt: str | Callable[[], str] = "",
                 scales: Sequence[Scale] = (), in_lines: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading, self.in_lines, self.scales = heading, in_lines, tuple(scales)
        self._caption, self._alt = caption, alt

    @property
    def caption(self) -> str:
        """Question, method, layer, scale and rule of the limits, as one text for the paper."""
        return shown(self._caption or "\n".join(self._words()))

    @property
    def alt(self) -> str:
        """What the figure shows, for a reader who cannot see it."""
        said = self._alt() if callable(self._alt) else self._alt
        return shown(said or " ".join([self.heading, *self._words()]).strip()).replace("\n", " ")

    def latex(self, path: str, *, label: str = "", width: str | None = None) -> str:
        r"""A LaTeX figure environment for the saved file: caption and alt text escaped, at its true width.

        width: by default the figure's own in inches (write ``r"\linewidth"`` to let the column decide).
        """
        wide = width or f"{self.get_figwidth():.3f}in"
        lines = [r"\begin{figure}", r"  \centering",
                 rf"  \includegraphics[width={wide},alt={{{tex(self.alt, mathematics=False)}}}]{{{path}}}",
                 rf"  \caption{{{tex(self.caption)}}}", *([rf"  \label{{{label}}}"] if label else []), r"\end{figure}"]
        return "\n".join(lines)

    def settle(self) -> PrintFigure:
        """Show every text so far as it is, without mathematics; returns the figure."""
        settle(self.findobj(Text))
        return self

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """As matplotlib's own, with fonts embedded and metadata; ``metadata=`` adds to it, ``dpi`` is 300 by default."""
        kind = str(kwargs.get("format") or Path(str(fname)).suffix.lstrip(".") or mpl.rcParams["savefig.format"]).lower()
        if not hasattr(fname, "write") and not Path(str(fname)).suffix and not kwargs.get("format"):
            fname = f"{fname}.{kind}"
        kwargs = {"dpi": DPI, **kwargs, "metadata": {**self._metadata(kind), **(kwargs.get("metadata") or {})}}
        with rc_context(PRINT):
            if kind != "svg":
                super().savefig(fname, **kwargs)
                return
            text = io.StringIO()
            super().savefig(text, **{**kwargs, "format": "svg"})
        _write(fname, text.getvalue().replace("<svg ", f"<svg role=\"img\" aria-label={quoteattr(self.alt)} ", 1))

    def _metadata(self, kind: str) -> dict[str, Any]:
        """What the file says of itself, in the words that its format knows."""
        from .. import __version__

        made, title, told = f"salwidgets {__version__}", shown(self.heading or self._first()), self.caption
        known: dict[str, dict[str, Any]] = {
            "pdf": {"Title": title, "Subject": f"{told}\n{self.alt}", "Keywords": "saliency, explanation, salwidgets",
                    "Creator": made, "CreationDate": None},
            "svg": {"Title": title, "Description": f"{told}\n{self.alt}", "Creator": made, "Date": None},
            "png": {"Title": title, "Description": told, "Comment": self.alt, "Software": made},
            "eps": {"Creator": made}, "ps": {"Creator": made},
        }
        return known.get(kind, {})

    def _words(self) -> list[str]:
        """All that is written in the figure."""
        return [t for t in (text.get_text() for text in (*self.texts, *(ax.title for ax in self.axes))) if t]

    def _first(self) -> str:
        return next((ax.get_title() for ax in self.axes if ax.get_title()), "")

    def _repr_png_(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=110)
        return png.getvalue()


def _write(target: Any, text: str) -> None:
    if not hasattr(target, "write"):
        Path(target).write_text(text, encoding="utf-8")
    elif isinstance(target, io.TextIOBase):
        target.write(text)
    else:
        target.write(text.encode())
