"""Small made-up explanations for the browser tests: not square, signed, with known numbers. No model."""

from __future__ import annotations

from typing import Any

import numpy as np

from salwidgets.evidence import Basis
from salwidgets.explanation import Completeness, Explanation
from salwidgets.questions import why
from salwidgets.taxonomy import Taxonomy

CLASSES = ["husky", "beagle", "wolf", "fox", "tabby cat", "siamese cat", "eagle", "owl", "car", "bus", "bike", "tram"]
TREE = {"animal": {"canine": {"dog": ["husky", "beagle"], "wild dog": ["wolf", "fox"]},
                   "cat": ["tabby cat", "siamese cat"], "bird": ["eagle", "owl", "sparrow"]},
        "vehicle": ["car", "bus", "bike", "tram"]}


def picture(height: int = 60, width: int = 100) -> np.ndarray:
    """uint8 `[H, W, 3]`: a gradient with a bright square in the upper left."""
    rows, cols = np.mgrid[0:height, 0:width]
    image = np.stack([rows * 255 // height, cols * 255 // width, np.full((height, width), 90)], -1).astype(np.uint8)
    image[5:20, 8:30] = 230
    return image


def explanation(rows: int = 6, cols: int = 10, **fields: Any) -> Explanation:
    """A map of 6 x 10 cells over 60 x 100 pixels; value of a cell tells its place."""
    values = np.linspace(-1, 2, rows * cols, dtype=np.float32).reshape(rows, cols)
    facts = {"score": 8.31, "probability": 0.92, "layer": "features.12", "completeness": Completeness(8.1, 8.3, 12.0),
             "image": picture(), "notices": ("A notice <b>with markup</b>.",)}
    return Explanation(values, np.zeros((3, 60, 100)), why("husky").rather_than("wolf"), "grad-cam",
                       **{**facts, **fields})


def basis(rows: int = 6, cols: int = 10, classes: int = 12) -> Basis:
    """Per-class maps of 12 of 13 classes ("sparrow" has none), one input."""
    rng = np.random.default_rng(0)
    names = [*CLASSES[:classes], "sparrow"]
    maps = rng.normal(size=(1, classes, rows, cols)).astype(np.float32)
    logits = rng.normal(size=(1, len(names))).astype(np.float32) * 2
    image = picture() if rows <= 60 else picture(rows, cols)
    return Basis(maps, np.arange(classes), names, logits, image[None], "grad-cam", Taxonomy.from_nested(TREE),
                 layer="features.12")
