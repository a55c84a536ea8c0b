"""Arguments that several functions of this room take, checked in one place."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError, MethodError


def whole_number(name: str, value: Any, least: int, kind: type[InputError] | type[MethodError] = InputError) -> int:
    """``value`` as an int; an error that names it unless it is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise kind(f"{name}={value!r}; give a whole number of at least {least}.")
    return int(value)


def seed(value: Any, kind: type[InputError] | type[MethodError] = InputError) -> None:
    """Raises unless ``value`` is a seed that numpy and scikit-learn both take, or None (another result every time)."""
    if value is not None and whole_number("random_state", value, 0, kind) >= 2 ** 32:
        raise kind(f"random_state={value}; give a whole number below 2 ** 32.")


def check_extractor(extractor: Any, fitted: bool = True) -> None:
    """Raises unless ``extractor`` is a `ConceptExtractor`, and a fitted one."""
    from .extractor import ConceptExtractor

    if not isinstance(extractor, ConceptExtractor):
        raise InputError(f"a {type(extractor).__name__} is no ConceptExtractor; make one with sw.concepts."
                         "ConceptExtractor(model).")
    if fitted and not hasattr(extractor, "components_"):
        raise MethodError("this ConceptExtractor has not learnt anything yet; call fit(images, cls) first.")
