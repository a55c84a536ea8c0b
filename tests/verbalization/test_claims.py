"""The checker: free wording, numbers and tolerances, places, names that try to say something, and the template's text."""

import collections
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.verbalization.brief import Sentence, Unit
from salwidgets.verbalization.claims import check_sentences, check_text

sys.path.insert(0, str(Path(__file__).parent))
import falsehoods

PICTURE = np.zeros((60, 60, 3), np.uint8)
PARTS = {"crest": (48, 0), "tail": (27, 0), "back": (15, 0), "eye": (6, 8), "feet": (4, 28), "body": (0, 4)}


def creature(question="why husky rather than wolf", **facts):
    """A map with one row per part: positive mass in the first column (sum 10), negative in the second (sum 4)."""
    v = np.zeros((6, 6))
    rows = []
    for i, (name, (up, down)) in enumerate(PARTS.items()):
        v[i, 0], v[i, 1] = up / 10, -down / 10
        cells = np.zeros((6, 6), np.float32)
        cells[i] = 1
        rows.append((name, cells, (up - down) / 10, up / 100, down / 40))
    rows.sort(key=lambda r: -abs(r[2]))
    units = [Unit(f"u{k + 1}", "region", n, c, v_, s, o, 1 / 6) for k, (n, c, v_, s, o) in enumerate(rows)]
    facts = {"score": 2.31, "method": "grad-cam", "prediction": ("husky", 0.87), "probability": 0.87, **facts}
    return sw.from_array(v, PICTURE, question, **facts), units


def verdicts(text, e, units=None):
    return [c.verdict for c in check_text(text, e, units)]


# A second round, worded freely after the checker was made; see docs/words.md for its first reading.
FREE = [
    ("The model was mostly convinced by the crest, which alone delivers nearly half of the "
     "evidence in favour of husky.", True),
    ("The model was mostly convinced by the feet, which alone deliver nearly half of the "
     "evidence in favour of husky.", False),
    ("Roughly a quarter of the support (27%) traces back to the tail.", True),
    ("Roughly a quarter of the support (27%) traces back to the eye.", False),
    ("Interestingly, the feet actually argue for wolf rather than husky.", True),
    ("Interestingly, the crest actually argues for wolf rather than husky.", False),
    ("The crest matters almost twice as much as the tail.", True),
    ("The crest matters more than three times as much as the tail.", False),
    ("Three regions, the crest, the tail and the back, jointly explain 90 % of what speaks for husky.", True),
    ("Three regions, the crest, the tail and the back, jointly explain 60 % of what speaks for husky.", False),
    ("By far the strongest cue against husky is the feet, with 70 percent of the counter-evidence.", True),
    ("By far the strongest cue against husky is the body, with 70 percent of the counter-evidence.", False),
    ("Only a small part of the map, 29 %, is negative.", True),
    ("Only a small part of the map, 9 %, is negative.", False),
    ("The crest is what tips the balance towards husky.", True),
    ("The feet are what tips the balance towards husky.", False),
    ("The model is 87% confident that this is a husky.", True),
    ("The model is 37% confident that this is a husky.", False),
    ("The predicted class is husky.", True),
    ("The predicted class is wolf.", False),
    ("Its steering wheel contributes 30 % of the evidence for husky.", False),
    ("The model relies heavily on the whiskers.", False),
    ("The model relies heavily on the crest.", True),
    ("The body plays no role in supporting husky.", True),
    ("The crest plays no role in supporting husky.", False),
    ("The tail does not support husky.", False),
    ("The feet do not support husky.", True),
    ("Evidence for husky comes from the crest (48%), tail (27%) and back (15%).", True),
    ("Evidence for husky comes from the crest (48%), tail (37%) and back (15%).", False),
    ("The tail ranks just behind the crest.", True),
    ("The crest ranks just behind the tail.", False),
    ("More than half of the supporting evidence is concentrated on the tail.", False),
    ("Less than 10 % of the evidence for husky is at the eye.", True),
    ("The back, at 15 %, rounds out the top three.", True),
    ("The back, at 25 %, rounds out the top three.", False),
    ("While the crest supports husky, the feet speak against it.", True),
    ("While the feet support husky, the crest speaks against it.", False),
    ("The feet drag the score down.", True),
    ("The tail drags the score down.", False),
    ("A score of 2.3 means that husky wins over wolf.", True),
    ("A score of 5.3 means that husky wins over wolf.", False),
    ("The crest is the single most decisive clue; it holds 48 % of the positive evidence.", True),
    ("The crest is the single most decisive clue; it holds 84 % of the positive evidence.", False),
    ("Neither the crest nor the tail speaks for husky.", False),
    ("There is no evidence against husky.", False),
    ("No single region stands out.", False),
    ("The eye is a bit of both: it holds 6 % of the evidence for husky and 20 % of the evidence against it.", True),
    ("The eye is a bit of both: it holds 6 % of the evidence for husky and 60 % of the evidence against it.", False),
    ("If you covered the crest, the score for husky would drop.", True),
    ("If you covered the feet, the score for husky would drop.", False),
    ("The network ignores the crest.", False),
    ("The network largely ignores the body.", True),
    ("**Crest**: 48% of the supporting evidence\n**Tail**: 27%", True),
    ("- Crest: 48% of the supporting evidence\n- Tail: 72%", False),
    ("u1 supports husky.", True),
    ("u9 supports husky.", False),
    ("The evidence for wolf is strongest at the feet.", True),
    ("The evidence for wolf is strongest at the crest.", False),
]


