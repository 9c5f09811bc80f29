"""Blocks of a reference list -> list[Entry]: labelled groups of lines, numbered lines or plain lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assistant.articles.blocks import Block
from assistant.text.plain import one_line

_LABELS = frozenset(
    "guideline guidelines research review study trial label article book website news report meta-analysis".split()
) | {"drug label", "systematic review", "clinical trial", "practice guideline", "fda label"}
_NUMBER = re.compile(r"^\[?([0-9]{1,3})[.\])]\s+")
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:?\s{0,2})?(10\.[0-9]{4,9}(?:\.[0-9]{1,9}){0,4}/[^\s<>\"]+)", re.IGNORECASE)
_PMID = re.compile(r"\bPMID:?\s{0,2}([1-9][0-9]{0,7})\b", re.IGNORECASE)
_PMCID = re.compile(r"\bPMC([1-9][0-9]{0,8})\b")
_URL = re.compile(r"https?://[^\s/<>\"]+[^\s<>\"]*")
_YEAR = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})(?![0-9])")
_LAST_YEAR = re.compile(r",?\s*\(?((?:19|20)[0-9]{2})\)?\.?$")
_ISSUE = re.compile(r"(?:19|20)[0-9]{2}[^;]{0,16};\s{0,2}([0-9]{1,5})(?:\(([^()]{1,20})\))?(?::\s{0,2}([\w–-]{1,30}))?")
_NAMES = re.compile(r"(?:[^\W\d_][\w'’-]*\s){1,4}[A-Z]{1,4}(?:,.*)?|.{1,300}\bet al")
_APA = re.compile(r"^(.{3,400}?)\s\(((?:19|20)[0-9]{2})[^()]{0,20}\)[.,]?\s(.+)$")
_LEADS = re.compile(r"\b(?:doi|PMCID|Available (?:from|at)|Accessed)\b:?", re.IGNORECASE)
_BODIES = re.compile(
    r"\b(?:Institute|Organi[sz]ation|Society|Association|College|Group|Committee|Agency|Administration|Department|Ministry|Centers?"
    r"|Council|Foundation|Academy|Collaboration|NICE|WHO|FDA|EMA|CDC)\b"
)
_STOP = re.compile(r"(?<=[.?!])\s+")
_LONGEST_TITLE = 400
_LONGEST_BODY = 9  # words


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a page's reference list as it stands there; ``label`` is the heading of its group, such as Guideline."""

    n: int
    title: str
    label: str = ""
    authors: tuple[str, ...] = ()
    journal: str | None = None
    year: int | None = None
    volume: str | None = None
    issue: str | None = None
    pages: str | None = None
    doi: str | None = None
    pmid: str | None = None
    pmcid: str | None = None
    url: str | None = None


def read(blocks: Sequence[Block]) -> list[Entry]:
    """Return the entries in order; numbers that the list prints are kept when they are 1, 2, 3 ... without a gap."""
    if any(_is_label(block) for block in blocks):
        return [_of_group(n, label, lines) for n, (label, lines) in enumerate(_groups(blocks), 1) if lines]
    return [_of_line(n, _NUMBER.sub("", block.text, count=1)) for n, block in enumerate(blocks, 1)]


def _is_label(block: Block) -> bool:
    return block.kind != "item" and block.text.lower() in _LABELS


def _groups(blocks: Sequence[Block]) -> list[tuple[str, list[str]]]:
    """Return the label and lines of each entry; lines above the first label are left out."""
    groups: list[tuple[str, list[str]]] = []
    for block in blocks:
        if _is_label(block):
            groups.append((block.text, []))
        elif groups:
            groups[-1][1].append(block.text)
    return [group for group in groups if group[1]]


def _of_group(n: int, label: str, lines: list[str]) -> Entry:
    """A group is a title, then "Journal, year"; in a group of guidelines "Authors, year"."""
    if len(lines) == 1:
        return _of_line(n, lines[0], label)
    rest = " ".join(lines[1:])
    identifiers, named = _identifiers(rest)
    year = _YEAR.search(named)
    bare = one_line(_LAST_YEAR.sub("", named)).rstrip(".,") or None
    by_authors = label.lower().endswith(("guideline", "guidelines"))
    return Entry(
        n=n,
        label=label,
        title=_title(lines[0]),
        authors=(bare,) if by_authors and bare else (),
        journal=None if by_authors else bare,
        year=int(year[1]) if year else None,
        **identifiers,
    )


def _identifiers(line: str) -> tuple[dict[str, Any], str]:
    """Return DOI, PMID, PMC id and address of a line, and the line without them."""
    doi, pmid, pmcid = (pattern.search(line) for pattern in (_DOI, _PMID, _PMCID))
    bare = _PMCID.sub("", _PMID.sub("", _DOI.sub("", line)))
    address = _URL.search(bare)
    found = {
        "doi": doi[1].rstrip(".,;)") if doi else None,
        "pmid": pmid[1] if pmid else None,
        "pmcid": f"PMC{pmcid[1]}" if pmcid else None,
        "url": address.group().rstrip(".,;)") if address else None,
    }
    return found, one_line(_LEADS.sub("", _URL.sub("", bare)))


def _of_line(n: int, line: str, label: str = "") -> Entry:
    """Read "Authors. Title. Journal. Year;volume(issue):pages." or "Authors (year). Title. Journal"; else all is the title."""
    identifiers, bare = _identifiers(line)
    years = _YEAR.findall(bare)
    issue = _ISSUE.search(bare)
    authors, title, journal = _three_parts(bare)
    return Entry(
        n=n,
        label=label,
        title=_title(title or line),
        authors=tuple(authors),
        journal=journal,
        year=int(years[-1] if not issue else issue.group()[:4]) if years else None,
        volume=issue[1] if issue else None,
        issue=issue[2] if issue else None,
        pages=issue[3] if issue else None,
        **identifiers,
    )


def _three_parts(line: str) -> tuple[list[str], str, str | None]:
    """Return authors, title and journal."""
    if found := _APA.match(line):
        parts = _STOP.split(found[3], maxsplit=1)
        names = re.split(r"(?<=\.),\s(?:&\s)?|\s&\s", found[1])
        return [_initialled(name) for name in names], parts[0], _journal(parts[1] if len(parts) > 1 else "")
    parts = _STOP.split(line)
    if len(parts) > 1 and _BODIES.search(parts[0]) and len(parts[0].split()) <= _LONGEST_BODY:
        return [parts[0].rstrip(".")], _LAST_YEAR.sub("", parts[1]), _journal(" ".join(parts[2:]))
    if len(parts) > 1 and _NAMES.fullmatch(parts[0].rstrip(".")):
        authors = [name.strip(" .") for name in parts[0].split(",") if name.strip(" .") and name.strip(" .") != "et al"]
        return authors, parts[1], _journal(" ".join(parts[2:]))
    return [], parts[0], _journal(" ".join(parts[1:]))


def _initialled(name: str) -> str:
    surname, _, given = name.partition(",")
    return one_line(f"{surname} {re.sub(r'[^A-Z]', '', given)}")


def _journal(rest: str) -> str | None:
    """Return what stands before year, volume or stop."""
    bare = re.split(r"[.;,]?\s*(?:(?:19|20)[0-9]{2}|[0-9]{1,4}\s?\(|,\s?[0-9])", rest, maxsplit=1)[0]
    return one_line(bare).strip(" .,;") or None


def _title(text: str) -> str:
    bare = one_line(text)[:_LONGEST_TITLE].rstrip()
    return bare[:-1] if bare.endswith(".") and not bare.endswith("..") else bare
