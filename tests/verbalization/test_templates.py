"""How it is said: every sentence is read back into numbers by a reader of its own and held against the raw map."""

import re

import numpy as np
import pytest

import salwidgets as sw
from salwidgets.captions import alt_text, caption, facts, notices
from salwidgets.errors import InputError, LLMError
from salwidgets.explanation import Explanation
from salwidgets.verbalization import Draft, Sentence, TemplateWriter, Verbalization, english
from salwidgets.verbalization.salient import look
from salwidgets.verbalization.templates import percent

PICTURE = np.zeros((60, 90, 3), np.uint8)
LENGTHS, AUDIENCES = ("line", "paragraph", "report"), ("layperson", "expert")
CLASSES = ["husky", "wolf", "cat", "poodle"]
TREE = sw.Taxonomy.from_parents({"husky": "dog", "poodle": "dog", "wolf": "wild dog", "dog": "animal", "wild dog": "animal",
                                 "cat": "animal"})


def asked(kind):
    q = {"class": sw.why("husky"), "contrast": sw.why("husky").rather_than("wolf"), "group": sw.why("dog"),
         "groups": sw.why("dog").rather_than("wild dog")}[kind]
    return q.bind(CLASSES, TREE)


def at(values, question="class", **given):
    q = asked(question) if isinstance(question, str) else question
    return sw.from_array(np.asarray(values, float), PICTURE, q, **{"method": "occlusion", **given})


# -- a reader of the sentences, which knows places only -------------------------------------------------------------

_PLACE = r"the (top left|top right|bottom left|bottom right|top|bottom|left|right|centre)"
_P = r"((?:less than |more than )?\d+ %)"
_AGAINST = re.compile(r"opposing evidence|negative mass")


