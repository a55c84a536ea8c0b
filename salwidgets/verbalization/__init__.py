"""Explanations in words: what to say (`salient`), how (`templates`), and whether it is true (`claims`)."""

from .api import verbalize
from .brief import Brief, Draft, Sentence, Unit, Usage, Writer
from .claims import Claim
from .llm import LLMWriter
from .result import Verbalization
from .templates import TemplateWriter

__all__ = ["Brief", "Claim", "Draft", "LLMWriter", "Sentence", "TemplateWriter", "Unit", "Usage",
           "Verbalization", "Writer", "verbalize"]
