"""What a reader sees in a real browser: the disclaimer always, citations that light up, nothing foreign, nothing kept."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import bibtexparser
import httpx
import pytest
import rispy
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from assistant.records import DISCLAIMER, MODEL_DISCLAIMER
from assistant.store import Store, Verdict
from assistant.web.strings import LANGUAGES, Voice
from tests.corpus_text import write_site
from tests.language_model import WORDED, service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route

CHROMIUM = Path(os.environ.get("FOLLOWUP_CHROMIUM", "/usr/bin/chromium"))
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs Chromium at {CHROMIUM} (or FOLLOWUP_CHROMIUM)"),
]
SIZES = [(1280, 900), (768, 1024), (375, 740), (320, 568), (568, 320)]
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> "
    "![p](https://evil.example/p.png) [l](javascript:alert(1)) </section><form><input> &amp; $$x$$ [9]"
)
QUESTION = "What is the maximum dose?"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run Chromium for this module only: Playwright keeps an event loop running, which other tests could not bear."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM, args=arguments) as opened:
        yield opened


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def served(said: Path, port: int, *options: str, **environment: str) -> Iterator[str]:
    """Start the program as a user does, on a port, and wait until it answers."""
    command = [sys.executable, "-m", "assistant.cli", "serve", "--port", str(port), "--limit", "0", *options]
    around = os.environ | environment
    with said.open("w+") as output, subprocess.Popen(command, stdout=output, stderr=output, env=around) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server)
            yield address
        finally:
            server.terminate()
    assert "Traceback" not in said.read_text()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("feedback") / "feedback.sqlite")


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory, store: Store) -> Iterator[str]:
    said = tmp_path_factory.mktemp("server") / "said.txt"
    with served(said, free_port(), "--feedback", str(store.path)) as address:
        yield address


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


@pytest.fixture
def trouble() -> list[str]:
    """Collects outside requests, console errors (CSP violations among them) and dialogs of the pages of a test."""
    return []


@contextmanager
def opened(browser: Browser, base_url: str, trouble: list[str], **options: Any) -> Iterator[Page]:
    """Open a page whose outside requests, complaints and dialogs are collected in ``trouble``."""
    with browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce", **options}) as context:
        page = context.new_page()
        page.on("request", lambda r: None if r.url.startswith((f"{base_url}/", "data:", "blob:")) else trouble.append(r.url))
        page.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
        yield page


@pytest.fixture
def page(browser: Browser, base_url: str, trouble: list[str]) -> Iterator[Page]:
    with opened(browser, base_url, trouble) as page:
        visit(page, base_url)
        yield page
    assert trouble == []


def visit(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#log .greeting")
    page.wait_for_selector(".article .sentence", state="attached")


def ask(page: Page, question: str, number: int = 1) -> None:
    page.fill("#question textarea", question)
    page.press("#question textarea", "Enter")
    page.wait_for_selector(f"#answer-{number}")


def is_whole_in_view(page: Page, selector: str) -> bool:
    """Tell whether a box lies inside the window and nothing covers its middle or two corners."""
    return bool(
        page.evaluate(
            """selector => {
                const node = document.querySelector(selector), box = node.getBoundingClientRect();
                const middle = [box.left + box.width / 2, box.top + box.height / 2];
                const points = [[box.left + 2, box.top + 2], [box.right - 2, box.bottom - 2], middle];
                return box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth && box.height > 20
                    && points.every(([x, y]) => node.contains(document.elementFromPoint(x, y)));
            }""",
            selector,
        )
    )


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_disclaimer_is_in_view_before_and_after_an_answer(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    assert is_whole_in_view(page, "#disclaimer")
    ask(page, QUESTION)
    assert is_whole_in_view(page, "#disclaimer")
    page.locator("#log .answer").last.locator("p").last.scroll_into_view_if_needed()
    assert is_whole_in_view(page, "#disclaimer")
    assert is_whole_in_view(page, "#ask-button")
    assert is_whole_in_view(page, "#log")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator("#log").bounding_box()
    assert box is not None
    assert box["height"] >= 120


def test_a_citation_opens_its_source_and_marks_one_sentence_of_the_article(page: Page) -> None:
    ask(page, QUESTION)
    source = page.locator("#answer-1 .source", has=page.locator('.jump[href^="#s-"]')).first
    number = source.get_attribute("id")
    page.locator(f'#answer-1 .mark[href="#{number}"]').first.click()
    expect(source).to_have_attribute("open", "")
    expect(page.locator(".article .lit")).to_have_count(1)
    quote = source.locator(".quote").inner_text()
    sentence = page.locator(".article .lit").evaluate("node => node.firstChild.textContent")
    assert sentence in quote
    expect(page.locator(".article .lit")).to_be_in_viewport(ratio=1)


def test_the_folded_article_opens_on_a_small_screen_at_the_sentence(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 568})
    expect(page.locator(".article")).to_be_hidden()
    ask(page, QUESTION)
    page.locator("#answer-1 .mark").first.click()
    page.locator("#answer-1 details[open] .jump").first.click()
    expect(page.locator(".article .lit")).to_be_in_viewport()
    expect(page.locator(".fold-bar")).to_be_in_viewport(ratio=1)
    page.locator(".fold-bar").click()
    expect(page.locator("#log")).to_be_visible()
    assert is_whole_in_view(page, "#disclaimer")


def test_a_hostile_question_is_shown_whole_and_inert(page: Page) -> None:
    ask(page, HOSTILE)
    expect(page.locator("#log .user-row .message-content")).to_have_text(HOSTILE)
    assert page.locator("#log").locator("form, input, iframe, img, script, [onerror], [onclick]").count() == 0
    assert page.locator("#log .user-row a").count() == 0


def test_a_new_answer_is_shown_from_its_question_on(page: Page) -> None:
    for number, question in enumerate((QUESTION, "Can it be combined with sulfonylureas?", "When is it stopped?"), start=1):
        ask(page, question, number)
        expect(page.locator(".spoken-only[role=status]")).to_contain_text("Answer ready")
        page.wait_for_timeout(200)
        top = "() => document.querySelector('#log').getBoundingClientRect().top"
        row = page.locator("#log .user-row").last.bounding_box()
        assert row is not None
        assert abs(row["y"] - page.evaluate(top)) < 20


def test_nothing_is_kept_in_the_browser(page: Page) -> None:
    for number, question in enumerate((QUESTION, "How fast is the dose increased?", "And with opioids?"), start=1):
        ask(page, question, number)
    assert page.context.cookies() == []
    kept = "(async () => [localStorage.length, sessionStorage.length, (await indexedDB.databases()).length])()"
    assert page.evaluate(kept) == [0, 0, 0]


def test_a_question_can_be_asked_and_its_source_opened_with_the_keyboard_alone(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('#question textarea')")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer-1")
    for _ in range(40):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.matches('#answer-1 .mark')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#answer-1 details[open]")).to_have_count(1)


def test_a_suggestion_is_asked_when_it_is_pressed(page: Page) -> None:
    chip = page.locator("#log .greeting .chip").first
    question = chip.inner_text()
    chip.click()
    page.wait_for_selector("#answer-1")
    expect(page.locator("#log .user-row .message-content")).to_have_text(question)


def test_the_address_preselects_article_and_reader(page: Page, base_url: str) -> None:
    visit(page, f"{base_url}/?reader=patient")
    expect(page.locator("#reader input:checked")).to_have_value("patient")
    link = page.locator(".others a").first
    title = link.inner_text()
    link.click()
    page.wait_for_function("title => document.querySelector('.article h1')?.textContent === title", arg=title)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground_in_light_and_dark(page: Page, base_url: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    visit(page, base_url)
    ask(page, "Can it be combined with opioids?")
    assert page.evaluate(CONTRAST) == []


# Texts under WCAG's ratio of 4.5 against the nearest painted ground (sRGB luminance as in WCAG 2.2).
CONTRAST = """() => {
    const channels = text => text.match(/[\\d.]+/g).map(Number);
    const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const painted = node => channels(getComputedStyle(node).backgroundColor);
    const ground = node => {
        for (; node; node = node.parentElement) {
            const c = painted(node);
            if (c.length < 4 || c[3] > 0) return c;
        }
        return [255, 255, 255];
    };
    const has_text = node => [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
    const weak = [];
    for (const node of document.querySelectorAll('#page :is(p, span, a, li, strong, button, h1, h2, h3)')) {
        if (!has_text(node) || !node.checkVisibility()) continue;
        const [a, b] = [light(channels(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${node.className} ${node.textContent.slice(0, 30)}`);
    }
    return weak;
}"""


# The whole journey


def test_the_full_disclaimer_is_one_press_away_and_escape_closes_it(page: Page) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.locator("#disclaimer summary").click()
        expect(page.locator("#disclaimer .full")).to_contain_text(DISCLAIMER)
        assert is_whole_in_view(page, "#disclaimer")
        page.keyboard.press("Escape")
        expect(page.locator("#disclaimer .full")).to_be_hidden()


def focused(page: Page, selector: str) -> bool:
    return bool(page.evaluate("selector => document.activeElement.matches(selector)", selector))


def press_until(page: Page, key: str, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press(key)
        if focused(page, selector):
            return
    pytest.fail(f"{key} never led to {selector}")


def test_the_whole_journey_needs_no_mouse(page: Page) -> None:
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.type("Can it be combined with sulfonylureas?")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer-1")
    count = page.locator("#answer-1 .source").count()
    expect(page.locator(".spoken-only[role=status]")).to_have_text(f"Answer ready, {count} sources.")
    press_until(page, "Shift+Tab", "#answer-1 .mark")
    page.keyboard.press("Enter")
    assert focused(page, "#answer-1 details[open] > summary")
    press_until(page, "Tab", "#answer-1 .jump")
    page.keyboard.press("Enter")
    expect(page.locator(".article .lit")).to_be_in_viewport()
    assert focused(page, ".article .lit")
    page.keyboard.press("Escape")
    assert focused(page, "#answer-1 .jump")
    expect(page.locator(".article .lit")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#answer-1 .source[open]")).to_have_count(0)
    press_until(page, "Tab", "#answer-1 .chip")
    page.keyboard.press("Enter")
    page.wait_for_selector("#answer-2")
    press_until(page, "Tab", "#question textarea")


def test_a_citation_leads_to_its_works_at_doi_and_pubmed(page: Page, base_url: str) -> None:
    visit(page, f"{base_url}/?article=naltrexone-anti-inflammatory-dose")
    ask(page, "What did trials in fibromyalgia find?")
    links = page.locator("#answer-1 .source a.outside")
    assert links.count()
    for link in links.all():
        assert (link.get_attribute("href") or "").startswith("https://")
        assert link.get_attribute("target") == "_blank"
        assert "noopener" in (link.get_attribute("rel") or "")


def choose_patient(page: Page) -> None:
    page.locator("#reader label", has_text="Patient").click()
    expect(page.locator("#log .greeting")).to_contain_text("not to a doctor")
    page.wait_for_selector("#ask:not([inert])")


def test_a_change_of_reader_and_a_question_never_undo_each_other(page: Page) -> None:
    press = "([pressed, held]) => { document.querySelector(pressed).click(); return document.querySelector(held).inert; }"
    for number, reader in enumerate(("patient", "clinician", "patient"), start=1):
        assert page.evaluate(press, [f"#reader input[value={reader}]", "#ask"])
        page.wait_for_selector("#ask:not([inert])")
        page.fill("#question textarea", QUESTION)
        assert page.evaluate(press, ["#ask-button", "#reader"])
        page.wait_for_selector(f"#answer-{number}")
        page.wait_for_selector("#reader:not([inert])")
    expect(page.locator("#log .answer[id] .for-you")).to_have_count(3)


def test_another_kind_of_reader_sees_the_same_quotes_told_in_other_words_at_once(page: Page) -> None:
    ask(page, "Can it be combined with sulfonylureas?")
    before = sorted(page.locator("#answer-1 .said").all_text_contents())
    choose_patient(page)
    expect(page.locator("#answer-1 .for-you")).to_be_visible()
    assert sorted(page.locator("#answer-1 .said").all_text_contents()) == before
    expect(page.locator("#log .greeting")).to_contain_text("not to a doctor")
    expect(page.locator("#question textarea")).to_have_attribute("placeholder", Voice("en").say("ask.placeholder-patient"))
    ask(page, "And with insulin?", 2)
    expect(page.locator("#answer-2 .for-you")).to_be_visible()


def test_the_page_speaks_spanish_and_leaves_quotes_in_their_language(page: Page, base_url: str) -> None:
    spanish = Voice("es")
    visit(page, f"{base_url}/?lang=es")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator("#disclaimer")).to_contain_text(spanish.say("disclaimer.text"))
    ask(page, QUESTION)
    expect(page.locator("#answer-1 .said").first).to_have_attribute("lang", "en")
    expect(page.locator("#answer-1 .sources h3")).to_have_text(spanish.say("answer.sources"))
    expect(page.locator("#answer-1 .actions button").first).to_have_text(spanish.say("page.copy"))


def test_another_language_keeps_reader_and_conversation(page: Page) -> None:
    choose_patient(page)
    ask(page, QUESTION)
    ask(page, "And with insulin?", 2)
    quotes = page.locator("#answer-2 .claims .said").all_text_contents()
    page.locator(".language", has_text="Español").click()
    expect(page.locator("#answer-2 .actions button").first).to_have_text(Voice("es").say("page.copy"))
    assert page.locator("#answer-2 .claims .said").all_text_contents() == quotes
    expect(page.locator("#reader input:checked")).to_have_value("patient")


def test_a_question_and_its_quotes_run_in_the_direction_of_their_script(page: Page) -> None:
    ask(page, "ما هي الجرعة القصوى؟")
    direction = "node => getComputedStyle(node).unicodeBidi"
    for text in ("#log .user-row .message-content", "#log .chip", "#question textarea"):
        assert page.locator(text).first.evaluate(direction) == "plaintext"
    expect(page.locator(".article-body")).to_have_attribute("dir", "auto")
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert is_whole_in_view(page, "#disclaimer")


# What a reader takes along


def test_a_copy_holds_quotes_numbered_sources_receipt_and_disclaimer(browser: Browser, base_url: str, trouble: list[str]) -> None:
    with opened(browser, base_url, trouble, permissions=["clipboard-read", "clipboard-write"]) as page:
        visit(page, base_url)
        ask(page, QUESTION)
        page.locator("#answer-1 .actions button").first.click()
        expect(page.locator("#state")).to_have_text(Voice().say("page.copied"))
        text = page.evaluate("navigator.clipboard.readText()")
        assert text.startswith(f"{QUESTION}\n")
        assert text.endswith(DISCLAIMER)
        for quote in page.locator("#answer-1 .claims .said").all_text_contents():
            assert quote in text
        for number in range(1, page.locator("#answer-1 .source").count() + 1):
            assert f"\n[{number}] " in text
        assert (page.locator("#answer-1 .receipt").get_attribute("title") or "").split()[0] in text
    assert trouble == []


def downloaded(page: Page, label: str) -> str:
    if not page.locator("#answer-1 .save[open]").count():
        page.locator("#answer-1 .save > summary").click()
    with page.expect_download() as waiting:
        page.locator("#answer-1 .save button", has_text=label).click()
    return waiting.value.path().read_text(encoding="utf-8")


def test_conversation_and_references_are_saved_without_leaving_the_page(page: Page) -> None:
    ask(page, QUESTION)
    ask(page, "And with <b>opioids</b> *now*?", 2)
    markdown = downloaded(page, "Markdown")
    assert "## And with \\<b\\>opioids\\</b\\> \\*now\\*?" in markdown
    assert DISCLAIMER in markdown
    receipts = [(row.get_attribute("title") or "").split()[0] for row in page.locator("#log .receipt").all()]
    assert len(receipts) == 2
    assert all(receipt in markdown for receipt in receipts)
    works = rispy.loads(downloaded(page, "RIS"))
    library = bibtexparser.parse_string(downloaded(page, "BibTeX"))
    assert {work["id"] for work in works} == set(library.entries_dict)
    assert len(works) > 1
    assert all(DISCLAIMER in work["notes"] for work in works)
    assert downloaded(page, "RIS")


def test_a_link_shows_the_same_answer_again_and_no_server_sees_its_questions(
    browser: Browser, base_url: str, trouble: list[str]
) -> None:
    with opened(browser, base_url, trouble, permissions=["clipboard-read", "clipboard-write"]) as page:
        seen: list[str] = []
        page.on("request", lambda request: seen.append(request.url))
        visit(page, f"{base_url}/?article=naltrexone-anti-inflammatory-dose&reader=patient")
        ask(page, QUESTION)
        ask(page, "And with opioids?", 2)
        page.locator("#answer-2 .without").first.click()
        page.wait_for_selector("#answer-3")
        page.locator("#answer-3 .actions button", has_text="Link").click()
        expect(page.locator("#state")).to_have_text(Voice().say("page.linked"))
        link = page.evaluate("navigator.clipboard.readText()")
        receipt = page.locator("#answer-3 .receipt").get_attribute("title") or ""
        page.goto("about:blank")
        page.goto(link)
        shown = page.locator("#log .answer[id]").last
        expect(shown.locator(".receipt")).to_have_attribute("title", receipt)
        expect(page.locator("#reader input:checked")).to_have_value("patient")
        expect(page.locator("#disclaimer")).to_contain_text(Voice().say("disclaimer.short-patient"))
        expect(page.locator(".article")).to_have_id("about-naltrexone-anti-inflammatory-dose")
        assert page.locator("#log .dropped").count() == 0
        page.goto("about:blank")
        page.goto(link.replace(receipt.split()[1][:12], "000000000000"))
        expect(page.locator("#log .dropped")).to_have_text(Voice().say("trouble.changed"))
        assert not [url for url in seen if "maximum" in url or "opioids" in url]
    assert trouble == []


def test_on_paper_stand_article_conversation_sources_and_disclaimer_and_no_buttons(page: Page) -> None:
    ask(page, QUESTION)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})  # a sheet is narrower than a window
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for shown in (
        ".article h1",
        "#answer-1 .claims",
        "#answer-1 .source .ways-out, #answer-1 .source .quote",
        "#disclaimer .full",
    ):
        expect(page.locator(shown).first).to_be_visible()
    for source in page.locator("#answer-1 .source > :is(.quote, .summary-text)").all():
        expect(source).to_be_visible()
    for hidden in ("#ask", "#reader", "#log .chip", "#log .actions", ".others"):
        expect(page.locator(hidden).first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('#article-pane')).overflow") == "visible"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    expect(page.locator("#answer-1 .source[open]")).to_have_count(0)


# Feedback


def test_feedback_is_not_offered_where_the_site_keeps_none(page: Page) -> None:
    page.route("**/api/v1/site", lambda route: route.fulfill(json={"feedback": False}))
    ask(page, QUESTION)
    expect(page.locator("#answer-1 .save")).to_be_visible()
    page.wait_for_timeout(200)
    assert page.locator("#answer-1 .feedback").count() == 0


def test_feedback_is_kept_only_when_it_is_sent_and_holds_only_what_is_said(page: Page, store: Store) -> None:
    ask(page, QUESTION)
    receipt = (page.locator("#answer-1 .receipt").get_attribute("title") or "").split()[0]
    article = (page.locator(".article").get_attribute("id") or "").removeprefix("about-")
    store.check()
    before = len(store.rows())
    for number, verdict in enumerate(Verdict, start=1):
        shared, note = verdict is Verdict.MISSING, f"Line {number} from a reader." if number % 2 else ""
        page.locator("#answer-1 .feedback > summary").click()
        expect(page.locator("#answer-1 .kept")).to_have_text(Voice().say("page.kept"))
        page.locator(f"#answer-1 .verdict[value='{verdict}']").click()
        page.locator("#answer-1 .comment input").fill(note)
        page.locator("#answer-1 .share input").set_checked(shared)
        assert len(store.rows()) == before + number - 1
        page.locator("#answer-1 .send").click()
        expect(page.locator("#answer-1 .feedback[open]")).to_have_count(0)
        expect(page.locator("#state")).to_have_text(Voice().say("page.thanks"))
        row = store.rows()[-1]
        assert (row.verdict, row.receipt, row.article, row.outcome) == (verdict, receipt, article, "answered")
        assert (row.note, row.question) == (note or None, QUESTION if shared else None)
    assert len(store.rows()) == before + len(Verdict)


# A language model as the writer


def test_what_a_language_model_worded_says_so_wherever_a_reader_takes_it(
    browser: Browser, tmp_path: Path, trouble: list[str]
) -> None:
    site, label = write_site(tmp_path / "corpus"), Voice().say("answer.model")
    model = {"permissions": ["clipboard-read", "clipboard-write"]}
    with service() as writer:
        known = {"FOLLOWUP_LLM_URL": writer.url("worded"), "FOLLOWUP_LLM_MODEL": "tiny-1"}
        options = ("--corpus", str(site), "--writer", "llm")
        with (
            served(tmp_path / "said.txt", free_port(), *options, **known) as address,
            opened(browser, address, trouble, **model) as page,
        ):
            visit(page, address)
            expect(page.locator("#log .greeting")).to_contain_text("Your question is sent to that model")
            expect(page.locator("#disclaimer")).to_contain_text(MODEL_DISCLAIMER)
            ask(page, "What is the maximum dose of zorvastin?")
            claim = page.locator("#answer-1 .claims > li").first
            expect(claim.locator(".by-model")).to_have_text(label)
            expect(claim.locator(".said")).to_have_text(WORDED)
            claim.locator(".mark").first.click()
            expect(page.locator("#answer-1 .source[open] .quote").first).to_be_visible()
            page.locator("#answer-1 .actions button").first.click()
            expect(page.locator("#state")).to_have_text(Voice().say("page.copied"))
            copied = page.evaluate("navigator.clipboard.readText()")
            page.locator("#answer-1 .actions button", has_text="Link").click()
            expect(page.locator("#state")).to_have_text(Voice().say("page.linked"))
            link = page.evaluate("navigator.clipboard.readText()")
            written = [copied, downloaded(page, "Markdown")]
            for taken in written:
                assert f"{label}: {WORDED}" in taken
                assert MODEL_DISCLAIMER in taken
            assert f"> {label}" not in written[1]
            assert MODEL_DISCLAIMER in downloaded(page, "RIS")
            page.goto("about:blank")
            page.goto(link)
            expect(page.locator("#answer-1 .claims .by-model").first).to_have_text(label)
    assert trouble == []


# When it goes wrong


def test_a_killed_server_is_told_and_the_question_and_conversation_are_kept(
    browser: Browser, tmp_path: Path, trouble: list[str]
) -> None:
    port = free_port()
    with opened(browser, f"http://127.0.0.1:{port}", trouble) as page:
        with served(tmp_path / "first.txt", port) as address:
            visit(page, address)
            ask(page, QUESTION)
        page.fill("#question textarea", "And with opioids?")
        page.press("#question textarea", "Enter")
        expect(page.locator("#state")).to_have_text(Voice().say("page.offline"))
        expect(page.locator("#question textarea")).to_have_value("And with opioids?")
        page.fill("#question textarea", "")
        page.locator("#answer-1 .chip").first.click()
        expect(page.locator("#question textarea")).to_have_value(page.locator("#answer-1 .chip").first.inner_text())
        with served(tmp_path / "second.txt", port):
            page.press("#question textarea", "Enter")
            page.wait_for_selector("#answer-2")
            expect(page.locator("#answer-1")).to_be_visible()
            expect(page.locator("#state")).to_have_text("")
    assert all("ERR_CONNECTION_REFUSED" in line for line in trouble)


@pytest.mark.parametrize(("status", "said"), [(503, "busy"), (429, "busy"), (413, "large"), (500, "broken")])
def test_a_refusal_is_told_and_the_question_is_kept(browser: Browser, base_url: str, status: int, said: str) -> None:
    with opened(browser, base_url, []) as page:
        visit(page, base_url)
        page.route("**/queue/join*", lambda route: route.fulfill(status=status, json={"detail": "no"}))
        page.locator("#log .chip").first.click()
        expect(page.locator("#state")).to_have_text(Voice().say(f"page.{said}"))
        expect(page.locator("#question textarea")).to_have_value(page.locator("#log .chip").first.inner_text())
        page.unroute("**/queue/join*")
        page.press("#question textarea", "Enter")
        page.wait_for_selector("#answer-1")


@pytest.mark.parametrize("view", ["/app/", "/embed/"])
@pytest.mark.parametrize("how", ["busy", "gone"])
def test_a_page_that_cannot_open_says_so_in_every_language(browser: Browser, base_url: str, view: str, how: str) -> None:
    with opened(browser, base_url, []) as page:
        refuse = (lambda route: route.fulfill(status=429, json={})) if how == "busy" else (lambda route: route.abort())
        page.route("**/queue/join*", refuse)
        page.set_viewport_size({"width": 320, "height": 568})
        page.goto(base_url.removesuffix("/").removesuffix("/app") + view)
        expect(page.locator("#unopened")).to_be_visible()
        for language in LANGUAGES:
            expect(page.locator("#unopened")).to_contain_text(Voice(language).say("page.unopened"))
        expect(page.locator("#loading")).to_have_count(0)
        expect(page.locator("#ask-button")).to_be_disabled()


def held(page: Page, address: str) -> list[Route]:
    """Hold back requests to an address; each can be let go on."""
    waiting: list[Route] = []

    def keep(route: Route) -> None:
        waiting.append(route)

    page.route(address, keep)
    return waiting


def test_before_the_page_is_ready_it_says_so_and_takes_no_question(browser: Browser, base_url: str, trouble: list[str]) -> None:
    with opened(browser, base_url, trouble) as page:
        waiting = held(page, "**/queue/join*")
        page.goto(base_url)
        for language in LANGUAGES:
            expect(page.locator("#loading")).to_contain_text(Voice(language).say("page.loading"))
        expect(page.locator("#ask-button")).to_be_disabled()
        expect(page.locator("#question textarea")).to_be_disabled()
        assert is_whole_in_view(page, "#disclaimer")
        waiting[0].continue_()
        expect(page.locator("#ask-button")).to_be_enabled()
        expect(page.locator("#loading")).to_have_count(0)
        expect(page.locator("#unopened")).to_be_hidden()
    assert trouble == []


def test_waiting_is_told_and_a_failed_answer_too(browser: Browser, base_url: str) -> None:
    event = {"msg": "process_completed", "event_id": "1", "output": {"error": None}, "success": False}
    body = f"data: {json.dumps(event, separators=(',', ':'))}\n\n"
    with opened(browser, base_url, []) as page:
        visit(page, base_url)
        waiting = held(page, "**/queue/join*")
        page.fill("#question textarea", QUESTION)
        page.press("#question textarea", "Enter")
        expect(page.locator("#state")).to_have_text(Voice().say("page.searching"))
        page.route("**/queue/data*", lambda route: route.fulfill(content_type="text/event-stream", body=body))
        waiting[0].continue_()
        expect(page.locator("#state")).to_have_text(Voice().say("page.broken"))
        expect(page.locator("#question textarea")).to_have_value(QUESTION)


# Hostile text in every place


def test_a_hostile_link_is_shown_whole_and_inert(page: Page, base_url: str) -> None:
    page.goto("about:blank")
    page.goto(f"{base_url}/app/#{urlencode({'q': HOSTILE, 'article': HOSTILE, 'reader': HOSTILE, 'c': HOSTILE})}")
    page.wait_for_selector("#answer-1")
    expect(page.locator("#log .user-row .message-content")).to_have_text(HOSTILE)
    expect(page.locator("#log .dropped")).to_have_count(2)
    assert page.locator("#page").locator("form, iframe, img, script, [onerror], [onclick]").count() == 0


@pytest.fixture(scope="module")
def hostile_rows() -> list[dict[str, Any]]:
    file = Path(__file__).parents[2] / "shared" / "data" / "safety" / "hostile.jsonl"
    if not file.exists():
        pytest.skip("needs the hostile texts beside the checkout")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["group"] in ("xss_question", "xss_corpus", "markdown_injection")]


@pytest.mark.shared
def test_hostile_text_is_whole_and_inert_in_question_article_and_reference(
    browser: Browser, tmp_path: Path, trouble: list[str], hostile_rows: list[dict[str, Any]]
) -> None:
    planted = [row["input"] for row in hostile_rows if row["channel"] == "article_field" and row.get("field") != "citation_url"]
    site = write_site(tmp_path / "corpus")
    title = " ".join(planted)
    article = site / "articles" / "zorvastin-gout.md"
    said = article.read_text().replace('title: "Zorvastin for Gout"', f"title: {json.dumps(title)}")
    warnings = "".join(f"- Adverse effects: nausea {text}\n" for text in planted)
    article.write_text(said.replace("- Adverse effects: nausea", f"{warnings}- Adverse effects: nausea"))
    work = site / "references" / "okafor-2021.md"
    work.write_text(work.read_text().replace("Zorvastin in gout: a randomised trial", title.replace('"', '\\"')))
    port = free_port()
    with served(tmp_path / "said.txt", port, "--corpus", str(site)) as address, opened(browser, address, trouble) as page:
        visit(page, address)
        expect(page.locator(".article h1")).to_have_text(title)
        asked = ["What are the side effects?", *(row["input"] for row in hostile_rows if row["channel"] == "question")]
        for number, question in enumerate(asked, start=1):
            ask(page, question, number)
            row = page.locator("#log .user-row .message-content").last
            assert " ".join(row.inner_text().split()) == " ".join(question.split())
        for summary in page.locator("#log .source > summary").all():
            summary.evaluate("node => node.click()")
        text = " ".join(page.locator(".article").inner_text().split())
        assert [row for row in planted if " ".join(row.split()) not in text] == []
        assert "<script>" in "".join(page.locator("#log .answer .said").all_text_contents())
        foreign = (
            "#page :is(form, iframe, img, script, object, embed, base, link, style:not(svg *), [onerror], [onload], [onclick])"
        )
        assert page.locator(f"#log {foreign[6:]}, .article {foreign[6:]}").count() == 0
        hrefs = page.locator("#page a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert all(href.startswith(("#", "?article=", "https://doi.org/", "https://pubmed.ncbi.nlm.nih.gov/")) for href in hrefs)
        assert is_whole_in_view(page, "#disclaimer")
    assert trouble == []


# For everyone


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (375, 740), (320, 568), (568, 320)])
def test_no_state_of_the_page_breaks_an_accessibility_rule(
    browser: Browser, base_url: str, width: int, height: int, scheme: Any
) -> None:
    """Look at each state with axe; a picture of each is left in ``screenshots/`` for eyes."""
    size = {"width": width, "height": height}
    with opened(browser, base_url, [], viewport=size, color_scheme=scheme) as page:
        visit(page, f"{base_url}/?article=naltrexone-anti-inflammatory-dose&reader=patient")
        look(page, f"empty-{width}-{scheme}")
        ask(page, "Can it be combined with opioids?")
        look(page, f"answered-{width}-{scheme}")
        for summary in page.locator("#answer-1 .source > summary, #answer-1 .menu > summary").all():
            summary.click()
        look(page, f"opened-{width}-{scheme}")
        ask(page, "What is the dose of warfarin?", 2)
        look(page, f"declined-{width}-{scheme}")
        page.route("**/queue/join*", lambda route: route.abort())
        page.fill("#question textarea", "And with alcohol?")
        page.press("#question textarea", "Enter")
        expect(page.locator("#state")).to_have_text(Voice().say("page.offline"))
        look(page, f"error-{width}-{scheme}")


def look(page: Page, name: str) -> None:
    folder = Path(__file__).parents[1] / "screenshots"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
    found = Axe().run(page).response["violations"]
    assert [(v["id"], v["impact"], [n["target"] for n in v["nodes"]]) for v in found] == []
