"""Scales: rules by their exact meaning, colours equal on both sides, nothing hidden."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from salwidgets.colortables import DIVERGING
from salwidgets.errors import InputError
from salwidgets.scale import COLOUR_MAPS, Scale, colour_table, fit_limit

ROOT = Path(__file__).resolve().parents[2]


def test_both_colour_files_are_what_matplotlib_gives() -> None:
    spec = importlib.util.spec_from_file_location("colormaps", ROOT / "js" / "tools" / "colormaps.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for path, text in tool.targets().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run python js/tools/colormaps.py"
    for name, table in tool.tables().items():
        np.testing.assert_array_equal(table, colour_table(name))


def test_rules_mean_what_they_say() -> None:
    values = np.array([1, -2, 3, -4, np.nan, np.inf])
    assert fit_limit(values, "pixels:75") == 3
    assert fit_limit(values, "mass:75") == 4  # 1 + 2 + 3 hold only 60 %
    assert fit_limit(values, "mass:60") == 3
    assert fit_limit(values, "max") == 4
    rng = np.random.default_rng(0).normal(size=5000)
    for share in (50, 90, 99, 99.5):
        limit = fit_limit(rng, f"pixels:{share}")
        assert (np.abs(rng.astype(np.float32)) <= limit).mean() >= share / 100
        assert (np.abs(rng.astype(np.float32)) < limit).mean() < share / 100


def test_a_limit_is_never_zero() -> None:
    assert fit_limit([0, 0, 0, 5], "pixels:50") == 5
    assert Scale.fit(np.zeros((3, 3))).limits == (-1, 1)
    assert Scale.fit(np.full((2, 2), np.nan)).limits == (-1, 1)


def test_signed_is_symmetric_and_unsigned_starts_at_zero() -> None:
    assert Scale.fit([[-1.0, 4.0]], clip="max").limits == (-4, 4)
    assert Scale.fit([[1.0, 4.0]], clip="max").limits == (-4, 4)
    assert Scale.fit([[1.0, 4.0]], clip="max", cmap="viridis").limits == (0, 4)
    assert Scale.fit([[-1.0, 4.0]], clip="max", cmap="viridis").limits == (-4, 4)
    assert Scale.fit([[-1.0, 4.0]], limits=(-2, 3)).limits == (-2, 3)


def test_compared_maps_share_one_scale() -> None:
    assert Scale.fit([1.0, 2.0], [[-7.0]], clip="max").limits == (-7, 7)


def test_clipped_share_counts_cells_that_are_numbers() -> None:
    scale = Scale(-2, 2)
    assert scale.clipped_share([-3, 0, 3, np.nan, np.inf]) == 0.75
    assert scale.clipped_share([np.nan]) == 0


@pytest.mark.parametrize("cmap", COLOUR_MAPS)
def test_rgba_of_ends_threshold_and_missing(cmap: str) -> None:
    scale = Scale(-2, 2, cmap, opacity=1, fade=False, threshold=0.25)
    values = np.array([[-9, -2, 2, 9], [np.inf, -np.inf, np.nan, 0.4]])
    rgba, table = scale.rgba(values), colour_table(cmap)
    assert rgba.shape == (2, 4, 4)
    assert rgba.dtype == np.uint8
    for place, entry in {(0, 0): 0, (0, 1): 0, (0, 2): 255, (0, 3): 255, (1, 0): 255, (1, 1): 0}.items():
        np.testing.assert_array_equal(rgba[place], [*table[entry], 255])
    np.testing.assert_array_equal(rgba[1, 2], [150, 150, 150, 255])
    np.testing.assert_array_equal(rgba[1, 3], 0)


@pytest.mark.parametrize("cmap", DIVERGING)
def test_diverging_ends_have_equal_lightness(cmap: str) -> None:
    linear = (colour_table(cmap)[[0, 255]] / 255.0) ** 2.2
    lightness = 116 * (linear @ [0.2126, 0.7152, 0.0722]) ** (1 / 3) - 16
    assert abs(lightness[0] - lightness[1]) < 6


def test_state_goes_there_and_back() -> None:
    scale = Scale.fit([[-1.0, 3.0]], clip="mass:98", threshold=0.2, smooth=True)
    assert Scale.from_state(scale.to_state(), 0.2) == scale
    given = Scale.fit([[-1.0, 3.0]], limits=(-1, 2))
    assert Scale.from_state(given.to_state()) == given


@pytest.mark.parametrize("wrong", [
    {"clip": "most"}, {"clip": "pixels:0"}, {"clip": "mass:101"}, {"cmap": "jet"}, {"limits": (2, 1)}, {"opacity": 2},
    {"limits": (0, np.inf)}])
def test_bad_input_is_an_input_error(wrong: dict) -> None:
    with pytest.raises(InputError):
        Scale.fit([[1.0, -1.0]], **wrong)


def test_bad_maps_are_input_errors() -> None:
    for maps in ([], [np.zeros((0, 3))], ["husky"]):
        with pytest.raises(InputError):
            Scale.fit(*maps)
    with pytest.raises(TypeError):
        Scale.fit([1.0], colour="red")


def test_nothing_heavy_is_imported() -> None:
    code = ("import sys, salwidgets.scale, salwidgets.captions, salwidgets.regions; "
            "assert not {'torch', 'matplotlib', 'anywidget'} & set(sys.modules); "
            "import salwidgets.widgets; assert not {'torch', 'matplotlib', 'PIL'} & set(sys.modules), "
            "{'torch', 'matplotlib', 'PIL'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
