"""Typed errors. Each message says what was wrong, in which input, and what to do next."""

from __future__ import annotations


class SalwidgetsError(Exception):
    """Base of every error that salwidgets raises on purpose."""


class QuestionError(SalwidgetsError, ValueError):
    """A question cannot be asked: unknown or ambiguous class, empty group, target equal to foil."""


class ModelError(SalwidgetsError, ValueError):
    """A model cannot be read: no logits found, no feature layer found, wrong input shape."""


class MethodError(SalwidgetsError, ValueError):
    """A method cannot run on this model or question; the message names the nearest one that can."""


class InputError(SalwidgetsError, ValueError):
    """An input cannot be used: NaN, wrong dtype, empty, unreadable or damaged."""


class LLMError(SalwidgetsError, RuntimeError):
    """A language model did not answer, or not in a form that can be used."""
