"""Question + list[Claim] -> list[Notice]: what must be said beside an answer, each with its own citation.

All that takes reading is prepared with the index (``tables``): an answer only looks its sentences up.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from assistant import attributes
from assistant.answers import EVIDENCE, STATUS, support_of
from assistant.attributes import GROUPS, Statement
from assistant.citations import quote
from assistant.lexicon import is_drug
from assistant.lexicon.concepts import Reading, Wording, intents_of
from assistant.records import Claim, Document, Hit, Notice, Query, Support, Unit
from assistant.search import Question, Retriever, drug_of, lead_and_text, view
from assistant.sources import basis_year, contradictions, is_own_word, origin, strength, works_of, year_of
from assistant.text.words import normalise, words

MAX_CAUTIONS = 3
MAX_SUGGESTIONS = 3
MAX_SIDES = 3
_SAME = 0.001  # of two logarithms
_DOSED = frozenset(("dose", "start", "maximum", "titration"))
_GRAVE = _DOSED | {"interaction", "contraindication"}
# Intents by which a disagreement matters beside a further sentence.
_ASKED_BY = {
    "start": frozenset(("start", "titration", "comparison")),
    "step": frozenset(("titration", "comparison")),
    "maximum": frozenset(("maximum", "titration", "comparison")),
    "effect": frozenset(("efficacy", "comparison", "selection")),
    "interactions": frozenset(("interaction", "contraindication", "side-effects")),
}
# Who asks for a number of patients, a date or a mechanism gets no warning, whatever else the question names.
_QUIET = frozenset(("count", "date", "mechanism"))
_CAUTION = re.compile(
    r"contraindicat|do not (?:use|take|give|start|combine)|must not|should not|should never|never (?:be|take|use|give)|\bavoid|"
    r"not recommended|precipitat|boxed warning|before (?:starting|start)|(?:discontinue|stop)\w*\b[^.;]{0,40}?\bbefore|"
    r"opioid-free|not be (?:used|given|taken)|withdrawal|life-threatening|fatal|with caution|caution is|"
    r"(?:^|[.:;,] )(?:stop|withhold|hold|discontinue|interrupt) (?!rates?\b|rules?\b)[^.;]{1,60}?"
    r"\b(?:if|when|at the first|at once|until|in case)\b"
)
_STRONG_CAUTION = re.compile(r"contraindicat|do not|must not|never|precipitat|should not")
_OFF_LABEL = re.compile(
    r"off-label|not (?:fda-)?approved|unlicensed|outside (?:its|the) licence|has not approved|"
    r"no (?:regulator|agency) has approved"
)
_REFERENCE = re.compile(r"(?:\[|\breference |\bref )(\d{1,3})\b")
_RETRACTION_ASKED = re.compile(r"\bretract|\bexpression of concern|\bwithdrawn (?:paper|article|study|trial)")
_STATES = {
    "retracted": "was retracted",
    "concern": "is under an expression of concern",
    "corrected": "has a published correction",
    "none": "was not retracted when that was checked",
    "unknown": "was not checked for a retraction",
}
_SIDES = {
    ("effect", 1): "a benefit",
    ("effect", -1): "no clear benefit",
    ("interactions", 1): "a warning",
    ("interactions", -1): "none that matter",
}

Row = Sequence[Any]  # of a table that went through JSON


@lru_cache(maxsize=4096)
def _reading(text: str) -> Reading:
    return Reading.of(text)


# -- what is prepared with the index ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning as it is chosen: its words, the drugs it names, those words and its work's title, and whether it forbids."""

    support: Support
    text: str
    reading: Reading
    drugs: frozenset[str]
    names: frozenset[str]
    strong: bool


