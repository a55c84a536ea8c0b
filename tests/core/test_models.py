"""The adapter: outputs, layers, token grids, inputs; and a network that is given back as it was."""

import contextlib

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import salwidgets as sw
from salwidgets.errors import InputError, MethodError, ModelError
from tests.core import nets

NAMES = list("abcde")


@pytest.mark.parametrize("form", ["tuple", "dict", "object", "list", "nested"])
def test_scores_are_found_in_any_output(form):
    x = nets.images()
    expected = nets.plain().eval()(x)
    torch.testing.assert_close(sw.Model(nets.Wrapped(form)).logits(x), expected)


def test_a_one_column_head_is_two_classes():
    net = nets.OneColumn()
    x = nets.images(2)
    p = sw.Model(net, classes=["no", "yes"]).predict(x)
    np.testing.assert_allclose(p.probabilities[:, 1], torch.sigmoid(net(x))[:, 0].detach(), rtol=1e-5)
    assert p.logits.shape == (2, 2)


def test_predictions():
    p = sw.Model(nets.plain(), classes=NAMES).predict(nets.images())
    assert p.logits.dtype == np.float32
    assert p.logits.shape == (3, 5)
    assert len(p.top(2)) == 3
    name, probability = p.top(2)[0][0]
    assert name == NAMES[p.logits[0].argmax()]
    assert probability == pytest.approx(p.probabilities[0].max())
    assert list(sw.Model(nets.plain()).predict(nets.images()).class_names)[1] == "class 1"


@pytest.mark.parametrize("make, layer, shape", [
    (lambda: nets.plain(), "5", (16, 20)),
    (lambda: nets.plain(inplace=True), "5", (16, 20)),  # the in-place ReLU, not the convolution whose memory it shares
    (nets.Functional, "features", (32, 40)),
    (nets.Residual, "block", (16, 20)),
    (nets.TinyViT, "blocks.1.norm1", (4, 5)),
])
def test_the_feature_layer_is_found_and_named(make, layer, shape):
    e = sw.explain(sw.Model(make()), nets.images(1), sw.why(0), method="grad-cam")
    assert e.layer == layer
    assert e.values.shape == shape


def test_vgg_like_nets_keep_the_map_before_the_pool():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(4),
                        nn.Flatten(), nn.Linear(64, 5))
    assert sw.explain(sw.Model(net), nets.images(1), sw.why(0)).values.shape == (32, 40)


def test_a_map_of_class_scores_is_not_taken_for_features():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout(), nn.Conv2d(4, 5, 1), nn.ReLU(),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert sw.explain(sw.Model(net), nets.images(1), sw.why(0)).layer == "1"


def test_a_named_layer_and_its_errors():
    model = sw.Model(nets.plain())
    assert sw.explain(model, nets.images(1), sw.why(0), layer="2").values.shape == (32, 40)
    with pytest.raises(ModelError, match="no layer 'conv'"):
        sw.explain(model, nets.images(1), sw.why(0), layer="conv")
    with pytest.raises(ModelError, match=r"no map|single cell"):
        sw.explain(model, nets.images(1), sw.why(0), layer="8")
    with pytest.raises(ModelError, match="no feature layer found"):
        sw.explain(sw.Model(nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 40, 5))), nets.images(1), sw.why(0))


class TestTransformers:
    """Real architectures of the transformers library, small and untrained."""

    @pytest.mark.parametrize("kind, layer, shape, prefix", [
        ("ViT", "layernorm_before", (4, 5), 1), ("DeiT", "layernorm_before", (4, 5), 2),
        ("Swin", "layernorm_before", (4, 5), 0), ("Dinov2WithRegisters", "norm1", (4, 5), 5),
        ("ResNet", "", (1, 2), 0), ("ConvNext", "", (1, 1), 0)])
    def test_layers_and_grids(self, kind, layer, shape, prefix):
        hf = pytest.importorskip("transformers")
        common = {"num_labels": 5}
        token = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
                 "image_size": (32, 40), "patch_size": 8}
        options = {"ViT": token, "DeiT": token, "Dinov2WithRegisters": {**token, "image_size": 40},
                   "Swin": {"image_size": (32, 40), "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2],
                            "window_size": 2},
                   "ResNet": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
                   "ConvNext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}}[kind]
        config = getattr(hf, f"{kind}Config")(**options, **common)
        net = getattr(hf, f"{kind}ForImageClassification")(config)
        model = sw.Model(net)
        e = sw.explain(model, nets.images(1), sw.why(0), method="grad-cam")
        assert layer in e.layer
        if layer:
            assert e.values.shape == shape
            assert model.feature_layer(nets.images(1)).layout.prefix == prefix
        assert np.abs(e.values).max() > 0

    def test_from_transformers_directory(self, tmp_path):
        hf = pytest.importorskip("transformers")
        config = hf.ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
                              image_size=32, patch_size=8, num_labels=2, id2label={0: "cat", 1: "dog"})
        hf.ViTForImageClassification(config).save_pretrained(tmp_path)
        (tmp_path / "preprocessor_config.json").write_text(
            '{"image_processor_type": "ViTImageProcessor", "do_resize": true, "size": {"height": 32, "width": 32}, '
            '"do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true, '
            '"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2}')
        model = sw.Model.from_transformers(str(tmp_path))
        assert list(model.classes) == ["cat", "dog"]
        picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 60, 3), dtype=np.uint8))
        e = sw.explain(model, picture, sw.why("dog"))
        assert e.values.shape == (4, 4)
        assert e.image.shape == (32, 32, 3)

    def test_no_network_is_said(self, tmp_path):
        pytest.importorskip("transformers")
        with pytest.raises(ModelError, match="Download it where there is a network"):
            sw.Model.from_transformers("someone/some-model")
        with pytest.raises(ModelError, match="holds no model"):
            sw.Model.from_transformers(str(tmp_path))


