"""A score table to look at: HTML for notebooks, a figure, LaTeX. Every column says which way is better."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .score_table import Column, ScoreTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Group = tuple[str, str, str]
Cell = tuple[float, float, float]
"""mean, low, high; the last two NaN where there is no interval."""


def cells(table: ScoreTable, level: float = 0.95) -> tuple[list[Group], dict[tuple[Group, str], Cell]]:
    """The groups (method, kind of question, model) and the summary of each group and metric."""
    found: dict[tuple[Group, str], Cell] = {}
    for r in table.summary(level).to_dict("records"):
        found[((r["method"], r["questions"], r["model"]), r["metric"])] = (r["mean"], r["low"], r["high"])
    return list(table.groups()), found


def best(groups: list[Group], found: dict[tuple[Group, str], Cell], column: Column, group: Group) -> bool:
    """Whether the group's mean is the best of those that answer the same kind of question about the same model; none is
    where all are equal."""
    rivals = [found[g, column.label][0] for g in groups if g[1:] == group[1:] and (g, column.label) in found]
    if len(rivals) < 2 or min(rivals) == max(rivals) or (group, column.label) not in found:
        return False
    mean = found[group, column.label][0]
    return mean == (max(rivals) if column.info.better == "higher" else min(rivals))


def number(v: float) -> str:
    """Three significant digits, no more than the figure bears."""
    return "–" if math.isnan(v) else f"{v:.3g}" if abs(v) < 1e4 else f"{v:.2e}"


def to_html(table: ScoreTable) -> str:
    """Means with intervals, what each metric cannot tell, how far they agree, and what a reader must know."""
    groups, found = cells(table)
    left, right = "style='text-align:left'", "style='text-align:right;white-space:nowrap'"
    head = "".join(f"<th {left}>{t}</th>" for t in ("method", "questions", "model"))
    head += "".join(f"<th {right} title='{escape(c.info.cannot, True)}'>{escape(c.label)} {c.info.arrow}</th>"
                    for c in table.columns)
    body = []
    for g in groups:
        row = "".join(f"<td {left}>{escape(v)}</td>" for v in g)
        for c in table.columns:
            row += f"<td {right}>{_html_cell(found.get((g, c.label)), best(groups, found, c, g))}</td>"
        body.append(f"<tr>{row}</tr>")
    facts = "".join(f"<tr><td {left}>{escape(c.label)} {c.info.arrow}</td><td {left}>{escape(c.info.better)}</td>"
                    f"<td {left}>{escape(c.info.range)}</td><td {left}>{escape(c.info.cannot)}</td></tr>"
                    for c in table.columns)
    notes = "".join(f"<li>{escape(n)}</li>" for n in table.notes)
    sized = len({r.sha256 for r in table.rows})
    said = (f"Means over {sized} image{'s'[:sized != 1]}; in brackets 95 % bootstrap intervals over images; bold: the best "
            "mean of its kind of question, which may be chance where intervals overlap.")
    return (f"<div><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table><p>{said}</p>"
            + (f"<ul>{notes}</ul>" if notes else "")
            + f"<table><thead><tr><th {left}>metric</th><th {left}>better</th><th {left}>range</th>"
            f"<th {left}>what it cannot tell</th></tr></thead><tbody>{facts}</tbody></table>"
            + _html_agreement(table) + "</div>")


def _html_cell(cell: Cell | None, bold: bool) -> str:
    if cell is None:
        return "–"
    mean = f"<b>{number(cell[0])}</b>" if bold else number(cell[0])
    return mean if math.isnan(cell[1]) else f"{mean} <small>[{number(cell[1])}, {number(cell[2])}]</small>"


def _html_agreement(table: ScoreTable) -> str:
    if len(table.columns) < 2 or len(table) < 3:
        return ""
    alike = table.agreement()
    head = "".join(f"<th>{escape(m)}</th>" for m in table.metrics)
    rows = ""
    for m in table.metrics:
        row = "".join(f"<td style='text-align:right'>{number(round(float(v), 2))}</td>" for v in alike.loc[m])
        rows += f"<tr><th style='text-align:left'>{escape(m)}</th>{row}</tr>"
    return ("<p>Agreement between metrics (Spearman, each turned so that higher is better; +1: they rank alike):</p>"
            f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>")


def plot(table: ScoreTable, metrics: list[str] | None = None) -> Figure:
    """Means with intervals, one panel per metric; rows are methods, colours kinds of questions."""
    from matplotlib.figure import Figure

    groups, found = cells(table)
    columns = [table.column(m) for m in metrics] if metrics else table.columns
    methods = list(dict.fromkeys((g[0], g[2]) for g in groups))
    kinds = list(dict.fromkeys(g[1] for g in groups))
    several = len({m for _, m in methods}) > 1
    wide = min(4, len(columns))
    high = -(-len(columns) // wide)
    figure = Figure(figsize=(1.6 + 2.3 * wide, high * (0.9 + 0.28 * len(methods) * max(1, 0.5 * len(kinds)))),
                    layout="constrained")
    axes = figure.subplots(high, wide, sharey=True, squeeze=False).ravel()
    for ax, c in zip(axes, columns, strict=False):
        for k, kind in enumerate(kinds):
            _dots(ax, c, k, len(kinds), [(i, found.get(((name, kind, model), c.label)))
                                         for i, (name, model) in enumerate(methods)], kind)
        ax.set_title(f"{c.label} {c.info.arrow}", fontsize=9)
        ax.grid(axis="x", alpha=0.3)
        if c.info.chance is not None:
            ax.axvline(c.info.chance, color="0.4", linestyle=":", linewidth=1)
    for ax in axes[len(columns):]:
        ax.set_axis_off()
    axes[0].set_yticks(range(len(methods)), [f"{n} ({m})" if several else n for n, m in methods])
    axes[0].invert_yaxis()
    if len(kinds) > 1:
        handles = {h.get_label(): h for ax in axes for h in ax.get_lines() if not str(h.get_label()).startswith("_")}
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(4, len(kinds)), fontsize=8)
    return figure


def _dots(ax: Any, column: Column, k: int, kinds: int, cells: list[tuple[int, Cell | None]], label: str) -> None:
    """One kind of question's means and intervals in one panel."""
    shift = 0.6 * ((k + 0.5) / kinds - 0.5)
    shown = [(i + shift, c) for i, c in cells if c is not None]
    if not shown:
        return
    y, means = [s[0] for s in shown], [s[1][0] for s in shown]
    spread = np.nan_to_num([[max(0.0, c[0] - c[1]), max(0.0, c[2] - c[0])] for _, c in shown])
    ax.errorbar(means, y, xerr=spread.T, fmt="none", color=f"C{k}", linewidth=1.2)
    ax.plot(means, y, "o", color=f"C{k}", markersize=4, label=label)


