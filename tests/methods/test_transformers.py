"""Rollout, gradient x attention and class embedding, beside plain loops over attention that the nets themselves hand out."""

import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.errors import MethodError, ModelError
from salwidgets.explainers.class_embedding import class_evidence, identifiability
from salwidgets.models import session
from salwidgets.models.attention import token_path
from salwidgets.models.session import attending
from tests.core import nets
from tests.methods.vits import Broken, Readable, transformer

METHODS = ("rollout", "gradient-x-attention", "class-embedding")
LOOKING = METHODS[:2]
NAMES = list("abcde")
TREE = sw.Taxonomy.from_nested({"vowel": ["a", "e"], "consonant": ["b", "c", "d"]})
QUESTIONS = [sw.why("a"), sw.why("b").rather_than("c"), sw.why("vowel", pool="logsumexp").rather_than("d")]
REAL = pytest.param("real", marks=pytest.mark.real)


def close(got, expected, tolerance=1e-5):
    expected = np.asarray(expected.detach() if isinstance(expected, torch.Tensor) else expected)
    np.testing.assert_allclose(got, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


def asked(question, logits):
    """The question's score of logits [N, K], written out for the three questions above."""
    a, b, c, d, e = logits.unbind(1)
    return {0: a, 1: b - c, 2: torch.logsumexp(torch.stack([a, e], 1), 1) - d}[QUESTIONS.index(question)]


def rolled_out(attention, read):
    """Abnar & Zuidema, slowly: one input, one matrix product per block."""
    out = torch.eye(attention[0].shape[-1])
    for a in attention:
        mean = sum(a[h] for h in range(len(a))) / len(a)
        out = (0.5 * mean + 0.5 * torch.eye(len(mean))) @ out
    return out[read].mean(0)


def chefer(attention, gradients, read):
    """Chefer et al., slowly: one input, R <- R + A_bar R."""
    r = torch.eye(attention[0].shape[-1])
    for a, g in zip(attention, gradients, strict=True):
        r = r + (g * a).clamp(min=0).mean(0) @ r
    return (r - torch.eye(len(r)))[read].mean(0)


def written_out(net, x):
    """The tokens after each block and the attention [N, heads, T, T] of a TinyViT, from its weights alone."""
    t = net.patch_embed(x).flatten(2).mT
    t = torch.cat([net.prefix.expand(len(t), -1, -1), t], 1) + net.pos
    tokens, attention = [], []
    for block in net.blocks:
        m = block.attn
        q, k, v = (F.linear(block.norm1(t), w, b).unflatten(2, (2, 8)).transpose(1, 2)
                   for w, b in zip(m.in_proj_weight.chunk(3), m.in_proj_bias.chunk(3), strict=True))
        attention.append(torch.exp(q @ k.mT / 8**0.5) / torch.exp(q @ k.mT / 8**0.5).sum(-1, keepdim=True))
        t = t + m.out_proj((attention[-1] @ v).transpose(1, 2).flatten(2))
        t = t + block.mlp(block.norm2(t))
        tokens.append(t)
    return tokens, attention, net.head(net.norm(t)[:, 0])


def wrapped(net, **kw):
    return sw.Model(net, classes=NAMES, taxonomy=TREE, **kw)


class TestPlainLoops:
    @pytest.mark.parametrize("depth", [1, 2, 4])
    def test_multihead_attention(self, depth):
        net, x = nets.TinyViT(depth=depth).eval(), nets.images(3)
        es = sw.explain(wrapped(net), x, QUESTIONS, method=METHODS)
        tokens, attention, logits = written_out(net, x)
        close(logits.detach(), net(x))
        for i in range(3):
            for q, question in enumerate(QUESTIONS):
                rollout, relevance, embedded = (es[i, q, m] for m in range(3))
                g = torch.autograd.grad(asked(question, logits)[i], attention, retain_graph=True)
                close(rollout.values, rolled_out([a[i] for a in attention], [0])[3:].reshape(4, 5))
                close(relevance.values, chefer([a[i] for a in attention], [a[i] for a in g], [0])[3:].reshape(4, 5))
                z = logits[i:i + 1].detach().requires_grad_()
                w = torch.autograd.grad(asked(question, z)[0], z)[0][0]
                close(embedded.values, (net.head(net.norm(tokens[-1][i]))[3:] @ w).reshape(4, 5))

    @pytest.mark.parametrize("attention", ["eager", "sdpa"])
    @pytest.mark.parametrize("kind", ["vit", "deit", "dinov2"])
    def test_transformers_own_attention(self, kind, attention):
        net, prefix = transformer(kind)
        own = net(nets.images(2), output_attentions=True, output_hidden_states=True)
        es = sw.explain(wrapped(transformer(kind, attention)[0]), nets.images(2), QUESTIONS, method=METHODS)
        for i in range(2):
            for q, question in enumerate(QUESTIONS):
                g = torch.autograd.grad(asked(question, own.logits)[i], own.attentions, retain_graph=True)
                mine = [a[i] for a in own.attentions]
                close(es[i, q, 0].values, rolled_out(mine, [0])[prefix:].reshape(4, 5))
                close(es[i, q, 1].values, chefer(mine, [a[i] for a in g], [0])[prefix:].reshape(4, 5), 1e-4)
        norm = next(m for n, m in net.named_modules() if n.endswith(".layernorm"))
        evidence = class_evidence(sw.prepare(wrapped(net), nets.images(2), "class-embedding"))
        for b, h in enumerate(own.hidden_states[1:]):
            last = norm(h)
            close(evidence[b], net.classifier(torch.cat([last, last], -1) if kind == "dinov2" else last), 1e-4)

    @pytest.mark.parametrize("kind", ["creatures", REAL])
    def test_written_out_and_fused(self, kind, request):
        net, x, prefix = self._trained(kind, request)
        kept = []
        handles = [b.attn.attn_drop.register_forward_hook(lambda m, i, o: kept.append(o)) for b in net.blocks]
        x.requires_grad_()
        logits = net(x)
        for handle in handles:
            handle.remove()
        g = torch.autograd.grad(logits[0, 1] - logits[0, 2], kept)
        side = round((kept[0].shape[-1] - prefix) ** 0.5)
        model, q = sw.Model(net), sw.why(1).rather_than(2)
        for fused in (False, True) if kind == "real" else (False,):
            for block in net.blocks:
                block.attn.fused_attn = fused
            a, b = sw.explain(model, x.detach(), q, method=LOOKING)
            close(a.values, rolled_out([k[0] for k in kept], [0])[prefix:].reshape(side, side))
            close(b.values, chefer([k[0] for k in kept], [k[0] for k in g], [0])[prefix:].reshape(side, side), 1e-3)

    @staticmethod
    def _trained(kind, request):
        if kind == "real":
            from examples.nets import find_data, imagenet_net

            if find_data() is None:
                pytest.skip("no ../shared/data beside the repository")
            return imagenet_net("vit_tiny", find_data()).module.eval(), torch.rand(1, 3, 224, 224), 1
        world = sw.worlds.creatures(n=4)
        model = world.model("vit")
        return model.net.eval(), model.preprocess(world.images[0]).clone(), 5

    def test_identifiability_is_one_minus_rank(self):
        evidence = torch.randn(2, 3, 4, 7, generator=torch.Generator().manual_seed(1))
        got = identifiability(evidence, [6, 0, 3])
        for n, k in enumerate((6, 0, 3)):
            for b in range(2):
                for t in range(4):
                    rank = evidence[b, n, t].argsort(descending=True).tolist().index(k)
                    assert float(got[b, n, t]) == pytest.approx(1 - rank / 7)
        with pytest.raises(MethodError, match="2 classes for 3 inputs"):
            identifiability(evidence, [1, 2])


class TestSameMapsHoweverComputed:
    @pytest.mark.parametrize("way", ["sdpa", "three axes", "torch", "module", "functional"])
    def test_one_attention_many_ways(self, way):
        x = nets.images(2)
        expected = sw.explain(wrapped(Readable("method")), x, QUESTIONS, method=METHODS)
        for a, b in zip(sw.explain(wrapped(Readable(way)), x, QUESTIONS, method=METHODS), expected, strict=True):
            close(a.values, b.values)

    @pytest.mark.parametrize("way", ["module", "method"])
    def test_modules_that_hand_attention_on_are_hooked_in_place_of_the_mode(self, way, monkeypatch):
        net, x, modes = Readable(way).eval(), nets.images(2), []
        model, kind = wrapped(net), session._Attending
        path = token_path(model, x, "rollout")
        assert path.handed == (tuple(f"blocks.{i}.attn.softmax" for i in range(3)) if way == "module" else ())
        monkeypatch.setattr(session, "_Attending", lambda seen: (modes.append(seen), kind(seen))[1])
        es = sw.explain(model, x, QUESTIONS, method=LOOKING)
        assert len(modes) == (0 if way == "module" else len(LOOKING))
        assert not any(m._forward_hooks for m in net.modules())
        other = sw.explain(wrapped(Readable("functional").eval()), x, QUESTIONS, method=LOOKING)
        for a, b in zip(es, other, strict=True):
            close(a.values, b.values)

    def test_a_module_that_changes_the_attention_is_not_taken_for_one_that_hands_it_on(self):
        class Half(nn.Module):
            def forward(self, x):
                return x.mul_(0.5)

        net, x = Readable("method").eval(), nets.images(1)
        for block in net.blocks:
            block.attn.softmax = nn.Sequential(nn.Softmax(-1), Half())
            block.attn.way = "module"
        assert token_path(wrapped(net), x, "rollout").handed == ()

    def test_a_net_told_to_attend_in_another_way_is_seen_again(self):
        net, x = Readable("module").eval(), nets.images(2)
        model = wrapped(net)
        before = sw.explain(model, x, QUESTIONS[0], method="rollout")
        for block in net.blocks:
            block.attn.way = "sdpa"
        for a, b in zip(sw.explain(model, x, QUESTIONS[0], method="rollout"), before, strict=True):
            close(a.values, b.values)

    def test_masks_scales_and_causality_are_kept(self):
        torch.manual_seed(0)
        q, k, v = torch.rand(3, 2, 4, 6, 8).unbind()
        allowed = torch.rand(6, 6) > 0.3
        allowed.fill_diagonal_(True)
        options = [{}, {"attn_mask": allowed}, {"attn_mask": torch.randn(2, 1, 6, 6)}, {"is_causal": True}, {"scale": 0.7}]
        for option in options:
            seen = []
            with attending(lambda a, seen=seen: (seen.append(a), a)[1]):
                got = F.scaled_dot_product_attention(q, k, v, **option)
            close(got, F.scaled_dot_product_attention(q, k, v, **option))
            close(seen[0] @ v, got)
        with attending(lambda a: a):
            got = F.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True)
        close(got, F.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True))

    @pytest.mark.parametrize("need", [True, False])
    @pytest.mark.parametrize("first", [True, False])
    def test_multihead_attention_says_the_same(self, need, first):
        torch.manual_seed(0)
        net, x = nn.MultiheadAttention(8, 2, batch_first=first).eval(), torch.rand(3, 5, 8)
        if not first:
            x = x.transpose(0, 1)
        seen = []
        with torch.no_grad(), attending(lambda a: (seen.append(a.reshape(3, 2, 5, 5)), a)[1]):
            out = net(x, x, x, need_weights=need)
        with torch.no_grad():
            expected = net(x, x, x, average_attn_weights=False)
        close(out[0], expected[0])
        close(seen[0], expected[1])
        assert len(seen) == 1
        assert (out[1] is None) != need

    def test_encoder_layers_and_their_fast_path(self):
        torch.manual_seed(0)
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2,
                                        enable_nested_tensor=False).eval()
        seen = []
        with torch.no_grad(), attending(lambda a: (seen.append(a), a)[1]):
            got = encoder(torch.ones(1, 4, 8).cumsum(1))
        assert len(seen) == 2
        with torch.no_grad():
            close(got, encoder(torch.ones(1, 4, 8).cumsum(1)), 1e-4)

    def test_bf16_and_one_by_one(self):
        x = nets.images(3)
        es = sw.explain(wrapped(nets.TinyViT()), x, QUESTIONS, method=METHODS)
        half = sw.explain(wrapped(nets.TinyViT().to(torch.bfloat16)), x, QUESTIONS, method=METHODS)
        for i in range(3):
            for q, question in enumerate(QUESTIONS):
                for m, method in enumerate(METHODS):
                    close(sw.explain(wrapped(nets.TinyViT()), x[i], question, method=method).values, es[i, q, m].values)
                    assert half[i, q, m].values.dtype == np.float32
                    assert np.corrcoef(half[i, q, m].values.ravel(), es[i, q, m].values.ravel())[0, 1] > 0.98


