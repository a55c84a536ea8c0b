"""Where the scores are in what a model returns: a tensor, a tuple, a dict, or an object with ``.logits``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError

_NAMES = ("logits", "scores", "output", "out", "pred", "predictions")


def find_logits(output: Any, n_inputs: int) -> Tensor:
    """Float32 logits `[N, K]` from a model's output; a one-column head z becomes the two logits [-z/2, z/2].

    Looks at: the tensor itself; ``.logits``; ``["logits"]``; the first float tensor of a tuple or dict that has
    N rows. Raises `ModelError`, which lists what was found.
    """
    found = _first(output, n_inputs)
    if found is None:
        raise ModelError(f"no logits found in the model's output ({describe(output)}). It must return a tensor "
                         f"[{n_inputs}, classes], or a tuple, dict or object with .logits that holds one.")
    if found.ndim > 2 and found.shape[2:].numel() == 1:
        found = found.flatten(1)
    if found.ndim == 1:
        found = found[:, None] if len(found) == n_inputs else found[None]
    if found.ndim != 2 or found.shape[0] != n_inputs:
        hint = ""
        if found.ndim == 4:
            hint = " For a map of scores per pixel, ask sw.why_segment(mask, class)."
        elif found.ndim == 3:
            hint = " For scores per token, ask sw.why_token(text, position)."
        raise ModelError(f"the model's scores have shape {tuple(found.shape)} for {n_inputs} inputs; "
                         f"[{n_inputs}, classes] is needed.{hint}")
    scores = found.float()
    return torch.cat([-scores / 2, scores / 2], 1) if scores.shape[1] == 1 else scores


def raw_scores(output: Any, n_inputs: int) -> Tensor:
    """The first tensor of floats with N rows, in any shape; for questions about dense outputs."""
    found = _first(output, n_inputs)
    if found is None:
        raise ModelError(f"no tensor with {n_inputs} rows in the model's output ({describe(output)}).")
    return found


def _first(output: Any, n: int) -> Tensor | None:
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    named = getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    if isinstance(output, Mapping):
        order = [output[k] for k in _NAMES if k in output] + list(output.values())
    elif isinstance(output, (tuple, list)):
        order = list(output)
    else:
        order = [v for k in _NAMES[1:] if (v := getattr(output, k, None)) is not None]
    for item in order:
        if isinstance(item, Tensor) and item.is_floating_point() and item.ndim >= 1 and item.shape[0] == n:
            return item
    for item in order:
        if isinstance(item, (tuple, list, Mapping)):
            inner = _first(item, n)
            if inner is not None:
                return inner
    return None


def describe(output: Any) -> str:
    """What an output is, in a few words, for error messages."""
    if isinstance(output, Tensor):
        return f"a {str(output.dtype).removeprefix('torch.')} tensor {list(output.shape)}"
    if isinstance(output, Mapping):
        return "a dict with " + (", ".join(f"{k!r}: {describe(v)}" for k, v in list(output.items())[:5]) or "nothing")
    if isinstance(output, (tuple, list)):
        return f"a {type(output).__name__} of " + (", ".join(describe(v) for v in output[:5]) or "nothing")
    return f"a {type(output).__name__}"
