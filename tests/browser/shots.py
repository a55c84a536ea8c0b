"""Screenshots of the views for docs/images: ``python tests/browser/shots.py [NAME ...]``, to be looked at.

Every view is drawn from its exported page, after the gesture that shows what it is for.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chromium import chromium
from PIL import Image

import salwidgets as sw
from salwidgets.widgets import View, save_page

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
METHODS = ["grad-cam", "layer-cam", "lrp", "saliency", "occlusion"]
LARGEST = 150_000  # bytes
Shot = tuple[list[View], Callable[[Any], None]]


def world() -> tuple[Any, Any, Any, str, str]:
    """The creatures, their CNN, a picture, its class and a sibling of that."""
    w = sw.worlds.creatures(n=12, seed=0)
    name = w.labels[2]
    sibling = next(s for s in w.taxonomy.members(w.taxonomy.parent(name)) if s != name)
    return w, w.model("cnn"), w.images[2], name, sibling


def drag(page: Any, stage: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    box = page.locator(stage).first.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=6)
    page.mouse.up()


def heatmap() -> Shot:
    _, model, image, name, sibling = world()
    view = sw.Heatmap(sw.explain(model, image, sw.why(name).rather_than(sibling), method="occlusion", window=12, stride=4))
    return [view], lambda page: drag(page, ".salw-stage", (0.2, 0.15), (0.55, 0.42))


def contrast() -> Shot:
    _, model, image, name, sibling = world()
    view = sw.Contrast(sw.prepare(model, image, method="occlusion", window=12, stride=4), target=name, foil=sibling)
    return [view], lambda page: page.mouse.move(180, 420)


def narrative() -> Shot:
    _, model, image, name, sibling = world()
    e = sw.explain(model, image, sw.why(name).rather_than(sibling), method="occlusion", window=12, stride=4)
    heat = sw.Heatmap(e)
    words = sw.Narrative(sw.verbalize(e, length="report"), link=heat)
    return [words, heat], lambda page: page.locator(".salw-sentence").nth(1).hover()


def comparison() -> Shot:
    w, model, _, _, _ = world()
    es = sw.explain(model, w.images[1:3], sw.why(), method=METHODS)
    return [sw.Comparison(es, scale="each")], lambda page: drag(page, ".salw-tile-stage", (0.25, 0.2), (0.6, 0.55))


def layers() -> Shot:
    _, model, image, name, _ = world()
    view = sw.Layers(sw.through_layers(model, image, sw.why(name)), at=4)
    return [view], lambda page: drag(page, ".salw-stage:not([hidden])", (0.13, 0.13), (0.6, 0.6))


def randomisation() -> Shot:
    _, model, image, name, _ = world()
    checked = sw.explain(model, image, sw.why(name))
    return [sw.Randomisation(sw.metrics.randomise(model, checked, layers=8), at=2)], lambda page: None


def scorecard() -> Shot:
    w, model, _, _, _ = world()
    es = sw.explain(model, w.images[:8], sw.why(), method=["grad-cam", "lrp", "saliency", "eigen-cam"])
    table = sw.metrics.scorecard(model, es, ["insertion", "deletion", "pgs", "cgc", "sparseness"])
    view = sw.Scorecard(table, metric="deletion", row=10)
    view.at = 6
    return [view], lambda page: None


def eraser() -> Shot:
    """Without a kernel, which it says; the painted part and what the map predicts are there all the same."""
    _, model, image, name, _ = world()
    view = sw.Eraser(model, sw.explain(model, image, sw.why(name), method="integrated-gradients"))
    return [view], lambda page: drag(page, ".salw-stage", (0.25, 0.25), (0.45, 0.45))


SHOTS: dict[str, Callable[[], Shot]] = {f.__name__: f for f in (
    heatmap, contrast, narrative, comparison, layers, randomisation, scorecard)}


#: narrower than the rest, or too many bytes
WIDTHS = {"comparison": 900}


def shoot(browser: Any, name: str, folder: Path, width: int | None = None, scheme: str = "light") -> Path:
    """One picture: with all its colours (a colour bar of fewer has steps), unless it is too large for that."""
    views, gesture = SHOTS[name]()
    width = width or WIDTHS.get(name, 1120)
    context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme)
    with tempfile.TemporaryDirectory() as scratch:
        page = context.new_page()
        page.goto(save_page([("", "", v) for v in views], Path(scratch) / "page.html").as_uri())
        page.wait_for_timeout(600)
        gesture(page)
        page.wait_for_timeout(600)
        boxes = [r.bounding_box() for r in page.locator(".salw-root").all()]
        top, bottom = boxes[0]["y"] - 8, boxes[-1]["y"] + boxes[-1]["height"] + 8
        left = max(0, boxes[0]["x"] - 8)  # the page is centred
        png = page.screenshot(full_page=True, clip={"x": left, "y": max(0, top), "width": width - 2 * left,
                                                    "height": bottom - top})
    context.close()
    target = folder / f"{name}.png"
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.save(target, optimize=True)
    if target.stat().st_size > LARGEST:
        picture.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    return target


if __name__ == "__main__":
    with chromium() as found:
        for name in sys.argv[1:] or SHOTS:
            path = shoot(found, name, IMAGES)
            print(path, path.stat().st_size)
