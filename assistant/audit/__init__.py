"""Article + documents -> Audit: each line held against the works it cites and against those that say otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant import attributes
from assistant.attributes import GROUPS, Statement
from assistant.errors import UnknownArticleError
from assistant.lexicon import condition_groups, known_words, nouns
from assistant.lexicon.concepts import Concept, Reading, Wording, concepts
from assistant.records import Document, Unit
from assistant.search import lead_and_text, subjects, topic
from assistant.sources import (
    Stated,
    basis_year,
    cited,
    contradictions,
    figures_in,
    is_own_word,
    origin,
    self_cited,
    strength,
    works_of,
    year_of,
)
from assistant.text.words import normalise

MOST_WORKS = 3  # named in one finding
_STRONG = ("guideline", "meta-analysis", "systematic-review", "rct")
_RELATIVE = re.compile(r"\b(?:recent(?:ly)?|currently|nowadays|newly|soon|so far|to date|latest)\b")
_STATES = {
    "retracted": ("error", "was retracted: take the citation out, and what rests on it."),
    "concern": ("error", "is under an expression of concern: look at it again."),
    "corrected": ("warning", "has a published correction: see whether the line still fits."),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What an editor should look at: ``grade`` is error, warning or note; ``works`` are ids of documents."""

    grade: str
    kind: str
    text: str
    works: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence or item of the article, the numbers it cites, and what was found."""

    n: int
    section: str
    anchor: str | None
    text: str
    cites: tuple[int, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """An article's lines, and what was found of its list of references as a whole."""

    article: str
    title: str
    lines: tuple[Line, ...]
    references: tuple[Finding, ...]

    @property
    def findings(self) -> list[Finding]:
        """All findings, those of the references first."""
        return [*self.references, *(finding for line in self.lines for finding in line.findings)]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.grade == "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Case:
    """A line with all that the rules look at.

    ``works`` are those cited that the corpus holds, ``others`` the rest of the scope; ``against`` pairs the line's statements
    with those of other units that contradict them.
    """

    article: Document
    unit: Unit
    text: str
    cites: tuple[int, ...]
    works: Sequence[Document]
    others: Sequence[Document]
    against: Sequence[tuple[Statement, Sequence[Stated]]]
    documents: Mapping[str, Document]

    @property
    def readable(self) -> list[Document]:
        """The cited works whose text can be looked at."""
        return [work for work in self.works if work.text]


def audit(article: str, documents: Mapping[str, Document]) -> Audit:
    """Hold an article against the works it names.

    Raises:
        UnknownArticleError: no article has this id.
    """
    document = documents.get(article)
    if document is None or document.page is None:
        known = ", ".join(name for name, found in documents.items() if found.page is not None)
        raise UnknownArticleError(f"No article has the id {article[:80]!r}. Articles that exist: {known or 'none'}.")
    against = _against(document, documents)
    lines = [_line(n, _case(document, unit, against.get(unit.start, []), documents)) for n, unit in _claims(document)]
    return Audit(document.id, document.title, tuple(lines), tuple(_references(document, documents)))


def _claims(document: Document) -> list[tuple[int, Unit]]:
    """Return the units that state something, numbered from 1: all but the lead-ins of lists."""
    stating = [unit for unit in document.units if not document.text[unit.start : unit.end].endswith(":")]
    return list(enumerate(stating, 1))


def _scope(document: Document, documents: Mapping[str, Document]) -> list[Document]:
    page = document.page
    named = dict.fromkeys((*(work.ref for work in page.references), *page.related)) if page is not None else {}
    return [documents[name] for name in named if name in documents]


def _against(document: Document, documents: Mapping[str, Document]) -> dict[int, list[tuple[Statement, Sequence[Stated]]]]:
    """Return start of a unit -> its statements that others in the scope, or the article itself, contradict."""
    sources = [document, *(work for work in _scope(document, documents) if work.may_support)]
    stated = {source.id: attributes.statements(source) for source in sources}
    out: dict[int, list[tuple[Statement, Sequence[Stated]]]] = {}
    for (where, one), others in contradictions(stated, documents):
        if where.id == document.id and not (one.kind == "interactions" and one.polarity > 0):
            out.setdefault(one.unit.start, []).append((one, others))
    return out


