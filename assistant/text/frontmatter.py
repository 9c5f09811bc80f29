"""str -> head and body of a corpus file: YAML read as strings, with types from a schema and the line of every fault.

YAML's own types are not used: they turn 0123 into 83, 1.10 into 1.1 and ``no`` into False.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

from assistant.errors import CorpusError

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # the same language, seventeen times as fast where libyaml is there
_FENCE = "---\n"
_FIRST_LINE = 2  # of the head, below its fence
_LONGEST_HEAD = 256 * 1024  # characters
_ESCAPED_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Parts:
    """A corpus file cut at its fences; ``line`` is the line of the file that the body begins on."""

    head: str
    body: str
    line: int


@dataclass(frozen=True, slots=True)
class Value:
    """A YAML node, the key it stands under and the file it stands in."""

    node: yaml.Node
    key: str
    file: str

    def error(self, text: str) -> CorpusError:
        """Return the error that names key, file and line."""
        return CorpusError(f"{self.key}: {text}", self.file, self.node.start_mark.line + _FIRST_LINE)

    @property
    def null(self) -> bool:
        """Whether the file says ``null``; the quoted word is a word."""
        return isinstance(self.node, yaml.ScalarNode) and self.node.value == "null" and not self.node.style

    def pairs(self) -> Iterator[tuple[str, Value]]:
        """Yield the entries of a mapping."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("expected keys with values, such as {n: 1, ref: id}.")
        for key, inner in self.node.value:
            yield str(key.value), Value(inner, str(key.value), self.file)

    def entries(self) -> list[Value]:
        """Return the entries of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error("expected a list; write [] when there is nothing.")
        return [Value(inner, self.key, self.file) for inner in self.node.value]


Convert = Callable[[Value], Any]


def clean(text: str) -> str:
    """Return ``text`` as the corpus keeps it: no byte order mark, LF, NFC."""
    return unicodedata.normalize("NFC", text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))


def split(text: str, file: str) -> Parts:
    """Cut a clean file at the two lines ``---``."""
    if not text.startswith(_FENCE):
        raise CorpusError("The front matter is missing: the first line must be ---.", file, 1)
    end = f"{text}\n".find(f"\n{_FENCE}", len(_FENCE) - 1)
    if end < 0:
        raise CorpusError("The front matter does not end: close it with a line ---.", file, 1)
    if end > _LONGEST_HEAD:
        raise CorpusError("The front matter is longer than 256 thousand characters.", file, 1)
    head = text[len(_FENCE) : end + 1]
    return Parts(head, text[end + 1 + len(_FENCE) :], head.count("\n") + _FIRST_LINE + 1)


def read(parts: Parts, file: str, convert: Convert) -> Any:
    """Return what ``convert`` makes of the head."""
    try:
        node = yaml.compose(parts.head, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        cause = getattr(error, "problem", None) or "it holds a character that YAML forbids, or is nested too deep"
        line = mark.line + _FIRST_LINE if mark else 1
        raise CorpusError(f"The front matter is not YAML: {cause}. Put texts in double quotes.", file, line) from error
    if node is None:
        raise CorpusError("The front matter is empty.", file, 1)
    _refuse_aliases(node, file)
    return convert(Value(node, "front matter", file))


def _refuse_aliases(root: yaml.Node, file: str) -> None:
    """Refuse a node that stands in two places: a few lines of aliases can unfold to gigabytes."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            raise Value(node, "front matter", file).error("YAML aliases (*name) are not allowed; write the value out.")
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            waiting.extend(part for pair in node.value for part in pair)


def record(schema: Mapping[str, Convert], optional: Sequence[str] = ()) -> Convert:
    """A mapping with exactly the keys of ``schema``; only those in ``optional`` may be left out."""

    def convert(value: Value) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, inner in value.pairs():
            if key not in schema:
                raise inner.error(f"this key is unknown. Known are: {', '.join(schema)}.")
            if key in fields:
                raise inner.error("this key is given twice.")
            fields[key] = schema[key](inner)
        for key in schema:
            if key not in fields and key not in optional:
                raise value.error(f"the key {key!r} is missing. Empty is written null or [].")
        return fields

    return convert


def text(value: Value) -> str:
    """One line of text."""
    if not isinstance(value.node, yaml.ScalarNode) or value.null:
        raise value.error("expected a text.")
    found = unicodedata.normalize("NFC", str(value.node.value)).strip()
    if not found:
        raise value.error("the text is empty. Empty is written null or [], where that is allowed.")
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in found):
        raise value.error("the text holds a line break or a control character.")
    return found


def optional(convert: Convert) -> Convert:
    """``null``, or what ``convert`` reads."""
    return lambda value: None if value.null else convert(value)


def listed(convert: Convert) -> Convert:
    """A list, each entry read by ``convert``, as a tuple."""
    return lambda value: tuple(convert(entry) for entry in value.entries())


def matching(pattern: str, example: str) -> Convert:
    """A text that ``pattern`` matches whole."""
    expected = re.compile(pattern)

    def convert(value: Value) -> str:
        found = text(value)
        if not expected.fullmatch(found):
            raise value.error(f"expected something like {example}, found {found!r}.")
        return found

    return convert


def choice(*names: str) -> Convert:
    """One of ``names``."""

    def convert(value: Value) -> str:
        found = text(value)
        if found not in names:
            raise value.error(f"{found!r} is not one of: {', '.join(names)}.")
        return found

    return convert


def whole(least: int, most: int) -> Convert:
    """A whole number from ``least`` to ``most``, without leading zeros."""

    def convert(value: Value) -> int:
        found = text(value)
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", found) or not least <= int(found) <= most:
            raise value.error(f"expected a whole number from {least} to {most}, found {found!r}.")
        return int(found)

    return convert


def day(value: Value) -> str:
    """A date of the calendar, YYYY-MM-DD."""
    found = text(value)
    try:
        exact = date.fromisoformat(found).isoformat() == found
    except ValueError:
        exact = False
    if not exact:
        raise value.error(f"expected a date such as 2025-07-14, found {found!r}.")
    return found


identifier = matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "naltrexone-dose (letters, digits, . _ -; at most 100)")


def write(value: object) -> str:
    """Return ``value`` (text, number, None, list or mapping of them) as YAML on one line, texts in double quotes.

    >>> write({"n": 1, "ref": "a", "by": ["0123", None]})
    '{n: 1, ref: "a", by: ["0123", null]}'
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        return _ESCAPED_IN_YAML.sub(lambda found: f"\\u{ord(found.group()):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {write(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(write, value)) + "]"
    return str(value)


def block(entries: Sequence[Mapping[str, object]]) -> str:
    """Return a list of records as YAML, one record a line.

    >>> print(block([{"n": 1, "ref": "a"}]))
    <BLANKLINE>
      - {n: 1, ref: "a"}
    """
    return "".join(f"\n  - {write(entry)}" for entry in entries) or "[]"


def join(head: Mapping[str, str], body: str) -> str:
    """Return a whole file; ``head`` holds keys with written values."""
    lines = "".join(f"{key}:{'' if value.startswith(chr(10)) else ' '}{value}\n" for key, value in head.items())
    return f"{_FENCE}{lines}{_FENCE}{body}"
