"""SmoothGrad and VarGrad around any method: beside a plain loop over the noisy copies."""

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import MethodError
from tests.core import nets

BASES = {"blur-ig": {"steps": 6}, "guided-ig": {"steps": 4}, "deeplift": {"baseline": "mean"}, "guided-backprop": {},
         "deconvnet": {}, "lrp": {"composite": "gamma"}, "gradient-shap": {"n_samples": 3}}
COPIES = 4


def copies(x, level=0.15):
    noise = torch.randn(COPIES, *x.shape[1:], generator=torch.Generator().manual_seed(0))
    sigma = level * (x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True))
    return [x + n * sigma for n in noise]


def explain(x, q, method, **params):
    return sw.explain(sw.Model(nets.plain().eval()), x, q, method=method, progress=False, **params)


@pytest.mark.parametrize("of", BASES)
def test_a_plain_loop_over_the_copies(of):
    x, questions = nets.images(2), [sw.why(1), sw.why(0).rather_than(3)]
    each = [explain(c, questions, of, channels="none", **BASES[of]) for c in copies(x)]
    for method, made in (("smoothgrad", lambda v: v.mean(0).sum(0)), ("vargrad", lambda v: v.var(0).sum(0))):
        found = explain(x, questions, method, of=of, of_params=BASES[of], n_samples=COPIES)
        for i in range(2):
            for k in range(2):
                expected = made(np.stack([es[i, k, 0].values for es in each]).astype(np.float64))
                np.testing.assert_allclose(found[i, k, 0].values, expected, atol=1e-4 * np.abs(expected).max())


def test_of_is_in_the_facts_and_the_answer():
    x = nets.images(1)
    model = sw.Model(nets.plain().eval())
    e = explain(x, sw.why(1), "smoothgrad", of="guided-backprop", n_samples=2)
    assert e.params["of"] == "guided-backprop"
    assert any("recover the image" in notice for notice in e.notices)  # what the base method says of itself
    few = {"n_samples": 2, "of_params": {"steps": 2}}
    with pytest.raises(MethodError, match="not linear"):
        sw.prepare(model, x, "smoothgrad", of="guided-ig", progress=False, **few).basis([0])
    basis = sw.prepare(model, x, "smoothgrad", of="blur-ig", progress=False, **few).basis([0, 1])
    a, b = (explain(x, sw.why(c), "smoothgrad", of="blur-ig", **few).values for c in (0, 1))
    np.testing.assert_allclose(basis.maps[0], np.stack([a, b]), atol=1e-6)


def test_batches_and_rows_of_each_input():
    x = nets.images(3)
    rows = torch.linspace(0, 1, 3).reshape(-1, 1, 1, 1)
    params = {"of": "deeplift", "n_samples": 3}
    many = explain(x, sw.why(2), "smoothgrad", of_params={"baseline": rows}, **params)
    for n in range(3):
        alone = explain(x[n:n + 1], sw.why(2), "smoothgrad", of_params={"baseline": rows[n:n + 1]}, batch_size=1, **params)
        np.testing.assert_allclose(many[n].values, alone.values, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("params, match", [
    ({"of": "grad-cam"}, "no value for every input value"), ({"of": "xrai"}, "no value"), ({"of": "vargrad"}, "no value"),
    ({"of": "saliencyy"}, "saliency"), ({"of": "blur-ig", "of_params": {"channels": "sum"}}, "channels"),
    ({"of": "saliency", "of_params": {"steps": 3}}, "of_params"), ({"of": "blur-ig", "of_params": {"nope": 3}}, "nope")])
def test_bad_input(params, match):
    with pytest.raises(MethodError, match=match):
        explain(nets.images(1), sw.why(1), "smoothgrad", **params)
