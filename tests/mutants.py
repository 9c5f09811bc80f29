"""Sentence -> sentences that say something else, and sentences that say the same: what the verifier is tested with.

Written from what can go wrong in a dose or a finding, not from the verifier's own word lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from assistant.lexicon import is_drug

_NUMBER = re.compile(r"(?<![\w.,·-])\d+(?:[.·]\d+)?(?![\w·]|[.,]\d|-[A-Za-z])")
_AUXILIARY = re.compile(r"\b(?:is|are|was|were|may|should|can|could|will|has|have|did)\b(?! not)")
_NEGATOR = re.compile(r"\b(?:not|no|never|neither) |(?<=can)not\b")
_WORD = re.compile(r"[A-Za-z]{5,}")
_SWAPS = {
    "unit": "mg:mcg mg:g mcg:mg g:mg kg:g ml:l mL:L days:weeks weeks:days months:weeks hours:minutes years:months "
    "day:week week:day month:year %:points mmol:mg kg:m²",
    "direction": "increased:decreased increase:decrease increases:decreases reduced:increased reduces:increases reduce:increase "
    "lower:higher higher:lower better:worse worse:better improved:worsened improves:worsens maximum:minimum minimum:maximum "
    "before:after after:before start:stop started:stopped more:less fewer:more raised:lowered lowered:raised above:below "
    "below:above fell:rose rose:fell superior:inferior decreased:increased decrease:increase high:low low:high longer:shorter "
    "contraindicated:indicated agonist:antagonist antagonist:agonist effective:ineffective upper:lower first:last",
    "population": "adults:children children:adults women:men men:women patients:mice mice:patients pregnant:elderly "
    "renal:hepatic kidney:liver hepatic:renal pregnancy:childhood infants:adults adolescents:adults female:male male:female "
    "participants:rats elderly:young human:mouse humans:mice",
    "frequency": "daily:weekly weekly:daily once:twice twice:once monthly:daily nightly:hourly",
    "hedge": "may:will might:will could:will can:must suggests:shows suggest:show suggested:showed possibly:certainly "
    "probably:certainly likely:certain usually:always typically:always often:always sometimes:always rarely:often "
    "associated:caused should:must",
    "bound": "least:most most:least over:under under:over above:below below:above less:more more:less minimum:maximum "
    "<:> >:< ≥:≤ ≤:≥ only:also all:some some:all both:neither",
    "relation": "by:to to:by with:without without:with from:to than:as and:or or:and for:against if:unless unless:if",
}
_DROPS = {
    "hedge": "may might could possibly probably likely usually typically often sometimes about approximately",
    "bound": "only about least most",
    "condition": "if unless except when until",
}
_DRUGS = ("naloxone", "warfarin", "sertraline", "ibuprofen", "digoxin")


def mutants(sentence: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, sentence that says something else)."""
    yield from _numbers(sentence)
    yield from _swapped(sentence)
    yield from _negations(sentence)
    yield from _drugs(sentence)
    yield from _dropped(sentence)
    yield from _arguments(sentence)


def _numbers(sentence: str) -> Iterator[tuple[str, str]]:
    for found in _NUMBER.finditer(sentence):
        value = float(found[0].replace("·", "."))
        for kind, new in (("ten times", value * 10), ("a tenth", value / 10), ("one more", value + 1)):
            if value:
                yield kind, _put(sentence, found, f"{new:.6f}".rstrip("0").rstrip("."))
        yield "sign", _put(sentence, found, f"-{found[0]}")
    numbers = list(_NUMBER.finditer(sentence))
    for one, other in pairwise(numbers):
        if one[0] != other[0]:
            between = sentence[one.end() : other.start()]
            yield "number swap", f"{sentence[: one.start()]}{other[0]}{between}{one[0]}{sentence[other.end() :]}"


def _swapped(sentence: str) -> Iterator[tuple[str, str]]:
    for kind, table in _SWAPS.items():
        for pair in table.split():
            old, new = pair.split(":")
            pattern = rf"(?<![\w-]){re.escape(old)}(?![\w-])" if old[0].isalpha() else re.escape(old)
            pattern = rf"(?<=\d){re.escape(old)}|(?<=\d[ -]){re.escape(old)}(?!\w)" if kind == "unit" else pattern
            for found in re.finditer(pattern, sentence):
                yield kind, _put(sentence, found, new)


