"""What a reader sees in a real browser: the disclaimer always, citations that light up, nothing foreign, nothing kept."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

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


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the program as a user does, on a free port, and wait until it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = (tmp_path_factory.mktemp("server") / "said.txt").open("w+")
    command = [sys.executable, "-m", "assistant.cli", "serve", "--port", str(port), "--limit", "0"]
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


@pytest.fixture
def trouble() -> list[str]:
    """Collects outside requests, console errors (CSP violations among them) and dialogs of the pages of a test."""
    return []


@pytest.fixture
def page(browser: Browser, base_url: str, trouble: list[str]) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as context:
        opened = context.new_page()
        opened.on("request", lambda r: None if r.url.startswith((f"{base_url}/", "data:", "blob:")) else trouble.append(r.url))
        opened.on("console", lambda m: trouble.append(m.text) if m.type in ("error", "warning") else None)
        opened.on("pageerror", lambda error: trouble.append(str(error)))
        opened.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
        visit(opened, base_url)
        yield opened
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