@dataclass(frozen=True, slots=True)
class Companions:
    """What was prepared when the index was built.

    Warnings by document; questions by article that it answers; by passage and article, what others state in place of a unit; by
    passage, the units that are not first-hand; doses in mg by document; ids of the retracted works.
    """

    cautions: Mapping[str, Sequence[Row]]
    suggestions: Mapping[str, Sequence[tuple[str, str]]]
    contradicted: Mapping[str, Mapping[str, Sequence[Row]]] = field(default_factory=dict)
    origins: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    doses: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    retracted: Sequence[str] = ()

    def warnings(self, retriever: Retriever, documents: Sequence[str]) -> list[Warned]:
        """Return the warnings of the documents, in order."""
        rows = [row for document in documents for row in self.cautions.get(document, ())]
        return [_warned(_at(retriever, *row), retriever.documents) for row in rows]

    def against(self, place: Support, article: str | None) -> list[Row]:
        """Return what others in the scope of an article (None: of any) state in place of a unit: rows of ``tables``."""
        found = self.contradicted.get(place.passage.id, {})
        rows = found.get(article, ()) if article is not None else [row for name in sorted(found) for row in found[name]]
        return [row for row in rows if row[0] == place.start]


def _at(retriever: Retriever, passage: str, n: int) -> Support:
    """Return the place of a unit, by the id of its passage and its number in it."""
    unit = retriever.units(passage)[n]
    found = next(p for p in retriever.passages(passage.rpartition("#")[0]) if p.id == passage)
    return Support(found, unit.start, unit.end, unit.lead)


def _warned(support: Support, documents: Mapping[str, Document]) -> Warned:
    text = quote(documents[support.passage.document], support)
    own = frozenset(words(text))
    names = own | frozenset(words(documents[support.passage.document].title))
    drugs = frozenset(word for word in own if is_drug(word))
    return Warned(support, text, Reading.of(text), drugs, names, bool(_STRONG_CAUTION.search(text.lower())))


def tables(retriever: Retriever) -> dict[str, Any]:
    """Return what ``Companions`` is built from, but the suggestions: plain lists that can be stored."""
    documents = [retriever.documents[name] for name in sorted(retriever.documents)]
    cautions = {document.id: caution_rows(retriever, document) for document in documents}
    doses = {d.id: _doses(d.text, next(iter(attributes.drugs(d.title.lower())), "")) for d in documents if d.may_support}
    return {
        "cautions": {name: rows for name, rows in cautions.items() if rows},
        "contradicted": _contradicted(retriever, documents),
        "origins": dict(_origins(retriever, documents)),
        "doses": {name: [[drug, low, high] for drug, (low, high), _ in found] for name, found in doses.items() if found},
        "retracted": [d.id for d in documents if d.source is not None and d.source.retraction.state == "retracted"],
    }


def _doses(text: str, subject: str = "") -> list[tuple[str, attributes.Range, str]]:
    return attributes.doses(normalise(text).lower(), subject)


def is_caution(text: str) -> bool:
    """Tell whether a sentence warns."""
    return bool(_CAUTION.search(normalise(text).lower()))


def caution_rows(retriever: Retriever, document: Document) -> list[list[object]]:
    """Return [passage id, number of the unit in it] of every warning of a document: what ``Companions`` is read from."""
    return [
        [passage, n]
        for passage, n, unit in _places(retriever, document.id)
        if not document.text[unit.start : unit.end].endswith(":") and is_caution(lead_and_text(document, unit))
    ]


def _places(retriever: Retriever, document: str) -> Iterator[tuple[str, int, Unit]]:
    for passage in retriever.passages(document):
        for n, unit in enumerate(retriever.units(passage.id)):
            yield passage.id, n, unit


def _contradicted(retriever: Retriever, documents: Sequence[Document]) -> dict[str, dict[str, list[Row]]]:
    """Return passage -> article -> rows: start of a unit, year it rests on, kind, subject, what it says, other sides."""
    stated = {d.id: found for d in documents if d.may_support and (found := attributes.statements(d))}
    places = {name: {unit.start: (passage, n) for passage, n, unit in _places(retriever, name)} for name in stated}
    out: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for article in (d for d in documents if d.page is not None):
        scope = {name: stated[name] for name in sorted(retriever.scope(article.id)) if name in stated}
        for (document, one), others in contradictions(scope, retriever.documents):
            if one.kind == "interactions" and one.polarity > 0:  # a warning is not weakened by who does not warn
                continue
            passage, _ = places[document.id][one.unit.start]
            year = basis_year(document, one.unit, retriever.documents)
            sides = [[*places[d.id][s.unit.start], _said(s)] for d, s in others]
            out[passage][article.id].append([one.unit.start, year, one.kind, attributes.label(one), _said(one), sides])
    return {passage: dict(rows) for passage, rows in out.items()}