def _case(
    article: Document,
    unit: Unit,
    against: Sequence[tuple[Statement, Sequence[Stated]]],
    documents: Mapping[str, Document],
) -> _Case:
    cites = tuple(cited(article, unit))
    works = works_of(article, cites, documents)
    others = [work for work in _scope(article, documents) if work not in works and work.source is not None]
    return _Case(article, unit, article.text[unit.start : unit.end], cites, works, others, against, documents)


def _line(n: int, case: _Case) -> Line:
    found = [finding for rule in _RULES for finding in rule(case)]
    section = " > ".join(case.unit.heading)
    return Line(n, section, case.unit.anchor, lead_and_text(case.article, case.unit), case.cites, tuple(found))


# -- rules of a line ----------------------------------------------------------------------------------------------------


def _uncited(case: _Case) -> Iterator[Finding]:
    if not case.cites:
        yield Finding("warning", "uncited", "The line cites nothing.")


def _only_own_word(case: _Case) -> Iterator[Finding]:
    if self_cited([work.source for work in case.works if work.source is not None]):
        yield Finding("warning", "self-citation", "The line cites only the publisher's own overview.", _ids(case.works))


def _without_text(case: _Case) -> Iterator[Finding]:
    silent = [work for work in case.works if not work.text]
    if silent:
        grade = "note" if case.readable else "warning"
        yield Finding(grade, "no-text", f"Cannot be checked: the collection has no text of {_named(silent)}.", _ids(silent))


def _figures(case: _Case) -> Iterator[Finding]:
    """Figures of the line that no cited text holds: in another work (a misplaced citation?), or nowhere."""
    lost = figures_in(case.text) - _figures_of(case.readable) if case.readable else frozenset[str]()
    for figure in sorted(lost, key=lambda text: float(text.split()[0])):
        holders = [work for work in case.others if figure in _figures_of([work])]
        where = f"; the same figure is in {_named(holders)}" if holders else ", nor in any other work of the collection"
        kind = "misplaced" if holders else "figure-not-found"
        text = f"{figure} does not stand in the text of {_named(case.readable)}{where}."
        yield Finding("warning", kind, text, _ids(holders))


def _figures_of(works: Iterable[Document]) -> frozenset[str]:
    return frozenset[str]().union(*(_figures_read(work.title, work.text) for work in works))


@lru_cache(maxsize=1024)
def _figures_read(title: str, text: str) -> frozenset[str]:
    return figures_in(f"{title}. {text}")


def _terms(case: _Case) -> Iterator[Finding]:
    """Drugs, conditions and populations of the line that no cited text names."""
    readings = [_reading(work) for work in case.readable]
    for concept in _terms_of(case) if readings else ():
        if not any(concept.met_by(reading) for reading in readings):
            holders = [work for work in case.others if concept.met_by(_reading(work))]
            where = f"; {_named(holders)} does" if holders else ""
            text = f"The text of {_named(case.readable)} does not name {concept.text}{where}."
            yield Finding("warning", "misplaced" if holders else "term-not-found", text, _ids(holders))


def _terms_of(case: _Case) -> list[Concept]:
    """Return the specific things a line is about, but what the whole article is about."""
    page = case.article.page
    known = topic(case.article) | (subjects(case.article.title, page.question) if page is not None else frozenset())
    return [concept for concept in concepts(Wording.of(case.text), ()) if _is_specific(concept) and concept.text not in known]


def _is_specific(concept: Concept) -> bool:
    """Tell whether a concept is a drug, a population or a reviewed condition; others may be everyday words ("harm")."""
    if concept.kind in ("drug", *GROUPS):
        return True
    return concept.covers in condition_groups() and all(w in known_words() or w in nouns() for w in concept.text.split())


def _reading(work: Document) -> Reading:
    return _read(work.title, work.text)


@lru_cache(maxsize=1024)
def _read(title: str, text: str) -> Reading:
    return Reading.of(f"{title} . {text}")


def _supported(case: _Case) -> Iterator[Finding]:
    """All that can be looked up stands in what is cited."""
    asked = bool(figures_in(case.text) or _terms_of(case))
    if case.readable and asked and not any([*_figures(case), *_terms(case)]):
        text = f"Its figures and terms stand in {_named(case.readable)}."
        yield Finding("note", "supported", text, _ids(case.readable))


def _candidates(case: _Case) -> Iterator[Finding]:
    """Works that hold the figures and terms of a line for which nothing that can be read is cited."""
    figures, terms = figures_in(case.text), _terms_of(case)
    if case.readable or not terms or len(figures) + len(terms) < 2:  # noqa: PLR2004 - one word alone is in many works
        return
    fitting = [
        work
        for work in case.others
        if work.may_support and figures <= _figures_of([work]) and all(term.met_by(_reading(work)) for term in terms)
    ]
    if fitting:
        yield Finding("note", "could-cite", f"Its figures and terms stand in {_named(fitting)}.", _ids(fitting))