@pytest.mark.parametrize("text, true", FREE)
def test_free_wording(text, true):
    found = verdicts(text, *creature())
    assert ("contradicted" not in found) if true else ("contradicted" in found)
    assert found


TRUE_NUMBERS = [
    "48 %", "48%", "48 percent", "48 per cent", "48.0 %", "forty-eight percent", "0.48", "about 50 %",
    "roughly 45 %", "nearly half", "almost half", "just under half", "about half", "between 45 and 50 %",
    "45–50 %", "more than 40 %", "more than a third", "at least 48 %", "less than half", "up to 50 %", "~48%",
]
FALSE_NUMBERS = [
    "49 %", "48.3 %", "84 %", "0.58", "about 55 %", "nearly all", "more than half", "most", "the majority",
    "about a third", "two thirds", "at most 40 %", "less than a third", "between 50 and 60 %", "almost 70 %",
    "sixty percent", "just over half", "a quarter", "the vast majority",
]


@pytest.mark.parametrize("said, true", [*((x, True) for x in TRUE_NUMBERS), *((x, False) for x in FALSE_NUMBERS)])
def test_numbers_have_the_tolerance_of_the_table(said, true):
    for text in (f"The crest holds {said} of the evidence for husky.", f"{said} of the evidence for husky is at the crest."):
        found = check_text(text, *creature())
        assert [c.verdict for c in found] == ["supported" if true else "contradicted"], found
        assert found[0].kind == "share"
        assert found[0].unit == "u1"
        assert found[0].evidence == pytest.approx(0.48)
        assert "48.0 %" in found[0].figure


def corners():
    v = np.zeros((12, 12))
    v[1, 1], v[1, 10], v[6, 6], v[11, 0], v[9, 11] = 6, 2, 1, 1, -4
    return sw.from_array(v, PICTURE, "why husky", score=6.0)


@pytest.mark.parametrize("text, true", [
    ("60 % of the evidence lies in the upper-left corner.", True),
    ("The upper-left corner holds 20 % of the evidence.", False),
    ("The top-left region carries 60 % of the evidence for husky.", True),
    ("The upper half holds 80 % of the evidence.", True),
    ("The upper half holds 60 % of the evidence.", False),
    ("The lower half holds 20 % of the supporting evidence.", True),
    ("The left half holds 70 %.", True),
    ("The left third holds 70 %.", True),
    ("On the left side lies 70 % of the evidence.", True),
    ("The middle has 10 % of it.", True),
    ("The center has 30 % of the evidence.", False),
    ("The bottom-right quadrant holds all of the negative evidence.", True),
    ("The bottom-left quadrant holds all of the negative evidence.", False),
    ("The lower right speaks against husky.", True),
    ("The upper right speaks against husky.", False),
    ("The top left holds three times as much evidence as the top right.", True),
    ("The top left holds five times as much evidence as the top right.", False),
    ("More of the evidence lies in the upper half than in the lower half.", True),
    ("More of the evidence lies in the lower half than in the upper half.", False),
    ("The strongest evidence is at the top left, followed by the top right.", True),
    ("The strongest evidence is at the top right, followed by the top left.", False),
    ("29 % of the map is negative.", True),
    ("The score is 6.0.", True),
    ("The score is 9.0.", False),
])
def test_places(text, true):
    found = verdicts(text, corners())
    assert set(found) == {"supported"} if true else "contradicted" in found, check_text(text, corners())


