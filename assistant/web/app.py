"""Assistant -> FastAPI: the reader's page, the JSON interface for programs, and the server that carries both."""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import TYPE_CHECKING, Any, cast

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from gradio import queueing
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from assistant.errors import BadInputError, FeedbackError
from assistant.settings import Settings
from assistant.store import Store
from assistant.web.api import Service, add_interface
from assistant.web.guard import Guard
from assistant.web.limit import Limit
from assistant.web.observe import Metrics, Observe, Places, Watched, write
from assistant.web.page import STATIC, VIEWS, build, mount_options
from assistant.web.problems import add_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from assistant.pipeline import Assistant

MANIFEST = {"name": "Follow-up questions", "start_url": "/app/", "display": "browser", "icons": []}


def create_app(assistant: Assistant, settings: Settings | None = None) -> FastAPI:
    """Put the page, the interface and the walls before them together; nothing of a question is logged or kept.

    The walls, from the outside: trusted proxies, counting, limits of number, compression, limits of size and of Gradio's routes,
    other sites.
    """
    settings = settings or Settings()
    origins = settings.origins
    proxies = _checked(settings.trusted_proxies)
    app = FastAPI(title="Follow-up assistant", docs_url=None, redoc_url=None, openapi_url=None)
    metrics = Metrics()
    watched = cast("Assistant", Watched(assistant, metrics, write))
    store = Store(settings.feedback) if settings.feedback else None
    add_problems(app)
    _add_pages(app)
    add_interface(app, Service(watched, assistant, metrics, store, settings.limit))
    # With a policy of the parent, Gradio's own open one steps aside.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["content-type"],
        expose_headers=["retry-after"],
    )
    queueing.traceback = Places(write)
    mounts = {}
    for view in VIEWS:
        page = build(watched, view)
        mounts[view.path] = frozenset(page.fns)
        gr.mount_gradio_app(app, page, path=view.path, **mount_options(view, origins))
    framed = {view.path: ("'self'", *origins) for view in VIEWS if not view.article}
    app.add_middleware(Guard, mounts=mounts, framed=framed)
    app.add_middleware(GZipMiddleware, compresslevel=5)  # outside the guard, which writes into the page
    app.add_middleware(Limit, mounts=mounts, address=settings.limit, site=settings.site_limit, told=metrics.refused)
    app.add_middleware(Observe, routes=app.routes, metrics=metrics, tell=write, log=settings.log)
    # Outermost: a listed site reads refusals too.
    app.user_middleware.sort(key=lambda entry: not (isinstance(entry.cls, type) and issubclass(entry.cls, CORSMiddleware)))
    if proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    return app


def serve(
    opening: Callable[[], Assistant],
    host: str = "127.0.0.1",
    port: int = 7860,
    settings: Settings | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Take the address, open the assistant, and serve it until interrupted. Port 0 takes a free one; ``say`` hears warnings.

    Raises:
        BadInputError: the address, or that of a trusted proxy, cannot be used.
    """
    with _listen(host, port) as listener:
        app = create_app(opening(), settings)
        _check_feedback(settings, say)
        sys.stdout.write(f"The assistant answers at http://{host}:{listener.getsockname()[1]}/\n")
        sys.stdout.flush()
        config = uvicorn.Config(
            app, access_log=False, log_level="warning", timeout_graceful_shutdown=10, server_header=False, proxy_headers=False
        )
        uvicorn.Server(config).run(sockets=[listener])


def _check_feedback(settings: Settings | None, say: Callable[[str], None]) -> None:
    """Say at the start that feedback cannot be kept; the assistant answers nevertheless."""
    if settings is None or settings.feedback is None:
        return
    try:
        Store(settings.feedback).check()
    except FeedbackError as error:
        say(f"{error} Until then feedback is refused; answers are not affected.")


def _checked(proxies: Sequence[str]) -> list[str]:
    """Return the trusted proxies, each an address or a network."""
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError as error:
            message = f"{proxy!r} in FOLLOWUP_TRUSTED_PROXIES is no address or network ({error}). Write 127.0.0.1, or 10.0.0.0/8."
            raise BadInputError(message) from error
    return list(proxies)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        message = (
            f"Cannot listen at {host}:{port} ({error}). Free the port, or choose another with --port (0 takes any free one)."
        )
        raise BadInputError(message) from error


def _add_pages(app: FastAPI) -> None:
    files = StaticFiles(directory=STATIC)
    app.mount("/static", files, name="static")

    @app.api_route("/widget.js", methods=["GET", "HEAD"], include_in_schema=False)
    async def widget(request: Request) -> Response:
        """Return the script that other sites load; it may be kept, and is asked for again each time (ETag)."""
        response = await files.get_response("widget.js", request.scope)
        response.headers["content-type"] = "text/javascript; charset=utf-8"
        response.headers["cross-origin-resource-policy"] = "cross-origin"
        return response

    @app.get("/", include_in_schema=False)
    def home(request: Request) -> RedirectResponse:
        """Lead to the page, with the article and reader that were asked for."""
        query = request.url.query
        return RedirectResponse("/app/" + (f"?{query}" if query else ""))

    @app.get("/manifest.json", include_in_schema=False)
    def manifest() -> dict[str, Any]:
        """Answer the address that Gradio's page asks for."""
        return MANIFEST

    @app.get("/favicon.ico", include_in_schema=False)
    def favicon() -> Response:
        """Return the mark of the page, as SVG."""
        return Response((STATIC / "mark.svg").read_bytes(), media_type="image/svg+xml")
