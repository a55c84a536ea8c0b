"""One request to a language model: what comes back in pieces, and every way in which it can fail, in words.

Bytes are read here rather than by the `openai` package, so that an answer of any size, shape or speed stays bounded and
a server that sends plain JSON where a stream was asked for is understood.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

#: bytes of one answer that are read; a text of a thousand sentences is a tenth of it
LARGEST = 2 * 2**20
_SAID = 300


@dataclass(frozen=True)
class Piece:
    """A part of an answer as it arrives; tokens as the server counted them, usually in the last piece."""

    text: str = ""
    refusal: str = ""
    finish: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class ChatClient(Protocol):
    """What `LLMWriter` needs of a client; wrap any other service in such a class and pass it as ``client=``.

    answer: yields the pieces of the answer to one chat-completions request (``model``, ``messages``,
    ``response_format``, ``temperature``, ``seed``, ``stream``); waits at most ``timeout`` seconds for the next byte.
    Raises `Fault`. abort: end the request that the thread with this id reads, because nobody waits for it any more.
    """

    def answer(self, request: dict[str, Any], timeout: float) -> Iterator[Piece]: ...

    def abort(self, thread: int) -> None: ...


class Fault(Exception):
    """Why one request failed. retry: whether it may work the next time; after: seconds that the server asked to wait;
    status: of HTTP, or 0."""

    def __init__(self, message: str, *, retry: bool = False, after: float | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.message, self.retry, self.after, self.status = message, retry, after, status


def pieces(chunks: Iterable[bytes]) -> Iterator[Piece]:
    """The pieces in a body: server-sent events, or one JSON document, told apart by how it begins."""
    start = b""
    source = iter(_bounded(chunks))
    for chunk in source:
        start += chunk
        if len(start.lstrip()) >= 8:
            break
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        raise Fault("answered with nothing at all", retry=True)
    if head.startswith(b"<"):
        raise Fault("answered with a web page instead of JSON; check base_url= (it usually ends in /v1)")
    if re.match(rb"(data|event|id|retry)?:", head):
        yield from _events(_joined(start, source))
        return
    body = b"".join(_joined(start, source))
    try:
        document = json.loads(body)
    except ValueError:
        raise Fault(f"answered with broken JSON: “{said(body.decode(errors='replace'))}”", retry=True) from None
    yield _piece(document, "message")


def _bounded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > LARGEST:
            raise Fault(f"sent more than {LARGEST // 2**20} MB; the rest was not read")
        yield chunk


def _joined(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from rest


def _events(chunks: Iterator[bytes]) -> Iterator[Piece]:
    finished, rest = False, b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            try:
                document = json.loads(data)
            except ValueError:
                raise Fault(f"sent a broken event: “{said(data.decode(errors='replace'))}”", retry=True) from None
            if isinstance(document, dict) and document.get("choices") == [] and not document.get("error"):
                document = {**document, "choices": [{}]}  # the last event holds the token count alone
            piece = _piece(document, "delta")
            finished = finished or bool(piece.finish)
            yield piece
    if not finished:
        raise Fault("stopped before its answer was complete", retry=True)


def _piece(document: Any, key: str) -> Piece:
    if not isinstance(document, dict):
        raise Fault(f"answered with JSON of another shape ({type(document).__name__})", retry=True)
    if document.get("error"):
        raise Fault(f"reported an error: “{said(message_of(document))}”", retry=True)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Fault("answered without a choice (its JSON has no “choices”)", retry=True)
    message, usage = choices[0].get(key), document.get("usage")
    message = message if isinstance(message, dict) else {}
    usage = usage if isinstance(usage, dict) else {}
    return Piece(_text(message.get("content")), _text(message.get("refusal")), str(choices[0].get("finish_reason") or ""),
                 _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))


def _text(content: Any) -> str:
    if isinstance(content, list):  # some servers send parts
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def message_of(body: Any) -> str:
    """What an error's JSON says, wherever it says it."""
    while isinstance(body, dict):
        body = body.get("error") or body.get("message") or body.get("detail") or ""
    return body if isinstance(body, str) else str(body or "")


def said(text: str) -> str:
    """A server's words as they may stand in a message: one line, not endless."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:4 * _SAID]).split())
    return line if len(line) <= _SAID else line[:_SAID] + " …"
