"""File -> what is in it: records, faults, a page, or a file of our own; the format is told by content, not by name."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

from assistant import articles, references
from assistant.articles import pages
from assistant.articles.pages import Draft
from assistant.corpus import files
from assistant.errors import ImportFileError
from assistant.records import Document
from assistant.references import bibtex, jats, nbib, pubmed, ris, safexml
from assistant.references.work import Fault, Work
from assistant.text import frontmatter
from assistant.text.plain import hidden

LARGEST = 20 * 2**20  # bytes of a file that is read whole
LARGEST_STREAM = 2**30  # bytes of a PubMed file, unpacked
KNOWN = "page text, HTML, Markdown, PubMed XML, NBIB, RIS, BibTeX or JATS"
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w-]{3,20})", re.IGNORECASE)
_CHARSETS = frozenset({"utf-8", "utf8", "iso-8859-1", "iso-8859-15", "windows-1252", "us-ascii"})
_HTML = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|div|main|section|article|p|h1)[\s>]", re.IGNORECASE)
_JATS = re.compile(rb"<(?:\w+:)?front[\s>]|JATS|Archiving and Interchange DTD")
_FOREIGN = {
    b"%PDF": "a PDF, in which raised figures are lost. Copy the text into a .txt file, or download the record as XML",
    b"PK\x03\x04": "an archive or an office document. Unpack it, or save it as HTML or text",
    b"{": f"JSON. Export {KNOWN}",
}
_TEXT_FORMATS = (
    (re.compile(r"^PMID ?- ?[0-9]", re.MULTILINE), nbib.read),
    (re.compile(r"^TY {1,2}- ", re.MULTILINE), ris.read),
    (re.compile(r"^\s{0,8}@[A-Za-z]{3,20}\s{0,3}[{(]", re.MULTILINE), bibtex.read),
)

Found = Work | Fault | Draft | Document


def read(path: Path) -> Iterator[Found]:
    """Yield what is in the file, as it is read.

    Raises:
        ImportFileError: the file, or the rest of it, cannot be used.
        CorpusError: it is a file of our own with a fault.
        OSError, EOFError, zlib.error: it cannot be read or unpacked to its end.
    """
    if path.is_dir():
        raise ImportFileError(f"{path}: this is a folder. Name its files, such as {path}/*.xml.")
    if path.exists() and not path.is_file():
        raise ImportFileError(f"{path}: this is not a plain file. Copy what is in it into one.")
    with _unpacked(path) as stream:
        source = _Source(stream, path.name)
        head = source.head
        if head.startswith(_UTF16):
            yield from _text(_decoded_utf16(source), path.name)
        elif head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            yield from _marked_up(source)
        else:
            _refuse_foreign(head, path.name)
            yield from _text(_decoded(source.whole(), path.name), path.name)


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        if packed:
            with gzip.open(raw) as stream:
                yield cast("IO[bytes]", stream)
        else:
            yield raw


class _Source:
    """A stream whose head was looked at; it refuses to deliver more than LARGEST_STREAM bytes."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.name = name
        self.head = stream.read(safexml.HEAD)
        if not self.head.strip(b"\xef\xbb\xbf \t\r\n"):
            raise ImportFileError(f"{name}: the file is empty.")
        self._stream = stream
        self._waiting = self.head
        self._delivered = 0

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes."""
        piece, self._waiting = self._waiting[:size], self._waiting[size:]
        piece = piece or self._stream.read(size)
        self._delivered += len(piece)
        if self._delivered > LARGEST_STREAM:
            raise ImportFileError(f"{self.name}: the file unpacks to more than 1 GB. Split it.")
        return piece

    def whole(self) -> bytes:
        """Return all bytes."""
        content = self._waiting + self._stream.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ImportFileError(f"{self.name}: the file is larger than {LARGEST // 2**20} MB. Split it.")
        return content


def _refuse_foreign(head: bytes, name: str) -> None:
    for magic, what in _FOREIGN.items():
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(magic):
            raise ImportFileError(f"{name}: this is {what}.")
    if b"\x00" in head:
        raise ImportFileError(f"{name}: this is no text. Known are {KNOWN}.")


def _marked_up(source: _Source) -> Iterator[Found]:
    """Yield what is in XML or HTML."""
    root = safexml.root(source.head)
    if root in pubmed.ROOTS:
        safexml.refuse_unsafe(source.head, source.name)
        yield from pubmed.read(source, source.name)
    elif root in jats.ROOTS and _JATS.search(source.head):
        safexml.refuse_unsafe(source.head, source.name)
        yield from jats.read(source, source.name)
    elif _HTML.match(source.head.lstrip(b"\xef\xbb\xbf")) or (root or "").lower() == "html":
        content = source.whole()
        declared = _CHARSET.search(content[:4096])
        text = _decoded(content, source.name, declared[1].decode("ascii") if declared else "utf-8")
        yield _told(pages.read_html(text, source.name), text)
    else:
        safexml.refuse_unsafe(source.head, source.name)
        raise ImportFileError(
            f"{source.name}: XML with the root {root or 'that cannot be found'!r} is not read. Known are {KNOWN}."
        )


def _decoded(content: bytes, name: str, charset: str = "utf-8") -> str:
    if charset.lower() not in _CHARSETS:
        raise ImportFileError(f"{name}: the encoding {charset} is not read. Save the file as UTF-8.")
    try:
        return frontmatter.clean(content.decode(charset))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ImportFileError(f"{name}:{line}: the text is not {charset.upper()}. Save the file as UTF-8.") from error


def _decoded_utf16(source: _Source) -> str:
    try:
        text = frontmatter.clean(source.whole().decode("utf-16"))
    except UnicodeDecodeError as error:
        raise ImportFileError(f"{source.name}: the text is broken UTF-16. Save the file as UTF-8.") from error
    if text.lstrip().startswith("<") or "\x00" in text:
        raise ImportFileError(f"{source.name}: of UTF-16 and UTF-32 only plain text in UTF-16 is read. Save the file as UTF-8.")
    return text


def _text(text: str, name: str) -> Iterator[Found]:
    if text.startswith("---\n"):
        yield _own(text, name)
        return
    head = text[: safexml.HEAD]
    reader: Any = next((reader for pattern, reader in _TEXT_FORMATS if pattern.search(head)), None)
    yield from reader(text, name) if reader else (_page(text, name),)


def _page(text: str, name: str) -> Draft:
    if text.count("\n") > files.LONGEST:
        raise ImportFileError(f"{name}: the page has more than {files.LONGEST} lines. Split it.")
    return _told(pages.read_text(text, name), text)


def _told(draft: Draft, text: str) -> Draft:
    """Return ``draft`` with a word on the characters that no reader sees."""
    count = hidden(text)
    told = f"{count} characters that no reader sees were taken out"
    return replace(draft, changes=(*draft.changes, told)) if count else draft


def _own(text: str, name: str) -> Document:
    """Return the article or reference of a file with our front matter."""
    is_article = re.search(r"^question:", frontmatter.split(text, name).head, re.MULTILINE)
    return articles.parse(text, name) if is_article else references.parse(text, name)
