"""Importance of concepts beside direct computations on the head, and Sobol indices beside an analytic function."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import salwidgets as sw
from salwidgets.concepts.concept_heads import ConceptHead, closed_form
from salwidgets.concepts.importance import METHODS, STEPS, importances
from salwidgets.concepts.sobol import jansen, sobol_affine, sobol_masks
from salwidgets.explainers.base import bind_columns


class Net(nn.Module):
    """Features, then one of three kinds of head: "affine" (pool, linear), "squeezed" (1x1, relu, pool) or "deep"."""

    def __init__(self, head: str):
        super().__init__()
        torch.manual_seed(3)
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU())
        self.kind = head
        self.pool = nn.AdaptiveAvgPool2d(1)
        if head == "affine":
            self.fc: nn.Module = nn.Linear(6, 4)
        elif head == "squeezed":
            self.fc = nn.Sequential(nn.Conv2d(6, 4, 1), nn.ReLU(inplace=True))
        else:
            self.fc = nn.Sequential(nn.Conv2d(6, 8, 3, 1, 1), nn.GELU(), nn.Flatten(), nn.Linear(8 * 36, 4))

    def forward(self, x: Tensor) -> Tensor:
        a = self.features(x)
        if self.kind == "affine":
            return self.fc(self.pool(a).flatten(1))
        return self.pool(self.fc(a)).flatten(1) if self.kind == "squeezed" else self.fc(a)

    def tail(self, a: Tensor) -> Tensor:
        """Logits of features: the head by itself."""
        if self.kind == "affine":
            return self.fc(a.mean((-2, -1)))
        return self.fc(a).mean((-2, -1)) if self.kind == "squeezed" else self.fc(a)


class Setting:
    """A head with four concepts on five images, and the question's score of coefficients computed by hand."""

    def __init__(self, kind: str, question: sw.Question, closed: bool = True, offset: bool = False):
        self.net = Net(kind).eval()
        self.model = sw.Model(self.net, layer="features")
        generator = torch.Generator().manual_seed(1)
        self.x = torch.rand(5, 3, 12, 12, generator=generator)
        self.u = torch.rand(5, 4, 6, 6, generator=generator)
        self.w = torch.rand(4, 6, generator=generator)
        self.offset = torch.rand(6, generator=generator) if offset else None
        logits = self.model.logits(self.x)
        self.columns = bind_columns(self.model, logits, [question], False)
        layer = self.model.feature_layer(self.x)
        with self.model.session():
            form = closed_form(self.model, layer, self.x) if closed else None
        self.head = ConceptHead(self.model, layer, form, self.w, self.offset, 7, nonnegative=True)

    def score(self, u: Tensor) -> Tensor:
        """The question's scores `[n]` of coefficients, through the head itself."""
        a = torch.einsum("nkhw,kc->nchw", u, self.w)
        a = a if self.offset is None else a + self.offset[:, None, None]
        z = self.net.tail(a)
        return torch.stack([q.score(row) for q, row in zip(self.columns[0], z, strict=True)])

    def found(self, method: str, exact: bool = True) -> np.ndarray:
        with self.model.session():
            return importances(self.head, self.x, self.u, self.columns, method, exact).numpy()

    def direct(self, method: str) -> np.ndarray:
        """The definitions, one concept and one mask at a time."""
        if method == "occlusion":
            with torch.no_grad():
                out = []
                for k in range(4):
                    without = self.u.clone()
                    without[:, k] = 0
                    out.append(self.score(self.u) - self.score(without))
                return torch.stack(out, 1).numpy()
        if method == "sobol":
            with torch.no_grad():
                s = torch.stack([self.score(self.u * torch.from_numpy(m)[None, :, None, None]) for m in sobol_masks(4)], 1)
            a, rest = s[:, :32], s[:, 32:].reshape(5, 4, 32)
            return ((rest - a[:, None]) ** 2).mean(-1).div(2 * a.var(-1, keepdim=True)).numpy()
        path = method == "integrated-gradients"
        nodes, weights = np.polynomial.legendre.leggauss(STEPS) if path else (np.ones(1), np.full(1, 2.0))
        total = torch.zeros(5, 4)
        for t, v in zip(nodes, weights, strict=True):
            at = (self.u * float((t + 1) / 2)).requires_grad_()
            g = torch.autograd.grad(self.score(at).sum(), at)[0]
            total += float(v) / 2 * (g * self.u).sum((-2, -1))
        return total.numpy()


CONTRAST = sw.why(1).rather_than(2)