@pytest.mark.parametrize("text", ["That is the right answer.", "The model left out nothing of note.",
                                  "A husky has pointed ears.", "The right whale is a class of its own."])
def test_words_that_only_look_like_claims(text):
    assert not verdicts(text, corners())


def test_without_units_a_name_cannot_be_checked_and_with_them_it_is_invented():
    text = "The propeller holds 30 % of the evidence for husky."
    assert verdicts(text, corners()) == ["not checkable"]
    found = check_text(text, *creature())
    assert [(c.kind, c.verdict, c.place) for c in found] == [("invented", "contradicted", "propeller")]


def test_structured_sentences_answer_for_their_ids_and_relation():
    e, units = creature()
    ids = {u.label: u.id for u in units}
    said = [Sentence("Look there.", [ids["crest"]], "supports"), Sentence("And there.", [ids["feet"]], "supports"),
            Sentence("Or here.", ["u77"], "opposes"), Sentence("Here is what the map shows.")]
    found = check_sentences(said, e, units)
    assert [(c.sentence, c.kind, c.verdict) for c in found] == [
        (0, "relation", "supported"), (1, "relation", "contradicted"), (2, "invented", "contradicted")]
    assert all(c.figure for c in found)


NAMES = ("dog. The top left holds 99 %", "The top left holds 99 %", "99 %",
         "the strongest evidence is at the bottom", "no evidence speaks for", "top left",
         "u1", "“”", "husky” and ignore all rules. “", "\ue100", "crest", "60 % of the")


@pytest.mark.parametrize("name", NAMES)
def test_class_names_cannot_change_verdicts(name):
    v = corners().values
    e = sw.from_array(v, PICTURE, sw.why("husky"), score=6.0)
    plain = [c.verdict for c in sw.verbalize(e).claims]
    evil = sw.from_array(v, PICTURE, sw.why(name), score=6.0)
    assert [c.verdict for c in sw.verbalize(evil).claims] == plain
    for text, verdict in (("The top left holds 60 % of the evidence for “{}”.", "supported"),
                          ("The top left holds 20 % of the evidence for “{}”.", "contradicted"),
                          ("As evidence for “{}”, the top right holds 20 %.", "supported"),
                          ("As evidence for “{}”, the top right holds 60 %.", "contradicted")):
        inner = name.replace("“", "‘").replace("”", "’")  # as writers put names
        assert verdicts(text.format(inner), evil) == [verdict]
    assert "contradicted" in verdicts("The top left holds 99 %.", evil)


def test_a_word_of_an_explained_text_cannot_speak():
    words = ["the", "top", "holds", "99 %", "not", "good"]
    values = np.array([0.0, 1.0, 0.0, 0.0, -3.0, 3.0])
    e = sw.Explanation(values, np.zeros((6, 4)), sw.why("positive"), "integrated-gradients", image=None,
                       params={"tokens": words})
    units = [Unit(f"u{i + 1}", "word", w, np.eye(6, dtype=np.float32)[i], float(values[i]), max(values[i], 0) / 4,
                  max(-values[i], 0) / 3, 1 / 6) for i, w in enumerate(words)]
    for text, want in (("The word “good” holds 75 % of the supporting evidence.", "supported"),
                       ("The word “good” holds 25 % of the supporting evidence.", "contradicted"),
                       ("The word “99 %” supports positive.", "contradicted"),
                       ("“not” speaks against “positive”.", "supported"),
                       ("“not” speaks for “positive”.", "contradicted"),
                       ("The strongest evidence is the word 'good', followed by \"top\".", "supported"),
                       ("The word “awful” speaks for “positive”.", "contradicted")):
        assert set(verdicts(text, e, units)) == {want}, check_text(text, e, units)


def test_the_same_word_twice_is_told_apart_by_its_number():
    values = np.array([2.0, -1.0])
    e = sw.Explanation(values, np.zeros((2, 4)), sw.why("positive"), "integrated-gradients", image=None)
    units = [Unit(f"u{i + 1}", "word", "very", np.eye(2, dtype=np.float32)[i], float(values[i]), float(i == 0),
                  float(i == 1), 0.5, nth=i + 1) for i in range(2)]
    assert verdicts("The first “very” supports it.", e, units) == ["supported"]
    assert verdicts("The second “very” supports it.", e, units) == ["contradicted"]


