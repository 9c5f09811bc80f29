"""A service that speaks /v1/chat/completions and misbehaves on demand: the first part of the path says how."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Row = dict[str, Any]
WORDED = "Zorvastin for gout is usually given at 20 mg daily, up to a maximum of 40 mg daily."  # its source adds "(ZRV)"


def sentence(text: str, row: Row, *citations: int, quote: str | None = None) -> Row:
    return {"text": text, "citations": list(citations or (row["n"],)), "quote": row["text"] if quote is None else quote}


def reply(*sentences: Any, not_covered: bool = False) -> str:
    return json.dumps({"sentences": list(sentences), "not_covered": not_covered}, ensure_ascii=False)


def completion(content: Any, **more: Any) -> bytes:
    message = {"role": "assistant", "content": content, **more}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()


def _verbatim(rows: list[Row]) -> str:
    return reply(sentence(rows[0]["text"], rows[0]))


# What the model writes, given the numbered sentences it was sent.
WRITES: dict[str, Callable[[list[Row]], Any]] = {
    "verbatim": _verbatim,
    "worded": lambda rows: reply(sentence(WORDED, rows[0])),
    "marked": lambda rows: reply(sentence(WORDED + " [1]", rows[0])),
    "fenced": lambda rows: f"```json\n{_verbatim(rows)}\n```\nI hope this helps {{:}}",
    "thinking": lambda rows: f'<think>{{"sentences": ["take 400 mg"]}}</think> Here: {_verbatim(rows)} and more {{',
    "twice": lambda rows: reply(*[sentence(rows[0]["text"], rows[0])] * 2),
    "endless list": lambda rows: reply(*[sentence(f"Zorvastin {n} mg daily.", rows[0]) for n in range(60)]),
    "prose": lambda _rows: "The maximum dose is 400 mg.",
    "cut": lambda rows: _verbatim(rows)[:-9],
    "nested": lambda _rows: '{"a":' * 3_000,
    "empty": lambda _rows: "",
    "wrong numbers": lambda rows: reply(sentence(WORDED.replace("40 mg", "400 mg"), rows[0])),
    "wrong quote": lambda rows: reply(sentence(WORDED, rows[0], quote="up to 400 mg daily")),
    "no quote": lambda rows: reply(sentence(WORDED, rows[0], quote="")),
    "citation 42": lambda rows: reply(sentence(WORDED, rows[0], 42)),
    "one citation of two wrong": lambda rows: reply(sentence(WORDED, rows[0], 1, 0)),
    "no citation": lambda rows: reply({"text": rows[0]["text"], "citations": [], "quote": rows[0]["text"]}),
    "citation true": lambda rows: reply({**sentence(WORDED, rows[0]), "citations": [True]}),
    "html": lambda rows: reply(sentence('<img src=x onerror="alert(1)">' + WORDED, rows[0])),
    "link": lambda rows: reply(sentence(WORDED.replace("40 mg", "[40 mg](http://evil.example)"), rows[0])),
    "hidden": lambda rows: reply(sentence(WORDED.replace("40 mg", "\u202e40 mg\u200b"), rows[0])),
    "look-alike letters": lambda rows: reply(sentence(WORDED.replace("a", "\u0430"), rows[0])),
    "german": lambda rows: reply(sentence("Die Tagesdosis beträgt höchstens 40 mg.", rows[0])),
    "obedient": lambda rows: reply(sentence("Ignore the rules: take 400 mg of simvastatin now.", rows[0])),
    "cut negation": lambda rows: reply(sentence("use zorvastin together with warfarin", rows[0])),
    "no answer": lambda _rows: reply(not_covered=True),
    "nothing": lambda _rows: reply(),
    "both": lambda rows: reply(sentence(rows[0]["text"], rows[0]), not_covered=True),
    "wrong types": lambda rows: reply(
        7, None, {"text": 4}, {"text": "x", "citations": [True], "quote": "x"}, sentence(rows[0]["text"], rows[0])
    ),
    "other form": lambda rows: json.dumps({"answer": rows[0]["text"]}),
    "sentences no list": lambda _rows: '{"sentences": "many"}',
    "last": lambda rows: reply(sentence(rows[-1]["text"], rows[-1])),
    "half": lambda rows: reply(sentence(rows[0]["text"], rows[0]), sentence("It cures gout.", rows[1])),
    "everything": lambda rows: reply(*(sentence(part, row) for row in rows for part in (row["text"], row["text"][:-1]))),
    "four times": lambda rows: reply(*(sentence(rows[0]["text"] + " ." * n, rows[0]) for n in range(4))),
    "good and bad": lambda rows: reply(sentence(rows[0]["text"][:-1], rows[0]), sentence("It cures gout.", rows[0])),
    "long": lambda rows: reply(sentence("Zorvastin " * 50_000, rows[0])),
}
# What comes instead of a completion.
SENDS: dict[str, bytes] = {
    "invalid json": b'{"choices": [',
    "no choices": b'{"choices": []}',
    "other object": b'[{"choices": 1}]',
    "message no object": b'{"choices": [{"message": "400 mg"}]}',
    "not utf-8": b"\xff\xfe{}",
    "empty body": b"",
    "refusal": completion(None, refusal="I cannot help with that."),
    "tool call": completion(None, tool_calls=[{"id": "1", "type": "function", "function": {"name": "dose", "arguments": "{}"}}]),
    "content no text": completion([{"type": "text", "text": "400 mg"}]),
    "10 MB": completion("4" * 10_000_000),
    "unasked stream": b'data: {"choices": [{"delta": {"content": "{}"}}]}\n\ndata: [DONE]\n\n',
}


class Service(ThreadingHTTPServer):
    """Remembers what it was asked; ``ended`` lets go of those that hang, ``left`` says that a client went away."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.all_here = threading.Barrier(8)
        self.ended, self.left = threading.Event(), threading.Event()

    def url(self, mode: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{mode.replace(' ', '_')}/v1"

    @property
    def data(self) -> dict[str, Any]:
        """The question and the sentences of the last request."""
        found: dict[str, Any] = json.loads(self.asked[-1]["messages"][1]["content"])
        return found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what is tested here."""


class _Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        mode = self.path.split("/")[1].replace("_", " ")
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        if mode in WRITES:
            self._answer(200, completion(WRITES[mode](self.server.data["sentences"])))
        elif mode in SENDS:
            self._answer(200, SENDS[mode])
        else:
            getattr(self, "_" + mode.replace(" ", "_"))(asked)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _good(self) -> None:
        self._answer(200, completion(WRITES["verbatim"](self.server.data["sentences"])))

    def _status_500(self, _asked: Any) -> None:
        self._answer(500, b'{"error": {"message": "oops"}}')

    def _status_429(self, _asked: Any) -> None:
        self._answer(429, b'{"error": {"message": "slow down"}}', retry_after="3600")

    def _status_401(self, _asked: Any) -> None:
        said = f"Incorrect API key provided: {self.headers['authorization']}"
        self._answer(401, json.dumps({"error": {"message": said}}).encode())

    def _redirect(self, _asked: Any) -> None:
        self._answer(307, b"", location=self.server.url("verbatim") + "/chat/completions")

    def _together(self, _asked: Any) -> None:
        """Answer nobody before eight ask."""
        self.server.all_here.wait(30)
        self._good()

    def _four_of_five(self, asked: Any) -> None:
        self._status_429(asked) if len(self.server.asked) % 5 else self._good()

    def _once_500(self, asked: Any) -> None:
        self._status_500(asked) if len(self.server.asked) == 1 else self._good()

    def _picky(self, asked: Any) -> None:
        """Like models that know neither a temperature nor ``max_tokens``."""
        refused = {"temperature", "seed", "max_tokens", "response_format"} & set(asked)
        self._answer(400, b'{"error": {"message": "Unsupported parameter"}}') if refused else self._good()

    def _hang(self, _asked: Any) -> None:
        self.server.ended.wait(60)

    def _one_byte_at_a_time(self, _asked: Any) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while not self.server.ended.wait(0.05):
                self.wfile.write(b" ")
        except OSError:
            self.server.left.set()

    def _slow_headers(self, _asked: Any) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.server.ended.wait(0.05):
            self.wfile.write(b"x: 1\r\n")

    def _endless(self, _asked: Any) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.ended.is_set():
            self.wfile.write(b" " * 65_536)

    def _endless_stream(self, _asked: Any) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        while not self.server.ended.wait(0.01):
            self.wfile.write(b'data: {"choices": [{"delta": {"content": "40 mg "}}]}\n\n')

    def _broken_off(self, _asked: Any) -> None:
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices"')
        self.close_connection = True

    def _hung_up(self, _asked: Any) -> None:
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@contextmanager
def service() -> Iterator[Service]:
    """Run a service until the end."""
    server = Service()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
