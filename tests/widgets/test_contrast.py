"""Contrast: sides, groups, titles, scores; the same numbers as the basis itself gives."""

from __future__ import annotations

from typing import Any

import fakes
import numpy as np
import pytest

from salwidgets.errors import InputError, QuestionError
from salwidgets.questions import why
from salwidgets.scale import Scale
from salwidgets.widgets import Contrast, Heatmap, link
from salwidgets.widgets.pairs import mix_title, weights


def asked(view: Contrast) -> tuple[str, str]:
    return view.target, view.foil


def test_it_starts_with_the_two_most_probable_classes() -> None:
    basis = fakes.basis()
    order = np.argsort(-basis.logits[0, basis.rows])
    assert asked(Contrast(basis)) == tuple(basis.class_names[i] for i in order[:2])
    assert Contrast(basis, foil=basis.class_names[order[0]]).target == basis.class_names[order[1]]


@pytest.mark.parametrize("target, foil", [
    ("husky", "wolf"), ("dog", "cat"), ("husky", "dog"), ("canine", "wolf"), ("dog", "vehicle"), (0, 8)])
def test_the_middle_map_is_what_the_basis_answers(target: Any, foil: Any) -> None:
    basis = fakes.basis()
    view = Contrast(basis, target, foil)
    question = why(target).rather_than(foil).bind(basis.class_names, basis.taxonomy)
    np.testing.assert_allclose(view.shown_map(), basis.map(question), atol=1e-6)
    z = basis.logits[0]
    assert view.pair.score(0.5) == pytest.approx(float(question.weights @ z), abs=1e-5)


def test_partly_overlapping_groups_give_up_what_they_share() -> None:
    basis = fakes.basis()
    view = Contrast(basis, ["husky", "beagle"], ["beagle", "wolf"])
    np.testing.assert_allclose(view.shown_map(), basis.maps[0, 0] - basis.maps[0, 2], atol=1e-6)
    assert view.target == "husky or beagle"


def test_the_slider_goes_from_why_a_to_why_not_b() -> None:
    view = Contrast(fakes.basis(), "husky", "wolf")
    a, b = view.basis.maps[0, 0], view.basis.maps[0, 2]
    for mix, wanted in ((0, a), (0.25, a - 0.5 * b), (0.5, a - b), (0.75, 0.5 * a - b), (1, -b)):
        view.mix = mix
        np.testing.assert_allclose(view.shown_map(), wanted, atol=1e-6)
        assert view.title == mix_title("husky", "wolf", mix)
    assert view.title == "Why not “wolf”?"
    assert weights(0.25) == (1, 0.5)
    with pytest.raises(InputError):
        view.mix = 1.5


def test_one_scale_fits_all_three_and_follows_the_question() -> None:
    view = Contrast(fakes.basis(), "husky", "wolf")
    assert view.scale == Scale.fit(*view.shown_maps())
    view.scale = view.scale.changed(opacity=0.5)
    view.foil = "car"
    assert view.scale == Scale.fit(*view.shown_maps(), opacity=0.5)


def test_a_scale_that_was_asked_for_holds() -> None:
    view = Contrast(fakes.basis(), "husky", "wolf", scale=Scale.fit([[-9.0, 9.0]], clip="max"))
    view.foil = "car"
    assert view.scale.limits == (-9, 9)
    with pytest.raises(InputError, match="Scale"):
        Contrast(fakes.basis(), scale="max")


def test_scores_that_are_no_numbers_are_an_input_error() -> None:
    basis = fakes.basis()
    basis.logits[0, 3] = np.nan
    with pytest.raises(InputError, match="NaN"):
        Contrast(basis)


def test_groups_with_missing_members_are_closed_with_a_reason() -> None:
    view = Contrast(fakes.basis())
    states = {n["name"]: n for n in view.nodes}
    assert states["bird"]["reason"] == "1 of its 3 classes is not in this basis"
    assert states["animal"]["reason"] == "1 of its 9 classes is not in this basis"
    assert "reason" not in states["dog"]
    with pytest.raises(QuestionError, match="not in this basis"):
        view.target = "bird"
    assert view.target != "bird"


def test_repeated_class_names_are_told_apart() -> None:
    basis = fakes.basis()
    basis.class_names = ["crane", *basis.class_names[1:8], "crane", *basis.class_names[9:]]
    basis.taxonomy = None
    view = Contrast(basis, 0, 8)
    assert asked(view) == ("crane (0)", "crane (8)")
    with pytest.raises(QuestionError, match="ambiguous"):
        view.target = "crane"


@pytest.mark.parametrize("target, foil", [("unicorn", "wolf"), (99, "wolf"), ([], "wolf"), ("husky", "husky"),
                                          ("sparrow", "wolf"), (2.5, "wolf"), ("bird", "wolf")])
def test_wrong_questions_are_question_errors(target: Any, foil: Any) -> None:
    with pytest.raises(QuestionError):
        Contrast(fakes.basis(), target, foil)


def test_wrong_arguments_are_input_errors() -> None:
    for wrong in (None, "basis", np.zeros((1, 2, 3, 3)), Heatmap(fakes.explanation())):
        with pytest.raises(InputError):
            Contrast(wrong)
    with pytest.raises(InputError, match="out of range"):
        Contrast(fakes.basis(), index=1)
    with pytest.raises(InputError, match="a basis already"):
        Contrast(fakes.basis(), classes=["husky"])
    with pytest.raises(TypeError):
        Contrast(fakes.basis(), colour="red")
    with pytest.raises(InputError, match="fewer than two"):
        Contrast(fakes.basis(classes=1))


def test_evidence_is_asked_for_its_basis_once() -> None:
    class Evidence:
        calls: list[Any] = []

        def basis(self, classes: Any = None) -> Any:
            self.calls.append(classes)
            return fakes.basis()

    view = Contrast(Evidence(), "husky", "wolf", classes=["husky", "wolf"])
    assert Evidence.calls == [["husky", "wolf"]]
    assert view.heading == "Why “husky” rather than “wolf”?"


def test_it_links_with_heatmaps_and_keeps_the_shared_limits() -> None:
    view, heat = Contrast(fakes.basis(), "husky", "wolf"), Heatmap(fakes.explanation())
    link(heat, view)
    limits = heat.scale.limits
    view.foil = "car"
    assert view.scale.limits == heat.scale.limits == limits
    heat.selection = {"box": [0, 0, 10, 10]}
    assert view.share is not None


def test_the_probability_counts_all_classes_of_the_model() -> None:
    basis = fakes.basis()
    view = Contrast(basis)
    z = basis.logits[0].astype(np.float64)
    assert view.log_total == pytest.approx(np.log(np.exp(z).sum()))


def test_the_figure_shows_three_maps_and_one_bar() -> None:
    view = Contrast(fakes.basis(), "husky", "wolf")
    view.mix = 1.0
    titles = [ax.get_title() for ax in view.figure().axes]
    assert titles == ["Why “husky”?", "Why not “wolf”?", "Why “wolf”?", ""]
