"""Meaningful perturbation and FIDO: against plain slow searches of the same loss, and where the answer is known."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import InputError, MethodError
from salwidgets.explainers import baselines, infill
from salwidgets.explainers.fido import DropRates
from salwidgets.explainers.meaningful_perturbation import Deletion, MeaningfulPerturbation
from tests.core import nets

BOTH = ["meaningful-perturbation", "fido"]
QUICK = {"meaningful-perturbation": {"steps": 12}, "fido": {"steps": 12, "n_samples": 2}}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Spot(nn.Module):
    """Class 0 sees the mean of one corner, class 1 that of another, class 2 is never moved."""

    def __init__(self, gain: float = 12.0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, x):
        corners = x[:, 0, 4:12, 4:12].mean((1, 2)), x[:, 0, 20:28, 24:36].mean((1, 2))
        return self.gain * torch.stack([*corners, torch.full_like(corners[0], 0.2)], 1)


CORNER = np.zeros((32, 40), bool)
CORNER[4:12, 4:12] = True


def noisy(n=2):
    """Pictures whose detail a blur takes away: the mean of a corner falls from 1 towards what lies around it."""
    x = 0.05 * nets.images(n)
    x[:, :, 4:12, 4:12] = 1.0
    x[:, :, 20:28, 24:36] = 1.0
    return x


def sharp():
    """A convolution and a head that weighs every place, sure of itself: masks have something to gain.

    Smooth: at the kinks of ReLU and the ties of max pooling a gradient jumps, and rounding decides which way.
    """
    torch.manual_seed(7)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GELU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4 * 8 * 10, 5))
    with torch.no_grad():
        net[-1].weight *= 12
    return net.eval()


def explain(net, x, q, method, **params):
    return sw.explain(net if isinstance(net, sw.Model) else sw.Model(net), x, q, method=method, progress=False, **params)


# -- what is found -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [
    {"method": "meaningful-perturbation", "baseline": "black"},
    {"method": "meaningful-perturbation", "baseline": "black", "variant": "preservation"},
    {"method": "fido", "infill": "black"}, {"method": "fido", "infill": "black", "objective": "sdr"},
])
def test_the_corner_that_is_seen_is_found(params):
    method = params["method"]
    e = explain(Spot(), noisy(1), sw.why(0), **{**params, "steps": 120, "cell": 4})
    assert e.values.shape == (8, 10)
    assert e.values.min() >= 0 and e.values.max() <= 1
    up = e.upsampled()
    assert up[CORNER].mean() > 0.5  # 0.54 after 1200 steps without jitter: hiding half of a sure answer is enough
    assert up[CORNER].mean() > 2 * up[~CORNER].mean(), method
    other = explain(Spot(), noisy(1), sw.why(1), **{**params, "steps": 120, "cell": 4}).upsampled()
    assert other[CORNER].mean() < 0.5 * up[CORNER].mean()


@pytest.mark.parametrize("method", BOTH)
def test_questions_are_scored_as_published_or_as_asked(method):
    """The score that a mask leaves is the question's own: odds or probability, or what its pool says."""
    net, x = nets.plain().eval(), nets.images(1)
    questions = [sw.why(1), sw.why(1).rather_than(3), sw.why([0, 2]), sw.why([0, 2]).rather_than([1, 3]),
                 sw.why([0, 2], pool="logsumexp"), sw.why(1, pool="probability")]
    for asked in ("question", "published"):
        params = {"score": "question"} if asked == "question" else {}
        es = explain(net, x, questions, method, **{**QUICK[method], **params, "l1": 1e6})  # l1 keeps everything away
        for e in es:
            empty = e.values.max() < 0.02 if method == "meaningful-perturbation" else e.values.max() < 0.5
            assert empty
    for q in questions[:4]:
        e = explain(net, x, q, "meaningful-perturbation", steps=60, l1=1e3)
        assert e.values.max() < 1e-6  # nothing deleted: the score is that of the image itself
        with torch.no_grad():
            odds = sw.why(list(q.target), pool="log-odds")
            odds = odds.rather_than(list(q.foil)) if q.foil else odds
            expected = torch.sigmoid(odds.bind(5).score(net(x)))
        assert e.params["masked_score"] == pytest.approx(float(expected), rel=1e-5)


# -- the loss, searched by hand ------------------------------------------------------------------------------


