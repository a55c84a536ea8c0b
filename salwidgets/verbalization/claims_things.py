"""Noun phrases that name something no unit is called: "the propeller", "its left wing".

Words that any text about a map uses ("the evidence", "the model") name nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .claims_lexicon import FOLLOWS, Mention

_GENERAL_WORDS = """
evidence map maps picture image model network net method question score scores decision prediction class target group
region regions part parts place places area areas share total sum rest majority bulk attribution mass explanation
heatmap saliency relevance attention importance contribution contributions support opposition weight case belief side
hand sign signs argument arguments answer whole end way one ones other others same reason reasons source effect role
extent degree order ranking list result results figure figures value values top fact look first second third input
question's model's positive negative supporting opposing strongest most largest single main leading driver position
remaining following entire different small large strong weak clear handful logit logits probability opinion half
confidence output outcome label category logic story conclusion summary overview note presence absence combination
pair difference gap margin lead bit lot number percent percentage fraction runner-up dominant key primary final
overall word words phrase token tokens sentence text document photo photograph scene view frame creature animal object
subject background foreground more less least it what that which here attributions activations pixels cells focus
certain counter-evidence network's model’s network’s very much about around roughly just only both each slight
slightly good big bigger smaller larger two three four five six seven eight nine ten
"""
_ADJECTIVE_WORDS = """
positive negative supporting opposing strongest most largest single main leading other remaining following whole
entire different small large strong weak clear top first second third same dominant key primary final overall good big
bigger smaller larger slight slightly certain very important one two three four five
"""
_STOP_WORDS = """
evidence accounts carrying holding contributing supporting opposing when whose than for against among
towards toward balance scales our your we i you
"""
_GENERAL = frozenset(_GENERAL_WORDS.split())
_ADJECTIVES = frozenset(_ADJECTIVE_WORDS.split())
_STOP = FOLLOWS | frozenset(_STOP_WORDS.split())
_NOUN = re.compile(r"\b(?:the|an?|its)(?= ((?:[a-z][a-z'’-]* ){0,2}[a-z][a-z'’-]*))")


def things(text: str, found: Sequence[Mention]) -> Iterable[Mention]:
    """References to what no unit is called, outside the mentions already found."""
    masked = list(text)
    for m in found:
        masked[m.start:m.end] = "\x00" * (m.end - m.start)
    for noun in _NOUN.finditer("".join(masked)):
        words = noun[1].split(" ")
        words = words[:next((i for i, w in enumerate(words) if w in _STOP), len(words))]
        while words and words[0] in _ADJECTIVES:
            words = words[1:]
        if not words or words[0] in _GENERAL:
            continue
        name = " ".join(words).removesuffix("'s").removesuffix("’s")
        if name and name.split(" ")[-1] not in _GENERAL and not name.endswith(("tion", "ness", "ment")):
            yield Mention("ref", noun.start(1), noun.start(1) + len(" ".join(words)), name)
