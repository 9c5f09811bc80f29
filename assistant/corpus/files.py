"""Folder -> list[CorpusFile] and findings: reads what can be read, names what cannot."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from assistant import articles, references
from assistant.errors import CorpusError
from assistant.text import frontmatter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from assistant.records import Document

LARGEST = 20 * 1024 * 1024  # bytes of a file
LONGEST = 50_000  # lines of a file

_PARSERS = {"articles": articles.parse, "references": references.parse}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a file, on which line (from 1; 0 means the whole file).

    ``grade`` is error, warning or quarantined; ``rule`` is a short name of the rule that found it.
    """

    file: str
    line: int
    grade: str
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """A file that could be read: its name below the corpus folder, clean text, SHA-256 of its bytes, and what it says."""

    name: str
    text: str
    sha256: str
    document: Document

    def finding(self, grade: str, rule: str, text: str, line: int = 0) -> Finding:
        """Return a finding in this file."""
        return Finding(self.name, line, grade, rule, text)

    def line_of(self, *needles: str) -> int:
        """Return the line on which the needles stand one after the other, each on the line of the one before or below; else 0."""
        at = 0
        for needle in needles:
            at = self.text.find(needle, at)
            if at < 0:
                return 0
        return self.text.count("\n", 0, at) + 1

    def at_units(self, grade: str, rule: str, texts: Mapping[int, str]) -> Iterator[Finding]:
        """Yield a finding for each text, on the line of the unit of that index."""
        if not texts:
            return
        lines = self._lines_of_units()
        for index, text in texts.items():
            yield self.finding(grade, rule, text, lines[index])

    def _lines_of_units(self) -> list[int]:
        """Return the line of each unit: the lines of the text that are not empty are those of the body, in order."""
        body = frontmatter.split(self.text, self.name)
        full = [number for number, line in enumerate(body.body.split("\n"), body.line) if line.strip()]
        lines = []
        at = above = 0
        for unit in self.document.units:
            above += sum(1 for line in self.document.text[at : unit.start].split("\n")[:-1] if line)
            at = self.document.text.rfind("\n", at, unit.start) + 1 or at
            lines.append(full[above])
        return lines


def read(folder: Path) -> tuple[list[CorpusFile], list[Finding]]:
    """Return the files of ``folder`` that are articles or references, and an error for each that is not."""
    if not folder.is_dir():
        raise CorpusError(f"There is no corpus folder {folder}. Name one that holds articles/ and references/.")
    files: list[CorpusFile] = []
    findings: list[Finding] = []
    home = folder.resolve()
    for path in _paths(home):
        found = _read_file(home, path)
        if isinstance(found, Finding):
            findings.append(found)
        else:
            files.append(found)
    return files, findings


def _paths(folder: Path) -> Iterator[Path]:
    for kind in _PARSERS:
        yield from sorted(path for path in folder.glob(f"{kind}/*.md") if not path.name.startswith("."))


def _read_file(home: Path, path: Path) -> CorpusFile | Finding:
    name = path.relative_to(home).as_posix()
    if not path.resolve().is_relative_to(home):
        return Finding(name, 0, "error", "path", "The file lies outside the corpus folder: put a copy in its place.")
    if not path.is_file():
        return Finding(name, 0, "error", "path", "This is not a file.")
    try:
        if path.stat().st_size > LARGEST:
            return Finding(name, 0, "error", "size", f"The file is larger than {LARGEST // 2**20} MB: split it.")
        content = path.read_bytes()
    except OSError as error:
        return Finding(name, 0, "error", "path", f"The file cannot be read: {error.strerror}.")
    return _parse(name, content)


def _parse(name: str, content: bytes) -> CorpusFile | Finding:
    try:
        text = frontmatter.clean(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Finding(name, line, "error", "encoding", "The file is not UTF-8: save it in that encoding.")
    if text.count("\n") > LONGEST:
        return Finding(name, 0, "error", "size", f"The file has more than {LONGEST} lines: split it.")
    try:
        document = _PARSERS[name.partition("/")[0]](text, name)
    except CorpusError as error:
        return Finding(name, error.line, "error", "format", error.text)
    return CorpusFile(name, text, sha256(content).hexdigest(), document)
