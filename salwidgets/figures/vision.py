"""What a reader who sees fewer colours, or a greyscale print, loses of a colour map: simulated, measured, said.

Dichromacy is simulated with the matrices of Machado, Oliveira and Fernandes (2009), "A physiologically-based model for
simulation of color vision deficiency", IEEE TVCG 15(6), severity 1.0, on linear sRGB. Greyscale is the luminance of
IEC 61966-2-1. Differences are CIE 1976 (L*a*b*, D65), where about 2.3 is just noticeable (Mahy et al. 1994).
The two rules, and `ENOUGH`, are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..colortables import DIVERGING
from ..errors import InputError
from ..scale import Scale, colour_table

_GREY = (0.2126, 0.7152, 0.0722)
VISIONS: dict[str, NDArray[np.float64]] = {
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
    "greyscale": np.array([_GREY, _GREY, _GREY]),
}
#: differences below this many units of CIE 1976 count as lost: about twice what is just noticeable
ENOUGH = 5.0
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
#: shares of the limit that are compared: the sign at a half and at the whole, the size in steps of a quarter
_SIGN_AT, _QUARTERS = (0.5, 1.0), (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class ColourCheck:
    """What `colour_check` found. lost: sentences by vision, empty where nothing is lost. safe: nothing is lost.

    sign, size: the smallest difference by vision, CIE 1976 units, between for and against of the same strength, and
    between neighbouring quarters of the limit.
    """

    lost: dict[str, list[str]]
    sign: dict[str, float]
    size: dict[str, float]
    advice: str = ""

    @property
    def safe(self) -> bool:
        """Nothing is lost to anyone, nor in greyscale."""
        return not any(self.lost.values())

    @property
    def colour_blind_safe(self) -> bool:
        """Nothing is lost to readers with protanopia, deuteranopia or tritanopia."""
        return not any(lines for vision, lines in self.lost.items() if vision != "greyscale")

    @property
    def greyscale_safe(self) -> bool:
        """Nothing is lost in a greyscale print."""
        return not self.lost["greyscale"]

    def __str__(self) -> str:
        said = [f"{vision}: {'; '.join(lines) if lines else 'nothing is lost'}." for vision, lines in self.lost.items()]
        return "\n".join([*said, *([self.advice] if self.advice else [])])


def simulate(picture: Any, vision: str) -> NDArray[np.uint8]:
    """A picture as it looks with "protanopia", "deuteranopia", "tritanopia" or in "greyscale".

    picture: uint8 `[..., 3]` (or `[..., 4]`, over white), or a figure, which is drawn first. Returns uint8 `[..., 3]`.
    Raises `InputError`.

    >>> import numpy as np
    >>> sw.figures.simulate(np.array([[255, 0, 0]], np.uint8), "greyscale").tolist()
    [[127, 127, 127]]
    """
    if vision not in VISIONS:
        raise InputError(f"no vision is called {vision!r}; choose one of {', '.join(VISIONS)}.")
    return np.asarray(np.floor(255 * _seen(_pixels(picture), vision) + 0.5), np.uint8)


def colour_check(what: Any, *, lines: bool = False) -> ColourCheck:
    """Which of sign and size a colour map loses for each of `VISIONS`.

    what: a `Scale`, the name of a colour map, or a figure of this package, whose scales are known. The colours are looked
    at alone, as in the colour bar at full opacity; over a picture they differ less. Two rules: for a map with both signs,
    for and against must differ at half and at full strength; neighbouring quarters of the limit must differ; "differ" is
    `ENOUGH` units. lines: the map is drawn with lines that are dashed where it speaks against and wider where it is
    stronger (``style="contour"``), so nothing is in the colour alone; a `Scale` with ``contour`` has one dashed line, which
    keeps the sign. Raises `InputError`.

    >>> check = sw.figures.colour_check("RdBu_r")
    >>> check.colour_blind_safe, check.greyscale_safe
    (True, False)
    """
    scales = _scales(what)
    lines = lines or bool(getattr(what, "in_lines", False))
    dashed = lines or all(s.contour for s in scales)
    names = list(VISIONS)
    sign, size = dict.fromkeys(names, np.inf), dict.fromkeys(names, np.inf)
    for scale in scales:
        both = scale.vmin < 0 < scale.vmax
        sides = (1.0, -1.0) if both else (1.0,)
        for vision in names:
            at = {s * q: _lab(_seen(_at(scale, s * q), vision)) for s in sides for q in _QUARTERS}
            at[0.0] = _lab(_seen(_at(scale, 0.0), vision))
            steps = [_apart(at[s * a], at[s * b]) for s in sides
                     for a, b in zip((0.0, *_QUARTERS), _QUARTERS, strict=False)]
            size[vision] = min(size[vision], *steps)
            if both:
                sign[vision] = min(sign[vision], *(_apart(at[q], at[-q]) for q in _SIGN_AT))
    lost: dict[str, list[str]] = {v: [] for v in names}
    for vision in names:
        if sign[vision] < ENOUGH and not dashed:
            lost[vision].append(f"for and against look alike (they differ by {sign[vision]:.0f} of 100)")
        if size[vision] < ENOUGH and not lines:
            lost[vision].append(f"strong and weak look alike (two quarters differ by {size[vision]:.0f} of 100)")
    return ColourCheck(lost, sign, size, _advice(lost))


def _advice(lost: dict[str, list[str]]) -> str:
    if any("for and against" in line for lines in lost.values() for line in lines):
        return 'Draw it with style="contour": lines that speak against are dashed, so the sign is not in the colour alone.'
    return "Choose viridis, cividis, inferno, magma or RdBu_r." if any(lost.values()) else ""


def _scales(what: Any) -> list[Scale]:
    if isinstance(what, Scale):
        return [what]
    if isinstance(what, str):
        colour_table(what)
        return [Scale(-1.0 if what in DIVERGING else 0.0, 1.0, what)]
    known = getattr(what, "scales", None)
    if not known:
        raise InputError(f"colour_check takes a Scale, the name of a colour map or a figure with maps, not "
                         f"{type(what).__name__}{'' if known is None else ' without one'}.")
    return list(known)


def _at(scale: Scale, share: float) -> NDArray[np.float64]:
    """The colour of a share of the limit, before opacity; 0..1."""
    value = share * (scale.vmax if share >= 0 else -scale.vmin)
    index = int(np.clip((value - scale.vmin) / (scale.vmax - scale.vmin) * 256, 0, 255))
    return colour_table(scale.cmap)[index] / 255.0


def _pixels(picture: Any) -> NDArray[np.float64]:
    if hasattr(picture, "savefig"):
        import io

        from PIL import Image

        png = io.BytesIO()
        picture.savefig(png, format="png", dpi=110)
        picture = np.asarray(Image.open(png).convert("RGB"))
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim < 1 or array.shape[-1] not in (3, 4):
        raise InputError(f"simulate takes a uint8 picture [..., 3] or [..., 4], or a figure; got {array.dtype} "
                         f"{list(array.shape)}.")
    colours = array[..., :3] / 255.0
    if array.shape[-1] == 3:
        return colours
    alpha = array[..., 3:] / 255.0
    return np.asarray(colours * alpha + 1 - alpha)


def _seen(rgb: NDArray[np.float64], vision: str) -> NDArray[np.float64]:
    """sRGB 0..1 as it is seen, sRGB 0..1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ VISIONS[vision].T, 0, 1)
    return np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of sRGB 0..1."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    t = linear @ _XYZ.T / _XYZ.sum(1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(a - b))


__all__ = ["ENOUGH", "VISIONS", "ColourCheck", "colour_check", "simulate"]
