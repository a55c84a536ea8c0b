"""For every test of words: no real key, no waiting between tries, and a server on the loopback where one is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .server import ChatServer

KEY = "topsecret-3141592653589793"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that no text may show, no address, and short pauses."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setattr("salwidgets.verbalization.llm_call.BACK_OFF", 0.02)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A chat server on the loopback."""
    with ChatServer() as found:
        yield found
