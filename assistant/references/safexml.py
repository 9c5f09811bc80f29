"""bytes -> XML that cannot harm: its root is known, it declares no entities, it asks for nothing outside itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html.entities import html5
from typing import Any, Protocol

from lxml import etree

from assistant.errors import ImportFileError
from assistant.text.plain import lowered, one_line, raised

HEAD = 64 * 1024  # bytes looked at for the root element
_KNOWN_ENCODINGS = ("utf-8", "us-ascii", "ascii", "iso-8859-1", "windows-1252")
# What may stand before the root: byte order mark, declaration, comments and instructions, one DOCTYPE without an internal subset.
# Possessive quantifiers keep the match linear on hostile input.
_ASIDE = rb"(?:(?:<!--(?:(?!-->).)*+-->|<\?(?:(?!\?>).)*+\?>)\s*+)*+"
_PROLOGUE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+" + _ASIDE + rb"(?:<!DOCTYPE\s[^\[>]*+>\s*+)?" + _ASIDE + rb"<(?:[\w.-]+:)?([\w.-]+)[\s/>]", re.DOTALL
)
_ENCODING = re.compile(rb"^(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]{1,40})")
_SUBSET = re.compile(rb"<!DOCTYPE[^>\[]*+\[", re.IGNORECASE)

Skip = Callable[[Any], bool]


class Stream(Protocol):
    """What the parser reads from."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        ...


def root(head: bytes) -> str | None:
    """Return the local name of the root element; None when ``head`` does not begin as XML that we read."""
    found = _PROLOGUE.match(head[:HEAD])
    return found[1].decode("ascii", "replace") if found else None


def refuse_unsafe(head: bytes, file: str) -> None:
    """Raise ImportFileError when the head of a file declares entities, an internal subset or an encoding that could hide them."""
    start = head[:HEAD]
    declared = _ENCODING.match(start)
    if b"\x00" in start or (declared and declared[1].decode("ascii").lower() not in _KNOWN_ENCODINGS):
        raise ImportFileError(f"{file}: this XML is in an encoding that is not read. Save it as UTF-8.")
    found = _PROLOGUE.match(start)
    prologue = start[: found.end()] if found else start
    if b"<!ENTITY" in prologue.upper():
        raise ImportFileError(f"{file}: the XML declares entities, which is refused. Take the <!ENTITY ...> lines out.")
    if _SUBSET.search(prologue):
        raise ImportFileError(
            f"{file}: the DOCTYPE has an internal subset [...], which is refused. Take out what stands in the brackets."
        )


def elements(stream: Stream, *names: str) -> Iterator[Any]:
    """Yield the elements of these names as they are complete; what was yielded before is forgotten.

    Raises:
        etree.XMLSyntaxError: after the elements before the fault were yielded.
    """
    source: Any = stream  # anything with read will do; the stubs ask for more
    events: Any = etree.iterparse(
        source,
        events=("end",),
        tag=[f"{{*}}{name}" for name in names],
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=False,
    )
    for _, item in events:
        yield item
        item.clear(keep_tail=False)
        parent = item.getparent()
        while parent is not None and item.getprevious() is not None:
            del parent[0]


def text_of(node: Any, skip: Skip = lambda _: False) -> str:
    """Return the text of ``node`` on one line; raised and lowered figures stay readable (10⁶, H₂O); "" for None."""
    return "" if node is None else one_line(_flat(node, skip))


def _flat(node: Any, skip: Skip) -> str:
    pieces = [node.text or ""]
    for child in node:
        pieces += [_child(child, skip), child.tail or ""]
    return "".join(pieces)


def _child(child: Any, skip: Skip) -> str:
    if isinstance(child, etree._Entity):  # noqa: SLF001 - lxml has no public name for it
        return html5.get(f"{child.name};", "")
    if not isinstance(child.tag, str) or skip(child):
        return ""
    own = _flat(child, skip)
    tag = etree.QName(child).localname
    if not own.strip() or tag not in ("sup", "sub"):
        return own
    return raised(own) if tag == "sup" else lowered(own)


def where(error: etree.XMLSyntaxError, file: str) -> str:
    """Return the message of a syntax error with file and line."""
    return f"{file}:{error.lineno or 1}: {error.msg or 'the XML is not complete'}."
