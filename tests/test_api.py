"""The interface for programs: the same bytes as JSON and as events, nothing of a reader kept or told, floods slowed down."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from assistant import corpus
from assistant.answers import ExtractiveWriter
from assistant.companions import Companions
from assistant.errors import BadInputError, IndexDamagedError
from assistant.index import build
from assistant.pipeline import Assistant, open_assistant, prepare
from assistant.records import Answer, Citation, Claim, Outcome, Passage, Query, Support
from assistant.settings import Settings
from assistant.store import Store
from assistant.web.app import create_app
from assistant.web.limit import Limit, Pace
from assistant.web.schema import AnswerObject
from tests.corpus_text import write_site

ARTICLE = "zorvastin-gout"
EVENTS = {"accept": "text/event-stream"}
RECEIPT = "0f" * 32
PLANTED = (
    *(
        "Margaret Thornbury",
        "12/03/1961",
        "943 476 5919",
        "m.thornbury@mail.example",
        "+44 7700 900123",
        "AB12 3CD",
        "MRN-0042817",
    ),
    *(
        "192.0.2.77",
        "4111 1111 1111 1111",
        "QQ123456C",
        "14 Elm Row",
        "policy 88-1203-X",
        "NHS no 9434765919",
        "GB29NWBK60161331926819",
    ),
)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    from tests.conftest import BagEncoder

    encoder = BagEncoder()
    site = write_site(tmp_path_factory.mktemp("site") / "corpus")
    index = build(corpus.load(site), encoder, tmp_path_factory.mktemp("index"), extras=lambda fresh: prepare(fresh, encoder))
    return Assistant(index, encoder, ExtractiveWriter(), Companions(**index.extras["companions"]))


def made(assistant, **settings):
    """Make the app inside a loop: outside of one Gradio makes loops of its own and never closes them."""

    async def make():
        return create_app(assistant, Settings(**{"limit": 0, "site_limit": 0, "feedback": None, **settings}))

    return asyncio.run(make())


def opened(assistant, address="testclient", **settings):
    return TestClient(made(assistant, **settings), raise_server_exceptions=False, client=(address, 1))


@pytest.fixture(scope="module")
def client(assistant):
    return opened(assistant)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The file of feedback of ``keeper``."""
    return tmp_path_factory.mktemp("kept") / "f.sqlite"


@pytest.fixture(scope="module")
def keeper(assistant, file):
    """A client of a site that keeps feedback."""
    return opened(assistant, feedback=file)


def ask(client, question, headers=None, **body):
    return client.post("/api/v1/ask", json={"question": question, "article": ARTICLE, **body}, headers=headers)


def events(response):
    """Read server-sent events as a client does: (name, data as it was sent)."""
    found = []
    for block in response.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            found.append((fields["event"], fields["data"]))
    return found


def is_problem(response, status):
    kind = response.headers["content-type"]
    return response.status_code == status == response.json()["status"] and kind == "application/problem+json"


class Breaking:
    """The assistant with a defect that says what it was asked; ``damaged`` and ``bad`` are troubles that have a name."""

    def __init__(self, assistant):
        self.assistant = assistant

    def __getattr__(self, name):
        return getattr(self.assistant, name)

    def ask(self, asked, *arguments, **options):
        raise {"damaged": IndexDamagedError, "bad": BadInputError}.get(asked, RuntimeError)(f"cannot answer {asked}")


# Answers, as JSON and as events

