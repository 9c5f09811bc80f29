"""Fields of a record -> Work -> Document: what every importer of references hands over, with identifiers that fit or are None."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace

from assistant.records import Document, Source
from assistant.text import markup
from assistant.text.plain import one_line, slug
from assistant.text.sentences import split
from assistant.text.words import STOP_WORDS

# Publication type -> evidence level; the first match wins.
LEVELS = (
    ("Practice Guideline", "guideline"),
    ("Guideline", "guideline"),
    ("Consensus Development Conference", "guideline"),
    ("Consensus Development Conference, NIH", "guideline"),
    ("Meta-Analysis", "meta-analysis"),
    ("Systematic Review", "systematic-review"),
    ("Randomized Controlled Trial", "rct"),
    ("Controlled Clinical Trial", "controlled-trial"),
    ("Clinical Trial", "trial"),
    ("Clinical Trial, Phase I", "trial"),
    ("Clinical Trial, Phase II", "trial"),
    ("Clinical Trial, Phase III", "trial"),
    ("Clinical Trial, Phase IV", "trial"),
    ("Pragmatic Clinical Trial", "trial"),
    ("Observational Study", "observational"),
    ("Review", "review"),
    ("Case Reports", "case-report"),
    ("Letter", "opinion"),
    ("Editorial", "opinion"),
    ("Comment", "opinion"),
)
LONGEST_ABSTRACT = 50_000  # characters; the longest structured abstracts have about 8,000
_TITLE_WORD = 4  # letters that a word of a title needs to name a work
_DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]{1,9}){0,4}/[^\s<>\"]+")
_PMID = re.compile(r"[1-9][0-9]{0,7}")
_PMCID = re.compile(r"(?:PMC)?([1-9][0-9]{0,8})(?:\.[0-9]+)?", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s/<>\"]+[^\s<>\"]*")
_YEAR = re.compile(r"(?<![0-9])(?:1[5-9]|20)[0-9]{2}(?![0-9])")
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/(licenses|publicdomain)/([a-z-]{2,12})/?([0-9]\.[0-9])?", re.IGNORECASE)
_CC_WORDS = re.compile(
    r"\bcreative commons attribution\b|\bCC[ -]BY(?=[\s.,;)(-]|$)(?:[ -](?:NC|ND|SA))*+(?:[ -]([0-9]\.[0-9]))?", re.IGNORECASE
)
_RESTRICTED = re.compile(r"non[- ]?commercial|no commercial|\bNC\b|no[- ]?deriv|\bND\b", re.IGNORECASE)
_SHARE_ALIKE = re.compile(r"share[- ]?alike|\bSA\b", re.IGNORECASE)
_LABEL = re.compile(r"(?:^|(?<=[.?!)] ))([A-Z][A-Z ,/&()-]{1,60}[A-Z)]):\s+(?=\S)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A work as a file describes it.

    ``abstract`` holds (label or "", text) pairs, ``origin`` is the kind of file, ``notes`` are for the editor.
    """

    title: str
    source: Source
    origin: str
    abstract: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record, or the rest of a file, could not be read, and the way out."""

    text: str


def level(types: Iterable[str]) -> str:
    """Return the evidence level of a work with these publication types."""
    found = set(types)
    return next((name for kind, name in LEVELS if kind in found), "other")


def doi(text: str | None) -> str | None:
    """Return the DOI in ``text`` (bare, with ``doi:`` or as an address).

    >>> doi("https://doi.org/10.3390/medsci6040082."), doi("n/a")
    ('10.3390/medsci6040082', None)
    """
    found = _DOI.search(text or "")
    return found.group().rstrip(".,;") if found else None


def pmid(text: str | None) -> str | None:
    """Return ``text`` when it is a PubMed id."""
    bare = (text or "").strip()
    return bare if _PMID.fullmatch(bare) else None


def pmcid(text: str | None) -> str | None:
    """Return the PMC id with its letters.

    >>> pmcid("3166277"), pmcid("PMC6313374.1")
    ('PMC3166277', 'PMC6313374')
    """
    found = _PMCID.fullmatch((text or "").strip())
    return f"PMC{found[1]}" if found else None


def url(text: str | None) -> str | None:
    """Return the first web address in ``text``."""
    found = _URL.search(text or "")
    return found.group().rstrip(".,;)") if found else None


def year(text: str | None) -> int | None:
    """Return the first year in ``text``.

    >>> year("2019 Nov-Dec"), year("in press")
    (2019, None)
    """
    found = _YEAR.search(text or "")
    return int(found.group()) if found else None


def line(text: str | None) -> str | None:
    """Return ``text`` on one line, None when nothing is left."""
    return one_line(text or "") or None


def name(text: str) -> str:
    """Return a name as surname and initials; one without a comma is a group and stays.

    >>> name("Casbon, James A."), name("FIXTURE Study Group"), name("Uzan, Jean-Philippe")
    ('Casbon JA', 'FIXTURE Study Group', 'Uzan JP')
    """
    surname, comma, given = one_line(text).partition(",")
    return f"{surname.strip()} {initials(given)}".strip() if comma else surname


def initials(given: str) -> str:
    """Return the initials of given names; names of capitals alone are initials already.

    >>> initials("John J"), initials("G. A."), initials("MR")
    ('JJ', 'GA', 'MR')
    """
    parts = [part for part in re.split(r"[\s.,-]+", given) if part]
    if len(parts) == 1 and parts[0].isupper():
        return parts[0]
    return "".join(part[0] for part in parts).upper()


def title(text: str | None) -> str:
    """Return a title on one line without its full stop."""
    bare = one_line(text or "")
    return bare[:-1].rstrip() if bare.endswith(".") and not bare.endswith("..") else bare


def licence(text: str) -> str:
    """Return the SPDX id of the licence that ``text`` (statement or address) plainly grants, else ``unknown``.

    Of several the strictest counts. Words such as "open access" or "public domain" alone grant nothing.

    >>> licence("http://creativecommons.org/licenses/by/2.0"), licence("CC BY-NC 4.0"), licence("© 2024 The Authors.")
    ('CC-BY-2.0', 'CC-BY-NC', 'unknown')
    """
    links = [_of_link(*found.groups()) for found in _CREATIVE_COMMONS.finditer(text)]
    if links:
        return max(links, key=len)
    found = _CC_WORDS.search(text)
    if not found:
        return "unknown"
    if _RESTRICTED.search(text):
        return "CC-BY-NC"
    kind = "CC-BY-SA" if _SHARE_ALIKE.search(text) else "CC-BY"
    return f"{kind}-{found[1]}" if found[1] else kind


def _of_link(folder: str, kind: str, version: str | None) -> str:
    if folder.lower() == "publicdomain":
        return {"zero": "CC0-1.0", "mark": "PD"}.get(kind.lower(), "unknown")
    return f"CC-{kind.upper().strip('-')}" + (f"-{version}" if version else "")


def parts(text: str | None) -> tuple[tuple[str, str], ...]:
    """Cut an abstract at its labels, if it begins with one.

    >>> parts("AIM: To see. RESULTS: Pain fell."), parts("Pain fell.")
    ((('AIM', 'To see.'), ('RESULTS', 'Pain fell.')), (('', 'Pain fell.'),))
    """
    bare = one_line(text or "")[:LONGEST_ABSTRACT]
    labels = list(_LABEL.finditer(bare))
    if not labels or labels[0].start():
        return (("", bare),) if bare else ()
    ends = [found.start() for found in labels[1:]] + [len(bare)]
    cut = ((found[1], bare[found.end() : end].strip()) for found, end in zip(labels, ends, strict=True))
    return tuple(part for part in cut if part[1])


def body(abstract: Sequence[tuple[str, str]]) -> str:
    """Return an abstract as the body of a corpus file: labels are headings, each sentence has its line."""
    lines: list[str] = []
    for label, text in abstract:
        if bare := _heading(label):
            lines += ["", f"## {bare}"] if lines else [f"## {bare}"]
        lines += [markup.literal(text[start:end]) for start, end in split(text)]
    return "\n".join(lines) + "\n" if lines else ""


def _heading(label: str) -> str:
    bare = one_line(label).rstrip(":. ")
    if bare.upper() in ("UNLABELLED", "UNASSIGNED", "ABSTRACT"):
        return ""
    return bare.capitalize() if bare.isupper() else bare


def document(work: Work, id_: str, abstract_source: str | None) -> Document:
    """Return ``work`` as a reference; its abstract is kept when ``abstract_source`` says by which right."""
    keep = abstract_source is not None and bool(work.abstract)
    text, units = markup.read(body(work.abstract) if keep else "", id_, citations=False)
    source = replace(work.source, abstract_kind="verbatim" if keep else "none", abstract_source=abstract_source if keep else None)
    return Document(id=id_, title=work.title, text=text, units=units, source=source)


def identify(work: Work, taken: Container[str]) -> str:
    """Return an id that is not ``taken``: first author, word of the title, year, such as lie-naltrexone-2018."""
    author = slug(_surname(work.source.authors), words=2, longest=30)
    words = [w for w in slug(work.title, words=40, longest=300).split("-") if len(w) >= _TITLE_WORD and w not in STOP_WORDS]
    chosen = words[: 1 if author else 3]
    named = [author, *chosen, str(work.source.year) if work.source.year else ""]
    base = "-".join(part for part in named if part)[:90] or "work"
    numbered = (f"{base}-{n}" for n in range(2, 100_000))
    return next(id_ for id_ in (base, *numbered) if id_ not in taken) if base in taken else base


def _surname(authors: tuple[str, ...]) -> str:
    """Return the first author without initials; groups keep their first words."""
    first, _, last = (authors[0] if authors else "").rpartition(" ")
    return first if last.isupper() and first else f"{first} {last}".strip()
