"""Units of ordered maps: words and phrases of a text, intervals and bands of a series, segments of a volume.

Where the strings come from: ``explanation.params["tokens"]`` (one per value), with ``params["offsets"]`` (start, stop in
``params["text"]``) if the tokeniser gives them; or ``units=[...]``. ``params["rate"]`` is a series' samples per second;
``params["domain"] == "frequency"`` says that its values lie on frequencies, bin k at k * rate / samples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from types import ModuleType

import numpy as np

from ..errors import InputError
from ..explanation import Explanation
from . import english
from .brief import Unit
from .searches import merged, summary
from .units import Mass, plain

_SPECIAL = re.compile(r"\[(?:CLS|SEP|PAD|MASK|UNK|BOS|EOS)\]|</?s>|<(?:pad|unk|mask|bos|eos)>|<\|[^|]*\|>")
_STARTS = ("Ġ", "▁", "Ċ")
_PIECES = 20


def words(e: Explanation, mass: Mass, given: Sequence[str] | None = None, language: ModuleType = english) -> list[Unit]:
    """A unit for each word: sub-words are joined and their values summed; special tokens are left out. Phrases that the
    searches find, on either side, are units beside their words."""
    n = e.values.shape[0]
    tokens = list(given) if given is not None else _listed(e.params.get("tokens"))
    if tokens is None:
        raise InputError("the words of this text are not known: give units=[one string per value], or put them into the "
                         "explanation's params as 'tokens'.")
    if len(tokens) != n:
        raise InputError(f"{len(tokens)} tokens do not fit a map of {n} values.")
    offsets = None if given is not None else _listed(e.params.get("offsets"))
    groups = [[i] for i in range(n)] if given is not None else joined(tokens, offsets)
    text = e.params.get("text") if offsets else None
    labels = [_surface(tokens, group, offsets, text) for group in groups]
    units = [mass.unit("word", plain(label, 60), _cells(n, group)) for label, group in zip(labels, groups, strict=True)]
    counts = {label: sum(u.label == label for u in units) for label in {u.label for u in units}}
    seen: dict[str, int] = {}
    for i, u in enumerate(units):
        seen[u.label] = seen.get(u.label, 0) + 1
        if counts[u.label] > 1:
            units[i] = replace(u, nth=seen[u.label])
    return [*units, *_phrases(units, groups, labels, offsets, text, mass)]


def joined(tokens: Sequence[str], offsets: Sequence[Sequence[int]] | None = None) -> list[list[int]]:
    """Indices of the tokens of each word, special tokens left out.

    By offsets: tokens that touch belong together, punctuation apart. Else by the marks of WordPiece ("##" goes on) or
    of byte-pair and SentencePiece tokens ("Ġ", "▁" begin).

    >>> joined(["[CLS]", "un", "##kind", "film", "[SEP]"])
    [[1, 2], [3]]
    """
    marked = any(t.startswith(_STARTS) for t in tokens)
    groups: list[list[int]] = []
    last = None
    for i, token in enumerate(tokens):
        empty = offsets is not None and offsets[i][0] == offsets[i][1]
        if empty or _SPECIAL.fullmatch(token) or not token.strip("".join(_STARTS) + " \n\t"):
            last = None
            continue
        if offsets is not None:
            goes_on = last is not None and offsets[i][0] == offsets[last][1]
        elif marked:
            goes_on = last is not None and not token.startswith(_STARTS)
        else:
            goes_on = last is not None and token.startswith("##")
        if goes_on and _wordlike(_bare(tokens[i])) and _wordlike(_bare(tokens[last or 0])):
            groups[-1].append(i)
        else:
            groups.append([i])
        last = i
    return groups


def intervals(e: Explanation, mass: Mass, language: ModuleType = english) -> list[Unit]:
    """Stretches of a series `[C, L]` (or `[L]`): twenty pieces, those that the searches find side by side merged, the
    rest between them. With params["domain"] = "frequency": bands."""
    length = e.values.shape[-1]
    band = e.params.get("domain") == "frequency"
    edges = np.unique(np.linspace(0, length, min(_PIECES, length) + 1).round().astype(int))
    pieces = list(pairwise(edges.tolist()))
    across = mass.values.reshape(-1, length).sum(0)
    sums = np.array([across[a:b].sum() for a, b in pieces])
    runs = _tiled(len(pieces), [r for side in (sums, -sums) for f in summary(side) for r in _strong(f.indices, side)])
    units = []
    for run in runs:
        start, stop = pieces[run[0]][0], pieces[run[-1]][1]
        cells = np.zeros(e.values.shape, np.float32)
        cells[..., start:stop] = 1
        units.append(mass.unit("band" if band else "interval", _stretch(e, start, stop, band, language), cells))
    return units


def channels(e: Explanation, mass: Mass, language: ModuleType = english) -> list[Unit]:
    """A unit for each channel of a series `[C, L]`, counted from 1."""
    eye = np.eye(e.values.shape[0], dtype=np.float32)
    ones = np.ones(e.values.shape[1:], np.float32)
    return [mass.unit("segment", language.LABELS["channel"].format(n=i + 1), row.reshape(-1, *[1] * ones.ndim) * ones)
            for i, row in enumerate(eye)]


def blocks(e: Explanation, mass: Mass, language: ModuleType = english) -> list[Unit]:
    """A volume `[D, H, W]` in thirds of its slices and the nine places of each."""
    from .units import overlap

    d = e.values.shape[0]
    parts = [overlap(n, 3) for n in e.values.shape]
    edges = [round(i * d / 3) for i in range(4)]
    units = []
    for z in range(min(3, d)):
        span = {"start": edges[z] + 1, "stop": max(edges[z + 1], edges[z] + 1)}
        for i, place in enumerate(language.PLACES):
            cells = np.einsum("i,j,k->ijk", parts[0][z], parts[1][i // 3], parts[2][i % 3])
            units.append(mass.unit("segment", language.LABELS["slices"].format(place=place, **span), cells))
    return units


def _phrases(units: list[Unit], groups: list[list[int]], labels: list[str], offsets: Sequence[Sequence[int]] | None,
             text: str | None, mass: Mass) -> list[Unit]:
    values = np.array([u.value for u in units])
    found: list[Unit] = []
    for sign in (1, -1):
        for f in summary(sign * values):
            for run in _strong(f.indices, sign * values):
                if not 1 < len(run) <= 5:  # no one quotes a whole sentence as a phrase
                    continue
                cells = _cells(len(mass.values), [i for w in run for i in groups[w]])
                label = text[offsets[groups[run[0]][0]][0]:offsets[groups[run[-1]][-1]][1]] if text and offsets \
                    else " ".join(labels[w] for w in run)
                found.append(mass.unit("phrase", plain(label, 80), cells))
    return found


def _strong(indices: Sequence[int], values: np.ndarray) -> list[tuple[int, ...]]:
    """Runs of the units that hold at least a quarter of the largest value: the searches' windows take weak neighbours
    along, which would be claimed to matter. Ours."""
    largest = max(values[i] for i in indices)
    return merged(i for i in indices if values[i] > 0 and values[i] >= 0.25 * largest)


def _tiled(n: int, runs: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The runs, none overlapping an earlier one, and what is left between them."""
    owner = np.full(n, -1)
    for k, run in enumerate(runs):
        if (owner[list(run)] < 0).all():
            owner[list(run)] = k
    cuts = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), n]
    return [tuple(range(a, b)) for a, b in pairwise(cuts) if b > a]


