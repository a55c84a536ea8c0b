"""KernelSHAP on superpixels beside Shapley values by their definition, and captum's where it is installed."""

import itertools
import math

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.explainers.kernel_shap import coalitions, solution
from tests.core import nets
from tests.methods.test_regions import _one_thread, blocks, close, explain  # noqa: F401


def exact_shapley(net, x, fill, labels, read):
    """Shapley values by their definition, from the scores of all coalitions."""
    m = int(labels.max()) + 1
    where = torch.from_numpy(labels).long()
    value = {}
    all_of = list(itertools.product([False, True], repeat=m))
    for part in torch.tensor(all_of).split(128):
        with torch.no_grad():
            scores = net(torch.where(part[:, where][:, None], x, fill))
        value.update(zip(map(tuple, part.tolist()), read(scores).double().tolist(), strict=True))
    phi = np.zeros(m)
    for s in all_of:
        for i in range(m):
            if not s[i]:
                w = math.factorial(sum(s)) * math.factorial(m - sum(s) - 1) / math.factorial(m)
                phi[i] += w * (value[(*s[:i], True, *s[i + 1:])] - value[s])
    return phi


QUESTIONS = [sw.why(2), sw.why(2).rather_than(4), sw.why([0, 1], pool="log-odds")]


def ten_regions(n_samples, seed=0, q=QUESTIONS):
    es = explain(nets.images(2), q, "kernel-shap", sw.Model(nets.Functional().eval()), segments=blocks(), baseline=0.5,
                 n_samples=n_samples, seed=seed)
    return es


def truth_of(q):
    net, x, bound = nets.Functional().eval(), nets.images(2)[1], q.bind(5)
    return exact_shapley(net, x, torch.full_like(x, 0.5), blocks(), bound.score)


@pytest.mark.parametrize("k", range(3))
def test_all_coalitions_give_shapley_values(k):
    truth, e = truth_of(QUESTIONS[k]), ten_regions(2**10 - 2)[1, k, 0]
    close(e.regions.scores, truth, 1e-4)
    for r in range(10):
        close(e.values[blocks() == r], truth[r] / 128, 1e-4)
    assert e.completeness < 1e-4


def test_few_coalitions_come_near_them():
    truth = truth_of(QUESTIONS[0])
    error = {n: np.sqrt(np.mean([(ten_regions(n, s, QUESTIONS[:1])[1].regions.scores - truth) ** 2 for s in range(4)]))
             for n in (60, 400)}
    assert error[400] < 0.02 * np.abs(truth).max()
    assert error[400] < error[60] < 0.3 * np.abs(truth).max()


def test_the_sum_is_exact_however_few_the_copies():
    for e in ten_regions(40):
        assert e.completeness < 1e-4
        assert e.regions.scores.sum() == pytest.approx(e.values.sum(), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("regions, n", [(2, 2), (3, 6), (10, 1022), (10, 100), (12, 333), (50, 1000), (50, 100)])
def test_coalitions_are_paired_and_weighted(regions, n):
    shown, w = coalitions(regions, n)
    assert len(shown) <= n
    assert w.sum() == pytest.approx(1)
    rows = {tuple(r): v for r, v in zip(shown.tolist(), w, strict=True)}
    assert len(rows) == len(shown)
    for r, v in rows.items():
        assert rows[tuple(not b for b in r)] == pytest.approx(v)
        assert 0 < sum(r) < regions
    if n == 2**regions - 2:
        kernel = [(regions - 1) / (math.comb(regions, int(k)) * k * (regions - k)) for k in shown.sum(1)]
        close(w, np.array(kernel) / sum(kernel))


def test_sampled_weights_are_the_kernel_s_on_average():
    m, total = 8, np.zeros(9)
    for seed in range(200):
        shown, w = coalitions(m, 40, seed)
        total += np.bincount(shown.sum(1), w, 9) / 200
    kernel = np.array([0, *(1 / (k * (m - k)) for k in range(1, m)), 0])
    np.testing.assert_allclose(total, kernel / kernel.sum(), atol=0.01)


def test_captum_with_the_same_samples():
    attr = pytest.importorskip("captum.attr")
    pytest.importorskip("sklearn")
    shown, w = coalitions(10, 200, 0)
    assert solution(shown, w) is not None

    class Given(attr.KernelShap):
        """Its least squares on our copies and weights; it holds the two ends by a weight of a million."""

        def kernel_shap_perturb_generator(self, original_inp, **kwargs):
            ends = np.array([[1] * 10, [0] * 10])
            yield from torch.from_numpy(np.concatenate([ends, shown])).long()[:, None]

        def kernel_shap_similarity_kernel(self, _, __, sample, **kwargs):
            match = (shown == sample.numpy().astype(bool)).all(1)
            return torch.tensor([float(w[match][0]) if match.any() else self.inf_weight])

    net, x = nets.Functional().eval(), nets.images(2)
    mask = torch.from_numpy(blocks())[None, None].expand(1, 3, -1, -1)
    theirs = Given(net).attribute(x[1:], baselines=0.5, target=2, feature_mask=mask, n_samples=len(shown) + 2)[0, 0]
    e = ten_regions(200)[1, 0, 0]
    for r in range(10):
        close(e.regions.scores[r], float(theirs[torch.from_numpy(blocks() == r)][0]), 2e-3)