def to_latex(table: ScoreTable, level: float = 0.95) -> str:
    """A booktabs table of means and intervals."""
    groups, found = cells(table, level)
    several = len({g[2] for g in groups}) > 1
    arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    head = ["method", "questions", *(["model"] if several else [])]
    head += [f"{_tex(c.label)} {arrows[c.info.arrow]}" for c in table.columns]
    lines = [r"\begin{tabular}{" + "l" * (2 + several) + "r" * len(table.columns) + "}", r"\toprule",
             " & ".join(head) + r" \\", r"\midrule"]
    for g in groups:
        row = [_tex(v) for v in (g if several else g[:2])]
        for c in table.columns:
            cell = found.get((g, c.label))
            if cell is None:
                row.append("--")
                continue
            mean = number(cell[0])
            mean = rf"\textbf{{{mean}}}" if best(groups, found, c, g) else mean
            row.append(mean if math.isnan(cell[1]) else f"{mean} [{number(cell[1])}, {number(cell[2])}]")
        lines.append(" & ".join(row) + r" \\")
    images = len({r.sha256 for r in table.rows})
    said = f"{100 * level:g}\\% bootstrap intervals over images" if images > 1 else "no intervals"
    lines += [r"\bottomrule", r"\end{tabular}", f"% means over {images} image{'s'[:images != 1]}; {said}"]
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
               "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(ch, ch) for ch in text)
