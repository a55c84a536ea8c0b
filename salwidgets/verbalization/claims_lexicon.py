"""The words that make claims about a map, and where they stand in a sentence.

`mentions` finds them: references to units and places, numbers, rank words, words of support and opposition, words that
compare. What they say together is read in `claims_read`. English; another language is another such file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .claims_numbers import NUMBER, SPELLED, read_number

TARGET, FOIL, PREDICTED = "\ue000", "\ue001", "\ue002"
THING = 0xE010  # the character of the first quotation that names no unit
UNIT = 0xE100  # the character of the first unit; the others follow

_V = r"(?:top|upper|bottom|lower|central|centre|middle|mid)"
_H = r"(?:left|right|central|centre|middle)"
_NOUN = r"(?:-?hand)?(?: ?(?:(?P<noun>corner|side|half|part|area|region|section|portion|zone|quadrant|quarter|third|edge|" \
        r"border|row|column|strip|field|patch|place|spot|end)s?\b))"
_TWO = rf"(?P<v>{_V})[- ](?:of (?:the )?)?(?P<h>{_H})"
_ONE = r"(?P<one>top|upper|bottom|lower|left|right|central|centre|middle)(?:most)?"
_FOLLOWING = """
is are was were has have had holds hold held carries carry contains contain contributes contribute accounts account
makes make and or but of in with at by to for against on as than then while whereas which that where who speaks speak
argues argue counts count supports support supporting opposes oppose provides provide offers offer gives give adds add
receives receive gets get takes take shows show comes come stands stand ranks rank plays play matters matter pushes
push pulls pull lowers raises increases decreases reduces backs helps hurts favours favors contradicts undermines
weakens strengthens points works captures beats outweighs exceeds trails leads dominates alone also itself too still
only does do did should would could may might must can not first second third combined together each both rather more
less most least convinces drives collects concentrates amounts serves acts seems appears remains being lies lie sits
falls comprises represents constitutes covers attracts draws gathers bears yields supplies delivers delivered
contributed weighs suggests indicates here there from around because so if plus minus vs versus when since although
though however it they this between
"""
FOLLOWS = frozenset(_FOLLOWING.split())
_BEFORE = r"(?:the|at|in|on|its|their|and|or|than|by|to|from|then|with|of|near|towards?|around|a|:|,|\(|^|“)\s*$"
_LOOSE = re.compile(r"\b(?:on|to|near|towards?|around|along) (?:the |its )?$")

PLUS = r"speak(?:s|ing)?(?: (?:most|more|mainly|strongly|clearly|loudest)(?: strongly)?)? (?:for|in favou?r)|" \
       r"in favou?r of|" \
       r"argu(?:es?|ing) (?:for|in favou?r)|supports?|supporting|supportive|supported|favou?rs?|favou?ring|favou?rable|" \
       r"positive(?:ly)?|backs|backing|boosts?|rais(?:es?|ing)|increas(?:es?|ing)|strengthens?|points? (?:to|towards?)|" \
       r"push(?:es)? (?:\S+ ){0,3}?(?:to|towards?)|consistent with|in line with|helps?|confirms?|convinces?|indicates?|" \
       r"suggests?|evidence for|signs? of|more likely|goes? up|reinforces?|thanks to|promotes?|in support of|case for|" \
       r"belief in|lifts?|adds to|drives? up|make[sd]? (?:it|\S) more likely|vouch(?:es)? for|testif(?:y|ies) to|" \
       r"corroborates?|bolsters?|encourages?|pro\b"
MINUS = r"against|oppos(?:es?|ing|ed|ition)|negative(?:ly)?|contradicts?|contradicting|counter-?(?:evidence|argu\w+)|" \
        r"lowers?(?= (?:the|its|their|\S))|lowering|reduc(?:es?|ing)|decreas(?:es?|ing)|weakens?|undermines?|detracts?|" \
        r"away from|at odds with|inconsistent with|hurts?|harms?|hinders?|inhibits?|suppress(?:es)?|less likely|" \
        r"goes? down|diminish(?:es)?|disfavou?rs?|casts? doubt|refutes?|disputes?|drags? (?:\S+ ){0,3}?down|" \
        r"pulls? (?:\S+ ){0,3}?(?:down|back)|speak(?:s|ing)?(?: \S+){0,2} against|conflicts? with|impedes?|discourages?"
_BEST = r"strongest|largest|biggest|greatest|highest|heaviest|clearest|main|primary|principal|chief|dominant|predominant|" \
        r"leading|foremost|top(?= (?:contributor|region|place|reason|source|spot|rank))|number one|" \
        r"most(?: \w+ly)? (?:important|" \
        r"influential|salient|relevant|decisive|significant|prominent|convincing|supportive|positive|negative|heavily|" \
        r"strongly|weight|evidence|support|valuable|informative|opposing|supporting|critical|crucial)|" \
        r"more important than all|first and " \
        r"foremost|above all|most of all|the most(?= (?:weight|evidence|support|to)\b)|most(?= (?:for|against|" \
        r"towards?)\b)|the " \
        r"(?:most|best)(?=[,.;]|$)|brightest|hottest|peaks?|maximum"
_NTH = "(?P<nth>second|third|fourth|fifth|2nd|3rd|4th|5th)"
_COMPARE = r"outweighs?|exceeds?|beats?|surpass(?:es)?|outranks?|overshadows?|eclips(?:es?)|ahead of|" \
           r"followed(?: closely)? by|" \
           r"(?P<lower>trails?|lags? behind|behind|falls? short of|(?:not|n't) (?:nearly |quite )?as (?:much|" \
           r"strong(?:ly)?|" \
           r"important|heavily|influential|large|high)(?: of \w+)? as)|(?P<then>(?:and|,)? ?to a " \
           r"(?:lesser|smaller) (?:extent|degree),?|less so,?|(?:and |, )?then(?: by)?(?= (?:comes? )?(?:at |in |the )))|" \
           r"(?P<equal>as (?:much|strong(?:ly)?|important) as|on a? ?par with|equals?|the same as|similar to)"
_ADJECTIVE = r"(?P<up>more|larger|greater|higher|stronger|bigger|heavier|better)|" \
             r"(?P<down>less|smaller|lower(?! left| right| middle| centre| part| half| third| edge| corner)|" \
             r"weaker|fewer|lesser)"
_RATIO = r"(?:(?P<hedgeratio>about|roughly|nearly|almost|more than|over|at least|around|less than|approximately)\s+)?" \
         r"(?P<ratio>twice|double|thrice|triple|half|(?:\d+(?:\.\d+)?|two|three|four|five|six|seven|eight|nine|ten) times)" \
         r"(?= (?:as|the|that|more|larger|stronger|greater|higher|what)\b)"
_FACT = r"(?P<score>scores?|logits?|margin)|(?P<probability>probability|likelihood|confidence|confident|certainty|certain|" \
        r"sure|chance|softmax)|(?P<gap>unaccounted|unexplained|completeness gap|completeness error|does not account for)"
_GENERAL = r"(?P<map>of (?:the|this|its|all) (?:whole |entire |absolute |total )?(?:map|attribution|heat ?map|" \
           r"mass|saliency|" \
           r"absolute mass)|of (?:the |all )?total|of all evidence|of the total (?:evidence|attribution|mass|saliency))|" \
           r"(?P<area>of (?:the|its) (?:whole |entire )?(?:picture|image|input|frame|text|recording|volume|area|" \
           r"pixels|cells|" \
           r"sentence|signal|words))|(?P<focus>focus\w*|concentrat\w+|looks?(?= (?:at|mainly|mostly|primarily))|" \
           r"rel(?:ies|y|ied)|attends?|" \
           r"mainly|mostly|primarily|chiefly|predominantly|stands? out|highlights?|is drawn to|pays|key|drives?|driven|" \
           r"rests?|draws?)"
_TABLE = (
    ("unit", "[\ue100-\uf8ff]"),
    ("thing", "[\ue010-\ue0ff]"),
    ("id", r"\bu(?P<u>\d{1,4})\b"),
    ("class", f"[{TARGET}{FOIL}{PREDICTED}]"),
    ("fieldrow", r"\b(?P<middle>middle|central|centre) (?P<line>row|column|third)\b"),
    ("place", rf"\b(?:{_TWO}{_NOUN}?|{_ONE}{_NOUN.replace('<noun>', '<noun2>')}?|(?:left|right)(?= hand))\b"),
    ("ofhalf", r"\bhalf of (?:the|this) (?:picture|image|frame)\b"),
    ("ratio", r"\b" + _RATIO),
    ("absent", r"\b(?:(?:plays?|has|have|had) (?:almost |practically |virtually )?(?:no|little|hardly any) (?:\w+ )?"
               r"(?:role|effect|influence|impact|importance|part)|ignor(?:es?|ed|ing)|irrelevant|negligible|unimportant|"
               r"(?:does|do) (?:not|n't) (?:really )?matter|matters? (?:very )?little|contributes? "
               r"(?:almost |practically |virtually |next to )?(?:nothing|little)|hardly (?:matters?|contributes?))\b"),
    ("nonerank", r"\b(?:no|none|nothing)\b(?=[^.;]*?\b(?:more|stronger|strongly|greater|higher|larger|"
                 r"as (?:much|strongly))\b"
                 r"[^.;]*?\b(?:than|as)\b)"),
    ("nothing", r"\bnothing (?:that |which )?(?:speaks?|argues?) (?P<which>for|against)|(?P<zeromap>\bzero everywhere)|"
                r"\bno (?P<no>(?:supporting|opposing|positive|negative)) (?:evidence|values?|mass)|\bno evidence "
                r"(?P<noev>for|against)|\bnothing (?P<verb>supports|opposes|contradicts)"),
    ("diffuse", r"\b(?:no|none of the|not (?:any|a single)) ?(?:single )?(?:\w+ )?(?:region|regions|place|places|part|parts|"
                r"area|areas|unit|units|word|words|phrase|segment|interval|stretch|band|spot|"
                r"location)?(?: of (?:the )?\w+)? "
                r"(?:really |clearly |particularly )?(?:stands? out|dominates?)|\b(?:evidence|map|attribution|"
                r"support) (?:\w+ "
                r")?is (?:very |quite |rather |widely |fairly )?(?:diffuse|spread (?:out|evenly)|evenly spread|scattered)"),
    ("nth", rf"\b(?:the )?(?:{_NTH}(?:[- ](?:most|strongest|largest|highest|biggest|"
            rf"greatest)(?: \w+ly)?(?: (?:important|influential|"
            r"relevant|salient|significant|negative|positive))?|[- ]place)?|(?P<runner>runner[- ]up|"
            r"next(?:[- ](?:most \w+|strongest|largest|biggest))))\b"
            r"(?! of)"),
    ("least", r"\b(?:weakest|least(?: (?:important|influential|relevant|salient))?(?! \d)|smallest|lowest|fewest)\b"),
    ("one", r"\b(?:one of|among|some of) the (?:two |three |four |five )?(?:strongest|most \w+|largest|biggest|"
            r"main|key|top)\b"),
    ("top", r"\b(?:the )?(?P<n>two|three|four|five) (?:strongest|largest|biggest|highest|most (?:important|"
            r"influential|salient|relevant))\b"),
    ("number", NUMBER.pattern),
    ("best", rf"\b(?:single )?(?:{_BEST})\b"),
    ("first", r"\b(?:ranks?|comes?|is|placed) first\b|\bfirst(?= (?:comes?|place|is|and|,? ?second))|"
              r"\bin first place\b|\bfirst(?=,? "
              r"[^.;]{0,30}\bsecond\b)"),
    ("anyother", r"\bthan (?:any(?:thing|where)?|all|every|everything)(?: of the)?(?: (?:other|others|else|"
                 r"region|part|place|word|\w+ region)s?)+"),
    ("compare", rf"\b(?:{_COMPARE})"),
    ("versus", r"\b(?:compared (?:with|to)|relative to|in comparison (?:with|to)|unlike)\b"),
    ("adjective", rf"\b(?:{_ADJECTIVE})\b(?! likely)"),
    ("than", r"\b(?:than|as)\b(?= (?:that |those )?(?:of |in |at |on |from |by |for |to )?(?:the |"
             r"[\ue010-\uf8ff]|any|all|its))"),
    ("rather", rf"\b(?:rather than|instead of|over|versus|vs\.?|not)\b(?= ?[{FOIL}\ue010-\ue0ff])"),
    ("minus", rf"\b(?:{MINUS})\b"),
    ("plus", rf"\b(?:{PLUS})(?!\w)"),
    ("fact", rf"\b(?:{_FACT})\b"),
    ("together", r"\b(?:together|combined|jointly|in sum|taken together|altogether|plus)\b"),
    ("each", r"\beach\b"),
    ("respectively", r"\brespectively\b"),
    ("order", r"\b(?:order of|ranking|ranked|from strongest to weakest|in (?:descending )?order)\b"),
    ("elsewhere", r"\b(?:elsewhere|the rest|the remaining|remainder|other (?:places|regions|parts)|outside)\b"),
    ("break", r";|\b(?:while|whereas|but|although|though|yet|however)\b|[—–](?= )"),
    ("not", r"\b(?:not|never|no longer|hardly|barely|does ?n't|is ?n't|neither|without|doesn’t|isn’t)\b"),
    ("general", rf"\b(?:{_GENERAL})\b"),
    ("pro", r"\b(?:it|there|they|these|both|this(?= (?:region|place|area|part|word|unit)| (?:alone|holds|"
            r"accounts|carries))|its|which|"
            r"where|those|them)\b"),
)
_ENTRIES = [(name, re.compile(p.removeprefix(r"\b"), re.IGNORECASE)) for name, p in _TABLE]
_WORD = re.compile(r"(?<![a-z0-9])[a-z0-9]+|[^\sa-z0-9]")


_RUNS = [frozenset(run.lower() for run in re.findall(r"[a-zA-Z]+", re.sub(r"\?P<\w+>|\\[a-zA-Z]", " ", p)))
         for _, p in _TABLE]


@lru_cache(maxsize=8192)
def _entries(word: str) -> tuple[int, ...]:
    """The entries that may match where a word starts: those with a word in their pattern that agrees with it as far as
    both go. Trying all of them everywhere takes ten times as long."""
    if not word.isalpha() or not word.isascii():
        return () if word in ",.()'" else tuple(range(len(_TABLE)))
    return tuple(i for i, runs in enumerate(_RUNS) if any(
        run == word or (len(run) > 2 and (run.startswith(word) or word.startswith(run))) for run in runs))


_FIELD = {"upper": "top", "lower": "bottom", "central": "centre", "middle": "centre", "mid": "centre"}


@dataclass
class Mention:
    """A word or phrase that matters: its kind, where it stands, and what was read from it."""

    kind: str
    start: int
    end: int
    value: Any = None
    sign: int = 0
    used: bool = False


def mentions(text: str) -> list[Mention]:
    """All mentions in a sentence (lower case, names already replaced by characters), from left to right."""
    out: list[Mention] = []
    at = 0
    for word in _WORD.finditer(text):
        start = word.start()
        if start < at:
            continue
        for i in _entries(word[0]):
            m = _ENTRIES[i][1].match(text, start)
            if m is not None and m.end() > start:
                found = _read(_ENTRIES[i][0], m, text)
                at = m.end() if found is not None else start + len(word[0])
                if found is not None:
                    out.append(found)
                    if found.kind == "sign" and " most " in m[0].lower():  # "speaks most for"
                        out.append(Mention("rank", found.start, found.end, 1, found.sign))
                break
    return out


def _read(name: str, m: re.Match[str], text: str) -> Mention | None:
    found = Mention(name, m.start(), m.end())
    if name in ("unit", "thing"):
        found.value = ord(m[0]) - (UNIT if name == "unit" else THING)
    elif name == "id":
        found.value = f"u{m['u']}"
    elif name in ("place", "fieldrow"):
        return _place(found, m, text)
    elif name == "number":
        found.value = read_number(m)
    elif name in ("plus", "minus"):
        found.sign = 1 if name == "plus" else -1
        found.kind = "sign"
        found.value = "weak" if m[0] == "evidence for" else ""
    elif name == "nth":
        found.value = 2 if m["runner"] else {"s": 2, "2": 2, "t": 3, "3": 3, "fo": 4, "4": 4, "fi": 5, "5": 5}.get(
            m["nth"][0].lower(), {"fo": 4, "fi": 5}.get(m["nth"][:2].lower(), 2))
        found.kind = "rank"
    elif name in ("best", "first"):
        found.kind, found.value = "rank", 1
        found.sign = {"po": 1, "ne": -1}.get(m[0].split()[-1][:2].lower(), 0) if m[0].lower().startswith("most") else 0
        found.sign = -1 if m[0].lower().endswith("opposing") else 1 if "support" in m[0].lower() else found.sign
    elif name == "least":
        found.kind, found.value = "rank", -1
    elif name == "one":
        found.kind, found.value = "rank", "top 3"
    elif name == "top":
        found.kind, found.value = "rank", f"top {SPELLED[m['n'].lower()]}"
    elif name == "compare":
        found.value = "equal" if m["equal"] else "then" if m["then"] or "followed" in m[0] else ""
        found.sign = 0 if m["equal"] else -1 if m["lower"] else 1
    elif name == "adjective":
        found.sign = 1 if m["up"] else -1
    elif name == "ratio":
        found.value = _ratio(m["ratio"].lower(), (m["hedgeratio"] or "").lower())
    elif name == "nothing":
        words = (m["which"] or m["noev"] or m["no"] or m["verb"] or "").lower()
        found.sign = 0 if m["zeromap"] else -1 if re.match("against|oppos|negat|contra", words) else 1
    elif name in ("fact", "general"):
        found.value = next(k for k, v in m.groupdict().items() if v is not None)
    return found


def _ratio(word: str, hedge: str) -> tuple[float, str]:
    known = {"twice": 2.0, "double": 2.0, "thrice": 3.0, "triple": 3.0, "half": 0.5}
    first = word.split()[0]
    number = known.get(first) or float(SPELLED.get(first, 0)) or float(first)
    return number, "more" if hedge in ("more than", "over", "at least") else "less" if hedge == "less than" else ""


def _place(found: Mention, m: re.Match[str], text: str) -> Mention | None:
    """A place with its readings [(name, system)], or None where the word is no place ("the right answer")."""
    before, after = text[max(0, m.start() - 12):m.start()], text[m.end():]
    groups = m.groupdict()
    loose = bool(_LOOSE.search(before))
    found.kind = "place"
    if "line" in groups:
        name = "middle row" if groups["line"] == "row" else "middle column"
        both = [("middle row", "third"), ("middle column", "third")]
        found.value = both if groups["line"] == "third" else [(name, "third")]
        return found
    noun = groups["noun"] or groups["noun2"]
    if groups["v"]:
        v, h = (_FIELD.get(g, g) for g in (groups["v"].lower(), groups["h"].lower()))
        name = "centre" if v == h == "centre" else v if h == "centre" else h if v == "centre" else f"{v} {h}"
        soft = noun in ("part", "area", "region", "section", "portion", "zone") and " " in name
        found.value = [(name, "quarter")] if noun in ("quadrant", "quarter") else [(name, "ninth")]
        found.value += [(name, "quarter")] if soft else []
        return found
    if groups["one"] is None or not re.search(_BEFORE, before, re.IGNORECASE):
        return None
    word = groups["one"].lower()
    name = _FIELD.get(word, word)
    follower = re.match(r"\s*([^\W\d_]+)", after)
    strange = follower and follower[1].lower() not in FOLLOWS and name != "centre"
    if not noun and (word in ("upper", "lower", "central") or strange):
        return None
    if not noun and re.match(r"\s+of (?!the (?:picture|image|frame|map|input|scene|view)|it\b)", after):
        return None
    found.value = _one_word(name, noun, loose)
    return found


def _one_word(name: str, noun: str | None, loose: bool) -> list[tuple[str, str]]:
    if name == "centre":
        return [("centre", "ninth")] if not noun and not loose else [("centre", "ninth"), ("centre", "middle")]
    if noun == "half":
        return [(name, "half")]
    if noun in ("third", "row", "column", "strip", "edge", "border"):
        return [(name, "third")]
    exact = [(name, "ninth")]
    if (noun is None and not loose) or noun in ("field", "patch", "place", "spot"):
        return exact
    return [*exact, (name, "third"), (name, "half")]
