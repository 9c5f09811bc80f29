"""The chat as a guest of another site, in a real browser: it speaks with its host only, and leaves the host as it is."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Frame, Page

CHROMIUM = Path(os.environ.get("FOLLOWUP_CHROMIUM", "/usr/bin/chromium"))
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Chromium at {CHROMIUM} (or FOLLOWUP_CHROMIUM)"),
]
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "host"
ARTICLE = "naltrexone-anti-inflammatory-dose"
QUESTION = "What is the maximum dose?"
SIZES = [(1280, 900), (375, 740), (320, 568), (568, 320)]
TITRATION = "The dose of low-dose naltrexone is raised gradually, by 1.5 mg every two weeks, to at most 4.5 mg a day."
FRAME = "followup-assistant iframe"
HEARING = """
    window.reports = [];
    for (const kind of ["ready", "ask", "answer", "cite", "error"]) {
        addEventListener(`followup:${kind}`, ({ detail }) => reports.push({ kind, ...detail }));
    }
"""


class Site:
    """Another site, at two origins of one port: ``listed`` may show the chat, ``unlisted`` may not."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.partition("?")[0].strip("/")
                written = site.pages.get(name)
                self.send_response(200 if written is not None else 404)
                self.send_header("Content-Type", "text/css" if name.endswith(".css") else "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((written or "").encode())

            def log_message(self, *_: object) -> None:
                """Say nothing of each request."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.listed = f"http://127.0.0.1:{self.server.server_port}"
        self.unlisted = f"http://localhost:{self.server.server_port}"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    served = Site()
    with served.server as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield served
        server.shutdown()


@pytest.fixture(scope="module")
def assistant(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the program as a site owner does, on a free port, and wait until it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    said = (tmp_path_factory.mktemp("server") / "said.txt").open("w+")
    command = [
        sys.executable,
        "-m",
        "assistant.cli",
        "serve",
        "--port",
        port,
        "--limit",
        "0",
        "--allow-origin",
        f"{site.listed}/",
    ]
    with said, subprocess.Popen(command, stdout=said, stderr=said) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server)
            yield address
            said.seek(0)
            assert "Traceback" not in said.read()
        finally:
            server.terminate()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            httpx.get(f"{address}/healthz")
        except httpx.TransportError:
            assert server.poll() is None, "the server ended before it answered"
            time.sleep(0.5)
        else:
            return
    pytest.fail("the server did not answer within five minutes")


@pytest.fixture(scope="module", autouse=True)
def example(site: Site, assistant: str) -> None:
    """Serve the pages of the example as ``make demo`` does."""
    for path in EXAMPLE.iterdir():
        if path.suffix in (".html", ".css"):
            site.pages[path.name] = path.read_text(encoding="utf-8").replace("http://127.0.0.1:7860", assistant)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=arguments) as opened:
        yield opened


@pytest.fixture
def trouble() -> list[str]:
    """Collects requests to third origins, console errors (CSP violations among them) and dialogs of the pages of a test."""
    return []


@pytest.fixture
def page(browser: Browser, site: Site, assistant: str, trouble: list[str]) -> Iterator[Page]:
    ours = (f"{site.listed}/", f"{assistant}/", "data:", "blob:")
    with browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        context.add_init_script(HEARING)
        opened = context.new_page()
        opened.on("request", lambda r: None if r.url.startswith(ours) else trouble.append(r.url))
        opened.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
        opened.on("pageerror", lambda error: trouble.append(str(error)))
        opened.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
        yield opened
        assert trouble == []


@pytest.fixture
def visit(page: Page, site: Site, assistant: str) -> Callable[..., None]:
    """Opens a page of the listed site that holds ``body``; ``WIDGET`` in it becomes the element's script."""

    def go(body: str, *, origin: str = "", head: str = "", **attributes: str) -> None:
        written = "".join(f' {name}="{value}"' for name, value in ({"article": ARTICLE} | attributes).items())
        element = f"<followup-assistant{written}><p>Instead of the chat</p></followup-assistant>"
        script = f'<script async src="{assistant}/widget.js"></script>'
        head = f'<meta charset="utf-8">{head}<title>Host</title><link rel="icon" href="data:,">'
        viewport = '<meta name="viewport" content="width=device-width, initial-scale=1">'
        whole = f'<!doctype html><html lang="en"><head>{head}{viewport}{script}</head><body>{body}</body></html>'
        site.pages["host"] = whole.replace("WIDGET", element)
        page.goto(f"{origin or site.listed}/host")

    return go


def heard(page: Page, kind: str, number: int = 1) -> dict[str, Any]:
    """Wait until the host heard ``kind`` for the ``number``-th time and return what it was told."""
    page.wait_for_function("([kind, n]) => reports.filter(e => e.kind === kind).length >= n", arg=[kind, number])
    told: list[dict[str, Any]] = page.evaluate("kind => reports.filter(e => e.kind === kind)", kind)
    return told[number - 1]


def element(page: Page, call: str, *arguments: str) -> None:
    page.evaluate(f"given => document.querySelector('followup-assistant').{call}(...given)", list(arguments))


def chat(page: Page) -> Frame:
    frame = page.wait_for_selector(FRAME, state="attached").content_frame()
    assert frame is not None
    return frame


def ask(page: Page, question: str = QUESTION, number: int = 1) -> Frame:
    """Type a question as a reader does and wait for its answer."""
    heard(page, "ready")
    frame = chat(page)
    frame.fill("#question textarea", question)
    frame.press("#question textarea", "Enter")
    frame.wait_for_selector(f"#answer-{number}")
    return frame


def marked(page: Page) -> str | None:
    """Return the words that are marked in the host's page."""
    words: str | None = page.evaluate("[...(CSS.highlights.get('followup') ?? [])].map(range => range.toString())[0] ?? null")
    return words


# Framing


def test_a_listed_site_shows_the_chat_and_hears_that_it_is_ready(page: Page, visit: Callable[..., None]) -> None:
    visit("WIDGET")
    assert heard(page, "ready") == {"kind": "ready", "article": ARTICLE}
    expect(page.frame_locator(FRAME).locator("#disclaimer")).to_be_visible()
    expect(page.get_by_text("Instead of the chat")).to_be_hidden()


def test_a_site_that_is_not_listed_shows_its_own_words_and_learns_why(
    page: Page, visit: Callable[..., None], site: Site, trouble: list[str]
) -> None:
    page.clock.install()
    visit("WIDGET", origin=site.unlisted)
    page.wait_for_selector(FRAME, state="attached")
    page.clock.fast_forward(25_000)
    assert heard(page, "error") == {"kind": "error", "reason": "blocked"}
    expect(page.get_by_text("Instead of the chat")).to_be_visible()
    assert any("frame-ancestors" in entry for entry in trouble)
    trouble.clear()


def test_without_scripts_the_words_between_the_tags_are_shown(browser: Browser, site: Site) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.listed}/index.html")
        expect(page.get_by_text("not medical advice")).to_be_visible()