QUESTIONS = (
    "What is the usual dose?",
    "Is it dosed by weight in the evening?",
    "What is the dose of duloxetine?",
    "I took 30 tablets",
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_events_end_with_the_very_bytes_of_the_json_answer(client, question):
    plain, stream = ask(client, question), ask(client, question, EVENTS)
    assert plain.headers["content-type"] == "application/json"
    assert stream.headers["content-type"].startswith("text/event-stream")
    name, data = events(stream)[-1]
    assert name == "done"
    assert data.encode() == plain.content


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_event_has_a_sentence_without_its_whole_citations(client, question):
    *parts, (_, whole) = events(ask(client, question, EVENTS))
    whole = json.loads(whole)
    for name, rows in (("claim", "claims"), ("nearest", "nearest"), ("notice", "notices")):
        sent = [json.loads(data) for kind, data in parts if kind == name]
        assert [part["text"] for part in sent] == [row["text"] for row in whole[rows]]
        for part, row in zip(sent, whole[rows], strict=True):
            assert part["citations"] == [whole["citations"][n - 1] for n in row["citations"]]
            assert part["citations"] or name == "notice"


def test_a_caution_comes_before_the_sentences_it_belongs_to(client):
    names = [name for name, _ in events(ask(client, "What is the usual dose?", EVENTS))]
    assert "notice" in names
    assert names.index("claim") > max(place for place, name in enumerate(names) if name == "notice")


def test_an_emergency_is_told_in_the_events_too(client):
    sent = events(ask(client, "I took 30 tablets", EVENTS))
    assert json.loads(sent[0][1])["reason"] == "emergency"
    assert sent[1][0] == "message"
    assert json.loads(sent[0][1])["disclaimer"]


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html", ""])
def test_whoever_does_not_ask_for_events_gets_one_object(client, accept):
    assert ask(client, "dose?", {"accept": accept}).json()["outcome"]


@pytest.mark.parametrize("accept", ["text/event-stream;q=0.9, */*", "TEXT/EVENT-STREAM"])
def test_events_are_recognised_however_they_are_asked_for(client, accept):
    assert events(ask(client, "dose?", {"accept": accept}))[-1][0] == "done"


def test_trouble_is_a_problem_document_even_where_events_are_asked_for(client):
    assert is_problem(ask(client, "dose?", EVENTS, article="nowhere"), 404)


def test_the_history_comes_with_the_question_and_its_terms_can_be_taken_away(client):
    first = ask(client, "What is the usual dose?").json()
    history = [{key: first[key] for key in ("asked", "interpreted", "passages", "suggestions")}]
    second = ask(client, "And the maximum?", history=history, reader="patient").json()
    terms = [term["text"] for term in second["inherited"]]
    assert terms
    third = ask(client, "And the maximum?", history=history, without=terms).json()
    assert third["inherited"] == []


def test_the_same_question_gives_the_same_bytes(client):
    assert len({ask(client, "What is the usual dose?").content for _ in range(3)}) == 1


@contextmanager
def served(app):
    """Serve an app at a real address of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


class Long(Breaking):
    """Answers with more than a socket holds back, so that its sender has to wait for its reader."""

    def ask(self, asked, *arguments, **options):
        words = "zorvastin " * 20_000
        passages = [Passage(id=f"d#{n}", document="d", heading=(), text=words, start=0, end=len(words)) for n in range(12)]
        cited = [
            Citation(
                n=n, document="d", kind="article", title="", section="", quote=words, lead=None, start=n, end=n + 1,
                evidence="article", badge="", year=None, url=None, review=None, own_publisher=True, summary=False,
            )
            for n in range(1, 13)
        ]  # fmt: skip
        claims = tuple(Claim(words, (Support(passages[n - 1], n, n + 1),)) for n in range(1, 13))
        query = Query(text=asked, asked=asked)
        return Answer(query=query, outcome=Outcome.ANSWERED, claims=claims, citations=tuple(cited))


def open_requests(address):
    counts = httpx.get(f"http://{address[0]}:{address[1]}/metrics").text
    return float(re.search(r"^followup_requests_open (\S+)", counts, re.MULTILINE)[1]) - 1  # without this one


@pytest.mark.slow
@pytest.mark.enable_socket
def test_a_stream_ends_when_its_client_leaves(assistant):
    body = '{"question": "dose?"}'
    head = ("POST /api/v1/ask HTTP/1.1", "Host: x", "Accept: text/event-stream", "Content-Type: application/json")
    request = "\r\n".join((*head, f"Content-Length: {len(body)}", "", body))
    with served(made(Long(assistant))) as address:
        with socket.create_connection(address) as reader:
            reader.sendall(request.encode())
            assert any(b"event: query" in reader.recv(4096) for _ in range(3))
            assert open_requests(address) == 1
        until = time.monotonic() + 5
        while open_requests(address) and time.monotonic() < until:
            time.sleep(0.01)
        assert open_requests(address) == 0


# Articles, the site, OpenAPI


def test_an_article_is_given_with_the_offsets_that_citations_name(client):
    article = client.get(f"/api/v1/articles/{ARTICLE}").json()
    assert article["title"] == "Zorvastin for Gout"
    assert article["status"] == "under-review"
    assert "not finished" in article["status_meaning"]
    assert article["last_updated"] == "2026-01-05"
    sentences = {(s["start"], s["end"]): s for section in article["sections"] for s in section["sentences"]}
    cited = [c for c in ask(client, "What is the usual dose?").json()["citations"] if c["document"] == ARTICLE]
    assert cited
    for citation in cited:
        assert sentences[citation["start"], citation["end"]]["text"] == citation["quote"]
    assert {section["heading"][0] for section in article["sections"] if section["heading"]} == {"Dosing", "Evidence", "Safety"}


def test_the_reference_list_has_kinds_and_only_safe_addresses(assistant):
    document = assistant.retriever.documents["okafor-2021"]
    address = "javascript:alert(1)"
    source = replace(document.source, doi="10.1000/zrv", pmid="90000001", url=address)
    documents = {**assistant.retriever.documents, "okafor-2021": replace(document, source=source)}

    class Other(Breaking):
        class retriever:  # noqa: N801 - an attribute of an assistant
            pass

    Other.retriever.documents = documents
    [first, *_] = opened(Other(assistant)).get(f"/api/v1/articles/{ARTICLE}").json()["references"]
    assert first["badge"] == "Randomised trial"
    assert first["links"] == {"doi": "https://doi.org/10.1000/zrv", "pubmed": "https://pubmed.ncbi.nlm.nih.gov/90000001/"}


def test_suggestions_of_an_article_are_answered(client):
    offered = client.get(f"/api/v1/articles/{ARTICLE}").json()["suggestions"]
    assert offered
    assert all(ask(client, question).json()["outcome"] == "answered" for question in offered)


def test_the_list_of_articles_says_what_their_status_means(client):
    [entry] = client.get("/api/v1/articles").json()
    assert entry["id"] == ARTICLE
    assert entry["references"] == 2
    assert entry["status_meaning"]


def test_an_unknown_article_is_a_problem_that_does_not_repeat_its_name(client):
    response = client.get(f"/api/v1/articles/{PLANTED[0]}")
    assert is_problem(response, 404)
    assert PLANTED[0] not in response.text


def test_the_site_says_that_it_is_automated_and_whether_it_keeps_feedback(assistant, client, tmp_path):
    assert client.get("/api/v1/site").json()["feedback"] is False
    site = opened(assistant, feedback=tmp_path / "f.sqlite", limit=7).get("/api/v1/site").json()
    assert (site["automated"], site["feedback"], site["limit"], site["articles"]) == (True, True, 7, 1)
    assert site["corpus"] == assistant.retriever.corpus_hash


def test_an_approved_article_says_who_checked_it(assistant):
    article = assistant.articles[0]
    page = replace(article.page, status="approved", reviewed_by=(("A. Okafor", "Rheumatologist"),), reviewed_on="2026-02-01")

    class Checked(Breaking):
        articles = (replace(article, page=page),)

    shown = opened(Checked(assistant)).get(f"/api/v1/articles/{ARTICLE}").json()
    assert shown["reviewed_by"] == [{"name": "A. Okafor", "role": "Rheumatologist"}]
    assert (shown["status"], shown["reviewed_on"]) == ("approved", "2026-02-01")


@pytest.fixture(scope="module")
def description(client):
    return client.get("/api/v1/openapi.json").json()


def test_every_example_of_the_description_is_what_the_site_answers(client, description):
    operation = description["paths"]["/api/v1/ask"]["post"]
    answers = operation["responses"]["200"]["content"]
    asked = operation["requestBody"]["content"]["application/json"]["examples"]
    assert {"question", "follow-up", "off topic"} == set(asked)
    for name, example in asked.items():
        assert client.post("/api/v1/ask", json=example["value"]).json() == answers["application/json"]["examples"][name]["value"]
        stream = client.post("/api/v1/ask", json=example["value"], headers=EVENTS)
        assert stream.text == answers["text/event-stream"]["examples"][name]["value"]


def holds(whole, part):
    """Tell whether ``part`` is ``whole`` with fields of objects and ends of lists left out."""
    if isinstance(part, dict):
        return all(key in whole and holds(whole[key], value) for key, value in part.items())
    if isinstance(part, list):
        return len(part) <= len(whole) and all(holds(*pair) for pair in zip(whole, part, strict=False))
    return whole == part


@pytest.mark.slow
def test_the_examples_of_the_guide_are_what_the_bundled_corpus_answers():
    guide = (Path(__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
    body = re.search(r"-d '(\{.*?\})'", guide)[1]
    shown = json.loads(re.search(r"```json\n(.*?)\n```", guide, re.DOTALL)[1])
    client = opened(open_assistant(Settings()))
    answer = client.post("/api/v1/ask", content=body, headers={"content-type": "application/json"}).json()
    assert holds(answer, shown)
    described = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/ask"]["post"]
    examples = described["responses"]["200"]["content"]["application/json"]["examples"]
    assert [examples[name]["value"]["outcome"] for name in ("question", "follow-up", "off topic")] == ["answered"] * 2 + [
        "declined"
    ]


def test_the_guide_names_every_route_and_every_event(client, description):
    guide = (Path(__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
    for path in (*description["paths"], "/healthz", "/readyz", "/metrics"):
        assert f"{path}`" in guide
    for question in QUESTIONS:
        assert all(f"| `{name}` |" in guide for name, _ in events(ask(client, question, EVENTS)))


def test_the_description_names_every_field_of_an_answer(client):
    for question in QUESTIONS:
        answer = ask(client, question).json()
        assert AnswerObject.model_validate(answer).model_dump(mode="json") == answer


def test_the_description_names_the_problems_and_leaves_out_the_pages(description):
    assert set(description["paths"]) == {
        *("/api/v1/ask", "/api/v1/articles", "/api/v1/articles/{id}", "/api/v1/feedback", "/api/v1/site"),
    }
    for path in ("/api/v1/ask", "/api/v1/feedback"):
        responses = description["paths"][path]["post"]["responses"]
        assert {"400", "404", "408", "413", "415", "422", "429", "500", "503"} < set(responses)
        assert list(responses["429"]["content"]) == ["application/problem+json"]


@pytest.mark.slow
def test_describing_the_site_is_not_counted_as_answering(assistant):
    fresh = opened(assistant)
    fresh.get("/api/v1/openapi.json")
    assert "followup_answers_total{" not in fresh.get("/metrics").text


# Feedback


def opinion(client, **changed):
    return client.post("/api/v1/feedback", json={"verdict": "wrong", "receipt": RECEIPT, **changed})


def test_feedback_is_refused_where_none_is_kept(client):
    response = opinion(client)
    assert is_problem(response, 503)
    assert "does not keep feedback" in response.json()["detail"]


def test_feedback_is_kept_with_what_the_reader_chose(keeper, file):
    receipt = ask(keeper, "In dogs?").json()["receipt"]["answer_sha256"]
    chosen = {"receipt": receipt, "article": ARTICLE, "outcome": "declined", "note": "Please add dogs"}
    response = opinion(keeper, **chosen, verdict="missing", question="In\n dogs?\u202e", share_question=True)
    assert (response.status_code, response.json()) == (201, {"kept": True, "question_kept": True})
    kept = Store(file).rows()[-1]
    assert (kept.verdict, kept.receipt, kept.article, kept.outcome) == ("missing", receipt, ARTICLE, "declined")
    assert (kept.note, kept.question) == ("Please add dogs", "In dogs?")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", kept.received_on)


def test_a_question_that_was_not_shared_is_nowhere_in_the_file(keeper, file):
    assert opinion(keeper, question=" ".join(PLANTED)).json() == {"kept": True, "question_kept": False}
    written = b"".join(part.read_bytes() for part in file.parent.iterdir())
    assert RECEIPT.encode() in written
    assert not [text for text in PLANTED if text.encode() in written]


@pytest.mark.parametrize(
    "changed",
    [
        *({"verdict": "bad"}, {"receipt": "0f"}, {"receipt": RECEIPT.upper()}, {"note": "x" * 301}, {"note": "two\nlines"}),
        *({"share_question": "true"}, {"share_question": 1}, {"question": "x" * 5000}, {"outcome": "unknown"}, {"name": "Ann"}),
    ],
)
def test_feedback_beyond_its_bounds_is_refused_and_not_kept(keeper, file, changed):
    Store(file).check()
    before = Store(file).rows()
    assert is_problem(opinion(keeper, **changed), 422)
    assert Store(file).rows() == before


def test_feedback_on_an_unknown_article_is_refused(keeper):
    assert is_problem(opinion(keeper, article="nowhere"), 404)


def lock(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN EXCLUSIVE")
    return connection


@pytest.mark.slow
def test_feedback_that_cannot_be_kept_is_counted_and_the_answers_go_on(assistant, tmp_path):
    path = tmp_path / "f.sqlite"
    path.write_bytes(b"no database " * 1000)
    client = opened(assistant, feedback=path)
    response = opinion(client)
    assert is_problem(response, 503)
    assert str(tmp_path) not in response.text
    assert ask(client, "What is the usual dose?").json()["outcome"] == "answered"
    assert 'followup_feedback_total{result="lost"} 1.0' in client.get("/metrics").text


def test_a_locked_file_of_feedback_keeps_no_question_waiting(assistant, tmp_path):
    path = tmp_path / "f.sqlite"
    app = made(assistant, feedback=path)
    held = lock(path)

    async def run():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            waiting = asyncio.create_task(client.post("/api/v1/feedback", json={"verdict": "wrong", "receipt": RECEIPT}))
            answers = [await client.post("/api/v1/ask", json={"question": "dose?"}) for _ in range(3)]
            early = waiting.done()
            held.close()
            return answers, early, await waiting

    answers, early, kept = asyncio.run(run())
    assert [answer.status_code for answer in answers] == [200] * 3
    assert not early
    assert kept.status_code == 201


# Problems


def test_every_problem_has_its_status_and_repeats_nothing(assistant, client):
    private = PLANTED[0]
    broken = opened(Breaking(assistant))
    sent = {"content-type": "application/json"}
    found = {
        400: client.post("/api/v1/ask", content=f'{{"question": "{private}"', headers=sent),
        404: ask(client, private, article=private),
        405: client.put("/api/v1/ask", json={"question": private}),
        413: client.post("/api/v1/ask", content=private * 5000, headers=sent),
        415: client.post("/api/v1/ask", data={"question": private}),
        422: client.post("/api/v1/ask", json={"question": private, "reader": private, private: private}),
        500: ask(broken, private),
        503: ask(broken, "damaged"),
    }
    for status, response in found.items():
        assert is_problem(response, status)
        assert private not in response.text
        assert set(response.json()) == {"type", "title", "status", "detail"}
        assert response.headers["x-content-type-options"] == "nosniff"
    assert found[405].headers["allow"] == "POST"
    assert "application/json" in found[415].json()["detail"]
    assert "body.reader" in found[422].json()["detail"]
    assert is_problem(ask(broken, "bad"), 400)


@pytest.mark.slow
@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_no_text_breaks_the_interface(client, question, earlier):
    body = {"question": question, "article": ARTICLE, "history": [{"asked": earlier}], "without": [earlier[:200]]}
    response = client.post("/api/v1/ask", content=json.dumps(body), headers={"content-type": "application/json", **EVENTS})
    assert response.status_code == 200 if question else is_problem(response, 422)


# Limits


@pytest.mark.slow
def test_a_flooder_is_slowed_down_while_others_are_served(assistant):
    app = made(assistant, limit=5, site_limit=100)
    flooder, other = (TestClient(app, client=(address, 1)) for address in ("192.0.2.1", "192.0.2.2"))
    answers = [ask(flooder, "dose?") for _ in range(20)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 15
    assert is_problem(answers[-1], 429)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 12
    assert ask(other, "dose?").status_code == 200
    assert flooder.get("/api/v1/articles").status_code == 200
    assert 'followup_limited_total{by="address"} 15.0' in flooder.get("/metrics").text


@pytest.mark.slow
def test_the_site_as_a_whole_has_a_limit_too(assistant):
    app = made(assistant, limit=5, site_limit=8)
    answers = [ask(TestClient(app, client=(f"192.0.2.{n}", 1)), "dose?").status_code for n in range(10)]
    assert answers == [200] * 8 + [429] * 2


def test_the_queue_of_the_page_is_limited_with_the_interface(assistant):
    client = opened(assistant, limit=2)
    ask(client, "dose?")
    join = [client.post("/app/gradio_api/queue/join", json={"fn_index": 99, "data": []}) for _ in range(2)]
    assert join[0].status_code == 400
    assert is_problem(join[1], 429)


def forwarded(client, address, question="dose?"):
    return ask(client, question, {"x-forwarded-for": address}, article=None).status_code


@pytest.mark.slow
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(assistant):
    anyone = opened(assistant, "198.51.100.9", limit=1)
    assert [forwarded(anyone, f"192.0.2.{n}") for n in range(3)] == [200, 429, 429]
    proxy = opened(assistant, "10.1.2.3", limit=1, trusted_proxies=("10.0.0.0/8",))
    assert [forwarded(proxy, f"192.0.2.{n}") for n in range(3)] == [200, 200, 200]
    assert forwarded(proxy, "203.0.113.5, 192.0.2.1") == 429  # the first of the two is the client's own word


@pytest.mark.parametrize("name", ["*", "proxy.example", "10.0.0.1/8", "999.1.1.1"])
def test_a_trusted_proxy_that_is_no_address_is_refused_at_the_start(assistant, name):
    with pytest.raises(BadInputError, match="FOLLOWUP_TRUSTED_PROXIES"):
        made(assistant, trusted_proxies=(name,))


def test_turns_are_given_back_evenly_over_a_minute():
    pace = Pace(600)  # one turn each tenth of a second
    waits = [pace.wait("a") for _ in range(700)]
    assert waits[:600] == [0.0] * 600
    assert 0 < max(waits) <= 0.1
    time.sleep(0.25)
    assert [pace.wait("a"), pace.wait("a")] == [0.0, 0.0]
    assert any(pace.wait("a") for _ in range(20))
    assert pace.wait("b") == 0.0


def test_what_is_remembered_of_addresses_is_bounded():
    pace = Pace(1, most=10)
    for n in range(1000):
        assert pace.wait(str(n)) == 0.0
    assert pace.wait("999") > 0  # the last ones are remembered
    assert pace.wait("0") == 0.0  # the first ones are not


def test_a_network_of_one_customer_counts_as_one_address():
    async def app(*_):
        pass

    async def run():
        sent = []

        async def send(message):
            sent.append(message.get("status"))

        limit = Limit(app, address=1, site=0)
        for host in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
            await limit({"type": "http", "method": "POST", "path": "/api/v1/ask", "client": (host, 1)}, None, send)
            sent.append(host)
        return sent

    assert asyncio.run(run()) == ["2001:db8::1", 429, None, "2001:db8::2", "2001:db8:0:1::1"]


def hostile_questions():
    """The questions of the public set that carry markup or scripts; none where it is missing."""
    file = Path(__file__).parents[2] / "shared" / "data" / "safety" / "hostile.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    return [row["input"] for row in rows if row["group"].startswith("xss") and row["channel"] == "question"]


@pytest.mark.shared
def test_markup_in_a_question_comes_back_as_text_of_a_type_that_no_browser_runs(client):
    questions = hostile_questions()
    if not questions:
        pytest.skip("needs ../shared/data/safety/hostile.jsonl")
    for text in questions:
        for headers, kind in ((None, "application/json"), (EVENTS, "text/event-stream")):
            response = ask(client, text, headers)
            assert response.headers["content-type"].partition(";")[0] in (kind, "application/problem+json")
            assert response.headers["x-content-type-options"] == "nosniff"
        if (answer := ask(client, text)).status_code == 200:
            assert answer.json()["asked"] == text.strip()


# What is told of a reader: nothing


@pytest.mark.slow
def test_planted_identifiers_are_in_no_log_and_no_count(assistant, tmp_path, capfd):
    private = " ".join(PLANTED)
    for source in (assistant, Breaking(assistant)):
        client = opened(source, log=True, feedback=tmp_path / "f.sqlite", limit=30)
        ask(client, private, history=[{"asked": private, "interpreted": private, "suggestions": [private]}], without=PLANTED)
        ask(
            client,
            private,
            {**EVENTS, "user-agent": private, "x-forwarded-for": "192.0.2.77", "cookie": private.replace(" ", "")},
        )
        ask(client, "dose?", article=private)
        client.get("/api/v1/articles", params={"q": private})
        client.get(f"/{private}")
        client.request("MARGARET", f"/app/{private}")
        client.post("/api/v1/ask", content=private)
        client.post("/api/v1/ask", json={private: private})
        opinion(client, question=private)
        counts = client.get("/metrics").text
        written = "".join(capfd.readouterr())
        assert '"route": "/api/v1/ask"' in written
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir()).decode("latin-1")
        for text in PLANTED:
            assert text not in counts
            assert text not in written
            assert text not in kept


def test_a_log_is_one_json_object_a_request_with_these_fields_only(assistant, capfd):
    client = opened(assistant, log=True)
    ask(client, "What is the usual dose?\n{}")
    ask(client, "What is the dose of duloxetine?")
    client.get("/no%0Awhere")
    rows = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [row["route"] for row in rows] == ["/api/v1/ask", "/api/v1/ask", "other"]
    assert set().union(*rows) == {"time", "event", "route", "method", "status", "outcome", "reason", "ms"}
    assert (rows[1]["outcome"], rows[1]["reason"]) == ("declined", "other-drug")


def test_without_log_nothing_is_written(assistant, capfd):
    ask(opened(assistant), "What is the usual dose?")
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_defect_is_told_by_its_place_and_class_and_counted(assistant, capfd):
    client = opened(Breaking(assistant))
    assert is_problem(ask(client, PLANTED[0]), 500)
    [line] = capfd.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["error"] == "RuntimeError"
    assert told["at"][-1].startswith("test_api.py:")
    assert "followup_defects_total 1.0" in client.get("/metrics").text


def test_a_defect_outside_of_answering_is_told_without_its_words_too(assistant, capfd):
    class Lost(Breaking):
        @property
        def articles(self):
            raise RuntimeError(PLANTED[0])

    response = opened(Lost(assistant)).get("/api/v1/articles")
    assert is_problem(response, 500)
    [line] = capfd.readouterr().err.splitlines()
    assert json.loads(line)["error"] == "RuntimeError"
    assert PLANTED[0] not in line + response.text


def on_the_page(client, question, reader):
    """Ask as the page does: join Gradio's queue, and read what comes of it."""
    body = {"data": [question, [], reader, ARTICLE, "en"], "fn_index": 1, "session_hash": "a1"}
    assert client.post("/app/gradio_api/queue/join", json=body).status_code == 200
    return client.get("/app/gradio_api/queue/data", params={"session_hash": "a1"}).text


@pytest.mark.slow
def test_a_defect_behind_the_page_is_told_without_its_words_and_readers_see_a_sentence(assistant, capfd):
    with opened(Breaking(assistant)) as client:
        shown = on_the_page(client, PLANTED[0], "patient")
        on_the_page(client, "dose?", PLANTED[1])
    assert "Something went wrong here. The question was not kept." in shown
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [row["error"] for row in told] == ["RuntimeError", "Error"]
    assert not [text for text in PLANTED if text in str(told)]


@pytest.mark.slow
def test_answers_on_the_page_are_counted_too(assistant):
    with opened(assistant) as client:
        assert "20 mg" in on_the_page(client, "What is the usual dose?", "clinician")
        assert 'followup_answers_total{outcome="answered",reason=""} 1.0' in client.get("/metrics").text


def test_counts_have_no_labels_that_a_client_chooses(client):
    for n in range(20):
        client.get(f"/nowhere/{n}")
        client.get(f"/api/v1/articles/{n}")
        client.get(f"/app/{n}")
        client.request(f"METHOD{n}", "/api/v1/ask")
    routes = set(re.findall(r'followup_requests_total\{method="(\w+)",route="([^"]+)"', client.get("/metrics").text))
    assert ("GET", "other") in routes
    assert ("other", "/api/v1/ask") in routes
    assert ("GET", "/app/*") in routes
    assert len(routes) < 20


def test_answers_are_counted_by_outcome_and_reason(assistant):
    client = opened(assistant)
    ask(client, "What is the usual dose?")
    ask(client, "What is the dose of duloxetine?")
    counts = client.get("/metrics").text
    assert 'followup_answers_total{outcome="answered",reason=""} 1.0' in counts
    assert 'followup_answers_total{outcome="declined",reason="other-drug"} 1.0' in counts


@pytest.mark.slow
def test_nobody_gets_a_word_of_somebody_else(assistant):
    app = made(assistant)

    async def talk(client, name):
        """Return what one reader was sent in three turns, half of it as events."""
        history, seen = [], []
        for turn in range(3):
            body = {"question": f"Dose {name}turn{turn}?", "article": ARTICLE, "history": history}
            answer = await client.post("/api/v1/ask", json=body, headers=EVENTS if turn % 2 else {})
            history.append({"asked": body["question"]})
            seen.append(answer.text)
        return seen

    async def run():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await asyncio.gather(*(talk(client, f"token{n}x") for n in range(40)))

    for n, seen in enumerate(asyncio.run(run())):
        assert all(set(re.findall(r"token\d+x", text)) == {f"token{n}x"} for text in seen)


@pytest.mark.slow
def test_nobody_on_the_page_gets_a_word_of_somebody_else(assistant):
    async def asked(client, name):
        data = [f"Dose {name}?", [], "clinician", ARTICLE, "en"]
        await client.post("/app/gradio_api/queue/join", json={"data": data, "fn_index": 1, "session_hash": name})
        return (await client.get("/app/gradio_api/queue/data", params={"session_hash": name})).text

    async def run():
        app = create_app(assistant, Settings(limit=0, site_limit=0))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client,
        ):
            return await asyncio.gather(*(asked(client, f"token{n}x") for n in range(30)))

    for n, seen in enumerate(asyncio.run(run())):
        assert set(re.findall(r"token\d+x", seen)) == {f"token{n}x"}


@pytest.mark.slow
@pytest.mark.enable_socket
def test_the_options_of_serve_do_what_its_help_says(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site, kept = write_site(tmp_path / "corpus"), tmp_path / "f.sqlite"
    options = ("--corpus", str(site), "--port", str(port), "--feedback", str(kept), "--limit", "3", "--site-limit", "9", "--log")
    command = [sys.executable, "-m", "assistant.cli", "serve", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert f":{port}/" in server.stdout.readline()
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                private = " ".join(PLANTED)
                statuses = [forwarded(client, f"192.0.2.{n}", private) for n in range(2)]  # nobody trusts this client's word
                statuses.append(opinion(client, question=private, note="kept").status_code)
                statuses.append(forwarded(client, PLANTED[7], private))
        finally:
            server.terminate()
        written = server.stdout.read() + server.stderr.read()
    assert statuses == [200, 200, 201, 429]
    assert [row.note for row in Store(kept).rows()] == ["kept"]
    assert written.count('"event": "request"') == 4
    assert not [text for text in PLANTED if text in written]
