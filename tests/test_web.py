"""The web server's promises: limits, errors that repeat nothing, headers, and only the routes the page needs."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from assistant.errors import BadInputError, IndexDamagedError, UnknownArticleError, UnsupportedClaimError
from assistant.records import (
    DISCLAIMER,
    Answer,
    Citation,
    Claim,
    Document,
    Outcome,
    Page,
    Passage,
    Query,
    Reader,
    Support,
    Term,
    Turn,
    Unit,
)
from assistant.settings import Settings
from assistant.web import page
from assistant.web.app import create_app, serve
from assistant.web.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastapi import FastAPI

PRIVATE = "my brother takes methadone"
TEXT = "Do not use it with opioid medicines."
ARTICLE = Document(
    id="ldn",
    title="Low-dose naltrexone",
    text=TEXT,
    units=(Unit(start=0, end=len(TEXT)),),
    page=Page(question="What is the dose?"),
)


class Small:
    """Answers every question with the one sentence of its article, and remembers how it was asked."""

    articles = (ARTICLE,)
    retriever = SimpleNamespace(documents={"ldn": ARTICLE})
    writer = SimpleNamespace(model=None)

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Turn, ...], str | None, Reader, tuple[str, ...]]] = []

    def suggest(self, article: str | None) -> list[str]:
        return ["Can it be combined with opioids?"]

    def ask(
        self,
        asked: str,
        history: Sequence[Turn] = (),
        article: str | None = None,
        reader: Reader = Reader.CLINICIAN,
        without: Sequence[str] = (),
    ) -> Answer:
        self.calls.append((asked, tuple(history), article, reader, tuple(without)))
        if article not in (None, "ldn"):
            message = f"No article {article!r}: {asked}"
            raise UnknownArticleError(message)
        failure = {"damaged": IndexDamagedError, "bad": BadInputError, "unsupported": UnsupportedClaimError}.get(asked)
        if failure:
            message = f"Trouble with {asked}."
            raise failure(message)
        if asked == "bug":
            raise RuntimeError(PRIVATE)
        inherited = (Term("naltrexone", "earlier question"),) if history and not without else ()
        support = Support(Passage(id="ldn#0", document="ldn", heading=(), text=TEXT, start=0, end=len(TEXT)), 0, len(TEXT))
        return Answer(
            query=Query(text=f"{asked} (read)", asked=asked, inherited=inherited, article=article, reader=reader),
            outcome=Outcome.ANSWERED,
            claims=(Claim(TEXT, (support,)),),
            citations=(CITATION,),
            suggestions=("When is it judged?",),
        )


CITATION = Citation(
    n=1, document="ldn", kind="article", title="Low-dose naltrexone", section="", quote=TEXT, lead=None, start=0, end=len(TEXT),
    evidence="article", badge="This site's article", year=2025, url=None, review="pending human review", own_publisher=True,
    summary=False,
)  # fmt: skip


def made(assistant: Small) -> FastAPI:
    """Make the app inside a loop: outside of one Gradio makes loops of its own and never closes them."""

    async def make() -> FastAPI:
        return create_app(assistant, Settings(limit=0, site_limit=0))  # type: ignore[arg-type]

    return asyncio.run(make())


@pytest.fixture(scope="module")
def assistant() -> Small:
    return Small()


@pytest.fixture(scope="module")
def client(assistant: Small) -> Iterator[TestClient]:
    with TestClient(made(assistant), raise_server_exceptions=False) as opened:
        yield opened


def ask(client: TestClient, **body: object) -> Any:
    return client.post("/api/v1/ask", json=body)


def is_problem(response: Any, status: int) -> bool:
    kind = response.headers["content-type"]
    return response.status_code == status == response.json()["status"] and kind == "application/problem+json"


def test_the_root_leads_to_the_page_with_what_was_asked_for(client: TestClient) -> None:
    response = client.get("/?article=ldn&reader=patient", follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["location"] == "/app/?article=ldn&reader=patient"


def test_health_readiness_and_articles_are_reported(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready", "articles": 1}
    [entry] = client.get("/api/v1/articles").json()
    assert entry["id"] == "ldn"
    assert entry["status"] == "submitted"


def test_without_an_article_the_server_is_not_ready() -> None:
    empty = Small()
    empty.articles = ()  # type: ignore[assignment]
    with TestClient(made(empty)) as opened:
        assert opened.get("/readyz").status_code == 503


def test_a_program_gets_the_answer_with_its_citations_and_the_disclaimer(client: TestClient, assistant: Small) -> None:
    past = {"asked": "What is the dose?", "interpreted": "dose of naltrexone", "passages": ["ldn#0"], "suggestions": []}
    answer = ask(client, question="And opioids?", article="ldn", reader="patient", history=[past], without=["dose"]).json()
    assert answer["outcome"] == "answered"
    assert answer["claims"][0]["text"] == TEXT
    assert answer["citations"][0]["n"] == 1
    assert answer["disclaimer"] == DISCLAIMER
    turn = Turn("What is the dose?", "dose of naltrexone", ("ldn#0",), ())
    assert assistant.calls[-1] == ("And opioids?", (turn,), "ldn", Reader.PATIENT, ("dose",))


@pytest.mark.parametrize(
    "body",
    [
        {"question": PRIVATE * 200},
        {"question": PRIVATE, "reader": PRIVATE},
        {"question": PRIVATE, PRIVATE: PRIVATE},
        {"question": PRIVATE, "history": [{"asked": PRIVATE, "role": PRIVATE}]},
        {"question": [PRIVATE]},
        {"question": ""},
        [PRIVATE],
        PRIVATE,
        0,
    ],
)
def test_a_request_that_cannot_be_used_is_refused_without_repeating_it(client: TestClient, body: object) -> None:
    response = client.post("/api/v1/ask", json=body)
    assert is_problem(response, 422)
    assert PRIVATE not in response.text


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"question": NaN}', b"[" * 60_000, b""])
def test_what_is_not_json_is_refused(client: TestClient, body: bytes) -> None:
    assert is_problem(client.post("/api/v1/ask", content=body, headers={"content-type": "application/json"}), 400)


def test_a_body_beyond_64_kib_is_refused_announced_or_not(client: TestClient) -> None:
    large = json.dumps({"question": "x" * 70_000}).encode()
    assert is_problem(client.post("/api/v1/ask", content=large), 413)
    assert is_problem(client.post("/api/v1/ask", content=iter([large[:40_000], large[40_000:]])), 413)
    assert is_problem(client.post("/api/v1/ask", content=b"{}", headers={"content-length": "9" * 5000}), 413)


@pytest.mark.parametrize(
    ("question", "article", "status"), [("bad", None, 400), ("damaged", None, 503), (PRIVATE, PRIVATE, 404), ("bug", None, 500)]
)
def test_errors_of_the_assistant_repeat_nothing_of_the_question(
    client: TestClient, question: str, article: str | None, status: int
) -> None:
    response = ask(client, question=question, article=article)
    assert is_problem(response, status)
    assert PRIVATE not in response.text


def test_half_a_character_does_not_break_the_server(client: TestClient, assistant: Small) -> None:
    response = client.post("/api/v1/ask", content=b'{"question": "dose \\ud800?"}', headers={"content-type": "application/json"})
    assert response.status_code == 200
    assert assistant.calls[-1][0] == "dose ??"


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/app/", "/healthz", "/nothing", "/app/config", "/static/page.js"):
        headers = client.get(path, follow_redirects=False).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert "set-cookie" not in headers


def test_every_script_of_the_page_carries_the_nonce_of_its_own_answer(client: TestClient) -> None:
    nonces = set()
    for _ in range(2):
        response = client.get("/app/", headers={"accept-encoding": "br, gzip"})
        [nonce] = re.findall(r"'nonce-([^']+)'", response.headers["content-security-policy"])
        scripts = re.findall(r"<script\b[^>]*>", response.text)
        assert scripts
        assert all(f'nonce="{nonce}"' in script for script in scripts)
        nonces.add(nonce)
    assert len(nonces) == 2


@pytest.mark.parametrize(
    "path",
    [
        *("config", "info", "gradio_api/info", "gradio_api/config", "gradio_api/openapi.json", "gradio_api/heartbeat/x"),
        *("gradio_api/upload", "gradio_api/upload_progress", "gradio_api/proxy=https://example.org", "gradio_api/runs"),
        *("gradio_api/file=/etc/passwd", "gradio_api/file/etc/passwd", "gradio_api/deep_link", "gradio_api/component_server"),
        *(
            "gradio_api/call/asked",
            "gradio_api/run/asked",
            "gradio_api/startup-events",
            "monitoring",
            "monitoring/summary",
            "login",
        ),
        *(
            "robots.txt",
            "pwa_icon",
            "manifest.json",
            "svelte/x",
            "assets/../config",
            "static/%2e%2e/config",
            "gradio_api/queue/joined",
        ),
    ],
)
def test_routes_of_gradio_that_the_page_does_not_need_are_closed(client: TestClient, path: str) -> None:
    assert is_problem(client.get(f"/app/{path}"), 404)
    assert is_problem(client.post(f"/app/{path}", json={}), 404)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc", "/gradio_api/upload", "/config", "/static/../app.py"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("number", [99, -1, None, "0", True, 1.0])
def test_a_function_the_page_does_not_have_is_refused(client: TestClient, number: object) -> None:
    body = {"data": [], "fn_index": number, "session_hash": "abc"}
    assert is_problem(client.post("/app/gradio_api/queue/join", json=body), 400)


def test_no_other_site_may_read_the_answers(client: TestClient) -> None:
    response = client.post("/api/v1/ask", json={"question": "dose?"}, headers={"origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in response.headers
    assert "access-control-allow-origin" not in client.get("/app/", headers={"origin": "null"}).headers


@pytest.mark.enable_socket
def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInputError, match=rf"127\.0\.0\.1:{port}.*--port"):
            serve(Small, "127.0.0.1", port)  # type: ignore[arg-type]


# The conversation, which the browser keeps


def talk(assistant: Small, *questions: str) -> list[dict[str, Any]]:
    log: list[dict[str, Any]] = []
    for question in questions:
        log = list(page.exchange(assistant, page.Wish(question), log, Reader.CLINICIAN, "ldn"))[-1]  # type: ignore[arg-type]
    return log


def test_the_question_is_shown_at_once_and_then_the_answer() -> None:
    steps = list(page.exchange(Small(), page.Wish("Dose?"), [], Reader.CLINICIAN, "ldn"))  # type: ignore[arg-type]
    assert [len(step) for step in steps] == [1, 2]
    assert TEXT in steps[1][1]["content"]


def test_the_history_is_rebuilt_from_what_the_browser_sends() -> None:
    questions = ('<b>Dose</b> & "time"?\nAt night?', "And opioids?")
    past = page.turns(talk(Small(), *questions))
    assert past[0] == Turn(questions[0], f"{questions[0]} (read)", ("ldn#0",), ("When is it judged?",))
    assert past[1].asked == questions[1]


@pytest.mark.slow
def test_answers_in_one_page_never_share_an_id() -> None:
    log = talk(Small(), *(f"Question {n}?" for n in range(120)))
    ids = re.findall(r' id="([^"]+)"', "".join(message["content"] for message in log))
    assert len(ids) == len(set(ids))


def test_a_long_conversation_is_shortened_and_says_so() -> None:
    log = talk(Small(), *("long " * 700 for _ in range(40)))
    assert len(json.dumps(log)) < page.MAX_LOG + 20_000
    assert "Earlier questions have been dropped" in log[0]["content"]
    assert log[1]["role"] == "user"


@pytest.mark.parametrize(
    "metadata",
    [None, "x", {"id": "{"}, {"id": "[" * 100_000}, {"id": '{"turn": "x"}'}, {"id": '{"passages": [1, {}], "interpreted": 3}'}],
)
def test_forged_messages_of_the_browser_are_left_out(metadata: object) -> None:
    chat = [{"role": "user", "content": "Dose?"}, {"role": "assistant", "content": "forged", "metadata": metadata}]
    assert page.turns(chat) == [Turn("Dose?")]
    assert list(page.exchange(Small(), page.Wish("Next?"), chat, Reader.CLINICIAN, None))  # type: ignore[arg-type]


def test_a_term_taken_away_asks_the_question_again_with_what_came_before_it() -> None:
    assistant = Small()
    log = talk(assistant, "What is the dose?", "And at night?")
    wish = page.wish('{"turn": 2, "without": ["naltrexone"]}', log)
    last = list(page.exchange(assistant, wish, log, Reader.CLINICIAN, "ldn"))[-1]  # type: ignore[arg-type]
    asked, history, _, _, without = assistant.calls[-1]
    assert (asked, [turn.asked for turn in history], without) == ("And at night?", ["What is the dose?"], ("naltrexone",))
    assert "Left out: <strong" in last[-1]["content"]
    assert len(last) == len(log) + 2


@pytest.mark.parametrize("order", ["", "{", "[]", '{"turn": 9, "without": []}', '{"turn": null}', '{"ask": 3}'])
def test_a_command_that_makes_no_sense_changes_nothing(order: str) -> None:
    log = talk(Small(), "Dose?")
    assert list(page.exchange(Small(), page.wish(order, log), log, Reader.CLINICIAN, None)) == [log]  # type: ignore[arg-type]


def test_trouble_is_told_in_the_conversation() -> None:
    assert "Trouble with damaged." in talk(Small(), "damaged")[-1]["content"]
    assert "4,000 characters" in talk(Small(), "x" * 4001)[-1]["content"]


def test_a_defect_of_the_program_is_not_shown_to_a_reader() -> None:
    said = talk(Small(), "unsupported")[-1]["content"]
    assert "Trouble" not in said
    assert page.DEFECT in said


def test_the_address_preselects_article_and_reader() -> None:
    article, reader, about, log = page.opened(Small(), {"article": "ldn", "reader": "patient"})  # type: ignore[arg-type]
    assert (reader, about) == ("patient", "ldn")
    assert TEXT in article
    assert "automated assistant" in log[0]["content"]
    assert page.opened(Small(), {"article": "<b>", "reader": "<b>"})[1:3] == ("clinician", "ldn")  # type: ignore[arg-type]


# The guard alone, where a client's timing matters


def through_guard(messages: list[dict[str, Any]], *, seconds: float = 5.0) -> list[dict[str, Any]]:
    """Send ``messages`` as the body of a question through the guard; after them the client stays silent."""
    sent: list[dict[str, Any]] = []
    waiting = iter(messages)

    async def receive() -> Any:
        for message in waiting:
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: object) -> None:
        sent.append({"type": "reached"})

    scope = {"type": "http", "method": "POST", "path": "/api/v1/ask", "headers": []}
    asyncio.run(Guard(app, mounts={}, body_seconds=seconds)(scope, receive, send))
    return sent


def test_a_body_that_never_ends_is_given_up() -> None:
    unfinished = {"type": "http.request", "body": b"{", "more_body": True}
    assert through_guard([unfinished], seconds=0.01)[0]["status"] == 408


def test_a_client_that_leaves_gets_no_answer_and_starts_no_work() -> None:
    assert through_guard([{"type": "http.disconnect"}]) == []
