"""What the tests of the language-model writer share: an explanation, its brief, a writer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("openai")

import salwidgets as sw
from salwidgets.explanation import from_array
from salwidgets.verbalization.brief import Brief, Unit
from salwidgets.verbalization.llm import LLMWriter

from .server import ChatServer


def explanation(name: str = "husky") -> Any:
    values = np.zeros((6, 9), np.float32)
    values[:2, :3] = 1.0
    values[4:, 6:] = -0.5
    return from_array(values, np.zeros((60, 90, 3), np.uint8), sw.why(name).rather_than("wolf"), method="rise", score=3.0)


def brief(name: str = "husky", label: str = "top left") -> Brief:
    e = explanation(name)
    up, down = (e.values > 0).astype(np.float32), (e.values < 0).astype(np.float32)
    units = (Unit("u1", "place", label, up, 6.0, 1.0, 0.0, 6 / 54),
             Unit("u2", "place", "bottom right", down, -3.0, 0, 1, 6 / 54))
    return Brief(e, str(e.question), name, "wolf", "rise", units, units[:1], units[1:], 1 / 3, 1.0, ("opposing",))


def writer(server: ChatServer, **options: Any) -> LLMWriter:
    return LLMWriter(model="test-model", base_url=server.url, **{"timeout": 3.0, **options})
