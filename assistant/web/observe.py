"""Requests and answers -> counts, log lines, tidings of defects: metadata only, never a word of a reader, never an address."""

from __future__ import annotations

import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.routing import BaseRoute, Mount

from assistant.errors import AssistantError, DefectError, UnsupportedClaimError
from assistant.web.guard import App, Message, Receive, Send, problem

if TYPE_CHECKING:
    from assistant.pipeline import Assistant
    from assistant.records import Answer

DEFECT = "Something went wrong here. The question was not kept."
OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUEUE = ("/gradio_api/queue/join", "/gradio_api/queue/data")
_LAST_FRAMES = 5
Tell = Callable[[dict[str, object]], None]


class Metrics:
    """The counts of one app. Every label has few values: nothing a client sends becomes one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        all_of = partial(Counter, registry=self.registry)
        self.answers = all_of("followup_answers", "Answers, to programs and on the page.", ["outcome", "reason"])
        self.requests = all_of("followup_requests", "Requests.", ["route", "method", "status"])
        self.feedback = all_of("followup_feedback", "Feedback that was kept or lost.", ["result"])
        self.limited = all_of("followup_limited", "Requests refused for their number.", ["by"])
        self.defects = all_of("followup_defects", "Errors of the program.")
        self.open = Gauge("followup_requests_open", "Requests that are being answered.", registry=self.registry)
        self.seconds = Histogram(
            "followup_request_seconds", "Seconds to the end of a response.", ["route"], registry=self.registry
        )

    def answered(self, answer: Answer) -> None:
        """Count an answer."""
        self.answers.labels(answer.outcome.value, answer.reason.value if answer.reason else "").inc()

    def refused(self, by: str) -> None:
        """Count a request refused for the number of requests of its ``address``, or of the ``site``."""
        self.limited.labels(by).inc()


def write(entry: dict[str, object]) -> None:
    """Write one JSON object on one line of stderr, with the time."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stderr.write(json.dumps({"time": stamp, **entry}) + "\n")


def defect(error: BaseException) -> dict[str, object]:
    """Return the log line of a defect: its class and where it was raised, without its message, which may hold a question."""
    frames = traceback.extract_tb(error.__traceback__)[-_LAST_FRAMES:]
    return {
        "event": "defect",
        "error": type(error).__name__,
        "at": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }


class Places:
    """Stands in for ``traceback`` in Gradio's queue, which prints errors with what a page sent: tells place and class only."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    def print_exc(self) -> None:
        """Tell of the error that is being handled."""
        error = sys.exception()
        if error is not None:
            self.tell(defect(error))


class Watched:
    """An assistant whose answers are counted and whose defects are told without the words that met them."""

    def __init__(self, assistant: Assistant, metrics: Metrics, tell: Tell) -> None:
        self._assistant, self._metrics, self._tell = assistant, metrics, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._assistant, name)

    def ask(self, *arguments: Any, **options: Any) -> Answer:
        """Ask as ``Assistant.ask`` does.

        Raises:
            DefectError: the assistant broke.
        """
        try:
            answer = self._assistant.ask(*arguments, **options)
        except UnsupportedClaimError as error:
            self._met(error)
            raise
        except AssistantError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, its message may hold the question
            self._met(error)
            raise DefectError(DEFECT) from None
        self._metrics.answered(answer)
        return answer

    def _met(self, error: Exception) -> None:
        self._metrics.defects.inc()
        self._tell(defect(error))


class Observe:
    """Stand before everything: count each request, tell it when ``log`` is set, and let no defect pass with its message."""

    def __init__(self, app: App, *, routes: Sequence[BaseRoute], metrics: Metrics, tell: Tell, log: bool = False) -> None:
        self.app, self.metrics, self.tell, self.log = app, metrics, tell, log
        self.routes = list(_patterns(routes))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on and note how it ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state, begun, statuses = scope.setdefault("state", {}), time.monotonic(), list[int]()

        async def heard(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        with self.metrics.open.track_inprogress():
            try:
                await self.app(scope, receive, heard)
            except Exception as error:  # noqa: BLE001 - the server would log its message
                self.metrics.defects.inc()
                self.tell(defect(error))
                if not statuses:
                    await _broken(heard)
            finally:
                self._note(scope, state, statuses[0] if statuses else 0, time.monotonic() - begun)

    def _note(self, scope: Message, state: dict[str, Any], status: int, seconds: float) -> None:
        """``status`` 0: the client left before there was one."""
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = next((name for pattern, name in self.routes if pattern.fullmatch(scope["path"])), OTHER)
        self.metrics.requests.labels(route, method, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        if self.log:
            outcome = {key: state[key] for key in ("outcome", "reason") if state.get(key)}
            self.tell(
                {"event": "request", "route": route, "method": method, "status": status, **outcome, "ms": round(1000 * seconds)}
            )


def _patterns(routes: Iterable[BaseRoute]) -> Iterable[tuple[re.Pattern[str], str]]:
    """Yield a pattern and a name for each route; below a mount only Gradio's queue has names of its own."""
    for route in routes:
        path, pattern = getattr(route, "path", ""), getattr(route, "path_regex", None)
        if isinstance(route, Mount):
            yield from ((re.compile(re.escape(path + inner)), path + inner) for inner in _QUEUE)
            yield re.compile(re.escape(path) + "(?:/.*)?", re.DOTALL), f"{path}/*"
        elif pattern is not None:
            yield pattern, path


async def _broken(send: Send) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": [(b"content-type", b"application/problem+json")]})
    await send({"type": "http.response.body", "body": problem(500, DEFECT)})