def _said(statement: Statement) -> str:
    return statement.said or _SIDES[statement.kind, statement.polarity]


def _origins(retriever: Retriever, documents: Sequence[Document]) -> Iterator[tuple[str, list[Row]]]:
    """Yield passage -> [start, kind of notice, text] of the units that are not first-hand."""
    out: dict[str, list[Row]] = defaultdict(list)
    for document in (d for d in documents if d.may_support):
        for passage, _, unit in _places(retriever, document.id):
            if found := origin(document, unit, retriever.documents):
                out[passage].append([unit.start, *found])
    yield from out.items()


# -- what is said -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """What the notices stand beside: the claims, or the nearest passages where there is none; and all hits."""

    question: Question
    claims: Sequence[Claim]
    nearest: Sequence[Support]
    hits: Sequence[Hit]
    left_out: Sequence[Claim] = ()  # quotes that a language model passed over: what disputes them is still said

    @property
    def supports(self) -> list[Support]:
        """Where the claims stand, or the nearest passages."""
        return [s for claim in self.claims for s in claim.support] or list(self.nearest)


def notices(shown: Shown, companions: Companions, warnings: Sequence[Warned], retriever: Retriever) -> list[Notice]:
    """Return what must be said beside an answer, in a fixed order; ``warnings`` are those of its scope."""
    documents = retriever.documents
    disputed = conflicts([*shown.claims, *shown.left_out], retriever)
    return [
        *premise(shown, companions, retriever),
        *disputed,
        *disagreements(shown, companions, disputed, retriever),
        *cautions(shown, warnings, documents),
        *off_label(shown, documents),
        *populations(shown, documents),
        *origins(shown.claims, companions),
        *standing(shown.supports, documents),
        *retractions(shown, companions, retriever),
    ]


def premise(shown: Shown, companions: Companions, retriever: Retriever) -> list[Notice]:
    """Return that no source gives the dose the reader names, with the dose that is quoted in its place."""
    question = shown.question
    asked = [dose for dose in _doses(question.query.asked) if not dose[0] or dose[0] in question.topic]
    if not asked or not shown.supports:
        return []
    rows = (row for name in retriever.scope(question.query.article) for row in companions.doses.get(name, ()))
    known = [(low, high) for drug, low, high in rows if not drug or not question.topic or drug in question.topic]
    strange = [(value, said) for _, value, said in asked if not any(low <= value[0] and value[1] <= high for low, high in known)]
    quoted = [(s, _doses(quote(retriever.documents[s.passage.document], s))) for s in shown.supports] if strange else []
    near = min((pair for pair in quoted if pair[1]), key=lambda pair: not _tenfold(strange, pair[1]), default=None)
    if near is None:
        return []
    given = " and ".join(dict.fromkeys(said for _, _, said in near[1]))
    said = " or ".join(said for _, said in strange)
    return [Notice("premise", f"No source here gives {said}; the one cited gives {given}.", (near[0],))]


def _tenfold(strange: Sequence[tuple[attributes.Range, str]], given: Sequence[tuple[str, attributes.Range, str]]) -> bool:
    """Tell whether a dose that is given has the digits of a strange one, a slip of the decimal point or of the unit apart."""
    return any(
        abs((power := math.log10(a / b)) - round(power)) < _SAME for (a, _), _ in strange for _, (_, b), _ in given if a and b
    )


def conflicts(claims: Sequence[Claim], retriever: Retriever) -> list[Notice]:
    """Return one notice for each quoted line that other works dispute, citing the line and those works, strongest first."""
    out = []
    for support in dict.fromkeys(s for claim in claims for s in claim.support):
        document = retriever.documents[support.passage.document]
        if document.page is None:
            continue
        anchor = _unit(retriever.documents, support).anchor
        for dispute in document.page.disputed:
            if anchor is not None and dispute.line == anchor:
                against = [found for name in dispute.by if (found := _opening(name, support, retriever)) is not None]
                against.sort(key=lambda found: strength(retriever.documents[found.passage.document]))
                out.append(Notice("conflict", dispute.note, (support, *against)))
    return out


