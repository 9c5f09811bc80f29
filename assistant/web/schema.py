"""What programs send and get, as pydantic models: requests are checked by them, answers are described by them in OpenAPI."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from assistant.questions import MAX_CHARACTERS
from assistant.records import Outcome, Reader, Reason, Turn
from assistant.store import Verdict
from assistant.text.plain import one_line

Words = Annotated[str, Field(max_length=MAX_CHARACTERS)]
Name = Annotated[str, Field(max_length=200)]
Names = Annotated[tuple[Name, ...], Field(max_length=50)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Note = Annotated[str, Field(max_length=300, pattern=r"^[^\r\n]*$"), AfterValidator(one_line)]


class _Sent(BaseModel):
    """A part of a request: what is not named here is refused."""

    model_config = ConfigDict(extra="forbid")


class PastTurn(_Sent):
    """An earlier exchange, as the client kept it; the fields of an answer that are named alike."""

    asked: Words
    interpreted: Words = ""
    passages: Names = ()
    suggestions: Annotated[tuple[Words, ...], Field(max_length=50)] = ()


class Asked(_Sent):
    """A question, and the conversation before it: the server remembers none."""

    question: Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
    article: Annotated[Name | None, Field(description="Id of an article; null: the whole site.")] = None
    reader: Annotated[Reader, Field(description="Changes the words around quotations, never a quotation.")] = Reader.CLINICIAN
    history: Annotated[tuple[PastTurn, ...], Field(max_length=50, description="Earlier turns, oldest first.")] = ()
    without: Annotated[Names, Field(description="Inherited terms that the reader took away.")] = ()

    def turns(self) -> list[Turn]:
        """Return the history as the records know it."""
        return [Turn(past.asked, past.interpreted, past.passages, past.suggestions) for past in self.history]


class Opinion(_Sent):
    """What a reader says of an answer, sent when the reader presses the button and only then."""

    verdict: Verdict
    receipt: Annotated[Sha256, Field(description="`receipt.answer_sha256` of the answer.")]
    article: Annotated[Name | None, Field(description="Id of the article that was asked about.")] = None
    outcome: Annotated[Outcome | None, Field(description="`outcome` of the answer.")] = None
    note: Annotated[Note | None, Field(description="One line, kept as it is: tell readers to name nobody in it.")] = None
    share_question: Annotated[StrictBool, Field(description="True: the reader agreed that the question is kept.")] = False
    question: Annotated[Words | None, Field(description="Kept only when `share_question` is true.")] = None


class Kept(BaseModel):
    """What was kept of an opinion."""

    kept: Literal[True] = True
    question_kept: bool


class TermObject(BaseModel):
    """A term that the question did not hold, and where it was taken from."""

    text: str
    why: str


class SentenceObject(BaseModel):
    """A quotation with the numbers of its citations."""

    text: str
    citations: Annotated[list[int], Field(min_length=1)]


class ClaimObject(SentenceObject):
    """A sentence of the answer."""

    kind: str


class NoticeObject(BaseModel):
    """What must be said beside the answer; ``citations`` may be empty when the site itself says it."""

    kind: str
    text: str
    citations: list[int]


class CitationObject(BaseModel):
    """A source. ``start``/``end`` are code points of ``quote`` in the document; ``number`` is that of the reference list."""

    n: int
    document: str
    kind: Literal["article", "reference"]
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
    number: int | None


class SpanObject(BaseModel):
    """Where a quotation stands, and its hash."""

    document: str
    start: int
    end: int
    sha256: Sha256


class TurnObject(BaseModel):
    """An earlier exchange as the receipt keeps it."""

    asked: str
    interpreted: str
    passages: list[str]
    suggestions: list[str]


class ReceiptObject(BaseModel):
    """What made the answer: the same question to the same engine and corpus gives the same answer, byte for byte."""

    engine: str
    encoder: str
    reranker: str
    corpus: str
    question: str
    interpreted: str
    article: str | None
    writer: str
    reader: Reader
    without: list[str]
    history: list[TurnObject]
    locale: str
    spans: list[SpanObject]
    answer_sha256: Sha256


class WriterObject(BaseModel):
    """How a language model took part in an answer."""

    model: str
    written: int
    removed: int
    not_covered: bool
    failure: str


class AnswerObject(BaseModel):
    """An answer: claims, or the nearest passages without a claim, or the reason why there is neither."""

    outcome: Outcome
    asked: str
    interpreted: str
    inherited: list[TermObject]
    claims: list[ClaimObject]
    nearest: list[SentenceObject]
    citations: list[CitationObject]
    notices: list[NoticeObject]
    suggestions: list[str]
    reason: Reason | None
    missing: list[str]
    message: str
    writer: WriterObject | None
    passages: list[str]
    disclaimer: str
    receipt: ReceiptObject


class ArticleEntry(BaseModel):
    """An article that can be asked about."""

    id: str
    title: str
    question: str
    status: str
    status_meaning: str
    last_updated: str | None
    references: int


class ArticleSentence(BaseModel):
    """A sentence or list item: ``start``/``end`` are those of citations, ``references`` numbers of the reference list."""

    text: str
    start: int
    end: int
    item: bool
    references: list[int]


class Section(BaseModel):
    """The sentences under one path of headings; the text before the first heading has none."""

    heading: list[str]
    sentences: list[ArticleSentence]


class Reference(BaseModel):
    """An entry of the reference list. What is unknown is null or left out of ``links``, never guessed."""

    n: int
    id: str
    title: str | None
    authors: list[str]
    journal: str | None
    year: int | None
    evidence: str | None
    badge: str | None
    retraction: str | None
    links: Annotated[dict[str, str], Field(description="doi, pubmed, pmc and source: https addresses.")]


class Reviewer(BaseModel):
    """Who has checked an article, and as what."""

    name: str
    role: str


class ArticleObject(BaseModel):
    """An article as the site publishes it."""

    id: str
    title: str
    question: str
    language: str
    status: str
    status_meaning: str
    reviewed_by: list[Reviewer]
    reviewed_on: str | None
    last_updated: str | None
    editorial_policy: str | None
    sections: list[Section]
    references: list[Reference]
    suggestions: list[str]
    disclaimer: str


class SiteObject(BaseModel):
    """What this server is and what it keeps."""

    automated: Literal[True] = True
    engine: str
    corpus: str
    articles: int
    feedback: Annotated[bool, Field(description="Whether feedback is kept here.")]
    limit: Annotated[int, Field(description="Questions a minute from one address; 0: no limit.")]
    disclaimer: str


class Problem(BaseModel):
    """A problem document (RFC 9457). It never repeats what was sent."""

    type: str
    title: str
    status: int
    detail: str


FIELDS = frozenset({"body", *Asked.model_fields, *PastTurn.model_fields, *Opinion.model_fields})
