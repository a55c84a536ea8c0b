"""A ClusterView of 10,000 points in an exported page in Chromium, with no kernel: time of a frame, first drawing, size.

Time of a frame is the processor's time of the page's main thread for script, style, layout and paint, so that other work
on the machine does not count; the first drawing is the wall's. The canvas has 635 x 508 pixels, one per CSS pixel.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))


def run(quick: bool = False) -> Iterator[Row]:
    """The rows of this file; none where there is no Chromium."""
    import clouds  # type: ignore[import-not-found]
    from chromium import chromium, why_not  # type: ignore[import-not-found]

    if why_not():
        print(f"clusterview: {why_not()}")
        return
    with chromium() as browser:
        for n in (1_000, 10_000) if quick else (1_000, 10_000, 50_000):
            bound = 16 if n <= 10_000 else None
            with clouds.open_page(clouds.cloud(n), browser) as page:
                yield Row(f"{n:,} points with pictures: page opened until the points are drawn", page.drawn_ms, "ms", None)
                yield Row(f"{n:,} points with pictures: exported page", page.size_on_disk / 1e6, "MB", None)
                for gesture in clouds.GESTURES:
                    found = clouds.frames(page, gesture, 30 if quick else 80)
                    yield Row(f"{n:,} points: {gesture}, a frame", found["median_ms"], "ms", bound,
                              f"95th percentile {found['p95_ms']:.1f} ms")