def _opening(name: str, line: Support, retriever: Retriever) -> Support | None:
    """Return the sentence of a work that shares most words with the disputed line; its first one at a tie."""
    if name not in retriever.documents or not retriever.documents[name].may_support:
        return None
    document = retriever.documents[name]
    wanted = _reading(quote(retriever.documents[line.passage.document], line)).known
    found = [(passage, unit) for passage in retriever.passages(name) for unit in retriever.units(passage.id)]
    if not found:
        return None
    passage, unit = max(found, key=lambda pair: len(wanted & view(document, pair[1]).reading.known))
    return Support(passage, unit.start, unit.end, unit.lead)


def disagreements(shown: Shown, companions: Companions, disputed: Sequence[Notice], retriever: Retriever) -> list[Notice]:
    """Return where others state something else than a claim: both sides, no verdict; and that a newer work is among them.

    Of a line that the editors marked as disputed, and of a subject that was spoken of already, the sides are not named again.
    """
    spoken = {notice.support[0] for notice in disputed}
    subjects: set[str] = set()
    asked = {intent.name for intent in shown.question.intents}
    out = [stale for notice in disputed for stale in _newer_than_line(notice.support, retriever.documents)]
    dated = {notice.support[0] for notice in out}
    for n, place in enumerate(claim.support[0] for claim in shown.claims):
        for _, year, kind, about, said, sides in companions.against(place, shown.question.query.article):
            if n and not asked & _ASKED_BY.get(kind, _DOSED):
                continue
            others = [(_at(retriever, passage, at), text) for passage, at, text in sides[:MAX_SIDES]]
            if place not in spoken and about not in subjects:
                out.append(_side_by_side(about, [(place, said), *others], retriever.documents))
            if place not in dated and about not in subjects:
                out.extend(_newer(place, year, about, others, retriever.documents))
            subjects.add(about)
    return out


def _newer_than_line(supports: Sequence[Support], documents: Mapping[str, Document]) -> list[Notice]:
    """Return that a work which disputes a line (the first support) is newer than what the line rests on."""
    line, *works = supports
    year = basis_year(documents[line.passage.document], _unit(documents, line), documents)
    return _newer(line, year, "this", [(work, "") for work in works], documents)


def _side_by_side(about: str, sides: Sequence[tuple[Support, str]], documents: Mapping[str, Document]) -> Notice:
    """Return the sides, strongest evidence and newest first, those who say the same together."""
    ordered = sorted(sides, key=lambda side: strength(documents[side[0].passage.document]))
    names: dict[str, list[str]] = defaultdict(list)
    for place, said in ordered:
        names[said].append(_name(documents[place.passage.document]))
    named = "; ".join(f"{said} ({', '.join(dict.fromkeys(found))})" for said, found in names.items())
    return Notice("conflict", f"The sources differ on {about}: {named}.", tuple(place for place, _ in ordered))


def _name(document: Document) -> str:
    level = document.source.evidence_level if document.source is not None else "article"
    return " ".join(str(part) for part in (EVIDENCE[level].lower(), year_of(document)) if part)


def _newer(
    place: Support, year: int | None, about: str, others: Sequence[tuple[Support, str]], documents: Mapping[str, Document]
) -> list[Notice]:
    """Return that the newest of the works that disagree came out after what the claim rests on."""
    works = [(other, documents[other.passage.document]) for other, _ in others]
    dated = [(year_of(work) or 0, other) for other, work in works if not is_own_word(work)]
    newest, other = max(dated, key=lambda pair: pair[0], default=(0, place))
    if year is None or newest <= year:
        return []
    text = f"On {about}, a source of {newest} disagrees; what is quoted here rests on a source of {year}."
    return [Notice("stale", text, (place, other))]


