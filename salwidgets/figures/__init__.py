"""matplotlib figures for papers: the question as title, native cells, one shared scale, fonts embedded, text as text.

Nothing here shows a window or touches pyplot; a figure draws itself in a notebook and can be saved anywhere.
"""

from __future__ import annotations

from .drawing import QUIET, bar_note, draw_bar, draw_map
from .layout import OWN_SCALES, STYLES, maps_figure
from .panels import completeness_line, explanation_figure, panel, plot_explanation
from .printed import DPI, PRINT, PrintFigure
from .sizes import WIDTHS, width_of
from .vision import VISIONS, ColourCheck, colour_check, simulate

__all__ = ["DPI", "OWN_SCALES", "PRINT", "QUIET", "STYLES", "VISIONS", "WIDTHS", "ColourCheck", "PrintFigure", "bar_note",
           "colour_check", "completeness_line", "draw_bar", "draw_map", "explanation_figure", "maps_figure", "panel",
           "plot_explanation", "simulate", "width_of"]