def test_an_element_without_words_of_its_own_links_to_the_assistant(
    page: Page, site: Site, assistant: str, trouble: list[str]
) -> None:
    site.pages["bare"] = (
        f'<followup-assistant article="{ARTICLE}"></followup-assistant><script src="{assistant}/widget.js"></script>'
    )
    page.goto(f"{site.unlisted}/bare")
    link = page.get_by_role("link", name="Ask a follow-up question")
    expect(link).to_have_attribute("href", f"{assistant}/app/?article={ARTICLE}&reader=&lang=&theme=")
    expect(page.get_by_text("not medical advice")).to_be_visible()
    trouble.clear()


def test_the_page_with_the_article_is_never_framed(page: Page, site: Site, assistant: str, trouble: list[str]) -> None:
    site.pages["app"] = f'<iframe src="{assistant}/app/"></iframe>'
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(f"{site.listed}/app")
    trouble.clear()


def test_a_plain_frame_answers_and_offers_no_way_that_leads_nowhere(page: Page, site: Site, assistant: str) -> None:
    address = f"{assistant}/embed/?article={ARTICLE}&reader=patient"
    site.pages["plain"] = f'<link rel="icon" href="data:,"><iframe src="{address}" width="400" height="600"></iframe>'
    page.goto(f"{site.listed}/plain")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#reader input:checked")).to_have_value("patient")
    frame.locator("#question textarea").fill(QUESTION)
    frame.locator("#question textarea").press("Enter")
    frame.locator("#answer-1 .mark").first.click()
    expect(frame.locator("#answer-1 details[open] .quote")).to_be_visible()
    expect(frame.locator("#answer-1 .jump").first).to_be_hidden()


