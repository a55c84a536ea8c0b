"""The page of the ranking: tables, what they say in words made from the numbers, and the table for `recommend`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import salwidgets as sw
from salwidgets.metrics.likeness import ranks, spearman

Rows = Mapping[tuple[str, ...], Mapping[str, Any]]
KINDS = ("class", "group", "contrast")
FLOOR = "random"
COUNTED = {"deletion": -1, "insertion": 1, "rfxg": 1, "peak": 1, "share": 1}
"""Columns that count for the mean rank, and which way is better."""
ASPECTS = (("deletion", "rfxg"), ("insertion",), ("peak", "share"))
"""Columns of one aspect (hiding, showing, truth) count as one: RFxG hides the same pixels as deletion."""
SHOWN = (*COUNTED, "sparseness", "stability", "class_sensitivity", "randomised")
KIND_OF = {"cnn": "cnn", "squeezenet1_1": "cnn", "tiny_darknet": "cnn", "vit": "vit", "vit_tiny": "vit"}


def places(rows: Rows, net: str, kind: str) -> dict[str, float]:
    """Mean rank of each method on one network and kind of question, 0 (best of all) to 1 (worst).

    On each image and each counted column the methods that were measured there are ranked; a rank is the share of the others
    that do better (half of those that do as well). So a row with fewer images is compared on these images only. The mean is
    over `ASPECTS`, within each over its columns and the images.
    """
    by_column = {c: _column_places(rows, net, kind, c) for c in COUNTED}
    found: dict[str, list[float]] = {m: [] for m in _methods(rows, net, kind)}
    for aspect in ASPECTS:
        for m, means in found.items():
            mine = [by_column[c][m] for c in aspect if m in by_column[c]]
            if mine:
                means.append(float(np.mean(mine)))
    return {m: float(np.mean(p)) for m, p in found.items() if p}


def _column_places(rows: Rows, net: str, kind: str, column: str) -> dict[str, float]:
    """Each method's mean rank in one column, over its images."""
    values = {m: rows[net, m][kind][column] for m in _methods(rows, net, kind) if column in rows[net, m][kind]}
    found: dict[str, list[float]] = {m: [] for m in values}
    for i in range(max(map(len, values.values()), default=0)):
        here = [m for m, v in values.items() if len(v) > i]
        if len(here) > 1:
            place = (ranks(np.array([-COUNTED[column] * values[m][i] for m in here])) - 1) / (len(here) - 1)
            for m, p in zip(here, place, strict=True):
                found[m].append(float(p))
    return {m: float(np.mean(p)) for m, p in found.items() if p}


def _methods(rows: Rows, net: str, kind: str) -> list[str]:
    """The methods measured there, in the registry's order, the floor last."""
    order = [m.name for m in sw.methods()] + [FLOOR]
    return [m for m in order if kind in rows.get((net, m), {})]


def standing(rows: Rows, nets: Sequence[str], kind: str) -> dict[str, float]:
    """Mean of `places` over networks, for methods measured on all of them; networks with few rows yet are left out."""
    each = [places(rows, net, kind) for net in measured(rows, nets)]
    shared = set.intersection(*map(set, each)) if each else set()
    return {m: float(np.mean([p[m] for p in each])) for m in (each[0] if each else ()) if m in shared}


def measured(rows: Rows, nets: Sequence[str]) -> list[str]:
    """Networks with at least half as many rows as the one that has most."""
    count = {net: sum(k[0] == net for k in rows) for net in nets}
    return [net for net, c in count.items() if c and 2 * c >= max(count.values())]


def mean(rows: Rows, net: str, method: str, kind: str, column: str) -> float | None:
    """Mean of one figure over the row's images; None where it was not measured."""
    values = rows.get((net, method), {}).get(kind, {}).get(column)
    return None if not values else float(np.mean(values))


def over_floor(rows: Rows, net: str, method: str, kind: str, column: str) -> float | None:
    """How much better than the random map, on the images of the row."""
    mine, floor = (rows.get((net, m), {}).get(kind, {}).get(column) for m in (method, FLOOR))
    return None if not mine or not floor else COUNTED[column] * float(np.mean(mine) - np.mean(floor[:len(mine)]))


# -- tables --------------------------------------------------------------------------------------------------


def table(rows: Rows, net: str, kind: str, n: int) -> str:
    """One network and kind of question as Markdown, best first."""
    place = places(rows, net, kind)
    columns = [c for c in SHOWN if any(c in rows[net, m][kind] for m in place)]
    lines = [f"| mean rank | method | {' | '.join(c.replace('_', ' ') for c in columns)} | s | settings |",
             "|---" * (len(columns) + 4) + "|"]
    for method in sorted(place, key=lambda m: place[m]):
        r = rows[net, method]
        figures = [mean(rows, net, method, kind, c) for c in columns]
        cells = ["" if f is None else f"{f:.2f}" for f in figures]
        settings = [f"{k} {_plain(v)}" for k, v in r["params"].items()]
        settings += [f"{r['n']} image{'s'[:r['n'] != 1]}"] if r["n"] != n else []
        name = f"*{method}*" if method == FLOOR else method
        time = "" if method == FLOOR else f"{r['seconds']:.2g}"
        lines.append(f"| {place[method]:.2f} | {name} | {' | '.join(cells)} | {time} | {', '.join(settings)} |")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# -- reading -------------------------------------------------------------------------------------------------


