"""`verbalize`: look, write, check. A writer that fails or errs never costs the reader the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from ..errors import InputError, LLMError
from ..explanation import Explanation
from .brief import Audience, Brief, Draft, Length, Sentence, Writer
from .claims import Claim, check_sentences
from .result import Verbalization
from .salient import look
from .templates import TemplateWriter

OnFalse = Literal["mark", "drop", "retry"]
_RETRIES = 2


def verbalize(e: Explanation, writer: str | Writer = "template", *, length: Length = "paragraph",
              audience: Audience = "layperson", units: Any = "auto", on_false: OnFalse = "mark",
              on_text: Callable[[str], Any] | None = None, language: str = "english") -> Verbalization:
    """Say what an explanation shows: which parts speak for the target, which against it, how much, and what a reader
    must know beside it. Every sentence is checked against the raw map.

    writer: "template", or a `Writer` such as `LLMWriter`. length: "line", "paragraph" or "report". audience:
    "layperson" or "expert". units: the parts to speak of; "auto", or what `salient.look` takes. on_false: what becomes
    of sentences with a contradicted claim: "mark" keeps them (the verdict is in ``claims``), "drop" leaves them out,
    "retry" tells the writer, at most twice, and then takes the template's text. on_text: called with the text so far
    while a writer streams. language: a catalogue of phrases; for the template.

    An `LLMError` is not raised: the template's text comes back with ``.error`` and a notice. Raises `InputError` for
    an option or units that are not known.

    >>> world = sw.worlds.creatures(n=1)
    >>> e = sw.explain(world.model("cnn"), world.images[0], sw.why(), method="occlusion")
    >>> all(c.verdict == "supported" for c in sw.verbalize(e).claims)
    True
    """
    _known("length", length, ("line", "paragraph", "report"))
    _known("audience", audience, ("layperson", "expert"))
    _known("on_false", on_false, ("mark", "drop", "retry"))
    template = TemplateWriter(language)
    chosen = _writer(writer, template)
    brief = look(e, units, template.words)
    error: LLMError | None = None
    try:
        draft, claims, notices = _written(chosen, brief, length, audience, on_false, on_text)
        name = chosen.name
        if draft is None or not draft.sentences:
            notices.append(f"{name} gave no text that the map supports; this is the template's.")
            draft = None
    except LLMError as failed:
        draft, claims, notices, error = None, [], [f"{chosen.name} failed: {failed} This is the template's text."], failed
    usage = None if draft is None else draft.usage
    if draft is None:
        name = template.name
        draft = template.write(brief, length=length, audience=audience)
        claims = check(draft.sentences, brief)
    return Verbalization(" ".join(draft.sentences), list(draft.sentences), claims, e, brief, name,
                         draft.usage if usage is None else usage, (*notices, *draft.notices), error)


def _written(writer: Writer, brief: Brief, length: Length, audience: Audience, on_false: OnFalse,
             on_text: Callable[[str], Any] | None) -> tuple[Draft | None, list[Claim], list[str]]:
    """The draft, its claims and what happened on the way; no draft if false sentences remain after the retries."""
    draft = writer.write(brief, length=length, audience=audience, on_text=on_text)
    claims = check(draft.sentences, brief)
    if on_false == "retry":
        for _ in range(_RETRIES):
            false = [c for c in claims if c.verdict == "contradicted"]
            if not false:
                break
            draft = writer.write(brief, length=length, audience=audience, contradicted=false, on_text=on_text)
            claims = check(draft.sentences, brief)
        wrong = sum(c.verdict == "contradicted" for c in claims)
        if wrong:
            return None, claims, [f"{wrong} of {writer.name}'s statements still disagreed with the map after "
                                  f"{_RETRIES} corrections."]
    elif on_false == "drop":
        return _dropped(draft, claims)
    return draft, claims, []


def _dropped(draft: Draft, claims: list[Claim]) -> tuple[Draft, list[Claim], list[str]]:
    false = {c.sentence for c in claims if c.verdict == "contradicted"}
    if not false:
        return draft, claims, []
    from dataclasses import replace

    kept = [i for i in range(len(draft.sentences)) if i not in false]
    place = {old: new for new, old in enumerate(kept)}
    claims = [replace(c, sentence=place[c.sentence]) for c in claims if c.sentence in place]
    one = len(false) == 1
    return (replace(draft, sentences=tuple(draft.sentences[i] for i in kept)), claims,
            [f"{len(false)} sentence{'' if one else 's'} that the map contradicts {'was' if one else 'were'} left out."])


def check(sentences: Sequence[Sentence], brief: Brief) -> list[Claim]:
    """The claims of ``sentences`` with their verdicts; ``claim.sentence`` is the index of its sentence."""
    return check_sentences(sentences, brief.explanation, brief.units)


def _writer(writer: str | Writer, template: TemplateWriter) -> Writer:
    if isinstance(writer, str):
        if writer != "template":
            raise InputError(f"writer={writer!r} is not known; use 'template' or an object such as sw.LLMWriter().")
        return template
    if not callable(getattr(writer, "write", None)):
        raise InputError(f"writer={type(writer).__name__} has no method write(brief, length=..., audience=...); see "
                         "salwidgets.verbalization.Writer.")
    return writer


def _known(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name}={value!r} is not known; choose one of {', '.join(map(repr, choices))}.")
