"""Exported pages: self-contained, escaped, complete; and the bundle is fresh and small."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import fakes
import numpy as np
import pytest

from salwidgets.errors import InputError
from salwidgets.widgets import Contrast, Heatmap, link, save_page

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "salwidgets" / "widgets" / "static"


def state_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="salw-state">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_holds_the_maps_and_their_links(tmp_path: Path) -> None:
    view = Heatmap(fakes.explanation())
    view.selection = {"box": [0, 0, 10, 10]}
    path = view.save_html(tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    assert "<title>Why “husky” rather than “wolf”?</title>" in text
    models = state_of(text)
    own, shared = models[view.model_id], models[view.links["scale"].model_id]
    assert own["state"]["_view"] == "heatmap"
    buffers = {tuple(p): base64.b64decode(b) for p, b in own["buffers"]}
    np.testing.assert_array_equal(np.frombuffer(buffers["map", "view"], "<f4").reshape(6, 10), view.explanation.values)
    assert shared["state"]["selection"]["box"] == [0, 0, 10, 10]


def test_the_page_needs_nothing_from_anywhere(tmp_path: Path) -> None:
    text = Contrast(fakes.basis()).save_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"""(src|href)\s*=\s*["']""", re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL))
    assert set(re.findall(r"https?://[\w./-]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "_esm" not in text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    e = fakes.explanation(notices=("</script><script>alert(1)</script>", "<!--", "a\u2028b"), layer="<img src=x>")
    text = save_page([("<b>&", ["</p><script>"], Heatmap(e))], tmp_path / "page.html", title="</title><script>",
                     intro="<i>").read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert text.count("</script>") == 2
    assert "<img" not in text
    assert "&lt;b&gt;&amp;" in text
    assert "</script><script>alert(1)</script>" in str(state_of(text))


def test_a_page_of_several_linked_views_and_words(tmp_path: Path) -> None:
    a, b, c = Heatmap(fakes.explanation()), Heatmap(fakes.explanation()), Contrast(fakes.basis())
    shared = link(a, b)
    path = save_page([("One", "Words.", a), ("Two", ["More.", "And more."], b), ("", "", c), ("End", "Bye.", None)],
                     tmp_path / "page.html", title="A page", intro="An introduction.")
    text = path.read_text(encoding="utf-8")
    assert text.count("data-salw-model=") == 3
    assert text.count('<p class="salw-text">') == 5
    assert state_of(text)[a.model_id]["state"]["links"] == state_of(text)[b.model_id]["state"]["links"]
    assert f"anywidget:{shared.model_id}" in text


def test_wrong_pages_are_input_errors(tmp_path: Path) -> None:
    for sections in ([], ["husky"], [("a", "b")], [("a", "b", "c")]):
        with pytest.raises(InputError):
            save_page(sections, tmp_path / "page.html")
    with pytest.raises(InputError, match="cannot write"):
        Heatmap(fakes.explanation()).save_html(tmp_path / "absent" / "page.html")


def test_the_bundle_is_small() -> None:
    for name in ("widget.js", "page.js"):
        assert 5_000 < (STATIC / name).stat().st_size < 190_000


def test_the_bundle_is_fresh() -> None:
    node = shutil.which("node")
    if not node or not (ROOT / "js" / "node_modules" / "esbuild").exists():
        pytest.skip("no node, or no js/node_modules (npm ci in js/)")
    done = subprocess.run([node, "build.mjs", "--check"], cwd=ROOT / "js", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lock_file_names_no_addresses() -> None:
    text = (ROOT / "js" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "registry" not in text


def test_every_class_in_the_style_sheet_is_ours() -> None:
    css = re.sub(r"/\*.*?\*/", "", (ROOT / "js/src/styles/widget.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    for rule in re.findall(r"([^{}]+)\{", css):
        for selector in rule.split(","):
            if not selector.strip().startswith("@") and selector.strip():
                assert selector.strip().startswith(".salw-"), selector