def reading(rows: Rows, nets: Mapping[str, str]) -> str:
    """What the figures say about which method to use, in sentences made from them."""
    said = []
    for family, name in (("cnn", "CNNs"), ("vit", "transformers")):
        mine = measured(rows, [n for n in nets if KIND_OF[n] == family])
        for kind in KINDS:
            stand = standing(rows, mine, kind)
            if FLOOR in stand and len(stand) > 3:
                said.append(_best(rows, mine, kind, name, stand))
    said += [s for s in (_blind(rows), _agreement(rows), _sanity(rows)) if s]
    return "\n".join(f"* {s}" for s in said)


def _best(rows: Rows, nets: Sequence[str], kind: str, name: str, stand: dict[str, float]) -> str:
    order = sorted((m for m in stand if m != FLOOR), key=lambda m: stand[m])
    floor = stand[FLOOR]
    quick = min((m for m in order), key=lambda m: (_seconds(rows, nets, m) > 0.1, stand[m]))
    beaten = [m for m in order if stand[m] >= floor]
    first = _listed([f"{m} ({stand[m]:.2f})" for m in order[:5]])
    text = f"**{name}, {kind} questions**: first {first}; the random map is at {floor:.2f}."
    text += f" The best that takes less than 0.1 s a map is {quick} ({stand[quick]:.2f})." if quick not in order[:1] else ""
    if beaten:
        text += f" No better than the random map: {_listed(beaten)}."
    return text


def _seconds(rows: Rows, nets: Sequence[str], method: str) -> float:
    return max((rows[n, method]["seconds"] for n in nets if "seconds" in rows.get((n, method), {})), default=float("inf"))


def _blind(rows: Rows) -> str:
    """What asking the same map for everything costs in a contrast."""
    blind = {m.name for m in sw.methods() if m.class_blind}
    found = [(net, m, places(rows, net, "class").get(m), places(rows, net, "contrast").get(m))
             for net in ("cnn", "vit") for m in sorted(blind)]
    parts = [f"{m} on the {net} falls from {a:.2f} for classes to {b:.2f} for contrasts" for net, m, a, b in found
             if a is not None and b is not None and b > a]
    return f"**Class-blind methods in contrasts**: {'; '.join(parts)}." if parts else ""


def _agreement(rows: Rows) -> str:
    """Whether deletion and insertion rank the methods as the known truth does, on the creatures."""
    parts = []
    for net in ("cnn", "vit"):
        names = [m for n, m in rows if n == net and "class" in rows[n, m]]
        if len(names) < 5:
            continue
        for kind in KINDS:
            def column(c: str, net: str = net, kind: str = kind, names: list[str] = names) -> list[float]:
                return [COUNTED[c] * (mean(rows, net, m, kind, c) or 0.0) for m in names]

            parts.append(f"{net}, {kind}: deletion {spearman(column('deletion'), column('share')):+.2f}, insertion "
                         f"{spearman(column('insertion'), column('share')):+.2f}, RFxG "
                         f"{spearman(column('rfxg'), column('share')):+.2f}")
    if not parts:
        return ""
    return ("**Do the metrics rank the methods as the known truth does?** Rank correlation over methods with the share of "
            f"the map on the true parts: {'; '.join(parts)}. No figure should be read alone.")


def _sanity(rows: Rows) -> str:
    """Methods whose maps hardly depend on the weights or on the class, on the creatures' CNN."""
    kept = {m: mean(rows, "cnn", m, "class", "randomised") for n, m in rows if n == "cnn"}
    same = {m: mean(rows, "cnn", m, "class", "class_sensitivity") for n, m in rows if n == "cnn"}
    still = sorted((m for m, v in kept.items() if v is not None and v > 0.5), key=lambda m: -(kept[m] or 0))
    alike = sorted((m for m, v in same.items() if v is not None and v > 0.5), key=lambda m: -(same[m] or 0))
    text = ""
    if still:
        text += ("**Maps that stay when the weights become random** (rank correlation above 0.5 on the creatures' CNN): "
                 + _listed([f"{m} ({kept[m]:.2f})" for m in still]) + ". ")
    if alike:
        text += ("**Maps that are much the same for the likeliest and the least likely class** (correlation above 0.5): "
                 + _listed([f"{m} ({same[m]:.2f})" for m in alike]) + ".")
    return text.strip()


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "none"


# -- the page ------------------------------------------------------------------------------------------------