class TestWhatIsRead:
    @pytest.mark.parametrize("pool, registers, read", [("first", 2, [0]), ("mean", 0, slice(0, None)),
                                                       ("patches", 3, slice(3, None))])
    def test_queries_are_the_tokens_that_the_head_reads(self, pool, registers, read):
        net, x = Readable("method", pool, registers).eval(), nets.images(1)
        kept, prefix = [], net.registers
        with attending(lambda a: (kept.append(a), a)[1]):
            logits = net(x)
        g = torch.autograd.grad(logits[0, 0], kept)
        es = sw.explain(wrapped(net), x, sw.why("a"), method=METHODS)
        close(es[0, 0, 0].values, rolled_out([a[0] for a in kept], read)[prefix:].reshape(4, 5))
        close(es[0, 0, 1].values, chefer([a[0] for a in kept], [a[0] for a in g], read)[prefix:].reshape(4, 5))

    def test_a_mean_of_tokens_is_the_mean_of_their_logits(self):
        model, x = wrapped(Readable("method", "mean")), nets.images(2)
        evidence = class_evidence(sw.prepare(model, x, "class-embedding"))
        assert evidence.shape == (3, 2, 20, 5)
        close(evidence[-1].mean(1), model.logits(x))

    def test_blocks_by_number(self):
        model, x, q = wrapped(nets.TinyViT(depth=3)), nets.images(2), sw.why("a").rather_than("d")
        prepared = sw.prepare(model, x, "class-embedding", block=1)
        evidence = class_evidence(prepared)
        assert evidence.shape == (3, 2, 23, 5)
        assert prepared.layer == "blocks.1"
        for i, e in enumerate(prepared.explain(q)):
            close(e.values, (evidence[1, i, 3:, 0] - evidence[1, i, 3:, 3]).reshape(4, 5))
        close(evidence[-1, :, 0], model.logits(x))
        for block in (3, -4, True, 0.5):
            with pytest.raises(MethodError, match="3 blocks"):
                sw.prepare(model, x, "class-embedding", block=block)

    def test_the_grid_is_the_models_own(self):
        for net in (nets.TinyViT(), Readable("sdpa"), transformer("dinov2")[0]):
            model, x = wrapped(net), nets.images(1)
            assert token_path(model, x, "rollout").layout == model.feature_layer(x).layout
        model = wrapped(nets.TinyViT(), token_grid=(2, 10, 3))
        assert sw.explain(model, nets.images(1), sw.why("a"), method="rollout").values.shape == (2, 10)

    def test_artefact_tokens_are_told_of_their_own_image_only(self):
        net, x = nets.TinyViT().eval(), nets.images(3)
        x[1, :, :8, :8] *= 60.0
        norms = written_out(net, x)[0][-1][:, 3:].norm(dim=-1).detach().numpy()
        middle = np.median(norms, 1, keepdims=True)
        expected = (norms > middle + 4 * np.median(np.abs(norms - middle), 1, keepdims=True)).sum(1)
        assert expected[1] > 0
        assert expected.min() == 0
        for method in METHODS:
            for e, count in zip(sw.explain(wrapped(net), x, sw.why("a"), method=method), expected, strict=True):
                said = [n for n in e.notices if "unusually high norm" in n]
                assert len(said) == (count > 0)
                assert all(n.startswith(f"{count} of 20 patch tokens ") for n in said)


