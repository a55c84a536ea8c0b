"""Import time, name lookup, bundle size, bytes on the wire."""

from __future__ import annotations

import gzip
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

import salwidgets as sw
from benchmarks.measure import Row, seconds

_STATIC = Path(sw.__file__).parent / "widgets" / "static"


def run() -> list[Row]:
    """The rows of this file."""
    code = "import time; t = time.perf_counter(); import salwidgets; print(time.perf_counter() - t)"
    took = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
            for _ in range(7)]
    rows = [Row("import salwidgets", statistics.median(took), "s", 0.1)]
    names = sw.ClassNames(f"class number {i}" for i in range(100_000))
    q = sw.why("class number 99999").rather_than("class number 5")
    rows.append(Row("resolve two names among 100,000 classes",
                    statistics.median(seconds(lambda: q.bind(names)) for _ in range(50)) * 1e3, "ms", 1))
    bundle = (_STATIC / "widget.js").read_bytes()
    rows.append(Row("bundle, minified", len(bundle) / 1e3, "kB", 190,
                    f"{len(gzip.compress(bundle)) / 1e3:.0f} kB gzipped; what it bought stands in js/build.mjs"))
    e = sw.from_array(np.eye(7, dtype=np.float32), np.zeros((224, 224, 3), np.uint8))
    rows.append(Row("a 7 x 7 map on the wire", wire_bytes(sw.Heatmap(e)), "bytes", 196, "the buffer"))
    return rows


def wire_bytes(widget: object) -> int:
    """Bytes of the buffer that carries the map to the browser."""
    state = widget.get_state()  # type: ignore[attr-defined]
    maps = [v for k, v in state.items() if isinstance(v, dict) and v.get("shape") == [7, 7]]
    return len(bytes(maps[0]["view"]))
