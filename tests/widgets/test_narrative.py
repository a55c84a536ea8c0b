"""Narrative: texts and units as state, the language model on a thread, the key in nothing that is kept."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fakes
import numpy as np
import pytest
from ipywidgets.widgets.widget import _remove_buffers

import salwidgets as sw
from salwidgets.errors import InputError
from salwidgets.verbalization import Brief, Draft, Sentence, Verbalization
from salwidgets.verbalization.claims import Claim
from salwidgets.widgets import Heatmap, Narrative, link
from salwidgets.widgets.passages import verdict_of

KEY = "topsecret-2718281828459045"


class Writer:
    """Writes what it was told; can wait, stream and fail."""

    name = "LLM test"

    def __init__(self, text: str = "The map holds evidence.", error: Exception | None = None, wait: float = 0) -> None:
        self.text, self.error, self.wait = text, error, wait

    def write(self, brief: Brief, *, on_text: Any = None, **options: Any) -> Draft:
        for i in range(1, len(self.text)):
            if on_text:
                on_text(self.text[:i])
            time.sleep(self.wait)
        if self.error:
            raise self.error
        return Draft((Sentence(self.text, [brief.units[0].id], "supports"),))


def until(true: Callable[[], Any], seconds: float = 3) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def v() -> Verbalization:
    return sw.verbalize(fakes.explanation())


def send(w: Narrative, **request: Any) -> None:
    w.request = request


def test_all_texts_of_the_template_are_there_from_the_start(v: Verbalization) -> None:
    w = Narrative(v)
    (passage,) = w.passages
    assert {(x["by"], x["length"], x["audience"]) for x in passage["variants"]} == {
        ("template", n, a) for n in ("line", "paragraph", "report") for a in ("layperson", "expert")}
    first = next(x for x in passage["variants"] if (x["length"], x["audience"]) == ("paragraph", "layperson"))
    assert [s["text"] for s in first["sentences"]] == list(v.sentences)
    assert first["markdown"] == v.to_markdown()
    assert first["latex"] == v.to_latex()
    assert (w.by, w.length, w.audience) == ("template", "paragraph", "layperson")
    assert Narrative(sw.verbalize(v.explanation, length="line", audience="expert")).length == "line"


def test_sentences_and_shapes_belong_together(v: Verbalization) -> None:
    w = Narrative(v)
    (passage,) = w.passages
    cells = np.frombuffer(w.cells["view"], np.uint8)
    assert w.cells["shape"] == [len(cells)]
    text = next(x for x in passage["variants"] if (x["length"], x["audience"]) == ("paragraph", "layperson"))
    spoken = 0
    for said, sentence in zip(text["sentences"], v.sentences, strict=True):
        for index, id in zip(said["units"], sentence.units, strict=True):
            unit, stored = v.brief.unit(id), passage["units"][index]
            assert unit is not None
            shape = cells[stored["offset"]:][:stored["rows"] * stored["cols"]].reshape(stored["rows"], stored["cols"])
            np.testing.assert_allclose(shape / 255, unit.cells, atol=0.002)
            assert stored["label"] == unit.label
            spoken += 1
    assert spoken
    assert passage["size"] == [60, 100]
    assert [s["verdict"] for s in text["sentences"]] == [
        verdict_of([c for c in v.claims if c.sentence == i]) for i in range(len(v.sentences))]


def test_one_false_claim_makes_a_sentence_false() -> None:
    def claims(*verdicts: str) -> list[Claim]:
        return [Claim("", "says", None, 0, 0, verdict) for verdict in verdicts]

    assert verdict_of(claims("supported", "contradicted", "not checkable")) == "contradicted"
    assert verdict_of(claims("not checkable", "supported")) == "supported"
    assert verdict_of(claims("not checkable")) == verdict_of([]) == "not checkable"


def test_large_shapes_cross_no_finer_than_they_are_seen() -> None:
    w = Narrative(sw.verbalize(fakes.explanation(500, 300, image=fakes.picture(500, 300))))
    assert {(u["rows"], u["cols"]) for u in w.passages[0]["units"]} == {(224, 224)}


def test_several_explanations_and_what_is_none(v: Verbalization) -> None:
    other = sw.verbalize(fakes.explanation(3, 5))
    w = Narrative([v, other])
    assert w.title == "Explanations in words"
    assert len(w.passages) == len(w.shown) == 2
    for wrong in (None, "text", [], [v, 3], v.explanation):
        with pytest.raises(InputError, match=r"Verbalization|verbalize"):
            Narrative(wrong)
    with pytest.raises(InputError, match="write"):
        Narrative(v, writer="gpt")
    with pytest.raises(InputError, match="Link"):
        Narrative(v, link="a")  # type: ignore[arg-type]


def test_a_text_of_another_writer_is_shown_as_given(v: Verbalization) -> None:
    w = Narrative(sw.verbalize(v.explanation, Writer("99 % of the evidence lies at the top left.")))
    assert w.by == "given"
    given = next(x for x in w.passages[0]["variants"] if x["by"] == "given")
    assert given["sentences"][0]["verdict"] == "contradicted"
    assert w.shown[0].text == "99 % of the evidence lies at the top left."
    w.by = "template"
    assert w.shown[0].text == v.text


def test_it_links_with_maps(v: Verbalization) -> None:
    heat = Heatmap(v.explanation)
    assert Narrative(v, link=heat).links == heat.links
    w = Narrative(v)
    link(heat, w)
    heat.selection = {"box": [0, 0, 10, 10]}
    assert w.selection == heat.selection
    assert not heat.own_scale
    assert Narrative(v, link=w.links["cursor"]).links["selection"] is w.links["selection"]


def test_a_greeting_is_answered_with_its_own_id(v: Verbalization) -> None:
    w = Narrative(v)
    for id in ("a1", "b2"):
        send(w, do="hello", id=id)
        assert w.alive == id
    send(w, do="nonsense", id="c")
    send(w, do="write", id="d")
    assert (w.reply["id"], w.reply["state"]) == ("d", "failed")


def test_the_language_model_writes_on_a_thread_and_shows_how_far_it_is(v: Verbalization) -> None:
    w = Narrative(v, writer=Writer("It speaks.", wait=0.005))
    seen: list[Any] = []
    w.observe(lambda change: seen.append(change["new"]), "reply")
    send(w, do="write", id="w1", length="line", audience="expert")
    until(lambda: w.reply["state"] == "done")
    assert [s["id"] for s in seen] == ["w1"] * len(seen)
    assert [s["state"] for s in seen] == ["writing"] * (len(seen) - 1) + ["done"]
    assert any(s["text"] == "It speak" for s in seen)
    w.by, w.length, w.audience = "llm", "line", "expert"
    assert w.shown[0].text == "It speaks."
    assert w.shown[0].writer == "LLM test"
    w.length = "report"
    assert w.shown[0].writer == "template"
    assert w.llm == "LLM test"


def test_an_error_comes_with_the_templates_text(v: Verbalization) -> None:
    for error in (sw.errors.LLMError("the server failed (500)."), ZeroDivisionError("a bug")):
        w = Narrative(v, writer=Writer(error=error))
        w.ask()
        until(lambda w=w: w.reply["state"] != "writing")
        assert w.reply["state"] == "failed"
        assert str(error) in w.reply["text"]
        failed = next(x for x in w.passages[0]["variants"] if x["by"] == "llm")
        assert str(error) in failed["error"]
        assert w.shown[0].text == v.text


def test_it_can_be_stopped_and_asked_again(v: Verbalization) -> None:
    w = Narrative(v, writer=Writer("A very long text indeed." * 20, wait=0.01))
    send(w, do="write", id="w1", length="line", audience="expert")
    until(lambda: len(w.reply["text"]) > 3)
    start = time.monotonic()
    send(w, do="stop", id="s1")
    until(lambda: w.reply["state"] == "stopped")
    assert time.monotonic() - start < 0.5
    assert all(x["by"] == "template" for x in w.passages[0]["variants"])
    send(w, do="write", id="w2", length="line", audience="expert")
    until(lambda: len(w.reply["text"]) > 3)
    w._writer.text = "Short."
    send(w, do="write", id="w3", length="line", audience="expert")  # the second is given up for the third
    until(lambda: w.reply["state"] == "done")
    assert w.reply["id"] == "w3"
    time.sleep(0.05)
    assert w.reply["id"] == "w3"


@pytest.fixture
def chat() -> Iterator[Any]:
    pytest.importorskip("openai")
    sys.path.insert(0, str(Path(__file__).parents[1] / "verbalization"))
    import server

    with server.ChatServer() as found:
        yield found, server


def test_a_silent_server_is_stopped_at_once_and_the_key_is_kept_nowhere(v: Verbalization, chat: Any, tmp_path: Path,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server, kinds = chat
    w = Narrative(v, writer=sw.LLMWriter(model="m", base_url=server.url, timeout=3, retries=0))
    server.play(kinds.silent(3))
    w.ask()
    until(lambda: server.requests)
    start = time.monotonic()
    w.stop()
    until(lambda: w.reply["state"] == "stopped")
    assert time.monotonic() - start < 0.5
    for behave in (kinds.echo_key, kinds.good(kinds.content([(f"Key {KEY}.", ["u1"], "supports")]))):
        server.play(behave)
        w.ask()
        until(lambda: w.reply["state"] in ("failed", "done"))
        state, _, buffers = _remove_buffers(w.get_state())
        page = w.save_html(tmp_path / "page.html").read_text()
        bundle = w._repr_mimebundle_()
        kept = [repr(w), json.dumps(state, default=str), *(bytes(b).decode("latin-1") for b in buffers), page,
                repr(bundle), repr(w.shown[0]), json.dumps(w.shown[0].to_dict()), w.shown[0].to_markdown()]
        assert [text[:60] for text in kept if KEY in text] == []
    assert server.headers[-1]["authorization"] == f"Bearer {KEY}"
    assert w.shown[0].text == "Key [key]."


@pytest.mark.parametrize(("fault", "said"), [
    (lambda k: k.silent(3), "time"), (lambda k: k.drip(), "time limit"), (lambda k: k.status(401), "401"),
    (lambda k: k.status(429, "slow", Retry_After="60"), "asks to wait 60 s"), (lambda k: k.status(500), "500"),
    (lambda k: k.raw(b'{"choices": [{"mess'), "broken JSON"), (lambda k: k.message("{}"), "another shape"),
    (lambda k: k.stops(), "stopped before"), (lambda k: k.raw(b"<html><body>hello", "text/html"), "web page"),
    (lambda k: k.endless(10), "2 MB")])
def test_every_fault_is_told_in_the_widget_beside_the_templates_text(v: Verbalization, chat: Any, fault: Any,
                                                                    said: str) -> None:
    server, kinds = chat
    server.play(fault(kinds))
    w = Narrative(v, writer=sw.LLMWriter(model="m", base_url=server.url, timeout=0.5, retries=1))
    start = time.monotonic()
    w.ask()
    until(lambda: w.reply["state"] == "failed")
    assert time.monotonic() - start < 1.5
    assert said in w.reply["text"]
    failed = next(x for x in w.passages[0]["variants"] if x["by"] == "llm")
    assert failed["error"] == w.reply["text"]
    assert w.shown[0].text == v.text


def test_figure_page_and_picture(v: Verbalization, tmp_path: Path) -> None:
    w = Narrative(v)
    words = " ".join(t.get_text() for t in w.figure().texts).replace("\n", " ")
    assert str(v.sentences[0]) in words
    false = Narrative(sw.verbalize(v.explanation, Writer("99 % of the evidence lies at the top left.")))
    assert "[contradicted by the map]" in " ".join(t.get_text() for t in false.figure().texts).replace("\n", " ")
    bundle = w._repr_mimebundle_()
    assert bundle is not None
    assert {"image/png", "text/plain", "application/vnd.jupyter.widget-view+json"} <= set(bundle[0])
    assert w.save_html(tmp_path / "n.html").stat().st_size < 250_000


def test_a_text_has_words_but_no_map() -> None:
    e = sw.explanation.Explanation(np.array([0.1, -0.4, 2.0, 0.3], np.float32), np.zeros(4), sw.why("good"), "occlusion",
                                  params={"tokens": ["not", "bad", "good", "."]})
    w = Narrative(sw.verbalize(e))
    assert w.passages[0]["size"] == [1, 1]
    assert w.figure().texts