def mass(v, name, sign):
    """Share of one sign's mass at a place, by cutting every cell into 3 x 3."""
    fine = np.kron(np.maximum(sign * np.where(np.isfinite(v), v, 0), 0), np.ones((3, 3)))
    i = english.PLACES.index(name)
    h, w = fine.shape[0] // 3, fine.shape[1] // 3
    return fine[i // 3 * h:(i // 3 + 1) * h, i % 3 * w:(i % 3 + 1) * w].sum() / fine.sum()


def readings(sentence):
    """(place, share words) pairs: "the top speaks …, with 3 %", "the top holds 3 %", "the top with 3 %"."""
    bare = re.sub(r"“[^”]*”", "“”", sentence)
    pairs = re.findall(rf"{_PLACE} (?:speaks (?:most|clearly) .*?, with|holds|with) {_P}", bare, re.IGNORECASE)
    return [(p.lower(), s) for p, s in pairs]


@pytest.mark.parametrize("question", ["class", "contrast", "group", "groups"])
@pytest.mark.parametrize("shape", [(7, 7), (2, 5), (14, 14)])
def test_sentences_read_back_into_the_numbers_of_the_map(question, shape):
    rng = np.random.default_rng(0)
    read = 0
    for power in (1, 3, 7):
        v = rng.normal(size=shape)
        v = np.sign(v) * np.abs(v) ** power
        e = at(v, question, score=1.0)
        for length in LENGTHS:
            for audience in AUDIENCES:
                for s in sw.verbalize(e, length=length, audience=audience).sentences:
                    sign = -1 if _AGAINST.search(s) else 1
                    for place, share in readings(s):
                        assert s.relation == ("opposes" if sign < 0 else "supports")
                        assert percent(mass(e.values.astype(float), place, sign)) == share, (s, place)
                        read += 1
                    for share in re.findall(rf"Evidence against it makes up {_P}", s):
                        assert share == percent(np.maximum(-v, 0).sum() / np.abs(v).sum())
                        read += 1
                    if s.startswith("Together"):
                        said = re.findall(_P, s)
                        units = look(e).supporting
                        assert said == [percent(sum(mass(e.values.astype(float), u.label, 1) for u in units)),
                                        percent(len(units) / 9)]
                        read += 2
    assert read > 40


@pytest.mark.parametrize("question, words", [
    ("class", "speaks most for “husky”, with 60 % of the supporting evidence, followed by the top right with 40 %"),
    ("contrast", "speaks most for “husky” and against “wolf”, with"),
    ("group", "speaks most for the group “dog”, with"),
    ("groups", "speaks most for the group “dog” and against “wild dog”, with"),
])
def test_each_kind_of_question_has_its_words(question, words):
    v = np.zeros((7, 7))
    v[1, 1], v[1, 5], v[5, 5] = 3, 2, -1
    for length in LENGTHS:
        assert words in sw.verbalize(at(v, question), length=length).text
    opposing = sw.verbalize(at(-v, question)).text
    assert "The bottom right speaks most for" in opposing.replace("According to occlusion, the", "The")
    assert "The top left speaks most against" in opposing


def test_lengths_and_audiences_differ():
    v = np.random.default_rng(0).normal(size=(9, 9)) ** 3
    e = at(v, score=2.0, probability=0.9)
    texts = {(n, a): sw.verbalize(e, length=n, audience=a) for n in LENGTHS for a in AUDIENCES}
    assert len({v.text for v in texts.values()}) == 6
    for a in AUDIENCES:
        lengths = [len(texts[n, a].sentences) for n in LENGTHS]
        assert lengths == sorted(lengths) and lengths[0] < lengths[2]
    assert "mass" in texts["line", "expert"].text and "logits" in texts["line", "expert"].text
    assert "logit" not in texts["report", "layperson"].text and "mass" not in texts["report", "layperson"].text


def test_grammar():
    masks = {n: np.zeros((9, 9), bool) for n in ("legs", "grass", "feet", "left ear")}
    for i, m in enumerate(masks.values()):
        m[2 * i] = True
    for i, (name, wanted) in enumerate([("legs", "The legs speak most"), ("grass", "The grass speaks most"),
                                        ("feet", "The feet speak most"), ("left ear", "The left ear speaks most")]):
        v = np.zeros((9, 9))
        v[2 * i] = 1
        text = sw.verbalize(at(v), units=masks, length="line").text
        assert text.startswith(wanted), (name, text)
    assert english.listed(["a"]) == "a" and english.listed(["a", "b", "c"]) == "a, b and c" and english.listed([]) == ""


def test_words_of_a_text():
    e = Explanation(np.array([0, -2.0, 0, 1, 0, 1, 0, 0]), np.zeros((8, 4)), sw.why("positive"), "occlusion", image=None)
    text = sw.verbalize(e, units=["it", "bad", "but", "fun", "and", "fun", "so", "it"]).text
    assert "the first “fun”" in text and "The word “bad” speaks most against “positive”" in text


@pytest.mark.parametrize("name", ["{{ 7 * 7 }}", "{% raise %}", "a ”} is at the top. “b", "two\nlines\x00",
                                  "<script>x</script>", "# *bold* [x](y) $z$", "a\\b_{c}%", "{b.units}", "%s {0}",
                                  "n" * 500])
def test_hostile_names_are_text(name):
    q = sw.why(name).rather_than("wolf").bind([name, "wolf"])
    v = np.zeros((7, 7))
    v[1, 1] = 1
    for length in LENGTHS:
        result = sw.verbalize(at(v, q, prediction=("wolf", 0.9), probability=0.1, layer=name), length=length,
                              units={name: v > 0, "rest": v == 0})
        assert "49" not in result.text and "\n" not in result.text and "\x00" not in result.text
        assert result.text.count("“") == result.text.count("”")
        assert name[:12].split("\n")[0].split("”")[0].strip() in result.text
        assert "<script" not in result.to_markdown()
    pointwise = sw.verbalize(at(v, sw.why(name).bind([name, "wolf"])))
    assert pointwise.text.count("“") == pointwise.text.count("”")


def test_special_characters_in_markdown_and_latex():
    v = np.eye(7)[:, ::-1]
    name = "a_b & 50 % {x} $y$ \\z # ~^ <i>"
    result = sw.verbalize(at(v, sw.why(name).bind([name, "b"])))
    tex = result.to_latex()
    assert (r"``a\_b \& 50 \% \{x\} \$y\$ \textbackslash{}z \# \textasciitilde{}\textasciicircum{} "
            r"\textless{}i\textgreater{}''") in tex
    assert not re.search(r"(?<!\\)[%&#_]", tex)
    md = result.to_markdown()
    assert r"a\_b &amp; 50 % \{x\} \$y\$" in md and "&lt;i&gt;" in md


# -- verbalize with writers that err ----------------------------------------------------------------------------------

class Scripted:
    """A writer that gives prepared drafts in turn, and remembers what it was told."""

    name = "scripted"

    def __init__(self, *drafts):
        self.drafts, self.told = list(drafts), []

    def write(self, brief, *, length, audience, contradicted=(), on_text=None):
        self.told.append(len(contradicted))
        draft = self.drafts[min(len(self.told), len(self.drafts)) - 1]
        if isinstance(draft, BaseException):
            raise draft
        if on_text:
            on_text(" ".join(draft))
        return Draft(tuple(Sentence(s) for s in draft))


TRUE, FALSE = "The top left holds 60 % of the supporting evidence.", "The bottom left holds 90 % of the supporting evidence."


def corner():
    v = np.zeros((7, 7))
    v[1, 1], v[1, 5], v[5, 5] = 3, 2, -1
    return at(v)


def test_mark_keeps_false_sentences_and_says_so():
    v = sw.verbalize(corner(), Scripted([TRUE, FALSE]))
    assert v.sentences == [TRUE, FALSE] and v.text == f"{TRUE} {FALSE}" and v.contradicted == [1]
    assert f"~~{FALSE}~~" in v._repr_markdown_() and f"~~{TRUE}" not in v.to_markdown()
    assert r"\footnote" in v.to_latex()


def test_drop_leaves_them_out():
    v = sw.verbalize(corner(), Scripted([FALSE, TRUE]), on_false="drop")
    assert v.sentences == [TRUE] and v.contradicted == [] and {c.sentence for c in v.claims} == {0}
    assert "1 sentence" in v.notices[0] and v.writer == "scripted"
    v = sw.verbalize(corner(), Scripted([FALSE]), on_false="drop")
    assert v.writer == "template" and "most for" in v.text and any("no text" in n for n in v.notices)


def test_retry_feeds_the_contradiction_back_at_most_twice():
    writer = Scripted([FALSE], [TRUE])
    v = sw.verbalize(corner(), writer, on_false="retry")
    assert v.text == TRUE and writer.told == [0, 1] and v.notices == ()
    writer = Scripted([FALSE])
    v = sw.verbalize(corner(), writer, on_false="retry")
    assert writer.told == [0, 1, 1] and v.writer == "template" and not v.contradicted
    assert any("still disagreed" in n for n in v.notices) and v.error is None


def test_a_failure_never_costs_the_text():
    failed = LLMError("no answer within 30 s.")
    v = sw.verbalize(corner(), Scripted(failed))
    assert v.error is failed and v.writer == "template" and v.text == sw.verbalize(corner()).text
    assert "no answer within 30 s" in v.notices[0]
    with pytest.raises(KeyboardInterrupt):
        sw.verbalize(corner(), Scripted(KeyboardInterrupt()))
    assert sw.verbalize(corner(), Scripted([])).writer == "template"


def test_text_streams_to_the_caller():
    seen = []
    sw.verbalize(corner(), Scripted([TRUE]), on_text=seen.append)
    sw.verbalize(corner(), on_text=seen.append)
    assert seen[0] == TRUE and "most for" in seen[1]


@pytest.mark.parametrize("wrong", [{"writer": "poet"}, {"writer": 3}, {"length": "novel"}, {"audience": "cats"},
                                   {"on_false": "lie"}, {"language": "klingon"}, {"language": "../os"},
                                   {"language": "brief"}])
def test_options_that_are_not_known(wrong):
    with pytest.raises(InputError):
        sw.verbalize(corner(), **wrong)


def test_a_verbalization_is_kept_as_plain_data():
    import json

    e = corner()
    v = sw.verbalize(e, Scripted([TRUE, FALSE]))
    back = Verbalization.from_dict(json.loads(json.dumps(v.to_dict())), e)
    assert back.text == v.text and back.contradicted == [1] and back.writer == "scripted" and back.claims == v.claims
    assert [u.id for u in back.brief.supporting] == [u.id for u in v.brief.supporting]
    for a, b in zip(back.brief.units, v.brief.units, strict=True):
        np.testing.assert_array_equal(a.cells, b.cells)
    bad = v.to_dict()
    bad["brief"]["units"][0]["cells"] = "AAAA"
    for d in ({}, bad, {**v.to_dict(), "claims": [{"x": 1}]}, {**v.to_dict(), "usage": {"pickle": 1}}):
        with pytest.raises(InputError):
            Verbalization.from_dict(d, e)
    with pytest.raises(InputError):
        Verbalization.from_dict(v.to_dict(), at(np.eye(9)))


# -- the catalogue ----------------------------------------------------------------------------------------------------

def test_every_template_of_the_catalogue_compiles_and_the_sandbox_holds():
    from jinja2.exceptions import SecurityError

    from salwidgets.verbalization.templates import _compiled

    compiled = _compiled("english")
    assert {k for k, _ in compiled} == set(english.SENTENCES)
    environment = next(iter(compiled.values())).environment
    with pytest.raises(SecurityError):
        environment.from_string("{{ ''.__class__.__mro__ }}").render()


def test_captions_and_alt_text_come_from_the_catalogue(monkeypatch):
    e = corner()
    assert alt_text(e) == f"Map over a picture. Why “husky”? {sw.verbalize(e, length='line').text}"
    e.score, e.class_blind = 1.0, True
    assert facts(e)[0] == {"term": "Score", "text": "+1.00 logits"}
    assert notices(e) == [english.CAPTIONS["blind"]]
    monkeypatch.setitem(english.CAPTIONS, "score", "Punkte")
    monkeypatch.setitem(english.CAPTIONS, "grid", "{h} mal {w} Felder")
    assert facts(e)[0]["term"] == "Punkte" and caption(e, (7, 7), (7, 7)).endswith("7 mal 7 Felder")


def test_the_same_brief_gives_the_same_text():
    e = at(np.random.default_rng(0).normal(size=(9, 9)))
    brief = look(e)
    assert TemplateWriter().write(brief).sentences == TemplateWriter().write(brief).sentences
    said = {i for s in TemplateWriter().write(brief, length="report").sentences for i in s.units}
    assert said and said <= {u.id for u in brief.units}


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e20])
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (30,), (1,), (2, 60), (1, 2), (4, 5, 6), (1, 1, 1)])
def test_any_map_gives_whole_sentences(shape, scale):
    rng = np.random.default_rng(0)
    series = len(shape) == 2 and shape[1] > shape[0]
    for k in range(6):
        v = rng.normal(size=shape) ** 3 * scale
        if k in (1, 2):
            v.flat[0] = (np.nan, np.inf)[k - 1]
        v = np.zeros(shape) if k == 3 else -np.abs(v) if k == 4 else v
        question = (sw.why(), None, sw.why(3), sw.why(["a", "b"]).rather_than(5), asked("groups"), asked("contrast"))[k]
        tokens = rng.choice(["[CLS]", "##a", "good", "Ġx", ".", "“q”", ""], shape[0]).tolist()
        method = ("rise", "vargrad", "saliency", "own", "lrp", "")[k]
        e = Explanation(v, np.zeros(shape if series else (3, 8, 9)), question, method, image=None,
                        params={"tokens": tokens, "rate": 7 if series else 0}, class_blind=k == 5,
                        score=(None, 0.0, -1.0, float("nan"), 2.0, 1.0)[k])
        for length in LENGTHS:
            for audience in AUDIENCES:
                sentences = TemplateWriter().write(look(e), length=length, audience=audience).sentences
                assert sentences
                for s in sentences:
                    assert s[0].isupper() and s.endswith(".") and "nan" not in s and "  " not in s and " ," not in s, s
