"""Markdown file with YAML front matter <-> Document: a question-and-answer article of a site."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from assistant.records import CitedWork, Dispute, Document, Page, Reader
from assistant.text import frontmatter as fm
from assistant.text import markup

if TYPE_CHECKING:
    from assistant.text.frontmatter import Value

STATUSES = ("submitted", "under-review", "approved", "withdrawn")

_REVIEWER = fm.record({"name": fm.text, "role": fm.text})
_CITED = fm.record({"n": fm.whole(1, 999), "ref": fm.identifier})
_DISPUTE = fm.record({"line": fm.identifier, "by": fm.listed(fm.identifier), "note": fm.text})


def _reviewer(value: Value) -> tuple[str, str]:
    fields = _REVIEWER(value)
    return fields["name"], fields["role"]


def _reviewers(value: Value) -> tuple[tuple[str, str], ...]:
    reviewers: tuple[tuple[str, str], ...] = fm.optional(fm.listed(_reviewer))(value) or ()
    return reviewers


_SCHEMA = {
    "id": fm.identifier,
    "question": fm.text,
    "title": fm.text,
    "language": fm.matching(r"[a-z]{2,3}(?:-[A-Z]{2})?", "en"),
    "audience": fm.choice(*Reader),
    "status": fm.choice(*STATUSES),
    "reviewed_by": _reviewers,
    "reviewed_on": fm.optional(fm.day),
    "approved_sha256": fm.optional(fm.matching(r"[0-9a-f]{64}", "64 digits from 0 to f")),
    "last_updated": fm.optional(fm.day),
    "editorial_policy": fm.optional(fm.matching(r"https://[^\s/]+\S*", "https://example.org/policy")),
    "disclaimer": fm.identifier,
    "topics": fm.listed(fm.text),
    "references": fm.listed(lambda value: CitedWork(**_CITED(value))),
    "related": fm.listed(fm.identifier),
    "disputed": fm.listed(lambda value: Dispute(**_DISPUTE(value))),
}


def parse(text: str, name: str) -> Document:
    """Return the article in the file ``name``; raise CorpusError with name and line when it is not one."""
    parts = fm.split(fm.clean(text), name)
    fields: dict[str, Any] = fm.read(parts, name, fm.record(_SCHEMA))
    body, units = markup.read(parts.body, name, parts.line)
    id_, title = fields.pop("id"), fields.pop("title")
    return Document(id=id_, title=title, text=body, units=units, page=Page(**fields))


def serialise(document: Document) -> str:
    """Return the file that ``parse`` reads as ``document``; comments of an earlier file are not kept."""
    page = document.page
    if page is None:
        message = f"{document.id} is a reference: write it with references.serialise."
        raise TypeError(message)
    reviewers = [{"name": name, "role": role} for name, role in page.reviewed_by]
    special = {
        "id": fm.write(document.id),
        "title": fm.write(document.title),
        "reviewed_by": fm.block(reviewers) if reviewers else fm.write(None),
        "references": fm.block([{"n": cited.n, "ref": cited.ref} for cited in page.references]),
        "disputed": fm.block([{"line": entry.line, "by": entry.by, "note": entry.note} for entry in page.disputed]),
    }
    head = {name: special[name] if name in special else fm.write(getattr(page, name)) for name in _SCHEMA}
    return fm.join(head, _body(document))


def body_sha256(document: Document) -> str:
    """Return the SHA-256 of the body as ``serialise`` writes it: what ``approved_sha256`` vouches for."""
    return sha256(_body(document).encode()).hexdigest()


def _body(document: Document) -> str:
    return markup.write(document.text, document.units)