@pytest.mark.parametrize("kind", ["affine", "squeezed", "deep"])
@pytest.mark.parametrize("method", METHODS)
def test_every_importance_is_its_definition_on_the_head(kind: str, method: str) -> None:
    for question in (CONTRAST, sw.why(), sw.why([0, 3], pool="log-odds")):
        s = Setting(kind, question)
        want = s.direct(method)
        np.testing.assert_allclose(s.found(method, exact=False), want, rtol=2e-3, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("method", METHODS)
def test_the_exact_shortcut_of_an_affine_head_is_no_other_answer(method: str) -> None:
    s = Setting("affine", CONTRAST)
    assert s.head.affine
    exact, general = s.found(method), s.found(method, exact=False)
    # 32 designs estimate Sobol indices; the shortcut has them exactly.
    np.testing.assert_allclose(exact, general, rtol=0, atol=0.2 if method == "sobol" else 1e-5)
    if method == "sobol":
        np.testing.assert_allclose(exact.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", ["squeezed", "deep"])
def test_closed_heads_are_the_network(kind: str) -> None:
    closed, run = Setting(kind, CONTRAST), Setting(kind, CONTRAST, closed=False)
    assert (closed.head.closed is not None) == (kind == "squeezed") and run.head.closed is None
    for method in METHODS:
        np.testing.assert_allclose(closed.found(method), run.found(method), rtol=1e-3, atol=1e-5)
    assert run.head._way == "many"


def test_additive_importances_add_up_to_the_score_above_no_concept() -> None:
    for kind, method in itertools.product(("affine", "squeezed", "deep"), ("integrated-gradients",)):
        s = Setting(kind, CONTRAST)
        with torch.no_grad():
            want = s.score(s.u) - s.score(s.u * 0)
        np.testing.assert_allclose(s.found(method).sum(1), want.numpy(), atol=2e-4)
    s = Setting("affine", CONTRAST)
    with torch.no_grad():
        want = s.score(s.u) - s.score(s.u * 0)
    for method in METHODS[1:]:
        np.testing.assert_allclose(s.found(method).sum(1), want.numpy(), atol=1e-5)


def test_an_offset_belongs_to_the_score_and_to_no_concept() -> None:
    s = Setting("affine", CONTRAST, offset=True)
    with s.model.session():
        total = s.head.scores(s.x, s.u, torch.ones(1, 4), s.columns)[:, 0]
    with torch.no_grad():
        np.testing.assert_allclose(total.numpy(), s.score(s.u).numpy(), atol=1e-5)
    np.testing.assert_allclose(s.found("occlusion"), s.direct("occlusion"), atol=1e-5)


@pytest.mark.parametrize("remembers", [True, False])
def test_a_token_network_keeps_its_class_token_and_runs_on_from_the_layer(remembers: bool) -> None:
    world = sw.worlds.creatures(n=3)
    model = world.model("vit")
    if not remembers:  # the net as it is lays all tokens out again, for as many images as came in
        net = model.net
        net.forward = lambda x: net.head(net.forward_features(x)[:, 0])
    layer = model.feature_layer(world.images)
    u, w = torch.rand(3, 4, 8, 8), torch.randn(4, 96)
    logits = model.logits(world.images)
    columns = bind_columns(model, logits, [sw.why("glimmoth")], False)
    head = ConceptHead(model, layer, None, w, None, 16)
    masks = torch.tensor([[1.0, 1, 1, 1], [0, 1, 0, 0.5]])
    with model.session():
        found = head.scores(world.images, u, masks, columns)
    # The residual stream beside the layer still has as many images as went in: only one of them can be many.
    assert head._way == ("full" if remembers else "one")
    with model.session(), torch.no_grad():
        for m, mask in enumerate(masks):
            cells = torch.einsum("nkhw,k,kc->nhwc", u, mask, w).flatten(1, 2)

            def put(t: Tensor, cells: Tensor = cells) -> Tensor:
                return torch.cat([t[:, :5], cells], 1)

            with model.replaced({layer.name: put}):
                want = model.forward(world.images)[:, model.classes.lookup("glimmoth")]
            np.testing.assert_allclose(found[:, m].numpy(), want.numpy(), rtol=1e-4, atol=1e-4)


def test_a_network_that_remembers_its_batch_is_run_copy_by_copy() -> None:
    class Remembers(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.tail(self.features(x)).reshape(len(x), -1)[:, :4]

    s = Setting("deep", CONTRAST)
    s.net.__class__ = Remembers
    s.head.closed = None
    np.testing.assert_allclose(s.found("occlusion"), s.direct("occlusion"), rtol=1e-3, atol=1e-5)
    assert s.head._way == "full"


def test_total_sobol_indices_of_the_g_function() -> None:
    # Saltelli's g-function: prod (|4 x - 2| + a) / (1 + a); V_i = 1 / (3 (1 + a_i)^2), ST_i known in closed form.
    a = np.array([0.0, 1.0, 4.5, 9.0])
    v = 1 / (3 * (1 + a) ** 2)
    total = v * np.array([np.prod(np.delete(1 + v, i)) for i in range(4)]) / (np.prod(1 + v) - 1)
    masks = sobol_masks(4, 4096)
    f = np.prod((np.abs(4 * masks - 2) + a) / (1 + a), 1)
    np.testing.assert_allclose(jansen(torch.from_numpy(f)[None], 4).numpy()[0], total, atol=0.02)


def test_sobol_of_nothing_is_nothing_and_of_one_concept_all() -> None:
    assert jansen(torch.full((2, 32 * 4), 7.0), 3).eq(0).all()
    assert sobol_affine(torch.zeros(1, 3)).eq(0).all()
    np.testing.assert_allclose(sobol_affine(torch.tensor([[3.0, -4.0]])).numpy(), [[9 / 25, 16 / 25]])
    s = sobol_masks(3)
    assert s.shape == (32 * 4, 3) and s.min() >= 0 and s.max() < 1 and (s[:32, 1:] == s[32:64, 1:]).all()
