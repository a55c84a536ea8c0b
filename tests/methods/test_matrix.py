"""Every method x question x network: a finite answer to the right question, or a refusal that names a method that can."""

import functools
import re

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.errors import MethodError
from tests.core import nets
from tests.methods.small import CELLS, FITTING, INFO, NAMES, TREE, few, fits, model, network

LSE, P = (lambda z, *k: np.log(np.exp(z[list(k)]).sum())), (lambda z, *k: np.exp(z[list(k)]).sum() / np.exp(z).sum())
POINT, CONTRAST = "pointwise", "contrastive"
QUESTIONS = {  # the question, its score written out for logits z of a b c d e, and where it lies
    "predicted": (sw.why(), lambda z: z.max(), POINT, "class"),
    "predicted against a class": (sw.why().rather_than("c"), lambda z: z.max() - z[2], CONTRAST, "class"),
    "class": (sw.why("b"), lambda z: z[1], POINT, "class"),
    "class by index": (sw.why(3), lambda z: z[3], POINT, "class"),
    "contrast": (sw.why("b").rather_than("e"), lambda z: z[1] - z[4], CONTRAST, "class"),
    "several foils": (sw.why("b").rather_than("c", "e"), lambda z: z[1] - (z[2] + z[4]) / 2, CONTRAST, "class"),
    "group": (sw.why("vowel"), lambda z: (z[0] + z[4]) / 2, POINT, "group"),
    "list": (sw.why(["a", "b"]), lambda z: (z[0] + z[1]) / 2, POINT, "group"),
    "group contrast": (sw.why("vowel").rather_than("consonant"), lambda z: (z[0] + z[4]) / 2 - z[1:4].mean(), CONTRAST,
                       "group"),
    "group against a class": (sw.why("vowel").rather_than("b"), lambda z: (z[0] + z[4]) / 2 - z[1], CONTRAST, "group"),
    "sum": (sw.why("vowel", pool="sum"), lambda z: z[0] + z[4], POINT, "group"),
    "logsumexp": (sw.why("vowel", pool="logsumexp"), lambda z: LSE(z, 0, 4), POINT, "group"),
    "probability": (sw.why("vowel", pool="probability"), lambda z: P(z, 0, 4), POINT, "group"),
    "log-odds": (sw.why("vowel", pool="log-odds"), lambda z: LSE(z, 0, 4) - LSE(z, 1, 2, 3), POINT, "group"),
    "sums apart": (sw.why("vowel", pool="sum").rather_than("b", "c"), lambda z: z[0] + z[4] - z[1] - z[2], CONTRAST,
                   "group"),
    "probabilities apart": (sw.why("vowel", pool="probability").rather_than("c"), lambda z: P(z, 0, 4) - P(z, 2), CONTRAST,
                            "group"),
    "odds of two classes": (sw.why("b", pool="log-odds").rather_than("c"), lambda z: z[1] - z[2], CONTRAST, "class"),
    "logsumexps apart": (sw.why("vowel", pool="logsumexp").rather_than("consonant"),
                         lambda z: LSE(z, 0, 4) - LSE(z, 1, 2, 3), CONTRAST, "group"),
}
GRID = {"cnn": (16, 20), "vit": (4, 5)}
SHAPES = {"cam": "grid", "attention": "grid", "gradient": (32, 40), "path": (32, 40)}  # by family, but for these:
SHAPES |= dict.fromkeys(["fullgrad", "occlusion", "rise"], (32, 40))


@functools.cache
def scores(kind):
    return model(network(kind)).logits(nets.images(2)).double().numpy()


@functools.cache
def answers(method, kind):
    """{question: its explanations of two images, or the refusal}; all at once, or one by one if one is refused."""
    m, x, kw = model(network(kind)), nets.images(2), {"method": method, "progress": False, **few(method)}
    try:
        es = sw.explain(m, x, [q for q, *_ in QUESTIONS.values()], **kw)
        return {name: [es[0, k, 0], es[1, k, 0]] for k, name in enumerate(QUESTIONS)}
    except MethodError:
        return {name: _one(m, x, q, kw) for name, (q, *_) in QUESTIONS.items()}


def _one(m, x, question, kw):
    try:
        return list(sw.explain(m, x, question, **kw))
    except MethodError as refusal:
        return refusal


def named(text, but):
    """Methods that a text names, longest names first, each other than ``but``."""
    found = re.findall("|".join(rf"(?<![\w-]){re.escape(n)}(?![\w+-])" for n in sorted(INFO, key=len, reverse=True)), text)
    return [n for n in dict.fromkeys(found) if n != but]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("method, kind", CELLS)
def test_cell(method, kind, question):
    asked, score, frame, granularity = QUESTIONS[question]
    got = answers(method, kind)[question]
    if isinstance(got, MethodError):
        assert not fits(method, kind), f"refused, and not written in small.REFUSED: {got}"
        assert any(not isinstance(answers(other, kind)[question], MethodError) for other in named(str(got), method)), got
        return
    assert fits(method, kind)
    shape = SHAPES.get(method, SHAPES.get(INFO[method].family))
    for e, z in zip(got, scores(kind), strict=True):
        assert e.values.dtype == np.float32
        assert e.values.ndim == 2
        assert np.isfinite(e.values).all()
        assert shape is None or e.values.shape == (GRID[kind] if shape == "grid" else shape)
        assert e.upsampled().shape == (32, 40)
        assert np.abs(e.values).max() > 0 or any("zero everywhere" in n for n in e.notices)
        assert e.score == pytest.approx(score(z), rel=1e-4, abs=1e-5)
        assert (e.question.reference_frame, e.question.granularity) == (frame, granularity)
        assert e.question.pool == asked.pool
        assert str(e.question) == str(asked.bind(NAMES, TREE, predicted=int(z.argmax())))
        assert e.class_blind == INFO[method].class_blind
        assert not INFO[method].complete or e.completeness is not None or e.notices


@pytest.mark.parametrize("method, kind", FITTING)
def test_only_class_blind_methods_give_one_map_for_all(method, kind):
    found = answers(method, kind)
    maps = [found[name][0].values for name in ("class", "class by index", "contrast", "group") if name in found]
    same = all(np.allclose(m, maps[0], rtol=1e-6, atol=0) for m in maps[1:])
    assert same == INFO[method].class_blind