def page(rows: Rows, wanted: Sequence[tuple[str, str]], made: Mapping[str, Any]) -> str:
    """The whole page."""
    nets: Mapping[str, str] = made["nets"]
    spent = sum(r.get("seconds", 0) * r["n"] * len(KINDS) + r.get("scoring", 0) for r in rows.values())
    parts = [_HEAD.format(**made["n"], seed=made["seed"], steps=made["steps"], minutes=spent / 60),
             "## What it says about which method to use\n\nMade from the numbers.",
             reading(rows, nets) or "Nothing yet."]
    for net in nets:
        for kind in KINDS:
            if any(n == net and kind in r for (n, _), r in rows.items()):
                parts += [f"## {net}: {kind} questions", table(rows, net, kind, made["n"][nets[net]])]
    missing = [f"{m} ({net})" for net, m in wanted if (net, m) not in rows]
    if missing:
        parts.append(f"Not measured yet: {', '.join(missing)}.")
    refused: dict[str, list[str]] = {}
    for (net, m), r in rows.items():
        if "refused" in r:
            refused.setdefault(f"{m}: {r['refused']}", []).append(net)
    if refused:
        parts.append("## Refused, with a typed error\n\n" + "\n".join(f"* {', '.join(n)}: {t}" for t, n in refused.items()))
    return "\n\n".join(parts) + "\n"


_HEAD = """# Which method to use: a ranking

Made by `python -m benchmarks.ranking docs/ranking.md`, which measures the rows that `ranking.json` beside this page
lacks (`--all`: every row again). {creatures} fresh creatures (seed {seed}) for `cnn` and `vit`, {photos} photographs
(a dog beside a cat, a dragonfly) for the others; slow methods have fewer creatures and smaller settings, which their
rows say. All rows took {minutes:.0f} minutes of one core. Few images: neighbours in a table may well change places.

* *deletion* (black fill; lower is better) and *insertion* (from a blurred image; higher is better): {steps} steps,
  area under the probability of the target, for contrasts less the foil's. *rfxg*: for classes CGC (the class in its
  group), for groups PGS, for contrasts CCS; black fill, higher is better. *peak* and *share*, on creatures only: the
  map's maximum lies within 4 pixels of the parts that matter by construction; the share of its positive mass on parts
  that lies on those.
* *mean rank* is over these columns and the images: the share of the other methods that do better, 0 best, 1 worst.
  Deletion and rfxg, which hide the same pixels, count as one, and so do peak and share.
  Methods are compared on the images they have in common. *random*, an 8 x 8 map of noise, is the floor.
* Not counted, because a wrong map can win them: *sparseness* (Gini), *stability* (mean rank correlation with the maps
  of the flipped, shifted and darker image, moved back), *class sensitivity* (correlation of the maps of the likeliest
  and the least likely class; near 0 or below is better), *randomised* (mean rank correlation with the map while the
  weights become random from the top in 4 steps; near 0 is better). The last three for quick methods only.
* *s*: seconds for one map on one core, shared work divided over the three questions."""


# -- for recommend -------------------------------------------------------------------------------------------


def write_recommendations(rows: Rows, nets: Mapping[str, str], path: Path) -> None:
    """The small table that `salwidgets.recommend` reads: by kind of network, kind of question and method."""
    out: dict[str, Any] = {}
    for family in ("cnn", "vit"):
        mine = measured(rows, [n for n in nets if KIND_OF[n] == family])
        for kind in KINDS:
            stand = standing(rows, mine, kind)
            home = family  # the creatures' network of that family
            out.setdefault(family, {})[kind] = {m: _facts(rows, mine, home, m, kind, stand[m]) for m in
                                                sorted(stand, key=lambda m: stand[m])}
        out[family]["nets"] = mine
    # as on photographs, which come later than the creatures in `nets`
    out["settings"] = {m: rows[n, m]["params"] for n in nets for k, m in rows if k == n and rows[n, m]["params"]}
    lines = [f' "{family}": {{\n' + ",\n".join(f'  "{k}": ' + _block(v) for k, v in kinds.items()) + "\n }"
             for family, kinds in out.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _block(value: Any) -> str:
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{\n" + ",\n".join(f"   {json.dumps(m)}: {json.dumps(f)}" for m, f in value.items()) + "\n  }"


def _facts(rows: Rows, nets: Sequence[str], home: str, method: str, kind: str, place: float) -> dict[str, float]:
    found: dict[str, float | None] = {"place": place, "images": float(sum(rows[n, method]["n"] for n in nets)),
                                      "seconds": max((rows[n, method].get("seconds", 0.0) for n in nets), default=None)}
    gains = [over_floor(rows, n, method, kind, "insertion") for n in nets]
    known = [g for g in gains if g is not None]
    found["insertion_over_random"] = float(np.mean(known)) if known else None
    for column in ("peak", "share"):
        found[column] = mean(rows, home, method, kind, column)
    for column in ("stability", "class_sensitivity", "randomised"):
        found[column] = mean(rows, home, method, "class", column)
    return {k: round(v, 3) for k, v in found.items() if v is not None}
