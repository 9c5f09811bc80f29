"""How the served assistant bears many readers at once: 50 and 200 clients on the JSON interface and on the page's queue.

    python eval/load.py [--clients 50 200] [--questions N] [--port N]

It serves the bundled corpus without limits of number, and asks from this process: both share the machine, so the figures are
a lower bound. A client asks its questions one after the other and waits for each answer. Gradio's queue holds 64 and refuses
beyond it; a refused client is counted as such.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ARTICLE = "naltrexone-anti-inflammatory-dose"
QUESTIONS = (
    "What is the maximum dose?",
    "Can it be used with tramadol?",
    "Does it help Crohn's disease?",
    "What are the side effects?",
)
HEADER = "way          clients answered refused answers/s  median s     p95 s     max s     MiB"
Asker = Callable[[httpx.AsyncClient, str, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Run:
    """One load: seconds of each answer, how many were refused or failed, seconds in all, memory of the server after it."""

    name: str
    clients: int
    seconds: tuple[float, ...]
    refused: int
    wall: float
    mebibytes: float

    def __str__(self) -> str:
        """One line of the table."""
        rate = len(self.seconds) / self.wall
        middle, p95 = statistics.median(self.seconds), statistics.quantiles(self.seconds, n=20)[-1]
        return (
            f"{self.name:12} {self.clients:7} {len(self.seconds):8} {self.refused:7} {rate:9.1f} {middle:9.3f} {p95:9.3f} "
            f"{max(self.seconds):9.3f} {self.mebibytes:7.0f}"
        )


async def on_json(client: httpx.AsyncClient, question: str, _: str) -> bool:
    """Ask a question over JSON; False: refused."""
    answer = await client.post("/api/v1/ask", json={"question": question, "article": ARTICLE})
    return answer.status_code == httpx.codes.OK


async def on_page(client: httpx.AsyncClient, question: str, session: str) -> bool:
    """Ask a question as the page does: join the queue, then read events until the answer is there; False: refused."""
    body = {"data": [question, [], "clinician", ARTICLE], "fn_index": 1, "session_hash": session}
    joined = await client.post("/app/gradio_api/queue/join", json=body)
    if joined.status_code != httpx.codes.OK:
        return False
    async with client.stream("GET", "/app/gradio_api/queue/data", params={"session_hash": session}) as events:
        async for line in events.aiter_lines():
            if line.startswith("data: ") and (event := json.loads(line[6:]))["msg"] in ("process_completed", "unexpected_error"):
                return bool(event.get("success"))
    return False


async def load(asker: Asker, address: str, clients: int, questions: int) -> tuple[list[float], int, float]:
    """Let the clients ask; return seconds of each answer, refusals, and the seconds of the whole."""
    seconds, refused = [], 0

    async def one(number: int) -> None:
        nonlocal refused
        # Its own connection, closed before the server would: a shared pool of hundreds would measure the pool.
        limits = httpx.Limits(keepalive_expiry=2)
        async with httpx.AsyncClient(base_url=address, verify=context, limits=limits, timeout=120) as client:
            for turn in range(questions):
                begun = time.monotonic()
                if await asker(client, QUESTIONS[(number + turn) % len(QUESTIONS)], f"s{clients}x{number}x{turn}"):
                    seconds.append(time.monotonic() - begun)
                else:
                    refused += 1

    context = httpx.create_ssl_context()
    begun = time.monotonic()
    await asyncio.gather(*(one(number) for number in range(clients)))
    return seconds, refused, time.monotonic() - begun


@contextmanager
def served(port: int) -> Iterator[tuple[str, int]]:
    """Serve the bundled corpus in a process of its own; address and process id."""
    command = [sys.executable, "-m", "assistant.cli", "serve", "--port", str(port), "--limit", "0", "--site-limit", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}) as server:
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(address)
            yield address, server.pid
        finally:
            server.terminate()


def _wait_for(address: str) -> None:
    for _ in range(600):
        try:
            httpx.get(f"{address}/readyz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("The server did not answer within two minutes.")


def resident(process: int) -> float:
    """Return the resident memory of a process in MiB (Linux)."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the loads and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="+", default=[50, 200], help="numbers of clients")
    parser.add_argument("--questions", type=int, default=4, help="questions of each client")
    parser.add_argument("--port", type=int, default=7999)
    options = parser.parse_args(arguments)
    with served(options.port) as (address, process):
        asyncio.run(load(on_json, address, 2, 4))  # the first answers open files and warm caches
        print(f"{os.cpu_count()} cores, Python {platform.python_version()}; server at the start {resident(process):.0f} MiB")
        print(HEADER)
        for name, asker in (("JSON", on_json), ("page queue", on_page)):
            for clients in options.clients:
                seconds, refused, wall = asyncio.run(load(asker, address, clients, options.questions))
                print(Run(name, clients, tuple(seconds), refused, wall, resident(process)), flush=True)


if __name__ == "__main__":
    main()
