"""The types that flow: Document, Passage, Query, Hit, Claim, Notice, Answer; none can be built wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from assistant.errors import UnsupportedClaimError

DISCLAIMER = (
    "For healthcare professionals and for education. These are quotations from the cited sources, not medical advice. "
    "Check them against the primary literature and current practice, and use clinical judgement, before any decision about care."
)

MODEL_DISCLAIMER = DISCLAIMER.replace(
    "These are quotations from the cited sources", "A language model worded these sentences from the cited sources"
)
MODEL, QUOTE = "model", "quote"  # kinds of a claim where a language model writes: its own words, or the source's


class Outcome(StrEnum):
    """What an answer is: claims, the nearest passages without a claim, or a reason why there is neither."""

    ANSWERED = "answered"
    CLOSEST = "closest"
    DECLINED = "declined"


class Reason(StrEnum):
    """Why a question was declined."""

    EMERGENCY = "emergency"
    OTHER_DRUG = "other-drug"
    NOT_COVERED = "not-covered"
    OUT_OF_SCOPE = "out-of-scope"
    UNREADABLE = "unreadable"


class Reader(StrEnum):
    """Who asks; changes the words around quotes, never a quote."""

    CLINICIAN = "clinician"
    PATIENT = "patient"
    RESEARCHER = "researcher"


@dataclass(frozen=True, slots=True)
class Retraction:
    """State of a work at its publisher: none, corrected, concern, retracted or unknown; ISO date of the check."""

    state: str = "unknown"
    checked_on: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Bibliography of a reference. Unknown is None, never guessed."""

    type: str
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
    publication_types: tuple[str, ...] = ()
    evidence_level: str = "other"
    evidence_note: str | None = None
    design: str | None = None
    verdict: str | None = None
    retraction: Retraction = Retraction()
    licence: str = "unknown"
    abstract_kind: str = "none"
    abstract_source: str | None = None
    verified_by: str | None = None


