"""English: every phrase that the templates, captions and alt texts are made of. Another language is one more such file.

`SENTENCES` are jinja2 templates; where a layperson and an expert are told differently, the value is a pair. They see
``b`` (the brief), ``e`` (the explanation), ``lead`` and ``more`` (units), and what `facts` in `templates` adds. Filters:
percent, signed, the, listed, first (capital). Names are values, never part of a template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

# -- words for parts of the input (labels carry no article) ---------------------------------------------------------

PLACES = ("top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right")
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
LABELS = {
    "at": "at the {place}", "on": "on the {place}", "centre": "in the centre", "left_of": "left of the centre",
    "right_of": "right of the centre", "above": "above the centre", "below": "below the centre",
    "area": "area {where}", "rest": "rest of the picture", "nth": "{nth} {label}", "number": "{label}, number {n}",
    "samples": "sample {start} to {stop}", "seconds": "{start} s to {stop} s", "channel": "channel {n}",
    "bins": "bin {start} to {stop}", "hertz": "{start} Hz to {stop} Hz", "slices": "{place} of slices {start} to {stop}",
    "segment": "segment {n}",
}
WHOLE = {"picture": "picture", "text": "text", "series": "recording", "volume": "volume"}
PART = {"word": "word", "phrase": "word", "interval": "stretch of the {whole}", "band": "band of frequencies",
        "other": "part of the {whole}", "named": "named part of the {whole}"}
_NOUNS = {"interval": "the stretch from {label}", "band": "the band from {label}"}
_PLURALS = {"feet", "teeth", "people", "children", "men", "women", "mice", "geese"}

METHODS = {
    "grad-cam": "Grad-CAM", "grad-cam++": "Grad-CAM++", "xgrad-cam": "XGrad-CAM", "hires-cam": "HiResCAM",
    "layer-cam": "LayerCAM", "eigen-cam": "Eigen-CAM", "eigen-grad-cam": "Eigen-Grad-CAM", "score-cam": "Score-CAM",
    "ablation-cam": "Ablation-CAM", "threshold-grad-cam": "Threshold-Grad-CAM", "smooth-grad-cam++": "Smooth Grad-CAM++",
    "finer-cam": "Finer-CAM", "cf-cam": "CF-CAM", "fullgrad": "FullGrad", "normgrad": "NormGrad",
    "guided-grad-cam": "Guided Grad-CAM", "rise": "RISE", "d-rise": "D-RISE", "xrai": "XRAI", "fido": "FIDO",
    "lrp": "LRP", "smoothgrad": "SmoothGrad", "vargrad": "VarGrad", "guided-backprop": "guided backpropagation",
    "deconvnet": "DeconvNet", "deeplift": "DeepLIFT", "gradient-shap": "GradientSHAP", "kernel-shap": "KernelSHAP",
    "blur-ig": "Blur IG", "guided-ig": "Guided IG", "input-x-gradient": "input × gradient", "lime": "LIME",
    "gradient-x-attention": "gradient × attention", "rollout": "attention rollout", "external": "this map",
}
HOW = {
    "occlusion": "Occlusion covers the {whole} piece by piece and measures how far the score falls.",
    "rise": "RISE covers the {whole} at random, many times over, and averages the scores that remain.",
    "grad-cam": "Grad-CAM weighs what the network's last feature maps hold by how much the score depends on each of them.",
    "integrated-gradients": "Integrated gradients add up how the score grows while the {whole} is faded in.",
    "input-x-gradient": "Input × gradient multiplies each value of the input by how strongly the score reacts to it.",
    "xrai": "XRAI splits the picture into regions and ranks them by the evidence that they gather.",
    "lrp": "LRP passes the score back through the network and shares it out over the input, layer by layer.",
}

# -- grammar ------------------------------------------------------------------------------------------------------


def the(unit: Any) -> str:
    """A unit as a noun phrase: "the top left", "the word “not”", "the second “not”"."""
    if unit.kind in ("word", "phrase"):
        return f"the {ORDINALS[unit.nth - 1]} “{unit.label}”" if 0 < unit.nth <= len(ORDINALS) \
            else f"the {unit.kind} “{unit.label}”"
    if unit.label.startswith("“"):
        return f"the part {unit.label}"
    return _NOUNS.get(unit.kind, "the {label}").format(label=unit.label) if not unit.label.startswith("channel ") \
        else unit.label


def plural(unit: Any) -> bool:
    """Whether a verb after the unit is plural: "the legs speak", "the grass speaks"."""
    if unit.kind in ("word", "phrase", "place", "interval", "band") or unit.label.startswith("“"):
        return False
    last = re.split(r" at | on | in | of |,", unit.label)[0].split(" ")[-1].lower()
    return last in _PLURALS or (len(last) > 3 and last.endswith("s") and not last.endswith(("ss", "us", "is")))


def verb(unit: Any, singular: str) -> str:
    """"speaks", or "speak" after a plural."""
    return {"is": "are", "has": "have"}.get(singular, singular.removesuffix("s")) if plural(unit) else singular


def listed(items: Sequence[str]) -> str:
    """"a", "a and b", "a, b and c"."""
    return "" if not items else items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def percent(share: float) -> str:
    """A share as words: "54 %"; never "0 %" for something, never "100 %" for less than all."""
    p = round(100 * float(share))
    if p == 0 and share > 0:
        return "less than 1 %"
    if p == 100 and share < 1:
        return "more than 99 %"
    return f"{p} %"


def count(n: int) -> str:
    """A small number as a word."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    return words[n] if 0 <= n < len(words) else str(n)


