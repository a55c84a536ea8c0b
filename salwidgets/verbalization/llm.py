"""Who else may say it: `LLMWriter` lets a language model write about the facts and units of an explanation.

Any server with the OpenAI chat-completions protocol, or any `ChatClient`. What it writes is checked like every other
text (`claims`). The key is read from the environment or stays in the client; it is never kept, shown or saved here.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, LLMError
from . import llm_answer as answers
from . import llm_prompt as prompts
from .brief import Audience, Brief, Draft, Length, Usage
from .llm_answer import Attributes, Summary
from .llm_cache import AnswerCache
from .llm_call import Answer, Cancelled, Deadline, ask, with_retries
from .llm_openai import OpenAIChat
from .llm_wire import ChatClient, Fault

if TYPE_CHECKING:
    from .claims import Claim

_LEVELS = ("json_schema", "json_object", "")
_OPTIONS = ("stream_options", "temperature", "seed")
_REMEMBERED = 16


class LLMWriter:
    """Writes sentences about an explanation with a language model.

    client: an `openai.OpenAI`, a `ChatClient`, or None for one made from OPENAI_API_KEY and OPENAI_BASE_URL.
    model: its name on that server. base_url: of any OpenAI-compatible server, e.g. "http://localhost:8000/v1".
    timeout: seconds for the whole answer, with its retries and corrections. retries: after faults that may pass (no
    connection, 429, 5xx, broken answers), with back-off, or as long as Retry-After says. temperature, seed: for answers
    that repeat; left out for servers that refuse them. send_image: also send the picture (at most 512 pixels); otherwise
    only words and numbers leave this machine. cache: a folder for answers, by content. prices: US dollars per million
    tokens, (prompt, answer).

    Every failure is an `LLMError` that says what happened and what to do; `verbalize` then gives the template's text.

    >>> sw.LLMWriter(model="some-model", base_url="http://localhost:8000/v1")
    LLMWriter(model='some-model', at http://localhost:8000/v1)
    """

    def __init__(self, client: Any = None, model: str = "gpt-4o-mini", base_url: str | None = None, *, timeout: float = 30,
                 retries: int = 2, temperature: float | None = 0, seed: int | None = 0, send_image: bool = False,
                 cache: str | Path | None = None, prices: tuple[float, float] | None = None) -> None:
        if not isinstance(model, str) or not model.strip():
            raise InputError(f"model={model!r} must be the name of a model on the server.")
        if not (isinstance(timeout, (int, float)) and 0 < timeout < float("inf")):
            raise InputError(f"timeout={timeout!r} must be a positive number of seconds.")
        if not isinstance(retries, int) or not 0 <= retries <= 10:
            raise InputError(f"retries={retries!r} must be a whole number from 0 to 10.")
        if client is not None and base_url is not None:
            raise InputError("a client knows its own server: give client= or base_url=, not both.")
        if prices is not None and (len(prices) != 2 or min(prices) < 0):
            raise InputError(f"prices={prices!r} must be two numbers: dollars per million prompt and answer tokens.")
        ours = client is None or not callable(getattr(client, "answer", None))
        if ours and client is not None and not hasattr(client, "chat"):
            raise InputError(f"client={type(client).__name__} is neither an openai client nor a ChatClient.")
        self._client: ChatClient = OpenAIChat(client, base_url) if ours else client
        self.model, self.timeout, self.retries = model, float(timeout), retries
        self.temperature, self.seed, self.send_image, self.prices = temperature, seed, send_image, prices
        self._cache = None if cache is None else AnswerCache(cache)
        self._refused: set[str] = set()  # what this server was found not to take
        self._last: dict[str, tuple[str, Usage]] = {}  # what was answered to which question, for corrections
        self._cancel: threading.Event | None = None

    @property
    def name(self) -> str:
        """How results call this writer."""
        return f"LLM {self.model}"

    def __repr__(self) -> str:
        return f"LLMWriter(model={self.model!r}, at {self._where})"

    def until(self, cancel: threading.Event) -> LLMWriter:
        """The same writer, which stops with an `LLMError` soon after ``cancel`` is set, from any thread."""
        bound = copy.copy(self)
        bound._cancel = cancel
        return bound

    # -- what it is asked ------------------------------------------------------------------------------------

    def write(self, brief: Brief, *, length: Length = "paragraph", audience: Audience = "layperson",
              contradicted: Sequence[Claim] = (), on_text: Callable[[str], Any] | None = None) -> Draft:
        """Sentences about ``brief``, with the ids of their units. See `Writer.write`. Raises `LLMError`."""
        messages = prompts.messages_of(brief, length, audience, self.send_image)
        about = AnswerCache.key({"messages": messages}, "")
        last = self._last.get(about) if contradicted else None
        if contradicted:
            messages += prompts.correction(contradicted, last[0] if last else None)
        told = None if on_text is None else lambda raw: on_text(answers.so_far(raw))
        found, raw, usage, notices = self._ask("text", messages, told, last[1].seconds if last else 0.0)
        if last:
            usage = answers.usage_sum([last[1], usage])
        self._last[about] = raw, usage
        while len(self._last) > _REMEMBERED:
            self._last.pop(next(iter(self._last)))
        return Draft(answers.sentences_of(found), usage, notices)

    def attributes(self, target: str, foil: str) -> Attributes:
        """What visibly tells two classes apart, from the language model's general knowledge: to be shown beside a map,
        marked as not from the explained model. Raises `LLMError`."""
        found, _, usage, _ = self._ask("attributes", prompts.ask_about(prompts.ATTRIBUTE_RULES,
                                                                      {"target": target, "foil": foil}))
        has, lacks = (tuple(answers.line(a) for a in side if a.strip())[:8] for side in (found.target, found.foil))
        return Attributes(target, foil, has, lacks, usage)

    def summary(self, results: Any) -> Summary:
        """A plain-language summary of explanations (one, a list, an `Explanations`) or of a table (a scorecard or a
        pandas DataFrame, at most 60 rows). Numbers that are not in the data are named in ``unverified``.
        Raises `LLMError`, and `InputError` for what is neither."""
        from .llm_summary import data_of

        data = data_of(results)
        found, _, usage, _ = self._ask("summary", prompts.ask_about(prompts.SUMMARY_RULES, data))
        sentences = tuple(answers.line(s) for s in found.sentences if s.strip())
        text = " ".join(sentences)
        return Summary(text, sentences, answers.strange_numbers(text, json.dumps(data)), usage)

    # -- how it is asked -------------------------------------------------------------------------------------

    def _ask(self, form: str, messages: list[dict[str, Any]],
             on_text: Callable[[str], Any] | None = None,
             used: float = 0.0) -> tuple[Any, str, Usage, tuple[str, ...]]:
        """The answer in its form, its raw text, what it cost, notices. Every fault becomes an `LLMError`.
        used: seconds of the time limit that earlier answers in the same conversation took."""
        deadline, requests, tokens = Deadline(self.timeout, self._cancel, used), [0], [0, 0]

        def once() -> tuple[Any, str]:
            answer = self._adapted(form, messages, deadline, requests, on_text)
            tokens[0] += answer.prompt_tokens
            tokens[1] += answer.completion_tokens
            text = self._clean(answer.text)
            return answers.read(form, text), text

        failed = ""
        try:
            key = AnswerCache.key(self._request(form, messages, _LEVELS[0], False), self._where) if self._cache else ""
            kept = self._cache.get(key) if self._cache else None
            if kept is not None:
                if on_text is not None:
                    on_text(kept["text"])
                usage = Usage(self.model, kept["prompt_tokens"], kept["completion_tokens"], cost=0.0,
                              seconds=deadline.elapsed, cached=True)
                return answers.read(form, kept["text"]), kept["text"], usage, ()
            found, text = with_retries(once, deadline, self.retries)
        except Fault as fault:
            failed = f"The language model at {self._where} {fault.message}."
        except Cancelled:
            failed = "The language model was stopped before it had answered."
        if failed:  # raised here, where no exception with headers in it hangs on to this one
            raise LLMError(self._clean(failed))
        if self._cache:
            self._cache.put(key, {"text": text, "model": self.model, "prompt_tokens": tokens[0],
                                  "completion_tokens": tokens[1], "at": int(time.time())})
        usage = Usage(self.model, tokens[0], tokens[1], self._cost(*tokens), requests[0], deadline.elapsed)
        return found, text, usage, self._notices()

    def _adapted(self, form: str, messages: list[dict[str, Any]], deadline: Deadline, requests: list[int],
                 on_text: Callable[[str], Any] | None) -> Answer:
        """One answer, asked for in the richest way that the server takes."""
        while True:
            level = next(level for level in _LEVELS if level not in self._refused)
            request = self._request(form, messages, level, on_text is not None)
            requests[0] += 1
            try:
                return ask(self._client, request, deadline, on_text)
            except Fault as fault:
                unwanted = self._unwanted(fault, request)
                if unwanted is None:
                    raise
                self._refused.add(unwanted)

    def _unwanted(self, fault: Fault, request: dict[str, Any]) -> str | None:
        """Which part of a refused request to leave out, or None if the refusal is about something else."""
        if fault.status not in (400, 415, 422, 501) or "context" in fault.message.lower():
            return None
        named = [name for name in _OPTIONS if name in request and name in fault.message]
        if named:
            return named[0]
        if "response_format" in request:
            return str(request["response_format"]["type"])
        return None

    def _request(self, form: str, messages: list[dict[str, Any]], level: str, stream: bool) -> dict[str, Any]:
        shape = answers.response_format(form, level)
        if level != "json_schema":
            first, *rest = messages
            messages = [{**first, "content": f"{first['content']}\n{answers.described(form)}"}, *rest]
        request = {"model": self.model, "messages": messages, "response_format": shape, "temperature": self.temperature,
                   "seed": self.seed, "stream": stream or None,
                   "stream_options": {"include_usage": True} if stream else None}
        return {k: v for k, v in request.items() if v is not None and k not in self._refused}

    def _notices(self) -> tuple[str, ...]:
        if "json_schema" not in self._refused:
            return ()
        return ("This server takes no JSON schema: the form of its answers is only asked for in words.",)

    def _cost(self, prompt: int, completion: int) -> float | None:
        return None if self.prices is None else (prompt * self.prices[0] + completion * self.prices[1]) / 1e6

    @property
    def _where(self) -> str:
        return str(getattr(self._client, "where", type(self._client).__name__))

    def _clean(self, text: str) -> str:
        clean = getattr(self._client, "clean", None)
        return clean(text) if callable(clean) else text


__all__ = ["Attributes", "ChatClient", "Fault", "LLMWriter", "Summary"]
