"""Document, documents -> how its lines stand to the sources: what a line cites, who contradicts it, whether it is first-hand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from assistant.answers import EVIDENCE
from assistant.attributes import Statement, compared_on, disagree
from assistant.records import Document, Source, Unit
from assistant.text.words import normalise

Stated = tuple[Document, Statement]
Origin = tuple[str, str]  # kind of notice, text

_OWN_WORD = ("house-overview", "article")  # of the publisher: weaker than any independent source
_SECONDARY = frozenset(("review", "guideline", "opinion", "monograph"))
_ANOTHER_STUDY = re.compile(
    r"\bet al\b|"
    r"\b(?:cohort|trial|study|series|survey)\b[^.;]{0,60}?\b(?:found|showed|reported|compared|gave|concluded|observed)\b|"
    r"\b(?:in|according to) (?:that|one|an?|the [\w-]+) (?:[\w-]+ ){0,4}?(?:trial|study|cohort)\b"
)
_OWN_STUDY = re.compile(
    r"\b(?:this|our|present|current|these) (?:[\w-]+ ){0,4}?(?:cohort|trial|study|series|survey|trials|studies)\b"
)
_FIGURE = re.compile(
    r"(?<![\w.])(\d+(?:\.\d+)?)(?: ?(?:to|-|and|or) ?(\d+(?:\.\d+)?))?"
    r"(?: ?(mg|mcg|g|%|ml|hour|day|week|month|year)(?:s?\b|(?<=%)))?"
)


def cited(document: Document, unit: Unit) -> list[int]:
    """Return the numbers that a line of an article cites; a citation of the lead-in covers the items below it."""
    lead = (u.refs for u in document.units if unit.lead and (u.start, u.end) == unit.lead)
    return list(unit.refs or next(lead, ()))


def works_of(document: Document, numbers: Iterable[int], documents: Mapping[str, Document]) -> list[Document]:
    """Return the works that stand under these numbers in an article's list, those that the corpus holds."""
    listed = {work.n: work.ref for work in document.page.references} if document.page is not None else {}
    return [documents[listed[n]] for n in numbers if listed.get(n) in documents]


def year_of(document: Document) -> int | None:
    """Return the year of a work, or that in which an article was last updated."""
    if document.source is not None:
        return document.source.year
    updated = document.page.last_updated if document.page is not None else None
    return int(updated[:4]) if updated else None


def basis_year(document: Document, unit: Unit, documents: Mapping[str, Document]) -> int | None:
    """Return the year of what a line rests on: the newest work it cites that is not the publisher's own, else its document's."""
    works = works_of(document, cited(document, unit), documents)
    years = [w.source.year for w in works if w.source is not None and w.source.year and w.source.evidence_level not in _OWN_WORD]
    return max(years) if years else year_of(document)


def figures_in(text: str) -> frozenset[str]:
    """Return the numbers of a text, each with its unit, as they are compared; a range gives both its ends.

    >>> sorted(figures_in("TLR4, 1,200 patients, 1·5–4·5mg, 8 to 12 weeks, 32%"))
    ['1.5 mg', '12 week', '1200', '32 %', '4.5 mg', '8 week']
    """
    found = _FIGURE.findall(normalise(text).lower())
    return frozenset(f"{n} {unit}".strip() for low, high, unit in found for n in (low, high) if n)


def contradictions(
    stated: Mapping[str, Sequence[Statement]], documents: Mapping[str, Document]
) -> Iterator[tuple[Stated, list[Stated]]]:
    """Yield each statement that others contradict, with those others: strongest evidence and newest first, one of each work.

    Within one document only "no interactions" against a warning counts: its figures may hold for different cases.
    """
    by_subject: dict[tuple[str, str], list[Stated]] = defaultdict(list)
    for name, found in stated.items():
        for statement in found:
            by_subject[compared_on(statement)].append((documents[name], statement))
    for alike in by_subject.values():
        for one in alike:
            against: dict[str, Stated] = {}
            for other in alike:
                apart = other[0].id != one[0].id or one[1].kind == "interactions"
                if apart and disagree(one[1], other[1]):
                    against.setdefault(other[0].id, other)
            if against:
                yield one, sorted(against.values(), key=lambda side: strength(side[0]))


def strength(document: Document) -> tuple[bool, int, int, str]:
    """Return a key that puts independent, strong and new evidence first."""
    level = document.source.evidence_level if document.source is not None else "article"
    return level in _OWN_WORD, list(EVIDENCE).index(level), -(year_of(document) or 0), document.id


def origin(document: Document, unit: Unit, documents: Mapping[str, Document]) -> Origin | None:
    """Return the notice that a unit calls for, as it is not first-hand or nobody's word but the publisher's; or None."""
    low = normalise(document.text[unit.start : unit.end]).lower()
    another = bool(_ANOTHER_STUDY.search(low)) and not _OWN_STUDY.search(low)
    if document.source is None:
        return _of_article(document, unit, documents, another=another)
    level = document.source.evidence_level
    if level == "house-overview":
        return "self-published", "What is quoted here is the publisher's own overview, not independent evidence."
    if another and level in _SECONDARY:
        return (
            "second-hand",
            f"The work quoted here ({EVIDENCE[level].lower()}) reports another study; it is not that study's report.",
        )
    return None


def _of_article(document: Document, unit: Unit, documents: Mapping[str, Document], *, another: bool) -> Origin | None:
    works = works_of(document, cited(document, unit), documents)
    sources = [work.source for work in works if work.source is not None]
    if not sources:
        return None
    if self_cited(sources):
        return "self-published", "For this line the article cites only its publisher's own overview, no independent source."
    figures = figures_in(document.text[unit.start : unit.end])
    named = " and ".join(f"“{work.title}”" for work in works)
    if figures and all(source.abstract_kind == "none" for source in sources):
        return "second-hand", f"Reported by the article, which cites {named}; the text of that work is not in the collection."
    if another and figures - frozenset[str]().union(*(figures_in(work.text) for work in works)):
        return (
            "second-hand",
            f"Reported by the article, which cites {named}; what the collection holds of it lacks these figures.",
        )
    return None


def is_own_word(document: Document) -> bool:
    """Tell whether a document is the publisher's own: an article, or its overview."""
    return document.source is None or document.source.evidence_level in _OWN_WORD


def self_cited(sources: Sequence[Source]) -> bool:
    """Tell whether all that is cited is the publisher's own."""
    return bool(sources) and all(source.evidence_level in _OWN_WORD for source in sources)
