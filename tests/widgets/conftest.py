"""The made-up explanations of the browser tests serve here, too."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "browser"))


@pytest.fixture
def each_view() -> dict[str, Any]:
    """Every view of the table in tests/browser/every.py, with hostile names."""
    from every import HOSTILE, VIEWS

    return {name: make(HOSTILE) for name, make in VIEWS.items()}
