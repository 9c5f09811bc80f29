"""str -> spans of its sentences, and of a sentence's clauses: rules for English medical text, offsets into unchanged text.

Lines are hard boundaries unless a line plainly continues the one before it. Every look-around is bounded and every repetition
unambiguous, so the work grows linearly with the text whatever it holds.
"""

from __future__ import annotations

import re
from bisect import bisect_left

Span = tuple[int, int]

# Words that never end a sentence (lower case, final dot removed).
_ABBREVIATIONS = (
    "app max pt dr prof mr mrs ms st vs e.g i.e eg ie fig figs eq eqs ref refs tab approx ca cf incl excl resp viz inc ltd co "
    "dept univ vol pp eds sect chap suppl q.d b.i.d t.i.d q.i.d q.h q.h.s p.o i.v i.m s.c p.r p.r.n o.d q.o.d h.s spp sp subsp "
    "var"
)
# Words that end a sentence only when a capitalised word follows.
_UNITS_AND_TITLES = "al etc no nos u.s e.u u.k a.m p.m jr sr wk mo yr hr min sec mg ml kg"
_NEVER_ENDS = frozenset(_ABBREVIATIONS.split())
_MAY_END = frozenset(_UNITS_AND_TITLES.split())
_COUNTRIES = frozenset({"u.s", "e.u", "u.k"})
_LOOK = 64  # characters looked at on either side of a stop

_BULLET = re.compile(r"\s*(?:[•●▪◦‣∙·–—*-]\s+|\(?\d{1,2}[.)]\s+|[a-z][.)]\s+)")
_LABEL = re.compile(
    r"(?:BACKGROUND|OBJECTIVES?|AIMS?|PURPOSE|INTRODUCTION|DESIGN|SETTING|PARTICIPANTS|PATIENTS|SUBJECTS|INTERVENTIONS?|METHODS?"
    r"|MATERIALS AND METHODS|MEASUREMENTS|OUTCOME MEASURES|(?:MAIN )?RESULTS|FINDINGS|CONCLUSIONS?|INTERPRETATION|LIMITATIONS"
    r"|DISCUSSION|TRIAL REGISTRATION|FUNDING)(?=:)"
)
# A stop, closing quotes or brackets, citation numbers glued to it (plain or superscript), then space or the end.
_STOP = re.compile(
    r"(?<![.!?])(?P<stop>[.!?]++)(?P<quotes>[\"”’')\]]*+)"
    r"(?P<glued>(?:\d{1,3}(?:\s?[,–-]\s?\d{1,3})*|[⁰¹²³⁴-⁹]+(?:[,⁻˒ ]+[⁰¹²³⁴-⁹]+)*)?)(?P<space>\s+|$)"
)
_WORD_BEFORE = re.compile(r"[^\s(\[“\"']+$")
_CAPITAL = re.compile(r"[\"“(\[]?[A-ZÀ-ÞΑ-Ω]")
_CAPITAL_OR_GREEK = re.compile(r"[\"“(\[]?(?:[A-ZÀ-Þ]|[α-ω]-[A-Z])")
_CAPITALISED_WORD = re.compile(r"[A-Z][a-z]+ ")
_OPENER = re.compile(r"(?:The|It|This|They|We|In|No|Both)\b")
_AGENCY = re.compile(r"FDA|EMA|NIH|CDC|VA|Food|Drug|Preventive|label|Department|Pharmacopeia")
_LOWER_CASE_NAME = re.compile(r"[a-z]{1,3}[A-Z]|[α-ω]|[a-z]-[A-Z]")  # mTOR, α-blockers, p-ANCA
_DOTTED = re.compile(r"(?:[a-z]\.)+[a-z]")
_NUMBER_BEFORE_CITATION = re.compile(r"[^A-Za-zα-ω]*\d")
_CONTINUES = re.compile(r"[a-z(,;\d]")

_CLAUSE_MARK = re.compile(r"[;:]\s+|,\s+(?=(?:and|but|which|or)\b)|(?<=\s)\(|\)[,;:]?\s+")
_WORD = re.compile(r"\w+")
_LEAST_WORDS = 3  # a clause of fewer words says nothing on its own


def split(text: str) -> list[Span]:
    """Return the spans of the sentences in order, without overlap, covering every character that is not a space.

    >>> [text[a:b] for text in ["Begin with 1.5 mg. See Fig. 2."] for a, b in split(text)]
    ['Begin with 1.5 mg.', 'See Fig. 2.']
    """
    spans: list[Span] = []
    for line in re.finditer(r"[^\n]+", text):
        for sentence in _split_line(text, *line.span()):
            for start, end in _split_at_labels(text, *sentence):
                if span := _trim(text, start, end):
                    _append(text, spans, span)
    return spans


