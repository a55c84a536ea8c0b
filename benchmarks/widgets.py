"""Frame times of the Contrast slider in an exported page in Chromium, with no kernel.

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

    if why_not():
        print(f"widgets: {why_not()}")
        return []
    found = measure_frames(size=224, classes=12, frames=120)
    return [Row("Contrast slider, a frame at 224 x 224 with 12 classes, no kernel", found["median_ms"], "ms", 16,
                f"95th percentile {found['p95_ms']:.1f} ms")]
