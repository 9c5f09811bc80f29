"""Markdown file with YAML front matter <-> Document: a cited work, its bibliography and its abstract or our summary."""

from __future__ import annotations

from typing import Any

from assistant.records import Document, Retraction, Source
from assistant.text import frontmatter as fm
from assistant.text import markup

TYPES = (
    "guideline",
    "house-overview",
    "meta-analysis",
    "systematic-review",
    "rct",
    "controlled-trial",
    "trial",
    "observational",
    "review",
    "case-report",
    "label",
    "monograph",
    "opinion",
    "other",
)
STATES = ("none", "corrected", "concern", "retracted", "unknown")
RIGHT = "right: "  # an ``abstract_source`` that begins so states by which right a text without an open licence is kept

_RETRACTION = fm.record({"state": fm.choice(*STATES), "checked_on": fm.optional(fm.day)})


def _retraction(value: fm.Value) -> Retraction:
    retraction = Retraction(**_RETRACTION(value))
    if retraction.state == "none" and retraction.checked_on is None:
        raise value.error("the state none needs checked_on, the day on which that was looked up.")
    return retraction


_SCHEMA = {
    "id": fm.identifier,
    "type": fm.choice(*TYPES),
    "title": fm.text,
    "authors": fm.listed(fm.text),
    "journal": fm.optional(fm.text),
    "year": fm.optional(fm.whole(1000, 2999)),
    "volume": fm.optional(fm.text),
    "issue": fm.optional(fm.text),
    "pages": fm.optional(fm.text),
    "doi": fm.optional(fm.matching(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/\S+", "10.3390/medsci6040082")),
    "pmid": fm.optional(fm.matching(r"[1-9][0-9]{0,7}", "30821677")),
    "pmcid": fm.optional(fm.matching(r"PMC[1-9][0-9]{0,8}", "PMC6313374")),
    "url": fm.optional(fm.matching(r"https?://[^\s/]+\S*", "https://example.org/paper")),
    "publication_types": fm.listed(fm.text),
    "evidence_level": fm.choice(*TYPES),
    "evidence_note": fm.optional(fm.text),
    "design": fm.optional(fm.text),
    "verdict": fm.optional(fm.choice("positive", "negative", "mixed")),
    "retraction": _retraction,
    "licence": fm.matching(r"[A-Za-z0-9][A-Za-z0-9.+-]*", "CC-BY-4.0, PD, proprietary or unknown"),
    "abstract_kind": fm.choice("verbatim", "summary", "none"),
    "abstract_source": fm.optional(fm.text),
    "verified_by": fm.optional(fm.text),
}


def parse(text: str, name: str) -> Document:
    """Return the reference in the file ``name``; raise CorpusError with name and line when it is not one."""
    parts = fm.split(fm.clean(text), name)
    fields: dict[str, Any] = fm.read(parts, name, fm.record(_SCHEMA, optional=["evidence_note"]))
    body, units = markup.read(parts.body, name, parts.line, citations=False)
    id_, title = fields.pop("id"), fields.pop("title")
    return Document(id=id_, title=title, text=body, units=units, source=Source(**fields))


def serialise(document: Document) -> str:
    """Return the file that ``parse`` reads as ``document``; comments of an earlier file are not kept."""
    source = document.source
    if source is None:
        message = f"{document.id} is an article: write it with articles.serialise."
        raise TypeError(message)
    special = {
        "id": document.id,
        "title": document.title,
        "retraction": {"state": source.retraction.state, "checked_on": source.retraction.checked_on},
    }
    head = {name: fm.write(special[name] if name in special else getattr(source, name)) for name in _SCHEMA}
    if source.evidence_note is None:
        del head["evidence_note"]
    return fm.join(head, markup.write(document.text, document.units))
