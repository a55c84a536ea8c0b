"""Explanations in words: what to say (`salient`), how (`templates`), and whether it is true (`claims`)."""

from .claims import Claim
from .templates import Verbalization, verbalize

__all__ = ["Claim", "Verbalization", "verbalize"]
