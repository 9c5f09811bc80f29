"""Folder -> Corpus: the articles and references that may be used, and what was found wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING

from assistant import passages
from assistant.corpus.check import survey
from assistant.corpus.files import CorpusFile, Finding
from assistant.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from assistant.records import Document

__all__ = ["Corpus", "Finding", "Row", "listing", "load"]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The documents in use by id, in order of ids; ``hash`` is the SHA-256 of their files' names and bytes."""

    folder: Path
    documents: Mapping[str, Document]
    findings: tuple[Finding, ...]
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An article as ``followup corpus list`` shows it."""

    id: str
    question: str
    status: str
    references: int
    passages: int


def load(folder: Path) -> Corpus:
    """Return the corpus in ``folder``; raise CorpusError when there is no folder or no article that can be used.

    A file with an error of its own, or with a line in quarantine, is left out and stands in the findings; the rest is loaded.
    """
    found = survey(folder)
    documents = {file.document.id: file.document for file in sorted(found.usable, key=lambda file: file.document.id)}
    if not any(document.page for document in documents.values()):
        raise CorpusError(_why_empty(folder, found.findings))
    return Corpus(folder, MappingProxyType(documents), found.findings, _hash(found.usable))


def listing(corpus: Corpus, count: passages.Count = passages.estimate) -> list[Row]:
    """Return a row for each article; ``count`` gives the tokens of a text."""
    return [
        Row(
            id=document.id,
            question=document.page.question,
            status=document.page.status,
            references=len(document.page.references),
            passages=len(passages.split(document, count)),
        )
        for document in corpus.documents.values()
        if document.page
    ]


def _hash(files: Iterable[CorpusFile]) -> str:
    lines = sorted(f"{file.name} {file.sha256}\n" for file in files)
    return sha256("".join(lines).encode()).hexdigest()


def _why_empty(folder: Path, findings: tuple[Finding, ...]) -> str:
    barred = [finding for finding in findings if finding.grade != "warning" and finding.file.startswith("articles/")]
    if not barred:
        return f"There is no article in {folder}: put one into articles/, or name another corpus folder."
    first = barred[0]
    return f"No article in {folder} can be used. First cause: {first.file}:{first.line}: {first.text} See: followup corpus check"