def clauses(text: str) -> list[Span]:
    """Return the spans of the clauses of one sentence, each of three words or more; [] when it is a single clause.

    >>> [text[a:b] for text in ["Sleep got better early; pain eased after a month."] for a, b in clauses(text)]
    ['Sleep got better early', 'pain eased after a month.']
    """
    words = [found.start() for found in _WORD.finditer(text)]
    spans: list[Span] = []
    start = before = 0
    for mark in _CLAUSE_MARK.finditer(text):
        here = bisect_left(words, mark.start())
        if here - before >= _LEAST_WORDS <= len(words) - here:
            spans.append((start, mark.start()))
            start, before = mark.end(), here
    spans.append((start, len(text)))
    return [span for piece in spans if (span := _trim(text, *piece))] if len(spans) > 1 else []


def _trim(text: str, start: int, end: int) -> Span | None:
    """Return the span without spaces at its ends; None when nothing is left."""
    piece = text[start:end]
    bare = piece.strip()
    if not bare:
        return None
    start += len(piece) - len(piece.lstrip())
    return start, start + len(bare)


def _append(text: str, spans: list[Span], span: Span) -> None:
    """Add ``span``, or lengthen the last one when ``span`` begins a line that continues it."""
    if spans and _is_soft_wrap(text, spans[-1][1], span[0]):
        spans[-1] = (spans[-1][0], span[1])
    else:
        spans.append(span)


def _is_soft_wrap(text: str, end: int, start: int) -> bool:
    if text.count("\n", end, start) != 1 or _BULLET.match(text[start : start + 8]):
        return False
    return bool(_CONTINUES.match(text, start)) and text[end - 1] not in ".!?:"


def _split_line(text: str, begin: int, end: int) -> list[Span]:
    spans: list[Span] = []
    start = at = begin
    while (found := _STOP.search(text, at, end)) and found.end() < end:
        at = found.end()
        if not _continues(text, start, found, text[at : min(end, at + _LOOK)]):
            spans.append((start, at - len(found["space"])))
            start = at
    return [*spans, (start, end)]


def _split_at_labels(text: str, start: int, end: int) -> list[Span]:
    """Cut before the labels of a structured abstract ("METHODS:") that follow a stop within one run of text."""
    spans: list[Span] = []
    for label in _LABEL.finditer(text, start, end):
        cut = label.start()
        if cut > start and text[cut - 1] == " " and text[max(0, cut - _LOOK) : cut].rstrip()[-1:] in tuple(".!?;"):
            spans.append((start, cut))
            start = cut
    return [*spans, (start, end)]


def _continues(text: str, start: int, found: re.Match[str], following: str) -> bool:
    """Tell whether the sentence that began at ``start`` goes on after this stop."""
    if found["stop"] == "." and _dot_continues(text, start, found, following):
        return True
    return bool(found["quotes"]) and bool(re.match(r"[a-z,;]", following))  # '"It helped," she said.'


def _dot_continues(text: str, start: int, found: re.Match[str], following: str) -> bool:
    stop = found.start()
    before = _WORD_BEFORE.search(text[max(start, stop - _LOOK) : stop])
    word = before.group() if before else ""
    if found["glued"]:  # "TLR4.1,2 It": a citation belongs to the sentence before; "0.05" and "4.5" are decimals
        return bool(_NUMBER_BEFORE_CITATION.fullmatch(word)) or not _CAPITAL.match(following)
    if re.fullmatch(r"\d{1,2}", word) and start == stop - len(word):  # "1. Off-label"
        return True
    if re.match(r"[a-z]", following) and not _LOWER_CASE_NAME.match(following):
        return True
    return _is_initial(text, start, stop, word, following) or _is_abbreviation(word.lower().strip(".,;:"), following)


def _is_initial(text: str, start: int, stop: int, word: str, following: str) -> bool:
    """Tell "E. coli" and "J. Smith" from "vitamin D. The"."""
    if not re.fullmatch(r"[A-Z]", word) or not re.match(r"[a-zA-Z]", following):
        return False
    return not (start < stop - 2 and text[stop - 2] == " " and _OPENER.match(following))


def _is_abbreviation(low: str, following: str) -> bool:
    if low in _NEVER_ENDS:  # "q.d. Food": a dotted dosing term may close a sentence
        dosing = "." in low and low not in ("e.g", "i.e")
        if not (dosing and _CAPITALISED_WORD.match(following)):
            return True
    if low == "no" and following[:1].isdigit():
        return True
    if low in _COUNTRIES and _AGENCY.match(following):
        return True
    if low in _MAY_END and not _CAPITAL_OR_GREEK.match(following):
        return True
    return bool(_DOTTED.fullmatch(low)) and low not in ("a.m", "p.m") and not re.match(r"[A-Z]", following)