class TestFactsAndRefusals:
    def test_rollout_is_the_same_for_every_question_and_says_so(self):
        es = sw.explain(wrapped(nets.TinyViT()), nets.images(1), QUESTIONS, method="rollout")
        assert all(e.class_blind for e in es)
        close(es[0].values, es[2].values)
        assert 0 < es[0].values.sum() < 1

    def test_methods_share_one_forward(self):
        net = nets.TinyViT()
        model, calls = wrapped(net), []
        sw.explain(model, nets.images(2), sw.why("a"), method="rollout")  # finds the way
        net.register_forward_hook(lambda *a: calls.append(1))
        sw.explain(model, nets.images(2), QUESTIONS, method=["gradient-x-attention", "rollout", "class-embedding"])
        assert len(calls) == 1

    def test_many_questions_are_answered_in_parts(self, monkeypatch):
        from salwidgets.explainers import attention

        q = [sw.why(c) for c in NAMES]
        expected = sw.explain(wrapped(nets.TinyViT()), nets.images(2), q, method="gradient-x-attention")
        monkeypatch.setattr(attention, "_GRADIENT_BYTES", 40_000)
        for a, b in zip(sw.explain(wrapped(nets.TinyViT()), nets.images(2), q, method="gradient-x-attention"), expected,
                        strict=True):
            close(a.values, b.values)

    @pytest.mark.parametrize("method", METHODS)
    def test_networks_without_attention(self, method):
        for net in (nets.plain(), nets.Residual(), nets.plain().__call__):
            with pytest.raises(MethodError, match="occlusion"):
                sw.explain(sw.Model(net), nets.images(1), sw.why(0), method=method)

    @pytest.mark.parametrize("method", LOOKING)
    def test_attention_that_cannot_be_read(self, method):
        tr = pytest.importorskip("transformers")
        swin = tr.SwinForImageClassification(tr.SwinConfig(image_size=32, patch_size=2, embed_dim=8, depths=[2, 2],
                                                           num_heads=[1, 2], window_size=4, num_labels=5))
        with pytest.raises(MethodError, match=r"windows.*grad-cam, or occlusion"):
            sw.explain(sw.Model(swin), torch.rand(1, 3, 32, 32), sw.why(0), method=method)
        embedded = sw.explain(sw.Model(swin), torch.rand(1, 3, 32, 32), sw.why(0), method="class-embedding")
        assert embedded.values.shape == (8, 8)
        with pytest.raises(MethodError, match=r"no softmax.*grad-cam"):
            sw.explain(wrapped(Readable("linear")), nets.images(1), sw.why(0), method=method)

    def test_heads_that_no_token_can_pass(self):
        net = wrapped(Readable("sdpa", "max"))
        with pytest.raises(MethodError, match="no chain of modules"):
            sw.explain(net, nets.images(1), sw.why(0), method="class-embedding")
        assert sw.explain(net, nets.images(1), sw.why(0), method="rollout").values.shape == (4, 5)
        with pytest.raises(MethodError, match="class-embedding"):
            class_evidence(sw.prepare(net, nets.images(1), "rollout"))

    def test_changed_weights_are_noticed(self):
        net = nets.TinyViT()
        looked = sw.prepare(wrapped(net), nets.images(1), "gradient-x-attention")
        embedded = sw.prepare(wrapped(net), nets.images(1), "class-embedding")
        with torch.no_grad():
            for p in net.parameters():
                p.mul_(1.3)
        with pytest.raises(ModelError, match="changed after"):
            looked.explain(sw.why("a"))
        with pytest.raises(ModelError, match="changed after"):
            class_evidence(embedded)


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()])
@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_behind_by_errors(method, error):
    for fine in (0, 1):
        net = Broken(fine, error).train()
        flags = [p.requires_grad for p in net.parameters()]
        fast, fused = torch.backends.mha.get_fastpath_enabled(), F.scaled_dot_product_attention
        with pytest.raises(type(error)):
            sw.explain(sw.Model(net), nets.images(2), sw.why(0), method=method)
        assert [p.requires_grad for p in net.parameters()] == flags
        assert all(m.training for m in net.modules())
        assert not any(m._forward_hooks for m in net.modules())
        assert torch.backends.mha.get_fastpath_enabled() == fast
        assert F.scaled_dot_product_attention is fused
        assert not torch.overrides._get_current_function_mode_stack()


def test_what_was_found_goes_with_the_model():
    model = wrapped(nets.TinyViT())
    sw.explain(model, nets.images(1), sw.why("a"), method="rollout")
    seen = weakref.ref(model)
    del model
    gc.collect()
    assert seen() is None
