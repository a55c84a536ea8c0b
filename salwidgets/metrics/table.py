"""`scorecard`: many metrics on many explanations in one table, with no image scored twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MethodError
from ..explanation import Explanation
from ..questions import Question
from .perturb import Runs
from .registry import NEEDS, Metric, as_model, explanation_list, get, one_each
from .score_table import Column, Row, ScoreTable

if TYPE_CHECKING:
    from ..explainers.progress import ProgressOption
    from ..models import Model

DEFAULT = ("insertion", "deletion", "aopc", "pgs", "ccs", "cgc", "cgs", "sparseness")
WITH_MASKS = ("mass_in_mask", "pointing_game")
WITH_WORLD = ("truth_share", "effect_correlation")


def scorecard(model: Model | None, explanations: Any, metrics: Sequence[Any] | None = None, *, world: Any = None,
              masks: Any = None, boxes: Any = None, fixations: Any = None, rationales: Any = None, fill: Any = "black",
              params: Mapping[str, Mapping[str, Any]] | None = None, batch_size: int = 64, seed: int = 0,
              runs: Runs | None = None, progress: ProgressOption = None) -> ScoreTable:
    """Score explanations by several metrics; perturbed images are scored once, whatever asks for them.

    model: the `Model` that was explained; None if no metric needs one. explanations: one or several, of any methods,
    questions and inputs; maps from elsewhere come as `sw.from_array`. metrics: names, metrics, or (name, parameters);
    None: a choice of those that can be computed from what is given. world, masks, boxes, fixations, rationales: truths, one
    for all or one per explanation; with a world, masks are its truths unless given. fill: for metrics that hide pixels.
    params: further parameters by metric. batch_size, seed: of new runs. runs: a `Runs` to share passes with other calls.

    A metric that is about other questions than an explanation's, or finds an empty mask, leaves that cell NaN and says so in
    ``notes``. Errors: `MethodError` for an unknown metric, or naming what a metric lacks, before anything is computed.

    >>> world = sw.worlds.creatures(n=2)
    >>> es = sw.explain(world.model("cnn"), world.images, sw.why(), method=["grad-cam", "saliency"])
    >>> table = scorecard(world.model("cnn"), es, ["insertion", "sparseness"])
    >>> list(table.to_pandas().columns[-2:])
    ['insertion', 'sparseness']
    """
    begin = time.perf_counter()
    es, _ = explanation_list(explanations)
    asked = model if model is None else as_model(model, "scorecard")
    given = {"masks": masks, "boxes": boxes, "fixations": fixations, "rationales": rationales}
    truths: dict[str, list[Any] | None] = {k: None if v is None else one_each(v, len(es), k) for k, v in given.items()}
    wanted = _wanted(metrics, asked, world, truths, params or {})
    for m, _, _ in wanted:
        _check(m, asked, world, truths)
    if world is not None and any({"masks", "world"} & set(m.info.needs) for m, _, _ in wanted):
        truths["world"] = _world_masks(world, es)
        truths["masks"] = truths["masks"] or truths["world"]
    if asked is not None and runs is None:
        runs = Runs(asked, batch_size, seed, progress)
    before = runs.passes if runs is not None else 0
    questions = _questions(asked, es, runs, wanted)
    columns = []
    common = {"fill": fill, "batch_size": batch_size, "seed": seed, "runs": runs, "progress": progress}
    for m, label, own in wanted:
        unknown = sorted(set(own) - set(m.info.parameters))
        if unknown:
            raise MethodError(f"{m.info.name} has no parameter {', '.join(map(repr, unknown))}; it takes "
                              f"{', '.join(m.info.parameters) or 'none'}.")
        options = {k: v for k, v in common.items() if k in m.info.parameters} | own
        columns.append(_column(m, label, options, own, asked, es, questions, world, truths, runs))
    rows = _rows(es, questions, asked)
    if metrics is None:
        columns = [c for c in columns if np.isfinite(c.values).any()]
    passes = runs.passes - before if runs is not None else 0
    return ScoreTable(rows, columns, passes, time.perf_counter() - begin, tuple(es))


Wanted = tuple[Metric, str, dict[str, Any]]


def _wanted(metrics: Any, model: Model | None, world: Any, truths: Mapping[str, Any],
            params: Mapping[str, Mapping[str, Any]]) -> list[Wanted]:
    """Metrics with their column's label and their own parameters."""
    if metrics is None:
        names = [n for n in DEFAULT if model is not None or "model" not in get(n).info.needs]
        names += WITH_MASKS if world is not None or truths["masks"] is not None else ()
        names += [n for n in WITH_WORLD if world is not None and (model is not None or "model" not in get(n).info.needs)]
        metrics = names
    if isinstance(metrics, str) or not isinstance(metrics, Sequence) or not metrics:
        raise MethodError("metrics is a list of names, for example ['insertion', 'deletion']; "
                          "salwidgets.metrics.metrics() lists them all.")
    out: list[Wanted] = []
    for item in metrics:
        named = isinstance(item, tuple) and len(item) == 2
        m = get(item[0] if named else item)
        own = dict(params.get(m.info.name, {})) | (dict(item[1]) if named else {})
        label = m.info.name
        if own and label in [w[1] for w in out]:
            label += f" ({', '.join(f'{k}={v}' for k, v in own.items())})"
        if label in [w[1] for w in out]:
            raise MethodError(f"the metric {label!r} is asked for twice with the same parameters.")
        out.append((m, label, own))
    lost = sorted(set(params) - {m.info.name for m, _, _ in out})
    if lost:
        raise MethodError(f"params names {', '.join(map(repr, lost))}, which is not among the metrics.")
    return out


