"""BibTeX -> Work or Fault, through bibtexparser: blocks that fail are named, the others are read."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

import bibtexparser
from bibtexparser import middlewares

from assistant.records import Source
from assistant.references import work
from assistant.references.work import Fault, Work
from assistant.text.plain import lowered, raised

_BARE_AMPERSAND = re.compile(r"(?<!\\)&")  # the LaTeX decoder takes it for a column mark and drops it
_RAISED = re.compile(r"\\textsuperscript\s?\{([^{}]{1,40})\}|\$\^\{?([^{}$\\]{1,20})\}?\$")
_LOWERED = re.compile(r"\\textsubscript\s?\{([^{}]{1,40})\}|\$_\{?([^{}$\\]{1,20})\}?\$")
_PARTICLES = frozenset("van von der den de del della di da dos du la le el al bin ibn ter ten zu".split())


def read(text: str, file: str) -> Iterator[Work | Fault]:
    """Yield the entries of a BibTeX file in order, then what could not be read."""
    logging.getLogger("bibtexparser").setLevel(logging.ERROR)  # failed blocks are reported by us
    library = bibtexparser.parse_string(_prepared(text), append_middleware=[middlewares.SeparateCoAuthors()])
    groups = {entry.key: _boxed(entry.fields_dict.get("author")) for entry in library.entries}
    library = middlewares.LatexDecodingMiddleware().transform(library)
    for entry in library.entries:
        fields = {field.key.lower(): field.value for field in entry.fields}
        row = entry.start_line + 1
        if title := work.title(str(fields.get("title", ""))):
            yield _work(title, fields, groups.get(entry.key, []))
        else:
            yield Fault(f"{file}:{row}: the entry {entry.key!r} has no title. Add one.")
    for block in library.failed_blocks:
        yield Fault(f"{file}:{block.start_line + 1}: {_cause(block)} Mend the entry and add the file again.")


def _prepared(text: str) -> str:
    text = _RAISED.sub(lambda found: raised(found[1] or found[2]), text)
    text = _LOWERED.sub(lambda found: lowered(found[1] or found[2]), text)
    return _BARE_AMPERSAND.sub(r"\\&", text)


def _cause(block: Any) -> str:
    kind = type(block).__name__
    if kind == "DuplicateBlockKeyBlock":
        return f"the key {block.key!r} is given twice; the first entry was read."
    if kind == "DuplicateFieldKeyBlock":
        return f"an entry gives these fields twice: {', '.join(sorted(block.duplicate_keys))}."
    if kind == "MiddlewareErrorBlock":
        return "an entry holds LaTeX that cannot be read."
    return "an entry is not complete BibTeX, perhaps for want of a closing brace."


def _boxed(field: Any) -> list[bool]:
    """Return for each author whether it is a group, in braces; the names go into one NameParts, as lists are not decoded."""
    if field is None or not isinstance(field.value, list):
        return []
    names = [str(name) for name in field.value]
    field.value = middlewares.NameParts(first=[], von=[], last=names, jr=[])
    return [name.startswith("{") for name in names]


def _work(title: str, fields: Mapping[str, Any], groups: list[bool]) -> Work:
    names = zip(getattr(fields.get("author"), "last", ()), groups, strict=False)
    source = Source(
        type="other",
        authors=tuple(name for raw, group in names if (name := work.line(raw) if group else _name(str(raw)))),
        journal=work.line(_text(fields, "journal", "journaltitle", "booktitle")),
        year=work.year(_text(fields, "year", "date")),
        volume=work.line(_text(fields, "volume")),
        issue=work.line(_text(fields, "number", "issue")),
        pages=work.line(_text(fields, "pages").replace("--", "-").replace("–", "-")),
        doi=work.doi(_text(fields, "doi")) or work.doi(_text(fields, "url")),
        pmid=work.pmid(_text(fields, "pmid")),
        pmcid=work.pmcid(_text(fields, "pmcid")),
        url=work.url(_text(fields, "url")),
    )
    return Work(title=title, source=source, origin="BibTeX", abstract=work.parts(_text(fields, "abstract")))


def _text(fields: Mapping[str, Any], *names: str) -> str:
    return next((str(fields[name]) for name in names if fields.get(name)), "")


def _name(raw: str) -> str:
    """Return surname and initials of "Lie, Mitchell R." or "Janine van der Giessen".

    >>> _name("Lie, Mitchell R."), _name("Janine van der Giessen")
    ('Lie MR', 'van der Giessen J')
    """
    if "," in raw or " " not in raw.strip():
        return work.name(raw)
    words = raw.split()
    start = next((n for n, word in enumerate(words[1:-1], 1) if word.lower() in _PARTICLES), len(words) - 1)
    return work.name(f"{' '.join(words[start:])}, {' '.join(words[:start])}")