def _contradicted(case: _Case) -> Iterator[Finding]:
    """What another work, or another line, states instead; an error where it is the cited work itself."""
    for one, others in case.against:
        sources = [document for document, _ in others]
        own = [document for document in sources if document in case.works]
        said = "; ".join(_said(document, other, case.article) for document, other in others[:MOST_WORKS])
        grade, kind = ("error", "misquoted") if own else ("warning", "contradicted")
        yield Finding(grade, kind, f"On {attributes.label(one)}: {said}", _ids(sources))


def _said(document: Document, statement: Statement, article: Document) -> str:
    text = document.text[statement.unit.start : statement.unit.end]
    return f"{'this article' if document.id == article.id else _name(document)}: “{text}”"


def _newer(case: _Case) -> Iterator[Finding]:
    """Works that disagree and came out after what the line rests on."""
    year = basis_year(case.article, case.unit, case.documents)
    found = [document for _, others in case.against for document, _ in others if not is_own_word(document)]
    newer = [document for document in dict.fromkeys(found) if year and (year_of(document) or 0) > year]
    if newer:
        yield Finding(
            "warning", "newer", f"Newer than what the line rests on ({year}), and otherwise: {_named(newer)}.", _ids(newer)
        )


def _second_hand(case: _Case) -> Iterator[Finding]:
    found = origin(case.article, case.unit, case.documents)
    if found is not None and found[0] == "second-hand" and case.readable:
        yield Finding("warning", "second-hand", found[1], _ids(case.works))


def _disputed(case: _Case) -> Iterator[Finding]:
    """What the editors themselves wrote down."""
    for dispute in case.article.page.disputed if case.article.page is not None else ():
        if case.unit.anchor == dispute.line:
            yield Finding("note", "disputed", dispute.note, dispute.by)


def _relative(case: _Case) -> Iterator[Finding]:
    if match := _RELATIVE.search(normalise(case.text).lower()):
        yield Finding("note", "relative-time", f"“{match[0]}” ages: give the date.")


_RULES: tuple[Callable[[_Case], Iterator[Finding]], ...] = (
    _contradicted,
    _newer,
    _second_hand,
    _figures,
    _terms,
    _only_own_word,
    _without_text,
    _uncited,
    _relative,
    _disputed,
    _candidates,
    _supported,
)


# -- rules of the references --------------------------------------------------------------------------------------------


def _references(article: Document, documents: Mapping[str, Document]) -> Iterator[Finding]:
    works = works_of(article, [work.n for work in article.page.references], documents) if article.page is not None else []
    for work in works:
        if work.source is not None and work.source.retraction.state in _STATES:
            grade, text = _STATES[work.source.retraction.state]
            yield Finding(grade, work.source.retraction.state, f"{_name(work)} {text}", (work.id,))
    yield from _passed_over(article, works, documents)


def _passed_over(article: Document, works: Sequence[Document], documents: Mapping[str, Document]) -> Iterator[Finding]:
    """Strong works of the collection that are newer than all independent works the article cites, and that it does not cite."""
    years = [year_of(work) or 0 for work in works if not is_own_word(work)]
    newest = max(years, default=0)
    related = [work for work in _scope(article, documents) if work not in works and work.may_support]
    for work in sorted(related, key=strength):
        strong = work.source is not None and work.source.evidence_level in _STRONG
        if strong and newest and (year_of(work) or 0) > newest:
            verdict = f", which is {work.source.verdict}" if work.source is not None and work.source.verdict else ""
            text = f"Not cited, though newer than all independent works that are ({newest}): {_name(work)}{verdict}."
            yield Finding("warning", "not-cited", text, (work.id,))


# -- words --------------------------------------------------------------------------------------------------------------


def _name(work: Document) -> str:
    year = year_of(work)
    return f"{work.id} ({year})" if year and str(year) not in work.id else work.id


def _named(works: Sequence[Document]) -> str:
    more = f" and {len(works) - MOST_WORKS} more" if len(works) > MOST_WORKS else ""
    return ", ".join(_name(work) for work in works[:MOST_WORKS]) + more


def _ids(works: Iterable[Document]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(work.id for work in works))
