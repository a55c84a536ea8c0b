"""From a scene to pixels: painted at four times the size, then averaged, with the part of every pixel kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from PIL import Image, ImageDraw

from .anatomy import PARTS
from .scene import Colour, Scene, rgb
from .shapes import SHAPES, Piece, ellipse, moved, rotate

SIZE = 64
_FINE = 4  # sub-pixels per pixel and side
_INK: Colour = (52, 40, 58)
_PART_ID = {part: i + 1 for i, part in enumerate(PARTS)}
_HEAD = (13.0, -6.0)
_ANCHORS = {
    "crest": (13.2, -11.2),
    "muzzle": (17.4, -5.4),
    "tail": (-10.6, 3.6),
    "back": (-1.8, -2.6),
    "coat": (0.0, 2.6),
}
_LEGS = ((-5.2, 8.6), (5.4, 8.6))
_LEG = 6.2

Placed = tuple[str, list[Piece]]


def draw(scene: Scene, without: Collection[str] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Draw ``scene``, leaving out the parts in ``without`` besides those hidden in the scene.

    Returns the image, float32 ``[64, 64, 3]`` in [0, 1], and the part of each sub-pixel, uint8 ``[256, 256]``
    (0 is no part, else 1 + the position in ``anatomy.PARTS``).
    """
    canvas = Image.fromarray(scene.backdrop).resize((SIZE * _FINE, SIZE * _FINE), Image.Resampling.NEAREST)
    canvas.putalpha(0)
    pen = ImageDraw.Draw(canvas)  # on RGBA a fill replaces all four channels: the fourth carries the part
    for outline, colour in scene.behind:
        pen.polygon(_flat(outline * _FINE), fill=(*colour, 0))
    absent = scene.hidden | set(without)
    for part, pieces in _placed(scene):
        if part not in absent:
            _paint(pen, pieces, scene, part)
    for outline, colour in scene.before:
        pen.polygon(_flat(outline * _FINE), fill=(*colour, 0))
    image = np.asarray(canvas.convert("RGB").reduce(_FINE), dtype=np.float32) / 255
    noise = np.random.default_rng([*scene.noise_seed, 3]).standard_normal((SIZE, SIZE, 3), dtype=np.float32)
    return np.clip(image + scene.noise_level * noise, 0, 1), np.asarray(canvas.getchannel("A"))


def part_mask(ids: np.ndarray, part: str) -> np.ndarray:
    """Pixels, bool ``[64, 64]``, of which ``part`` covers any share; ``ids`` as from `draw`."""
    return (ids == _PART_ID[part]).reshape(SIZE, _FINE, SIZE, _FINE).any(axis=(1, 3))


def part_shares(ids: np.ndarray) -> np.ndarray:
    """The part that holds a sample point of each pixel, uint8 ``[64, 64]``: the masks in brief, for training."""
    return np.ascontiguousarray(ids[1::_FINE, 1::_FINE])


def _placed(scene: Scene) -> Iterator[Placed]:
    """All parts from the farthest to the nearest, with their pieces in pixels of the finished image."""
    pose = scene.pose
    parts = list(_standing(scene))
    everything = np.concatenate([points for _, pieces in parts for points, _ in pieces])
    turned = rotate(everything, pose.turn) * (-1 if pose.mirrored else 1, 1)
    low, high = turned.min(0), turned.max(0)
    scale = min(pose.scale, *((SIZE - 3) / (high - low)))
    shift = 1.5 - low * scale + np.array(pose.place) * (SIZE - 3 - (high - low) * scale)
    stretch = np.array((-scale if pose.mirrored else scale, scale))
    for part, pieces in parts:
        yield part, [(rotate(p, pose.turn) * stretch + shift, tint) for p, tint in pieces]


def _standing(scene: Scene) -> Iterator[Placed]:
    """All parts in the creature's own frame, in painting order."""
    turns = scene.pose.turns

    def shape(part: str) -> list[Piece]:
        return [
            (rotate(p, turns.get(part, 0.0)) + _ANCHORS[part], tint)
            for p, tint in SHAPES[scene.variants[part]]()
        ]

    def with_head(pieces: list[Piece]) -> list[Piece]:
        neck = np.array((8.0, 0.0))
        return [(rotate(p - neck, turns["head"]) + neck, tint) for p, tint in pieces]

    yield "tail", shape("tail")
    legs, feet = _limbs(scene)
    yield "legs", legs
    yield "feet", feet
    yield "crest", with_head(shape("crest"))
    neck = np.array([(3.0, -2.0), (9.6, -9.0), (15.0, -4.0), (10.4, 5.0)])
    front = with_head([(neck, "base"), (ellipse(*_HEAD, 5.8, 5.6), "base")])
    seamless = with_head([(moved(neck, -0.6, 0.8), "base*")])
    yield "body", [*front, (ellipse(0, 3, 11, 7.8, n=24), "base"), *seamless]
    yield "coat", shape("coat")
    yield "back", shape("back")
    yield "muzzle", with_head(shape("muzzle"))
    eye = [(ellipse(14.4, -7.2, 1.9, 2.1, n=12), "white*"), (ellipse(15.0, -7.0, 1.1, 1.3, n=10), "ink*")]
    yield "eye", with_head(eye)


def _limbs(scene: Scene) -> tuple[list[Piece], list[Piece]]:
    legs: list[Piece] = []
    feet: list[Piece] = []
    for (x, y), swing in zip(_LEGS, scene.pose.swing, strict=True):
        knee = rotate(np.array([[0.0, _LEG]]), swing)[0] + (x, y)
        legs.append((np.array([(x, y), tuple(knee)]), "fat:base"))
        feet += [(p + knee + (0.6, 2.0), tint) for p, tint in SHAPES[scene.variants["feet"]]()]
    return legs, feet


def _paint(pen: ImageDraw.ImageDraw, pieces: list[Piece], scene: Scene, part: str) -> None:
    hue, saturation, value = scene.colours.get(part, scene.colours["body"])
    tints = {
        "base": rgb(hue, saturation, value),
        "light": rgb(hue + 0.03, 0.45 * saturation, 0.55 * value + 0.45),
        "dark": rgb(hue - 0.02, min(1.0, saturation * 1.1), 0.62 * value),
        "white": (250, 246, 238),
        "ink": _INK,
    }
    ident = _PART_ID[part]
    ink = (*rgb(hue - 0.03, min(1.0, 0.35 + saturation), 0.36 * value), ident)
    for points, tint in pieces:
        style, _, name = tint.rpartition(":")
        colour = (*tints[name.rstrip("*")], ident)
        path = _flat(points * _FINE)
        if style == "fat":
            pen.line(path, fill=ink, width=15, joint="curve")
            pen.line(path, fill=colour, width=9, joint="curve")
        elif style == "line":
            pen.line(path, fill=colour, width=4)
        else:
            pen.polygon(path, fill=colour)
            if not name.endswith("*"):
                pen.line(path + path[:2], fill=ink, width=3)


def _flat(points: np.ndarray) -> list[float]:
    flat: list[float] = points.ravel().tolist()
    return flat
