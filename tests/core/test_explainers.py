"""The evidence path: facts of the registry, batches, contrasts, bases, agreement with captum and plain loops."""

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import InputError, MethodError, QuestionError
from salwidgets.explainers.rise import Masks
from tests.core import nets

NAMES = list("abcde")
TREE = sw.Taxonomy.from_nested({"vowel": ["a", "e"], "consonant": ["b", "c", "d"]})
METHODS = [m.name for m in sw.methods()]
LINEAR = [m.name for m in sw.methods() if m.linear]
NETS = {"cnn": nets.plain, "residual": nets.Residual, "functional": nets.Functional, "vit": nets.TinyViT}


def model(kind="cnn", **kw):
    return sw.Model(NETS[kind](), classes=NAMES, taxonomy=TREE, **kw)


def can(method, kind):
    """Skip where a method needs attention and the network has none: it refuses, which tests/methods proves."""
    if "attention" in next(m for m in sw.methods() if m.name == method).needs and kind != "vit":
        pytest.skip("no attention in this network")
    if method == "lrp" and kind == "vit":
        pytest.skip("relevance has no rule for attention")


def home(method):
    """A network that every method can look into."""
    return "vit" if "attention" in next(m for m in sw.methods() if m.name == method).needs else "cnn"


def few(method):
    return {"rise": {"n_masks": 100}, "occlusion": {"window": 8, "stride": 8},
            "meaningful-perturbation": {"steps": 4}, "fido": {"steps": 4, "n_samples": 2},
            "xrai": {"steps": 5, "segments": "slic"}, "guided-ig": {"steps": 6}, "blur-ig": {"steps": 12},
            "regional": {"n_segments": (6, 12), "n_samples": 3}, "kernel-shap": {"n_segments": 12, "n_samples": 100},
            }.get(method, {})


def close(a, b, tolerance=1e-5):
    np.testing.assert_allclose(a, b, atol=tolerance * max(1e-12, np.abs(b).max()))


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("method", LINEAR)
def test_linear_means_the_weighted_sum(method, kind):
    can(method, kind)
    q = [sw.why("a"), sw.why("b"), sw.why("e"), sw.why("a").rather_than("b"), sw.why("vowel"),
         sw.why("vowel").rather_than("b")]
    es = sw.explain(model(kind), nets.images(2), q, method=method, **few(method))
    for i in range(2):
        a, b, e, contrast, group, both = (es[i, k, 0].values for k in range(6))
        close(contrast, a - b)
        close(group, (a + e) / 2)
        close(both, (a + e) / 2 - b)


@pytest.mark.parametrize("method", [m.name for m in sw.methods() if not m.linear])
def test_not_linear_means_no_weighted_sum(method):
    """A contrast's map is not the difference of two maps, or a group's not their mean; a class-blind method has one map."""
    blind = next(m for m in sw.methods() if m.name == method).class_blind
    q = [sw.why("a"), sw.why("b"), sw.why("a").rather_than("b"), sw.why("e"), sw.why("vowel")]
    es = sw.explain(model(home(method)), nets.images(3), q, method=method, **few(method))
    apart = []
    for i in range(3):
        a, b, contrast, e, group = (es[i, k, 0].values for k in range(5))
        apart += [np.abs(contrast - (a - b)).max() / np.abs(contrast).max(),
                  np.abs(group - (a + e) / 2).max() / np.abs(group).max()]
        assert np.array_equal(a, b) == blind
    assert max(apart) > 1e-3


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("method", METHODS)
def test_a_list_a_batch_and_one_by_one_agree(method, kind):
    can(method, kind)
    m, x = model(kind), nets.images(3)
    q = [sw.why("a"), sw.why("b").rather_than("c"), sw.why(), sw.why("vowel", pool="logsumexp")]
    es = sw.explain(m, x, q, method=method, **few(method))
    assert es.shape == (3, 4, 1)
    for i in range(3):
        for k in range(4):
            alone = sw.explain(m, x[i], q[k], method=method, **few(method))
            close(es[i, k, 0].values, alone.values, 2e-4)
            assert str(es[i, k, 0].question) == str(alone.question)
            assert es[i, k, 0].score == pytest.approx(alone.score, rel=1e-4, abs=1e-6)
    paired = sw.explain(m, x, q[:3], method=method, paired=True, **few(method))
    assert paired.shape == (3, 1, 1)
    for i in range(3):
        close(paired[i].values, es[i, i, 0].values, 2e-4)


