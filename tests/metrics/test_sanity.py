"""Randomisation, class sensitivity, implementation: against plain transcriptions, and the lessons that are known."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import InputError, MethodError
from salwidgets.metrics import (
    cascading_randomisation,
    class_sensitivity,
    implementation_check,
    independent_randomisation,
    randomise,
    rewritten,
)
from salwidgets.metrics.randomised import layers_with_weights


def state(model):
    net = model.net
    hooks = [len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in net.modules()]
    return ({k: v.clone() for k, v in net.state_dict().items()}, [m.training for m in net.modules()], hooks,
            [p.requires_grad for p in net.parameters()])


def same(a, b):
    return a[1:] == b[1:] and all(torch.equal(v, b[0][k]) for k, v in a[0].items())


# -- randomisation -------------------------------------------------------------------------------------------------


def test_a_gradient_map_changes_with_the_weights_and_guided_backprop_does_not(cnn, world):
    es = sw.explain(cnn, world.images[:3], sw.why(), method=["saliency", "guided-backprop"], progress=False)
    made = randomise(cnn, es, layers=9, progress=False)
    gradient, guided = made.rank_correlation[::2], made.rank_correlation[1::2]
    assert np.abs(gradient.mean(1)).max() < 0.3
    assert np.abs(gradient[:, 4:].mean(0)).max() < 0.15  # a random top alone may happen to ask for the same class
    assert guided[:, :4].mean() > 0.85  # half of the network is random by now
    assert made.ssim[1::2, :4].mean() > 0.85
    assert guided[:, -1].mean() < 0.5  # with the first layers random it changes too
    assert cascading_randomisation(cnn, es, layers=9) == pytest.approx(made.rank_correlation.mean(1))


@pytest.mark.parametrize("order", ["cascading", "independent"])
def test_a_plain_transcription(cnn, world, order):
    """The documented rule, with a copy of the network and scipy and skimage."""
    from scipy.stats import spearmanr
    from skimage.metrics import structural_similarity

    es = list(sw.explain(cnn, world.images[:2], sw.why(), method="saliency", progress=False))
    names = ["fc", "layer3.1.bn2", "layer3.1.conv2"]
    made = randomise(cnn, es, order=order, layers=names, seed=5)
    assert made.layers == tuple(names)
    generator = torch.Generator().manual_seed(5)
    net = copy.deepcopy(cnn.net)
    for k, name in enumerate(names):
        if order == "independent":
            net = copy.deepcopy(cnn.net)
        for p in net.get_submodule(name).parameters(recurse=False):
            if p.ndim > 1:
                p.data = torch.randn(p.shape, generator=generator) * p.data.std() + p.data.mean()
            else:
                p.data = p.data[torch.randperm(len(p), generator=generator)]
        for i, e in enumerate(es):
            x = torch.from_numpy(e.input)[None].requires_grad_()
            g, = torch.autograd.grad(net.eval()(x)[0, e.question.bound.target[0]], x)
            m = g[0].sum(0).numpy()
            assert made.maps[i][k] == pytest.approx(m, rel=1e-3, abs=1e-5 * float(np.abs(m).max()))
            assert made.rank_correlation[i, k] == pytest.approx(spearmanr(e.values.ravel(), m.ravel()).statistic, abs=1e-3)
            a, b = e.values / np.abs(e.values).max(), m / np.abs(m).max()
            assert made.ssim[i, k] == pytest.approx(structural_similarity(a, b, data_range=2), abs=1e-3)


@pytest.mark.parametrize("net", ["cnn", "vit"])
def test_the_network_stays_as_it_was(world, net):
    model = world.model(net)
    model.net.train()
    e = sw.explain(model, world.images[0], sw.why(), progress=False)
    before = state(model)
    randomise(model, e, layers=4)
    independent_randomisation(model, e, layers=3)
    class_sensitivity(model, e)
    implementation_check(model, e)
    assert same(before, state(model))

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        randomise(model, e, progress=stop)
    assert same(before, state(model))


def test_every_layer_once_from_the_scores_down(world):
    for net, first, last in (("cnn", "fc", "stem.0"), ("vit", "head", "")):
        model = world.model(net)
        names = layers_with_weights(model, world.images[:1])
        assert (names[0], names[-1]) == (first, last)
        assert len(set(names)) == len(names)
        held = {n for n, m in model.net.named_modules() if list(m.parameters(recurse=False))}
        assert set(names) == held


def test_independent_layers_are_trained_again_and_cascading_ones_are_not(cnn, world):
    e = sw.explain(cnn, world.images[0], sw.why(), method="saliency", progress=False)
    a, b = (randomise(cnn, e, order=o, layers=["fc", "stem.0"]) for o in ("cascading", "independent"))
    assert a.maps[0][0] == pytest.approx(b.maps[0][0])
    assert not np.allclose(a.maps[0][1], b.maps[0][1])


def test_the_result_prints_and_becomes_a_table(cnn, maps):
    made = randomise(cnn, maps, layers=3)
    assert len(made.layers) == 3 and made.layers[-1] == "stem.0"
    frame = made.to_pandas()
    assert len(frame) == 36
    assert frame.rank_correlation.to_numpy() == pytest.approx(made.rank_correlation.ravel())
    assert "stem.0" in repr(made) and "cascading" in repr(made)
    assert len(made.plot().lines) == 3  # two methods and the zero
    assert randomise(cnn, maps[0], layers=3, seed=0).maps[0] == pytest.approx(made.maps[0], rel=1e-3, abs=1e-6)
    assert not np.allclose(randomise(cnn, maps[0], layers=3, seed=1).maps[0], made.maps[0])
    signless = randomise(cnn, maps[1], layers=["fc"], absolute=True)
    assert signless.rank_correlation[0, 0] != pytest.approx(made.rank_correlation[1, 0], abs=0.05)


def test_what_randomisation_cannot_do(cnn, world, maps):
    scores = sw.Model(lambda x: x.flatten(1)[:, :12], classes=world.classes)
    of_scores = sw.explain(scores, world.images[0], sw.why(), method="occlusion", window=32, stride=32)
    with pytest.raises(MethodError, match="plain callable"):
        randomise(scores, of_scores)
    with pytest.raises(InputError, match="layer3"):
        randomise(cnn, maps[0], layers=["layer3.1.conv9"])
    with pytest.raises(InputError, match="order"):
        randomise(cnn, maps[0], order="sideways")
    with pytest.raises(InputError, match="at least 1"):
        randomise(cnn, maps[0], layers=0)
    with pytest.raises(MethodError, match="comes from elsewhere"):
        cascading_randomisation(cnn, sw.from_array(np.eye(8), world.images[0]))


# -- class sensitivity ---------------------------------------------------------------------------------------------


def test_class_sensitivity_in_plain_words(cnn, world, maps):
    got = class_sensitivity(cnn, maps)
    for i, x in enumerate(world.images):
        z = cnn.logits(x[None])[0]
        for k, method in enumerate(("grad-cam", "saliency")):
            top, bottom = (sw.explain(cnn, x, sw.why(int(c)), method=method, progress=False).values.ravel()
                           for c in (z.argmax(), z.argmin()))
            assert got[2 * i + k] == pytest.approx(np.corrcoef(top, bottom)[0, 1], abs=1e-4)


def test_class_sensitivity_of_known_cases(cnn, world):
    blind = sw.explain(cnn, world.images[:2], sw.why(), method="eigen-cam", progress=False)
    assert class_sensitivity(cnn, blind) == pytest.approx([1, 1])
    torch.manual_seed(0)
    head = nn.Linear(3 * 64 * 64, 1)

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = head

        def forward(self, x):
            z = self.head(x.flatten(1))
            return torch.cat([z, -z], 1)

    model = sw.Model(Two(), classes=["a", "b"])
    assert class_sensitivity(model, sw.explain(model, world.images[0], sw.why(), method="saliency")) == pytest.approx(-1)


# -- implementation ------------------------------------------------------------------------------------------------


def test_methods_that_know_relu_notice_a_relu_in_disguise(cnn, world):
    es = sw.explain(cnn, world.images[:2], sw.why(), method=["saliency", "grad-cam", "guided-backprop", "deeplift"],
                    progress=False)
    functional = implementation_check(cnn, es).reshape(2, 4)
    disguised = implementation_check(cnn, es, how="where").reshape(2, 4)
    assert functional == pytest.approx(np.zeros((2, 4)), abs=1e-4)
    assert disguised[:, :2] == pytest.approx(np.zeros((2, 2)), abs=1e-4)
    assert disguised[:, 2:].min() > 0.3


def test_the_other_writing_is_the_same_function(cnn, world):
    for how in ("functional", "where"):
        other = rewritten(cnn, how)
        assert not any(isinstance(m, nn.ReLU) for m in other.net.modules())
        assert torch.equal(other.logits(world.images), cnn.logits(world.images))
    assert any(isinstance(m, nn.ReLU) for m in cnn.net.modules())


def test_implementation_checks_that_cannot_be_made(world, cnn, maps):
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 5, 4), nn.Linear(4, 12)

        def forward(self, x):
            return self.fc(F.relu(self.conv(x)).mean((2, 3)))

    model = sw.Model(Functional(), classes=world.classes)
    e = sw.explain(model, world.images[0], sw.why(), method="saliency", progress=False)
    with pytest.raises(MethodError, match="no activation modules"):
        implementation_check(model, e)
    vit = world.model("vit")
    with pytest.raises(MethodError, match="no ReLU"):
        implementation_check(vit, sw.explain(vit, world.images[0], sw.why(), progress=False), how="where")
    with pytest.raises(InputError, match="functional"):
        implementation_check(cnn, maps[0], how="otherwise")

    class Odd(nn.Module):
        """A ReLU with a hook that halves it: called as a function it is another network."""

        def __init__(self):
            super().__init__()
            self.relu, self.fc = nn.ReLU(), nn.Linear(3 * 64 * 64, 12)
            self.relu.register_forward_hook(lambda m, a, y: y / 2)

        def forward(self, x):
            return self.fc(self.relu(x.flatten(1)))

    odd = sw.Model(Odd(), classes=world.classes)
    with pytest.raises(MethodError, match="other scores"):
        implementation_check(odd, sw.explain(odd, world.images[0], sw.why(), method="saliency", progress=False))