def cautions(shown: Shown, warnings: Sequence[Warned], documents: Mapping[str, Document]) -> list[Notice]:
    """Return the warnings that belong to a dose, timing, combination or population answer, each with its citation.

    Those on what was asked come first, then the article's own, then plain contraindications; at most three. Where nothing is
    claimed, only those on what was asked are left, or all where the nearest passages give a dose.
    """
    question = shown.question
    given, beside = _kinds_shown(shown, documents), _company(shown, documents)
    if not beside and not _calls_for_caution(question, given):
        return []
    cited = {support.passage.document for support in shown.supports}
    named = [c for c in question.concepts if shown.claims or c.company or c.kind in GROUPS or c.kind == "surgery"]
    only_asked = not shown.claims and not given & _DOSED
    ranked = []
    for warned in warnings:
        name = warned.support.passage.document
        own = name == question.query.article
        if not documents[name].may_support or not (own or not question.topic or warned.names & question.topic):
            continue  # of another drug
        asked = sum(concept.met_by(warned.reading) for concept in named) + len(beside & warned.drugs)
        strange = bool(warned.drugs) and not warned.drugs & question.topic
        if asked or not only_asked:
            rank = (-asked, strange, not own, name not in cited, not warned.strong)
            ranked.append((*rank, warned.support.passage.id, warned.support.start, warned))
    return [
        Notice("caution", found[-1].text, (found[-1].support,))
        for found in sorted(ranked, key=itemgetter(*range(7)))[:MAX_CAUTIONS]
    ]


def _kinds_shown(shown: Shown, documents: Mapping[str, Document]) -> frozenset[str]:
    """Return the kinds of answer that the first sentence shown gives by itself: a dose, a time ..."""
    first = next(iter(shown.supports), None)
    if first is None:
        return frozenset()
    return view(documents[first.passage.document], _unit(documents, first)).own_kinds


def _unit(documents: Mapping[str, Document], support: Support) -> Unit:
    units = documents[support.passage.document].units
    return units[bisect_left(units, support.start, key=lambda unit: unit.start)]


def _company(shown: Shown, documents: Mapping[str, Document]) -> frozenset[str]:
    """Return the drugs that a question without an answer names together with the article's own."""
    article = documents.get(shown.question.query.article or "")
    if shown.claims or article is None:
        return frozenset()
    named, own = frozenset(attributes.drugs(normalise(shown.question.query.text).lower())), drug_of(article)
    return named - {own} if own in named else frozenset()


def _calls_for_caution(question: Question, given: frozenset[str]) -> bool:
    """Tell whether a question, or the dose or danger that is shown, calls for the warnings: also a drug beside the article's."""
    asked = {intent.name for intent in question.intents}
    if asked & _QUIET:
        return False
    drugs = {concept.text for concept in question.concepts if concept.kind == "drug"}
    grave = {intent.name for intent in question.intents if intent.caution}
    if grave in ({"supply"}, {"supply", "dose"}):  # "low-dose X capsules": a dose only by name
        return bool(given & _DOSED)
    return bool(grave) or bool(given & _GRAVE) or bool(question.topic and drugs - question.topic)


def off_label(shown: Shown, documents: Mapping[str, Document]) -> list[Notice]:
    """Return the article's own line that a use is off-label, for answers about dose, use or approval."""
    question = shown.question
    asked = {"dose", "start", "maximum", "titration", "efficacy", "approval", "population"} & {i.name for i in question.intents}
    quoted = {(s.passage.id, s.start) for s in shown.supports}
    for hit in shown.hits if asked and shown.claims else ():
        document = documents[hit.passage.document]
        fresh = document.id == question.query.article and (hit.passage.id, hit.unit.start) not in quoted
        if fresh and document.may_support and _OFF_LABEL.search(view(document, hit.unit).low):
            return [Notice("off-label", lead_and_text(document, hit.unit), (support_of(hit),))]
    return []


def populations(shown: Shown, documents: Mapping[str, Document]) -> list[Notice]:
    """Return that nothing shown is about the population asked for, and where the sources do speak of it."""
    asked = [concept for concept in shown.question.concepts if concept.kind in GROUPS]
    seen = [_reading_of(documents, support) for support in shown.supports] if asked else []
    out = []
    for concept in asked:
        if seen and not any(concept.met_by(reading) for reading in seen):
            there = [
                support_of(hit) for hit in shown.hits if concept.met_by(view(documents[hit.passage.document], hit.unit).reading)
            ]
            if there or shown.claims:
                more = "; what the sources say of it is cited here" if there else ""
                out.append(Notice("population", f"None of the sentences above is about {concept.kind}{more}.", tuple(there[:1])))
    return out


