"""ClassTree: probabilities of groups, several parents, questions both ways, links with a Contrast, bad input."""

from __future__ import annotations

import itertools
from typing import Any

import fakes
import numpy as np
import pytest

import salwidgets as sw
from salwidgets.errors import InputError, QuestionError
from salwidgets.models.adapter import Predictions
from salwidgets.taxonomy import ClassNames, Taxonomy
from salwidgets.widgets import ClassTree, Contrast, Heatmap, link
from salwidgets.widgets.icicle import MOST_CELLS, MOST_LEVELS, icicle

HOSTILE = '<img src=x onerror=alert(1)> "quoted"\n& $x^2$ \u202e \U0001f415'


def predictions(names: list[str], logits: list[float], activation: str = "softmax") -> Predictions:
    z = np.array([logits], np.float32)
    e = np.exp(z - z.max())
    p = 1 / (1 + np.exp(-z)) if activation == "sigmoid" else e / e.sum()
    return Predictions(z, p.astype(np.float32), ClassNames(names))


def unpacked(packed: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(packed["view"], packed["dtype"]).reshape(packed["shape"])


DAG = Taxonomy.from_parents({"husky": ["dog", "working animal"], "beagle": "dog", "mule": "working animal", "cat": "animal",
                             "dog": "animal", "working animal": "animal", "unicorn": "animal"})
DAG_NAMES = ["husky", "beagle", "mule", "cat", "car"]


def test_a_group_sums_its_classes_each_counted_once() -> None:
    given = predictions(DAG_NAMES, [3, 1, 0, 2, -1])
    tree = ClassTree(given, DAG)
    p = given.probabilities[0].astype(float)
    assert tree.share_of("dog") == pytest.approx(p[0] + p[1])
    assert tree.share_of("working animal") == pytest.approx(p[0] + p[2])
    assert tree.share_of("animal") == pytest.approx(p[:4].sum())  # the husky is below two of its groups
    assert tree.share_of("all classes") == pytest.approx(1)
    sizes = unpacked(tree.sizes)
    assert [int(sizes[tree.nodes.at[n]]) for n in ("dog", "animal", "all classes")] == [2, 4, 5]
    assert any("1 of the 5 classes" in n for n in tree.notices)
    assert any("1 leaves of the class tree" in n for n in tree.notices)
    np.testing.assert_allclose(unpacked(tree.probability), tree.nodes.probability, rtol=1e-6)


def test_sigmoid_scores_give_the_probability_of_any() -> None:
    given = predictions(DAG_NAMES, [0.5, -1, 0, 2, -1], "sigmoid")
    tree = ClassTree(given, DAG)
    p = given.probabilities[0].astype(float)
    assert tree.share_of("dog") == pytest.approx(1 - (1 - p[0]) * (1 - p[1]), rel=1e-5)
    bound = tree.question.bind(given.class_names, DAG, activation="sigmoid")
    assert tree.question.bound == bound.bound


def test_names_cross_exactly_whatever_they_hold() -> None:
    names = [HOSTILE, "", "a" * 300, "x"]
    tree = ClassTree(predictions(names, [1, 2, 3, 4]))
    text, ends = unpacked(tree.names).tobytes().decode("utf-16-le"), [0]
    for end in unpacked(tree.ends):
        ends.append(int(end))
    units = text.encode("utf-16-le")
    found = [units[2 * a:2 * b].decode("utf-16-le") for a, b in itertools.pairwise(ends)]
    assert found == [*names, "all classes"]
    assert tree.figure()


def test_questions_go_in_and_come_out_bound() -> None:
    tree = ClassTree(fakes.basis())
    assert tree.heading == "Why “car”?"  # the most probable
    assert tree.question.target_names == ["car"]
    tree.question = sw.why("dog").rather_than("cat")
    assert tree.heading == str(tree.question) == "Why “dog” rather than “cat”?"
    assert tree.question.target_names == ["husky", "beagle"]
    tree.question = sw.why(["beagle", "husky"]).rather_than(4)  # the list is a group of the tree
    assert tree.heading == "Why “dog” rather than “tabby cat”?"
    for wrong, say in ((sw.why(["husky", "bus"]), "list of classes"), (sw.why("dragon"), "dragon"), (sw.why(99), "out of"),
                       (sw.why("dog", pool="sum"), "pool"), (sw.why(), "without an input"), ("dog", "sw.why")):
        with pytest.raises(QuestionError, match=say):
            tree.question = wrong
    assert tree.heading == "Why “dog” rather than “tabby cat”?"


def test_repeated_names_and_names_of_a_group_and_a_class() -> None:
    tree = ClassTree(predictions(["crane", "crane", "bird", "car"], [1, 2, 3, 0]),
                     Taxonomy.from_parents({"crane (0)": "bird", "crane (1)": "machine", "car": "machine"}))
    assert {"crane (0)", "crane (1)", "bird", "bird (group)", "machine"} <= set(tree.nodes.names)
    tree._take("bird (group)", "bird")
    assert tree.question.target_names == ["crane (0)"]
    assert tree.question.foil_names == ["bird"]


def test_it_asks_a_linked_contrast_and_hears_of_its_questions() -> None:
    basis = fakes.basis()
    contrast, tree = Contrast(basis, "husky", "wolf"), ClassTree(basis)
    link(tree, contrast)
    assert tree.heading == "Why “husky” rather than “wolf”?"  # the question with a foil goes on
    tree.question = sw.why("dog").rather_than("cat")
    assert (contrast.target, contrast.foil, contrast.mix) == ("dog", "cat", 0.5)
    tree.question = sw.why("bus")
    assert (contrast.target, contrast.foil, contrast.mix) == ("bus", "cat", 0.0)
    tree.question = sw.why("cat")  # the foil becomes the target
    assert (contrast.target, contrast.foil) == ("cat", "bus")
    contrast.mix = 0.5
    assert tree.heading == "Why “cat” rather than “bus”?"
    contrast.foil = "wolf"
    assert tree.question.foil_names == ["wolf"]
    tree.question = sw.why("sparrow")  # not in the basis: the contrast stays as it is
    assert contrast.target == "cat"
    assert not contrast.own_scale


def test_links_by_argument_and_what() -> None:
    basis = fakes.basis()
    contrast = Contrast(basis, "husky", "wolf")
    assert ClassTree(basis, link=contrast).heading == "Why “husky” rather than “wolf”?"
    other = ClassTree(basis, question=sw.why("cat").rather_than("bird"), link=contrast)
    assert contrast.foil == "wolf"  # the bird is not wholly in the basis
    assert other.heading == "Why “cat” rather than “bird”?"
    a, b = Contrast(basis, "husky", "wolf"), Contrast(basis, "owl", "bus")
    link(a, b)
    assert (b.target, b.foil) == ("owl", "bus")  # maps that are linked keep their questions
    link(a, b, what="question")
    assert (b.target, b.foil) == ("husky", "wolf")
    b.target = "fox"
    assert a.target == "fox"
    with pytest.raises(InputError, match="nothing to share"):
        link(ClassTree(basis), Heatmap(fakes.explanation()))
    with pytest.raises(InputError, match="needs two views"):
        link(Contrast(basis), Heatmap(fakes.explanation()), what="question")


def test_what_the_browser_asks_is_not_answered_late() -> None:
    basis = fakes.basis()
    contrast, tree = Contrast(basis, "husky", "wolf"), ClassTree(basis)
    shared = link(tree, contrast)
    sent: list[Any] = []
    contrast.send_state = lambda key=None: sent.append(key)  # type: ignore[method-assign]
    shared.set_state({"question": {"target": "dog", "foil": "cat", "source": tree.source}})
    assert (contrast.target, contrast.foil) == ("dog", "cat")
    assert tree.heading == "Why “dog” rather than “cat”?"
    assert sent == []


def test_an_explanation_shows_its_question_and_no_probabilities() -> None:
    with pytest.raises(InputError, match="taxonomy="):
        ClassTree(fakes.explanation())
    tree = ClassTree(fakes.explanation(), Taxonomy.from_nested(fakes.TREE))
    assert tree.heading == "Why “husky” rather than “wolf”?"
    assert not tree.known
    assert np.isnan(tree.share_of("dog"))
    assert tree.figure()


@pytest.mark.parametrize("wrong", [None, 3, np.zeros((1, 3)), "dog", [1]])
def test_what_has_no_scores_is_an_input_error(wrong: Any) -> None:
    with pytest.raises(InputError, match="predictions"):
        ClassTree(wrong)


def test_other_bad_input() -> None:
    basis = fakes.basis()
    with pytest.raises(InputError, match="out of range"):
        ClassTree(basis, index=3)
    with pytest.raises(InputError, match="Taxonomy"):
        ClassTree(basis, {"a": "b"})
    basis.logits[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        ClassTree(basis)


def test_a_hundred_thousand_classes_and_deep_chains() -> None:
    k = 100_000
    parents = {f"leaf {i}": f"g{i // 100}" for i in range(k)} | {f"g{i}": "root" for i in range(k // 100)}
    z = np.random.default_rng(0).normal(size=(1, k)).astype(np.float32)
    p = np.exp(z) / np.exp(z).sum()
    tree = ClassTree(Predictions(z, p, ClassNames(f"leaf {i}" for i in range(k))), Taxonomy.from_parents(parents))
    assert tree.share_of("g7") == pytest.approx(p[0, 700:800].sum(), rel=1e-4)
    cells = icicle(tree.nodes, tree.nodes.probability, tree.nodes.root, 100, 0.0001)
    assert len(cells) <= MOST_CELLS
    rows = [[c for c in cells if c.level == level] for level in range(max(c.level for c in cells) + 1)]
    for row in rows:
        assert sum(c.width for c in row) <= 100 + 1e-6
    chain = Taxonomy.from_parents({f"n{i}": f"n{i - 1}" for i in range(1, 3000)})
    deep = ClassTree(predictions(["n2999"], [0.0]), chain)
    assert len(icicle(deep.nodes, deep.nodes.probability, deep.nodes.root, 100, 1)) == MOST_LEVELS
