"""Eraser: the paint, what the map says of it and what the model says, requests and their errors."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import InputError, QuestionError
from salwidgets.metrics.erasing import Erasing
from salwidgets.widgets.eraser import _hex
from salwidgets.widgets.requests import Stopped, Worker

CLASSES = ["husky", "wolf", "cat"]
TREE = sw.Taxonomy.from_nested({"animal": {"dog": ["husky", "wolf"], "feline": ["cat"]}})


class Sums(torch.nn.Module):
    """Linear: each class is a known weight times each pixel, so what any paint does is known by hand. Not square."""

    def __init__(self) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(0)
        self.weight = torch.nn.Parameter(torch.randn(3, 3, 30, 50, generator=g) * 0.05)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("kchw,nchw->nk", self.weight, x)


@pytest.fixture(scope="module")
def model() -> sw.Model:
    return sw.Model(Sums().eval(), classes=CLASSES, taxonomy=TREE)


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.rand(3, 30, 50, generator=torch.Generator().manual_seed(1))


def ask(view: sw.Eraser, **request: Any) -> dict[str, Any]:
    """As the browser does: a request with an id, and the reply to it."""
    view.request = {"do": "score", "fill": view.fill, "paint": view.paint, "id": "r1", **request}
    assert view._worker.wait(10)
    return dict(view.reply)


def test_a_linear_model_does_exactly_what_a_complete_map_predicts(model: sw.Model, x: torch.Tensor) -> None:
    e = sw.explain(model, x, sw.why("husky").rather_than("cat"), method="integrated-gradients")
    view = sw.Eraser(model, e)
    found = view.erase((5, 10, 20, 40), "black")
    w = model.net.weight.detach()
    by_hand = -float(((w[0] - w[2]) * x)[:, 5:20, 10:40].sum())
    assert found.change == pytest.approx(by_hand, rel=1e-4)
    assert found.predicted == pytest.approx(by_hand, rel=1e-3)
    assert found.explained == pytest.approx(1, rel=1e-3)
    assert found.whole == pytest.approx(0, abs=1e-4)
    assert found.share_of_drop == pytest.approx(found.share_of_map, rel=1e-3)
    assert view.mask.sum() == 15 * 30
    assert view.answer["now"] == pytest.approx(found.now)
    mass = np.frombuffer(view.mass["view"], np.float32).reshape(view.mass["shape"])
    painted = view._painted(view.paint)
    assert mass[painted].sum() == pytest.approx(found.under, rel=1e-4)  # what the browser sums
    assert mass.sum() == pytest.approx(found.total, rel=1e-4)


@pytest.mark.parametrize("fill", ["blur", "mean", "black"])
def test_each_fill_is_that_of_the_metrics(model: sw.Model, x: torch.Tensor, fill: str) -> None:
    from salwidgets.metrics.fills import make_fill

    e = sw.explain(model, x, sw.why("dog"), method="occlusion", window=10, stride=10)
    view = sw.Eraser(model, e, fill=fill)
    mask = np.zeros((30, 50), bool)
    mask[3:9, 20:33] = True
    found = view.erase(mask)
    filled = make_fill(model, fill).still(x[None])[0].numpy()
    changed = torch.from_numpy(np.where(view.mask, filled, x.numpy()))
    expected = model.predict(changed).logits[0]
    np.testing.assert_allclose(found.logits, expected, rtol=1e-4, atol=1e-5)
    assert found.now == pytest.approx(expected[:2].mean(), rel=1e-4, abs=1e-5)
    assert found.predicted is None
    p = model.predict(changed).probabilities[0]
    rows = {r["name"]: r for r in view.answer["rows"]}
    assert rows["dog"]["now"] == pytest.approx(p[:2].sum(), rel=1e-4)
    assert rows["dog"]["kind"] == "target"
    assert rows["cat"]["now"] == pytest.approx(p[2], rel=1e-4)


def test_coarse_cells_are_divided_by_area(model: sw.Model, x: torch.Tensor) -> None:
    e = sw.explain(model, x, sw.why("cat"), method="occlusion", window=10, stride=10)
    e.values = np.arange(6, dtype=np.float32).reshape(2, 3)
    erasing = Erasing(model, e)
    mask = np.zeros((30, 50), bool)
    mask[:15, :25] = True  # the upper left cell, and half of the one beside it
    np.testing.assert_allclose(erasing.cover(mask), [[1, 0.5, 0], [0, 0, 0]], atol=1e-9)


def test_requests_are_answered_with_their_id_and_errors_name_the_input(model: sw.Model, x: torch.Tensor) -> None:
    e = sw.explain(model, x, sw.why("cat"), method="integrated-gradients")
    view = sw.Eraser(model, e)
    view.request = {"do": "hello", "id": "h"}
    assert view.alive == "h"
    paint = _hex(np.ones(view._cells, bool))
    assert ask(view, paint=paint, fill="mean") == {"id": "r1", "state": "done", "text": ""}
    assert view.answer["id"] == "r1"
    assert (view.answer["paint"], view.answer["fill"]) == (paint, "mean")
    for bad in ({"paint": "zz"}, {"paint": "00"}, {"fill": "gold"}, {"paint": None}):
        reply = ask(view, id="bad", **bad)
        assert (reply["id"], reply["state"]) == ("bad", "failed")
    assert "Why “cat”?" in ask(view, id="b2", paint="zz")["text"]
    assert view.answer["id"] == "r1"  # what was there stays
    view.request = {"do": "rubbish"}
    view.request = {}


def test_a_model_that_fails_says_so_in_the_widget(model: sw.Model, x: torch.Tensor, monkeypatch: Any) -> None:
    view = sw.Eraser(model, sw.explain(model, x, sw.why("cat"), method="integrated-gradients"))
    def broken(*_: Any) -> Any:
        raise RuntimeError("no <b>memory</b>")

    monkeypatch.setattr(view._erasing, "_logits", broken)
    reply = ask(view)
    assert reply["state"] == "failed"
    assert "RuntimeError: no <b>memory</b>" in reply["text"]


def test_wrong_inputs_are_refused(model: sw.Model, x: torch.Tensor) -> None:
    e = sw.explain(model, x, sw.why("cat"), method="integrated-gradients")
    with pytest.raises(InputError, match="not ndarray"):
        sw.Eraser(model, np.zeros((3, 3)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="give the sw"):
        sw.Eraser(Sums(), e)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="choose one of"):
        sw.Eraser(model, e, fill="gold")
    other = Sums().eval()
    other.weight.data += 1
    with pytest.raises(InputError, match="another model"):
        sw.Eraser(sw.Model(other, classes=CLASSES), e)
    with pytest.raises(InputError, match="answers no question"):
        sw.Eraser(model, sw.from_array(np.ones((3, 5)), np.zeros((30, 50, 3), np.uint8)))
    with pytest.raises(QuestionError):
        sw.Eraser(model, e, groups=["unicorn"])
    view = sw.Eraser(model, e)
    with pytest.raises(InputError, match="paint bool"):
        view.erase(np.zeros((30, 50)))
    with pytest.raises(InputError, match="bytes"):
        view.paint = "00"


def test_strange_maps_are_summed_truthfully(model: sw.Model, x: torch.Tensor) -> None:
    e = sw.explain(model, x, sw.why("cat"), method="occlusion", window=10, stride=10)
    for values in (np.zeros((3, 5)), np.array([[np.nan]]), np.array([[np.inf, 1.0]])):
        e.values = values.astype(np.float32)
        found = sw.Eraser(model, e).erase((0, 0, 30, 50))
        assert found.under == pytest.approx(float(np.where(np.isfinite(values), values, 0).sum()))
        assert sw.Eraser(model, e).figure()


def test_it_links_draws_and_leaves_a_page(model: sw.Model, x: torch.Tensor, tmp_path: Any) -> None:
    e = sw.explain(model, x, sw.why("husky").rather_than("cat"), method="integrated-gradients")
    heat = sw.Heatmap(e)
    view = sw.Eraser(model, e, link=heat)
    heat.selection = {"box": [5, 10, 20, 40]}
    assert view.selection["box"] == [5, 10, 20, 40]
    view.erase(view.selection["box"], "mean")
    view.figure().savefig(tmp_path / "eraser.pdf")
    page = view.save_html(tmp_path / "eraser.html").read_text()
    assert view.paint in page
    view.reset()
    assert not view.mask.any()
    assert view.figure()


class Gate:
    """Work that waits to be let go."""

    def __init__(self) -> None:
        self.open, self.started, self.done = threading.Event(), threading.Event(), []

    def __call__(self, request: dict[str, Any], task: Any) -> None:
        self.started.set()
        while not self.open.wait(0.01):
            task.check()
        task.check()
        self.done.append(request["id"])


def test_the_newest_request_wins() -> None:
    gate, told = Gate(), []
    worker = Worker(gate, told.append)
    worker.submit({"id": "a"})
    assert gate.started.wait(5)
    for id in "bcd":
        worker.submit({"id": id})
    gate.open.set()
    assert worker.wait(5)
    assert gate.done == ["d"]
    assert [r["id"] for r in told if r["state"] != "working"] == ["d"]


def test_a_request_is_stopped_and_tells_how_far_it_is() -> None:
    gate, told = Gate(), []
    worker = Worker(gate, told.append)
    worker.submit({"id": "a"})
    assert gate.started.wait(5)
    time.sleep(1.2)
    worker.stop()
    assert worker.wait(5)
    assert told[-1] == {"id": "a", "state": "stopped", "text": ""}
    assert told[0]["state"] == "working"  # a sign of life once a second
    assert gate.done == []

    def steps(request: dict[str, Any], task: Any) -> None:
        for i in range(4):
            task.step(i / 4, f"part {i}")
            time.sleep(0.2)

    told.clear()
    worker = Worker(steps, told.append)
    worker.submit({"id": "b"})
    assert worker.wait(5)
    said = [(r["text"], r["share"]) for r in told if r["state"] == "working"]
    assert said[:4] == [("part 0", 0), ("part 1", 0.25), ("part 2", 0.5), ("part 3", 0.75)]
    assert 0.05 < next(r["left"] for r in told if r["text"] == "part 3") < 2
    with pytest.raises(Stopped):
        worker._now or _stopped_task()


def _stopped_task() -> None:
    from salwidgets.widgets.requests import Task

    task = Task("x", lambda reply: None)
    task.stop()
    task.step(0.5, "")


def test_threads_take_turns_with_a_model(model: sw.Model, x: torch.Tensor) -> None:
    e = sw.explain(model, x, sw.why("cat"), method="integrated-gradients")
    view, wrong = sw.Eraser(model, e), []

    def ask_again() -> None:
        for _ in range(20):
            again = sw.explain(model, x, sw.why("cat"), method="integrated-gradients")
            if not np.allclose(again.values, e.values, atol=1e-6):
                wrong.append(again)

    other = threading.Thread(target=ask_again)
    other.start()
    found = [view.erase((5, 10, 20, 40), "black").change for _ in range(20)]
    other.join()
    assert wrong == []
    assert np.ptp(found) < 1e-6
