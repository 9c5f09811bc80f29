"""RIS -> Work or Fault, through rispy, one record at a time: a last record without its end is not lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import rispy

from assistant.records import Source
from assistant.references import work
from assistant.references.work import Fault, Work

_START = re.compile(r"^TY {0,2}- ?.*$", re.MULTILINE)
_TITLES = ("title", "primary_title", "translated_title")
_JOURNALS = ("journal_name", "secondary_title", "alternate_title3", "alternate_title2", "alternate_title1")
_GROUPS = ("authors", "first_authors")


def read(text: str, file: str) -> Iterator[Work | Fault]:
    """Yield the records of a RIS file. rispy drops a record that has no ``ER  -``, so each gets one here."""
    starts = [found.start() for found in _START.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        fields = rispy.loads(f"{text[start:end]}\nER  - \n", skip_unknown_tags=True)[0]
        if title := work.title(_first(fields, _TITLES)):
            yield _work(title, fields)
        else:
            row = text.count("\n", 0, start) + 1
            yield Fault(f"{file}:{row}: a record without a title (TI or T1). Export it again.")


def _work(title: str, fields: Mapping[str, Any]) -> Work:
    pages = [str(fields[key]) for key in ("start_page", "end_page") if fields.get(key)]
    authors: list[str] = next((fields[key] for key in _GROUPS if fields.get(key)), [])
    links = [*fields.get("urls", []), *fields.get("notes", []), str(fields.get("doi", ""))]
    address = next((found for raw in fields.get("urls", []) if (found := work.url(raw))), None)
    source = Source(
        type="other",
        authors=tuple(name for raw in authors if (name := work.name(raw))),
        journal=work.line(_first(fields, _JOURNALS)),
        year=work.year(_first(fields, ("year", "publication_year", "date"))),
        volume=work.line(_first(fields, ("volume",))),
        issue=work.line(_first(fields, ("number",))),
        pages=work.line("-".join(dict.fromkeys(pages))),
        doi=work.doi(str(fields.get("doi", ""))) or next((found for raw in links if (found := work.doi(raw))), None),
        pmid=_pubmed_id(fields),
        url=address,
    )
    return Work(title=title, source=source, origin="RIS", abstract=work.parts(_first(fields, ("abstract", "notes_abstract"))))


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(fields[name]) for name in names if fields.get(name)), "")


def _pubmed_id(fields: Mapping[str, Any]) -> str | None:
    """The accession number is a PubMed id only where the record says that PubMed or MEDLINE is its database."""
    database = f"{fields.get('name_of_database', '')} {fields.get('database_provider', '')}".lower()
    if "pubmed" in database or "medline" in database or "nlm" in database.split():
        return work.pmid(str(fields.get("accession_number", "")))
    return None
