"""Workbench: what it answers, what it keeps, requests from the browser and their errors, pages and figures."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import InputError, MethodError, QuestionError
from salwidgets.widgets import bench as bench_module
from salwidgets.widgets.export import page_state


@pytest.fixture(scope="module")
def world() -> Any:
    return sw.worlds.creatures(n=4, seed=0)


@pytest.fixture(scope="module")
def model(world: Any) -> sw.Model:
    return world.model("cnn")


@pytest.fixture
def view(world: Any, model: sw.Model) -> Any:
    found = sw.Workbench(model, world.images, methods=["grad-cam", "lrp"])
    yield found
    found.close()


def request(view: Any, **asked: Any) -> dict[str, Any]:
    """As the browser asks, and the reply."""
    now = {"target": view.shown["target"], "foil": "", "index": view.index, "methods": list(view.methods), "lead": ""}
    view.request = {"do": "ask", "id": "r1", **now, **asked}
    assert view._worker.wait(20)
    return dict(view.reply)


def test_it_answers_as_explain_does(world: Any, model: sw.Model, view: Any) -> None:
    group = world.taxonomy.parent(world.labels[1])
    foil = next(c for c in world.classes if c not in world.taxonomy.members(group))
    view.index = 1
    view.question = sw.why(group).rather_than(foil)
    assert view.answers.shape == (1, 1, 2)
    for e, method in zip(view.answers, ["grad-cam", "lrp"], strict=True):
        alone = sw.explain(model, world.images[1], sw.why(group).rather_than(foil), method=method)
        np.testing.assert_allclose(e.values, alone.values, rtol=1e-4, atol=1e-6)
        assert e.score == pytest.approx(alone.score, rel=1e-5)
    assert view.title == view.heading == f"Why “{group}” rather than “{foil}”?"
    p = model.predict(world.images[1]).probabilities[0]
    rows = {r["name"]: r for r in view.scores}
    assert rows[foil] == {"name": foil, "kind": "foil", "p": pytest.approx(p[world.classes.index(foil)], rel=1e-3)}
    members = [world.classes.index(m) for m in world.taxonomy.members(group)]
    assert rows[group]["p"] == pytest.approx(p[members].sum(), rel=1e-4)
    assert view.shown_map() is not None and len(view.shown_maps()) == 2


def test_evidence_is_made_once_for_each_picture_and_method(world: Any, model: sw.Model, monkeypatch: Any) -> None:
    made: list[tuple[str, int]] = []
    from salwidgets import explainers

    original = explainers.prepare

    def counted(model: Any, x: Any, method: str, **options: Any) -> Any:
        made.append((method, int(torch.argmin((world.images - x).abs().flatten(1).sum(1)))))
        return original(model, x, method, **options)

    monkeypatch.setattr(explainers, "prepare", counted)
    view = sw.Workbench(model, world.images, methods=["grad-cam", "occlusion"])
    assert made == [("grad-cam", 0), ("occlusion", 0)]
    view.question = sw.why(world.classes[3]).rather_than(world.classes[4])
    view.lead = "occlusion"
    assert len(made) == 2
    view.index = 2
    assert made[2:] == [("grad-cam", 2), ("occlusion", 2)]
    view.index = 0
    assert len(made) == 4
    assert view.shown["lead"] == "occlusion"
    assert "occlusion" in view.parts["words"].shown[0].text.lower()
    np.testing.assert_array_equal(view.shown_map(), view.answers[1].values)
    view.close()


def test_requests_are_answered_with_their_id_and_errors_name_the_input(world: Any, view: Any) -> None:
    view.request = {"do": "hello", "id": "h"}
    assert view.alive == "h"
    a, b = world.classes[5], world.classes[6]
    assert request(view, target=a, foil=b, index=3, lead="lrp") == {"id": "r1", "state": "done", "text": ""}
    assert view.shown == {"target": a, "foil": b, "index": 3, "methods": ["grad-cam", "lrp"], "lead": "lrp",
                          "erasing": False}
    before = view.answers
    for bad in ({"target": "unicorn"}, {"index": 99}, {"methods": []}, {"methods": ["gradcam"]}, {"target": a, "foil": a},
                {"index": "x"}):
        reply = request(view, **{"id": "bad", **bad})
        assert (reply["id"], reply["state"]) == ("bad", "failed"), bad
        assert reply["text"]
    assert view.answers is before
    view.request = {"do": "rubbish"}
    view.request = {}


def test_one_method_that_fails_leaves_the_others_and_is_named(world: Any, view: Any, monkeypatch: Any) -> None:
    original = bench_module.Bench._one

    def broken(self: Any, question: Any, index: int, method: str) -> Any:
        if method == "lrp":
            raise RuntimeError("no <b>memory</b>")
        return original(self, question, index, method)

    monkeypatch.setattr(bench_module.Bench, "_one", broken)
    assert request(view, index=1)["state"] == "done"
    assert view.failures == ["Picture 2, lrp: RuntimeError: no <b>memory</b>"]
    assert [e.method for e in view.answers] == ["grad-cam"]
    reply = request(view, methods=["lrp"])
    assert reply["state"] == "failed" and "Picture 1, lrp" in reply["text"]
    with pytest.raises(MethodError, match="Picture 1, lrp"):
        view.methods = ["lrp"]


def test_work_is_stopped_in_the_middle_and_the_newest_wins(world: Any, model: sw.Model) -> None:
    view = sw.Workbench(model, world.images)
    started = threading.Event()
    told: list[dict[str, Any]] = []
    view.observe(lambda change: told.append(change["new"]), "reply")
    step = view._bench._step

    def slowly(done: int, total: int) -> None:
        started.set()
        time.sleep(0.02)
        step(done, total)

    view._bench._step = slowly
    shown = dict(view.shown)
    now = {"do": "ask", "target": shown["target"], "foil": "", "index": 0, "lead": ""}
    view.request = {**now, "id": "slow", "methods": ["rise"]}
    assert started.wait(10)
    view.request = {"do": "stop", "id": "s"}
    assert view._worker.wait(10)
    assert view.reply == {"id": "slow", "state": "stopped", "text": ""}
    assert view.shown == shown
    said = [r for r in told if r["state"] == "working"]
    assert said and all("rise on Picture 1" in r["text"] for r in said)
    assert max(r["share"] for r in said) < 1
    started.clear()
    view.request = {**now, "id": "old", "methods": ["rise"]}
    assert started.wait(10)
    view.request = {**now, "id": "new", "methods": ["lrp"]}
    assert view._worker.wait(10)
    assert view.reply["id"] == "new" and view.shown["methods"] == ["lrp"]
    assert "old" not in [r["id"] for r in told if r["state"] != "working"]
    view.close()


def test_linked_views_ask_it_and_are_asked(world: Any, model: sw.Model, view: Any) -> None:
    contrast = sw.Contrast(sw.prepare(model, world.images[0], "grad-cam"), world.classes[1], world.classes[2])
    sw.link(view, contrast)
    view.question = sw.why(world.classes[4]).rather_than(world.classes[7])
    assert (contrast.target, contrast.foil) == (world.classes[4], world.classes[7])
    contrast.target = world.classes[9]
    assert view.title == f"Why “{world.classes[9]}” rather than “{world.classes[7]}”?"
    view.parts["tree"].question = sw.why(world.classes[0])
    assert view.title == f"Why “{world.classes[0]}”?"
    contrast.selection = {"box": [10, 10, 20, 30]}
    assert view.parts["maps"].selection["box"] == [10, 10, 20, 30]


def test_a_part_is_erased_on_the_map_that_the_sentences_tell(world: Any, view: Any) -> None:
    view.erasing = True
    paint = view.parts["eraser"]
    assert paint.explanation is view.answers[0]
    view.lead = "lrp"
    paint = view.parts["eraser"]
    assert paint.explanation is view.answers[1]
    found = paint.erase((10, 10, 40, 40))
    assert found.change != 0
    view.erasing = False
    assert "eraser" not in view.parts


def test_why_asks_about_what_is_predicted(world: Any, model: sw.Model, view: Any) -> None:
    said = [world.classes[int(i)] for i in model.predict(world.images).logits.argmax(1)]
    view.index = 2
    view.question = sw.why()
    assert view.title == f"Why “{said[2]}”?"
    assert sw.Workbench(model, world.images, sw.why(), index=1).title == f"Why “{said[1]}”?"


def test_names_of_regions_belong_to_their_picture(view: Any) -> None:
    view.regions = {"left ear": [4, 6, 20, 30]}
    assert view.parts["maps"].regions == {"left ear": [4, 6, 20, 30]}
    assert "left ear" in view.parts["words"].shown[0].text
    view.index = 1
    assert view.regions == {} and "left ear" not in view.parts["words"].shown[0].text
    view.index = 0
    assert view.regions == {"left ear": [4, 6, 20, 30]}
    assert "left ear" in view.parts["words"].shown[0].text


def test_wrong_inputs_are_refused(world: Any, model: sw.Model, view: Any) -> None:
    with pytest.raises(InputError, match=r"sw\.Model"):
        sw.Workbench(torch.nn.Linear(2, 2), world.images)  # type: ignore[arg-type]
    with pytest.raises(MethodError, match="no method that this model can run"):
        sw.Workbench(model, world.images, methods=["rollout"])
    with pytest.raises(InputError, match="out of range"):
        sw.Workbench(model, world.images, index=4)
    with pytest.raises(InputError, match="labels= names 1"):
        sw.Workbench(model, world.images, labels=["a"])
    with pytest.raises(MethodError, match="one method at least"):
        view.methods = []
    with pytest.raises(InputError, match="there are 4 pictures"):
        view.index = 7
    with pytest.raises(QuestionError):
        view.question = sw.why("unicorn")
    with pytest.raises(QuestionError):
        view.question = "husky"
    rows = sw.Model(torch.nn.Sequential(torch.nn.Linear(4, 3)), classes=["a", "b", "c"])
    with pytest.raises(InputError, match="shows pictures"):
        sw.Workbench(rows, torch.zeros(2, 4))


def test_a_black_box_is_asked_by_methods_that_need_scores_only(world: Any, model: sw.Model) -> None:
    box = sw.Model(lambda x: model.logits(x), classes=world.classes, taxonomy=world.taxonomy)
    view = sw.Workbench(box, world.images[:1])
    names = [m["name"] for m in view.available]
    assert "occlusion" in names and "grad-cam" not in names
    assert view.answers[0].method in names
    view.close()


def test_pages_and_figures(view: Any, tmp_path: Path) -> None:
    from ipywidgets.widgets.widget import _instances

    text = view.save_html(tmp_path / "bench.html").read_text()
    models = page_state([view])
    inside = [ref.removeprefix("anywidget:") for ref in view.get_state()["parts"].values()]
    assert len(inside) == 3 and set(inside) <= set(models)
    assert {models[i]["state"]["_view"] for i in inside} == {"classtree", "comparison", "narrative"}
    assert all(i in text for i in inside)
    figure = view.figure(width="cvpr-double")
    assert figure.get_figwidth() == pytest.approx(6.875, rel=1e-3)
    figure.savefig(tmp_path / "bench.pdf")
    assert (tmp_path / "bench.pdf").read_bytes().startswith(b"%PDF")
    assert "grad-cam" in view.alt and "lrp" in view.alt
    n = len(_instances)
    view.index = 2
    view.methods = ["grad-cam"]
    assert len(_instances) == n  # what is replaced is closed


def test_kept_evidence_has_a_limit_and_the_one_longest_not_asked_goes(world: Any, model: sw.Model) -> None:
    view = sw.Workbench(model, world.images, methods=["grad-cam"], kept=2)
    view.index = 1
    view.index = 0
    view.index = 2
    assert list(view._bench._evidence) == [(0, "grad-cam"), (2, "grad-cam")]
    view.methods = ["grad-cam", "lrp", "saliency"]  # more than is kept: all are answered none the less
    assert [e.method for e in view.answers] == ["grad-cam", "lrp", "saliency"]
    assert len(view._bench._evidence) == 2
    view.close()
    with pytest.raises(InputError, match="kept=0"):
        sw.Workbench(model, world.images, kept=0)


def test_a_network_that_was_trained_on_is_asked_anew_after_forget(world: Any) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, 4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(4),
                              torch.nn.Flatten(), torch.nn.Linear(64, 3))
    model = sw.Model(net, classes=["a", "b", "c"])
    view = sw.Workbench(model, world.images[:2], sw.why("a").rather_than("b"), methods=["occlusion", "grad-cam"], index=1)
    with torch.no_grad():
        net[-1].weight.mul_(-2).add_(0.1)
        net[-1].bias.copy_(torch.tensor([0.0, 5.0, 0.0]))
    found = view.forget()
    assert found is view.answers and view.index == 1
    assert view.title == "Why “a” rather than “b”?"
    for e in found:
        np.testing.assert_allclose(e.values, sw.explain(model, world.images[1], sw.why("a").rather_than("b"),
                                                        method=e.method).values, rtol=1e-4, atol=1e-6)
    p = model.predict(world.images[1]).probabilities[0]
    assert next(r for r in view.scores if r["name"] == "b")["p"] == pytest.approx(p[1], rel=1e-4)
    assert [view.parts["tree"].share_of(c) for c in "abc"] == pytest.approx(p, rel=1e-4)
    view.close()
