"""Layouts of transformers, torchvision and timm, with no reshape from the user: the layer, the grid, what the head reads."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import MethodError
from salwidgets.explainers.class_embedding import class_evidence
from salwidgets.models.attention import token_path

TOKENS = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24, "patch_size": 8}
WINDOWS = {"patch_size": 4, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "num_labels": 5}


def hugging(name, **config):
    tr = pytest.importorskip("transformers")
    return getattr(tr, f"{name}ForImageClassification")(getattr(tr, f"{name}Config")(**config))


def tower(name):
    """An image tower that was trained beside a text tower, with a classifier on it."""
    tr = pytest.importorskip("transformers")
    vision = getattr(tr, f"{name}VisionConfig")(**TOKENS, image_size=40).to_dict()
    text = {"vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    return hugging(name, vision_config=vision, text_config=text, num_labels=5)


class TorchvisionViT(nn.Module):
    """torchvision's names: conv_proj, encoder.layers.encoder_layer_N with ln_1 and self_attention, heads.head."""

    def __init__(self):
        super().__init__()
        self.conv_proj, self.class_token = nn.Conv2d(3, 16, 8, stride=8), nn.Parameter(torch.randn(1, 1, 16))
        self.encoder = nn.Module()
        self.encoder.layers = nn.Sequential()
        for i in range(3):
            self.encoder.layers.add_module(f"encoder_layer_{i}", TorchvisionBlock())
        self.encoder.ln = nn.LayerNorm(16)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(16, 5))

    def forward(self, x):
        t = self.conv_proj(x).flatten(2).permute(0, 2, 1)
        t = torch.cat([self.class_token.expand(len(t), -1, -1), t], 1)
        return self.heads(self.encoder.ln(self.encoder.layers(t))[:, 0])


class TorchvisionBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.self_attention = nn.LayerNorm(16), nn.MultiheadAttention(16, 2, batch_first=True)
        self.ln_2, self.mlp = nn.LayerNorm(16), nn.Sequential(nn.Linear(16, 24), nn.GELU(), nn.Linear(24, 16))

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class WindowBlock(nn.Module):
    """A Swin block on [N, H, W, C], windows of 2 x 2."""

    def __init__(self, dim):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim), nn.MultiheadAttention(dim, 2, batch_first=True)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        n, h, w, c = x.shape
        y = self.norm1(x).reshape(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(-1, 4, c)
        y = self.attn(y, y, y, need_weights=False)[0]
        x = x + y.reshape(n, h // 2, w // 2, 2, 2, c).transpose(2, 3).reshape(n, h, w, c)
        return x + self.mlp(self.norm2(x))


class TorchvisionSwin(nn.Module):
    """torchvision's (and timm's) Swin: features.N.M on [N, H, W, C], then norm, permute, pool, head."""

    def __init__(self):
        super().__init__()
        self.features = nn.ModuleList([nn.Conv2d(3, 8, 4, stride=4), nn.Sequential(WindowBlock(8), WindowBlock(8)),
                                       nn.Linear(32, 16, bias=False), nn.Sequential(WindowBlock(16), WindowBlock(16))])
        self.norm, self.avgpool, self.head = nn.LayerNorm(16), nn.AdaptiveAvgPool2d(1), nn.Linear(16, 5)

    def forward(self, x):
        x = self.features[1](self.features[0](x).permute(0, 2, 3, 1))
        x = torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)
        x = self.norm(self.features[3](self.features[2](x)))
        return self.head(self.avgpool(x.permute(0, 3, 1, 2)).flatten(1))


SQUARE, WIDE, WIDER = (40, 40), (32, 40), (32, 48)
LAYOUTS = {  # network, image, grid, tokens in front, feature layer, how the head pools ("": no chain a token can pass)
    "ViT": (lambda: hugging("ViT", **TOKENS, image_size=WIDE, num_labels=5), WIDE, (4, 5), 1,
            "vit.layers.2.layernorm_before", "first"),
    "DeiT": (lambda: hugging("DeiT", **TOKENS, image_size=WIDE, num_labels=5), WIDE, (4, 5), 2,
             "deit.layers.2.layernorm_before", "first"),
    "DINOv2": (lambda: hugging("Dinov2", **TOKENS, image_size=40, num_labels=5), SQUARE, (5, 5), 1,
               "dinov2.encoder.layer.2.norm1", "first and patches"),
    "DINOv2 with registers": (lambda: hugging("Dinov2WithRegisters", **TOKENS, image_size=40, num_labels=5,
                                              num_register_tokens=4), SQUARE, (5, 5), 5,
                              "dinov2_with_registers.encoder.layer.2.norm1", "first and patches"),
    "CLIP": (lambda: tower("CLIP"), SQUARE, (5, 5), 1, "vision_model.encoder.layers.2.layer_norm1", "patches"),
    "SigLIP": (lambda: tower("Siglip"), SQUARE, (5, 5), 0, "vision_model.encoder.layers.2.layer_norm1", "mean"),
    "torchvision ViT": (TorchvisionViT, WIDE, (4, 5), 1, "encoder.layers.encoder_layer_2.ln_1", "first"),
}
WINDOWED = {
    "Swin": (lambda: hugging("Swin", **WINDOWS, image_size=WIDER, window_size=2), WIDER, (4, 6),
             "swin.encoder.layers.1.blocks.1.layernorm_before"),
    "Swin v2, norms after attention": (lambda: hugging("Swinv2", **WINDOWS, image_size=32, window_size=4), (32, 32), (4, 4),
                                       "swinv2.encoder.layers.1.blocks.0"),
    "torchvision Swin": (TorchvisionSwin, WIDER, (4, 6), "features.3.1.norm1"),
}


def made(build, size):
    torch.manual_seed(3)
    net = build().eval()
    for p in net.parameters():
        if p.ndim > 1:
            nn.init.normal_(p, std=0.3)
    return net, torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))


