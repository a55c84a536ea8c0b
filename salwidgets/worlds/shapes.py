"""The outlines of every part variant, in the part's own frame.

A shape is a list of pieces ``(points, tint)`` that are painted in order. Points are float ``[n, 2]`` in pixels
of the finished 64 x 64 image at scale 1, x forward and y down, with the origin where the part is attached.
Tints name a colour derived from the variant's base colour; "line:" pieces are strokes, not areas.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Points = np.ndarray
Piece = tuple[Points, str]


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0.0, n: int = 18) -> Points:
    """An ellipse around (x, y), its first axis turned by ``turn`` degrees."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return moved(rotate(np.stack([rx * np.cos(t), ry * np.sin(t)], 1), turn), x, y)


def rotate(points: Points, degrees: float) -> Points:
    """Points turned about the origin; positive turns from x towards y."""
    a = np.deg2rad(degrees)
    return points @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])


def moved(points: Points, x: float, y: float) -> Points:
    """Points shifted by (x, y)."""
    return points + np.array((x, y))


def _at(*pairs: tuple[float, float]) -> Points:
    return np.array(pairs, dtype=float)


# -- crests: attached to the top of the head, growing upwards ------------------------------------------------


def _star() -> list[Piece]:
    t = np.deg2rad(-90 + 36 * np.arange(10))
    r = np.where(np.arange(10) % 2 == 0, 7.4, 3.4)
    star = np.stack([r * np.cos(t), -8.6 + r * np.sin(t)], 1)
    return [(_at((0, 1), (0, -4)), "line:dark"), (star, "base"), (ellipse(0, -8.4, 2.0, 2.0, n=10), "light")]


def _plume() -> list[Piece]:
    feathers: list[Piece] = []
    for turn in (-48, 44, 0):
        feather = _at((-1, 0), (-3.0, -7), (-2.4, -12), (0, -14.5), (2.4, -12), (3.0, -7), (1, 0))
        feathers.append((rotate(feather, turn), "base"))
        feathers.append((rotate(ellipse(0, -11, 1.5, 2.0, n=10), turn), "light"))
    return feathers


def _mushroom() -> list[Piece]:
    t = np.linspace(np.pi, 2 * np.pi, 12)
    cap = np.stack([7.6 * np.cos(t), -6 + 8 * np.sin(t)], 1)
    dots = [ellipse(x, y, r, r, n=9) for x, y, r in ((-3.6, -8.6, 1.4), (0.6, -11, 1.5), (4.2, -8.2, 1.3))]
    return [
        (_at((-2, 1), (-1.6, -6.4), (1.6, -6.4), (2, 1)), "white"),
        (cap, "base"),
        *((d, "white*") for d in dots),
    ]


def _crystal() -> list[Piece]:
    def shard(x: float, h: float, w: float, turn: float) -> list[Piece]:
        body = _at((-w, -3), (-w, 2 - h), (0, -h - 2), (w, 2 - h), (w, -3), (0, 0.5))
        side = _at((0, 0.5), (0, -h - 2), (w, 2 - h), (w, -3))
        return [(moved(rotate(body, turn), x, 0), "base"), (moved(rotate(side, turn), x, 0), "light*")]

    return [*shard(-2.4, 9, 2.4, -34), *shard(2.4, 9, 2.4, 34), *shard(0, 13, 2.9, 0)]


# -- tails: attached to the rear of the body, growing backwards (-x) -----------------------------------------


def _curl() -> list[Piece]:
    t = np.linspace(0.0, 1.0, 26)
    a = np.deg2rad(90 + 640 * t)
    r = 7.6 * (1 - 0.9 * t)
    spiral = np.stack([-9.6 + r * np.cos(a), -3.6 + r * np.sin(a)], 1)
    stem = _at((1, 0), (-3, 2.8), (-6, 4.0))
    return [(np.concatenate([stem, spiral]), "fat:base")]


def _fan() -> list[Piece]:
    lobes: list[Piece] = []
    for turn in (-62, 62, -31, 31, 0):
        lobe = _at((0, 0), (-6, -2.6), (-12, -3.4), (-15, 0), (-12, 3.4), (-6, 2.6))
        lobes.append((rotate(lobe, turn), "base"))
        lobes.append((rotate(ellipse(-11.6, 0, 1.8, 1.6, n=9), turn), "light*"))
    return lobes


