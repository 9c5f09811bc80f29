"""Messages -> the bytes of one reply: an OpenAI-compatible service, bounded in time, size and tokens, or LanguageModelError."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from assistant.errors import BadInputError, LanguageModelError, MissingExtraError
from assistant.llm.prompt import SCHEMA, Messages

try:
    import openai
except ImportError as missing:
    raise MissingExtraError("openai", "llm") from missing

LIMITS = {
    "connect": "FOLLOWUP_LLM_CONNECT_SECONDS",
    "read": "FOLLOWUP_LLM_READ_SECONDS",
    "total": "FOLLOWUP_LLM_SECONDS",
    "tokens": "FOLLOWUP_LLM_TOKENS",
}
MOST_SECONDS = 23  # of the whole; with what reading and checking take, the 25 that a reader waits
GRACE = 5.0  # seconds that the end of a line may take
REFUSED_PARAMETER = (openai.BadRequestError, openai.UnprocessableEntityError)
PASSING = (openai.APIConnectionError, openai.InternalServerError, httpx.TransportError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A service and what one answer may cost: seconds, tokens, bytes. The key is in no repr.

    ``connect`` and ``read`` bound one wait each, ``total`` the whole with its one retry: a reader waits 25 seconds at most.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    connect: float = 2.0
    read: float = 20.0
    total: float = 23.0
    pause: float = 0.5
    tokens: int = 800
    size: int = 1_000_000

    def __post_init__(self) -> None:
        """Refuse an address or a key that cannot be used, without repeating either: both may hold a secret."""
        if not _is_address(self.url):
            raise BadInputError(
                "FOLLOWUP_LLM_URL is no address of a service. Give one like http://127.0.0.1:11434/v1; a key goes into "
                "FOLLOWUP_LLM_KEY."
            )
        if not (self.key.isascii() and self.key.isprintable()) or " " in self.key:
            raise BadInputError("FOLLOWUP_LLM_KEY holds spaces or characters that no key has. Copy it anew.")
        if not self.model.isprintable():
            raise BadInputError("FOLLOWUP_LLM_MODEL holds characters that cannot be printed. Type it anew.")

    @property
    def host(self) -> str:
        """Where the service is, without path or key."""
        return httpx.URL(self.url).netloc.decode()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Endpoint:
        """Return the endpoint that the ``FOLLOWUP_LLM_...`` variables describe.

        Raises:
            BadInputError: the address or the model is missing, or a limit is no positive number.
        """
        url, model, key = (environment.get(f"FOLLOWUP_LLM_{name}", "").strip() for name in ("URL", "MODEL", "KEY"))
        if not url or not model:
            raise BadInputError(
                "A language model needs an address and a name. Set FOLLOWUP_LLM_URL (for example http://127.0.0.1:11434/v1) and "
                "FOLLOWUP_LLM_MODEL; docs/language-model.md tells more."
            )
        given = {field: _limit(environment, name) for field, name in LIMITS.items()}
        endpoint = replace(cls(url=url, model=model, key=key), **{field: value for field, value in given.items() if value})
        return replace(endpoint, tokens=math.ceil(endpoint.tokens))


def _is_address(url: str) -> bool:
    try:
        address = httpx.URL(url)
        address.host.encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        return False
    web = address.scheme in ("http", "https") and bool(address.host) and "%" not in address.host
    return web and not address.userinfo and (address.port or 0) < 65_536  # noqa: PLR2004 - ports end there


def _limit(environment: Mapping[str, str], name: str) -> Any:
    given = environment.get(name, "").strip()
    try:
        value = float(given) if given else None
    except ValueError:
        value = math.nan
    if value is not None and not 0 < value < math.inf:
        raise BadInputError(f"{name} must be a positive number, not {given!r}.")
    if value is not None and name == LIMITS["total"] and value > MOST_SECONDS:
        raise BadInputError(f"{name} must be at most {MOST_SECONDS}, or a reader would wait longer than promised, not {given!r}.")
    return value


class Line:
    """A client and the event loop it lives on, in a thread of its own: a call ends in time even where the service does not."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="language-model", daemon=True)
        self._thread.start()
        timeout = httpx.Timeout(endpoint.read, connect=endpoint.connect)
        self._client = openai.AsyncOpenAI(
            base_url=endpoint.url,
            api_key=endpoint.key or "none",  # else the client takes OPENAI_API_KEY, a key of another service
            max_retries=0,
            http_client=httpx.AsyncClient(timeout=timeout, headers={"accept-encoding": "identity"}),
        )

    def ask(self, messages: Messages) -> bytes:
        """Return the reply of the service as it came.

        Raises:
            LanguageModelError: there is none, or not in time, or too much of it; the text names neither address nor key.
        """
        total = self.endpoint.total
        job = asyncio.run_coroutine_threadsafe(self._retried(messages), self._loop)
        try:
            return job.result(total)
        except TimeoutError:
            job.cancel()
            raise LanguageModelError(f"no complete reply within {total:g} s") from None
        except (openai.OpenAIError, httpx.HTTPError) as problem:
            raise LanguageModelError(_cause(problem)) from None  # the chain would show what the service wrote

    def close(self) -> None:
        """End the connections and the thread."""
        asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result(GRACE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GRACE)
        self._loop.close()

    async def _ended(self) -> None:
        await self._client.close()
        await self._loop.shutdown_asyncgens()
        await asyncio.sleep(0)  # a closed connection is let go of one turn later

    async def _retried(self, messages: Messages) -> bytes:
        """Try once more after a passing fault, or without the parameters that some services refuse.

        A service that says "too many requests" is left alone.
        """
        same = {"temperature": 0, "seed": 0, "max_tokens": self.endpoint.tokens, "response_format": SCHEMA}
        try:
            return await self._once(messages, same)
        except REFUSED_PARAMETER:
            return await self._once(messages, {"max_completion_tokens": self.endpoint.tokens})
        except PASSING:
            await asyncio.sleep(self.endpoint.pause)
        return await self._once(messages, same)

    async def _once(self, messages: Messages, options: Mapping[str, Any]) -> bytes:
        body = bytearray()
        create = self._client.chat.completions.with_streaming_response.create
        async with create(model=self.endpoint.model, messages=messages, **options) as response:
            async for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self.endpoint.size:
                    raise LanguageModelError(f"the reply is longer than {self.endpoint.size} bytes")
        return bytes(body)


def _cause(problem: Exception) -> str:
    """Return what went wrong in our own words: a service may repeat the key or the question in its own."""
    if isinstance(problem, openai.APIStatusError):
        return f"the service answered with status {problem.status_code}"
    if isinstance(problem, (openai.APITimeoutError, httpx.TimeoutException)):
        return "the service did not answer in time"
    if isinstance(problem, openai.APIConnectionError):
        return "the service cannot be reached"
    return "the connection broke off"


class Breaker:
    """Tells whether it is worth asking: after ``limit`` failures in a row not for ``rest`` seconds; then one more suffices."""

    def __init__(self, limit: int = 5, rest: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.rest, self._clock = limit, rest, clock
        self._failures, self._until, self._lock = 0, -math.inf, threading.Lock()

    @property
    def open(self) -> bool:
        """Whether nothing may be asked now."""
        return self._clock() < self._until

    def failed(self) -> None:
        """Count a failure."""
        with self._lock:
            self._failures += 1
            if self._failures >= self.limit:
                self._until = self._clock() + self.rest

    def worked(self) -> None:
        """Forget the failures."""
        with self._lock:
            self._failures, self._until = 0, -math.inf
