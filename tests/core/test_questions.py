"""The question algebra: strings, binding, weights, pools, errors."""

import numpy as np
import pytest
import torch

from salwidgets.errors import InputError, QuestionError
from salwidgets.questions import POOLS, Question, why
from salwidgets.taxonomy import ClassNames, Taxonomy

TREE = Taxonomy.from_nested({"animal": {"dog": ["husky", "beagle", "pug"], "wild dog": ["wolf", "fox"], "cat": ["tabby"]}})
LEAVES = TREE.leaves


def bound(question: Question, **kw) -> Question:
    return question.bind(LEAVES, TREE, **kw)


@pytest.mark.parametrize("question, text", [
    (why("husky"), "Why “husky”?"),
    (why("husky").rather_than("wolf"), "Why “husky” rather than “wolf”?"),
    (why("husky").rather_than("wolf", "fox"), "Why “husky” rather than “wolf” or “fox”?"),
    (why(["husky", "pug"]), "Why “husky” or “pug”?"),
    (why(), "Why the predicted class?"),
    (why().rather_than("wolf"), "Why the predicted class rather than “wolf”?"),
    (why(3), "Why class 3?"),
])
def test_a_question_reads_as_a_sentence(question, text):
    assert str(question) == text


def test_binding_gives_names_to_indices_and_to_the_prediction():
    assert str(bound(why(3))) == "Why “wolf”?"
    assert str(bound(why(), predicted=1)) == "Why “beagle”?"
    assert str(bound(why("dog").rather_than("cat"))) == "Why “dog” rather than “cat”?"


def test_reference_frame_and_granularity():
    assert why("husky").reference_frame == "pointwise"
    assert why("husky").rather_than("wolf").reference_frame == "contrastive"
    assert bound(why("husky")).granularity == "class"
    assert bound(why("dog")).granularity == "group"
    assert bound(why("cat")).granularity == "group"  # a group of one is asked as a group
    assert why(["husky", "pug"]).granularity == "group"


def test_weights_of_linear_pools():
    np.testing.assert_allclose(bound(why("dog").rather_than("wild dog")).weights, [1 / 3] * 3 + [-0.5] * 2 + [0])
    np.testing.assert_allclose(bound(why("dog", pool="sum").rather_than("wolf", "fox")).weights, [1, 1, 1, -1, -1, 0])


@pytest.mark.parametrize("pool", ["mean", "sum"])
def test_linear_score_is_the_weighted_sum(pool):
    q = bound(why("dog", pool=pool).rather_than("wolf"))
    z = torch.randn(5, 6)
    torch.testing.assert_close(q.score(z), z @ torch.from_numpy(q.weights))


def test_pools_that_are_not_linear_say_what_they_mean():
    z = torch.randn(4, 6)
    p = torch.softmax(z, -1)
    torch.testing.assert_close(bound(why("dog", pool="probability")).score(z), p[:, :3].sum(-1))
    torch.testing.assert_close(bound(why("dog", pool="logsumexp")).score(z), torch.logsumexp(z[:, :3], -1))
    odds = p[:, :3].sum(-1) / p[:, 3:].sum(-1)
    torch.testing.assert_close(bound(why("dog", pool="log-odds")).score(z), odds.log())
    pair = p[:, :3].sum(-1) / p[:, 3:5].sum(-1)
    torch.testing.assert_close(bound(why("dog", pool="log-odds").rather_than("wild dog")).score(z), pair.log())
    with pytest.raises(QuestionError, match="not linear"):
        _ = bound(why("dog", pool="probability")).weights


def test_multi_label_pools():
    z = torch.randn(4, 6)
    p = torch.sigmoid(z)
    any_dog = 1 - (1 - p[:, :3]).prod(-1)
    torch.testing.assert_close(bound(why("dog", pool="probability"), activation="sigmoid").score(z), any_dog)
    torch.testing.assert_close(bound(why("dog", pool="log-odds"), activation="sigmoid").score(z),
                               (any_dog / (1 - any_dog)).log())


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_gradient_is_the_derivative_of_the_score(pool, activation):
    q = bound(why("dog", pool=pool).rather_than("wolf"), activation=activation)
    z = torch.randn(3, 6, dtype=torch.float64)
    step = torch.randn(3, 6, dtype=torch.float64) * 1e-6
    change = q.score(z + step) - q.score(z - step)
    torch.testing.assert_close((q.gradient(z) * 2 * step).sum(-1), change, rtol=1e-3, atol=1e-12)


def test_shared_classes_are_taken_out_of_the_larger_side():
    q = bound(why("husky").rather_than("dog"))
    assert q.foil_names == ["beagle", "pug"]
    q = bound(why("dog").rather_than("husky"))
    assert q.target_names == ["beagle", "pug"]
    q = bound(why(["husky", "wolf"]).rather_than("dog"))
    assert (q.target_names, q.foil_names) == (["wolf"], ["beagle", "pug"])