def test_maps_that_are_broken_empty_or_of_other_shapes_do_not_raise():
    for values in (np.zeros((3, 3)), np.full((3, 3), np.nan), np.ones(4), np.ones((2, 3, 4)), np.full((2, 2), 1e38)):
        e = sw.Explanation(values, np.zeros((3, 4, 4)), None, "external", image=None)
        for text in ("The top left holds 54 % of the evidence.", "No region stands out.", "", "The score is 3.",
                     "u1 supports it."):
            assert isinstance(check_text(text, e), list)


# -- the template's own text, on explanations it was not made with ----------------------------------------------------

LENGTHS = [("line", "layperson"), ("paragraph", "layperson"), ("report", "layperson"), ("line", "expert"),
           ("paragraph", "expert"), ("report", "expert")]


def test_all_that_the_template_says_of_500_explanations_is_supported():
    world = sw.worlds.creatures(n=34, seed=77)
    found = falsehoods.explanations(world, range(34))
    assert len(found) >= 500
    count: collections.Counter[str] = collections.Counter()
    for n, (key, e) in enumerate(found.items()):
        length, audience = LENGTHS[n % 6]
        units = ("places", world.parts(key[0]), "places" if n % 10 else "superpixels")[n % 3]
        v = sw.verbalize(e, units=units, length=length, audience=audience)
        assert v.claims, v.text
        assert {c.verdict for c in v.claims} == {"supported"}, [c for c in v.claims if c.verdict != "supported"]
        said = {c.sentence for c in v.claims}
        assert not [s for i, s in enumerate(v.sentences) if "%" in s and i not in said]
        count.update(c.kind for c in v.claims)
    assert count["share"] > 1000
    assert min(count["rank"], count["comparison"], count["number"]) > 100, count


def test_a_hundred_claims_are_checked_quickly():
    """A bound with room for slow machines; the figure is a row of benchmarks/claims_speed.py."""
    e, units = creature()
    texts = [t for t, _ in FREE] * 2
    check_sentences(texts, e, units)
    start = time.process_time()
    claims = check_sentences(texts, e, units)
    assert (time.process_time() - start) / len(claims) < 0.001


@pytest.mark.real
def test_all_that_the_template_says_of_real_texts_and_photographs_is_supported():
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from PIL import Image

    from examples.nets import find_data, imagenet_net

    data = find_data()
    if data is None:
        pytest.skip("no ../shared/data beside the repository")
    told = 0
    for n, e in enumerate(reviews(data / "text" / "sst2_dev.tsv", 120)):
        told += supported(sw.verbalize(e, length=LENGTHS[n % 6][0], audience=LENGTHS[n % 6][1]))
    trained = imagenet_net("squeezenet1_1", data)
    net = sw.Model(trained.module, classes=trained.classes)
    pictures = [Image.open(p).convert("RGB") for p in sorted((data / "photos").glob("*.jpg"))[:3]]
    for method, params in (("grad-cam", {}), ("occlusion", {"window": 64, "stride": 48})):
        for n, picture in enumerate(pictures):
            e = sw.explain(net, trained.preprocess(picture), sw.why(), method=method, progress=False, **params)
            for units in ("places", "superpixels"):
                told += supported(sw.verbalize(e, units=units, length=LENGTHS[n % 6][0], audience=LENGTHS[n % 6][1]))
    assert told > 300


def supported(v):
    assert {c.verdict for c in v.claims} <= {"supported"}, [c for c in v.claims if c.verdict != "supported"]
    return len(v.claims)


def reviews(path, n):
    """Maps over sentences of film reviews: each word's log-odds of standing in a positive one, by counting."""
    rows = [line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line]
    rows = [(text.split(), label.strip() == "1") for text, label in rows if label.strip() in "01"]
    seen = {side: collections.Counter(w for words, label in rows if label == side for w in words) for side in (True, False)}
    for words, _ in rows[:n]:
        values = np.array([np.log((seen[True][w] + 1) / (seen[False][w] + 1)) for w in words])
        yield sw.Explanation(values, np.zeros((len(words), 4)), sw.why("positive"), "integrated-gradients", image=None,
                             params={"tokens": words})
