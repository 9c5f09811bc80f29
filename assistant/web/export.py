"""list[Document] -> RIS | BibTeX: the cited works, for a reference manager; what is unknown is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import bibtexparser
import rispy
from bibtexparser import model

from assistant.records import DISCLAIMER, Document, Source

_RIS_TYPES = {"label": "GOVDOC", "monograph": "BOOK", "guideline": "STAND", "house-overview": "ELEC"}
_LINES = re.compile(r"\s+")
_BREAKING = re.compile(r"[\\{}]")
_SPECIAL = re.compile(r"([&%#$_])")
_VERBATIM = ("url", "doi", "pmid")


def _line(value: object) -> str:
    return _LINES.sub(" ", str(value)).strip()


def ris(documents: Sequence[Document], receipt: Mapping[str, str], disclaimer: str = DISCLAIMER) -> str:
    """Write the works as RIS; each carries the disclaimer and ``receipt`` (document id -> hashes of its answers) as a note."""
    return str(rispy.dumps([dict(_ris(document, receipt.get(document.id, ""), disclaimer)) for document in documents]))


def _ris(document: Document, receipt: str, disclaimer: str) -> Iterator[tuple[str, object]]:
    source = document.source
    kind = "JOUR" if source and source.journal else _RIS_TYPES.get(source.evidence_level, "GEN") if source else "ELEC"
    yield "type_of_reference", kind
    yield "id", document.id
    yield "title", _line(document.title)
    yield from _fields(document)
    if source and source.authors:
        yield "authors", [_line(name) for name in source.authors]
    yield "notes", [*([f"Cited in answers {receipt}."] if receipt else []), disclaimer]


def _fields(document: Document) -> Iterator[tuple[str, object]]:
    """Yield the known facts of a work under RIS names."""
    source = document.source or Source(type="article")
    updated = (document.page.last_updated if document.page else None) or ""
    pages = (source.pages or "").split("-", 1)
    known = {
        "journal_name": source.journal,
        "year": source.year or updated[:4],
        "volume": source.volume,
        "number": source.issue,
        "start_page": pages[0],
        "end_page": pages[1] if len(pages) > 1 else None,
        "doi": source.doi,
        "accession_number": source.pmid,
    }
    yield from ((key, _line(value)) for key, value in known.items() if value)
    if source.url:
        yield "urls", [_line(source.url)]


def bibtex(documents: Sequence[Document], receipt: Mapping[str, str], disclaimer: str = DISCLAIMER) -> str:
    """Write the works as BibTeX; the note of each carries ``receipt`` and the disclaimer."""
    entries = [_entry(document, receipt.get(document.id, ""), disclaimer) for document in documents]
    return str(bibtexparser.write_string(bibtexparser.Library(entries)))


def _entry(document: Document, receipt: str, disclaimer: str) -> model.Entry:
    source = document.source
    names = {"journal_name": "journal", "number": "number", "accession_number": "pmid"}
    facts = {names.get(key, key): value for key, value in _fields(document)}
    start, end = facts.pop("start_page", ""), facts.pop("end_page", "")
    urls = facts.pop("urls", [""])
    rows = {
        "title": document.title,
        "author": " and ".join(source.authors) if source else "",
        "pages": f"{start}--{end}" if end else start,
        "url": urls[0] if isinstance(urls, list) else "",
        "note": " ".join(filter(None, [f"Cited in answers {receipt}." if receipt else "", disclaimer])),
        **facts,
    }
    kind = "article" if source and source.journal else "misc"
    return model.Entry(kind, document.id, [model.Field(key, _tex(key, value)) for key, value in rows.items() if value])


def _tex(key: str, value: object) -> str:
    """Return a value that TeX can set: without braces and commands, its special characters escaped outside of addresses."""
    plain = _BREAKING.sub("", _line(value))
    return plain if key in _VERBATIM else _SPECIAL.sub(r"\\\1", plain)
