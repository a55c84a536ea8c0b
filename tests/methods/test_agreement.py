"""The agreement table: made again on the world's CNN, and complete in docs/."""

import re
import sys
from pathlib import Path

import pytest

import salwidgets as sw

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import agreement  # noqa: E402

OWN_TESTS = {"salient-relevance", "meaningful-perturbation", "fido"}
"""Methods that have no map to agree with: their own tests compare the loss that a search reaches with a plain search's."""
LINE = re.compile(r"\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]*) \|")


def read(lines):
    return [LINE.fullmatch(line.strip()).groups() for line in lines]


@pytest.mark.parametrize("source", agreement.SOURCES)
def test_rows_agree_or_say_why(source):
    found = read(agreement.rows(agreement.case("creatures cnn"), source))
    if not found:
        pytest.skip(f"{source}: its peer is not installed")
    for _, method, peer, r, difference, remark in found:
        assert float(r) > 0.999 or remark.strip(), f"{method} beside {peer}: {r}"
        if peer == "plain transcription":
            assert float(difference) < 1e-4, method


def test_a_net_that_overwrites_its_features():
    """pytorch-grad-cam reads what a functional ReLU in place left; a plain hook that copies agrees with ours."""
    case = agreement.overwriting()
    ours = read(agreement.rows(case, "benchmarks.transcriptions:maps", only=("grad-cam",)))
    assert float(ours[0][3]) > 0.9999
    peer = read(agreement.rows(case, "benchmarks.peers_cam:maps", only=("grad-cam",)))
    assert not peer or (float(peer[0][3]) < 0.999 and "in place" in peer[0][5])


def test_every_method_has_a_row_in_docs():
    maps, searched = (ROOT / "docs" / "agreement.md").read_text().split("## Searched masks")
    rows = read(line for line in maps.splitlines() if line.startswith("|") and not line.startswith(("| network", "|---")))
    losses = [[cell.strip() for cell in line.split("|")[1:-1]] for line in searched.splitlines() if line.startswith("|")][2:]
    assert {row[1].split(",")[0] for row in losses} == {m.name for m in sw.methods() if m.family == "mask"}
    for _, _, _, *found in losses:
        ours, published, _, nothing = map(float, found)
        assert min(ours, published) < nothing
    assert {m.name for m in sw.methods()} - {row[1] for row in rows} <= OWN_TESTS
    for network, method, peer, r, _, remark in rows:
        assert remark.strip() if peer == "-" else float(r) > 0.999 or remark.strip(), (network, method, peer)


def test_what_a_network_is_refused_is_a_row():
    found = read(agreement.refusals(agreement.case("creatures vit")))
    assert [(row[1], row[5].split(" has ")[0]) for row in found] == [("lrp", "refused: lrp")]
    without = {row[1] for row in read(agreement.refusals(agreement.case("creatures cnn")))}
    assert without == {m.name for m in sw.methods() if "attention" in m.needs}