def _check(m: Metric, model: Any, world: Any, truths: Mapping[str, Any]) -> None:
    for need in m.info.needs:
        there = model if need == "model" else world if need == "world" else truths[need]
        if there is None and not (need == "masks" and world is not None):
            raise MethodError(f"{m.info.name} needs {NEEDS[need]}. Give it to scorecard, or leave {m.info.name} out.")


def _questions(model: Model | None, es: list[Explanation], runs: Runs | None, wanted: list[Wanted]) -> list[Question | None]:
    """Bound questions where a model can be asked, else what the explanations say."""
    if model is None or runs is None or not any("model" in m.info.needs for m, _, _ in wanted):
        return [e.question for e in es]
    return list(runs.questions(es))


def _world_masks(world: Any, es: list[Explanation]) -> list[Any]:
    from .truth import places

    return [world.truth(e.question or Question(), at) for e, at in zip(es, places(es, world), strict=True)]


def _column(m: Metric, label: str, options: dict[str, Any], own: dict[str, Any], model: Any, es: list[Explanation],
            questions: list[Question | None], world: Any, truths: Mapping[str, list[Any] | None],
            runs: Runs | None) -> Column:
    """One metric on every explanation that it is about; the others are NaN."""
    begin, before = time.perf_counter(), runs.passes if runs is not None else 0
    info, n = m.info, len(es)
    values, curves = np.full(n, np.nan), None
    fits = [q is None or q.binding is None or info.applies is None or info.applies(q) for q in questions]
    blank = [_blank(truths, info.needs, i) for i in range(n)]
    notes = []
    if not all(fits):
        notes.append(f"{n - sum(fits)} of {n} left out: {info.name} is about {info.questions}.")
    if any(blank):
        notes.append(f"{sum(blank)} of {n} left out: nothing in the image answers (the mask is empty).")
    rows = [i for i in range(n) if fits[i] and not blank[i]]
    for group in _groups(es, rows, "model" in info.needs):
        args: list[Any] = [model] if "model" in info.needs else []
        args.append([es[i] for i in group])
        for need in info.needs:
            truth = truths.get(need)
            if need == "world":
                args.append(world)
            elif truth is not None:
                args.append([truth[i] for i in group])
        if m.curves is not None:
            found = m.curves(*args, **options)
            curves = (found.x, np.full((n, len(found.x)), np.nan)) if curves is None else curves
            curves[1][group] = found.y
            values[group] = found.area
        else:
            values[group] = m(*args, **options)
    undefined = len(rows) - int(np.isfinite(values[rows]).sum())
    if undefined:
        notes.append(f"{undefined} of {len(rows)} undefined: {info.cannot}.")
    return Column(label, info, {k: _plain(v) for k, v in own.items()} | ({"fill": _plain(options["fill"])}
                  if "fill" in options else {}), values, curves, tuple(notes),
                  runs.passes - before if runs is not None else 0, time.perf_counter() - begin)


def _blank(truths: Mapping[str, list[Any] | None], needs: tuple[str, ...], i: int) -> bool:
    """Whether a truth is empty where a metric needs one; a world's effects (with a model) are never."""
    rule = "world" in needs and "model" not in needs
    masks = truths["masks"] if "masks" in needs else truths.get("world") if rule else None
    return masks is not None and not np.asarray(masks[i]).any()


def _groups(es: list[Explanation], rows: list[int], together: bool) -> list[list[int]]:
    """All rows at once, to share passes; or by method, for metrics that choose a threshold over all maps they are given."""
    if together or not rows:
        return [rows] if rows else []
    groups: dict[tuple[str, str], list[int]] = {}
    for i in rows:
        groups.setdefault((es[i].method, es[i].model), []).append(i)
    return list(groups.values())


def _rows(es: list[Explanation], questions: list[Question | None], model: Model | None) -> list[Row]:
    places: dict[str, int] = {}
    rows = []
    for e, q in zip(es, questions, strict=True):
        seen = e.input if e.image is None else e.image
        sha = hashlib.sha256(np.ascontiguousarray(seen).tobytes()).hexdigest()
        bound = q if q is not None and q.binding is not None else None
        flat = bool(e.values.max() == e.values.min())
        rows.append(Row(
            places.setdefault(sha, len(places)), sha, "" if q is None else str(q),
            "" if q is None else q.reference_frame, "" if bound is None else bound.granularity, e.method,
            e.model or (model.name if model is not None else ""), ("constant map",) if flat else ()))
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return f"array {list(value.shape)}" if hasattr(value, "shape") else str(value)


