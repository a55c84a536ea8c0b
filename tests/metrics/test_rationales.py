"""Rationales against scikit-learn, ERASER's rule in plain words and hand-made cases; real highlights where there."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import salwidgets as sw
from examples.nets import find_data
from salwidgets.errors import InputError, MethodError


def words(values: list[float] | np.ndarray) -> sw.Explanation:
    v = np.asarray(values, np.float32)
    return sw.Explanation(v, np.zeros(len(v)), None, "external")


def runs(marks: np.ndarray) -> list[tuple[int, int]]:
    out, start = [], None
    for t, on in enumerate([*marks, False]):
        if on and start is None:
            start = t
        if not on and start is not None:
            out.append((start, t))
            start = None
    return out


def eraser_f1(taken: list[tuple[int, int]], truth: list[tuple[int, int]]) -> float:
    """Partial match: runs with an overlap of at least one half with some span, for precision and recall."""
    hits = sum(any(len(set(range(*p)) & set(range(*t))) / len(set(range(*p)) | set(range(*t))) >= 0.5 for t in truth)
               for p in taken)
    precision, recall = hits / len(taken), hits / len(truth)
    return 0.0 if hits == 0 else 2 * precision * recall / (precision + recall)


@pytest.fixture(scope="module")
def texts() -> tuple[list[sw.Explanation], list[np.ndarray]]:
    rng = np.random.default_rng(0)
    es, truths = [], []
    for _ in range(80):
        n = int(rng.integers(12, 40))
        start, length = int(rng.integers(0, n - 6)), int(rng.integers(2, 6))
        marks = np.zeros(n, bool)
        marks[start:start + length] = True
        marks[n - 1] |= rng.random() < 0.5
        es.append(words(rng.normal(size=n) + 1.5 * marks))
        truths.append(marks)
    return es, truths


def test_auprc_is_scikit_learns_curve(texts):
    from sklearn.metrics import auc, precision_recall_curve

    es, truths = texts
    coarse = [words(np.round(e.values)) for e in es]  # equal values
    for given in (es, coarse):
        expected = []
        for e, t in zip(given, truths, strict=True):
            precision, recall, _ = precision_recall_curve(t, e.values)
            expected.append(auc(recall, precision))
        np.testing.assert_allclose(sw.metrics.auprc(given, truths), expected, rtol=1e-9)


def test_token_f1_takes_as_many_tokens_as_people_mark_on_average(texts):
    from sklearn.metrics import f1_score

    es, truths = texts
    share = np.mean([t.mean() for t in truths])
    expected = []
    for e, t in zip(es, truths, strict=True):
        taken = np.zeros(len(t), bool)
        taken[np.argsort(-e.values)[:max(1, round(share * len(t)))]] = True
        expected.append(f1_score(t, taken))
    np.testing.assert_allclose(sw.metrics.token_f1(es, truths), expected, rtol=1e-9)
    np.testing.assert_array_equal(sw.metrics.token_f1(es, truths, share=float(share)), sw.metrics.token_f1(es, truths))


def test_iou_f1_is_erasers_rule(texts):
    es, truths = texts
    expected = []
    for e, t in zip(es, truths, strict=True):
        taken = np.zeros(len(t), bool)
        taken[np.argsort(-e.values)[:max(1, round(0.3 * len(t)))]] = True
        expected.append(eraser_f1(runs(taken), runs(t)))
    np.testing.assert_allclose(sw.metrics.iou_f1(es, truths, share=0.3), expected, rtol=1e-9)
    assert 0 < np.mean(expected) < 1


def test_by_hand():
    e = words([0.1, 0.9, 0.8, 0.0, 0.7, 0.2, 0.1, 0.0])
    assert sw.metrics.token_f1(e, [(1, 3), (6, 8)]) == pytest.approx(0.5)  # takes 1, 2, 4, 5; two of four are marked
    assert sw.metrics.iou_f1(e, [(1, 3), (6, 8)]) == pytest.approx(0.5)  # of two runs one matches, of two spans one
    assert sw.metrics.token_f1(e, [0, 1, 1, 0, 0, 0, 0, 0]) == 1
    two = words([1, 1, 0, 1, 1, 0, 0, 0, 0, 0])  # two runs on one marked span of four: neither reaches one half of it
    assert sw.metrics.iou_f1(two, [(0, 5)], share=0.4) == 0
    split = words([1, 0.9, 0, 1, 0, 0, 0, 0, 0, 0])
    assert sw.metrics.iou_f1(split, [(0, 4)], share=0.3) == pytest.approx(2 * 0.5 * 1 / 1.5)


def test_two_runs_on_one_span_find_it_once():
    e = words([1, 1, 0, 1, 1])
    assert sw.metrics.iou_f1(e, [(0, 2), (3, 5)], share=0.8) == 1
    wide = words([1, 1, 1, 1, 0, 0])
    assert sw.metrics.iou_f1(wide, [(0, 2), (2, 4)], share=4 / 6) == pytest.approx(1)  # half of each is enough


def test_perfect_inverted_and_random_maps(texts):
    _, truths = texts
    right, wrong = [words(t * 1.0) for t in truths], [words(~t * 1.0) for t in truths]
    assert (sw.metrics.auprc(right, truths) == 1).all()
    for i in (0, 7, 30):
        assert sw.metrics.token_f1(right[i], truths[i]) == sw.metrics.iou_f1(right[i], truths[i]) == 1
    rng = np.random.default_rng(1)
    noise = [words(rng.normal(size=len(t))) for t in truths]
    base = np.mean([t.mean() for t in truths])
    assert sw.metrics.token_f1(noise, truths).mean() == pytest.approx(base, abs=0.06)
    assert sw.metrics.auprc(noise, truths).mean() == pytest.approx(base, abs=0.1)
    for name in ("auprc", "token_f1"):
        score = getattr(sw.metrics, name)
        assert score(wrong, truths).mean() < score(noise, truths).mean() < score(right, truths).mean()


def test_only_ranks_count_and_constant_maps_have_defined_scores(texts):
    es, truths = texts
    bent = [words(np.exp(e.values)) for e in es]
    for name in ("auprc", "token_f1", "iou_f1"):
        np.testing.assert_array_equal(getattr(sw.metrics, name)(bent, truths), getattr(sw.metrics, name)(es, truths))
    flat = words(np.ones(10))
    assert sw.metrics.auprc(flat, [(2, 5)]) == pytest.approx(0.3)
    assert sw.metrics.token_f1(flat, [(2, 5)]) == sw.metrics.iou_f1(flat, [(2, 5)]) == 0


@pytest.mark.parametrize(("given", "said"), [
    (np.zeros(4, bool), "empty"),
    ([], "empty"),
    (np.array([0, 1, 1]), r"does not fit 4 tokens"),
    (np.array([[2, 5]]), "0 <= start < end <= 4"),
    (np.array([[3, 3]]), "start < end"),
    (np.array([0.2, 1.0, 0.0, 0.0]), "does not fit"),
])
def test_rationales_that_cannot_be_used_are_named(given, said):
    for name in ("auprc", "token_f1", "iou_f1"):
        with pytest.raises(InputError, match=f"explanation 1 .*{said}"):
            getattr(sw.metrics, name)([words([1, 2, 3, 4])] * 2, [[0, 1, 1, 0], given])


def test_what_is_missing_is_named():
    with pytest.raises(MethodError, match="needs human rationales"):
        sw.metrics.token_f1(words([1, 2]))
    image = sw.from_array(np.eye(4), np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match="has no tokens"):
        sw.metrics.auprc(image, [0, 1, 0, 0])
    for wrong in (0, 1.5):
        with pytest.raises(MethodError, match="share="):
            sw.metrics.token_f1(words([1, 2]), [0, 1], share=wrong)
    with pytest.raises(MethodError, match="threshold="):
        sw.metrics.iou_f1(words([1, 2]), [0, 1], threshold=0)


@pytest.mark.real
@pytest.mark.skipif(find_data() is None, reason="no ../shared/data beside the repository")
def test_long_words_are_nearer_to_what_people_highlight_than_short_ones():
    """CoS-E: a map of word lengths beats its inversion and chance; the highlights themselves are best."""
    data = find_data()
    assert data is not None
    es, short, right, truths = [], [], [], []
    for item in json.loads((data / "text" / "cose_rationales.json").read_text(encoding="utf-8")):
        start, end = item["highlight"]
        spans = [m.span() for m in re.finditer(r"\w+", item["question"])]
        marks = np.array([s < end and t > start for s, t in spans])
        if 0 < marks.sum() < len(marks):
            lengths = np.array([t - s for s, t in spans], float)
            truths.append(marks)
            es.append(words(lengths))
            short.append(words(-lengths))
            right.append(words(marks * 1.0))
    assert len(truths) > 80
    for name in ("auprc", "token_f1"):
        score = getattr(sw.metrics, name)
        assert score(short, truths).mean() < score(es, truths).mean() < score(right, truths).mean(), name
    assert (sw.metrics.auprc(right, truths) == 1).all()
