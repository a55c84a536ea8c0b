"""`recommend`: only what the model can run, what the figures say, and what is known to mislead."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

import salwidgets as sw
from salwidgets.errors import ModelError, QuestionError
from salwidgets.recommendation import _TABLE, Recommendation
from tests.core import nets

INFO = {m.name: m for m in sw.methods()}
FIGURES = json.loads(_TABLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def world():
    return sw.worlds.creatures(n=1)


QUESTIONS = {"class": sw.why("glimmoth"), "group": sw.why("flutterling"),
             "contrast": sw.why("glimmoth").rather_than("plumemoth")}


@pytest.mark.parametrize("about", QUESTIONS)
@pytest.mark.parametrize("net", ["cnn", "vit"])
def test_what_is_recommended_runs_and_is_the_best_measured(world, net, about):
    model = world.model(net)
    got = sw.recommend(model, QUESTIONS[about])
    assert (got.kind, got.question) == ({"cnn": "cnn", "vit": "transformer"}[net], about)
    assert 2 <= len(got) <= 4
    table = FIGURES[net][about]
    floor = table["random"]["place"]
    avoided = {c.method for c in got.avoid}
    for choice in got:
        assert choice.figures == table[choice.method]
        assert choice.figures["place"] < floor - 0.1
        assert choice.method not in avoided
        assert f"{choice.figures['place']:.2f}" in str(choice)
    fine = [m for m in table if m != "random" and m not in avoided]
    assert got.methods[0] == min(fine, key=lambda m: table[m]["place"])
    assert len({INFO[m].family for m in got.methods}) >= 2
    for choice in got:
        method, small = choice.method, {"n_masks": 8, "n_samples": 4, "steps": 2, "window": 32, "stride": 32}
        params = {k: small.get(k, v) for k, v in choice.params.items()}
        params |= {"n_segments": 4, "n_samples": 16} if method == "kernel-shap" else {}
        e = sw.explain(model, world.images[0], QUESTIONS[about], method=method, progress=False, **params)
        assert e.question.reference_frame == ("contrastive" if about == "contrast" else "pointwise")


def test_what_is_known_to_mislead_is_to_be_avoided(world):
    avoided = {c.method: str(c) for c in sw.recommend(world.model("cnn"), QUESTIONS["contrast"]).avoid}
    assert "weights become random" in avoided["guided-backprop"]
    assert "deconvnet" in avoided
    assert "one map for every question" in avoided["eigen-cam"]
    for blind in (m.name for m in INFO.values() if m.class_blind):
        got = sw.recommend(world.model("vit"), QUESTIONS["contrast"])
        assert blind in {c.method for c in got.avoid}
        assert blind not in got.methods


def test_near_chance_on_a_class_token_is_said(world):
    table = FIGURES["vit"]["class"]
    near = {m for m, f in table.items() if m != "random" and f["place"] > table["random"]["place"] - 0.1}
    said = {c.method for c in sw.recommend(world.model("vit")).avoid if "hardly better than a random map" in str(c)}
    assert said == near


def test_a_callable_gets_methods_that_need_scores_only():
    got = sw.recommend(sw.Model(lambda x: x.flatten(1)), sw.why(3))
    assert got.kind == "black box"
    assert len(got) >= 2
    assert all(INFO[m].needs == ("scores",) for m in [*got.methods, *(c.method for c in got.avoid)])
    assert "Without gradients" in repr(got)


def test_no_attention_no_relevance_rule_no_images(world):
    class Net(nn.Module):
        def __init__(self, conv, *parts):
            super().__init__()
            self.conv, self.parts = conv, nn.Sequential(*parts)

    def named(model):
        got = sw.recommend(model)
        return {*got.methods, *(c.method for c in got.avoid)}, got

    assert not any("attention" in INFO[m].needs for m in named(world.model("cnn"))[0])
    gated = sw.Model(Net(nn.Conv2d(3, 4, 3), nn.GELU()))
    assert "lrp" not in named(gated)[0]
    series, got = named(sw.Model(Net(nn.Conv1d(1, 4, 3), nn.ReLU())))
    assert series and all("series" in INFO[m].modality for m in series)
    assert "measured on images" in repr(got)


def test_a_score_that_saturates_is_asked_itself(world):
    got = sw.recommend(world.model("cnn"), sw.why("flutterling", pool="probability"))
    assert got.question == "group"
    assert "scores" in INFO[got.methods[0]].needs
    assert "asks your score itself" in str(got.best[0])
    assert "not linear" in repr(got)


def test_a_large_network_gets_quick_methods_first():
    class Large(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)
            with torch.device("meta"):
                self.fc = nn.Linear(8, 4_000_000)

    got = sw.recommend(sw.Model(Large()))
    assert "large" in repr(got)
    assert FIGURES["cnn"]["class"][got.methods[0]]["seconds"] <= 0.15


def test_it_knows_a_transformer_when_it_sees_one():
    for net in (nets.TinyViT(), nn.TransformerEncoderLayer(8, 2)):
        assert sw.recommend(sw.Model(net)).kind == "transformer"


def test_it_prints_and_escapes(world):
    got = sw.recommend(world.model("vit"), QUESTIONS["contrast"])
    assert isinstance(got, Recommendation)
    text = repr(got).splitlines()
    assert text[0] == "For a transformer and a contrast question, use"
    assert text[1].startswith("  1. ")
    assert "Avoid" in text
    assert got._repr_html_().count("<li>") == len(got) + len(got.avoid)
    assert [c.method for c in got] == got.methods


def test_bad_input(world):
    with pytest.raises(ModelError):
        sw.recommend("resnet50")
    with pytest.raises(QuestionError):
        sw.recommend(world.model("cnn"), "why glimmoth")
    with pytest.raises(QuestionError, match="glimmot"):
        sw.recommend(world.model("cnn"), sw.why("glimmot"))


def test_the_function_is_not_hidden_by_its_module():
    code = "import salwidgets.recommendation, salwidgets as sw; print(callable(sw.recommend))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "True"
