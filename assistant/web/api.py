"""Assistant -> the interface for programs: questions as JSON or as events, articles, feedback, health, counts, OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import anyio
from fastapi import FastAPI, Path, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from assistant import __version__
from assistant.answers import as_dict
from assistant.errors import FeedbackError, UnknownArticleError
from assistant.pipeline import ENGINE
from assistant.records import DISCLAIMER, Document, Page
from assistant.store import Feedback, Store
from assistant.text.plain import one_line
from assistant.web import articles
from assistant.web.observe import Metrics
from assistant.web.problems import NO_FEEDBACK, described, reply, with_problem_type
from assistant.web.schema import AnswerObject, ArticleEntry, ArticleObject, Asked, Kept, Opinion, SiteObject

if TYPE_CHECKING:
    from assistant.pipeline import Assistant

JSON = "application/json"
EVENTS = "text/event-stream"
OFF_TOPIC = "Who won the football match last night?"
ABOUT = (
    "Answers follow-up questions under a medical article, only from the article and its references: quoted, cited, checked. "
    f"{DISCLAIMER} This is an automated assistant. No question is kept: the client sends its history with every question."
)


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes share. ``plain`` is the assistant whose answers are not counted, for the examples."""

    assistant: Assistant
    plain: Assistant
    metrics: Metrics
    store: Store | None
    limit: int


def add_interface(app: FastAPI, service: Service) -> None:
    """Add the routes for programs."""
    _add_questions(app, service)
    _add_articles(app, service)
    _add_feedback(app, service)
    _add_health(app, service)

    @cache
    def description() -> dict[str, Any]:
        plain = get_openapi(title=app.title, version=__version__, description=ABOUT, routes=app.routes)
        return with_examples(with_problem_type(plain), service.plain)

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        """Describe the interface, with answers of this very site as examples."""
        return JSONResponse(description())


# Questions


def _add_questions(app: FastAPI, service: Service) -> None:
    workers = anyio.CapacityLimiter(8)

    @app.post(
        "/api/v1/ask",
        response_model=AnswerObject,
        responses={
            200: {"description": _STREAMED, "content": {EVENTS: {}}},
            **described(400, 404, 408, 413, 415, 422, 429, 500, 503),
        },
    )
    async def ask(asked: Asked, request: Request) -> Response:
        """Answer one question; the conversation so far comes with it."""

        def work() -> dict[str, object]:
            return as_dict(service.assistant.ask(asked.question, asked.turns(), asked.article, asked.reader, asked.without))

        answer = await anyio.to_thread.run_sync(work, limiter=workers)
        request.state.outcome, request.state.reason = answer["outcome"], answer["reason"]
        return answered(answer, request.headers.get("accept", ""))


_STREAMED = (
    "The answer; with `Accept: text/event-stream` as the events `query`, `message`, `notice`, `claim`, `nearest` and `done`. "
    "Each sentence comes with its whole citations, and the data of `done` are the bytes of the JSON answer."
)


def answered(answer: Mapping[str, Any], accept: str) -> Response:
    """Return an answer as one JSON object, or as events when those are accepted."""
    whole = JSONResponse(answer)
    if EVENTS not in {kind.partition(";")[0].strip().lower() for kind in accept.split(",")}:
        return whole
    return EventSourceResponse(events(answer, bytes(whole.body).decode()), headers={"X-Accel-Buffering": "no"})


def events(answer: Mapping[str, Any], whole: str) -> Iterator[bytes]:
    """Yield an answer as server-sent events: no sentence without its citations, and at last ``done`` with the ``whole`` of it.

    Cautions go before the sentences they belong to: a stream that breaks must not leave a dose without them.
    """
    yield _event("query", {key: answer[key] for key in ("outcome", "asked", "interpreted", "inherited", "reason", "disclaimer")})
    if answer["message"]:
        yield _event("message", {"text": answer["message"]})
    for kind, rows in (("notice", "notices"), ("claim", "claims"), ("nearest", "nearest")):
        for row in answer[rows]:
            yield _event(kind, {**row, "citations": [answer["citations"][n - 1] for n in row["citations"]]})
    yield format_sse_event(event="done", data_str=whole)


def _event(name: str, data: Mapping[str, object]) -> bytes:
    return format_sse_event(event=name, data_str=bytes(JSONResponse(data).body).decode())


# Articles


