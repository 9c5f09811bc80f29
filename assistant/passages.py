"""Document -> list[Passage]: units packed under one heading, and the texts that are indexed for a passage or a unit.

Every unit stands in exactly one passage: without overlap a sentence is counted once by BM25 and quoted from one place. What a
cut would lose, the lead-in of a list, is put back in front of the indexed text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from assistant.records import Document, Passage, Unit

Count = Callable[[str], int]

PACKED = 180  # tokens of content
BOUND = 254  # tokens with heading: the encoder reads 256, two of them its own marks
_PREFIX_WORDS = 16  # about 24 tokens
_INITIALS = re.compile(r"(?:,.*| [A-Z]{1,4})$")
_NAMED_AUTHORS = 3
_FINDINGS = re.compile(r"(?:main )?(?:results?|findings?)\b", re.IGNORECASE)
_ENDINGS = re.compile(r"(?:conclusions?|interpretation|discussion|implications|authors['’] conclusions)\b", re.IGNORECASE)


def estimate(text: str) -> int:
    """Return about how many tokens a text has, for lists and checks without a tokenizer."""
    return sum(1 + len(found) // 8 for found in re.findall(r"\w+|[^\w\s]", text))


def split(document: Document, count: Count) -> list[Passage]:
    """Return the passages in order; ``count`` gives a text's tokens without special ones.

    At most PACKED tokens each, and never across headings, but an abstract that fits stays whole, and one that does not keeps
    its labels in three groups. A single unit above the bound is a passage of its own.
    """
    if not document.units:
        return []
    if document.source is not None and count(document.text) <= PACKED:
        runs: Iterable[tuple[Unit, ...]] = [document.units]
    else:
        runs = (run for section in _sections(document) for run in _packed(document, section, count))
    return [_passage(document, run, n) for n, run in enumerate(runs, 1)]


def units_in(document: Document, passage: Passage) -> tuple[Unit, ...]:
    """Return the units of ``document`` that ``passage`` holds."""
    first = bisect_left(document.units, passage.start, key=lambda unit: unit.start)
    return document.units[first : bisect_left(document.units, passage.end, key=lambda unit: unit.start)]


def ranked_text(document: Document, passage: Passage) -> str:
    """Return what BM25 reads of a passage: title, heading, text."""
    return f"{document.title}\n{embedded_text(document, passage)}"


def embedded_text(document: Document, passage: Passage) -> str:
    """Return what the encoder reads of a passage: heading, the lead-in of a list that was cut, text."""
    parts = [_prefix(passage.heading), _cut_lead(document, units_in(document, passage)), passage.text]
    return "\n".join(part for part in parts if part)


def unit_text(document: Document, unit: Unit) -> str:
    """Return what BM25 reads of a unit: heading, lead-in, the unit itself."""
    lead = document.text[slice(*unit.lead)] if unit.lead else ""
    return "\n".join(part for part in (_prefix(unit.heading), lead, document.text[unit.start : unit.end]) if part)


def _prefix(heading: tuple[str, ...]) -> str:
    """Return the heading path; a long one loses its upper headings first, then its last words."""
    words = " / ".join(heading).split()
    return " ".join(words if len(words) <= _PREFIX_WORDS else heading[-1].split()[:_PREFIX_WORDS])


def _cut_lead(document: Document, run: tuple[Unit, ...]) -> str:
    """Return the lead-in of the run's first unit when it stands before the run."""
    lead = run[0].lead
    return document.text[slice(*lead)] if lead and lead[0] < run[0].start else ""


def _sections(document: Document) -> Iterator[tuple[Unit, ...]]:
    """Yield the units that may share a passage."""
    key = _label_group if document.source is not None else _heading
    for _, units in groupby(document.units, key):
        yield tuple(units)


def _heading(unit: Unit) -> tuple[str, ...]:
    return unit.heading


def _label_group(unit: Unit) -> str:
    """Return the part of an abstract: what was asked and done, what was found, what it means."""
    label = unit.heading[0] if unit.heading else ""
    if _FINDINGS.match(label):
        return "results"
    return "conclusions" if _ENDINGS.match(label) else "methods"


def _packed(document: Document, section: tuple[Unit, ...], count: Count) -> Iterator[tuple[Unit, ...]]:
    """Cut a section after the last unit that fits, again and again."""
    bound = min(PACKED, BOUND - count(_prefix(section[0].heading)))
    run: tuple[Unit, ...] = ()
    for unit in section:
        longer = (*run, unit)
        content = f"{_cut_lead(document, longer)} {document.text[longer[0].start : unit.end]}"
        if run and count(content) > bound:
            yield run
            longer = (unit,)
        run = longer
    yield run


def _passage(document: Document, run: tuple[Unit, ...], n: int) -> Passage:
    start = _with_label(document, run[0]) if document.source is not None else run[0].start
    end = run[-1].end
    return Passage(
        id=f"{document.id}#{n}",
        document=document.id,
        heading=() if start < run[0].start else run[0].heading,
        text=document.text[start:end],
        start=start,
        end=end,
        refs=tuple(dict.fromkeys(ref for unit in run for ref in unit.refs)),
    )


def _with_label(document: Document, unit: Unit) -> int:
    """Return where the heading lines right above ``unit`` begin, so that an abstract's label stays in its passage."""
    n = bisect_left(document.units, unit.start, key=lambda other: other.start)
    before = document.units[n - 1].end if n else 0
    gap = document.text[before : unit.start]
    return before + len(gap) - len(gap.lstrip())


def surnames(document: Document) -> list[str]:
    """Return the surnames of a work's first authors, as they are written."""
    authors = document.source.authors if document.source is not None else ()
    return [_INITIALS.sub("", author) for author in authors[:_NAMED_AUTHORS]]


def bibliography(document: Document) -> str:
    """Return the words by which readers ask for a work: first authors' surnames, journal, year, design and verdict."""
    source = document.source
    if source is None:
        return ""
    known = [*surnames(document), source.journal, source.year, source.design, source.verdict]
    return " ".join(str(part) for part in known if part)