def slow_meaningful(net, x, below, cls, steps, l1, tv, cells):
    """The loss as printed, by torch's own Adam, one image; the lowest loss of a search from a half mask."""
    m = torch.full((1, 1, *cells), 0.5, requires_grad=True)
    adam = torch.optim.Adam([m], 0.1)

    def loss():
        up = F.interpolate(m, x.shape[-2:], mode="bilinear", align_corners=False)
        p = net(x * up + below * (1 - up)).softmax(1)[0, cls]
        smooth = ((m[:, :, 1:] - m[:, :, :-1]).abs() ** 3).sum() + ((m[..., 1:] - m[..., :-1]).abs() ** 3).sum()
        return p + l1 * (1 - m).abs().sum() + tv * smooth

    for _ in range(steps):
        adam.zero_grad()
        value = loss()
        value.backward()
        adam.step()
        m.data.clamp_(0, 1)
    return float(loss().detach())


def test_meaningful_perturbation_reaches_the_loss_of_a_slow_search_twice_as_long():
    net = Spot().eval().requires_grad_(False)
    x = noisy(2)
    below = baselines.blur(x, 3.0)
    for i in range(2):
        e = explain(net, x[i], sw.why(0), "meaningful-perturbation", jitter=0, sigma=3.0, cell=4, steps=100)
        l1, tv = 1e-4 * 784 / 80, 1e-2 * (80 / 784) ** 0.5
        slow = slow_meaningful(net, x[i:i + 1], below[i:i + 1], 0, 200, l1, tv, (8, 10))
        assert e.params["objective"] <= slow + 0.01 * abs(slow) + 1e-4


@pytest.mark.parametrize("variant, near", [("deletion", 0.01), ("preservation", 0.002)])
def test_at_the_default_jitter_the_search_comes_near_the_loss_of_a_slow_one_without(variant, near):
    """In a third of the default steps. Shaken to its end, a deletion stays 0.06 above it."""
    world = sw.worlds.creatures(n=3, seed=5)
    model = world.model("cnn")
    x = model.preprocess(list(world.images))
    below = baselines.blur(x, 10)
    classes = model.predict(x).logits.argmax(1).tolist()
    steps = 100
    es = sw.explain(model, x, [sw.why(c) for c in classes], paired=True, method="meaningful-perturbation", steps=steps,
                    variant=variant, progress=False)
    l1, tv = 1e-4 * 784 / 256, 1e-2 * (256 / 784) ** 0.5
    slow = slow_together(model.net, x, below, classes, 2 * steps, l1, tv, variant == "deletion")
    found = torch.tensor([e.params["objective"] for e in es])
    assert found.mean() <= slow.mean() + near
    assert (found <= slow + 0.02).all()


def slow_together(net, x, below, classes, steps, l1, tv, deletion):
    """As `slow_meaningful`, many images at once: Adam moves every number by itself, so the sum of losses will do."""
    m = torch.full((len(x), 1, 16, 16), 0.5, requires_grad=True)
    adam = torch.optim.Adam([m], 0.1)

    def loss():
        up = F.interpolate(m, x.shape[-2:], mode="bilinear", align_corners=False)
        p = net(x * up + below * (1 - up)).softmax(1)[range(len(x)), classes]
        smooth = (m.diff(dim=2).abs() ** 3).sum((1, 2, 3)) + (m.diff(dim=3).abs() ** 3).sum((1, 2, 3))
        return (p if deletion else -p) + l1 * ((1 - m) if deletion else m).sum((1, 2, 3)) + tv * smooth

    for _ in range(steps):
        adam.zero_grad()
        loss().sum().backward()
        adam.step()
        m.data.clamp_(0, 1)
    return loss().detach()


def slow_fido(net, x, below, cls, steps, l1, objective, cells, judges, draws):
    """FIDO's loss by torch's own Adam, one image, draws of its own; judged under ``judges`` `[S, 1, rows, columns]`."""
    torch.manual_seed(5)
    theta = torch.zeros(1, 1, *cells, requires_grad=True)
    adam = torch.optim.Adam([theta], 0.2)
    sign = 1 if objective == "sdr" else -1

    def up(cells):
        return F.interpolate(cells, x.shape[-2:], mode="bilinear", align_corners=False)

    def loss(noise):
        keep = up(theta.sigmoid())
        if draws == "cell":
            z = up(((theta + noise) / 0.1).sigmoid())
        else:
            z = ((keep.log() - (1 - keep).log() + noise) / 0.1).sigmoid()
        logits = net(x * z + below * (1 - z))
        rest = [k for k in range(logits.shape[1]) if k != cls]
        odds = logits[:, cls] - logits[:, rest].logsumexp(1)
        return sign * odds.mean() + l1 * (keep if sign < 0 else 1 - keep).sum()

    for _ in range(steps):
        adam.zero_grad()
        loss(torch.logit(torch.rand(4, 1, *judges.shape[-2:]).clamp(1e-6, 1 - 1e-6))).backward()
        adam.step()
    with torch.no_grad():
        return float(loss(judges))