@pytest.mark.parametrize("method", METHODS)
def test_signed_means_both_signs_or_not(method):
    es = sw.explain(model(home(method)), nets.images(3), [sw.why(c) for c in NAMES], method=method, **few(method))
    signs = {np.sign(v) for e in es for v in (e.values.min(), e.values.max())}
    assert ({-1.0, 1.0} <= signs) == next(i for i in sw.methods() if i.name == method).signed


@pytest.mark.parametrize("method", LINEAR)
def test_basis_answers_like_the_evidence(method):
    ev = sw.prepare(model(home(method)), nets.images(2), method, **few(method))
    basis = ev.basis(["a", "consonant"])
    assert basis.row_names == ["a", "b", "c", "d"]
    assert basis.maps.dtype == np.float32
    q = sw.why("a").rather_than("consonant")
    for i in range(2):
        close(basis.map(q, i), ev.explain(q)[i].values)
    with pytest.raises(QuestionError, match="no row for 'e'"):
        basis.map(sw.why("e"))


@pytest.mark.parametrize("method", [m.name for m in sw.methods() if m.family == "perturbation"])
def test_later_questions_cost_no_model_pass(method):
    calls = []
    net = nets.plain().eval()
    m = sw.Model(lambda x: calls.append(len(x)) or net(x), classes=NAMES, taxonomy=TREE)
    ev = sw.prepare(m, nets.images(2), method, **few(method))
    before = len(calls)
    ev.explain([sw.why("a"), sw.why("b").rather_than("vowel"), sw.why("vowel", pool="probability")])
    if method in LINEAR:
        ev.basis()
    assert len(calls) == before


def test_integrated_gradients_reuses_what_is_spanned():
    ev = sw.prepare(model(), nets.images(2), "integrated-gradients", classes=["a", "b"])
    calls = []
    ev.model.net.register_forward_hook(lambda *a: calls.append(1))
    close(ev.explain(sw.why("a").rather_than("b"))[0].values,
          sw.explain(model(), nets.images(2), sw.why("a").rather_than("b"), method="integrated-gradients")[0].values)
    assert not calls
    ev.explain(sw.why("c"))
    assert calls


def test_cam_evidence_runs_the_model_once():
    net = nets.plain()
    m = sw.Model(net, classes=NAMES)
    sw.explain(m, nets.images(1), sw.why("a"))  # finds the layer
    calls = []
    net.register_forward_hook(lambda *a: calls.append(1))
    sw.explain(m, nets.images(1), [sw.why(c) for c in NAMES])
    assert len(calls) == 1


@pytest.mark.parametrize("rule", ["gauss-legendre", "trapezoid", "riemann-middle"])
@pytest.mark.parametrize("baseline", ["zero", "blur", "uniform", "mean", 0.3, torch.full((3, 1, 1), 0.1)])
def test_integrated_gradients_is_complete(rule, baseline):
    q = [sw.why("a"), sw.why("a").rather_than("b"), sw.why("vowel", pool="log-odds")]
    for e in sw.explain(model("vit"), nets.images(2), q, method="integrated-gradients", steps=100, rule=rule,
                        baseline=baseline):
        assert e.completeness < 0.01
        assert e.completeness.total == pytest.approx(e.values.sum(), rel=1e-3, abs=1e-4)


class TestCaptum:
    """An implementation that is not ours, on the same weights and inputs."""

    @pytest.fixture(autouse=True)
    def _captum(self):
        self.attr = pytest.importorskip("captum.attr")

    @pytest.mark.parametrize("kind", ["cnn", "residual", "vit"])
    def test_grad_cam(self, kind):
        net = NETS[kind]().eval()
        m, x = sw.Model(net), nets.images(2)
        e = sw.explain(m, x, sw.why(2))
        layer = dict(net.named_modules())[e[0].layer]
        if kind == "vit":
            a, g = self._token_features(net, layer, x)
            expected = torch.einsum("nc,nthc->nth", g.mean((1, 2)), a)
        else:
            expected = self.attr.LayerGradCam(net, layer).attribute(x, target=2, relu_attributions=False)[:, 0]
        for i in range(2):
            close(e[i].values, expected[i].detach().numpy(), 1e-4)

    @staticmethod
    def _token_features(net, layer, x):
        kept = []
        handle = layer.register_forward_hook(lambda m, i, o: kept.append(o))
        score = net(x)[:, 2].sum()
        handle.remove()
        g = torch.autograd.grad(score, kept[0])[0]
        return kept[0][:, 3:].unflatten(1, (4, 5)).detach(), g[:, 3:].unflatten(1, (4, 5))

    @pytest.mark.parametrize("kind", NETS)
    def test_gradients_and_paths(self, kind):
        net = NETS[kind]().eval()
        m, x = sw.Model(net), nets.images(2)
        for method, captum in (("integrated-gradients", self.attr.IntegratedGradients(net)),
                               ("input-x-gradient", self.attr.InputXGradient(net)),
                               ("saliency", self.attr.Saliency(net))):
            kw = {"abs": False} if method == "saliency" else {}
            expected = captum.attribute(x.clone().requires_grad_(), target=1, **kw).detach().sum(1).numpy()
            got = sw.explain(m, x, sw.why(1), method=method)
            for i in range(2):
                close(got[i].values, expected[i], 1e-4)

    @pytest.mark.parametrize("window, stride, baseline", [(8, 8, "zero"), (9, 5, "zero"), ((10, 7), (4, 6), 0.5)])
    def test_occlusion(self, window, stride, baseline):
        net = nets.plain().eval()
        x = nets.images(2)
        pair = lambda v: v if isinstance(v, tuple) else (v, v)  # noqa: E731
        base = 0.0 if baseline == "zero" else baseline
        expected = self.attr.Occlusion(net).attribute(
            x, target=3, sliding_window_shapes=(3, *pair(window)), strides=(3, *pair(stride)), baselines=base)
        got = sw.explain(sw.Model(net), x, sw.why(3), method="occlusion", window=window, stride=stride,
                         baseline=baseline)
        for i in range(2):
            close(got[i].values, expected[i, 0].numpy(), 1e-4)


