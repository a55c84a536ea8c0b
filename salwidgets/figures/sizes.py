"""Column widths of journals and conferences, by name, so that text in a figure has its true size on the page."""

from __future__ import annotations

from ..errors import InputError

_CM, _MM = 1 / 2.54, 1 / 25.4

#: name: (inches, where the number comes from). "-double" is over both columns; without it, one column.
WIDTHS: dict[str, tuple[float, str]] = {
    "neurips": (5.5, r"neurips style file: \textwidth 5.5in"),
    "iclr": (5.5, r"iclr_conference.sty: \textwidth 5.5in"),
    "icml": (3.25, r"icml.sty: \textwidth 6.75in, \columnsep 0.25in"),
    "icml-double": (6.75, r"icml.sty: \textwidth 6.75in"),
    "cvpr": (3.28125, r"cvpr.sty (also iccv.sty): \textwidth 6.875in, \columnsep 0.3125in"),
    "cvpr-double": (6.875, r"cvpr.sty (also iccv.sty): \textwidth 6.875in"),
    "eccv": (12.2 * _CM, r"llncs.cls: \textwidth 12.2cm"),
    "aaai": (3.3125, r"aaai.sty: \textwidth 7in, \columnsep 0.375in"),
    "aaai-double": (7.0, r"aaai.sty: \textwidth 7in"),
    "acl": (7.7 * _CM, r"acl.sty: \textwidth 16cm, \columnsep 0.6cm"),
    "acl-double": (16.0 * _CM, r"acl.sty: \textwidth 16cm"),
    "jmlr": (6.0, r"jmlr2e.sty: \textwidth 6in"),
    "tmlr": (6.5, r"tmlr.sty: \textwidth 6.5in"),
    "ieee": (3.5, "IEEE author centre, resolution and size: one column 3.5 inches"),
    "ieee-double": (7.16, "IEEE author centre, resolution and size: two columns 7.16 inches"),
    "nature-single": (89 * _MM, "Nature, final submission: single column 89 mm"),
    "nature-double": (183 * _MM, "Nature, final submission: double column 183 mm"),
    "pnas": (8.7 * _CM, "PNAS digital art guidelines: one column 8.7 cm"),
    "pnas-double": (17.8 * _CM, "PNAS digital art guidelines: two columns 17.8 cm"),
    "elsevier": (90 * _MM, "Elsevier artwork sizing: single column 90 mm"),
    "elsevier-double": (190 * _MM, "Elsevier artwork sizing: double column 190 mm"),
    "a4": (160 * _MM, "ISO 216 A4, 210 mm wide, with margins of 25 mm"),
    "letter": (6.5, "US letter, 8.5 inches wide, with margins of 1 inch"),
}

_ALSO = {"neurips-double": "neurips", "nips": "neurips", "icml-single": "icml", "cvpr-single": "cvpr", "iccv": "cvpr",
         "iccv-double": "cvpr-double", "aaai-single": "aaai", "acl-single": "acl", "emnlp": "acl", "naacl": "acl",
         "emnlp-double": "acl-double", "naacl-double": "acl-double", "nature": "nature-single", "ieee-single": "ieee",
         "pnas-single": "pnas", "elsevier-single": "elsevier", "llncs": "eccv"}
_NARROWEST, _WIDEST = 1.0, 40.0


def width_of(width: str | float) -> float:
    """Inches of a column by its name (`WIDTHS`), or of a number of inches. Raises `InputError`.

    >>> sw.figures.width_of("cvpr-double")
    6.875
    """
    if isinstance(width, str):
        name = width.strip().lower().replace("_", "-").replace(" ", "-")
        name = _ALSO.get(name, name)
        if name not in WIDTHS:
            raise InputError(f"no column is called {width!r}; give inches, or one of {', '.join(WIDTHS)}.")
        return WIDTHS[name][0]
    if isinstance(width, bool) or not isinstance(width, (int, float)) or not _NARROWEST <= float(width) <= _WIDEST:
        raise InputError(f"width={width!r}: give the name of a column ('neurips', 'cvpr', 'nature-double', ...) or "
                         f"inches between {_NARROWEST:g} and {_WIDEST:g}.")
    return float(width)