def _leaf() -> list[Piece]:
    blade = _at(
        (-4, 0), (-6.5, -4.8), (-11, -6.6), (-16, -4.4), (-19, 0), (-16, 4.4), (-11, 6.6), (-6.5, 4.8)
    )
    veins = [
        _at((-7.5, 0), (-10.5, -4)),
        _at((-7.5, 0), (-10.5, 4)),
        _at((-11.5, 0), (-14, -3)),
        _at((-11.5, 0), (-14, 3)),
    ]
    stem = (_at((1, 0), (-4, 0.4), (-17.5, 0)), "line:dark")
    return [(blade, "base"), stem, *((v, "line:dark") for v in veins)]


def _pompom() -> list[Piece]:
    tufts = [
        ellipse(-10 + 4.4 * np.cos(a), -1 + 4.4 * np.sin(a), 3.6, 3.6, n=10)
        for a in np.linspace(0, 2 * np.pi, 7)[:-1]
    ]
    stem = (_at((1, 0), (-5, -0.6)), "line:dark")
    return [
        stem,
        *((t, "base") for t in tufts),
        (ellipse(-10, -1, 5.6, 5.6), "base*"),
        (ellipse(-11, -3, 2.4, 2.0, n=10), "light*"),
    ]


# -- backs: attached to the top of the body, growing upwards -------------------------------------------------


def _butterfly_wings() -> list[Piece]:
    upper, lower = ellipse(-6.6, -7.4, 9.0, 5.2, 56), ellipse(-7, 1.0, 5.2, 3.4, 12)
    return [
        (ellipse(0.2, -7.0, 7.4, 4.0, 98), "dark"),
        (lower, "base"),
        (upper, "base"),
        (ellipse(-8.4, -10.2, 3.0, 2.4, 56, n=12), "light*"),
        (ellipse(-7.6, 1.0, 2.0, 1.4, n=10), "light*"),
    ]


def _feathered_wing() -> list[Piece]:
    wing = _at(
        (4, 2),
        (3, -4),
        (-1, -9),
        (-8, -14.5),
        (-9.4, -10.6),
        (-13, -10.4),
        (-12.0, -6.4),
        (-14, -4),
        (-10.6, -1.2),
        (-10, 2),
        (-4, 4),
    )
    quills = [_at((0, -3), (-7.6, -10.6)), _at((-1, -1), (-10, -6.4)), _at((-2, 1), (-9.6, -1.8))]
    return [
        (wing, "base"),
        (ellipse(-0.4, -0.8, 3.6, 2.6, 40, n=12), "light*"),
        *((q, "line:dark") for q in quills),
    ]


def _sail() -> list[Piece]:
    web = _at(
        (6, 1),
        (5.4, -7),
        (1.4, -6.4),
        (-1, -14),
        (-4.4, -9),
        (-8.6, -13.4),
        (-9.4, -7.4),
        (-13.4, -7),
        (-11, 2),
    )
    rays = [
        _at((4, 1), (5.4, -7)),
        _at((0, 1), (-1, -14)),
        _at((-4, 2), (-8.6, -13.4)),
        _at((-8, 2), (-13.4, -7)),
    ]
    return [(web, "base"), *((r, "line:light") for r in rays)]


def _shell() -> list[Piece]:
    t = np.linspace(np.pi, 2 * np.pi, 14)
    dome = np.stack([-2.4 + 11.6 * np.cos(t), 2.4 + 13.4 * np.sin(t)], 1)
    plate = _at((-5.6, -5), (-2.4, -7.4), (0.8, -5), (0.8, -1.6), (-2.4, 0.4), (-5.6, -1.6))
    seams = [
        _at((-2.4, -7.4), (-2.4, -11)),
        _at((-5.6, -5), (-10.6, -6)),
        _at((0.8, -5), (5.8, -6)),
        _at((-5.6, -1.6), (-9.4, 2.2)),
        _at((0.8, -1.6), (4.6, 2.2)),
    ]
    rim = _at((-14, 2.4), (-13.6, 0.4), (8.8, 0.4), (9.2, 2.4))
    return [(dome, "base"), *((s, "line:dark") for s in seams), (plate, "light"), (rim, "dark")]


# -- feet: one at the end of each leg ------------------------------------------------------------------------


def _slippers() -> list[Piece]:
    shoe = _at((-2.8, -2.4), (1.4, -2.4), (3.6, -0.4), (5.4, -3.4), (6.4, -1), (4.8, 2.4), (-2.8, 2.4))
    return [(shoe, "base"), (ellipse(5.6, -3.2, 1.3, 1.3, n=8), "light")]


