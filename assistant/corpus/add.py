"""Pages, records and PubMed ids -> files of a corpus, and a Report of what an editor must look at.

No status is ever set to approved, no existing text is replaced. A record that knows a work by its bibliography alone is filled
when the work comes again with identifiers or an abstract: it keeps its id, so the articles that cite it gain the text.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from assistant import articles, references
from assistant.articles.bibliography import Entry
from assistant.articles.pages import Draft
from assistant.corpus import files, incoming, suspicion
from assistant.corpus.check import OPEN_LICENCES
from assistant.errors import AssistantError, CorpusError, ImportFileError
from assistant.records import CitedWork, Document, Source
from assistant.references import eutils, work
from assistant.references.work import Fault, Work
from assistant.text.words import words

_EMPTY = (None, (), "unknown", "other")
_SHOWN_BLANKS = ("authors", "journal", "year", "volume", "issue", "pages", "doi", "pmid", "pmcid", "url")
_GRAVE = ("retracted", "concern", "corrected")
_LABELS = {
    "review": "review",
    "systematic review": "systematic-review",
    "meta-analysis": "meta-analysis",
    "label": "label",
    "drug label": "label",
    "fda label": "label",
}
_KEEP = "If the site may show it, add the file again with --keep-verbatim; else write a summary."


@dataclass(frozen=True, slots=True)
class Report:
    """What was done, one text an entry, each with the file it is about."""

    written: tuple[str, ...]
    updated: tuple[str, ...]
    skipped: tuple[str, ...]
    blanks: tuple[str, ...]
    conversions: tuple[str, ...]
    problems: tuple[str, ...]


def add(
    paths: Sequence[Path],
    folder: Path,
    *,
    keep_verbatim: bool = False,
    pmids: Sequence[str] = (),
    email: str | None = None,
    api_key: str | None = None,
    base_url: str = eutils.BASE_URL,
) -> Report:
    """Add files and PubMed ids to the corpus in ``folder``, which is made if it is missing.

    ``keep_verbatim`` states that the site may show abstracts whose licence does not say so. What cannot be read stands under
    ``problems``; what was read before it is kept.

    Raises:
        BadInputError: an id is no PubMed id, or the address that NCBI asks for is missing.
        CorpusError: the folder cannot be made.
    """
    asked = eutils.checked(pmids, email)
    run = _Run(folder, keep_verbatim=keep_verbatim)
    for path in paths:
        run.take_all(incoming.read(path), path.name)
    if asked:
        run.take_all(eutils.fetch(asked, email, api_key, base_url), "PubMed")
    return run.report()


@dataclass(slots=True)
class _Rows:
    """A report in the making."""

    written: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    blanks: list[str] = field(default_factory=list)
    conversions: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _Run:
    """One call of ``add``: the corpus as it stands, and the rows of the report."""

    def __init__(self, folder: Path, *, keep_verbatim: bool) -> None:
        self.folder = folder
        self.keep_verbatim = keep_verbatim
        self.rows = _Rows()
        self.references: dict[str, Document] = {}
        self.known: dict[str, list[str]] = {}  # DOI, PMID, PMC id or title with year -> ids
        _make(folder)
        self.taken = {path.stem for kind in ("articles", "references") for path in (folder / kind).glob("*.md")}
        for file in files.read(folder)[0]:
            self.taken.add(file.document.id)
            if file.document.source:
                self._remember(file.document)

    def report(self) -> Report:
        """Return the rows so far."""
        return Report(**{each.name: tuple(getattr(self.rows, each.name)) for each in fields(_Rows)})

    def take_all(self, found: Iterator[incoming.Found], name: str) -> None:
        """Add what a file holds; a fault ends the file, not the run."""
        try:
            for each in found:
                self.take(each)
        except AssistantError as error:
            self.rows.problems.append(str(error))
        except (OSError, EOFError, zlib.error) as error:
            cause = getattr(error, "strerror", None) or str(error) or "it ends too early"
            self.rows.problems.append(
                f"{name}: the file cannot be read: {cause}. See that it is there and whole; what was read before is kept."
            )

    def take(self, found: incoming.Found) -> None:
        """Add one thing that was found in a file."""
        if isinstance(found, Fault):
            self.rows.problems.append(found.text)
        elif isinstance(found, Work):
            self.add_work(found)
        elif isinstance(found, Draft):
            self.add_page(found)
        else:
            self.add_own(found)

    # Works

    def add_work(self, found: Work, *, listed: bool = False) -> str:
        """Write or fill the record of a work and return its id; ``listed`` works come from the reference list of a page."""
        right = self._right(found)
        held = self._held(found)
        if held is None:
            id_ = work.identify(found, self.taken)
            self._write(work.document(found, id_, right), "references")
        else:
            id_ = held.id
            self._fill(held, work.document(found, id_, right), listed=listed)
        self._say(f"references/{id_}.md", found, left_out=bool(found.abstract) and right is None)
        return id_

    def _right(self, found: Work) -> str | None:
        """Return what stands in ``abstract_source`` when the abstract may be kept."""
        if found.abstract and OPEN_LICENCES.fullmatch(found.source.licence):
            return f"{found.origin} record, {found.source.licence}"
        return (
            f"{references.RIGHT}stated by the site at import; {found.origin} record"
            if found.abstract and self.keep_verbatim
            else None
        )

    def _held(self, found: Work) -> Document | None:
        """Return the record of the same work: the same identifier, or the same title and year when nothing contradicts."""
        same = (self.references[id_] for key in _keys(found.title, found.source) for id_ in self.known.get(key, ()))
        return next((held for held in same if not _contradicts(held, found)), None)

    def _fill(self, held: Document, new: Document, *, listed: bool) -> None:
        name = f"references/{held.id}.md"
        old_state, state = _state(held), _state(new)
        if held.text or _source(held).abstract_kind != "none":
            if state in _GRAVE and state != old_state:
                self.rows.problems.append(
                    f"{name}: the work is now marked {state}, the record says {old_state}. Set its retraction by hand."
                )
            elif not listed:
                self.rows.skipped.append(f"{name}: already in the corpus; its text is kept.")
            return
        filled = _filled(held, new)
        if filled != held:
            self._write(filled, "references")
        elif not listed:
            self.rows.skipped.append(f"{name}: unchanged.")

    def _say(self, name: str, found: Work, *, left_out: bool) -> None:
        held = self.references[name.removeprefix("references/").removesuffix(".md")]
        if left_out and not held.text:
            self.rows.skipped.append(f"{name}: the abstract was left out (licence {found.source.licence}). {_KEEP}")
        blank = [field for field in _SHOWN_BLANKS if getattr(_source(held), field) in _EMPTY]
        if blank and not any(row.startswith(f"{name}: ") for row in self.rows.blanks):
            self.rows.blanks.append(f"{name}: {', '.join(blank)}")
        self.rows.conversions += [f"{name}: {note}" for note in found.notes]

    def _remember(self, document: Document) -> None:
        self.references[document.id] = document
        for key in _keys(document.title, _source(document)):
            ids = self.known.setdefault(key, [])
            ids += [document.id] * (document.id not in ids)

    # Articles

    def add_page(self, draft: Draft) -> None:
        """Write an article and the works of its reference list, the works first."""
        cited = tuple(CitedWork(entry.n, self.add_work(_listed(entry), listed=True)) for entry in draft.entries)
        page = draft.article.page
        article = replace(draft.article, page=replace(page, references=cited) if page else None)
        name = f"articles/{article.id}.md"
        if self._write_new(article, "articles"):
            self.rows.blanks += [f"{name}: {blank}" for blank in draft.blanks]
            self.rows.conversions += [f"{name}: {change}" for change in draft.changes]

    def add_own(self, document: Document) -> None:
        """Write a file of our own format, without its approval and without a text that nobody may show."""
        if document.page and (document.page.status == "approved" or document.page.approved_sha256):
            page = replace(document.page, status="under-review", reviewed_by=(), reviewed_on=None, approved_sha256=None)
            document = replace(document, page=page)
            self.rows.conversions.append(
                f"articles/{document.id}.md: its approval was not taken over; the status is under-review."
            )
        if document.source:
            document = self._with_right(document, document.source)
        if self._write_new(document, "articles" if document.page else "references") and document.page:
            missing = sorted({entry.ref for entry in document.page.references} - self.references.keys())
            self.rows.blanks += [f"articles/{document.id}.md: references/{ref}.md is not there yet" for ref in missing]

    def _with_right(self, document: Document, source: Source) -> Document:
        stated = (source.abstract_source or "").startswith(references.RIGHT)
        if source.abstract_kind != "verbatim" or stated or OPEN_LICENCES.fullmatch(source.licence):
            return document
        if self.keep_verbatim:
            return replace(document, source=replace(source, abstract_source=f"{references.RIGHT}stated by the site at import"))
        self.rows.skipped.append(f"references/{document.id}.md: the abstract was left out (licence {source.licence}). {_KEEP}")
        return replace(document, text="", units=(), source=replace(source, abstract_kind="none", abstract_source=None))

    # Files

    def _write_new(self, document: Document, kind: str) -> bool:
        """Write a document unless its id is taken by another text; tell whether it was written."""
        name = f"{kind}/{document.id}.md"
        if document.id not in self.taken:
            self._write(document, kind)
            return True
        target = self.folder / name
        same = target.is_file() and target.read_bytes() == _serialised(document).encode()
        way_out = "the id is taken and the text there differs. Delete or rename the old file, then add the new one again."
        self.rows.skipped.append(f"{name}: {'unchanged.' if same else way_out}")
        return False

    def _write(self, document: Document, kind: str) -> None:
        name = f"{kind}/{document.id}.md"
        text = _serialised(document)
        parse: Callable[[str, str], Document] = articles.parse if document.page else references.parse
        parse(text, name)
        _replace(self.folder, name, text)
        if document.id not in self.taken:
            self.rows.written.append(name)
        elif name not in self.rows.written and name not in self.rows.updated:
            self.rows.updated.append(name)
        self.taken.add(document.id)
        if document.source:
            self._remember(document)
        self.rows.problems += _quarantined(name, text)


def _serialised(document: Document) -> str:
    return articles.serialise(document) if document.page else references.serialise(document)


def _source(document: Document) -> Source:
    return document.source or Source(type="other")


def _state(document: Document) -> str:
    return _source(document).retraction.state


def _keys(title: str, source: Source) -> Iterator[str]:
    """Yield what tells a work from others, the surest first."""
    for name in ("doi", "pmid", "pmcid"):
        if number := getattr(source, name):
            yield f"{name} {number.lower()}"
    if source.year:
        yield f"title {source.year} {' '.join(words(title))}"


def _contradicts(held: Document, found: Work) -> bool:
    """Tell whether identifiers differ, or the first authors where no identifier agrees."""
    old, new = _source(held), found.source
    pairs = [(getattr(old, name), getattr(new, name)) for name in ("doi", "pmid", "pmcid")]
    known = [(a.lower(), b.lower()) for a, b in pairs if a and b]
    if any(a == b for a, b in known):
        return False
    if known:
        return True
    return bool(old.authors and new.authors) and words(old.authors[0])[:1] != words(new.authors[0])[:1]


def _filled(held: Document, new: Document) -> Document:
    """Return ``held`` with its empty fields, its state and its text from ``new``; what an editor wrote stays."""
    old, more = _source(held), _source(new)
    values: dict[str, Any] = {each.name: getattr(old, each.name) for each in fields(Source)}
    for name, value in values.items():
        if value in _EMPTY and getattr(more, name) not in _EMPTY:
            values[name] = getattr(more, name)
    if old.evidence_note:
        values |= {"type": old.type, "evidence_level": old.evidence_level}
    if more.retraction.state != "unknown":
        values["retraction"] = more.retraction
    if new.text:
        values |= {name: getattr(more, name) for name in ("licence", "abstract_kind", "abstract_source")}
    text, units = (new.text, new.units) if new.text else (held.text, held.units)
    return replace(held, text=text, units=units, source=Source(**values))


def _listed(entry: Entry) -> Work:
    """Return an entry of a page's list as a work. A "guideline" that can be found nowhere else is the site's own overview."""
    is_guideline = entry.label.lower().startswith(("guideline", "practice guideline"))
    elsewhere = entry.doi or entry.pmid or entry.url
    kind = ("guideline" if elsewhere else "house-overview") if is_guideline else _LABELS.get(entry.label.lower(), "other")
    source = Source(
        type=kind,
        authors=entry.authors,
        journal=entry.journal,
        year=entry.year,
        volume=entry.volume,
        issue=entry.issue,
        pages=entry.pages,
        doi=work.doi(entry.doi),
        pmid=work.pmid(entry.pmid),
        pmcid=work.pmcid(entry.pmcid),
        url=work.url(entry.url),
        evidence_level=kind,
    )
    return Work(title=entry.title, source=source, origin="reference list")


def _quarantined(name: str, text: str) -> Iterable[str]:
    for number, line in enumerate(text.split("\n"), 1):
        if found := suspicion.instruction(line):
            yield f"{name}:{number}: the words {found!r} read like an instruction to a machine; the file is unused until they go."


def _make(folder: Path) -> None:
    try:
        for kind in ("articles", "references"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            if not (folder / kind).resolve().is_relative_to(folder.resolve()):
                raise CorpusError(f"{folder / kind} leads out of the corpus folder. Put a real folder in its place.")
    except OSError as error:
        raise CorpusError(f"The corpus folder {folder} cannot be made: {error.strerror}. Name another one.") from error


def _replace(folder: Path, name: str, text: str) -> None:
    """Write a file whole or not at all."""
    target = folder / name
    try:
        with NamedTemporaryFile("w", encoding="utf-8", newline="\n", dir=target.parent, prefix=".", delete=False) as temporary:
            temporary.write(text)
        part = Path(temporary.name)
        part.chmod(0o644)
        part.replace(target)
    except OSError as error:
        raise ImportFileError(
            f"{name} cannot be written: {error.strerror}. See that the folder is writable and not full."
        ) from error
