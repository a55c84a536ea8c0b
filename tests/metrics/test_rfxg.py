"""RFxG scores: against the formulas written out in loops, and cases known by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.metrics import Runs


def slow(model, e, target, foil, fill=0.0):
    """p at the image, and p at a = 0.1 … 0.9, in plain loops: (dict class -> float, dict class -> list)."""
    x = torch.from_numpy(e.input)
    flat = e.upsampled().ravel()
    ranking = np.argsort(-flat, kind="stable")
    rows = [x]
    for tenth in range(1, 10):
        shown = x.clone().flatten(1)
        top = ranking[:tenth * flat.size // 10]
        shown[:, top] = torch.as_tensor(fill, dtype=torch.float32).expand_as(x).flatten(1)[:, top]
        rows.append(shown.view_as(x))
    p = torch.softmax(model.logits(torch.stack(rows)), 1).double().numpy()
    return p[0], p[1:]


def auc(y):
    return sum(0.1 * (a + b) / 2 for a, b in itertools.pairwise(y))


@pytest.mark.parametrize("kind, metric", [("class", "pgs"), ("group", "pgs"), ("contrast", "ccs"), ("in group", "cgc"),
                                          ("groups", "cgs")])
@pytest.mark.parametrize("variant", ["default", "reference"])
def test_each_is_its_formula(cnn, world, kinds, kind, metric, variant):
    e = sw.explain(cnn, world.images[0], kinds[kind], method="grad-cam", progress=False)
    a, b = list(e.question.bound.target), list(e.question.bound.foil)
    p, path = slow(cnn, e, a, b)
    drop = p - path
    own = {
        "pgs": lambda: [np.mean([d[k] for k in a]) for d in drop],
        "ccs": lambda: [d[a[0]] - d[b[0]] for d in drop],
        "cgc": lambda: [0.5 * (d[a[0]] - np.mean([d[k] for k in b])) for d in drop],
        "cgs": lambda: [0.5 * (np.mean([d[k] for k in a]) - np.mean([d[k] for k in b])) for d in drop],
    }
    released = {
        "pgs": own["pgs"],
        "ccs": lambda: [q[a[0]] - q[b[0]] for q in path],
        "cgc": lambda: [0.5 * (np.mean([-d[k] for k in [*a, *b]]) - d[a[0]]) for d in drop],
        "cgs": lambda: [0.5 * (np.mean([-d[k] for k in a]) + np.mean([-d[k] for k in b])) for d in drop],
    }
    y = (own if variant == "default" else released)[metric]()
    found = getattr(sw.metrics, metric).curves(cnn, e, variant=variant)
    np.testing.assert_allclose(found.x, np.arange(1, 10) / 10)
    np.testing.assert_allclose(found.y[0], y, atol=1e-6)
    assert getattr(sw.metrics, metric)(cnn, e, variant=variant) == pytest.approx(auc(y), abs=1e-6)


def test_a_class_without_a_foil_is_compared_with_its_family(cnn, world, kinds):
    asked = sw.explain(cnn, world.images[0], kinds["in group"], method="grad-cam", progress=False)
    assert sw.metrics.cgc(cnn, asked, question=kinds["class"]) == pytest.approx(sw.metrics.cgc(cnn, asked))
    bare = sw.Model(cnn.module, classes=world.classes)
    with pytest.raises(sw.errors.QuestionError, match="rest of its group"):
        sw.metrics.cgc(bare, asked, question=kinds["class"])


def test_the_released_contrast_and_ours_add_up(cnn, world, kinds):
    e = sw.explain(cnn, world.images[0], kinds["contrast"], method="grad-cam", progress=False)
    p = cnn.predict(world.images[0]).probabilities[0]
    a, b = e.question.bound.target[0], e.question.bound.foil[0]
    total = sw.metrics.ccs(cnn, e) + sw.metrics.ccs(cnn, e, variant="reference")
    assert total == pytest.approx(0.8 * (p[a] - p[b]), abs=1e-6)


def test_a_map_that_removes_the_answer_scores_its_whole_probability():
    """All evidence sits in the top tenth: p falls from 1 to 1/3 at once, D = 2/3 over a width of 0.8."""
    def one_row(x):
        on = (x[:, 0, 0] > 0).float().mean(1) * 50
        return torch.stack([on, torch.zeros(len(x)), torch.zeros(len(x))], 1)

    model = sw.Model(one_row, classes=["a", "b", "c"])
    values = np.zeros((10, 10))
    values[0] = 1
    e = sw.from_array(values, np.full((10, 10, 3), 255, np.uint8), sw.why("a"))
    assert sw.metrics.pgs(model, e) == pytest.approx(0.8 * 2 / 3, abs=1e-6)
    assert sw.metrics.ccs(model, e, question=sw.why("a").rather_than("b")) == pytest.approx(0.8 * (2 / 3 + 1 / 3), abs=1e-6)
    assert sw.metrics.cgs(model, e, question=sw.why(["a", "b"]).rather_than("c")) == pytest.approx(
        0.8 * 0.5 * ((2 / 3 - 1 / 3) / 2 + 1 / 3), abs=1e-6)
    worst = sw.from_array(-values, e.image, sw.why("a"))  # the evidence goes last: nothing is lost until then
    assert sw.metrics.pgs(model, worst) == pytest.approx(0, abs=1e-6)


def test_fills_and_shared_passes(cnn, world, kinds):
    e = sw.explain(cnn, world.images[0], kinds["groups"], method="grad-cam", progress=False)
    runs = Runs(cnn)
    scores = {fill: sw.metrics.cgs(cnn, e, fill=fill, runs=runs) for fill in ("black", "blur", "noise")}
    assert len(set(scores.values())) == 3 and runs.passes == 1 + 3 * 9
    sw.metrics.pgs(cnn, e, question=kinds["group"], runs=runs), sw.metrics.ccs(cnn, e, question=kinds["contrast"], runs=runs)
    sw.metrics.deletion(cnn, e, steps=10, runs=runs)
    assert runs.passes == 1 + 3 * 9 + 1  # deletion adds the image with nothing left


def test_each_says_which_questions_it_is_about(cnn, world, kinds):
    def ask(kind):
        return sw.explain(cnn, world.images[0], kinds[kind], method="grad-cam", progress=False)

    for metric, wrong in (("pgs", "contrast"), ("ccs", "group"), ("cgc", "contrast"), ("cgs", "class")):
        with pytest.raises(sw.errors.MethodError, match=f"{metric} is about .* explanation 0 answers"):
            getattr(sw.metrics, metric)(cnn, ask(wrong))
    with pytest.raises(sw.errors.MethodError, match="default, reference"):
        sw.metrics.pgs(cnn, ask("class"), variant="paper")


def test_sigmoid_heads_use_sigmoids(world):
    net = world.model("cnn").module
    model = sw.Model(net, classes=world.classes, taxonomy=world.taxonomy, activation="sigmoid")
    e = sw.explain(model, world.images[0], sw.why(world.labels[0]), method="grad-cam", progress=False)
    z = Runs(model).curve([e], np.arange(10) / 10)[0, :, e.question.bound.target[0]].double()
    p = torch.sigmoid(z).numpy()
    assert sw.metrics.pgs(model, e) == pytest.approx(auc(p[0] - p[1:]), abs=1e-6)
