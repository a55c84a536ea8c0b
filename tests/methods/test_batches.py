"""What each input has of its own (baselines, segments, base maps) in batches of any size, and questions that cannot be
put to the network together."""

import numpy as np
import pytest
import torch
from torch import nn

import salwidgets as sw
from salwidgets.errors import MethodError
from salwidgets.explainers import backward, baselines

N, SIZE = 19, 12  # more than the 16 inputs that are prepared at once
QUARTERS = np.kron(np.arange(4).reshape(2, 2), np.ones((SIZE // 2, SIZE // 2), int))


def images() -> torch.Tensor:
    return torch.rand(N, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(4))


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(100, 4)).eval()


def own_labels() -> np.ndarray:
    """A label map for each input: halves, moved on by a column from input to input."""
    return np.stack([np.roll(np.arange(SIZE)[None] // 6 + np.zeros((SIZE, 1), int), n, 1) for n in range(N)])


EACH = {  # method, the parameter that has a row for each input, its rows, and others
    "occlusion": ("baseline", torch.linspace(0, 1, N).reshape(-1, 1, 1, 1), {"window": 6}),
    "rise": ("baseline", torch.linspace(0, 1, N).reshape(-1, 1, 1, 1).expand(-1, 3, SIZE, SIZE), {"n_masks": 8, "grid": 3}),
    "integrated-gradients": ("baseline", torch.linspace(0, 1, N).reshape(-1, 1, 1, 1).numpy(), {"steps": 3}),
    "guided-ig": ("baseline", torch.linspace(0, 1, N).reshape(-1, 1, 1, 1), {"steps": 3}),
    "deeplift": ("baseline", torch.linspace(0, 1, N).reshape(-1, 1, 1, 1), {}),
    "meaningful-perturbation": ("baseline", torch.linspace(0, 1, N).reshape(-1, 1, 1, 1), {"steps": 2, "batch_size": 1}),
    "fido": ("infill", torch.linspace(0, 1, N).reshape(-1, 1, 1, 1), {"steps": 2, "n_samples": 2, "batch_size": 1}),
    "kernel-shap": ("segments", own_labels(), {"n_samples": 8}),
    "regional": ("segments", own_labels(), {"n_samples": 2}),
    "xrai": ("segments", own_labels(), {"base": "saliency"}),
    "xrai ": ("base", torch.rand(N, SIZE, SIZE, generator=torch.Generator().manual_seed(5)), {"segments": QUARTERS}),
}


@pytest.mark.parametrize("name", EACH)
def test_an_input_has_its_own_row_in_any_company(name):
    """The last input of a batch larger than what is prepared at once: its map is that of the input alone with its row."""
    method, (param, rows, params) = name.strip(), EACH[name]
    model, x = sw.Model(net()), images()
    together = sw.explain(model, x, sw.why(1), method=method, progress=False, **{param: rows}, **params)
    for n in (0, 17):
        alone = sw.explain(model, x[n:n + 1], sw.why(1), method=method, progress=False, **{param: rows[n:n + 1]}, **params)
        np.testing.assert_allclose(together[n].values, alone.values, rtol=1e-4, atol=1e-6)
    other = sw.explain(model, x[17:18], sw.why(1), method=method, progress=False, **{param: rows[1:2]}, **params)
    assert np.abs(other.values - together[17].values).max() > 1e-4  # row 1, which a second batch would begin with


@pytest.mark.parametrize("method, param, rows", [("kernel-shap", "segments", own_labels()[:18]),
                                                 ("regional", "segments", own_labels()[:18]),
                                                 ("xrai", "segments", own_labels()[:18]),
                                                 ("xrai", "base", torch.zeros(18, SIZE, SIZE)),
                                                 ("occlusion", "baseline", torch.zeros(18, 1, 1, 1))])
def test_rows_that_are_not_one_for_each_input_are_refused(method, param, rows):
    with pytest.raises(MethodError, match=r"18.*19 inputs|18, 1, 1, 1"):
        sw.explain(sw.Model(net()), images(), sw.why(1), method=method, progress=False, **{param: rows})


def test_prepared_evidence_has_its_rows_too():
    model, x = sw.Model(net()), images()
    evidence = sw.prepare(model, x, "kernel-shap", segments=own_labels(), n_samples=8, progress=False)
    alone = sw.explain(model, x[18:], sw.why(2), "kernel-shap", segments=own_labels()[18], n_samples=8, progress=False)
    np.testing.assert_allclose(evidence.explain(sw.why(2))[18].values, alone.values, rtol=1e-4, atol=1e-6)


class Narrow(nn.Module):
    """A net for which more than three inputs at once are too many."""

    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, x):
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory (not really)")
        return self.net(x)


def test_halved_batches_keep_each_inputs_rows():
    model, narrow, x = sw.Model(net()), sw.Model(Narrow()), images()[:10]
    rows = torch.linspace(0, 1, 10).reshape(-1, 1, 1, 1)
    whole, halved = (sw.explain(m, x, sw.why(1), method="deeplift", baseline=rows, progress=False) for m in (model, narrow))
    assert any("halved" in notice for notice in halved[9].notices)
    for a, b in zip(whole, halved, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-5, atol=1e-7)


def test_a_uniform_baseline_is_the_inputs_own_in_any_company():
    model, x = sw.Model(net()), images()
    many = baselines.make(model, x, "uniform", 3)
    assert torch.equal(many[5:6], baselines.make(model, x[5:6], "uniform", 3))
    low, high = x.amin((1, 2, 3)), x.amax((1, 2, 3))
    assert (many.amin((1, 2, 3)) >= low).all()
    assert (many.amax((1, 2, 3)) <= high).all()


# -- questions that cannot go through the network together ------------------------------------------------------


class NumpyRelu(torch.autograd.Function):
    """A custom operation whose backward leaves torch: torch has no batching rule for it."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp_min(0)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return torch.from_numpy(g.detach().numpy() * (x.numpy() > 0))


class ItemRelu(NumpyRelu):
    """A backward that reads a number out of its gradient."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x > 0) * float(g.abs().max() >= 0)


class Custom(nn.Module):
    """The same net with the world's ReLU, or one of these, between two linear layers."""

    def __init__(self, relu):
        super().__init__()
        torch.manual_seed(2)
        self.relu, self.a, self.b = relu, nn.Conv2d(3, 6, 3), nn.Linear(6, 4)

    def forward(self, x):
        return self.b(self.relu(self.a(x)).mean((2, 3)))


@pytest.mark.parametrize("relu", [NumpyRelu, ItemRelu])
@pytest.mark.parametrize("method, params", [("saliency", {}), ("integrated-gradients", {"steps": 3}),
                                            ("smoothgrad", {"n_samples": 2}), ("grad-cam", {"layer": "a"})])
def test_operations_without_a_batching_rule_are_asked_one_by_one(relu, method, params):
    questions = [sw.why(0), sw.why(1).rather_than(2), sw.why([0, 3], pool="logsumexp")]
    x = images()[:2]
    theirs, ours = (sw.explain(sw.Model(Custom(r).eval()), x, questions, method=method, progress=False, **params)
                    for r in (relu.apply, torch.relu))
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=1e-7)


def test_a_graph_that_is_not_kept_outlives_the_batched_try():
    x = images()[:2].requires_grad_()
    scores = Custom(NumpyRelu.apply)(x)
    weights = torch.eye(4)[:3, None].expand(-1, 2, -1)
    found = backward.gradients(scores, [x], weights, retain=False)[0]
    expected = backward.gradients(Custom(torch.relu)(x), [x], weights)[0]
    assert torch.allclose(found, expected, atol=1e-7)


def test_what_is_no_matter_of_batching_is_not_hidden():
    class Broken(NumpyRelu):
        @staticmethod
        def backward(ctx, g):
            raise RuntimeError("the disk is full")

    x = images()[:2].requires_grad_()
    with pytest.raises(RuntimeError, match="disk is full"):
        backward.gradients(Custom(Broken.apply)(x), [x], torch.eye(4)[:, None].expand(-1, 2, -1))
