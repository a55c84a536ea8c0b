"""Arrays as they cross to the browser: one binary buffer, its dtype and its shape. Never JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

#: what a message between kernel and browser may weigh before it becomes slow or never arrives
LARGEST = 100 * 2**20


def pack(array: Any, dtype: str) -> dict[str, Any]:
    """``{"view", "dtype", "shape"}`` of an array, little endian and in C order: a 7x7 map is 196 bytes."""
    data = np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<"))
    return {"view": data.data.cast("B") if data.size else b"", "dtype": dtype, "shape": list(data.shape)}
