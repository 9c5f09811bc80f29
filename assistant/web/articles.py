"""Document -> JSON objects of the interface: an article for a list, and whole, with its sentences and its reference list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from assistant.answers import EVIDENCE
from assistant.records import DISCLAIMER, CitedWork, Document, Page, Source, Unit
from assistant.web.render import STATUSES
from assistant.web.schema import ArticleEntry, ArticleObject, ArticleSentence, Reference, Reviewer, Section


def entry(document: Document, page: Page) -> ArticleEntry:
    """Return an article as a list shows it."""
    return ArticleEntry(
        id=document.id,
        title=document.title,
        question=page.question,
        status=page.status,
        status_meaning=meaning(page),
        last_updated=page.last_updated,
        references=len(page.references),
    )


def whole(document: Document, page: Page, documents: Mapping[str, Document], suggestions: Sequence[str]) -> ArticleObject:
    """Return an article as it is read."""
    return ArticleObject(
        id=document.id,
        title=document.title,
        question=page.question,
        language=page.language,
        status=page.status,
        status_meaning=meaning(page),
        reviewed_by=[Reviewer(name=name, role=role) for name, role in page.reviewed_by],
        reviewed_on=page.reviewed_on,
        last_updated=page.last_updated,
        editorial_policy=_https(page.editorial_policy),
        sections=[
            Section(heading=list(heading), sentences=[_sentence(document, unit) for unit in units])
            for heading, units in groupby(document.units, key=lambda unit: unit.heading)
        ],
        references=[_reference(work, documents.get(work.ref)) for work in page.references],
        suggestions=list(suggestions),
        disclaimer=DISCLAIMER,
    )


def meaning(page: Page) -> str:
    """Return what the review status of a page says to its reader."""
    return STATUSES.get(page.status, STATUSES["submitted"])[1]


def _sentence(document: Document, unit: Unit) -> ArticleSentence:
    return ArticleSentence(
        text=document.text[unit.start : unit.end], start=unit.start, end=unit.end, item=unit.item, references=list(unit.refs)
    )


def _reference(work: CitedWork, document: Document | None) -> Reference:
    source = document.source if document is not None else None
    return Reference(
        n=work.n,
        id=work.ref,
        title=document.title if document is not None else None,
        authors=list(source.authors) if source else [],
        journal=source.journal if source else None,
        year=source.year if source else None,
        evidence=source.evidence_level if source else None,
        badge=EVIDENCE.get(source.evidence_level, EVIDENCE["other"]) if source else None,
        retraction=source.retraction.state if source else None,
        links=_links(source) if source else {},
    )


def _links(source: Source) -> dict[str, str]:
    known = {
        "doi": f"https://doi.org/{source.doi}" if source.doi else None,
        "pubmed": f"https://pubmed.ncbi.nlm.nih.gov/{source.pmid}/" if source.pmid else None,
        "pmc": f"https://pmc.ncbi.nlm.nih.gov/articles/{source.pmcid}/" if source.pmcid else None,
        "source": _https(source.url),
    }
    return {name: address for name, address in known.items() if address}


def _https(address: str | None) -> str | None:
    return address if address and address.startswith("https://") else None