def _talons() -> list[Piece]:
    foot = _at(
        (-1.4, -3),
        (1.4, -3),
        (5.6, 1.6),
        (5, 3),
        (1.6, 0.8),
        (0.8, 3.6),
        (-0.8, 3.6),
        (-1.4, 0.8),
        (-4.6, 3),
        (-5, 1.6),
    )
    return [(foot, "base")]


def _flippers() -> list[Piece]:
    web = _at(
        (-1.2, -3),
        (1.4, -3),
        (6.4, 1.2),
        (4.4, 3.2),
        (2.4, 2.2),
        (0.6, 3.6),
        (-1.4, 2.4),
        (-3.6, 3.2),
        (-4, 1.2),
    )
    return [
        (web, "base"),
        (_at((0.4, -1.6), (3.4, 2)), "line:light"),
        (_at((0, -1.6), (-1.6, 2)), "line:light"),
    ]


def _hooves() -> list[Piece]:
    hoof = _at((-2.6, -2.8), (2.4, -2.8), (4.0, 3), (-4.0, 3))
    return [(hoof, "base"), (_at((-2.8, -1.8), (2.6, -1.8)), "line:light")]


# -- muzzles: attached to the front of the head; coats: on the flank -----------------------------------------


def _beak() -> list[Piece]:
    upper = _at((-1, -3.4), (4, -2.4), (8.4, 1.8), (4, 1.2), (-1, 1.2))
    lower = _at((-1, 1.2), (4.6, 1.2), (3, 3.6), (-1, 3.2))
    return [(lower, "dark"), (upper, "base")]


def _snout() -> list[Piece]:
    return [
        (ellipse(2.4, 0.6, 4.6, 3.6, n=14), "base"),
        (ellipse(4.4, -0.6, 0.9, 1.1, n=7), "ink*"),
        (_at((1.4, 2.2), (4.4, 2.4)), "line:ink"),
    ]


def _dots() -> list[Piece]:
    places = ((-6.4, 3.4), (-2.2, 5.6), (2.4, 4.2), (6.4, 2.6), (-3.8, 1.4), (4.4, 6.6), (0.4, 8.2))
    return [(ellipse(x, y, 1.6, 1.6, n=9), "base*") for x, y in places]


def _stripes() -> list[Piece]:
    bands = []
    for x, top, low in ((-6.6, 0.6, 6.0), (-2.4, 1.2, 8.8), (2.0, 1.2, 8.8), (6.2, 0.6, 6.4)):
        bands.append(
            (_at((x - 1.1, top), (x + 1.1, top), (x + 1.4, low - 1), (x, low), (x - 1.0, low - 1)), "base*")
        )
    return bands


SHAPES: dict[str, Callable[[], list[Piece]]] = {
    "star": _star, "plume": _plume, "mushroom": _mushroom, "crystal": _crystal,
    "curl": _curl, "fan": _fan, "leaf": _leaf, "pompom": _pompom,
    "butterfly wings": _butterfly_wings, "feathered wing": _feathered_wing, "sail": _sail, "shell": _shell,
    "slippers": _slippers, "talons": _talons, "flippers": _flippers, "hooves": _hooves,
    "beak": _beak, "snout": _snout, "dots": _dots, "stripes": _stripes,
}  # fmt: skip

# hue (turns), saturation, value of each variant's base colour, before jitter
COLOURS: dict[str, tuple[float, float, float]] = {
    "star": (0.135, 0.85, 0.98), "plume": (0.78, 0.60, 0.80),
    "mushroom": (0.99, 0.80, 0.88), "crystal": (0.50, 0.45, 0.92),
    "curl": (0.065, 0.85, 0.95), "fan": (0.61, 0.70, 0.78),
    "leaf": (0.30, 0.65, 0.68), "pompom": (0.93, 0.18, 1.00),
    "butterfly wings": (0.91, 0.52, 0.95), "feathered wing": (0.56, 0.28, 0.95),
    "sail": (0.03, 0.66, 0.86), "shell": (0.10, 0.52, 0.58),
    "slippers": (0.83, 0.62, 0.62), "talons": (0.12, 0.80, 0.92),
    "flippers": (0.46, 0.70, 0.68), "hooves": (0.07, 0.45, 0.30),
    "beak": (0.11, 0.85, 0.98), "snout": (0.96, 0.32, 0.90),
    "dots": (0.14, 0.14, 1.00), "stripes": (0.68, 0.45, 0.34),
}  # fmt: skip
