"""Max-sensitivity against captum, stability against networks whose symmetries are known."""

import numpy as np
import pytest
import torch
from torch import nn

import salwidgets as sw
from salwidgets.errors import InputError, MethodError
from salwidgets.metrics import max_sensitivity, stability
from salwidgets.metrics.likeness import spearman


def test_captum_with_the_same_noise(cnn, world):
    from captum.metrics import sensitivity_max

    e = sw.explain(cnn, world.images[2], sw.why(), method="saliency", progress=False)
    x, target = torch.from_numpy(e.input)[None], e.question.bound.target[0]
    radius = 0.05
    noise = 2 * torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 1
    draws = iter(noise * radius * (x.max() - x.min()))

    def gradient(inputs, **kw):
        at = inputs[0] if isinstance(inputs, tuple) else inputs
        with torch.enable_grad():
            at = at.detach().clone().requires_grad_()
            g, = torch.autograd.grad(cnn.net.eval()(at)[:, target].sum(), at)
        return (g.sum(1, keepdim=True),)  # captum takes the rows of a bare tensor for a tuple

    def near(inputs, perturb_radius):
        rows = inputs[0] if isinstance(inputs, tuple) else inputs
        return rows + torch.stack([next(draws) for _ in range(len(rows))])

    theirs = float(sensitivity_max(gradient, x, perturb_func=near, perturb_radius=radius, n_perturb_samples=6))
    assert max_sensitivity(cnn, e, radius=radius, n_samples=6) == pytest.approx(theirs, rel=1e-4)


def test_no_noise_moves_nothing_and_more_noise_moves_more(cnn, maps):
    assert max_sensitivity(cnn, maps, radius=0, n_samples=1) == pytest.approx(np.zeros(12), abs=1e-4)
    low, high = (max_sensitivity(cnn, maps, radius=r, n_samples=3).mean() for r in (0.005, 0.1))
    assert 0 < low < high


def test_a_linear_model_has_one_gradient(world):
    torch.manual_seed(0)
    model = sw.Model(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 12)), classes=world.classes)
    es = sw.explain(model, world.images[:2], sw.why(3), method="saliency", progress=False)
    assert max_sensitivity(model, es, n_samples=2) == pytest.approx(np.zeros(2), abs=1e-6)
    w = model.net[1].weight[3].detach().view(3, 64, 64).sum(0).numpy()
    want = spearman(w, w[:, ::-1])  # the map stays where it is when the image is turned over
    assert stability(model, es, augmentations="flip") == pytest.approx([want, want], abs=1e-5)
    want = spearman(w[:-4, :-4], w[4:, 4:])
    assert stability(model, es, augmentations=["shift"]) == pytest.approx([want, want], abs=1e-5)
    assert stability(model, es, augmentations=["brightness"]) == pytest.approx([1, 1], abs=1e-5)


def test_a_network_without_places_has_a_map_that_moves_with_the_image(world):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    model = sw.Model(net, classes=list("abcde"))
    e = sw.explain(model, world.images[0], sw.why("a"), method="input-x-gradient", progress=False)
    assert stability(model, e, shift=5) == pytest.approx(1, abs=1e-3)


def test_black_is_the_models_black(world):
    """With mean and std, a darker picture is not a smaller tensor."""
    torch.manual_seed(0)
    seen = []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(3 * 64 * 64, 2)

        def forward(self, x):
            seen.append(x.detach())
            return self.fc(x.flatten(1))

    model = sw.Model(Net(), classes=["a", "b"], mean=[0.5] * 3, std=[0.25] * 3)
    pixels = world.images[:1]
    e = sw.explain(model, (pixels - 0.5) / 0.25, sw.why("a"), method="saliency", progress=False)
    seen.clear()
    stability(model, e, augmentations=["brightness"], gain=0.5)
    assert seen[-1][0] * 0.25 + 0.5 == pytest.approx(0.5 * pixels[0], abs=1e-5)


def test_questions_stay_what_they_were(cnn, world):
    """The predicted class is bound: a changed image that the network names otherwise is asked about the same class."""
    e = sw.explain(cnn, world.images[0], sw.why(), method="grad-cam", progress=False)
    named = sw.explain(cnn, world.images[0], sw.why(e.question.target_names[0]), method="grad-cam", progress=False)
    got = [stability(cnn, v, gain=0.05) for v in (e, named)]
    assert got[0] == got[1]


def test_many_questions_share_what_the_method_keeps(cnn, world, kinds):
    es = sw.explain(cnn, world.images[:2], list(kinds.values())[:3], method=["grad-cam", "occlusion"], window=32, stride=32,
                    progress=False)
    together = stability(cnn, es)
    assert together.shape == (12,)
    alone = [stability(cnn, e) for e in es]
    assert together == pytest.approx(alone, abs=1e-5)
    sensitive = max_sensitivity(cnn, es, n_samples=2)
    assert sensitive == pytest.approx([max_sensitivity(cnn, e, n_samples=2) for e in es], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("metric", [max_sensitivity, stability])
def test_what_cannot_be_made_again_is_refused(cnn, world, maps, metric):
    outside = sw.from_array(np.eye(8), world.images[0], "why glimmoth")
    with pytest.raises(MethodError, match=r"explanation 1 .*comes from elsewhere"):
        metric(cnn, [maps[0], outside])
    with pytest.raises(InputError, match="is not the model"):
        metric(world.model("vit"), maps[0])
    labels = (np.arange(64)[:, None] // 32 * 2 + np.arange(64) // 32)
    made = sw.explain(cnn, world.images[0], sw.why(), method="kernel-shap", segments=labels, n_samples=16, progress=False)
    with pytest.raises(MethodError, match="segments"):
        metric(cnn, made)


def test_bad_parameters(cnn, maps):
    for bad in ({"radius": -1}, {"n_samples": 0}):
        with pytest.raises(InputError):
            max_sensitivity(cnn, maps[0], **bad)
    for bad in ({"augmentations": ["rotate"]}, {"augmentations": []}, {"shift": 64}):
        with pytest.raises(InputError):
            stability(cnn, maps[0], **bad)


def test_stopping(cnn, maps):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        max_sensitivity(cnn, maps, progress=stop)
