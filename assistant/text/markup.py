"""Body of a corpus file <-> text and units: headings, bullets, numbered items, ``[1, 2]`` and ``{#anchor}`` are markup.

Each line of the body is one line of the text, so a line is a citation anchor. A line that would be read as markup begins with
a backslash. Lists are written back with dashes: order is kept, the digits of a numbered list are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from assistant.errors import CorpusError
from assistant.records import Unit
from assistant.text.sentences import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEADING = re.compile(r"(#{1,6})\s+(\S.*)")
_ITEM = re.compile(r"(?:[-*•]|[0-9]{1,3}[.)])\s+(\S.*)")
_ROW = re.compile(r"\|(.+)\|\s*((?:\[[0-9, ]+\])?\s*(?:\{#[A-Za-z0-9._-]+\})?)")
_RULE = re.compile(r":?-+:?")
_LOOKS_MARKED = re.compile(r"\\|\||#{1,6}\s|(?:[-*•]|[0-9]{1,3}[.)])\s")
_ANCHOR = re.compile(r"\{#([A-Za-z0-9][A-Za-z0-9._-]{0,99})\}$")
_REFS = re.compile(r"\[([0-9]{1,3}(?:\s?,\s?[0-9]{1,3})*)\]$")
_TOP = 2  # the level of the first headings; level 1 is the title, which stands in the front matter


@dataclass(slots=True)
class _Reader:
    """Where the reading stands: text so far, open headings, and the sentence that leads a list in."""

    file: str
    citations: bool
    lines: list[str] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    heading: tuple[str, ...] = ()
    empty_heading: int = 0  # line of a heading that still waits for its text
    lead: tuple[int, int] | None = None
    at: int = 0

    def add(self, line: str) -> None:
        self.lines.append(line)
        self.at += len(line) + 1


def read(body: str, file: str = "", line: int = 1, *, citations: bool = True) -> tuple[str, tuple[Unit, ...]]:
    """Return text and units of a clean body that begins on ``line`` of ``file``.

    Without ``citations`` a trailing ``[1]`` or ``{#id}`` is text, as in an abstract.
    """
    reader = _Reader(file, citations)
    for number, content in _without_tables(body.split("\n"), line):
        _read_line(reader, content, number)
    if reader.empty_heading:
        raise CorpusError("This heading has no text under it: add some, or take it away.", file, reader.empty_heading)
    return "\n".join(reader.lines).rstrip("\n"), tuple(reader.units)


def _without_tables(lines: Sequence[str], first: int) -> Iterator[tuple[int, str]]:
    """Yield each line with its number; a row of a table becomes an item that names its columns ("Weeks: 1 to 4; Dose: 1 mg")."""
    columns: list[str] = []
    for number, content in enumerate((text.rstrip() for text in lines), first):
        row = _ROW.fullmatch(content)
        cells = [cell.strip() for cell in row[1].split("|")] if row else []
        if not row:
            columns = []
            yield number, content
        elif not columns:
            columns = cells
        elif not all(_RULE.fullmatch(cell) for cell in cells):
            named = [f"{name}: {cell}" if name else cell for name, cell in zip_longest(columns, cells, fillvalue="") if cell]
            yield number, f"- {'; '.join(named)} {row[2]}".rstrip()


def _read_line(reader: _Reader, content: str, number: int) -> None:
    if not content:
        if reader.lines and reader.lines[-1]:
            reader.add("")
    elif content[0].isspace():
        raise CorpusError("A line begins with spaces. Lists have one level: give a nested list a lead-in.", reader.file, number)
    elif found := _HEADING.match(content):
        _read_heading(reader, len(found[1]), found[2], number)
    elif found := _ITEM.match(content):
        _read_units(reader, found[1], item=True)
    else:
        _read_units(reader, _unescaped(content), item=False)


def _read_heading(reader: _Reader, level: int, title: str, number: int) -> None:
    depth = level - _TOP
    if depth < 0:
        raise CorpusError("The title stands in the front matter; headings begin with ##.", reader.file, number)
    if depth > len(reader.heading):
        raise CorpusError("This heading skips a level: use one # less.", reader.file, number)
    if reader.empty_heading and depth < len(reader.heading):
        raise CorpusError("This heading has no text under it: add some, or take it away.", reader.file, reader.empty_heading)
    reader.heading = (*reader.heading[:depth], title)
    reader.empty_heading, reader.lead = number, None
    reader.add(title)


def _read_units(reader: _Reader, content: str, *, item: bool) -> None:
    """Add the sentences of a line; each carries all the marks of the line."""
    line, refs, anchor = _take_marks(content) if reader.citations else (content, (), None)
    lead = reader.lead if item else None
    unit = Unit(start=0, end=0, heading=reader.heading, item=item, lead=lead, refs=refs, anchor=anchor)
    reader.units += [replace(unit, start=reader.at + start, end=reader.at + end) for start, end in split(line)]
    if not item:
        last = reader.units[-1]
        reader.lead = (last.start, last.end) if line.endswith(":") else None
    reader.empty_heading = 0
    reader.add(line)


def _unescaped(line: str) -> str:
    return line[1:] if line[0] == "\\" and _LOOKS_MARKED.match(line, 1) else line


def _take_marks(line: str) -> tuple[str, tuple[int, ...], str | None]:
    """Return the line without the marks at its end, the numbers cited and the anchor; a line of marks alone is text."""
    anchor = _ANCHOR.search(line)
    rest = line[: anchor.start()].rstrip() if anchor else line
    refs = _REFS.search(rest)
    bare = rest[: refs.start()].rstrip() if refs else rest
    if not bare:
        return line, (), None
    numbers = tuple(dict.fromkeys(int(number) for number in refs[1].split(","))) if refs else ()
    return bare, numbers, anchor[1] if anchor else None


def literal(line: str) -> str:
    r"""Return ``line`` so that it is read as a sentence, whatever it begins with.

    >>> literal("1. Off-label use is common."), literal("Pain fell.")
    ('\\1. Off-label use is common.', 'Pain fell.')
    """
    return "\\" + line if _LOOKS_MARKED.match(line) else line


def write(text: str, units: Sequence[Unit]) -> str:
    """Return the body that ``read`` reads as ``text`` and ``units``, ending with a line feed.

    Lines that hold no unit are headings of the units below them, or plain lines when no unit follows.
    """
    lines: list[str] = []
    waiting: list[str] = []
    for line, unit in _lines_with_units(text, units):
        if unit is None:
            waiting.append(line)
            continue
        lines += _headings(waiting, unit.heading)
        lines.append(_marked(line, unit))
        waiting = []
    lines += [literal(line) for line in waiting]
    return "\n".join(lines) + "\n" if text else ""


def _lines_with_units(text: str, units: Sequence[Unit]) -> Iterator[tuple[str, Unit | None]]:
    """Yield each line with the first unit in it."""
    at = n = 0
    for line in text.split("\n"):
        end = at + len(line)
        first = units[n] if n < len(units) and units[n].start < end else None
        while n < len(units) and units[n].start < end:
            n += 1
        yield line, first
        at = end + 1


def _headings(lines: list[str], path: tuple[str, ...]) -> list[str]:
    level = len(path) - sum(1 for line in lines if line) + _TOP
    out = []
    for line in lines:
        out.append(f"{'#' * level} {line}" if line else "")
        level += bool(line)
    return out


def _marked(line: str, unit: Unit) -> str:
    refs = f" [{', '.join(map(str, unit.refs))}]" if unit.refs else ""
    anchor = f" {{#{unit.anchor}}}" if unit.anchor else ""
    return (f"- {line}" if unit.item else literal(line)) + refs + anchor