def test_rise_equals_a_plain_loop():
    net = nets.plain().eval()
    x = nets.images(1)
    for center in (True, False):
        e = sw.explain(sw.Model(net), x, sw.why(2), method="rise", n_masks=150, center=center, seed=5)
        masks = Masks(150, 7, 0.5, 32, 40, 5)
        drawn = masks.draw(torch.arange(150))
        with torch.no_grad():
            scores = torch.stack([net(x * m)[0, 2] for m in drawn])
        mean = scores.mean() if center else 0.0
        expected = sum((s - mean) * m for s, m in zip(scores, drawn, strict=True)) / (150 * 0.5)
        close(e.values, expected.numpy(), 1e-4)


def test_rise_masks_are_upsampled_grids():
    masks = Masks(20, 7, 0.5, 32, 40, 0)
    drawn = masks.draw(torch.arange(20))
    assert drawn.shape == (20, 32, 40)
    assert float(drawn.min()) >= 0 and float(drawn.max()) <= 1
    big = torch.nn.functional.interpolate(masks.grids[:, None].float(), size=(8 * masks.cell[0], 8 * masks.cell[1]),
                                          mode="bilinear", align_corners=False)[:, 0]
    for i, (dy, dx) in enumerate(masks.shifts.tolist()):
        torch.testing.assert_close(drawn[i], big[i, dy:dy + 32, dx:dx + 40])


@pytest.mark.parametrize("method", METHODS)
def test_batch_size_changes_nothing(method):
    x, q = nets.images(2)[..., :24, :24], sw.why("a")
    if "batch_size" not in dict(next(m for m in sw.methods() if m.name == method).parameters):
        pytest.skip("this method runs each batch of inputs once")
    a = sw.explain(model(), x, q, method=method, batch_size=3, **few(method))
    b = sw.explain(model(), x, q, method=method, batch_size=64, **few(method))
    close(a[1].values, b[1].values, 1e-4)


def test_more_inputs_than_one_chunk():
    x = nets.images(20)
    es = sw.explain(model(), x, [sw.why("a"), sw.why()])
    assert es.shape == (20, 2, 1)
    close(es[18, 0, 0].values, sw.explain(model(), x[18], sw.why("a")).values)


def test_several_methods_and_indexing():
    es = sw.explain(model(), nets.images(2), [sw.why("a"), sw.why("b")], method=["grad-cam", "occlusion"], window=8)
    assert es.shape == (2, 2, 2)
    assert [e.method for e in es][:2] == ["grad-cam", "occlusion"]
    assert es[1, 0, 1] is es[5]
    assert es[:, 0].shape == (2, 1, 2)
    assert es[1, 1, 0].params == {"layer": None, "relu": False}


def test_one_input_gives_one_explanation():
    x = nets.images(1)
    for given in (x, x[0], x[0].numpy(), x.numpy()):
        e = sw.explain(model(), given, sw.why("a"))
        assert isinstance(e, sw.Explanation)
        assert e.input.shape == (3, 32, 40)
        assert e.upsampled().shape == (32, 40)
        assert e.upsampled().dtype == np.float32
    assert len(sw.explain(model(), [x[0]], sw.why("a"))) == 1


