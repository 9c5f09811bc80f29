"""Exceptions -> problem documents (RFC 9457) that say what to do and never repeat what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from assistant.errors import AssistantError, BadInputError, DefectError, FeedbackError, UnknownArticleError, UnsupportedClaimError
from assistant.web.guard import problem
from assistant.web.observe import DEFECT
from assistant.web.schema import FIELDS, Problem

ARTICLE = "There is no article with this id. GET /api/v1/articles lists them."
FEEDBACK = "Feedback cannot be kept just now. Answers are not affected; try again later."
NO_FEEDBACK = "This site does not keep feedback."
_CONTENT_TYPE = "application/problem+json"
_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method; the Allow header names those it takes.",
}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI is told of the problems of a route."""
    return {status: {"model": Problem, "description": _WHEN[status]} for status in statuses}


def with_problem_type(description: dict[str, Any]) -> dict[str, Any]:
    """Give the problems in an OpenAPI description their own media type: FastAPI knows one for all models."""
    for operation in (operation for path in description["paths"].values() for operation in path.values()):
        for status, response in operation["responses"].items():
            if int(status) >= 400:  # noqa: PLR2004 - where errors begin
                response["content"] = {_CONTENT_TYPE: response["content"]["application/json"]}
    return description


_WHEN = {
    400: "The body is not JSON in UTF-8, or the question or its history cannot be used.",
    404: "There is no such article.",
    408: "The body took too long to arrive.",
    413: "The body is longer than 64 KiB.",
    415: "The body is not announced as JSON.",
    422: "A field is missing, unknown, or out of its bounds.",
    429: "Too many questions in a minute; Retry-After says for how long.",
    500: "A defect of the program.",
    503: "What is needed is not there just now.",
}


def add_problems(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        where = sorted({_place(entry["loc"]) for entry in error.errors()})
        detail = f"These parts of the request cannot be used: {', '.join(filter(None, where)) or 'an unknown field'}."
        return reply(422, detail)

    @app.exception_handler(AssistantError)
    async def refused(_: Request, error: AssistantError) -> Response:
        return reply(*_told(error))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        return reply(error.status_code, _DETAILS.get(error.status_code, "This request cannot be used."), error.headers)

    @app.exception_handler(Exception)
    async def broken(_: Request, __: Exception) -> Response:
        return reply(500, DEFECT)


def _place(path: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in path if isinstance(part, int) or part in FIELDS)


def _told(error: AssistantError) -> tuple[int, str]:
    """Return the status and the words for an error of the assistant, whose own message may hold what was asked."""
    match error:
        case UnknownArticleError():
            return 404, ARTICLE
        case BadInputError():
            return 400, "The question or its history cannot be used."
        case DefectError() | UnsupportedClaimError():
            return 500, DEFECT
        case FeedbackError():
            return 503, FEEDBACK
    return 503, "The assistant cannot answer now."


def reply(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document as a response."""
    return Response(problem(status, detail), status, headers, _CONTENT_TYPE)
