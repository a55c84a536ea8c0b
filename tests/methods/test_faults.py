"""A fault in the middle, for every method: a network that raises at its k-th forward or in its backward pass is given back
as it was, with nothing of ours left in torch either."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import MethodError
from tests.core import nets
from tests.methods.small import CELLS, FITTING, INFO, few, network

FUNCTIONS = ("relu", "softmax", "scaled_dot_product_attention", "multi_head_attention_forward", "max_pool2d", "gelu")


class Fault(torch.autograd.Function):
    """Hands scores on, and counts backward passes into the network that holds it."""

    @staticmethod
    def forward(ctx, z, counter):
        ctx.counter = counter
        return z.clone()

    @staticmethod
    def backward(ctx, g):
        ctx.counter.count("backward")
        return g, None


class Faulty(nn.Module):
    """Raises ``error`` at the forward or backward pass of number ``at``; counts in a buffer, in place and anew."""

    def __init__(self, kind, error=None):
        super().__init__()
        self.net, self.error, self.where, self.at = network(kind), error, None, 0
        self.seen = {"forward": 0, "backward": 0}
        self.register_buffer("in_place", torch.zeros(()))
        self.register_buffer("anew", torch.zeros(()))
        if kind == "vit":  # half of it is not to be trained, and one block is already in evaluation mode
            self.net.blocks[0].requires_grad_(False)
            self.net.train().blocks[0].eval()
        else:
            self.net[0].weight.requires_grad_(False)
            self.net.train()[1].eval()

    def count(self, where):
        self.seen[where] += 1
        if where == self.where and self.seen[where] == self.at:
            raise self.error

    def forward(self, x):
        self.in_place += 1
        self.anew = self.anew + 1
        z = self.net(F.dropout(x, 0.1, training=True))
        self.count("forward")
        return Fault.apply(z, self) if z.requires_grad else z


def state(net):
    """All that a method could leave behind in a network and in torch."""
    modules = list(net.modules())
    hooks = [name for m in modules for name, value in vars(m).items() if "hook" in name and value]
    return {
        "modules": [(id(m), type(m)) for m in modules], "modes": [m.training for m in modules], "hooks": hooks,
        "names": [sorted(k for k in vars(m) if k not in ("seen", "at", "where")) for m in modules],
        "parameters": [(name, id(p), p.requires_grad, p.grad, p.tolist()) for name, p in net.named_parameters()],
        "buffers": [(name, id(b), b.tolist()) for name, b in net.named_buffers()],
        "modes of torch": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"),
                           torch.overrides._get_current_function_mode_stack(),
                           torch.utils._python_dispatch._get_current_dispatch_mode_stack(),
                           torch.are_deterministic_algorithms_enabled(), torch.backends.mha.get_fastpath_enabled(),
                           torch.compiler.is_compiling(), torch.get_num_threads()),
        "functions": [id(getattr(F, f)) for f in FUNCTIONS] + [id(nn.Module.__call__), id(torch.Tensor.backward)],
        "random": torch.get_rng_state().tolist()[:64], "random of numpy": copy.deepcopy(np.random.get_state()[1].tolist()),
    }


def same(before, net):
    after = state(net)
    for key, value in before.items():
        assert after[key] == value, f"{key} was not put back"


def asked(net, method):
    q = [sw.why(0), sw.why(1).rather_than(2), sw.why([0, 3], pool="logsumexp")]
    return sw.explain(sw.Model(net), nets.images(2), q, method=method, progress=False, **few(method))


@pytest.mark.parametrize("method, kind", CELLS)
def test_after_success_or_refusal(method, kind):
    net = Faulty(kind)
    before = state(net)
    try:
        asked(net, method)
        assert uses_gradients(method) or not net.seen["backward"]
    except MethodError:
        assert (method, kind) not in FITTING
    same(before, net)

CLOSED = {("grad-cam", "cnn"), ("hires-cam", "cnn"), ("guided-grad-cam", "cnn")}
"""The gradients of a pooled linear head are known without a backward pass."""


def uses_gradients(method):
    return "gradients" in INFO[method].needs


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()], ids=["error", "interrupt"])
@pytest.mark.parametrize("where", ["forward", "backward"])
@pytest.mark.parametrize("method, kind", FITTING)
def test_after_a_fault(method, kind, where, error):
    net = Faulty(kind, error)
    asked(net, method)
    most = net.seen[where]
    if where == "backward" and not most:
        assert not uses_gradients(method) or (method, kind) in CLOSED, "a method that needs gradients made no backward pass"
        pytest.skip("no backward pass runs through the scores")
    before = state(net)
    for at in sorted({1, (most + 1) // 2, most}):  # the first, one in the middle, and the last
        net.where, net.at, net.seen = where, at, {"forward": 0, "backward": 0}
        with pytest.raises(type(error), match="boom" if isinstance(error, RuntimeError) else None):
            asked(net, method)
        assert net.seen[where] == at
        same(before, net)


@pytest.mark.parametrize("method, kind", FITTING)
def test_after_a_fault_in_an_answer(method, kind):
    """Evidence that was prepared well, and whose network fails when it is asked."""
    net = Faulty(kind, RuntimeError("boom"))
    evidence = sw.prepare(sw.Model(net), nets.images(2), method, progress=False, **few(method))
    before, made = state(net), dict(net.seen)
    expected = evidence.explain(sw.why(0))
    for where in ("forward", "backward"):
        if net.seen[where] == made[where]:
            continue
        net.where, net.at, net.seen = where, 1, {"forward": 0, "backward": 0}
        with pytest.raises(RuntimeError, match="boom"):
            evidence.explain(sw.why(3))
        same(before, net)
    net.where = None
    for a, b in zip(evidence.explain(sw.why(0)), expected, strict=True):  # and what it holds is as it was
        np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=1e-6 * np.abs(b.values).max())