def _add_articles(app: FastAPI, service: Service) -> None:
    assistant = service.assistant

    @app.get("/api/v1/articles", responses=described(500))
    def list_articles() -> list[ArticleEntry]:
        """List the articles that can be asked about."""
        return [articles.entry(document, page) for document, page in _pages(assistant)]

    @app.get("/api/v1/articles/{id}", responses=described(404, 422, 500))
    def article(name: Annotated[str, Path(alias="id")]) -> ArticleObject:
        """Return an article with its sentences, its reference list, and questions that it answers."""
        for document, page in _pages(assistant):
            if document.id == name:
                return articles.whole(document, page, assistant.retriever.documents, assistant.suggest(name))
        raise UnknownArticleError("There is no article with this id.")

    @app.get("/api/v1/site", responses=described(500))
    def site() -> SiteObject:
        """Say what this server is, what it answers from and what it keeps."""
        return SiteObject(
            engine=ENGINE,
            corpus=assistant.retriever.corpus_hash,
            articles=len(assistant.articles),
            feedback=service.store is not None,
            limit=service.limit,
            disclaimer=DISCLAIMER,
        )


def _pages(assistant: Assistant) -> Iterator[tuple[Document, Page]]:
    return ((document, document.page) for document in assistant.articles if document.page is not None)


# Feedback


def _add_feedback(app: FastAPI, service: Service) -> None:
    writers = anyio.CapacityLimiter(2)  # apart from those who answer: a locked file must not keep questions waiting

    @app.post(
        "/api/v1/feedback",
        status_code=201,
        response_model=Kept,
        responses=described(400, 404, 408, 413, 415, 422, 429, 500, 503),
    )
    async def feedback(opinion: Opinion) -> Kept | Response:
        """Keep what a reader chose to say of an answer: never the answer, and the question only when it is shared."""
        if service.store is None:
            return reply(503, NO_FEEDBACK)
        if opinion.article is not None:
            service.assistant.retriever.scope(opinion.article)
        row = row_of(opinion)
        try:
            await anyio.to_thread.run_sync(service.store.keep, row, limiter=writers)
        except FeedbackError:
            service.metrics.feedback.labels("lost").inc()
            raise
        service.metrics.feedback.labels("kept").inc()
        return Kept(question_kept=row.question is not None)


def row_of(opinion: Opinion) -> Feedback:
    """Return what is kept of an opinion: no time beyond the day, and no question that was not shared."""
    shared = one_line(opinion.question or "") if opinion.share_question else ""
    return Feedback(
        received_on=datetime.now(UTC).date().isoformat(),
        verdict=opinion.verdict.value,
        receipt=opinion.receipt,
        article=opinion.article,
        outcome=opinion.outcome.value if opinion.outcome else None,
        note=opinion.note or None,
        question=shared or None,
    )


# Health


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        """Say that the process lives."""
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    def readyz(response: Response) -> dict[str, Any]:
        """Say whether there is something to answer from."""
        count = len(service.assistant.articles)
        response.status_code = 200 if count else 503
        return {"status": "ready" if count else "no article", "articles": count}

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        """Return the counts, in the text format of Prometheus."""
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


# OpenAPI


def with_examples(description: dict[str, Any], assistant: Assistant) -> dict[str, Any]:
    """Add to an OpenAPI description what this site really answers: each request in it gives the response beside it."""
    operation = description["paths"]["/api/v1/ask"]["post"]
    asked = {name: Asked.model_validate(body) for name, body in example_questions(assistant).items()}
    answers = {
        name: as_dict(assistant.ask(one.question, one.turns(), one.article, one.reader, one.without))
        for name, one in asked.items()
    }
    bodies = {name: {"value": one.model_dump(mode="json", exclude_defaults=True)} for name, one in asked.items()}
    operation["requestBody"]["content"][JSON]["examples"] = bodies
    content = operation["responses"]["200"]["content"]
    content[JSON]["examples"] = {name: {"value": answer} for name, answer in answers.items()}
    content[EVENTS]["examples"] = {name: {"value": _stream(answer)} for name, answer in answers.items()}
    given = next(iter(answers.values()))
    opinion = {"verdict": "helpful", "receipt": _receipt(given), "outcome": given["outcome"], "article": _first(assistant)}
    description["paths"]["/api/v1/feedback"]["post"]["requestBody"]["content"][JSON]["examples"] = {"opinion": {"value": opinion}}
    return description


def example_questions(assistant: Assistant) -> dict[str, dict[str, Any]]:
    """Return a question that the first article answers, a follow-up of it where there is one, and one that is off topic."""
    article = _first(assistant)
    offered = assistant.suggest(article) or [page.question for _, page in _pages(assistant)][:1]
    found: dict[str, dict[str, Any]] = {}
    if offered:
        found["question"] = {"question": offered[0], "article": article}
    if len(offered) > 1:
        found["follow-up"] = {"question": offered[1], "article": article, "history": [{"asked": offered[0]}]}
    return {**found, "off topic": {"question": OFF_TOPIC, "article": article}}


def _first(assistant: Assistant) -> str | None:
    return next((document.id for document, _ in _pages(assistant)), None)


def _stream(answer: Mapping[str, Any]) -> str:
    return b"".join(events(answer, bytes(JSONResponse(answer).body).decode())).decode()


def _receipt(answer: Mapping[str, Any]) -> str:
    return str(answer["receipt"]["answer_sha256"])
