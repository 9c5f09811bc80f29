"""Line of a page and length of its reference list -> list[Cited]: "pain 1, 2" cites two works, "1, 3 mg" is a dose.

A number that is taken for a citation leaves the text, so a mistake would change a dose: of bare numbers only those at the end of
a clause count, and not after words that take numbers ("stage 3", "up to 4"). Every conversion is reported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.text.plain import one_line
from assistant.text.sentences import split

_LIST = r"[0-9]{1,3}(?:\s?[,;–-]\s?[0-9]{1,3}){0,20}"
_RAISED_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_BRACKETED = re.compile(rf"\s?\[({_LIST})\]")
_RAISED = re.compile(
    rf"(?<=[^\s\d{_RAISED_DIGITS}⁻^])([{_RAISED_DIGITS}]{{1,3}}(?:[,⁻–˒-]\s?[{_RAISED_DIGITS}]{{1,3}}){{0,20}})(?=[\s.,;:)]|$)"
)
_AFTER_STOP = re.compile(rf"(?<=[^\W\d_)\]%”\"][.!?])\s({_LIST})(?=\s+[A-Z“\"(]|\s*$)")
_MARK_AFTER_STOP = re.compile(rf"([.!?])\s?(\[{_LIST}\])(?=\s|$)")
_AT_END = re.compile(rf"\s({_LIST})([.;:!?]?)$")
_LOOK_BACK = 60  # characters
_PLAIN_DIGITS = str.maketrans(_RAISED_DIGITS + "⁻˒", "0123456789-,")
_LENGTHS = frozenset("m mm cm dm km nm s min h kg l ml dl".split())
_ABBREVIATIONS = frozenset("no nos fig figs vs approx ca e.g i.e dr eq ref tab vol ch p pp cf".split())
_TAKES_NUMBER = frozenset(
    "a about above add after age aged all almost an and another approximately are arm around as at axis be before below between "
    "by caspase category chapter class cohort complement component course criterion cycle day days dimension domain dose "
    "during each element equal equals every exceed exceeds factor figure first fewer for from gpa grade greater group has have "
    "hepatitis hour hours in interferon interleukin is item least less level levels line minus model module month months more "
    "most nearly no number of omega on only option or order over part per phase plus point points protocol question range ratio "
    "roughly round scale scenario score scores section sector segment stage stages step steps study subtype table than "
    "the then through tier time times to total trial type types under unit units until up version visit vitamin was wave "
    "week weeks were when with within year years zone x iu mg mcg g kg ml l mmol mol".split()
)


@dataclass(frozen=True, slots=True)
class Cited:
    """A sentence without its citations, the numbers it cites in order, and what was changed, for the editor."""

    text: str
    refs: tuple[int, ...]
    changes: tuple[str, ...] = ()


def cite(text: str, count: int, *, bare: bool) -> list[Cited]:
    """Return the sentences of ``text``; ``count`` is the length of the reference list, ``bare`` whether bare numbers can cite.

    >>> [(c.text, c.refs) for c in cite("It eased pain 1, 3. Give 1, 3 mg. Then 4.5 mg daily. 1", 5, bare=True)]
    [('It eased pain.', (1, 3)), ('Give 1, 3 mg.', ()), ('Then 4.5 mg daily.', (1,))]
    """
    marked = _RAISED.sub(lambda found: _mark_raised(found, count), text)
    if bare:
        marked = _AFTER_STOP.sub(lambda found: _mark_after_stop(found, count), marked)
    marked = _MARK_AFTER_STOP.sub(r" \2\1", marked)
    return [_sentence(marked[start:end], count, bare=bare) for start, end in split(marked)]


def has_marked_citations(text: str, count: int) -> bool:
    """Tell whether a page marks its citations with brackets or raised figures, so that bare numbers are numbers."""
    return any(_numbers(found[1], count) for found in _BRACKETED.finditer(text)) or any(
        _mark_raised(found, count) != found.group() for found in _RAISED.finditer(text)
    )


def _numbers(found: str, count: int) -> tuple[int, ...]:
    """Return the numbers of a list, ranges filled in; none when one has no entry."""
    out: list[int] = []
    for part in re.split(r"\s?[,;]\s?", found):
        first, *rest = (int(n) for n in re.split(r"\s?[–-]\s?", part))
        last = rest[-1] if rest else first
        if not 1 <= first <= last <= count:
            return ()
        out += range(first, last + 1)
    return tuple(dict.fromkeys(out))


def _mark(numbers: tuple[int, ...]) -> str:
    return f" [{', '.join(map(str, numbers))}]"


def _mark_raised(found: re.Match[str], count: int) -> str:
    """An exponent (m², 10⁶) is no citation."""
    before = _word_before(found.string, found.start())
    numbers = _numbers(found[1].translate(_PLAIN_DIGITS), count)
    unit = re.split(r"[/·\s]", before)[-1].lower() in _LENGTHS
    return _mark(numbers) if numbers and not unit else found.group()


def _mark_after_stop(found: re.Match[str], count: int) -> str:
    word = _word_before(found.string, found.start() - 1)
    numbers = _numbers(found[1], count)
    rises = list(numbers) == sorted(numbers)
    return _mark(numbers) if numbers and rises and word.lower() not in _ABBREVIATIONS else found.group()


def _word_before(text: str, end: int) -> str:
    words = text[max(0, end - _LOOK_BACK) : end].split()
    return words[-1].lstrip('("“') if words else ""


def _sentence(text: str, count: int, *, bare: bool) -> Cited:
    marked, changes = _mark_at_end(text, count) if bare else (text, ())
    refs: list[int] = []
    pieces: list[str] = []
    notes = list(changes)
    at = 0
    for found in _BRACKETED.finditer(marked):
        numbers = _numbers(found[1], count)
        ends = found.end() == len(marked)
        if not ends and _is_interval(marked, found):
            continue
        refs += numbers
        if numbers or ends:
            pieces.append(marked[at : found.start()])
            at = found.end()
        if not numbers:
            notes.append(f"[{found[1]}] has no entry, {'taken out' if ends else 'left as text'}: {_shortened(text)}")
    shown = one_line(re.sub(r"\s+([.,;:!?])", r"\1", "".join([*pieces, marked[at:]])))
    cited = tuple(dict.fromkeys(refs))
    if cited:
        notes.append(f"{_shortened(text)} -> cites {list(cited)}")
    return Cited(shown, cited, tuple(notes))


def _is_interval(text: str, found: re.Match[str]) -> bool:
    """Tell "1.6 [1, 4]", a range, from a citation."""
    return not found[1].isdigit() and text[: found.start()][-1:].isdigit()


def _mark_at_end(text: str, count: int) -> tuple[str, tuple[str, ...]]:
    """Put bare numbers that end the sentence into brackets, or say that they were left."""
    found = _AT_END.search(text)
    numbers = _numbers(found[1], count) if found else ()
    if not found or not numbers:
        return text, ()
    if _can_cite(_word_before(text, found.start()), numbers):
        return f"{text[: found.start()]}{_mark(numbers)}{found[2]}", ()
    return text, (f"left as text, mark it by hand if it is a citation: {_shortened(text)}",)


def _can_cite(word: str, numbers: tuple[int, ...]) -> bool:
    """Tell whether the word before bare numbers ends a clause; after short forms (CD 4, TLR 4) the number is part of the name."""
    if list(numbers) != sorted(numbers) or not word or not (word[-1].isalpha() or word[-1] in ')”"%'):
        return False
    plain = word.strip('()”"').lower()
    return plain not in _TAKES_NUMBER and not (word.isupper() and len(numbers) == 1)


def _shortened(text: str) -> str:
    return text if len(text) <= _LOOK_BACK * 2 else f"... {text[-_LOOK_BACK * 2 :]}"