def test_series_and_tables():
    torch.manual_seed(0)
    series = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 3))
    e = sw.explain(sw.Model(series), torch.rand(2, 2, 20), sw.why(1), method="integrated-gradients")
    assert e[0].values.shape == (2, 20)
    assert e[0].completeness < 0.01
    table = sw.explain(sw.Model(torch.nn.Linear(6, 3)), torch.rand(4, 6), sw.why(1), method="integrated-gradients")
    assert table[3].values.shape == (6,)
    with pytest.raises(MethodError, match="masks images"):
        sw.explain(sw.Model(series), torch.rand(2, 2, 20), sw.why(1), method="occlusion")


@pytest.mark.parametrize("call, error, match", [
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="gradcam"), MethodError, "grad-cam"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), stepz=3), MethodError, "stepz"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="rise", n_masks=0), MethodError, "n_masks"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="occlusion", window=99), MethodError, "window"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="occlusion", window=2.5), MethodError, "window=2.5"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="occlusion", window=True), MethodError, "window=True"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="occlusion", stride=np.array([[4, 4]])), MethodError, "stride="),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="integrated-gradients", until="soon"), MethodError, "until='soon'"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="integrated-gradients", until=True), MethodError, "until=True"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="occlusion", baseline=float("nan")), MethodError, "NaN"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="rise", baseline=np.full((3, 1, 1), np.inf)), MethodError, "NaN"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="integrated-gradients", baseline="grey"), MethodError, "grey"),
    (lambda m, x: sw.explain(m, x, sw.why("a"), method="integrated-gradients", rule="simpson"), MethodError, "rule"),
    (lambda m, x: sw.explain(m, x, "a"), QuestionError, "why"),
    (lambda m, x: sw.explain(m, x, []), QuestionError, "empty"),
    (lambda m, x: sw.explain(m, x, [sw.why("a")], paired=True), InputError, "1 questions for 2"),
    (lambda m, x: sw.explain(m, x, sw.why().rather_than("a", "b", "c", "d", "e")), QuestionError, None),
    (lambda m, x: sw.explain(sw.Model(m.net.__call__), x, sw.why(0)), MethodError, "occlusion"),
    (lambda m, x: sw.explain(sw.Model(torch.no_grad()(m.net.forward).__get__(m)), x, sw.why(0)), MethodError, "occlusion"),
])
def test_bad_calls_say_what_to_do(call, error, match):
    if match is None:
        assert call(model(), nets.images(2)) is not None  # the prediction is taken out of the foil
        return
    with pytest.raises(error, match=match):
        call(model(), nets.images(2))


def test_progress_reports_and_can_stop():
    seen = []
    sw.explain(model(), nets.images(2), sw.why("a"), method="rise", n_masks=128, batch_size=32,
               progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (258, 258)

    def stop(done, total):
        if done > 100:
            raise KeyboardInterrupt

    net = nets.plain().train()
    with pytest.raises(KeyboardInterrupt):
        sw.explain(sw.Model(net), nets.images(2), sw.why(0), method="rise", n_masks=500, progress=stop)
    assert net.training


def test_the_registry_prints_as_a_table():
    table = sw.methods()
    assert "grad-cam" in repr(table)
    assert "<table>" in table._repr_html_()
    for info in table:
        assert info.source
        assert info.family in ("cam", "gradient", "path", "perturbation", "attention", "mask", "relevance")


def test_numbers_of_numpy_are_numbers():
    given = {"method": "occlusion", "baseline": np.float64(0.5)}
    plain = sw.explain(model(), nets.images(1), sw.why("a"), window=8, stride=(4, 5), **given)
    e = sw.explain(model(), nets.images(1), sw.why("a"), window=np.int64(8), stride=np.array([4, 5]), **given)
    assert np.array_equal(e.values, plain.values) and e.params == plain.params


@pytest.mark.parametrize("method, name", [("meaningful-perturbation", "baseline"), ("fido", "infill")])
def test_an_array_may_stand_where_a_mask_hides(method, name):
    """An array is what "white" names, through the model's mean and std."""
    m, x = model(mean=(0.5,) * 3, std=(0.25,) * 3), nets.images(1)
    white = sw.explain(m, x, sw.why("a"), method, **{name: "white"}, **few(method))
    given = sw.explain(m, x, sw.why("a"), method, **{name: np.full((3, 32, 40), 2, np.float32)}, **few(method))
    assert np.array_equal(given.values, white.values)
    with pytest.raises(MethodError, match="must fit inputs"):
        sw.explain(m, x, sw.why("a"), method, **{name: np.zeros((3, 5, 5))}, **few(method))