def test_an_unknown_article_is_named_as_such_and_nothing_can_be_asked(page: Page, visit: Callable[..., None]) -> None:
    visit("WIDGET", article="no-such-article")
    assert heard(page, "error") == {"kind": "error", "reason": "unknown-article"}
    frame = page.frame_locator(FRAME)
    expect(frame.get_by_text("This article is not known")).to_be_visible()
    expect(frame.locator("#ask")).to_be_hidden()
    expect(frame.locator("#disclaimer")).to_be_visible()


# What the host hears and does


def test_the_host_hears_of_a_readers_question_how_it_went_but_never_its_words(page: Page, visit: Callable[..., None]) -> None:
    visit("WIDGET")
    ask(page, "Can my grandmother take it with morphine?")
    assert heard(page, "ask") == {"kind": "ask", "by": "reader"}
    told = heard(page, "answer")
    assert told["by"] == "reader"
    assert told["turn"] == 1
    assert told["outcome"] in ("answered", "closest", "declined")
    assert set(told) == {"kind", "by", "turn", "outcome", "quotes", "sources"}
    assert "grandmother" not in page.evaluate("JSON.stringify(reports)")


def test_questions_of_the_host_are_asked_one_after_the_other_even_before_the_frame_is_there(
    page: Page, visit: Callable[..., None]
) -> None:
    visit('<div style="height: 5000px"></div>WIDGET')
    page.wait_for_function("customElements.get('followup-assistant') !== undefined")
    element(page, "ask", QUESTION)
    element(page, "ask", "How fast is\n the dose increased?")
    first = heard(page, "answer")
    assert (first["by"], first["question"], first["outcome"]) == ("host", QUESTION, "answered")
    assert heard(page, "answer", 2)["question"] == "How fast is\n the dose increased?"
    expect(chat(page).locator("#log .user-row")).to_have_count(2)
    ask(page, "And with opioids?", 3)
    assert heard(page, "answer", 3)["by"] == "reader"


def test_the_host_hears_of_a_question_that_could_not_be_answered(page: Page, visit: Callable[..., None]) -> None:
    visit("WIDGET")
    heard(page, "ready")
    element(page, "ask", "dose " * 1000)
    told = heard(page, "error")
    assert (told["by"], told["reason"]) == ("host", "failed")


def test_the_host_hears_of_a_lost_connection_and_its_next_question_is_asked(
    page: Page, visit: Callable[..., None], trouble: list[str]
) -> None:
    visit("WIDGET")
    heard(page, "ready")
    page.route("**/queue/join*", lambda route: route.abort())
    element(page, "ask", QUESTION)
    told = heard(page, "error")
    assert (told["by"], told["question"], told["reason"]) == ("host", QUESTION, "failed")
    expect(page.frame_locator(FRAME).locator("#state")).to_be_visible()
    page.unroute("**/queue/join*")
    element(page, "ask", "How fast is the dose increased?")
    assert heard(page, "answer")["question"] == "How fast is the dose increased?"
    assert page.evaluate("reports.map(report => report.kind)") == ["ready", "ask", "error", "ask", "answer"]
    assert all("net::ERR_FAILED" in line for line in trouble)
    trouble.clear()


def test_another_kind_of_reader_is_no_question(page: Page, visit: Callable[..., None]) -> None:
    visit("WIDGET")
    heard(page, "ready")
    frame = chat(page)
    frame.locator("#reader").get_by_text("Patient").click()
    expect(frame.locator("#reader input:checked")).to_have_value("patient")
    ask(page)
    frame.locator("#reader").get_by_text("Researcher").click()
    expect(frame.locator("#reader input:checked")).to_have_value("researcher")
    heard(page, "answer")
    assert page.evaluate("reports.map(report => report.kind)") == ["ready", "ask", "answer"]


def test_open_leads_to_the_question_box(page: Page, visit: Callable[..., None]) -> None:
    visit('<div style="height: 5000px"></div>WIDGET')
    page.wait_for_function("customElements.get('followup-assistant') !== undefined")
    element(page, "open")
    heard(page, "ready")
    expect(page.frame_locator(FRAME).locator("#question textarea")).to_be_focused()
    expect(page.locator("followup-assistant")).to_be_in_viewport(ratio=0.9)


