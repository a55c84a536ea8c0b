"""XRAI and regional prediction difference beside slow transcriptions, XRAI beside the authors' package where it is
installed, and what holds for every method of regions (KernelSHAP's values: test_kernel_shap.py)."""

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import MethodError
from salwidgets.explainers import segments
from salwidgets.explainers.regional import border_colours
from salwidgets.explainers.segments import Cover
from salwidgets.explainers.xrai import add_regions
from tests.core import nets

# Felzenszwalb takes half a second an image; TestPair and test_odd_images use it.
FEW = {"xrai": {"steps": 4, "segments": "slic"}, "regional": {"n_segments": (4, 9), "n_samples": 3},
       "kernel-shap": {"n_samples": 60, "n_segments": 8}}
METHODS = list(FEW)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def model(**kw):
    return sw.Model(nets.plain().eval(), **kw)


def close(a, b, tolerance=1e-5):
    np.testing.assert_allclose(a, b, atol=tolerance * max(1e-12, np.abs(b).max()))


def explain(x, q, method, m=None, show=False, **params):
    return sw.explain(m or model(), x, q, method=method, progress=show, **{**FEW[method], **params})


def picture(h=64, w=80):
    """A few coloured shapes, with noise."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:h, :w]
    image = np.stack([x / w, y / h, (x + y) / (h + w)], -1) * 0.5
    image[(y - h / 3) ** 2 + (x - w / 3) ** 2 < (h / 5) ** 2] = (0.9, 0.2, 0.1)
    image[h // 2:, w // 2:] = (0.1, 0.6, 0.9)
    return np.clip(image + rng.normal(scale=0.02, size=image.shape), 0, 1)


def rough(h=64, w=80, seed=0):
    """A base map with structure at two scales."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(h // 8, w // 8)).repeat(8, 0).repeat(8, 1) + 0.3 * rng.normal(size=(h, w))


