"""Layers and Randomisation: what crosses, which scale, which errors; the steps and figures of the result that was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import fakes
import numpy as np
import pytest

from salwidgets.errors import InputError
from salwidgets.explanation import Explanation
from salwidgets.questions import why
from salwidgets.widgets import Heatmap, Layers, Randomisation, link


def depth(*grids: tuple[int, int], **fields: Any) -> list[Explanation]:
    es = [fakes.explanation(r, c, **fields) for r, c in grids]
    for i, e in enumerate(es):
        e.layer = f"block.{i}"
    return es


@dataclass
class Result:
    """What `salwidgets.metrics.randomise` returns, made by hand."""

    explanations: list[Explanation]
    order: str = "cascading"
    layers: tuple[str, ...] = ("fc", "conv2", "")
    maps: list[np.ndarray] = field(default_factory=lambda: [np.arange(180, dtype=np.float32).reshape(3, 6, 10)])
    rank_correlation: np.ndarray = field(default_factory=lambda: np.array([[0.5, np.nan, -0.25]]))
    ssim: np.ndarray = field(default_factory=lambda: np.array([[0.4, 0.3, 0.2]]))
    names: tuple[str, ...] = ("fc", "conv2", "(network)")
    seed: int = 3


def unpacked(packed: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(packed["view"], packed["dtype"]).reshape(packed["shape"])


def test_maps_of_any_size_cross_as_one_buffer() -> None:
    es = depth((12, 20), (6, 10), (3, 5))
    view = Layers(es)
    assert view.shapes == [[12, 20], [6, 10], [3, 5]]
    np.testing.assert_array_equal(unpacked(view.maps), np.concatenate([e.values.ravel() for e in es]))
    assert view.labels == ["block.0", "block.1", "block.2"]
    assert view.heading == "Why “husky” rather than “wolf”?"
    assert view.captions[2] == "grad-cam · layer block.2 · 3 × 5 cells on 60 × 100 pixels"
    assert view.at == 2
    assert view.explanation is es[2]
    view.at = 0
    np.testing.assert_array_equal(view.shown_map(), es[0].values)
    with pytest.raises(InputError, match="out of range"):
        view.at = 3
    assert view.at == 0
    assert view.figure()


def test_grids_of_one_size_share_a_scale_and_others_do_not() -> None:
    same = depth((6, 10), (6, 10))
    same[1].values *= 10
    view = Layers(same)
    assert not view.each
    assert view.scale.limits[1] > np.abs(same[0].values).max() * 5
    assert Layers(depth((6, 10), (3, 5))).each
    assert not Layers(depth((6, 10), (3, 5)), scale=view.scale).each
    assert Layers(same, scale="each").each
    with pytest.raises(InputError, match="each"):
        Layers(same, scale="all")


def test_a_region_and_links_are_as_in_every_view() -> None:
    view, heat = Layers(depth((6, 10), (6, 10))), Heatmap(fakes.explanation())
    link(view, heat)
    heat.selection = {"box": [10, 20, 40, 60]}
    assert view.share == heat.share


def test_layers_shows_one_picture_and_one_question() -> None:
    a, b = depth((6, 10), (6, 10))
    other = fakes.explanation()
    other.input = np.ones((3, 60, 100), np.float32)
    asks = fakes.explanation()
    asks.question = why("fox")
    flat = Explanation(np.zeros(4), np.zeros((3, 60, 100)), why("a"), "rise")
    for wrong, say in (([], "list of explan"), (a, "list of explan"), ("ab", "list of explan"), ([a, 3], "list of explan"),
                       ([a, other], "another input"), ([a, asks], "one question"), ([a, flat], r"\[h, w\]")):
        with pytest.raises(InputError, match=say):
            Layers(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="labels"):
        Layers([a, b], labels=["x"])


def test_randomisation_starts_with_the_trained_map_and_keeps_its_figures() -> None:
    e = fakes.explanation()
    view = Randomisation(Result([e]))
    assert view.labels == ["trained", "fc random", "conv2 and all above it random", "(network) and all above it random"]
    assert view.lines == [{"name": "rank correlation", "values": [1.0, 0.5, None, -0.25]},
                          {"name": "SSIM", "values": [1.0, 0.4, 0.3, 0.2]}]
    np.testing.assert_array_equal(view.shown_map(), e.values)
    view.at = 3
    np.testing.assert_array_equal(view.shown_map(), np.arange(120, 180, dtype=np.float32).reshape(6, 10))
    assert view.each
    assert "seed 3" in view.captions[1]
    assert view.figure()
    assert Randomisation(Result([e], order="independent")).labels[2] == "conv2 random"


def test_randomisation_errors() -> None:
    with pytest.raises(InputError, match="randomise"):
        Randomisation(fakes.explanation())
    with pytest.raises(InputError, match="out of range"):
        Randomisation(Result([fakes.explanation()]), index=1)


def test_what_the_metric_returns_is_accepted() -> None:
    import salwidgets as sw

    world = sw.worlds.creatures(n=1)
    model = world.model("cnn")
    e = sw.explain(model, world.images[0], sw.why(), progress=False)
    result = sw.metrics.randomise(model, e, layers=["fc", "layer3.1.conv2"], progress=False)
    view = sw.Randomisation(result)
    assert len(view.labels) == 3
    assert view.lines[0]["values"][1:] == pytest.approx(list(result.rank_correlation[0]))
