"""ASGI app -> ASGI app: an allow-list of Gradio's routes, limits on what comes in, security headers on what goes out."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# The routes below a mount that the page asks for; Gradio opens some sixty others, uploads and proxies among them.
_GRADIO = re.compile(r"(?:/|/theme\.css|/(?:assets|static)/[\w./-]{1,200}|/gradio_api/queue/(?:join|data))?")
_INTERFACE = "/api/v1/"
_FILE = re.compile(r"/(?:theme\.css$|assets/|static/)")
_JOIN = "/gradio_api/queue/join"
_SCRIPT = re.compile(rb"<script(?=[\s>])")
_KIB = 1024


class RefusedError(Exception):
    """A request that stops here; the text goes to the client and holds nothing the client sent."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class LeftError(Exception):
    """The client went away while its request was read."""


def problem(status: int, detail: str) -> bytes:
    """Write a problem document (RFC 9457)."""
    return json.dumps(
        {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}
    ).encode()


def policy(nonce: str, ancestors: Sequence[str] = ()) -> str:
    """Return the Content-Security-Policy under which Gradio's page runs: own files only, scripts by nonce.

    ``ancestors`` are the sites that may frame it; without one nobody may.
    """
    allowed = " ".join(ancestors) or "'none'"
    return (
        f"default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; form-action 'self'; object-src 'none'; "
        f"base-uri 'self'; frame-ancestors {allowed}"
    )


class Guard:
    """Stand before ``app``. ``mounts`` maps each path where Gradio is mounted to the numbers of its functions.

    ``framed`` maps a mount to the sites that may frame it, as sources of a Content-Security-Policy; others nobody may.
    ``body_limit`` holds for programs; Gradio's page sends its conversation along and gets ``page_limit``.
    """

    def __init__(
        self,
        app: App,
        *,
        mounts: Mapping[str, Collection[int]],
        framed: Mapping[str, Sequence[str]] | None = None,
        body_limit: int = 64 * _KIB,
        page_limit: int = 512 * _KIB,
        body_seconds: float = 10.0,
    ) -> None:
        self.app = app
        self.mounts = mounts
        self.framed = framed or {}
        self.body_limit = body_limit
        self.page_limit = page_limit
        self.body_seconds = body_seconds

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with a problem document."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            mount = scope["path"].rstrip("/")
            reply = _Reply(send, scope["path"], page=mount in self.mounts, ancestors=self.framed.get(mount, ()))
            try:
                scope, receive = await self._admit(scope, receive)
            except RefusedError as refused:
                await reply.refuse(refused)
            except LeftError:
                return
            else:
                await self.app(scope, receive, reply)

    async def _admit(self, scope: Message, receive: Receive) -> tuple[Message, Receive]:
        """Return the request with a checked body, or raise."""
        path = scope["path"]
        mount = next((m for m in self.mounts if path == m or path.startswith(f"{m}/")), None)
        inner = path.removeprefix(mount or "")
        headers = scope["headers"]
        if mount is not None:
            if not _GRADIO.fullmatch(inner) or ".." in inner:
                raise RefusedError(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
            if not _FILE.match(inner):  # a compressed page could not be given its nonce
                headers = [pair for pair in headers if pair[0] != b"accept-encoding"]
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            return {**scope, "headers": headers}, receive
        join = mount is not None and inner == _JOIN
        body = await self._body(headers, receive, self.page_limit if join else self.body_limit)
        if path.startswith(_INTERFACE):
            _check_type(headers)
        value = _parsed(body)
        if mount is not None and join:
            _check_function(value, self.mounts[mount])
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")  # a lone surrogate becomes "?"
        length = (b"content-length", str(len(body)).encode())
        headers = [*(pair for pair in headers if pair[0] not in (b"content-length", b"transfer-encoding")), length]
        return {**scope, "headers": headers}, _replay(body, receive)

    async def _body(self, headers: Headers, receive: Receive, limit: int) -> bytes:
        """Read the whole body within the limits of size and time."""
        too_large = RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The request is longer than {limit // _KIB} KiB.")
        announced = dict(headers).get(b"content-length", b"0")
        if not announced.isdigit() or len(announced) > len(str(limit)) or int(announced) > limit:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.body_seconds):
                async for chunk in _chunks(receive):
                    body += chunk
                    if len(body) > limit:
                        raise too_large
        except TimeoutError:
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.") from None
        return bytes(body)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise LeftError
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _parsed(body: bytes) -> Any:
    """Read JSON; whatever is not JSON (or is nested beyond reason) is refused."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The request is not JSON in UTF-8.") from None


def _check_type(headers: Headers) -> None:
    """Refuse what is not announced as JSON, such as the forms that another site can send without asking."""
    kind = dict(headers).get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        text = "Send JSON, with the header Content-Type: application/json."
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text)


def _check_function(value: Any, known: Collection[int]) -> None:
    number = value.get("fn_index") if isinstance(value, dict) else None
    if type(number) is not int or number not in known:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "This page has no such function.")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body once, then whatever comes after it (the client leaving)."""
    waiting = [body]

    async def replayed() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replayed


class _Reply:
    """A ``send`` that adds headers, and writes a nonce into each script tag of Gradio's page."""

    def __init__(self, send: Send, path: str, *, page: bool, ancestors: Sequence[str]) -> None:
        self.send = send
        self.ancestors = ancestors
        self.nonce = secrets.token_urlsafe(16)
        self.lasting = "/assets/" in path
        self.page = page
        self.start: Message | None = None
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": self._headers(message["headers"])}
            if self.page:
                self.start = message
                return
        elif self.page and message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_page()
            return
        await self.send(message)

    async def refuse(self, refused: RefusedError) -> None:
        """Answer with a problem document."""
        self.page = False
        headers = [(b"content-type", b"application/problem+json")]
        await self({"type": "http.response.start", "status": int(refused.status), "headers": headers})
        await self({"type": "http.response.body", "body": problem(refused.status, str(refused))})

    def _headers(self, headers: Headers) -> Headers:
        ours = {
            b"content-security-policy": policy(self.nonce, self.ancestors).encode(),
            b"x-content-type-options": b"nosniff",
            b"referrer-policy": b"strict-origin-when-cross-origin",
            b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
            b"cache-control": b"public, max-age=31536000, immutable" if self.lasting else b"no-cache",
        }
        return [*(pair for pair in headers if pair[0].lower() not in ours), *ours.items()]

    async def _send_page(self) -> None:
        if self.start is None:
            return
        body = _SCRIPT.sub(b'<script nonce="' + self.nonce.encode() + b'"', self.body)
        headers = [pair for pair in self.start["headers"] if pair[0].lower() != b"content-length"]
        await self.send({**self.start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await self.send({"type": "http.response.body", "body": body})