@dataclass(frozen=True, slots=True)
class CitedWork:
    """Entry of an article's reference list: ``n`` is the number in the text, ``ref`` the id of a reference."""

    n: int
    ref: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """A line of the article (by anchor) that other works contradict; ``by`` are ids of references."""

    line: str
    by: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What an article's page says of itself."""

    question: str
    language: str = "en"
    audience: str = "clinician"
    status: str = "submitted"
    reviewed_by: tuple[tuple[str, str], ...] = ()
    reviewed_on: str | None = None
    approved_sha256: str | None = None
    last_updated: str | None = None
    editorial_policy: str | None = None
    disclaimer: str = "professional-v1"
    topics: tuple[str, ...] = ()
    references: tuple[CitedWork, ...] = ()
    related: tuple[str, ...] = ()
    disputed: tuple[Dispute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A citable sentence or list item: ``document.text[start:end]``, code points.

    ``lead`` is the span of the list's lead-in sentence, without which an item cannot be read.
    """

    start: int
    end: int
    heading: tuple[str, ...] = ()
    item: bool = False
    lead: tuple[int, int] | None = None
    refs: tuple[int, ...] = ()
    anchor: str | None = None

    def __hash__(self) -> int:
        """Hash its place: units are looked up more often than any other record."""
        return hash((self.start, self.end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An article (``page`` set) or a reference (``source`` set). ``text`` is NFC with LF; offsets are code points.

    ``text`` holds the headings and lines of the body without markup; ``units`` are its sentences and items in order.
    """

    id: str
    title: str
    text: str
    units: tuple[Unit, ...]
    page: Page | None = None
    source: Source | None = None

    def __hash__(self) -> int:
        """Hash its id; its text is long."""
        return hash(self.id)

    @property
    def kind(self) -> str:
        """``article`` or ``reference``."""
        return "article" if self.page is not None else "reference"

    @property
    def may_support(self) -> bool:
        """Tell whether it may stand behind a claim: it has text, and is not retracted, withdrawn or under a concern."""
        if self.source is None:
            return self.page is not None and self.page.status != "withdrawn"
        return self.source.abstract_kind != "none" and self.source.retraction.state not in ("retracted", "concern")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A run of units under one heading path, the unit that is ranked; ``id`` is ``document#n``."""

    id: str
    document: str
    heading: tuple[str, ...]
    text: str
    start: int
    end: int
    refs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """A word the question did not hold, and the earlier words it was taken from or the correction it stands for."""

    text: str
    why: str  # "earlier question" | "the article" | "the suggestion you accepted" | "spelling of ..." | "long form of ..."


@dataclass(frozen=True, slots=True)
class Turn:
    """A past exchange as the client sends it back.

    The reader's words, how they were read, ids of the passages shown, suggestions offered.
    """

    asked: str
    interpreted: str = ""
    passages: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question that stands alone. ``asked`` are the reader's words; ``inherited`` can be taken away by the reader."""

    text: str
    asked: str
    inherited: tuple[Term, ...] = ()
    context: str = ""
    article: str | None = None
    reader: Reader = Reader.CLINICIAN
    shown: tuple[str, ...] = ()  # passages of the turn before
    leans: bool = False  # on the turn before: "and in that trial?"


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage, the unit of it that fits best, and how well it fits (0 to 1, comparable within one query only).

    ``why`` holds (ranker, score) pairs.
    """

    passage: Passage
    unit: Unit
    score: float
    why: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Support:
    """Where a claim stands: ``start``/``end`` (and ``lead``) are code points in the text of the passage's document."""

    passage: Passage
    start: int
    end: int
    lead: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer and where it stands; a claim cannot be without support.

    ``kind``: fact (quoted), or where a language model writes: model (worded by it, and checked) or quote.
    """

    text: str
    support: tuple[Support, ...]
    kind: str = "fact"

    def __post_init__(self) -> None:
        """Refuse a claim without support."""
        if not self.support:
            message = f"A claim has no passage behind it: {self.text!r}"
            raise UnsupportedClaimError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a language model took part: its name, how many of its sentences are shown and how many were removed.

    ``failure`` says why it could not be used, ``not_covered`` that it found no answer; then the claims are quotes.
    """

    model: str
    written: int = 0
    removed: int = 0
    not_covered: bool = False
    failure: str = ""

    @property
    def notice(self) -> Notice:
        """What a reader is told of it."""
        if self.failure:
            return Notice("writer", "The language model could not be used; these are quotes.")
        if self.not_covered:
            return Notice("writer", "The language model found no answer in these sentences; they are quotes.")
        removed = f"{self.removed} sentence{'s were' if self.removed > 1 else ' was'} removed" if self.removed else ""
        if not self.written:
            return Notice(
                "writer", f"No sentence of the language model passed the checks; these are quotes ({removed or 'it wrote none'})."
            )
        return Notice("writer", f"Written by a language model, checked against the sources{removed and '; ' + removed}.")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a writer made of the hits; ``writing`` is None where no language model took part.

    ``left_out`` are quotes that a language model passed over: what disputes them must still be said.
    """

    claims: tuple[Claim, ...]
    writing: Writing | None = None
    left_out: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that must be said beside an answer.

    Kinds: caution, off-label, conflict, second-hand, stale, retracted, self-published, premise, population, under-review,
    emergency, personal, writer.
    """

    kind: str
    text: str
    support: tuple[Support, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A numbered source of an answer; ``start``/``end`` are code points of ``quote`` in the document's text."""

    n: int
    document: str
    kind: str
    title: str
    section: str
    quote: str
    lead: str | None
    start: int
    end: int
    evidence: str
    badge: str
    year: int | None
    url: str | None
    review: str | None
    own_publisher: bool
    summary: bool
    number: int | None = None  # its number in the article's own reference list


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Exactly one outcome; the disclaimer is a property, so no interface can forget it."""

    query: Query
    outcome: Outcome
    claims: tuple[Claim, ...] = ()
    nearest: tuple[Support, ...] = ()
    notices: tuple[Notice, ...] = ()
    citations: tuple[Citation, ...] = ()
    suggestions: tuple[str, ...] = ()
    reason: Reason | None = None
    missing: tuple[str, ...] = ()
    message: str = ""
    receipt: tuple[tuple[str, object], ...] = ()
    writing: Writing | None = None

    def __post_init__(self) -> None:
        """Refuse an answer that is two things at once, or nothing."""
        right = {
            Outcome.ANSWERED: bool(self.claims) and not self.nearest and self.reason is None,
            Outcome.CLOSEST: bool(self.nearest) and not self.claims and self.reason is None,
            Outcome.DECLINED: self.reason is not None and not self.claims,
        }
        if not right[self.outcome]:
            message = f"An answer marked {self.outcome} holds {len(self.claims)} claims and {len(self.nearest)} nearest passages."
            raise UnsupportedClaimError(message)

    @property
    def disclaimer(self) -> str:
        """The medical disclaimer that every interface shows."""
        return MODEL_DISCLAIMER if any(claim.kind == MODEL for claim in self.claims) else DISCLAIMER
