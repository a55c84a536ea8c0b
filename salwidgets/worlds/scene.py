"""What is in one image: which creature, in which pose, where, in which colours, before which scenery.

A scene holds everything that chance decides. Drawing it needs no random number, so the same scene can be drawn
again without a part and stays the same everywhere else.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from .anatomy import FAMILY_PARTS, KINGDOM_PARTS, LEAVES, OWN_PARTS, TELLING_PARTS, variants
from .shapes import COLOURS, ellipse, moved, rotate

Colour = tuple[int, int, int]
Shape = tuple[np.ndarray, Colour]

HIDE_OWN, HIDE_FAMILY, HIDE_KINGDOM = 0.3, 0.25, 0.2


@dataclass(frozen=True)
class Pose:
    """Where the creature stands: ``scale`` 1 makes it about 56 px wide; turns are in degrees."""

    scale: float
    turn: float
    mirrored: bool
    turns: dict[str, float]
    swing: tuple[float, float]
    place: tuple[float, float]  # of the body's centre, as shares of the room that the image leaves


@dataclass(frozen=True)
class Scene:
    """One image before it is drawn."""

    leaf: str
    variants: dict[str, str]
    hidden: frozenset[str]
    pose: Pose
    colours: dict[str, tuple[float, float, float]]  # part -> hue, saturation, value
    backdrop: np.ndarray  # uint8 [64, 64, 3]
    behind: list[Shape]  # distractors, in pixels of the finished image
    before: list[Shape]
    noise_seed: tuple[int, int]
    noise_level: float


def rgb(hue: float, saturation: float, value: float) -> Colour:
    """8-bit colour; the hue wraps, the others are clipped."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0))
    return round(255 * r), round(255 * g), round(255 * b)


def sample(seed: int, index: int) -> Scene:
    """Scene ``index`` of the world ``seed``. Every run of twelve scenes holds each leaf once."""
    block, place = divmod(index, len(LEAVES))
    leaf = LEAVES[np.random.default_rng([seed, block, 1]).permutation(len(LEAVES))[place]]
    rng = np.random.default_rng([seed, index, 2])
    horizon = rng.uniform(40, 56)
    pose = _pose(rng)
    hidden, colours = _hidden(rng), _colours(rng, leaf)
    backdrop = _backdrop(rng, horizon)
    behind, before = _distractors(rng, horizon)
    noise = rng.uniform(0.005, 0.025)
    return Scene(leaf, variants(leaf), hidden, pose, colours, backdrop, behind, before, (seed, index), noise)


def _pose(rng: np.random.Generator) -> Pose:
    reach = {"crest": (-10, 16), "tail": (-24, 8), "back": (-9, 7), "muzzle": (-8, 8), "head": (-8, 10)}
    turns = {part: float(rng.uniform(low, high)) for part, (low, high) in reach.items()}
    return Pose(
        scale=rng.uniform(0.84, 1.0),
        turn=rng.uniform(-10, 10),
        mirrored=bool(rng.random() < 0.5),
        turns=turns,
        swing=(rng.uniform(-14, 14), rng.uniform(-14, 14)),
        place=(rng.random(), rng.random()),
    )


def _hidden(rng: np.random.Generator) -> frozenset[str]:
    """At most one part of each level is hidden, so one of the two always tells a leaf from its siblings."""
    hidden = set()
    for parts, chance in ((OWN_PARTS, HIDE_OWN), (FAMILY_PARTS, HIDE_FAMILY), (KINGDOM_PARTS, HIDE_KINGDOM)):
        part = parts[rng.integers(len(parts))]
        if rng.random() < chance:
            hidden.add(part)
    return frozenset(hidden)


def _colours(rng: np.random.Generator, leaf: str) -> dict[str, tuple[float, float, float]]:
    colours = {"body": (rng.random(), rng.uniform(0.16, 0.42), rng.uniform(0.68, 0.92))}
    for part in TELLING_PARTS:
        h, s, v = COLOURS[variants(leaf)[part]]
        colours[part] = (h + rng.normal(0, 0.015), s * rng.uniform(0.85, 1.1), v * rng.uniform(0.88, 1.06))
    return colours