def test_torchvision_missing_or_present(monkeypatch):
    try:
        import torchvision  # noqa: F401
    except Exception:
        with pytest.raises(ModelError, match="torchvision"):
            sw.Model.from_torchvision("resnet18")
    else:
        model = sw.Model.from_torchvision("resnet18", weights=None)
        assert model.predict(torch.rand(1, 3, 64, 64)).logits.shape == (1, 1000)


class TestInputs:
    def test_pictures_go_through_preprocess(self, tmp_path):
        a = np.random.default_rng(0).integers(0, 255, (32, 40, 3), dtype=np.uint8)
        Image.fromarray(a).save(tmp_path / "a.png")
        model = sw.Model(nets.plain(), mean=[0.5] * 3, std=[0.25] * 3)
        expected = (torch.from_numpy(a).permute(2, 0, 1)[None] / 255 - 0.5) / 0.25
        for given in (a, Image.fromarray(a), tmp_path / "a.png", str(tmp_path / "a.png"), [a], a[None]):
            torch.testing.assert_close(model.preprocess(given), expected)
        e = sw.explain(model, a, sw.why(0))
        np.testing.assert_array_equal(e.image, a)  # drawn as it was
        assert e.input.shape == (3, 32, 40)

    @pytest.mark.parametrize("bad, error, match", [
        (torch.full((1, 3, 32, 40), float("nan")), InputError, "NaN"),
        (torch.zeros(0, 3, 32, 40), InputError, "empty"),
        (np.zeros((0, 0, 3), np.uint8), InputError, "picture"),
        ([], InputError, "empty"),
        (torch.zeros(3, 32, 40, dtype=torch.uint8), InputError, "uint8"),
        (torch.zeros(3, 32, 40, dtype=torch.int64), InputError, "the input is a int64 tensor; models take floats"),
        (np.zeros((2, 3, 32, 40), np.int32), InputError, "the batch is a int32 tensor; models take floats"),
        ("nowhere.png", InputError, "nowhere.png"),
        (torch.zeros(1, 4, 32, 40), ModelError, "4 channels"),
        (object(), InputError, "object"),
        ([torch.zeros(3, 32, 40), torch.zeros(3, 8, 8)], InputError, "different shapes"),
    ])
    def test_bad_inputs_name_themselves(self, bad, error, match):
        with pytest.raises(error, match=match):
            sw.explain(sw.Model(nets.plain()), bad, sw.why(0))

    def test_which_input_is_bad(self):
        x = nets.images(3)
        x[1, 0, 0, 0] = float("inf")
        with pytest.raises(InputError, match="input 1 of 3"):
            sw.explain(sw.Model(nets.plain()), x, sw.why(0))


def test_wrong_number_of_class_names():
    with pytest.raises(ModelError, match="5 scores but 2"):
        sw.Model(nets.plain(), classes=["a", "b"]).predict(nets.images(1))


def test_no_logits():
    with pytest.raises(ModelError, match="no logits found"):
        sw.Model(lambda x: "hello").predict(nets.images(1))
    with pytest.raises(ModelError, match="why_segment"):
        sw.Model(nn.Conv2d(3, 5, 1)).predict(nets.images(1))


