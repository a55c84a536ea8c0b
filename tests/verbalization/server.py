"""A small HTTP server on the loopback that speaks the OpenAI chat-completions protocol, well or badly as it is told.

>>> with ChatServer() as server:                                   # doctest: +SKIP
...     server.say(sentences=[("The left supports it.", ["u1"], "supports")])
...     LLMWriter(model="m", base_url=server.url).write(brief)
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler", dict[str, Any]], None]
SENTENCES = (("The top left holds most of the evidence.", ["u1"], "supports"),)


def content(sentences: Sequence[tuple[str, Sequence[str], str]] = SENTENCES) -> str:
    """What a model that keeps to the schema writes."""
    said = [{"text": t, "units": list(u), "relation": r} for t, u, r in sentences]
    return json.dumps({"sentences": said}, ensure_ascii=False)


def completion(text: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """The JSON of one whole answer."""
    return {"id": "c1", "object": "chat.completion", "model": "test-model",
            "choices": [{"index": 0, "finish_reason": finish,
                         "message": {"role": "assistant", "content": text, **message}}],
            "usage": {"prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250}}


class Handler(BaseHTTPRequestHandler):
    """Answers POST /v1/chat/completions with the next behaviour of its server."""

    server: Any
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner: ChatServer = self.server.owner
        owner.requests.append(body)
        owner.headers.append({k.lower(): v for k, v in self.headers.items()})
        behave = owner.script.popleft() if len(owner.script) > 1 else owner.script[0]
        try:
            behave(self, body)
        except OSError:
            owner.hung_up.set()
        self.close_connection = True

    def send(self, body: Any, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.start(status, kind, {"Content-Length": str(len(data)), **{k.replace("_", "-"): v for k, v in headers.items()}})
        self.wfile.write(data)

    def start(self, status: int, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def event(self, data: Any) -> None:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        self.wfile.write(f"data: {text}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *args: Any) -> None:
        pass


def good(text: str | None = None, *, step: int = 7, pause: float = 0.0) -> Behaviour:
    """A right answer: whole, or in events of ``step`` characters with ``pause`` seconds between them."""
    said = content() if text is None else text

    def behave(handler: Handler, body: dict[str, Any]) -> None:
        if not body.get("stream"):
            return handler.send(completion(said))
        handler.start(200, "text/event-stream")
        for i in range(0, len(said), step):
            handler.event({"choices": [{"index": 0, "delta": {"content": said[i:i + step]}, "finish_reason": None}]})
            time.sleep(pause)
        handler.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        handler.event({"choices": [], "usage": {"prompt_tokens": 200, "completion_tokens": 50}})
        return handler.event("[DONE]")

    return behave


def status(code: int, message: Any = "no", **headers: str) -> Behaviour:
    """An error in JSON, with headers (``Retry_After="1"``)."""
    return lambda handler, body: handler.send({"error": {"message": message, "type": "error"}}, code, **headers)


def echo_key(handler: Handler, body: dict[str, Any]) -> None:
    """401 that repeats the key, as careless gateways do."""
    handler.send({"error": {"message": f"Incorrect API key provided: {handler.headers['Authorization']}"}}, 401)


def raw(data: bytes, kind: str = "application/json", code: int = 200) -> Behaviour:
    """Any bytes as the body."""
    return lambda handler, body: handler.send(data, code, kind)


def message(text: str | None, finish: str = "stop", **more: Any) -> Behaviour:
    """One answer, not streamed."""
    return lambda handler, body: handler.send(completion(text, finish, **more))


def silent(seconds: float = 5.0, headers: bool = True) -> Behaviour:
    """Nothing for a long time; ``headers``: after the head of a stream."""
    def behave(handler: Handler, body: dict[str, Any]) -> None:
        if headers:
            handler.start(200, "text/event-stream")
            handler.wfile.flush()
        handler.server.owner.over.wait(seconds)

    return behave


def drip(gap: float = 0.05, most: float = 5.0) -> Behaviour:
    """A comment now and then and never an answer: no single read ever times out."""
    def behave(handler: Handler, body: dict[str, Any]) -> None:
        handler.start(200, "text/event-stream")
        end = time.monotonic() + most
        while time.monotonic() < end and not handler.server.owner.over.wait(gap):
            handler.wfile.write(b": still here\n\n")
            handler.wfile.flush()

    return behave


def stops(parts: int = 3) -> Behaviour:
    """A stream that ends in the middle of the answer."""
    def behave(handler: Handler, body: dict[str, Any]) -> None:
        said = content()
        handler.start(200, "text/event-stream")
        for i in range(parts):
            handler.event({"choices": [{"index": 0, "delta": {"content": said[5 * i:5 * i + 5]}}]})

    return behave


def stops_short(handler: Handler, body: dict[str, Any]) -> None:
    """A whole answer promised by its length, half of it sent."""
    handler.start(200, "application/json", {"Content-Length": "5000"})
    handler.wfile.write(json.dumps(completion(content())).encode()[:100])


def endless(megabytes: int = 10) -> Behaviour:
    """An answer of many megabytes."""
    def behave(handler: Handler, body: dict[str, Any]) -> None:
        handler.start(200, "application/json")
        handler.wfile.write(b'{"choices": [{"message": {"content": "')
        for _ in range(megabytes * 16):
            handler.wfile.write(b"a" * 2**16)
        handler.server.owner.sent_all.set()

    return behave


def refuses(*fields: str, then: Behaviour) -> Behaviour:
    """400 as long as the request holds one of these fields, or this type of response_format."""
    def behave(handler: Handler, body: dict[str, Any]) -> None:
        kind = (body.get("response_format") or {}).get("type")
        for field in fields:
            if field in body or field == kind:
                return status(400, f"'{field}' is not supported")(handler, body)
        return then(handler, body)

    return behave


class ChatServer:
    """The server in a thread. ``script``: behaviours for the next requests; the last one stays.

    requests, headers: what was asked. hung_up: a client went away while it was being answered.
    """

    def __init__(self, *script: Behaviour) -> None:
        self.script: deque[Behaviour] = deque(script or [good()])
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.hung_up, self.sent_all, self.over = threading.Event(), threading.Event(), threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.owner = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def play(self, *script: Behaviour) -> None:
        """Other behaviours from now on."""
        self.script = deque(script)

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