def _negations(sentence: str) -> Iterator[tuple[str, str]]:
    for found in _AUXILIARY.finditer(sentence):
        yield "negation in", _put(sentence, found, f"{found[0]} not")
    for found in _NEGATOR.finditer(sentence):
        yield "negation out", _put(sentence, found, "")


def _drugs(sentence: str) -> Iterator[tuple[str, str]]:
    for found in _WORD.finditer(sentence):
        if is_drug(found[0].lower()):
            other = next(name for name in _DRUGS if name not in sentence.lower())
            yield "drug", _put(sentence, found, other)


def _dropped(sentence: str) -> Iterator[tuple[str, str]]:
    for kind in ("hedge", "bound"):
        for word in _DROPS[kind].split():
            for found in re.finditer(rf"\b{word} ", sentence):
                yield f"{kind} dropped", _put(sentence, found, "")
    for word in _DROPS["condition"].split():
        for found in re.finditer(rf",? {word} ", sentence):
            yield "condition dropped", sentence[: found.start()] + "."


def _arguments(sentence: str) -> Iterator[tuple[str, str]]:
    """Yield the sentence with two of its words exchanged, first with last and neighbour with neighbour but one."""
    words = list(_WORD.finditer(sentence))
    pairs = [(words[0], words[-1])] if len(words) > 1 else []
    pairs += list(zip(words[::3], words[2::3], strict=False))
    for one, other in pairs:
        if one[0].lower()[:5] != other[0].lower()[:5]:
            between = sentence[one.end() : other.start()]
            yield "arguments", f"{sentence[: one.start()]}{other[0]}{between}{one[0]}{sentence[other.end() :]}"


def _put(sentence: str, found: re.Match[str], new: str) -> str:
    return sentence[: found.start()] + new + sentence[found.end() :]


_UNIT_SPELLINGS = (
    (r"(?<=\d) ?mg(?= |,|\.|\))", " milligrams"),
    (r"(?<=\d) ?(?:mcg|µg)\b", " micrograms"),
    (r"(?<=\d) ?%", " percent"),
    (r"(?<=\d) ?weeks\b", " wk"),
    (r"(?<=\d) ?mg\b", "mg"),
    (r"(?<=\d) ?to (?=\d)", "–"),
    (r"(?<=\d)\.(?=\d)", "·"),
    (r"\bper day\b|\ba day\b", "daily"),
    (r"(?<!-)\btwo\b", "2"),
    (r"(?<!-)\bthree\b", "3"),
    (r"\bat least (?=\d)", "≥"),
    (r"\bup to (?=\d)", "at most "),
    (r"-", "‑"),
    (r"(?<=[a-z])-(?=[a-z])", " "),
    (r"isation\b", "ization"),
    (r"ised\b", "ized"),
    (r"aemia", "emia"),
)
_OPENINGS = ("In conclusion, ", "However, ", "Importantly, ", "Taken together, ", "CONCLUSIONS: ")


def rewrites(sentence: str) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, source, claim) where the claim says what the source says, in nearly its words."""
    for opening in _OPENINGS:
        yield "opening dropped", opening + sentence, sentence
    yield "marker dropped", re.sub(r"\.$", " [3,4].", sentence), sentence
    yield "stop dropped", sentence, sentence.rstrip(".")
    yield "case", sentence, sentence[0].lower() + sentence[1:]
    for pattern, new in _UNIT_SPELLINGS:
        if re.search(pattern, sentence):
            yield "spelling", sentence, re.sub(pattern, new, sentence)
    bare = sentence.rstrip(".")
    if bare.endswith(":"):  # a lead-in is nothing without its list
        return
    yield "clause trimmed", f"{bare}, which the authors described in detail.", sentence
    yield "clause trimmed", f"{bare} (see the table).", sentence
    yield "clause trimmed", f"{bare}; no other outcome was reported in 2019.", sentence
    yield "clause trimmed", f"Although opinions are divided, {sentence[0].lower()}{sentence[1:]}", sentence
