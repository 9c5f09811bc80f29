"""What a site owner may rely on: who may frame the chat and read the answers, and the script that other sites load."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi.testclient import TestClient

from assistant.errors import BadInputError
from assistant.records import Document, Page, Unit
from assistant.settings import Settings, origin_of
from assistant.web.app import create_app
from assistant.web.page import STATIC, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = "https://site.example"
OTHER = "https://elsewhere.example"
TEXT = "Do not use it with opioid medicines."
ARTICLE = Document(
    id="ldn", title="Low dose", text=TEXT, units=(Unit(start=0, end=len(TEXT)),), page=Page(question="What is the dose?")
)
ROOT = Path(__file__).resolve().parents[1]
WIDGET = (STATIC / "widget.js").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")


class Small:
    """Knows one article, and no answer: nothing here is asked."""

    articles = (ARTICLE,)
    retriever = SimpleNamespace(documents={"ldn": ARTICLE})
    writer = SimpleNamespace(model=None)

    def suggest(self, article: str | None) -> list[str]:
        return [f"What is the dose in {article}?"]


def served(*origins: str) -> TestClient:
    """Serve for these sites; made inside a loop, because outside of one Gradio makes loops that it never closes."""

    async def make() -> TestClient:
        return TestClient(create_app(Small(), Settings(origins=origins)))  # type: ignore[arg-type]

    return asyncio.run(make())


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with served(SITE, "http://127.0.0.1:8000") as opened_client:
        yield opened_client


def ancestors(client: TestClient, path: str) -> str:
    policy = client.get(path, follow_redirects=False).headers["content-security-policy"]
    return policy.rpartition("frame-ancestors ")[2]


def test_only_the_chat_may_be_framed_and_only_by_listed_sites(client: TestClient) -> None:
    assert ancestors(client, "/embed/?article=ldn") == f"'self' {SITE} http://127.0.0.1:8000"
    assert ancestors(client, "/embed") == f"'self' {SITE} http://127.0.0.1:8000"
    for path in ("/app/", "/", "/widget.js", "/api/v1/articles", "/embed/config", "/static/page.js"):
        assert ancestors(client, path) == "'none'"


def test_without_a_list_no_other_site_may_frame_the_chat() -> None:
    with served() as client:
        assert ancestors(client, "/embed/") == "'self'"


def test_listed_sites_may_read_answers_and_scripts_and_others_may_not(client: TestClient) -> None:
    wish = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    for origin, allowed in ((SITE, SITE), (OTHER, None), ("null", None)):
        for path in ("/static/mark.js", "/api/v1/articles"):
            assert client.get(path, headers={"origin": origin}).headers.get("access-control-allow-origin") == allowed
        asked = client.options("/api/v1/ask", headers={"origin": origin, **wish})
        assert asked.headers.get("access-control-allow-origin") == allowed
        assert (asked.status_code == 200) == (allowed is not None)


def test_a_listed_site_reads_why_it_was_refused(client: TestClient) -> None:
    headers = {"origin": SITE, "content-type": "application/json"}
    large = client.post("/api/v1/ask", content=b"x" * 500_000, headers=headers)
    wrong = client.post("/api/v1/ask", content=b"no JSON", headers=headers)
    assert (large.status_code, wrong.status_code) == (413, 400)
    for refused in (large, wrong):
        assert refused.headers["access-control-allow-origin"] == SITE
        assert refused.headers["access-control-expose-headers"] == "retry-after"


def test_the_frame_is_told_which_sites_may_speak_with_it(client: TestClient) -> None:
    page = client.get("/embed/").text
    assert f'name=\\"followup-origins\\" content=\\"{SITE} http://127.0.0.1:8000\\"' in page
    assert "/static/embed.js" in page
    assert "embed.js" not in client.get("/app/").text


def test_the_script_may_be_loaded_by_any_site_and_kept_until_it_changes(client: TestClient) -> None:
    response = client.get("/widget.js")
    assert response.text == WIDGET
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    assert response.headers["cache-control"] == "no-cache"
    again = client.get("/widget.js", headers={"if-none-match": response.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["cross-origin-resource-policy"] == "cross-origin"
    assert client.head("/widget.js").headers["etag"] == response.headers["etag"]


def test_the_script_is_small() -> None:
    assert len(gzip.compress(WIDGET.encode())) <= 3 * 1024


def test_what_is_sent_is_compressed_where_the_browser_can_read_that(client: TestClient) -> None:
    for path in ("/widget.js", "/embed/", "/embed/theme.css"):
        assert client.get(path, headers={"accept-encoding": "gzip"}).headers["content-encoding"] == "gzip"
        assert "content-encoding" not in client.get(path, headers={"accept-encoding": "identity"}).headers


def test_a_chat_under_another_site_never_takes_another_article_than_the_named_one() -> None:
    article, reader, about, log = opened(Small(), {"article": "ldn", "reader": "patient"}, named=True)  # type: ignore[arg-type]
    assert TEXT in article
    assert (reader, about) == ("patient", "ldn")
    assert "What is the dose in ldn?" in log[0]["content"]
    for name in ("unknown", "", "LDN"):
        article, _, about, log = opened(Small(), {"article": name}, named=True)  # type: ignore[arg-type]
        assert article == ""
        assert about not in ("", "ldn")
        assert "not in the collection" in log[0]["content"]


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://www.example.org", "https://www.example.org"),
        (" HTTPS://Example.ORG/ ", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80/", "http://example.org"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_origin_is_taken_as_browsers_write_it(address: str, origin: str) -> None:
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "*",
            "null",
            "example.org",
            "https://*.example.org",
            "https://example.org/blog",
            "https://example.org?x",
            "file:///x",
        ),
        *(
            "https://user@example.org",
            "https://bücher.example",
            "https://a; script-src *",
            "https://a https://b",
            "https://a\nb",
            "https://",
        ),
    ],
)
def test_what_is_no_origin_is_refused_with_the_way_out(address: str) -> None:
    with pytest.raises(BadInputError, match=r"--allow-origin|FOLLOWUP_ORIGINS"):
        origin_of(address)


def followup(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assistant.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_sites_are_listed_on_the_command_line_or_in_the_environment() -> None:
    code = "from assistant.settings import Settings; print(*Settings().origins)"
    environment = {**os.environ, "FOLLOWUP_ORIGINS": f"{SITE}/, {OTHER}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == [SITE, OTHER]
    for done in (followup("serve", "--allow-origin", "example.org"), followup("serve", FOLLOWUP_ORIGINS="example.org")):
        assert done.returncode == 1
        assert "'example.org' is not the origin of a site" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.enable_socket
def test_the_demo_starts_assistant_and_site_says_where_they_are_and_ends_both() -> None:
    command = [sys.executable, str(ROOT / "examples" / "host" / "demo.py"), "--port", "0", "--site-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assistant, site = (re.findall(r"http://127\.0\.0\.1:\d+", demo.stdout.readline())[0] for _ in range(2))
        page = httpx.get(f"{site}/").text
        assert f'src="{assistant}/widget.js"' in page
        assert httpx.get(f"{assistant}/embed/").headers["content-security-policy"].endswith(f"'self' {site}")
        demo.terminate()
    assert demo.returncode == 0
    for address in (assistant, site):
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)


def test_the_guide_names_every_attribute_event_and_message_field() -> None:
    attributes = set(re.findall(r'getAttribute\("(\w+)"\)', WIDGET)) | {"article", "reader", "lang", "theme"}
    assert attributes == {"article", "reader", "lang", "theme", "height", "label", "mode"}
    for name in attributes:
        assert f"| `{name}` |" in GUIDE
    for kind in ("ready", "ask", "answer", "cite", "error"):
        assert f"| `followup:{kind}` |" in GUIDE
    for reason in ("blocked", "unknown-article", "failed"):
        assert f"`{reason}`" in GUIDE
    for call in ("ask(text)", "open()"):
        assert f"`{call}`" in GUIDE
