"""The CAM family: every member against a slow transcription of its formula, and what the registry says of it."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import MethodError
from salwidgets.explainers.cam_cluster import NOISE, STRONG, cluster
from tests.core import nets

NAMES = list("abcde")
TREE = sw.Taxonomy.from_nested({"vowel": ["a", "e"], "consonant": ["b", "c", "d"]})
FAMILY = [m for m in sw.methods() if m.family == "cam"]
TEN = ["grad-cam", "grad-cam++", "xgrad-cam", "hires-cam", "layer-cam", "eigen-cam", "eigen-grad-cam",
       "threshold-grad-cam", "normgrad", "finer-cam"]


class Squeeze(torch.nn.Module):
    """A 1x1 convolution to class maps, relu in place, mean: SqueezeNet's head."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.features = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, stride=4), torch.nn.ReLU())
        self.classifier = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Conv2d(6, 5, 1), torch.nn.ReLU(inplace=True),
                                              torch.nn.AdaptiveAvgPool2d(1))
        torch.nn.init.constant_(self.classifier[1].bias, 0.1)  # so that no class map is zero everywhere

    def forward(self, x):
        return self.classifier(self.features(x)).flatten(1)


class Deep(torch.nn.Module):
    """A head with a hidden layer over the cells, so that gradients differ from cell to cell and change with the input."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(8)
        self.features = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, stride=4), torch.nn.ReLU())
        self.hidden, self.last = torch.nn.Linear(6 * 8 * 10, 12), torch.nn.Linear(12, 5)

    def forward(self, x):
        return self.last(torch.tanh(self.hidden(self.features(x).flatten(1))))


def features_and_gradients(net, x, weights):
    """A `[C, h, w]` and d (weights . logits) / d A of one input, by a hook and plain autograd."""
    kept = []

    def hook(module, args, output):
        kept.append(output)

    handle = net.features.register_forward_hook(hook)
    score = net(x)[0] @ weights
    handle.remove()
    return kept[0][0].detach(), torch.autograd.grad(score, kept[0])[0][0]


def weights_of(*pairs):
    w = torch.zeros(5)
    for k, v in pairs:
        w[k] = v
    return w


QUESTIONS = {"class": (sw.why("b"), weights_of((1, 1.0))),
             "contrast": (sw.why("b").rather_than("e"), weights_of((1, 1.0), (4, -1.0))),
             "group": (sw.why("vowel"), weights_of((0, 0.5), (4, 0.5)))}


def grad_cam_pp(a, g):
    out = torch.zeros(a.shape[1:])
    for ak, gk in zip(a, g, strict=True):
        w = 0.0
        for v in gk.flatten():
            w = w + max(float(v), 0.0) * float(v) ** 2 / (2 * float(v) ** 2 + float(ak.sum()) * float(v) ** 3 + 1e-6)
        out = out + w * ak
    return out


def first_direction(m):
    x = m.flatten(1).T
    x = x - x.mean(0)
    return (x @ torch.linalg.svd(x, full_matrices=False)[2][0]).reshape(m.shape[1:])


def eigen_cam(a, g):
    flat = first_direction(a)
    return flat if flat.max() >= -flat.min() else -flat


def eigen_grad_cam(a, g):
    flat, hires = first_direction(a * g), (a * g).sum(0)
    return flat if np.corrcoef(flat.ravel(), hires.ravel())[0, 1] > 0 else -flat


def threshold_grad_cam(a, g):
    m = torch.stack([F.relu(gk.mean() * ak) for ak, gk in zip(a, g, strict=True)]).mean(0)
    m = (m - m.min()) / (m.max() - m.min())
    return torch.where(m < 0.3, 0.0, m)


def cf_cam(a, g):
    labels = cluster(a)
    w = torch.full((len(a),), -torch.inf)
    for k, label in enumerate(labels.tolist()):
        if label == STRONG:
            w[k] = g[k].mean()
        elif label != NOISE:
            together = g[labels == label].mean(0)
            reach = torch.exp(-0.5 * torch.arange(-3, 4.0) ** 2)
            kernel = torch.outer(reach, reach) / reach.sum() ** 2
            w[k] = F.conv2d(F.pad(together[None, None], (3, 3, 3, 3), mode="reflect"), kernel[None, None]).mean()
    w = torch.exp(w) / torch.exp(w).sum()
    return sum(wk * ak for wk, ak in zip(w, a, strict=True))


FORMULAS = {
    "grad-cam++": grad_cam_pp,
    "xgrad-cam": lambda a, g: sum((gk * ak).sum() / (ak.sum() + 1e-7) * ak for ak, gk in zip(a, g, strict=True)),
    "layer-cam": lambda a, g: sum(F.relu(gk) * ak for ak, gk in zip(a, g, strict=True)),
    "eigen-cam": eigen_cam,
    "eigen-grad-cam": eigen_grad_cam,
    "threshold-grad-cam": threshold_grad_cam,
    "normgrad": lambda a, g: (a**2).sum(0).sqrt() * (g**2).sum(0).sqrt(),
    "cf-cam": cf_cam,
}


def close(a, b, tolerance=1e-4):
    b = np.asarray(b)
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1e-12, float(np.abs(b).max())))


def model(net):
    return sw.Model(net.eval(), classes=NAMES, taxonomy=TREE)


@pytest.mark.parametrize("net", [Squeeze, Deep])
@pytest.mark.parametrize("asked", QUESTIONS)
@pytest.mark.parametrize("method", FORMULAS)
def test_gradient_cams_equal_their_formula(method, asked, net):
    net, x = net().eval(), nets.images(2)
    question, w = QUESTIONS[asked]
    es = sw.explain(model(net), x, question, method=method, layer="features")
    for i in range(2):
        a, g = features_and_gradients(net, x[i:i + 1], w)
        close(es[i].values, FORMULAS[method](a, g).numpy())


def test_selective_normgrad():
    net, x = Deep().eval(), nets.images(1)
    a, g = features_and_gradients(net, x, weights_of((2, 1.0)))
    e = sw.explain(model(net), x, sw.why("c"), method="normgrad", variant="selective")
    close(e.values, (F.relu(a * g) ** 2).sum(0).sqrt())


@pytest.mark.parametrize("numerator", ["D1", "D2"])
def test_smooth_grad_cam_pp(numerator):
    net, x, w = Deep().eval(), nets.images(2), weights_of((1, 1.0))
    es = sw.explain(model(net), x, sw.why("b"), method="smooth-grad-cam++", numerator=numerator, n_samples=3, std=0.2,
                    seed=4)
    noise = torch.randn(3, 1, *x.shape[1:], generator=torch.Generator().manual_seed(4))
    for i in range(2):
        one = x[i:i + 1]
        a = features_and_gradients(net, one, w)[0]
        g = [features_and_gradients(net, one + 0.2 * (one.max() - one.min()) * n, w)[1] for n in noise]
        d1, d2, d3 = (sum(v**p for v in g) / 3 for p in (1, 2, 3))
        top = d1 if numerator == "D1" else d2
        out = 0
        for k in range(len(a)):
            out = out + (F.relu(d1[k]) * top[k] / (2 * d2[k] + a[k].sum() * d3[k] + 1e-8)).sum() * a[k]
        close(es[i].values, out)


def test_smooth_grad_cam_pp_of_some_maps_and_neurons():
    net, x = Deep().eval(), nets.images(1)
    parts = [sw.explain(model(net), x, sw.why("b"), method="smooth-grad-cam++", maps=[k]).values for k in range(6)]
    whole = sw.explain(model(net), x, sw.why("b"), method="smooth-grad-cam++").values
    close(sum(parts), whole)
    cells = [[(r, c) for r in range(8) for c in range(10) if (r + c) % 2 == odd] for odd in (0, 1)]
    halves = [sw.explain(model(net), x, sw.why("b"), method="smooth-grad-cam++", neurons=n).values for n in cells]
    close(sum(halves), whole)


class Widest(torch.nn.Module):
    """A network that says how many inputs it was given at once, at most."""

    def __init__(self, most=10**6):
        super().__init__()
        self.net, self.most, self.seen = Deep(), most, 0

    def forward(self, x):
        self.seen = max(self.seen, len(x))
        if len(x) > self.most:
            raise torch.OutOfMemoryError(f"no room for {len(x)} inputs")
        return self.net(x)


@pytest.mark.parametrize("batch_size, widest", [(64, 15), (15, 15), (14, 12), (7, 6), (3, 3), (1, 3)])
def test_smooth_grad_cam_pp_in_parts_draws_the_same_copies(batch_size, widest):
    net, x = Widest().eval(), nets.images(3)
    q = [sw.why("b"), sw.why("c").rather_than("a"), sw.why("vowel", pool="log-odds")]
    whole = sw.explain(model(Widest().eval()), x, q, method="smooth-grad-cam++", n_samples=5, batch_size=15)
    told = []
    parts = sw.explain(model(net), x, q, method="smooth-grad-cam++", n_samples=5, batch_size=batch_size,
                       progress=lambda done, total: told.append((done, total)))
    assert net.seen == widest
    assert told[-1] == (18, 18) and {total for _, total in told} == {18}
    for a, b in zip(parts, whole, strict=True):
        close(a.values, b.values)
    later = sw.prepare(model(Widest().eval()), x, "smooth-grad-cam++", n_samples=5, batch_size=batch_size).explain(q)
    for a, b in zip(later, whole, strict=True):
        close(a.values, b.values)


def test_smooth_grad_cam_pp_runs_copy_by_copy_where_memory_is_short():
    x = nets.images(3)
    whole = sw.explain(model(Widest().eval()), x, sw.why("b"), method="smooth-grad-cam++")
    short = sw.explain(model(Widest(most=1).eval()), x, sw.why("b"), method="smooth-grad-cam++")
    for a, b in zip(short, whole, strict=True):
        close(a.values, b.values)
        assert a.params["batch_size"] == 1 and any("lack of memory" in n for n in a.notices)


@pytest.mark.parametrize("alpha, n_rivals", [(1.0, 3), (0.5, 1)])
def test_finer_cam(alpha, n_rivals):
    net, x = Deep().eval(), nets.images(1)
    z = net(x)[0].detach()
    rivals = sorted((k for k in range(5) if k != 1), key=lambda k: abs(float(z[k] - z[1])))[:n_rivals]
    w = weights_of((1, 1.0), *[(k, -alpha / n_rivals) for k in rivals])
    a, g = features_and_gradients(net, x, w)
    e = sw.explain(model(net), x, sw.why("b"), method="finer-cam", alpha=alpha, n_rivals=n_rivals)
    close(e.values, sum(gk.mean() * ak for ak, gk in zip(a, g, strict=True)))
    contrast = sw.why("b").rather_than("e")
    close(sw.explain(model(net), x, contrast, method="finer-cam").values, sw.explain(model(net), x, contrast).values)


@pytest.mark.parametrize("question", [sw.why("b"), sw.why("b").rather_than("e"), sw.why("vowel", pool="log-odds")])
def test_score_cam_equals_a_plain_loop(question):
    net, x = Deep().eval(), nets.images(1)
    bound = question.bind(NAMES, TREE)
    with torch.no_grad():
        a, scores = net.features(x)[0], []
        for ak in a:
            mask = F.interpolate(ak[None, None], size=x.shape[-2:], mode="bilinear", align_corners=True)
            mask = (mask - mask.min()) / (mask.max() - mask.min() + 1e-8)
            scores.append(bound.score(net(x * mask))[0])
        w = torch.stack(scores).softmax(0)
        expected = sum(wk * ak for wk, ak in zip(w, a, strict=True))
    close(sw.explain(model(net), x, question, method="score-cam", batch_size=4).values, expected)


@pytest.mark.parametrize("net", [Squeeze, Deep, nets.plain, nets.Functional, nets.Residual, nets.TinyViT])
@pytest.mark.parametrize("variant", ["difference", "reference"])
@pytest.mark.parametrize("question", [sw.why("b"), sw.why("b").rather_than("e"), sw.why("vowel", pool="logsumexp")])
def test_ablation_cam_equals_removing_each_channel(question, variant, net):
    net, x = net().eval(), nets.images(1)
    e = sw.explain(model(net), x, question, method="ablation-cam", variant=variant, batch_size=5)
    layer, bound, vit, kept = net.get_submodule(e.layer), question.bind(NAMES, TREE), isinstance(net, nets.TinyViT), []

    def without(k):
        def hook(module, args, output):
            kept.append(output.clone())
            changed = output.clone()
            if k is not None and vit:
                changed[:, 3:, k] = 0  # the class token and two registers are no cells of the map
            elif k is not None:
                changed[:, k] = 0
            return changed

        handle = layer.register_forward_hook(hook)
        with torch.no_grad():
            score = float(bound.score(net(x))[0])
        handle.remove()
        return score

    full = without(None)
    a = kept[0][0, 3:].T.unflatten(1, (4, 5)) if vit else kept[0][0]
    w = [full - without(k) for k in range(len(a))]
    expected = sum(wk * ak for wk, ak in zip(w, a, strict=True)) / (full if variant == "reference" else 1)
    close(e.values, expected, 1e-3)


def test_ablation_cam_divided_by_the_score_has_no_basis():
    with pytest.raises(MethodError, match="no basis"):
        sw.prepare(model(Deep()), nets.images(1), "ablation-cam", variant="reference").basis()


@pytest.mark.parametrize("method", ["score-cam", "ablation-cam"])
def test_later_questions_cost_no_model_pass(method):
    net = Deep().eval()
    evidence, calls = sw.prepare(model(net), nets.images(2), method), []
    handle = net.register_forward_hook(lambda *a: calls.append(1))
    evidence.explain([sw.why("a"), sw.why("b").rather_than("e"), sw.why("vowel", pool="probability")])
    handle.remove()
    assert not calls


def test_ablation_cam_of_a_pooled_head_is_one_forward():
    for kind in (Squeeze, nets.plain):
        net = kind().eval()
        m, x, calls = model(net), nets.images(1), []
        m.feature_layer(x)
        handle = net.register_forward_hook(lambda *a, calls=calls: calls.append(1))
        sw.explain(m, x, sw.why("a"), method="ablation-cam")
        handle.remove()
        assert len(calls) == 1


def test_ten_cams_run_the_model_once():
    net = Deep().eval()
    m, x, calls = model(net), nets.images(2), []
    m.feature_layer(x)
    handle = net.register_forward_hook(lambda *a: calls.append(1))
    es = sw.explain(m, x, sw.why("b"), method=TEN)
    handle.remove()
    assert len(calls) == 1
    assert es.shape == (2, 1, 10)
    for e in es[1, 0]:
        close(e.values, sw.explain(m, x[1], sw.why("b"), method=e.method).values, 2e-4)


@pytest.mark.parametrize("method", [m.name for m in FAMILY])
def test_relu_cuts_what_is_negative(method):
    m, x, q = model(nets.TinyViT()), nets.images(2), [sw.why("a"), sw.why("b").rather_than("e")]
    for raw, cut in zip(sw.explain(m, x, q, method=method), sw.explain(m, x, q, method=method, relu=True), strict=True):
        np.testing.assert_array_equal(cut.values, np.maximum(raw.values, 0))


@pytest.mark.parametrize("method", [m.name for m in FAMILY if not m.linear])
def test_what_is_called_not_linear_is_not(method):
    es = sw.explain(model(Deep()), nets.images(1), [sw.why("a"), sw.why("b"), sw.why("a").rather_than("b")], method=method)
    a, b, contrast = (e.values for e in es)
    assert np.abs(contrast - (a - b)).max() > 1e-3 * np.abs(contrast).max()
    with pytest.raises(MethodError, match="not linear"):
        sw.prepare(model(Deep()), nets.images(1), method).basis()


@pytest.mark.parametrize("info", FAMILY, ids=lambda i: i.name)
def test_class_blind_means_the_same_map_for_any_question(info):
    q = [sw.why("a"), sw.why("b"), sw.why("b").rather_than("vowel"), sw.why("vowel", pool="log-odds")]
    es = list(sw.explain(model(Deep()), nets.images(1), q, method=info.name))
    same = all(np.allclose(e.values, es[0].values, rtol=1e-6, atol=0) for e in es[1:])
    assert same == info.class_blind
    assert all(e.class_blind == info.class_blind for e in es)


@pytest.mark.parametrize("method", [m.name for m in FAMILY])
def test_every_kind_of_question_is_answered(method):
    x = nets.images(2)
    q = [sw.why(), sw.why(["a", "b"]).rather_than("c", "d"), sw.why("vowel", pool="logsumexp"),
         sw.why("a", pool="probability"), sw.why("vowel", pool="log-odds"), sw.why("a").rather_than("consonant")]
    for net in (Squeeze(), nets.TinyViT()):
        es = sw.explain(model(net), x, q, method=method)
        assert es.shape == (2, 6, 1)
        assert all(np.isfinite(e.values).all() for e in es)


@pytest.mark.parametrize("call", [{"method": "smooth-grad-cam++", "numerator": "D4"}, {"method": "normgrad", "variant": "x"},
                                  {"method": "ablation-cam", "variant": "x"}, {"method": "cf-cam", "filter": "median"},
                                  {"method": "fullgrad", "psi": "square"}])
def test_wrong_parameters_name_the_right_ones(call):
    with pytest.raises(MethodError, match="use"):
        sw.explain(model(Deep()), nets.images(1), sw.why("a"), **call)