def _stretch(e: Explanation, start: int, stop: int, band: bool, language: ModuleType) -> str:
    rate = e.params.get("rate")
    if not rate:
        return str(language.LABELS["bins" if band else "samples"].format(start=start, stop=stop - 1))
    step = float(rate) / e.input_shape[-1] if band else 1 / float(rate)
    ends = {k: f"{v:.3g}" for k, v in (("start", start * step), ("stop", stop * step))}
    return str(language.LABELS["hertz" if band else "seconds"].format(**ends))


def _cells(n: int, indices: Sequence[int]) -> np.ndarray:
    cells = np.zeros(n, np.float32)
    cells[list(indices)] = 1
    return cells


def _surface(tokens: Sequence[str], group: Sequence[int], offsets: Sequence[Sequence[int]] | None, text: str | None) -> str:
    if text and offsets:
        return text[offsets[group[0]][0]:offsets[group[-1]][1]].strip()
    return "".join(_bare(tokens[i]) for i in group)


def _bare(token: str) -> str:
    return token.removeprefix("##").lstrip("".join(_STARTS)).strip()


def _wordlike(token: str) -> bool:
    return bool(re.search(r"\w", token)) or token in ("'", "’", "-")


def _listed(value: object) -> list | None:
    if value is None:
        return None
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InputError(f"the explanation's tokens or offsets must be a list; got {type(value).__name__}.")
    return list(value)
