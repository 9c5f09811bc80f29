"""Assistant -> FastAPI: the reader's page, the JSON interface for programs, and the server that carries both."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from assistant.answers import as_dict
from assistant.errors import AssistantError, BadInputError, UnknownArticleError
from assistant.records import Document, Reader, Turn
from assistant.settings import Settings
from assistant.web.guard import Guard, problem
from assistant.web.page import MAX_QUESTION, STATIC, VIEWS, build, mount_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from assistant.pipeline import Assistant

Words = Annotated[str, Field(max_length=MAX_QUESTION)]
Name = Annotated[str, Field(max_length=200)]
Names = Annotated[tuple[Name, ...], Field(max_length=50)]
MANIFEST = {"name": "Follow-up questions", "start_url": "/app/", "display": "browser", "icons": []}


class PastTurn(BaseModel):
    """An earlier exchange, as the client kept it."""

    model_config = ConfigDict(extra="forbid")
    asked: Words
    interpreted: Words = ""
    passages: Names = ()
    suggestions: Annotated[tuple[Words, ...], Field(max_length=50)] = ()


class Asked(BaseModel):
    """A question of a program."""

    model_config = ConfigDict(extra="forbid")
    question: Annotated[str, Field(min_length=1, max_length=MAX_QUESTION)]
    article: Name | None = None
    reader: Reader = Reader.CLINICIAN
    history: Annotated[tuple[PastTurn, ...], Field(max_length=50)] = ()
    without: Names = ()

    def turns(self) -> list[Turn]:
        """Return the history as the records know it."""
        return [Turn(past.asked, past.interpreted, past.passages, past.suggestions) for past in self.history]


def create_app(assistant: Assistant, settings: Settings | None = None) -> FastAPI:
    """Put the page, the JSON interface and the guard together; nothing of a question is logged or kept."""
    origins = (settings or Settings()).origins
    app = FastAPI(title="Follow-up assistant", docs_url=None, redoc_url=None, openapi_url=None)
    _add_problems(app)
    _add_pages(app, assistant)
    _add_interface(app, assistant)
    # With a policy of the parent, Gradio's own open one steps aside.
    app.add_middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["content-type"])
    mounts = {}
    for view in VIEWS:
        page = build(assistant, view)
        mounts[view.path] = frozenset(page.fns)
        gr.mount_gradio_app(app, page, path=view.path, **mount_options(view, origins))
    framed = {view.path: ("'self'", *origins) for view in VIEWS if not view.article}
    app.add_middleware(Guard, mounts=mounts, framed=framed)
    app.add_middleware(GZipMiddleware, compresslevel=5)  # outside the guard, which writes into the page
    return app


def serve(opening: Callable[[], Assistant], host: str = "127.0.0.1", port: int = 7860, settings: Settings | None = None) -> None:
    """Take the address, open the assistant, and serve it until interrupted. Port 0 takes a free one.

    Raises:
        BadInputError: the address cannot be used.
    """
    with _listen(host, port) as listener:
        app = create_app(opening(), settings)
        sys.stdout.write(f"The assistant answers at http://{host}:{listener.getsockname()[1]}/\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, access_log=False, log_level="warning", timeout_graceful_shutdown=10, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        message = (
            f"Cannot listen at {host}:{port} ({error}). Free the port, or choose another with --port (0 takes any free one)."
        )
        raise BadInputError(message) from error


def _add_pages(app: FastAPI, assistant: Assistant) -> None:
    files = StaticFiles(directory=STATIC)
    app.mount("/static", files, name="static")

    @app.api_route("/widget.js", methods=["GET", "HEAD"])
    async def widget(request: Request) -> Response:
        """Return the script that other sites load; it may be kept, and is asked for again each time (ETag)."""
        response = await files.get_response("widget.js", request.scope)
        response.headers["content-type"] = "text/javascript; charset=utf-8"
        response.headers["cross-origin-resource-policy"] = "cross-origin"
        return response

    @app.get("/")
    def home(request: Request) -> RedirectResponse:
        """Lead to the page, with the article and reader that were asked for."""
        query = request.url.query
        return RedirectResponse("/app/" + (f"?{query}" if query else ""))

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Say that the process lives."""
        return {"status": "ok"}

    @app.get("/readyz")
    def readyz(response: Response) -> dict[str, Any]:
        """Say whether there is something to answer from."""
        count = len(assistant.articles)
        response.status_code = 200 if count else 503
        return {"status": "ready" if count else "no article", "articles": count}

    @app.get("/manifest.json")
    def manifest() -> dict[str, Any]:
        """Answer the address that Gradio's page asks for."""
        return MANIFEST

    @app.get("/favicon.ico")
    def favicon() -> Response:
        """Return the mark of the page, as SVG."""
        return Response((STATIC / "mark.svg").read_bytes(), media_type="image/svg+xml")


def _add_interface(app: FastAPI, assistant: Assistant) -> None:
    workers = anyio.CapacityLimiter(8)

    @app.post("/api/v1/ask")
    async def ask(asked: Asked) -> dict[str, Any]:
        """Answer one question; the conversation so far comes with it."""

        def work() -> dict[str, Any]:
            return as_dict(assistant.ask(asked.question, asked.turns(), asked.article, asked.reader, asked.without))

        return await anyio.to_thread.run_sync(work, limiter=workers)

    @app.get("/api/v1/articles")
    def articles() -> list[dict[str, Any]]:
        """List the articles that can be asked about."""
        return [_entry(document) for document in assistant.articles]


def _entry(document: Document) -> dict[str, Any]:
    page = document.page
    return {
        "id": document.id,
        "title": document.title,
        "question": page.question if page else None,
        "status": page.status if page else None,
        "last_updated": page.last_updated if page else None,
        "references": len(page.references) if page else 0,
    }


def _add_problems(app: FastAPI) -> None:
    """Answer errors with problem documents that never repeat what was sent."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        where = sorted(
            {".".join(str(part) for part in entry["loc"] if isinstance(part, int) or part in _FIELDS) for entry in error.errors()}
        )
        detail = f"These parts of the request cannot be used: {', '.join(filter(None, where)) or 'an unknown field'}."
        return _problem(422, detail)

    @app.exception_handler(AssistantError)
    async def refused(_: Request, error: AssistantError) -> Response:
        return _problem(_status(error), _DETAILS.get(_status(error), "The assistant cannot answer now."))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        return _problem(error.status_code, "There is nothing at this address, or not for this method.")

    @app.exception_handler(Exception)
    async def broken(_: Request, __: Exception) -> Response:
        return _problem(500, "Something went wrong here. The question was not kept.")


_FIELDS = frozenset({"body", *Asked.model_fields, *PastTurn.model_fields})
_DETAILS = {
    400: "The question or its history cannot be used.",
    404: "There is no article with this id. GET /api/v1/articles lists them.",
}


def _status(error: AssistantError) -> int:
    if isinstance(error, UnknownArticleError):
        return 404
    return 400 if isinstance(error, BadInputError) else 503


def _problem(status: int, detail: str) -> Response:
    return Response(problem(status, detail), status, media_type="application/problem+json")