@pytest.mark.parametrize("objective, draws", [("ssr", "cell"), ("sdr", "cell"), ("ssr", "pixel")])
def test_fido_reaches_the_loss_of_a_slow_search_twice_as_long(objective, draws):
    net = sharp().requires_grad_(False)
    x = nets.images(1)
    drawn = (8, 10) if draws == "cell" else (32, 40)
    u = torch.rand(64, 1, *drawn, generator=torch.Generator().manual_seed(3)).clamp(1e-6, 1 - 1e-6)
    below = x.mean((2, 3), keepdim=True).expand(1, 3, 32, 40)
    l1 = 1e-3 * (32 * 40) / (224 * 224)
    e = explain(net, x[0], sw.why(2), "fido", objective=objective, draws=draws, infill="mean", l1=l1)
    assert np.ptp(e.values) > 0.5
    slow = slow_fido(net, x, below, 2, 200, 1e-3, objective, (8, 10), u.logit(), draws)
    assert e.params["objective"] <= slow + 0.02 * abs(slow)


def test_the_same_picture_of_a_mask_costs_the_same_on_every_grid():
    """A smooth mask, drawn on 14, 28 and 56 cells a side: hidden area and roughness are those of the published 28."""
    params = {"l1": 1e-4, "tv": 1e-2, "tv_beta": 3}

    def cost(n, **weights):
        across = (torch.arange(n) + 0.5) / n
        mask = 1 - (torch.sin(torch.pi * across)[:, None] * torch.sin(torch.pi * across)[None]) ** 2
        search = Deletion(params | weights, (8 * n, 8 * n), (n, n), minimise=True)
        return float(search.penalty(mask[None]))

    for weights in ({"tv": 0.0}, {"l1": 0.0}):
        for n in (14, 56):
            assert cost(n, **weights) == pytest.approx(cost(28, **weights), rel=0.03)
    rates = {"l1": 1e-3}
    keep = torch.full((1, 8, 8), 0.3)
    small, large = (float(DropRates(rates, size, (8, 8), False).penalty(keep.logit())) for size in ((32, 32), (224, 224)))
    assert small == pytest.approx(large, rel=1e-4)
    assert large == pytest.approx(1e-3 * 0.3 * 224 * 224, rel=1e-4)


@pytest.mark.parametrize("draws, flat", [("cell", 4), ("pixel", 1)])
def test_fido_draws_cells_unless_told_to_draw_pixels(draws, flat):
    """Cells of equal rate: a drawn cell is one patch, whose centre is a nearly pure 0 or 1; pixels know no neighbour."""
    search = DropRates({"draws": draws, "temperature": 0.1, "seed": 0}, (64, 64), (16, 16), False, samples=8)
    noise, _ = search.draw(torch.Generator().manual_seed(0))
    mask = search.masks(torch.zeros(2, 16, 16), noise)
    assert mask.shape == (8, 2, 64, 64)
    assert torch.equal(mask[:, 0], mask[:, 1])  # chance is shared
    assert float(mask.mean()) == pytest.approx(0.5, abs=0.01)
    m = mask[:, 0] - 0.5
    alike = (m[:, 1:, :] * m[:, :-1, :]).mean() / (m * m).mean()
    assert alike > 0.8 if flat > 1 else abs(alike) < 0.05


