"""Frame times of the Contrast slider and of pointing at a Narrative's sentences, in exported pages in Chromium, no kernel.

The time of a frame is the processor's, of the page's main thread.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measure import Row

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "browser"))


def run() -> list[Row]:
    """The rows of this file; none where there is no Chromium."""
    from chromium import why_not  # type: ignore[import-not-found]
    from frames import measure_frames  # type: ignore[import-not-found]
    from hovers import measure_hovers  # type: ignore[import-not-found]

    if why_not():
        print(f"widgets: {why_not()}")
        return []
    found = measure_frames(size=224, classes=12, frames=120)
    hover = measure_hovers(size=224, frames=60)
    return [Row("Contrast slider, a frame at 224 x 224 with 12 classes, no kernel", found["median_ms"], "ms", 16,
                f"95th percentile {found['p95_ms']:.1f} ms"),
            Row("Narrative, pointing at a sentence over a map of 224 x 224, no kernel", hover["median_ms"], "ms", 16,
                f"95th percentile {hover['p95_ms']:.1f} ms, the first {hover['first_ms']:.1f} ms")]