class TestLeftAsFound:
    @staticmethod
    def state(net):
        return ([m.training for m in net.modules()], [p.requires_grad for p in net.parameters()],
                [(k, v.clone()) for k, v in net.named_buffers()],
                [len(m._forward_hooks) + len(m._backward_hooks) for m in net.modules()],
                [p.grad for p in net.parameters()])

    def same(self, before, after):
        assert before[0] == after[0]
        assert before[1] == after[1]
        assert all(k == k2 and torch.equal(v, v2) for (k, v), (k2, v2) in zip(before[2], after[2], strict=True))
        assert before[3] == after[3]
        assert all(g is None for g in after[4])

    @pytest.mark.parametrize("method", [m.name for m in sw.methods()])
    @pytest.mark.parametrize("error", [None, RuntimeError("boom"), KeyboardInterrupt()])
    def test_after_success_error_and_interrupt(self, method, error):
        net = nets.Faulty(10**9, error)
        net.train()
        net.net[1].eval()  # a frozen BatchNorm inside a training network
        net.net[0].weight.requires_grad_(False)
        before, random = self.state(net), torch.get_rng_state()
        params = {"rise": {"n_masks": 200}, "meaningful-perturbation": {"steps": 20}, "fido": {"steps": 20},
                  "guided-ig": {"steps": 10}, "xrai": {"steps": 10, "segments": "slic"}}.get(method, {})

        def call():
            with contextlib.suppress(MethodError):  # a refusal (no attention here, say) must leave no trace either
                sw.explain(sw.Model(net), nets.images(2), sw.why(0), method=method, progress=False, **params)

        call()
        if error is not None and net.calls:
            for fine in {0, net.calls // 2, net.calls - 1}:  # at the start, in the middle, and at the very end
                net.calls, net.fine = 0, fine
                with pytest.raises(type(error)):
                    call()
                self.same(before, self.state(net))
        self.same(before, self.state(net))
        assert torch.equal(random, torch.get_rng_state())

    def test_callers_without_gradients(self):
        x, q = nets.images(1), sw.why(0)
        expected = sw.explain(sw.Model(nets.plain()), x, q).values
        with torch.no_grad():
            np.testing.assert_array_equal(sw.explain(sw.Model(nets.plain()), x, q).values, expected)
            assert not torch.is_grad_enabled()
        with torch.inference_mode():
            net = nets.plain()
        with torch.inference_mode():
            y = nets.images(1)
            model = sw.Model(nets.plain())
            for m in sw.methods():
                kw = {"n_masks": 100} if m.name == "rise" else {}
                with contextlib.suppress(MethodError):  # no attention here, say
                    assert np.isfinite(sw.explain(model, y, q, method=m.name, **kw).values).all()
            assert torch.is_inference_mode_enabled()
        assert net is not None

    def test_frozen_compiled_and_wrapped(self):
        x, q = nets.images(1), sw.why(0)
        expected = sw.explain(sw.Model(nets.plain()), x, q).values
        frozen = nets.plain().requires_grad_(False)
        compiled = torch.compile(nets.plain())
        in_place = nets.plain()
        in_place.compile()
        for net in (frozen, compiled, in_place, nn.DataParallel(nets.plain())):
            np.testing.assert_allclose(sw.explain(sw.Model(net), x, q).values, expected, rtol=1e-5, atol=1e-7)

    def test_half_precision_gives_float32_maps(self):
        x = nets.images(1)
        expected = sw.explain(sw.Model(nets.plain()), x, sw.why(0)).values
        got = sw.explain(sw.Model(nets.plain().to(torch.bfloat16)), x, sw.why(0)).values
        assert got.dtype == np.float32
        assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.99
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got = sw.explain(sw.Model(nets.plain()), x, sw.why(0)).values
        assert got.dtype == np.float32


def test_reused_layers_are_said():
    e = sw.explain(sw.Model(nets.Residual()), nets.images(1), sw.why(0), layer="block.relu")
    assert any("runs 2 times" in n for n in e.notices)


def test_changed_weights_are_noticed():
    net = nets.TinyViT()
    ev = sw.prepare(sw.Model(net), nets.images(1), "grad-cam")
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(1.1)
    with pytest.raises(ModelError, match="changed after"):
        ev.explain(sw.why(0))


def test_torchscript_networks():
    x = nets.images(2)
    traced = torch.jit.trace(nets.plain().eval(), x)
    for method in ("occlusion", "saliency"):
        a = sw.explain(sw.Model(traced), x, sw.why(1), method=method)
        b = sw.explain(sw.Model(nets.plain()), x, sw.why(1), method=method)
        np.testing.assert_allclose(a[1].values, b[1].values, atol=1e-5 * np.abs(b[1].values).max())