def test_a_button_of_the_host_may_lead_there_too(page: Page, visit: Callable[..., None]) -> None:
    visit("<button onclick=\"document.querySelector('followup-assistant').open()\">Any question?</button>WIDGET", mode="launcher")
    page.wait_for_function("customElements.get('followup-assistant') !== undefined")
    for _ in range(2):
        page.get_by_role("button", name="Any question?").click()
        expect(page.frame_locator(FRAME).locator("#question textarea")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()


def test_another_article_gets_a_conversation_of_its_own(page: Page, visit: Callable[..., None]) -> None:
    visit("WIDGET", reader="researcher")
    ask(page)
    element(page, "setAttribute", "article", "metformin-ckd-dose")
    assert heard(page, "ready", 2)["article"] == "metformin-ckd-dose"
    frame = page.frame_locator(FRAME)
    expect(frame.locator("#reader input:checked")).to_have_value("researcher")
    expect(frame.locator("#log .user-row")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_hosts_choice_or_the_readers(page: Page, visit: Callable[..., None], scheme: Any) -> None:
    def ground() -> str:
        return str(chat(page).evaluate("getComputedStyle(document.querySelector('#chat-pane')).backgroundColor"))

    page.emulate_media(color_scheme=scheme)
    visit("WIDGET", theme="dark")
    heard(page, "ready")
    dark = ground()
    element(page, "setAttribute", "theme", "light")
    chat(page).wait_for_function("!document.body.classList.contains('dark')")
    light = ground()
    assert light != dark
    page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
    assert ground() == light
    page.emulate_media(color_scheme=scheme)
    element(page, "setAttribute", "theme", "auto")
    chat(page).wait_for_function("dark => document.body.classList.contains('dark') === dark", arg=scheme == "dark")
    assert ground() == {"light": light, "dark": dark}[scheme]


# The sentence in the host's own article


def test_a_citation_marks_its_sentence_in_the_hosts_article_and_leads_back(page: Page, site: Site) -> None:
    page.goto(f"{site.listed}/index.html")
    page.locator("followup-assistant").scroll_into_view_if_needed()
    frame = ask(page)
    frame.locator("#answer-1 .mark").first.click()
    told = heard(page, "cite")
    assert (told["article"], told["found"], told["quote"]) == (True, True, TITRATION)
    assert (marked(page) or "").replace("\u00a0", " ") == TITRATION
    expect(page.get_by_role("link", name="gradually, by 1.5")).to_be_in_viewport()
    expect(frame.locator(".host-note")).to_have_text("Marked in the article on this page.")
    back = page.get_by_role("button", name="Back to the answer")
    back.click()
    expect(page.locator("followup-assistant")).to_be_in_viewport()
    expect(frame.locator("#question textarea")).to_be_focused()
    expect(back).to_be_hidden()


def test_a_citation_of_another_work_tells_the_host_no_more_than_its_number(page: Page, visit: Callable[..., None]) -> None:
    visit("WIDGET")
    frame = ask(page)
    source = frame.locator("#answer-1 .source:not(:has(.jump))").first.get_attribute("id") or ""
    frame.locator(f'#answer-1 .mark[href="#{source}"]').first.click()
    assert heard(page, "cite") == {"kind": "cite", "turn": 1, "n": int(source.split("-")[-1]), "article": False, "found": False}
    assert marked(page) is None


def test_a_sentence_the_page_does_not_show_stays_quoted_in_the_chat(page: Page, visit: Callable[..., None]) -> None:
    visit(f"<p>{TITRATION.replace('1.5', '15')}</p>WIDGET")
    frame = ask(page)
    frame.locator("#answer-1 .mark").first.click()
    assert heard(page, "cite")["found"] is False
    assert marked(page) is None
    expect(frame.locator(".host-note")).to_have_text("This page does not show the sentence; it is quoted here.")
    expect(frame.locator("#answer-1 details[open] .quote")).to_contain_text(TITRATION)


def test_a_host_may_show_the_sentence_in_its_own_way(page: Page, visit: Callable[..., None]) -> None:
    visit(f"<p>{TITRATION}</p>WIDGET")
    page.evaluate("addEventListener('followup:cite', event => event.preventDefault())")
    ask(page).locator("#answer-1 .mark").first.click()
    assert heard(page, "cite")["found"] is True
    assert marked(page) is None


def red(page: Page) -> int:
    """Return how many pixels of the screen are pure red."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return sum(count for count, colour in picture.getcolors(picture.width * picture.height) or [] if colour == (255, 0, 0))


def test_a_browser_that_cannot_paint_highlights_is_led_by_a_text_fragment(page: Page, visit: Callable[..., None]) -> None:
    page.add_init_script("delete window.Highlight")
    visit(f"<style>::target-text {{ background: #f00 }}</style>WIDGET<p style='margin-top: 3000px'>{TITRATION}</p>")
    before = page.url
    ask(page).locator("#answer-1 .mark").first.click()
    page.wait_for_function("scrollY > 2000")
    page.wait_for_timeout(500)  # a smooth scroll ends
    assert red(page) > 1000
    assert page.url.rstrip("#") == before


def test_a_browser_without_text_fragments_either_selects_the_sentence(page: Page, visit: Callable[..., None]) -> None:
    page.add_init_script("delete window.Highlight; delete Document.prototype.fragmentDirective")
    visit(f"<p>{TITRATION}</p>WIDGET")
    ask(page).locator("#answer-1 .mark").first.click()
    page.wait_for_function("words => getSelection().toString() === words", arg=TITRATION)


WANTED = {"quote": "Start with 1.5 mg at bedtime.", "prefix": "For adults.", "suffix": "Then wait two weeks."}
PLACES = {
    "as it is": ("<p>Start with 1.5 mg at bedtime.</p>", "Start with 1.5 mg at bedtime."),
    "over elements": ("<p>Start <b>wi</b>th <a href='#'>1.5 <i>mg</i></a> at bedtime.</p>", "Start with 1.5 mg at bedtime."),
    "other spaces": (
        "<p>Start  with\n 1.5&nbsp;mg at&#8239;bed&shy;time.</p>",
        "Start  with\n 1.5\u00a0mg at\u202fbed\u00adtime.",
    ),
    "other marks": ("<p>“Start: with 1.5 mg – at bedtime!”</p>", "Start: with 1.5 mg – at bedtime!”"),
    "no marks": ("<ul><li>start with 1.5mg at bedtime</li></ul>", "start with 1.5mg at bedtime"),
    "references": ("<p>Start with 1.5 mg [1, 2] at<sup>3</sup> bedtime.</p>", "Start with 1.5 mg [1, 2] at3 bedtime."),
    "over blocks": ("<div>Start with<br>1.5 mg</div><div>at bedtime.</div>", "Start with1.5 mgat bedtime."),
    "another number": ("<p>Start with 15 mg at bedtime. Start with 1-5 mg at bedtime.</p>", None),
    "the opposite sign": ("<p>Start with −1.5 mg at bedtime. Start with -1.5 mg at bedtime.</p>", None),
    "a power of it": ("<p>Start with 1.5<sup>2</sup> mg at bedtime.</p>", None),
    "another word": ("<p>Do not start with 1.5 mg before bedtime.</p>", None),
    "the contrary": ("<p>Do not <b>start with 1.5 mg at bedtime</b>.<br>Never<br>start with 1.5 mg at bedtime.</p>", None),
    "with a limit": ("<p>Start with 1.5 mg at bedtime, but only in adults.</p>", None),
    "after a reference": (
        "<p>Stop it.<sup>1</sup> Start with 1.5 mg at bedtime [2]. Then wait.</p>",
        "Start with 1.5 mg at bedtime",
    ),
    "a part of it": ("<p>Start with 1.5 mg.</p>", None),
    "hidden": ("<p hidden>Start with 1.5 mg at bedtime.</p><textarea>Start with 1.5 mg at bedtime.</textarea>", None),
    "folded": ("<details><summary>More</summary>Start with 1.5 mg at bedtime.</details>", None),
    "invisible": ("<p style='visibility: hidden'>Start with 1.5 mg at bedtime.</p>", None),
    "in a script": ("<script type='text/plain'>Start with 1.5 mg at bedtime.</script>", None),
}


def found(page: Page, wanted: dict[str, str], *, mark_id: bool = False) -> str | None:
    """Return the words (or the id of the element) that a quotation is found at."""
    show = "range.startContainer.parentElement.closest('[id]')?.id" if mark_id else "range.toString()"
    place: str | None = page.evaluate(
        "async wanted => { const { locate } = await import('/static/mark.js'); const range = locate(wanted);"
        f" return range && ({show}); }}",
        wanted,
    )
    return place


@pytest.fixture
def article(page: Page, assistant: str) -> Callable[[str], None]:
    """Shows ``body`` as a page beside the script that finds quotations."""

    def show(body: str) -> None:
        page.route(
            "**/article",
            lambda route: route.fulfill(body=f"<!doctype html><body>{body}", content_type="text/html; charset=utf-8"),
        )
        page.route("**/favicon.ico", lambda route: route.fulfill(body=""))
        page.goto(f"{assistant}/article")

    return show


@pytest.mark.parametrize(("body", "words"), PLACES.values(), ids=PLACES)
def test_a_quotation_is_found_whatever_the_marks_and_spaces_but_never_with_other_figures(
    page: Page, article: Callable[[str], None], body: str, words: str | None
) -> None:
    article(body)
    assert found(page, WANTED) == words


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("For adults.", "Then stop.", "second"),
        ("Dose.", "Then wait two weeks.", "second"),
        ("For children.", "Then stop.", None),
    ],
)
def test_of_two_equal_sentences_the_one_in_the_right_place_is_taken_or_none(
    page: Page, article: Callable[[str], None], before: str, after: str, expected: str | None
) -> None:
    repeated = "<span id='{}'>Start with 1.5 mg at bedtime.</span>"
    first, second = repeated.format("first"), repeated.format("second")
    article(f"<p>For children. {first} Then stop.</p><p>{before} {second} {after}</p>")
    assert found(page, WANTED, mark_id=True) == expected


@pytest.mark.parametrize("name", ["index.html", "launcher.html"])
def test_every_sentence_of_the_shipped_articles_is_found_in_the_pages_of_the_example(
    page: Page, site: Site, assistant: str, name: str
) -> None:
    page.goto(f"{site.listed}/{name}")
    article = page.get_attribute("followup-assistant", "article")
    entries = httpx.get(f"{assistant}/embed/", params={"article": article})
    assert entries.status_code == 200
    element(page, "open")
    heard(page, "ready")
    sentences = chat(page).evaluate(
        "[...document.querySelectorAll('.article .sentence')].map(node => {"
        " const copy = node.cloneNode(true); copy.querySelector('.refs')?.remove(); return copy.textContent; })"
    )
    assert len(sentences) > 20
    missing = page.evaluate(
        "async ([address, sentences]) => { const { locate } = await import(address);"
        " const texts = [...document.querySelectorAll('article :is(p, li)')];"
        " return sentences.filter(quote => !texts.some(node => locate({ quote }, null, node))); }",
        [f"{assistant}/static/mark.js", sentences],
    )
    assert missing == []


# The host stays as it is

STATE = """() => {
    const guest = document.querySelector("followup-assistant");
    const others = [...document.querySelectorAll("*")].filter(node => !guest.contains(node));
    const free = others.filter(node => !node.contains(guest));
    const style = node => [...getComputedStyle(node)].map(name => getComputedStyle(node).getPropertyValue(name)).join(";");
    const copy = document.documentElement.cloneNode(true);
    copy.querySelector("followup-assistant").remove();
    return [copy.outerHTML, free.map(style), document.styleSheets.length, Object.keys(window), location.href, document.title];
}"""


@pytest.mark.parametrize("mode", ["inline", "launcher"])
def test_styles_and_document_of_the_host_stay_as_they_are(page: Page, site: Site, assistant: str, mode: str) -> None:
    written = site.pages["index.html"].replace("<followup-assistant ", f'<followup-assistant mode="{mode}" ')
    site.pages["without"] = written.replace(f"{assistant}/widget.js", "data:text/javascript,")
    site.pages["with"] = written.replace(f"{assistant}/widget.js", "data:text/javascript,", 0)
    page.goto(f"{site.listed}/without")
    before = page.evaluate(STATE)
    page.goto(f"{site.listed}/with")
    element(page, "open")
    ask(page).locator("#answer-1 .mark").first.click()
    heard(page, "cite")
    page.wait_for_function("CSS.highlights.size === 1")
    after = page.evaluate(STATE)
    after[0] = after[0].replace(f"{assistant}/widget.js", "data:text/javascript,")
    after[4] = after[4].replace("/with", "/without")
    assert after == before


def test_a_host_with_a_strict_policy_needs_to_allow_the_script_and_the_frame_only(
    page: Page, visit: Callable[..., None], assistant: str
) -> None:
    policy = f"default-src 'none'; script-src {assistant}; frame-src {assistant}; require-trusted-types-for 'script'"
    head = f'<meta http-equiv="content-security-policy" content="{policy}; img-src data:">'
    head += '<meta name="referrer" content="no-referrer">'
    visit(f"<p>{TITRATION}</p>WIDGET", head=head)
    ask(page).locator("#answer-1 .mark").first.click()
    assert heard(page, "cite")["found"] is True
    page.wait_for_function("CSS.highlights.size === 1")


def test_the_script_may_be_added_later_and_more_than_once(page: Page, site: Site, assistant: str) -> None:
    site.pages["later"] = f'<link rel="icon" href="data:,"><followup-assistant article="{ARTICLE}"></followup-assistant>'
    page.goto(f"{site.listed}/later")
    add = "src => document.head.append(Object.assign(document.createElement('script'), { src, async: true }))"
    for _ in range(2):
        page.evaluate(add, f"{assistant}/widget.js")
    assert heard(page, "ready")["article"] == ARTICLE


def test_an_element_that_is_moved_or_taken_away_stays_usable(page: Page, visit: Callable[..., None]) -> None:
    visit('WIDGET<div id="elsewhere"></div>')
    heard(page, "ready")
    page.evaluate("document.querySelector('#elsewhere').append(document.querySelector('followup-assistant'))")
    heard(page, "ready", 2)
    ask(page)
    assert page.evaluate("reports.map(report => report.kind)") == ["ready", "ready", "ask", "answer"]


def test_only_the_script_is_asked_for_until_the_reader_comes_near(page: Page, visit: Callable[..., None], assistant: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith(assistant) else None)
    visit('<div style="height: 5000px"></div>WIDGET')
    page.wait_for_function("document.querySelector('followup-assistant').shadowRoot")
    page.wait_for_load_state("networkidle")
    assert asked == [f"{assistant}/widget.js"]
    page.locator("followup-assistant").scroll_into_view_if_needed()
    heard(page, "ready")
    assert len(asked) > 1


def test_the_frame_keeps_its_height_whatever_it_holds(page: Page, visit: Callable[..., None]) -> None:
    visit("WIDGET", height="500")
    page.wait_for_function("document.querySelector('followup-assistant').shadowRoot")
    heights = [page.evaluate("document.querySelector('followup-assistant').offsetHeight")]
    ask(page)
    heights.append(page.evaluate("document.querySelector('followup-assistant').offsetHeight"))
    assert heights == [500, 500]


# The launcher


def focused_part(page: Page) -> str:
    return str(page.evaluate("document.activeElement?.shadowRoot?.activeElement?.tagName ?? ''"))


def test_the_launcher_works_with_the_keyboard_alone(page: Page, visit: Callable[..., None]) -> None:
    visit("<p>Text</p>WIDGET", mode="launcher", label="Ask about this")
    launcher = page.get_by_role("button", name="Ask about this")
    expect(launcher).to_be_visible()
    expect(page.locator(FRAME)).to_have_count(0)
    page.keyboard.press("Tab")
    expect(launcher).to_be_focused()
    page.keyboard.press("Enter")
    heard(page, "ready")
    expect(page.get_by_role("dialog", name="Ask about this")).to_be_visible()
    question = page.frame_locator(FRAME).locator("#question textarea")
    expect(question).to_be_focused()
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    heard(page, "answer")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(launcher).to_be_focused()
    page.keyboard.press("Enter")
    expect(question).to_be_focused()
    expect(page.frame_locator(FRAME).locator("#answer-1")).to_be_visible()
    page.get_by_role("button", name="Close").press("Escape")
    expect(launcher).to_be_focused()


def test_escape_in_an_opened_source_leaves_the_panel_open(page: Page, visit: Callable[..., None]) -> None:
    visit("<p>Text</p>WIDGET", mode="launcher")
    page.get_by_role("button", name="Ask a follow-up question").click()
    frame = ask(page)
    frame.locator("#answer-1 .mark").first.press("Enter")
    expect(frame.locator("#answer-1 details[open] summary")).to_be_focused()
    heard(page, "cite")
    page.keyboard.press("Escape")
    frame.locator("#question textarea").focus()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_on_a_small_screen_the_panel_makes_room_for_the_marked_sentence(page: Page, visit: Callable[..., None]) -> None:
    page.set_viewport_size({"width": 320, "height": 568})
    visit(f"<p>{TITRATION}</p>WIDGET", mode="launcher")
    page.get_by_role("button", name="Ask a follow-up question").click()
    ask(page).locator("#answer-1 .mark").first.click()
    heard(page, "cite")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert marked(page) == TITRATION


def test_the_launcher_speaks_the_language_of_the_page(page: Page, visit: Callable[..., None]) -> None:
    visit("<p>Texto</p>WIDGET", mode="launcher", lang="es-MX")
    page.get_by_role("button", name="Hacer una pregunta").click()
    expect(page.get_by_role("button", name="Cerrar")).to_be_visible()
    heard(page, "ready")
    ask(page).locator("#answer-1 .mark").first.click()
    expect(page.frame_locator(FRAME).locator(".host-note")).to_contain_text("Esta página no muestra la frase")


# Messages


def test_messages_of_other_windows_are_ignored(page: Page, site: Site, assistant: str) -> None:
    forged = "for (const followup of ['ready', 'answer', 'cite', 'close']) parent.postMessage({ followup, quote: 'x y' }, '*');"
    order = "parent.frames[0].postMessage({ followup: 'ask', text: 'forged' }, '*');"
    site.pages["foreign"] = f"<script>{forged}; setInterval(() => {{ {order} }}, 50)</script>"
    site.pages["many"] = (
        f'<link rel="icon" href="data:,"><iframe src="{assistant}/embed/?article={ARTICLE}"></iframe>'
        '<iframe src="/foreign"></iframe>'
        f'<followup-assistant article="{ARTICLE}"></followup-assistant><script src="{assistant}/widget.js"></script>'
    )
    page.goto(f"{site.listed}/many")
    assert heard(page, "ready")["article"] == ARTICLE
    ask(page)
    assert page.evaluate("reports.map(event => event.kind)") == ["ready", "ask", "answer"]
    frame = page.frame_locator("iframe").first
    expect(frame.locator("#log .greeting")).to_be_visible()
    expect(frame.locator("#log .user-row")).to_have_count(0)


@pytest.mark.parametrize(
    "order",
    [
        None,
        5,
        "ask",
        {"followup": "constructor"},
        {"followup": "ask"},
        {"followup": "ask", "text": {"a": 1}},
        {"followup": ["ask"]},
    ],
)
def test_messages_of_the_host_that_make_no_sense_do_nothing(
    page: Page, visit: Callable[..., None], assistant: str, order: object
) -> None:
    visit("WIDGET")
    heard(page, "ready")
    page.evaluate(
        "([order, to]) => document.querySelector('followup-assistant').shadowRoot.querySelector('iframe')"
        ".contentWindow.postMessage(order, to)",
        [order, assistant],
    )
    ask(page)
    assert chat(page).locator("#log .user-row").count() == 1


# Sizes and accessibility


@pytest.mark.parametrize("mode", ["inline", "launcher"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_disclaimer_and_question_box_are_in_view_at_every_size(
    page: Page, visit: Callable[..., None], width: int, height: int, mode: str
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    visit("WIDGET", mode=mode, height="min(680px, 95vh)")
    page.wait_for_function("customElements.get('followup-assistant') !== undefined")
    element(page, "open")
    frame = ask(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for part in ("#disclaimer", "#ask-button", "#question"):
        expect(frame.locator(part)).to_be_in_viewport(ratio=0.99)
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert frame.evaluate("document.querySelector('#log').clientHeight >= 70")


def test_a_frame_of_320_by_400_can_be_used(page: Page, visit: Callable[..., None]) -> None:
    page.set_viewport_size({"width": 320, "height": 740})
    visit("<style>body { margin: 0 }</style>WIDGET", height="400")
    frame = ask(page)
    for part in ("#disclaimer", "#ask-button", "#question"):
        expect(frame.locator(part)).to_be_in_viewport(ratio=0.99)
    assert frame.evaluate("document.querySelector('#log').clientHeight >= 120")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "launcher.html"])
def test_the_rules_of_accessibility_hold_in_the_host_and_in_the_frame(
    page: Page, site: Site, trouble: list[str], name: str, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{site.listed}/{name}")
    closed = Axe().run(page)
    element(page, "open")
    frame = ask(page)
    assert trouble == []
    assert closed.response["violations"] == []
    assert Axe().run(page).response["violations"] == []
    serious = [v for v in Axe().run(frame).response["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == []
    trouble.clear()  # the rules speak between frames as if all were of one origin