def hooked(net, layer, x, cls):
    """Features and their gradient at a layer, by a hook; the network's logits."""
    kept = []
    handle = net.get_submodule(layer).register_forward_hook(
        lambda m, i, o: kept.append(o[0] if isinstance(o, tuple) else o))
    out = net(x.clone().requires_grad_())
    handle.remove()
    logits = getattr(out, "logits", out)
    return kept[0].detach(), torch.autograd.grad(logits[:, cls].sum(), kept[0])[0], logits.detach()


def close(got, expected, tolerance=1e-4):
    expected = np.asarray(expected)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("name", LAYOUTS)
def test_grad_cam_draws_the_patches(name):
    build, size, grid, prefix, layer, pool = LAYOUTS[name]
    net, x = made(build, size)
    a, g, _ = hooked(net, layer, x, 1)
    a, g = a[:, prefix:], g[:, prefix:]
    assert a.shape[1] == grid[0] * grid[1]
    for i, e in enumerate(sw.explain(sw.Model(net), x, sw.why(1), method="grad-cam")):
        assert e.layer == layer
        close(e.values, (a[i] * g[i].mean(0)).sum(-1).reshape(grid))
        assert any("near chance" in n for n in e.notices) == pool.startswith("first")


@pytest.mark.parametrize("name", LAYOUTS)
def test_token_methods_know_what_the_head_reads(name):
    build, size, grid, prefix, _, pool = LAYOUTS[name]
    net, x = made(build, size)
    model = sw.Model(net)
    evidence = class_evidence(sw.prepare(model, x, "class-embedding"))
    assert evidence.shape == (3, 2, prefix + grid[0] * grid[1], 5)
    path = token_path(model, x, "rollout")
    assert (path.tail.pool, path.layout.prefix) == (pool, prefix)
    if "and" not in pool:  # the mean over what is read of each token's logits is the network's own
        read = evidence[-1, :, {"first": slice(0, 1), "mean": slice(None), "patches": slice(prefix, None)}[pool]].mean(1)
        close(read, model.logits(x))
    row = path.queries(x)
    expected = torch.zeros(prefix + grid[0] * grid[1])
    expected[{"mean": slice(None), "patches": slice(prefix, None)}.get(pool, slice(0, 1))] = 1
    close(row, expected / expected.sum())
    for method in ("rollout", "gradient-x-attention"):
        for e in sw.explain(model, x, sw.why(1), method=method):
            assert e.values.shape == grid
            assert e.values.max() > 0


@pytest.mark.parametrize("name", WINDOWED)
def test_windows(name):
    build, size, grid, layer = WINDOWED[name]
    net, x = made(build, size)
    a, g, logits = hooked(net, layer, x, 2)
    a, g = (t.reshape(2, *grid, -1) for t in (a, g))
    for i, e in enumerate(sw.explain(sw.Model(net), x, sw.why(2), method="grad-cam")):
        assert e.layer == layer
        close(e.values, (a[i] * g[i].mean((0, 1))).sum(-1))
        assert not any("near chance" in n for n in e.notices)
    for method in ("rollout", "gradient-x-attention"):
        with pytest.raises(MethodError, match=r"grad-cam.*occlusion"):
            sw.explain(sw.Model(net), x, sw.why(2), method=method)
    if name == "torchvision Swin":  # its blocks put out maps, not one sequence of tokens
        with pytest.raises(MethodError, match="grad-cam"):
            sw.explain(sw.Model(net), x, sw.why(2), method="class-embedding")
    else:
        embedded = sw.explain(sw.Model(net), x, sw.why(2), method="class-embedding")
        close([e.values.mean() for e in embedded], logits[:, 2])


def test_a_tower_without_classes_is_asked_for_a_match():
    tr = pytest.importorskip("transformers")
    config = tr.CLIPVisionConfig(**TOKENS, image_size=40, projection_dim=6)
    net, x = made(lambda: tr.CLIPVisionModelWithProjection(config), SQUARE)
    other = torch.randn(1, 6, generator=torch.Generator().manual_seed(0))
    score = float(F.cosine_similarity(net(x[:1]).image_embeds, other).detach())
    for method in ("grad-cam", "gradient-x-attention", "occlusion"):
        e = sw.explain(sw.Model(net), x[0], sw.why_match(other), method=method)
        assert np.abs(e.values).max() > 0
        assert e.score == pytest.approx(score, rel=1e-3)
