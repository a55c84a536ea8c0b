"""One picture of every creature with its name: ``python -m salwidgets.worlds.sheet docs/images/creatures.png``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .anatomy import LEAVES, taxonomy
from .drawing import draw
from .scene import sample

_TILE, _GAP, _LINE = 192, 10, 22


def complete(leaf: str) -> int:
    """The first image of world 0 that shows ``leaf`` with nothing hidden."""
    return next(i for i in range(10_000) if (s := sample(0, i)).leaf == leaf and not s.hidden)


def contact_sheet() -> Image.Image:
    """A column for each family, its three leaves below one another, under the family's and kingdom's name."""
    tree = taxonomy()
    families = list(dict.fromkeys(tree.path(leaf)[-2] for leaf in LEAVES))
    width, head, step = _GAP + len(families) * (_TILE + _GAP), 2 * _LINE + _GAP, _TILE + _LINE + _GAP
    sheet = Image.new("RGB", (width, head + 3 * step), (252, 251, 247))
    pen = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(15), ImageFont.load_default(13)
    for column, family in enumerate(families):
        x = _GAP + column * (_TILE + _GAP)
        if column == 0 or tree.parent(family) != tree.parent(families[column - 1]):
            pen.text((x, 4), str(tree.parent(family)), (150, 90, 60), large)
        pen.text((x, _LINE + 6), family, (60, 60, 70), large)
        for row, leaf in enumerate(tree.members(family)):
            y = head + row * step
            pixels = np.round(draw(sample(0, complete(leaf)))[0] * 255).astype(np.uint8)
            sheet.paste(Image.fromarray(pixels).resize((_TILE, _TILE), Image.Resampling.NEAREST), (x, y))
            pen.text((x + _TILE / 2, y + _TILE + 2), leaf, (60, 60, 70), small, anchor="ma")
    return sheet


def main() -> None:
    """Write the sheet as a PNG of 256 colours."""
    parser = argparse.ArgumentParser(description="One picture of every creature with its name.")
    parser.add_argument("path", type=Path)
    path = parser.parse_args().path
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet().quantize(256, dither=Image.Dither.NONE)
    sheet.save(path, optimize=True)


if __name__ == "__main__":
    main()
