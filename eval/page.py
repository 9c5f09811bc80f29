"""What the reader's page costs in a real browser: bytes and requests, time to usable, submit to painted answer, memory.

    python eval/page.py [--questions N] [--port N] [--chromium FILE]

It serves the bundled corpus and opens its page in Chromium, first with an empty cache, then with a warm one. Usable: the article
is there and the question may be typed. Painted: the frame after the one in which the whole answer stood in the page.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from load import resident, served
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

QUESTIONS = (
    "What is the maximum dose?",
    "Can it be combined with opioids?",
    "How fast is the dose increased?",
    "What are the side effects?",
    "Does it help in fibromyalgia?",
    "And in Crohn's disease?",
    "Is it approved for this?",
    "What about children?",
    "When should it be stopped?",
    "What is the dose of warfarin?",
)
TURNS = 10  # of one conversation, then the page is opened anew
USABLE = """() => new Promise(done => {
    const look = () => {
        const field = document.querySelector('#question textarea');
        const ready = document.querySelector('#log .greeting .chip') && document.querySelector('.article');
        if (ready && field && !field.disabled) done(performance.now());
        else requestAnimationFrame(look);
    };
    look();
})"""
PAINTED = """([question, id]) => new Promise(done => {
    const field = document.querySelector('#question textarea');
    field.focus();
    field.value = question;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    setTimeout(() => {
        const begun = performance.now();
        for (const kind of ['keydown', 'keypress']) field.dispatchEvent(new KeyboardEvent(kind, { key: 'Enter', bubbles: true }));
        const look = () => {
            if (!document.getElementById(id)) requestAnimationFrame(look);
            else requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun), 0));
        };
        look();
    }, 100);
})"""


def opened(context: BrowserContext, address: str) -> tuple[Page, str]:
    """Open the page; return it and a line on what that took."""
    page, received, requests = context.new_page(), [], []
    protocol = context.new_cdp_session(page)
    protocol.send("Network.enable")
    protocol.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    protocol.on("Network.requestWillBeSent", lambda _: requests.append(1))
    page.goto(address)
    usable = page.evaluate(USABLE)
    page.wait_for_load_state("networkidle")
    return page, f"{sum(received) / 1000:6.0f} KB {len(requests):4} requests, usable after {usable:5.0f} ms"


def painted(page: Page, first: int) -> list[float]:
    """Ask one conversation; return milliseconds from each submission to its painted answer."""
    asked = [QUESTIONS[(first + turn) % len(QUESTIONS)] for turn in range(TURNS)]
    return [page.evaluate(PAINTED, [question, f"answer-{turn}"]) for turn, question in enumerate(asked, start=1)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=100, help="questions in all, in conversations of ten")
    parser.add_argument("--port", type=int, default=7998)
    parser.add_argument("--chromium", default=os.environ.get("FOLLOWUP_CHROMIUM", "/usr/bin/chromium"))
    options = parser.parse_args(arguments)
    with served(options.port) as (address, process), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"])
        opened(browser.new_context(), f"{address}/app/")  # the server's own first request
        context, times = browser.new_context(viewport={"width": 1280, "height": 900}), []
        for turn in range(0, options.questions, TURNS):
            page, cost = opened(context, f"{address}/app/")
            if turn <= TURNS:
                print("warm cache:" if turn else "cold cache:", cost, flush=True)
            times += painted(page, turn)
            page.close()
        p95 = statistics.quantiles(times, n=20)[-1]
        print(f"submit to painted answer: p50 {statistics.median(times):.0f} ms, p95 {p95:.0f} ms (n = {len(times)})")
        print(f"memory of the server: {resident(process):.0f} MiB")
        browser.close()


if __name__ == "__main__":
    main()