def _reading_of(documents: Mapping[str, Document], support: Support) -> Reading:
    return view(documents[support.passage.document], _unit(documents, support)).reading


def origins(claims: Sequence[Claim], companions: Companions) -> list[Notice]:
    """Return which claims are second-hand, or only the publisher's word; each kind of remark once."""
    out: dict[str, Notice] = {}
    for place in (claim.support[0] for claim in claims):
        for start, kind, text in companions.origins.get(place.passage.id, ()):
            if start == place.start:
                out.setdefault(text, Notice(kind, text, (place,)))
    return list(out.values())


def standing(supports: Sequence[Support], documents: Mapping[str, Document]) -> list[Notice]:
    """Return what must be said of the sources themselves: not yet reviewed, corrected, of concern."""
    out: dict[str, Notice] = {}
    for support in supports:
        document = documents[support.passage.document]
        if document.page is not None and document.page.status != "approved":
            out.setdefault("page", Notice("under-review", f"The article quoted here is {STATUS[document.page.status]}."))
        if document.source is not None and document.source.retraction.state in ("corrected", "concern"):
            said = _STATES[document.source.retraction.state]
            out.setdefault(document.id, Notice("retracted", f"{document.title} {said}.", (support,)))
    return list(out.values())


def retractions(shown: Shown, companions: Companions, retriever: Retriever) -> list[Notice]:
    """Return the retracted works of the scope where the reader asks for them, or where one of them would have answered best.

    They are named and not cited: a retracted work supports nothing.
    """
    query = shown.question.query
    asked = bool(_RETRACTION_ASKED.search(query.asked.lower()))
    if not asked and not companions.retracted:
        return []
    scope = retriever.scope(query.article)
    found = [retriever.documents[name] for name in companions.retracted if name in scope]
    named = [document for document in found if asked or _fits_best(shown, document, retriever.documents)]
    out = [Notice("retracted", f"“{document.title}” {_STATES['retracted']} and is not quoted.") for document in named]
    return [*out, *(_checked(query, retriever, scope) if asked else ())]


def _checked(query: Query, retriever: Retriever, scope: frozenset[str]) -> list[Notice]:
    """Return the state of the reference that is asked about by its number, or else of how many works it is known."""
    article = retriever.documents.get(query.article or "")
    numbers = [int(n) for n in _REFERENCE.findall(query.asked.lower())]
    works = works_of(article, numbers, retriever.documents) if article is not None else []
    if works:
        return [Notice("retracted", f"“{w.title}” {_STATES[w.source.retraction.state]}.") for w in works if w.source is not None]
    states = [d.source.retraction.state for name in scope if (d := retriever.documents[name]).source is not None]
    marked, unknown = states.count("retracted"), states.count("unknown")
    return [
        Notice("retracted", f"Of {len(states)} works behind this, {marked} are marked as retracted; {unknown} were not checked.")
    ]


def _fits_best(shown: Shown, document: Document, documents: Mapping[str, Document]) -> bool:
    """Tell whether a unit of a work holds more of the question than anything that is shown."""

    def score(reading: Reading) -> float:
        return sum(weight for stem, weight in shown.question.weights.items() if stem in reading.known)

    best = max((score(_reading_of(documents, support)) for support in shown.supports), default=0.0)
    return any(score(view(document, unit).reading) > best for unit in document.units)


def suggest(question: Question, companions: Companions, earlier: Sequence[str]) -> tuple[str, ...]:
    """Return up to three questions that the article answers, on subjects that were not asked about yet."""
    offered = companions.suggestions.get(question.query.article or "", ())
    done = {intent.name for intent in question.intents[:1]}
    done.update(intent.name for text in earlier for intent in intents_of(Wording.of(text))[:1])
    return tuple(text for text, name in offered if name not in done)[:MAX_SUGGESTIONS]