@pytest.mark.parametrize("ask, match", [
    (lambda: bound(why("hsky")), "husky"),
    (lambda: bound(why("dogs")), "dog"),
    (lambda: bound(why(6)), "out of range"),
    (lambda: bound(why(-1)), "out of range"),
    (lambda: why([]), "empty"),
    (lambda: why("husky").rather_than("husky"), "different"),
    (lambda: why("husky").rather_than(), "at least one"),
    (lambda: bound(why("dog").rather_than("husky", "beagle", "pug")), "same target and foil"),
    (lambda: bound(why(), predicted=0).rather_than("husky").bind(LEAVES, TREE, predicted=0), "same target"),
    (lambda: why(1.5), "no class"),
    (lambda: why("husky", pool="max"), "pool"),
    (lambda: why("dog").bind(LEAVES), "class tree"),
    (lambda: bound(why()), "predicted class"),
])
def test_bad_questions_say_what_to_do(ask, match):
    with pytest.raises(QuestionError, match=match):
        ask()


def test_an_empty_group_is_refused():
    tree = Taxonomy.from_parents({"unicorn": "myth", "husky": "dog"})
    with pytest.raises(QuestionError, match="empty"):
        why("myth").bind(["husky"], tree)


def test_ambiguous_and_unicode_names():
    names = ["crane", "sea lion", "crane", "señor\u0301", "", "“quoted”"]
    with pytest.raises(QuestionError, match=r"ambiguous.*crane \(2\)"):
        why("crane").bind(names)
    assert why("crane (2)").bind(names).bound.target == (2,)
    assert why("sea lion").bind(names).bound.target == (1,)
    assert why("sen\u0303or\u0301").bind(names).bound.target == (3,)  # the same name, composed another way
    assert why("“quoted”").bind(names).bound.target == (5,)


def test_100_000_classes():
    names = ClassNames(f"class number {i}" for i in range(100_000))
    assert why("class number 99999").bind(names).bound.target == (99_999,)
    with pytest.raises(QuestionError, match="class number 1"):
        why("class nmber 1").bind(names)


@pytest.mark.parametrize("text, question", [
    ("why husky rather than wolf", why("husky").rather_than("wolf")),
    ("Why “husky” rather than “wolf” or “fox”?", why("husky").rather_than("wolf", "fox")),
    ("why", why()),
    ("why 207?", why(207)),
    ("Why sea lion?", why("sea lion")),
])
def test_questions_are_read_from_words(text, question):
    assert Question.parse(text) == question
    assert Question.parse(str(question)) == question or question.predicted or isinstance(question.target[0], int)


def test_a_question_survives_a_manifest():
    q = bound(why("dog", pool="logsumexp").rather_than("wolf"))
    again = Question.from_dict(q.to_dict())
    assert again == q
    assert again.binding == q.binding


class TestTaxonomy:
    def test_reading(self):
        assert TREE.members("dog") == ["husky", "beagle", "pug"]
        assert TREE.members("wolf") == ["wolf"]
        assert TREE.path("fox") == ["animal", "wild dog", "fox"]
        assert TREE.parent("animal") is None
        assert TREE.common("husky", "beagle") == "dog"
        assert TREE.common("husky", "fox") == "animal"
        assert TREE.common("husky", "husky") == "husky"

    def test_several_parents(self):
        tree = Taxonomy.from_parents({"husky": ["dog", "arctic animal"], "seal": "arctic animal", "pug": "dog",
                                      "dog": "animal", "arctic animal": "animal"})
        assert tree.parents("husky") == ["dog", "arctic animal"]
        assert tree.parent("husky") == "dog"
        assert tree.members("animal").count("husky") == 1
        assert tree.common("husky", "seal") == "arctic animal"

    def test_forests_and_json(self, tmp_path):
        tree = Taxonomy.from_parents({"a": "x", "b": "y"})
        assert tree.common("a", "b") is None
        (tmp_path / "t.json").write_text('{"animal": {"dog": ["husky"]}, "thing": ["cup"]}')
        assert Taxonomy.from_json(tmp_path / "t.json").members("animal") == ["husky"]
        (tmp_path / "p.json").write_text('{"husky": "dog", "pug": "dog"}')
        assert Taxonomy.from_json(tmp_path / "p.json").members("dog") == ["husky", "pug"]

    def test_errors(self, tmp_path):
        with pytest.raises(QuestionError, match="husky"):
            TREE.members("huskie")
        with pytest.raises(InputError, match="cycle"):
            Taxonomy.from_parents({"a": "b", "b": "a"})
        with pytest.raises(InputError, match="cannot read"):
            Taxonomy.from_json(tmp_path / "missing.json")
        (tmp_path / "bad.json").write_text("[1, 2")
        with pytest.raises(InputError):
            Taxonomy.from_json(tmp_path / "bad.json")
        with pytest.raises(InputError):
            Taxonomy.from_parents({})

    def test_imagenet_groups(self):
        tree = Taxonomy.imagenet([f"n{i}" for i in range(1000)])
        assert len(tree.leaves) == 1000
        assert len(tree.members("dog")) == 118
        assert tree.common("n151", "n269") == "mammal"
        assert set(tree.members("bird")) >= {"n7", "n22", "n145"}
        with pytest.raises(InputError, match="1000"):
            Taxonomy.imagenet(["a", "b"])
