"""Values that a parameter cannot have are refused by a `MethodError` that names method, parameter and value."""

import re

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import MethodError, ModelError
from salwidgets.explainers.registry import get
from tests.core import nets
from tests.methods.small import INFO, few, model, network

NAN, INF = float("nan"), float("inf")
COUNTS = {"steps", "n_masks", "n_samples", "batch_size", "at_once", "grid", "n_rivals"}
WRONG = {"seed": ("x", None, -1, 1.5, 2.0, True, NAN, INF, [1], 2**64), "count": ("x", None, -1, 2.5, True, NAN, INF, [1]),
         "switch": ("yes", None, 0, 1, NAN, [True]), "number": ("x", None, -1, NAN, INF, True, [0.5], torch.tensor(0.5))}
RIGHT = {"seed": (0, 7, np.int64(7), np.uint8(7), 2**63 - 1), "count": (1, np.int32(3)),
         "switch": (True, False, np.bool_(True)), "number": (0.5, np.float32(0.5), np.float64(0.5))}


def kind(name, default):
    """What a parameter takes, read from its documented name and default; None: something else."""
    if name == "seed":
        return "seed"
    if name in COUNTS:
        return "count"
    return {bool: "switch", float: "number"}.get(type(default))


CHECKED = [(m, name, kind(name, default)) for m in INFO for name, default in INFO[m].parameters if kind(name, default)]


def asked(method, **params):
    net = network("vit" if "attention" in INFO[method].needs else "cnn")
    return sw.explain(model(net), nets.images(1), sw.why("b"), method=method, progress=False, **{**few(method), **params})


@pytest.mark.parametrize("method, name, what", CHECKED)
def test_a_wrong_number_switch_or_seed_is_refused_before_anything_runs(method, name, what):
    for value in WRONG[what]:
        with pytest.raises(MethodError) as e:
            get(method)(**{name: value})
        assert str(e.value).startswith(f"{method}: {name}={value!r}; give "), str(e.value)


@pytest.mark.parametrize("method, name, what", CHECKED)
def test_numpys_numbers_are_taken_as_pythons(method, name, what):
    for value in RIGHT[what]:
        kept = get(method)(**{name: value}).params[name]
        assert kept == value and type(kept) in (int, float, bool), (value, kept)


@pytest.mark.parametrize("method", ["rise", "smooth-grad-cam++", "fido", "kernel-shap", "regional", "smoothgrad"])
def test_a_seed_of_numpy_gives_the_same_map(method):
    np.testing.assert_array_equal(asked(method, seed=np.int64(3)).values, asked(method, seed=3).values)


@pytest.mark.parametrize("method, params, said", [
    ("threshold-grad-cam", {"floor": 1.5}, "at most 1"), ("finer-cam", {"n_rivals": -1}, "whole number of at least 0"),
    ("finer-cam", {"n_rivals": "x"}, "whole number"), ("guided-ig", {"fraction": 2}, "at most 1"),
    ("guided-ig", {"max_dist": 1.5}, "at most 1"), ("rise", {"p": 0.0}, "share"), ("rise", {"p": 1.5}, "share"),
    ("smooth-grad-cam++", {"maps": [99]}, "0 to "), ("smooth-grad-cam++", {"maps": []}, "None for all"),
    ("smooth-grad-cam++", {"maps": [-1]}, "0 to "), ("smooth-grad-cam++", {"maps": 3}, "list of channels"),
    ("smooth-grad-cam++", {"maps": "x"}, "list of channels"), ("smooth-grad-cam++", {"maps": [0.5]}, "list of channels"),
    ("smooth-grad-cam++", {"maps": [True]}, "list of channels"), ("smooth-grad-cam++", {"neurons": [(99, 0)]}, "0 to "),
    ("smooth-grad-cam++", {"neurons": [(0, -1)]}, "0 to "), ("smooth-grad-cam++", {"neurons": []}, "list of cells"),
    ("smooth-grad-cam++", {"neurons": [1, 2, 3]}, "list of cells"), ("smooth-grad-cam++", {"neurons": "x"}, "list of cells"),
    ("smooth-grad-cam++", {"neurons": [(0, 0), (1,)]}, "list of cells"),
    ("grad-cam", {"layer": ""}, "name of a layer, or None"), ("guided-grad-cam", {"layer": ""}, "name of a layer, or None"),
    ("grad-cam", {"layer": 3}, "name of one layer"), ("guided-grad-cam", {"layer": ["features"]}, "name of one layer"),
    ("guided-grad-cam", {"upsample": "cubic"}, "use"), ("lrp", {"composite": ["gamma"]}, "choose one of"),
    ("xrai", {"base": "integrated-gradients", "base_params": 3}, "dict .* integrated-gradients"),
    ("xrai", {"base_params": {"steps": 3}}, "base="), ("smoothgrad", {"of": "deeplift", "of_params": 3}, "dict .* deeplift"),
    ("vargrad", {"of": "deeplift", "of_params": [("baseline", "zero")]}, "dict"),
    ("vargrad", {"of": "deeplift", "of_params": {3: "zero"}}, "dict")])
def test_what_only_the_method_knows_is_refused_too(method, params, said):
    name, value = list(params.items())[-1]
    with pytest.raises(MethodError, match=said) as e:
        asked(method, **params)
    assert f"{method}: {name}={value!r}" in str(e.value)


def test_a_parameter_of_none_by_default_stays_none():
    assert get("blur-ig")(grad_step=None).params["grad_step"] is None
    assert get("smooth-grad-cam++")(maps=None).params["maps"] is None


def test_a_model_takes_no_empty_name_of_a_layer():
    with pytest.raises(ModelError, match=r"layer=''.*'auto'"):
        sw.Model(nets.plain(), layer="")
    with pytest.raises(ModelError, match="layer=''"):
        asked("normgrad", layer=[""])
    auto = sw.explain(sw.Model(nets.plain().eval(), layer="auto"), nets.images(1), sw.why(1))
    assert auto.layer == sw.explain(sw.Model(nets.plain().eval()), nets.images(1), sw.why(1), layer=None).layer


@pytest.mark.parametrize("name, near", [("nope", None), ("gradcam", "grad-cam"), ("Grad-CAM", "grad-cam"),
                                        ("zzzz", None), ("integrated gradients", "integrated-gradients")])
def test_an_unknown_name_is_met_with_the_nearest_few(name, near):
    with pytest.raises(MethodError, match=re.escape("salwidgets.methods() lists them all")) as e:
        get(name)
    meant = re.findall(r"'([^']+)'", str(e.value))[1:]
    assert 1 <= len(meant) <= 3 and set(meant) <= set(INFO)
    assert near is None or meant[0] == near


@pytest.mark.parametrize("wrong", [None, 3, ["grad-cam", None], ["grad-cam", 3], [["grad-cam"]]])
def test_what_is_no_name_of_a_method_is_refused(wrong):
    with pytest.raises(MethodError, match="is no method's name; give a string such as 'grad-cam'"):
        sw.explain(model(network("cnn")), nets.images(1), sw.why("b"), method=wrong)
    with pytest.raises(MethodError, match="no method's name"):
        sw.prepare(model(network("cnn")), nets.images(1), wrong)
