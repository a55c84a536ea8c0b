"""The `openai` package as a `ChatClient`: any server that speaks its protocol, and its errors as faults in words."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

from ..errors import LLMError
from .llm_wire import Fault, Piece, message_of, pieces, said

_NO_HOST = ("name or service not known", "name resolution", "nodename nor servname", "getaddrinfo", "no address")
_KEY_LIKE = re.compile(r"\b(?:sk|pk|key|rk)-[A-Za-z0-9_*\-]{6,}|(?<=Bearer )[\w.~+/=*\-]{3,}", re.IGNORECASE)


class OpenAIChat:
    """Requests through an `openai.OpenAI` client, ours or the caller's. The key stays inside that client."""

    def __init__(self, client: Any = None, base_url: str | None = None) -> None:
        self._client, self._base_url = client, base_url
        self._open: dict[int, Any] = {}  # thread -> the response that it reads

    def answer(self, request: dict[str, Any], timeout: float) -> Iterator[Piece]:
        client = self._made()
        completions = client.chat.completions
        if not hasattr(completions, "with_streaming_response"):  # a stand-in with the same methods and no more
            yield from _plain(completions, request)
            return
        completions = client.with_options(max_retries=0, timeout=timeout).chat.completions
        try:
            with completions.with_streaming_response.create(**request) as response:
                self._open[threading.get_ident()] = response
                yield from pieces(response.iter_bytes())
        except Fault:
            raise
        except Exception as e:
            raise fault_of(e) from None
        finally:
            self._open.pop(threading.get_ident(), None)

    def abort(self, thread: int) -> None:
        """Shut the connection, so that a thread that reads from it wakes and the server stops writing."""
        with contextlib.suppress(Exception):
            stream = self._open[thread].http_response.extensions["network_stream"]
            stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    @property
    def where(self) -> str:
        """The server's address without user, password or query."""
        base = self._base_url or os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
        if self._client is not None:
            base = str(getattr(self._client, "base_url", base))
        return re.sub(r"[?#].*$", "", re.sub(r"//[^/@]*@", "//", base)).rstrip("/")

    def clean(self, text: str) -> str:
        """``text`` without the key, or anything that looks like one."""
        known = [os.environ.get("OPENAI_API_KEY"), getattr(self._client, "api_key", None)]
        for secret in known:
            if isinstance(secret, str) and len(secret) >= 4 and secret != _NO_KEY:
                text = text.replace(secret, "[key]")
        return _KEY_LIKE.sub("[key]", text)

    def _made(self) -> Any:
        if self._client is None:
            try:
                import openai
            except ImportError:
                raise Fault("cannot be asked: the openai package is missing (pip install salwidgets[llm])") from None
            key = os.environ.get("OPENAI_API_KEY")
            if not key and not (self._base_url or os.environ.get("OPENAI_BASE_URL")):
                raise Fault("cannot be asked: there is no key. Set OPENAI_API_KEY, pass client=openai.OpenAI(...), or "
                            "base_url= of a server that needs none")
            self._client = openai.OpenAI(api_key=key or _NO_KEY, base_url=self._base_url, max_retries=0)
        return self._client

    def __repr__(self) -> str:
        return f"OpenAIChat({self.where})"

    def __getstate__(self) -> dict[str, Any]:
        raise LLMError("a client with a key is not saved; make the LLMWriter again where it is needed.")


_NO_KEY = "none"  # local servers want none, the package wants some


def _plain(completions: Any, request: dict[str, Any]) -> Iterator[Piece]:
    """From a client that only has ``create``: one answer, not streamed."""
    plain = {k: v for k, v in request.items() if not k.startswith("stream")}
    try:
        answer = completions.create(**plain)
        choice = answer.choices[0]
        content, usage = choice.message.content, getattr(answer, "usage", None)
    except Exception as e:
        raise fault_of(e) from None
    yield Piece(str(content or ""), str(getattr(choice.message, "refusal", None) or ""),
                str(getattr(choice, "finish_reason", None) or "stop"),
                int(getattr(usage, "prompt_tokens", 0) or 0), int(getattr(usage, "completion_tokens", 0) or 0))


def fault_of(error: Exception) -> Fault:
    """What an exception of a client means. Read from its name and status, so that any version of the package does."""
    status, name = getattr(error, "status_code", None), type(error).__name__
    if isinstance(status, int):
        return _status_fault(status, error)
    reasons = _chain(error)
    if "Timeout" in name or any("Timeout" in type(e).__name__ for e in reasons):
        return Fault("did not answer in time")
    text = " ".join(str(e) for e in reasons).lower()
    if any(sign in text for sign in _NO_HOST):
        return Fault("cannot be reached: there is no such host. Check base_url=", retry=True)
    if "refused" in text:
        return Fault("cannot be reached: connection refused. Is the server running there?", retry=True)
    if "certificate" in text:
        return Fault("cannot be trusted: its certificate does not check out")
    if name == "APIConnectionError" or "Connect" in name:
        return Fault(f"cannot be reached: {said(str(reasons[-1]))}", retry=True)
    if "Protocol" in name or "Read" in name or "Decod" in name:
        return Fault("stopped before its answer was complete", retry=True)
    return Fault(f"could not be asked ({name}: {said(str(error))})")


def _status_fault(status: int, error: Any) -> Fault:
    body = getattr(error, "body", None)
    words = message_of(body)
    page = words.lstrip().startswith("<")
    told = "; it sent a web page" if page else f": “{said(words)}”" if words else ""
    headers = getattr(getattr(error, "response", None), "headers", {})
    after = _seconds(headers)
    if status == 401:
        return Fault(f"does not accept the key (401){told}. Set OPENAI_API_KEY or pass a client", status=status)
    if status == 403:
        return Fault(f"does not allow this (403){told}. Ask for access to the model", status=status)
    if status == 404:
        return Fault(f"knows no such model or address (404){told}. Check model= and base_url= (it usually ends in /v1)",
                     status=status)
    if status == 429:
        spent = getattr(error, "code", None) == "insufficient_quota"
        asked = "" if after is None else f" and asks to wait {after:g} s"
        return Fault(f"takes no more requests now (429){asked}{told}", retry=not spent, after=after, status=status)
    if status >= 500 or status in (408, 409):
        return Fault(f"failed ({status}){told}", retry=True, after=after, status=status)
    return Fault(f"refused the request ({status}){told}", status=status)


def _seconds(headers: Any) -> float | None:
    """Retry-After in seconds, whether it is given as seconds or as a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if not value:
            continue
        try:
            return max(0.0, float(value) / unit)
        except ValueError:
            from datetime import UTC, datetime
            from email.utils import parsedate_to_datetime

            with contextlib.suppress(ValueError, TypeError):
                return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return None


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    now: BaseException | None = error
    while now is not None and len(found) < 8:
        found.append(now)
        now = now.__cause__ or now.__context__
    return found