FILTERS = {"the": the, "listed": listed, "percent": percent, "count": count}

GROUP, MAP = "the group {name}", "the {method} map"
MOST, CLEARLY = "most", "clearly"

# -- sentences ----------------------------------------------------------------------------------------------------

_AND = "{{ ' and ' if loop.last and not loop.first else ', ' if not loop.first }}"
_TAIL = ("{% if lead|length > 1 %}, {{ 'level with' if tie else 'followed by' }} {% for u in lead[1:] %}" + _AND +
         "{{ u|the }} with {{ share(u)|percent }}{% endfor %}{% endif %}")
_ON_ITS = "{% if most != MOST %}, on {{ lead[0].area|percent }} of the {{ whole }},{% endif %}"
_STRONGEST = "the strongest, {{ lead[0]|the }}, {{ verb(lead[0], 'holds') }}"
_ON = "{% if most != MOST %} on {{ lead[0].area|percent }} of the {{ whole }}{% endif %}"
_FOR = "{{ target }}{% if foil %} and against {{ foil }}{% endif %}"
_RATHER = "{{ target }}{% if foil %} rather than {{ foil }}{% endif %}"
_AGAINST = "{{ target }}{% if foil %} and for {{ foil }}{% endif %}"

SENTENCES: dict[str, str | tuple[str, str]] = {
    "line": (
        "{{ lead[0]|the|first }} {{ verb(lead[0], 'speaks') }} {{ most }} for " + _FOR +
        ", with {{ share(lead[0])|percent }} of the supporting evidence" + _ON + _TAIL + ".",
        "In {{ method_map }}, {{ lead[0]|the }} {{ verb(lead[0], 'holds') }} {{ share(lead[0])|percent }} of the positive "
        "mass" + _ON_ITS + " for " + _RATHER + _TAIL + "{% if score %} (score {{ score }}){% endif %}."),
    "main": (
        "According to {{ method }}, {{ lead[0]|the }} {{ verb(lead[0], 'speaks') }} {{ most }} for " + _FOR +
        ", with {{ share(lead[0])|percent }} of the supporting evidence" + _ON + _TAIL + ".",
        "In {{ method_map }}, {{ lead[0]|the }} {{ verb(lead[0], 'holds') }} {{ share(lead[0])|percent }} of the positive "
        "mass" + _ON_ITS + " for " + _RATHER + _TAIL + "{% if score %} (score {{ score }}){% endif %}."),
    "diffuse": (
        "According to {{ method }}, no {{ part }} stands out for " + _RATHER + ": " + _STRONGEST +
        " {{ share(lead[0])|percent }} of the supporting evidence on {{ lead[0].area|percent }} of the {{ whole }}.",
        "In {{ method_map }}, no {{ part }} stands out for " + _RATHER + ": " + _STRONGEST +
        " {{ share(lead[0])|percent }} of the positive mass on {{ lead[0].area|percent }} of the {{ whole }}"
        "{% if score %} (score {{ score }}){% endif %}."),
    "everywhere": "According to {{ method }}, no part of the {{ whole }} stands out for " + _RATHER + ": the supporting "
                  "evidence is widely spread.",
    "nothing": "According to {{ method }}, nothing speaks for " + _RATHER + ".",
    "zero": "The map is zero everywhere for " + _RATHER + ": {{ method }} gives no answer.",
    "together": "Together, the {{ lead|length|count }} hold {{ together|percent }} of the "
                "{% if expert %}positive mass{% else %}supporting evidence{% endif %} on {{ area|percent }} of the "
                "{{ whole }}.",
    "alone": "{{ lead[0]|the|first }} {{ verb(lead[0], 'covers') }} {{ lead[0].area|percent }} of the {{ whole }}.",
    "opposing": (
        "{{ lead[0]|the|first }} {{ verb(lead[0], 'speaks') }} {{ most }} against " + _AGAINST +
        ", with {{ share(lead[0])|percent }} of the opposing evidence" + _ON + _TAIL + ".",
        "{{ lead[0]|the|first }} {{ verb(lead[0], 'holds') }} {{ share(lead[0])|percent }} of the negative mass" +
        _ON + _TAIL + "."),
    "opposes": ("Evidence against it makes up {{ b.opposes|percent }} of the map.",
                "Evidence against it makes up {{ b.opposes|percent }} of the absolute mass."),
    "outweighed": "Evidence against it makes up {{ b.opposes|percent }} of the map, but in no {{ part }} does it outweigh "
                  "the evidence for it.",
    "spread_against": "Evidence against it makes up {{ b.opposes|percent }} of the map, but no {{ part }} stands out there.",
    "none_against": ("The map shows no evidence against it.", "The map has no negative values."),
    "next": "After {{ 'it' if shown == 1 else 'these' }} {{ 'come' if more|length > 1 else 'comes' }} "
            "{% for u in more %}" + _AND + "{{ u|the }} with {{ share(u)|percent }}{% endfor %}.",
    "times": "{{ lead[0]|the|first }} {{ verb(lead[0], 'holds') }} {{ times }} times as much "
             "{% if expert %}positive mass{% else %}supporting evidence{% endif %} as {{ lead[1]|the }}.",
    "probability": "The model gives {{ target }} a probability of {{ e.probability|percent }}"
                   "{% if other %}, less than its first choice, {{ other }}, with {{ e.prediction[1]|percent }}{% endif %}.",
    "higher": "The model itself scores {{ target }} {{ 'higher' if e.score > 0 else 'lower' }} than "
              "{{ foil }}{% if b.group %} on average{% endif %}.",
    "members": "The group stands for {{ b.members|length|count }} classes: {{ members|listed }}.",
    "setup": "The map has {{ cells }} cells{% if e.layer %} at layer “{{ layer }}”{% endif %}; the positive and the "
             "negative mass are its sums above and below zero.",
    # what a truthful text must mention
    "incomplete": (
        "The figures of this map do not add up fully: {{ e.completeness|percent }} of its own mass is unaccounted for.",
        "The map leaves {{ e.completeness|percent }} of its own mass unaccounted for (completeness gap {{ gap }} logits)."),
    "blind": "This method is class-blind: it gives the same map whatever is asked.",
    "broken": "The map holds values that are not finite; they are left out of these figures.",
    "unsigned": "This method tells only how much a part matters, not whether it speaks for or against.",
    "sensitivity": "This method shows where small changes would move the score, not how much each part contributes.",
}

# -- beside pictures ----------------------------------------------------------------------------------------------

CAPTIONS = {
    "score": "Score", "probability": "Probability", "prediction": "Prediction", "completeness": "Completeness",
    "logits": " logits", "no_question": "A map without a question",
    "blind": "Class-blind: this method never looks at the question, so its map is the same for every class.",
    "unexplained": "{share} not accounted for", "sums": " (the map sums to {total}, the score changes by {expected})",
    "layer": "layer {layer}", "grid": "{h} × {w} cells", "grid_on": "{h} × {w} cells on {tall} × {wide} pixels",
    "not_a_number": "not a number", "top": "“{name}”, {share}",
    "alt": "Map over a picture. {question} {text}", "alt_bare": "Map over a picture. {text}",
    "no_numbers": "None of its cells holds a finite number.",
}
