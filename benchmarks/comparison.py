"""A Comparison of 64 linked maps in an exported page in Chromium, with no kernel: script per frame, first paint, size.

Script per frame is the processor's time of the page's main thread; first paint is the wall's, so other work on the machine
counts there. The pictures are eight photographs of the shared data where they are, else made ones.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Row

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))


def _photos() -> list[Any] | None:
    from PIL import Image

    from examples.nets import find_data

    folder = find_data()
    files = sorted((folder / "photos").glob("*.jpg"))[:8] if folder else []
    photos = [np.asarray(Image.open(f).convert("RGB").resize((224, 224))) for f in files]
    return photos if len(photos) == 8 else None


def run(quick: bool = False) -> Iterator[Row]:
    """The rows of this file; none where there is no Chromium."""
    import grids  # type: ignore[import-not-found]
    from chromium import chromium, why_not  # type: ignore[import-not-found]

    from salwidgets.widgets import Comparison

    if why_not():
        print(f"comparison: {why_not()}")
        return
    with chromium() as browser:
        for size in (7, 14, 224):
            bound = 3 if size < 224 else 16
            with grids.open_page(Comparison(grids.grid_of(size, photos=_photos())), browser) as page:
                paint = grids.first_paint(page)
                yield Row(f"64 maps {size} x {size}: all drawn after the data has arrived", paint["drawn_ms"], "ms", 500)
                yield Row(f"64 maps {size} x {size}: page opened until its first paint", paint["painted_ms"], "ms", 1000)
                yield Row(f"64 maps {size} x {size} and 8 pictures: exported page", page.size_on_disk / 1e6, "MB", 10)
                worst = {}
                for gesture in grids.GESTURES:
                    found = grids.frames(page, gesture, 30 if quick else 80)
                    yield Row(f"64 maps {size} x {size}: {gesture}, script of a frame", found["median_ms"], "ms", bound,
                              f"95th percentile {found['p95_ms']:.1f} ms (at most {2 * bound})")
                    worst[gesture] = found["p95_ms"]
                slowest = max(worst, key=lambda g: worst[g])
                yield Row(f"64 maps {size} x {size}: the largest 95th percentile of a gesture", worst[slowest], "ms",
                          2 * bound, slowest)
        yield from _messages(browser)
        yield from _stored()
        yield from _foil(browser)
        yield from _closed(browser)


def _messages(browser: Any) -> Iterator[Row]:
    import grids

    from salwidgets.widgets import Comparison

    for gesture, (during, after, stalls) in grids.messages(browser, Comparison(grids.grid_of(14))).items():
        said = f"{after or 'none'} when it has come to rest" + (f"; the machine paused {stalls} times" if stalls else "")
        yield Row(f"64 maps 14 x 14: {gesture}, messages to the kernel in 60 frames", max(0, during - stalls), "", 0, said)


def _stored() -> Iterator[Row]:
    import grids

    from salwidgets.widgets.compact import compact_maps

    maps = [np.asarray(e.values, np.float32) for e in grids.grid_of(224)]
    _, error = compact_maps(np.concatenate([m.ravel() for m in maps]), [m.size for m in maps])
    yield Row("64 maps 224 x 224: largest error of float16 in an exported page, of a map's range", error, "", 1e-3,
              "the page says it")


def _foil(browser: Any) -> Iterator[Row]:
    import grids

    from salwidgets.widgets import Comparison

    view = Comparison(grids.basis_of(224, 64, 3), target="class 0", foil="class 1", columns="inputs")
    with grids.open_page(view, browser) as page:
        found = grids.another_foil(page, "class 2")
    yield Row("64 maps 224 x 224 from bases: another foil, hidden maps painted before the last visible one",
              found["too_early"], "", 0, "")
    yield Row("64 maps 224 x 224 from bases: another foil until the visible maps are painted",
              found["last_visible_ms"], "ms", None,
              f"{found['visible']:.0f} visible; the last of the hidden ones after {found['last_ms']:.0f} ms")


def _closed(browser: Any) -> Iterator[Row]:
    import grids
    from ipywidgets.widgets.widget import _instances

    from salwidgets.widgets import Comparison

    es = grids.grid_of(7, 2, 2)
    gc.collect()
    before = len(_instances)
    for view in [Comparison(es) for _ in range(200)]:
        view.close()
    yield Row("200 views made and closed in Python: comms left", len(_instances) - before, "", 0)
    for name, left in grids.leftovers(browser, 200).items():
        yield Row(f"200 views mounted and closed in the browser: {name} left", max(0, left), "", 0)