def _backdrop(rng: np.random.Generator, horizon: float) -> np.ndarray:
    """Sky over ground, each a gradient, with hills between and a soft texture; uint8 ``[64, 64, 3]``."""
    hue = rng.uniform(0.45, 0.72) if rng.random() < 0.7 else rng.random()
    high = np.array(rgb(hue, rng.uniform(0.15, 0.5), rng.uniform(0.7, 0.95)))
    low = np.array(rgb(hue + rng.uniform(-0.2, 0.2), 0.16, 0.97))
    earth_hue = rng.uniform(0.08, 0.42)
    near, far = (
        np.array(rgb(earth_hue, 0.38, rng.uniform(0.5, 0.7))),
        np.array(rgb(earth_hue + 0.03, 0.26, 0.8)),
    )
    y, x = np.mgrid[0:64, 0:64].astype(np.float32)
    t = np.clip(y / horizon, 0, 1)[..., None]
    image = high * (1 - t) + low * t
    slow = 3.5 * np.sin(x / rng.uniform(7, 12) + rng.uniform(0, 6))
    ridge = horizon - 7 - slow - 1.5 * np.sin(x / 4 + rng.uniform(0, 6))
    hill = np.clip(y - ridge, 0, 1)[..., None] * 0.55
    image = image * (1 - hill) + far * hill
    ground = np.clip(y - horizon - 1.2 * np.sin(x / 9 + rng.uniform(0, 6)), 0, 1)[..., None]
    g = np.clip((y - horizon) / 20, 0, 1)[..., None]
    image = image * (1 - ground) + (far * (1 - g) + near * g) * 0.96 * ground
    coarse = np.kron(rng.normal(0, 3.5, (16, 16)), np.ones((4, 4)))
    soft = (coarse + np.roll(coarse, 2, 0) + np.roll(coarse, 2, 1) + np.roll(coarse, (2, 2), (0, 1))) / 2
    return np.clip(image + soft[..., None], 0, 255).astype(np.uint8)


def _distractors(rng: np.random.Generator, horizon: float) -> tuple[list[Shape], list[Shape]]:
    """Clouds, pebbles, tufts and blossoms behind the creature; tufts and pebbles at its feet in front of it."""
    behind: list[Shape] = []
    for _ in range(rng.integers(0, 3)):
        behind += _cloud(rng)
    for _ in range(rng.integers(1, 4)):
        kind = (_pebble, _tuft, _blossom, _bubble)[rng.integers(4)]
        x, (top, low) = rng.uniform(2, 62), (3, 40) if kind is _bubble else (min(horizon, 52), 61)
        behind += kind(rng, x, rng.uniform(top, low))
    before: list[Shape] = []
    for _ in range(rng.integers(0, 3)):
        before += (_pebble, _tuft)[rng.integers(2)](rng, rng.uniform(2, 62), rng.uniform(61, 64))
    return behind, before


def _part_colour(rng: np.random.Generator) -> Colour:
    h, s, v = list(COLOURS.values())[rng.integers(len(COLOURS))]
    return rgb(h + rng.normal(0, 0.03), s * rng.uniform(0.5, 0.9), v * rng.uniform(0.8, 1.0))


def _cloud(rng: np.random.Generator) -> list[Shape]:
    x, y, r = rng.uniform(4, 60), rng.uniform(3, 20), rng.uniform(2.2, 3.8)
    white = rgb(0.6, rng.uniform(0, 0.08), rng.uniform(0.93, 1.0))
    puffs = ((-1.2, 0.2, 0.8), (0, -0.3, 1.1), (1.3, 0.2, 0.9))
    return [(ellipse(x + dx * r, y + dy * r, s * r, 0.8 * s * r, n=12), white) for dx, dy, s in puffs]


def _pebble(rng: np.random.Generator, x: float, y: float) -> list[Shape]:
    r = rng.uniform(1.4, 3.2)
    shine = ellipse(x - 0.3 * r, y - 0.25 * r, 0.4 * r, 0.2 * r, n=8)
    return [(ellipse(x, y, r, 0.7 * r, n=12), _part_colour(rng)), (shine, (235, 235, 225))]


def _tuft(rng: np.random.Generator, x: float, y: float) -> list[Shape]:
    green, h = rgb(rng.uniform(0.2, 0.42), 0.55, rng.uniform(0.4, 0.7)), rng.uniform(3.5, 6.5)
    blade = np.array([(-0.8, 0), (0, -h), (0.8, 0)])
    return [(moved(rotate(blade, turn), x + dx, y), green) for turn, dx in ((-24, -1.0), (0, 0.0), (22, 1.0))]


def _blossom(rng: np.random.Generator, x: float, y: float) -> list[Shape]:
    colour = _part_colour(rng)
    stalk = moved(np.array([(-0.35, 0), (-0.35, -4.5), (0.35, -4.5), (0.35, 0)]), x, y)
    petals = [
        ellipse(x + 1.3 * np.cos(a), y - 5 + 1.3 * np.sin(a), 1.1, 1.1, n=8) for a in np.arange(5) * 1.2566
    ]
    heart = ellipse(x, y - 5, 0.9, 0.9, n=8)
    return [(stalk, (80, 120, 60)), *((p, colour) for p in petals), (heart, (250, 220, 110))]


def _bubble(rng: np.random.Generator, x: float, y: float) -> list[Shape]:
    r, colour = rng.uniform(1.0, 2.4), _part_colour(rng)
    shine = ellipse(x - 0.3 * r, y - 0.3 * r, 0.35 * r, 0.35 * r, n=8)
    return [(ellipse(x, y, r, r, n=12), colour), (shine, (250, 250, 250))]
