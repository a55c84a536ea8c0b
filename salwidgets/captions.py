"""What is written beside a map: scores, completeness, notices, where it came from. Numbers come with their unit.

The phrases are those of the catalogue `verbalization.english`.
"""

from __future__ import annotations

import math
from typing import Any

from .verbalization.english import CAPTIONS as SAID

MINUS = "\N{MINUS SIGN}"
#: parameters that do not change what a reader sees, or are said elsewhere
_UNSAID = ("layer", "batch_size", "seed")
CLASS_BLIND = SAID["blind"]


def number(value: float) -> str:
    """Three significant digits with a real minus, as js/src/format.ts writes them."""
    if math.isnan(value):
        return SAID["not_a_number"]
    if math.isinf(value):
        return "+∞" if value > 0 else f"{MINUS}∞"
    size = abs(value)
    if size == 0:
        return "0"
    if 1e-3 <= size < 1e5:
        text = f"{size:.0f}" if size >= 100 else f"{size:#.3g}".rstrip(".")
    else:
        mantissa, exponent = f"{size:.1e}".split("e")
        text = f"{mantissa}e{MINUS if int(exponent) < 0 else ''}{abs(int(exponent))}"
    return (MINUS if value < 0 else "") + text


def signed(value: float) -> str:
    """`number` with a plus where it is positive."""
    return f"+{number(value)}" if value > 0 and math.isfinite(value) else number(value)


def percent(share: float) -> str:
    """A share 0..1 in per cent; never rounds something down to nothing or up to everything."""
    p = share * 100
    if 0 < p < 0.05:
        return "< 0.1 %"
    if 99.95 <= p < 100:
        return "> 99.9 %"
    return f"{p:.0f} %" if 9.95 <= p < 99.5 or p == 100 else f"{p:.1f} %"


def title(explanation: Any) -> str:
    """The question as a sentence; a map without a question says so."""
    question = getattr(explanation, "question", None)
    return str(question) if question is not None else SAID["no_question"]


def score_text(explanation: Any) -> str:
    """The score with its unit: logits, unless the question asks for a probability or a task says otherwise."""
    question = getattr(explanation, "question", None)
    odd = getattr(question, "pool", "mean") == "probability" or getattr(question, "task", None) is not None
    return signed(float(explanation.score)) + ("" if odd else SAID["logits"])


def facts(explanation: Any) -> list[dict[str, str]]:
    """Terms and texts for the list beside the map."""
    found: list[dict[str, str]] = []
    score = getattr(explanation, "score", None)
    if score is not None and not math.isnan(score):
        found.append({"term": SAID["score"], "text": score_text(explanation)})
    probability = getattr(explanation, "probability", None)
    if probability is not None and not math.isnan(probability):
        found.append({"term": SAID["probability"], "text": percent(float(probability))})
    prediction = getattr(explanation, "prediction", None)
    if prediction:
        first = SAID["top"].format(name=prediction[0], share=percent(float(prediction[1])))
        found.append({"term": SAID["prediction"], "text": first})
    text = completeness(explanation)
    if text:
        found.append({"term": SAID["completeness"], "text": text})
    return found


def completeness(explanation: Any) -> str:
    """How well the map's sum agrees with what the method promises, or "" if it promises nothing."""
    value = getattr(explanation, "completeness", None)
    if value is None or math.isnan(float(value)):
        return ""
    text = SAID["unexplained"].format(share=percent(abs(float(value))))
    total, expected = getattr(value, "total", None), getattr(value, "expected", None)
    if total is not None and expected is not None:
        text += SAID["sums"].format(total=number(float(total)), expected=number(float(expected)))
    return text


def notices(explanation: Any) -> list[str]:
    """Notices that are part of the answer."""
    said = [str(n) for n in getattr(explanation, "notices", ()) or ()]
    if getattr(explanation, "class_blind", False) and not any("class-blind" in n.lower() for n in said):
        said.insert(0, CLASS_BLIND)
    return said


def caption(source: Any, cells: tuple[int, ...], pixels: tuple[int, ...]) -> str:
    """Method, layer, parameters, resolution: where a map came from, in one line."""
    parts = [str(getattr(source, "method", "") or "")]
    layer = getattr(source, "layer", None)
    if layer:
        parts.append(SAID["layer"].format(layer=layer))
    params = getattr(source, "params", None) or {}
    parts.extend(_setting(k, v) for k, v in params.items() if k not in _UNSAID and _worth_saying(v))
    (h, w), (tall, wide) = cells, pixels
    parts.append(SAID["grid"].format(h=h, w=w) if tuple(cells) == tuple(pixels)
                 else SAID["grid_on"].format(h=h, w=w, tall=tall, wide=wide))
    return " · ".join(p for p in parts if p)


def alt_text(explanation: Any) -> str:
    """What a picture of the map shows, for a reader who cannot see it: the question, and the template's one sentence."""
    text = _told(explanation)
    question = getattr(explanation, "question", None)
    return SAID["alt"].format(question=question, text=text) if question is not None else SAID["alt_bare"].format(text=text)


def alt_of_map(values: Any, image: Any, asked: str) -> str:
    """As `alt_text`, for a map `[h, w]` that is no explanation of its own: what was asked, where the map speaks most."""
    from .explanation import from_array

    return SAID["alt"].format(question=asked, text=_told(from_array(values, image)))


def _told(explanation: Any) -> str:
    """The template's one sentence; a map without a number says so."""
    import numpy as np

    from .verbalization import verbalize

    if not np.isfinite(np.asarray(explanation.values)).any():
        return SAID["no_numbers"]
    return str(verbalize(explanation, length="line"))


def _worth_saying(value: Any) -> bool:
    return value is not None and value is not False and value != "" and isinstance(value, (int, float, str, list, tuple))


def _setting(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if value is True:
        return words
    return f"{words} {' × '.join(map(_plain, value)) if isinstance(value, (list, tuple)) else _plain(value)}"


def _plain(value: Any) -> str:
    """A parameter as it was given; four significant digits of a computed one."""
    if not isinstance(value, float):
        return str(value)
    return (MINUS if value < 0 else "") + f"{abs(value):.4g}"