def blocks(h=32, w=40, rows=2, columns=5):
    return (np.arange(h)[:, None] * rows // h) * columns + np.arange(w) * columns // w


# -- XRAI ----------------------------------------------------------------------------------------------------


def plain_xrai(attribution, masks, fast, least=50):
    """The algorithm with whole masks, one at a time: the map, and (pixels, gain) of each region, most gain first."""
    covered, out, found, rest = np.zeros(attribution.shape, bool), np.zeros(attribution.shape), [], list(masks)
    if fast:
        rest.sort(key=lambda m: -attribution[m].mean() if m.any() else np.inf)
    while rest:
        rest = [m for m in rest if (m & ~covered).sum() >= least]
        if not rest:
            break
        best = rest[0] if fast else max(rest, key=lambda m: attribution[m & ~covered].mean())
        fresh = best & ~covered
        out[fresh] = attribution[fresh].mean()
        found.append((fresh, out[fresh][0]))
        covered |= fresh
        rest = [m for m in rest if m is not best]
    found.sort(key=lambda pair: -pair[1])
    if not covered.all():
        out[~covered] = attribution[~covered].mean()
        found.append((~covered, out[~covered][0]))
    return out, found


def some_masks(h=64, w=80, n=90):
    """Overlapping boxes, two alike, one empty, leaving a corner out."""
    rng = np.random.default_rng(1)
    masks = np.zeros((n, h, w), bool)
    for m in masks:
        top, left = rng.integers(0, h - 4), rng.integers(6, w - 4)
        m[top:top + rng.integers(4, 30), left:left + rng.integers(4, 30)] = True
    masks[5], masks[7], masks[:, :30, 60:] = masks[4], False, False
    return masks


@pytest.mark.parametrize("fast", [False, True])
def test_regions_are_added_as_in_a_plain_loop(fast):
    masks, base = some_masks(), rough()
    values, regions = add_regions(Cover.of([np.where(m, 0, -1) for m in masks]), base, fast)
    expected, found = plain_xrai(base, list(masks), fast)
    close(values, expected, 1e-9)
    assert len(regions) == len(found) > 15
    for i, (mask, gain) in enumerate(found):
        assert (regions.mask(i) == mask).all()
        assert regions.scores[i] == pytest.approx(gain, rel=1e-5)


def test_dilated_segments_equal_a_slow_dilation():
    layers = [blocks(30, 37, 4, 20), blocks(30, 37, 2, 3)]  # 86 regions: more than one word
    cover = Cover.of(layers, 5)
    y, x = np.mgrid[:30, :37]
    for s in (0, 21, 63, 64, 79, 82, 85):
        mask = layers[0] == s if s < 80 else layers[1] == s - 80
        near = [((y - a) ** 2 + (x - b) ** 2 <= 25) for a, b in zip(*np.nonzero(mask), strict=True)]
        assert (cover.member.T[s][cover.atoms] == np.any(near, 0)).all()
    assert cover.size.sum() == 30 * 37


class TestPair:
    """The authors' package, on the same segments and base map, and from end to end."""

    @pytest.fixture(autouse=True)
    def _pair(self):
        self.xrai = pytest.importorskip("saliency.core.xrai")

    def params(self, fast, **kw):
        return self.xrai.XRAIParameters(algorithm="fast" if fast else "full", return_xrai_segments=True, **kw)

    def test_segments(self):
        image = picture()
        m = sw.Model(nets.plain(), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
        x = m.preprocess(np.uint8(image * 255))
        theirs = self.xrai._get_segments_felzenszwalb(np.uint8(image * 255) / 255)
        cover = Cover.of(segments.felzenszwalb(segments.images(m, x)[0]), 5)
        assert (cover.member.T[:, cover.atoms] == np.stack([mask for mask in theirs if mask.any()])).all()

    @pytest.mark.parametrize("fast", [False, True])
    def test_same_segments_and_base_map(self, fast):
        masks, base = some_masks(), rough()
        theirs = self.xrai.XRAI().GetMaskWithDetails(picture(), None, segments=list(masks),
                                                     base_attribution=np.repeat(base[..., None], 3, 2),
                                                     extra_parameters=self.params(fast))
        x = torch.from_numpy(picture()).permute(2, 0, 1)[None].float()
        e = explain(x, sw.why(0), "xrai", base=base, segments=masks, fast=fast)
        close(e.values, theirs.attribution_mask)
        assert (e.regions.labels == theirs.segments - 1).all()

    def test_its_own_pipeline(self):
        image = picture().astype(np.float32)
        net = nets.Functional().eval()
        x = torch.from_numpy(image).permute(2, 0, 1)[None]

        def call(batch, call_model_args=None, expected_keys=None):
            leaf = torch.tensor(np.asarray(batch)).permute(0, 3, 1, 2).float().requires_grad_()
            grad = torch.autograd.grad(net(leaf)[:, 2].sum(), leaf)[0]
            return {"INPUT_OUTPUT_GRADIENTS": grad.permute(0, 2, 3, 1).numpy()}

        theirs = self.xrai.XRAI().GetMask(image, call, baselines=[np.zeros_like(image), np.ones_like(image)],
                                          batch_size=50, extra_parameters=self.params(False, steps=100))
        e = explain(x, sw.why(2), "xrai", sw.Model(net), steps=100, segments=None)
        assert np.corrcoef(e.values.ravel(), theirs.ravel())[0, 1] > 0.99


def test_the_base_map_is_integrated_gradients_from_black_and_white():
    m, x = model(mean=[0.4] * 3, std=[0.3] * 3), nets.images(2)
    whole = explain(x, sw.why(1), "xrai", m, segments=np.zeros((32, 40), int))
    ig = [sw.explain(m, x, sw.why(1), method="integrated-gradients", baseline=b, steps=4, channels="none")
          for b in ("black", "white")]
    for i in range(2):
        expected = ((ig[0][i].values + ig[1][i].values) / 2).max(0).mean()
        close(whole[i].values, np.full((32, 40), expected))
        assert len(whole[i].regions) == 1


def test_xrai_reuses_what_earlier_questions_span():
    net, calls = nets.plain().eval(), []
    ev = sw.prepare(sw.Model(net), nets.images(2), "xrai", steps=3, segments="slic", progress=False)
    ev.explain([sw.why(0), sw.why(1)])
    net.register_forward_hook(lambda *a: calls.append(1))
    e = ev.explain(sw.why(0).rather_than(1))
    assert not calls
    close(e[1].values, explain(nets.images(2), sw.why(0).rather_than(1), "xrai", steps=3)[1].values, 1e-4)


@pytest.mark.parametrize("base, params", [("grad-cam", {}), ("saliency", {}), ("occlusion", {"window": 8, "stride": 8})])
def test_xrai_takes_the_maps_of_other_methods(base, params):
    x, layout = nets.images(2), blocks()
    e = explain(x, sw.why(2).rather_than(1), "xrai", base=base, base_params=params, segments=layout)[1]
    inner = sw.explain(model(), x, sw.why(2).rather_than(1), method=base, **params)[1].upsampled()
    for r in range(10):
        close(e.values[layout == r], inner[layout == r].mean(), 1e-4)
    assert np.all(np.diff(e.regions.scores) <= 0)
    plain = sw.Model(lambda x: nets.plain().eval()(x))
    if base == "occlusion":
        assert explain(x[0], sw.why(1), "xrai", plain, base=base, base_params=params).regions is not None


# -- regional ------------------------------------------------------------------------------------------------


def slow_regional(net, x, layers, target, foil, draws, sigmoid):
    """One region, one draw at a time."""
    k = 2 if sigmoid else 5

    def log_odds(p, members):
        mine = 1 - np.prod(1 - p[members]) if sigmoid else p[members].sum()
        m = 1 if sigmoid else len(members)
        corrected = (mine * 100_000 + m) / (100_000 + k)
        return np.log2(corrected / (1 - corrected))

    def p_of(image):
        z = net(image[None].float())[0].double()
        return (torch.sigmoid(z) if sigmoid else torch.softmax(z, 0)).detach().numpy()

    out = np.zeros(x.shape[1:])
    for layer in layers:
        for r in range(layer.max() + 1):
            without = []
            for colour in draws:
                image = x.clone()
                image[:, torch.from_numpy(layer == r)] = colour[:, None]
                without.append(p_of(image))
            mean = np.mean(without, 0)
            value = log_odds(p_of(x), target) - log_odds(mean, target)
            if foil:
                value -= log_odds(p_of(x), foil) - log_odds(mean, foil)
            out[layer == r] += value / len(layers)
    return out


@pytest.mark.parametrize("target, foil", [([2], []), ([0, 3], []), ([1], [4]), ([0, 1], [2, 3])])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_regional_equals_a_slow_one(target, foil, activation):
    net, x = nets.plain().eval(), nets.images(2)
    m = sw.Model(net, activation=activation)
    q = sw.why(target).rather_than(*foil) if foil else sw.why(target)
    e = explain(x, q, "regional", m, seed=4)[1]
    seen = segments.images(m, x)[1]
    draws = border_colours(x, 3, 4)[1]
    layers = [segments.slic(seen, 4), segments.slic(seen, 9)]
    close(e.values, slow_regional(net, x[1], layers, target, foil, draws, activation == "sigmoid"), 1e-4)
    for r in range(len(e.regions)):
        assert e.regions.scores[r] == pytest.approx(e.values[layers[1] == r].mean(), rel=1e-4, abs=1e-6)


def test_draws_have_the_border_s_mean_and_covariance():
    x = nets.images(1)
    x[:, 1] = 0.5 * x[:, 0] + 0.1
    x[:, :, 1:-1, 1:-1] = 7  # what lies inside does not count
    frame = torch.cat([x[0, :, 0], x[0, :, -1], x[0, :, 1:-1, 0], x[0, :, 1:-1, -1]], 1)
    drawn = border_colours(x, 40_000)[0]
    torch.testing.assert_close(drawn.mean(0), frame.mean(1), atol=5e-3, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(frame, correction=0), atol=3e-3, rtol=0)


def test_a_region_the_model_ignores_has_no_weight():
    class Left(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x[..., :20].mean((1, 2, 3)), x[..., :20].square().mean((1, 2, 3))], 1)

    e = explain(nets.images(1), sw.why(0), "regional", sw.Model(Left()), segments=blocks(rows=2, columns=4))
    assert np.abs(e.values[:, 20:]).max() < 1e-12 < np.abs(e.values[:, :20]).max()


def test_regional_refuses_scores_that_are_no_probabilities():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    x = nets.images(2)
    with pytest.raises(MethodError, match="probabilities"):
        explain(x[0], sw.why_match(net(x[1:])), "regional", sw.Model(net))


# -- all of them ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_batch_size_and_company_change_nothing(method):
    x, q = nets.images(3), [sw.why(0), sw.why(1).rather_than(2)]
    a, b = (explain(x, q, method, batch_size=size) for size in (7, 64))
    alone = explain(x[2], q, method)
    for k in range(2):
        close(a[2, k, 0].values, b[2, k, 0].values, 1e-4)
        close(alone[k].values, b[2, k, 0].values, 1e-4)
        assert (alone[k].regions.labels == b[2, k, 0].regions.labels).mean() > 0.99
    if method != "xrai":
        one, other = (explain(x[0], q[0], method, seed=seed, n_samples=40, segments=blocks()).values for seed in (0, 1))
        assert np.abs(one - other).max() > 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("x", [torch.full((1, 3, 32, 40), 0.3), torch.rand(1, 3, 16, 16), torch.rand(1, 1, 24, 18),
                               torch.rand(1, 5, 20, 20)], ids=["constant", "tiny", "grey", "five channels"])
def test_odd_images(method, x):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(x.shape[1], 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
                              torch.nn.Flatten(), torch.nn.Linear(4, 3))
    e = explain(x, sw.why(1), method, sw.Model(net), segments=None)
    assert e.values.shape == tuple(x.shape[-2:])
    assert np.isfinite(e.values).all()
    assert e.regions.labels.shape == e.values.shape
    assert e.regions.labels.min() == 0
    assert np.isfinite(e.regions.scores).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_region_and_the_user_s_regions(method):
    x = nets.images(2)
    one = explain(x, sw.why(1), method, segments=np.zeros((32, 40), np.int64))[0]
    assert np.ptp(one.values) < 1e-6 * np.abs(one.values).max()
    maps = np.stack([blocks(), blocks(rows=4, columns=2)])
    each = explain(x, sw.why(1), method, segments=maps)
    for i in range(2):
        assert [len(e.regions) for e in each] == [10, 8]
        close(each[i].values, explain(x[i], sw.why(1), method, segments=maps[i]).values, 1e-4)
    masks = [maps[1] == r for r in range(8)]
    a, b = (explain(x, sw.why(1), method, segments=s)[1].values for s in (masks, torch.from_numpy(maps[1])))
    close(a, b, 1e-4)
    called = explain(nets.images(20), sw.why(1), method, segments=lambda image: blocks(*image.shape[:2]))
    assert {len(e.regions) for e in called} == {10}
    assert explain(x, sw.why(1), method, segments=masks)[0].params["segments"] == "8 masks"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("params, match", [
    ({"segments": "voronoi"}, "voronoi"), ({"segments": np.zeros((4, 4), int)}, "do not fit"),
    ({"segments": np.zeros((3, 32, 40), int)}, "3 label maps for 2 inputs"), ({"segments": np.zeros((32, 40))}, "float64"),
    ({"segments": np.full((32, 40), -1)}, "no region"), ({"segments": lambda image: "slic"}, "function"),
    ({"segments": [np.zeros((32, 40), bool), np.zeros((3, 3), bool)]}, "one shape"), ({"batch_size": 0}, "batch_size")])
def test_bad_segments_say_what_to_give(method, params, match):
    with pytest.raises(MethodError, match=match):
        explain(nets.images(2), sw.why(0), method, **params)


@pytest.mark.parametrize("method, params, match", [
    ("xrai", {"base": "eigen-cam"}, "signed"), ("xrai", {"base": "xrai"}, "signed"), ("xrai", {"base": 3}, "base=3"),
    ("xrai", {"base": np.zeros((3, 3))}, "does not fit"), ("xrai", {"base": np.full((32, 40), np.nan)}, "NaN"),
    ("xrai", {"rule": "simpson"}, "simpson"), ("xrai", {"baselines": ["grey"]}, "grey"),
    ("kernel-shap", {"n_samples": 9, "segments": blocks()}, "too few"), ("kernel-shap", {"n_segments": 0}, "n_segments"),
    ("kernel-shap", {"segments": np.ones((2, 32, 40), bool)}, "overlap"), ("regional", {"n_segments": ()}, "empty"),
    ("regional", {"n_segments": (5, 0)}, "n_segments"), ("regional", {"laplace": 0}, "laplace")])
def test_bad_parameters_say_what_to_give(method, params, match):
    with pytest.raises(MethodError, match=match):
        explain(nets.images(2), sw.why(0), method, **params)


@pytest.mark.parametrize("method", METHODS)
def test_inputs_that_are_no_images_are_refused(method):
    series = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.Flatten(), torch.nn.Linear(72, 3))
    with pytest.raises(MethodError, match="images"):
        explain(torch.rand(2, 2, 20), sw.why(1), method, sw.Model(series))


@pytest.mark.parametrize("method", METHODS)
def test_progress_ends_at_its_total_and_stops(method):
    seen, net = [], nets.plain().train()
    show = lambda done, total: seen.append((done, total))  # noqa: E731
    sw.explain(sw.Model(net), nets.images(2), sw.why(0), method=method, progress=show, **FEW[method])
    assert seen[-1][0] == seen[-1][1]

    def stop(done, total):
        if done > 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain(nets.images(2), sw.why(0), method, sw.Model(net), batch_size=4, show=stop)
    assert net.training
    assert not any(m._forward_hooks for m in net.modules())


def test_regions_are_saved_with_the_answer(tmp_path):
    e = explain(nets.images(1), sw.why(1), "xrai")
    e.save(tmp_path / "e")
    back = sw.load(tmp_path / "e")
    assert (back.regions.labels == e.regions.labels).all()
