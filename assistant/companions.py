"""Question + list[Claim] -> list[Notice]: warnings, disputes and the standing of the sources, each with its citation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant.answers import STATUS, support_of
from assistant.citations import quote
from assistant.lexicon import is_drug
from assistant.lexicon.concepts import Reading, intents_of
from assistant.records import Claim, Document, Hit, Notice, Support
from assistant.search import Question, Retriever, lead_and_text, view
from assistant.text.words import normalise, words

MAX_CAUTIONS = 3
MAX_SUGGESTIONS = 3
_CAUTION = re.compile(
    r"contraindicat|do not (?:use|take|give|start|combine)|must not|should not|should never|never (?:be|take|use|give)|\bavoid|"
    r"not recommended|precipitat|boxed warning|before (?:starting|start)|discontinued? before|stopped? before|opioid-free|"
    r"not be (?:used|given|taken)|withdrawal"
)
_STRONG_CAUTION = re.compile(r"contraindicat|do not|must not|never|precipitat|should not")
_OFF_LABEL = re.compile(
    r"off-label|not (?:fda-)?approved|unlicensed|outside (?:its|the) licence|has not approved|"
    r"no (?:regulator|agency) has approved"
)


@lru_cache(maxsize=4096)
def _reading(text: str) -> Reading:
    return Reading.of(text)


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(words(text))


def is_caution(text: str) -> bool:
    """Tell whether a sentence warns."""
    return bool(_CAUTION.search(normalise(text).lower()))


def caution_rows(retriever: Retriever, document: Document) -> list[list[object]]:
    """Return [passage id, number of the unit in it] of every warning of a document: what ``Companions`` is read from."""
    return [
        [passage.id, n]
        for passage in retriever.passages(document.id)
        for n, unit in enumerate(retriever.units(passage.id))
        if not document.text[unit.start : unit.end].endswith(":") and is_caution(lead_and_text(document, unit))
    ]


@dataclass(frozen=True, slots=True)
class Companions:
    """What was prepared when the index was built: warnings by document, and questions by article that it answers."""

    cautions: Mapping[str, Sequence[Sequence[object]]]
    suggestions: Mapping[str, Sequence[tuple[str, str]]]

    def warnings(self, retriever: Retriever, documents: Sequence[str]) -> list[Support]:
        """Return the warnings of the documents, in order."""
        out = []
        for document in documents:
            passages = {passage.id: passage for passage in retriever.passages(document)} if document in self.cautions else {}
            for name, n in self.cautions.get(document, ()):
                unit = retriever.units(str(name))[int(str(n))]
                out.append(Support(passages[str(name)], unit.start, unit.end, unit.lead))
        return out


def cautions(
    question: Question, claims: Sequence[Claim], warnings: Sequence[Support], documents: Mapping[str, Document]
) -> list[Notice]:
    """Return the warnings that belong to a dose, timing, combination or population answer, each with its citation.

    Those on what was asked come first, then the article's own, then plain contraindications; at most three.
    """
    if not any(intent.caution for intent in question.intents):
        return []
    cited = {support.passage.document for claim in claims for support in claim.support}

    def rank(support: Support) -> tuple[object, ...]:
        document = documents[support.passage.document]
        text = quote(document, support)
        asked = sum(concept.met_by(_reading(text)) for concept in question.concepts)
        own = document.id == question.query.article
        drugs, strong = _warning(text)
        strange = bool(drugs) and not drugs & question.topic
        return (
            -asked,
            strange,
            not own,
            document.id not in cited,
            not strong,
            support.passage.id,
            support.start,
        )

    own_drug = [s for s in warnings if _concerns(question, documents[s.passage.document], s)]
    return [
        Notice("caution", quote(documents[support.passage.document], support), (support,))
        for support in sorted(own_drug, key=rank)[:MAX_CAUTIONS]
    ]


@lru_cache(maxsize=4096)
def _warning(text: str) -> tuple[frozenset[str], bool]:
    """Return the drugs that a warning names, and whether it forbids."""
    return frozenset(word for word in _words(text) if is_drug(word)), bool(_STRONG_CAUTION.search(text.lower()))


def _concerns(question: Question, document: Document, support: Support) -> bool:
    """Tell whether a warning is about the article's drug: it stands in the article, or its work names the drug."""
    if document.id == question.query.article or not question.topic:
        return document.may_support
    named = _words(document.title) | _words(quote(document, support))
    return document.may_support and bool(named & question.topic)


def conflicts(claims: Sequence[Claim], retriever: Retriever) -> list[Notice]:
    """Return one notice for each quoted line that other works dispute, citing the line and those works."""
    out = []
    for support in dict.fromkeys(s for claim in claims for s in claim.support):
        document = retriever.documents[support.passage.document]
        if document.page is None:
            continue
        anchor = next((unit.anchor for unit in document.units if unit.start == support.start), None)
        for dispute in document.page.disputed:
            if anchor is not None and dispute.line == anchor:
                against = [found for name in dispute.by if (found := _opening(name, support, retriever)) is not None]
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
    passage, unit = max(found, key=lambda pair: len(wanted & _reading(lead_and_text(document, pair[1])).known))
    return Support(passage, unit.start, unit.end, unit.lead)


def off_label(
    question: Question, hits: Sequence[Hit], claims: Sequence[Claim], documents: Mapping[str, Document]
) -> list[Notice]:
    """Return the article's own line that a use is off-label, for answers about dose, use or approval."""
    if not {"dose", "start", "maximum", "titration", "efficacy", "approval", "population"} & {i.name for i in question.intents}:
        return []
    quoted = {(s.passage.id, s.start) for claim in claims for s in claim.support}
    for hit in hits:
        document = documents[hit.passage.document]
        fresh = document.id == question.query.article and (hit.passage.id, hit.unit.start) not in quoted
        if fresh and document.may_support and _OFF_LABEL.search(view(document, hit.unit).low):
            return [Notice("off-label", lead_and_text(document, hit.unit), (support_of(hit),))]
    return []


def standing(supports: Sequence[Support], documents: Mapping[str, Document]) -> list[Notice]:
    """Return what must be said of the sources themselves: not yet reviewed, corrected, of concern."""
    out: dict[str, Notice] = {}
    for support in supports:
        document = documents[support.passage.document]
        if document.page is not None and document.page.status != "approved":
            out.setdefault("page", Notice("under-review", f"The article quoted here is {STATUS[document.page.status]}."))
        if document.source is not None and document.source.retraction.state in ("corrected", "concern"):
            said = (
                "has a published correction"
                if document.source.retraction.state == "corrected"
                else "is under an expression of concern"
            )
            out.setdefault(document.id, Notice("retracted", f"{document.title} {said}.", (support,)))
    return list(out.values())


def suggest(question: Question, companions: Companions, earlier: Sequence[str]) -> tuple[str, ...]:
    """Return up to three questions that the article answers, on subjects that were not asked about yet."""
    offered = companions.suggestions.get(question.query.article or "", ())
    done = {intent.name for intent in question.intents[:1]}
    done.update(intent.name for text in earlier for intent in intents_of(text)[:1])
    return tuple(text for text, name in offered if name not in done)[:MAX_SUGGESTIONS]
