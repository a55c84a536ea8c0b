"""Small settings for every method, from the registry, so that a new method comes into the tests by itself."""

import functools

import numpy as np

import salwidgets as sw
from tests.core import nets

NAMES = list("abcde")
TREE = sw.Taxonomy.from_nested({"vowel": ["a", "e"], "consonant": ["b", "c", "d"]})
INFO = {m.name: m for m in sw.methods()}
KINDS = ("cnn", "vit")
CELLS = [(method, kind) for method in INFO for kind in KINDS]

_SMALL = {"n_masks": 64, "n_samples": 4, "steps": 4, "window": 8, "stride": 8, "iterations": 4, "grid": 4}
_SQUARES = np.arange(32)[:, None] // 8 * 5 + np.arange(40) // 8
_SPECIAL = {"occlusion": {"window": (8, 10), "stride": (8, 10)}, "xrai": {"steps": 4, "segments": _SQUARES},
            "regional": {"n_segments": (6, 12), "n_samples": 3}, "kernel-shap": {"n_segments": 12, "n_samples": 64}}
"""Where a method needs settings of its own to be quick; else what `_SMALL` says of the parameters that it has."""


def few(method):
    """Parameters that make ``method`` quick on a small network."""
    known = dict(INFO[method].parameters)
    return _SPECIAL.get(method, {k: v for k, v in _SMALL.items() if isinstance(known.get(k), int)})


REFUSED = {("lrp", "vit"): "no rule of relevance for layer norms"}
"""(method, network) that is refused other than for want of attention, and why. A refusal not written here is a fault."""


def fits(method, kind):
    """Whether the method can answer on the network: the CNN has no attention, and see `REFUSED`."""
    return (kind == "vit" or "attention" not in INFO[method].needs) and (method, kind) not in REFUSED


FITTING = [(method, kind) for method, kind in CELLS if fits(method, kind)]


def network(kind):
    return {"cnn": nets.plain, "vit": nets.TinyViT}[kind]().eval()


def model(net, **kw):
    return sw.Model(net, classes=NAMES, taxonomy=TREE, **kw)


@functools.cache
def reference(method, kind):
    """The map of "Why b?" on the plain network."""
    return sw.explain(model(network(kind)), nets.images(1), sw.why("b"), method=method, progress=False, **few(method)).values