def test_the_grid_of_a_small_image_is_not_too_coarse():
    for size, cells in (((64, 64), (16, 16)), ((224, 224), (28, 28)), ((128, 256), (16, 32)), ((32, 40), (16, 20))):
        assert MeaningfulPerturbation().cells(size) == cells
        assert MeaningfulPerturbation(cell=16).cells(size) == (size[0] // 16, -(-size[1] // 16))


# -- one by one, together, and what the search is told ---------------------------------------------------------


@pytest.mark.parametrize("method", BOTH)
def test_batches_change_nothing(method):
    m, x = sw.Model(sharp(), classes=list("abcde")), nets.images(5)
    q = [sw.why(), sw.why("b").rather_than("c")]
    together = explain(m, x, q, method, **QUICK[method])
    for size in (1, 3, 64):
        for a, b in zip(together, explain(m, x, q, method, batch_size=size, **QUICK[method]), strict=True):
            np.testing.assert_allclose(a.values, b.values, atol=1e-4)
            assert a.params["objective"] == pytest.approx(b.params["objective"], abs=1e-4)
    alone = explain(m, x[3], q[1], method, **QUICK[method])
    np.testing.assert_allclose(alone.values, together[3, 1, 0].values, atol=1e-4)


@pytest.mark.parametrize("method", BOTH)
def test_batch_size_one_gives_the_same_digits_in_any_company(method):
    m, x = sw.Model(sharp()), nets.images(2)
    params = {"batch_size": 1, "steps": 60, "cell": 4, "l1": 1e-5}
    a = explain(m, x, sw.why(), method, **params)
    b = explain(m, x[1], sw.why(), method, **params)
    np.testing.assert_array_equal(a[1].values, b.values)
    assert np.ptp(b.values) > 0.1


@pytest.mark.parametrize("method", BOTH)
def test_the_seed_decides(method):
    net, x = sharp(), nets.images(1)
    a, b, c = (explain(net, x, sw.why(1), method, seed=s, **QUICK[method]).values for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_in_fills():
    x, m = nets.images(2), sw.Model(nets.plain())
    assert torch.allclose(infill.make(m, x, "mean", 10, 0).still, x.mean((2, 3), keepdim=True).expand_as(x))
    kept = torch.ones(2, 1, 32, 40)
    kept[:, :, 10:20, 10:20] = 0
    near = infill.make(m, x, "local-mean", 10, 0).paint(x, kept)
    y, left = slice(7, 22), slice(7, 22)  # the window of 15 around (14, 14)
    expected = (x * kept)[0, :, y, left].sum((1, 2)) / kept[0, :, y, left].sum()
    torch.testing.assert_close(near[0, :, 14, 14], expected)
    seen = []

    def generator(images, kept):
        seen.append((tuple(images.shape), tuple(kept.shape), set(kept.unique().tolist())))
        return torch.full_like(images, 0.25)

    by_hand = explain(m, x, sw.why(1), "fido", infill=generator, **QUICK["fido"])
    number = explain(m, x, sw.why(1), "fido", infill=0.25, **QUICK["fido"])
    for a, b in zip(by_hand, number, strict=True):
        np.testing.assert_allclose(a.values, b.values, atol=1e-5)
    assert seen[0] == ((4, 3, 32, 40), (4, 1, 32, 40), {0.0, 1.0})


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nets.plain()

    def forward(self, x):
        return self.net(x).detach()


@pytest.mark.parametrize("method", BOTH)
def test_refusals_say_what_to_do(method):
    x = nets.images(1)
    with pytest.raises(MethodError, match="plain callable"):
        explain(sw.Model(lambda x: x.mean((2, 3))), x, sw.why(0), method)
    with pytest.raises(MethodError, match="without a gradient"):
        explain(Detached(), x, sw.why(0), method)
    with pytest.raises(MethodError, match="masks images"):
        explain(nn.Linear(6, 3), torch.rand(2, 6), sw.why(1), method)
    with pytest.raises(InputError):
        explain(nets.plain(), x * torch.nan, sw.why(1), method)
    for wrong in ({"lr": 0}, {"cell": 0}, {"l1": -1}, {"sigma": "wide"}, {"score": "logit"}, {"steps": 0}):
        with pytest.raises(MethodError, match=next(iter(wrong))):
            explain(nets.plain(), x, sw.why(1), method, **wrong)
    other = {"variant": "both"} if method == "meaningful-perturbation" else {"objective": "both"}
    with pytest.raises(MethodError, match="both"):
        explain(nets.plain(), x, sw.why(1), method, **other)
    fill = "baseline" if method == "meaningful-perturbation" else "infill"
    for wrong, said in (("grey", "local-mean"), (lambda a, b: a[:, :1], "same shape"), (lambda a, b: 3, "a int")):
        with pytest.raises(MethodError, match=said):
            explain(nets.plain(), x, sw.why(1), method, **{fill: wrong})
    evidence = sw.prepare(sw.Model(nets.plain()), x, method)
    with pytest.raises(MethodError, match="not linear"):
        evidence.basis()


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_a_fault_in_the_middle_leaves_nothing_behind(method, error):
    net = nets.Faulty(6, error).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = torch.get_rng_state()
    with pytest.raises(type(error)):
        explain(net, nets.images(2), sw.why(1), method)
    assert net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert not any(m._forward_hooks for m in net.modules())


@pytest.mark.parametrize("method", BOTH)
def test_progress_counts_and_stops_in_the_middle(method):
    seen = []
    sw.explain(sw.Model(nets.plain()), nets.images(2), sw.why(1), method=method, **QUICK[method],
               progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 10
    assert seen[-1][0] == seen[-1][1]

    def stop(done, total):
        if done > 8:
            raise KeyboardInterrupt

    net = nets.plain().train()
    with pytest.raises(KeyboardInterrupt):
        sw.explain(sw.Model(net), nets.images(2), sw.why(1), method=method, progress=stop)
    assert net.training
    assert all(p.grad is None for p in net.parameters())
