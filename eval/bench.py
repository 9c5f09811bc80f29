"""How fast, as ratios in one interleaved run against what anyone would write (rank-bm25 + sentence-transformers).

    python eval/bench.py [--rounds N] [--articles N] [--json OUT]

CPU seconds of one thread, medians over rounds with minimum and maximum; the machine and the versions are printed with them.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")

import argparse
import json
import platform
import random
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rank_bm25 import BM25Okapi

from assistant import corpus, encoder
from assistant.answers import ExtractiveWriter
from assistant.companions import Companions, caution_rows
from assistant.corpus import Corpus
from assistant.index import bm25, build
from assistant.passages import split
from assistant.pipeline import Assistant, open_assistant
from assistant.records import Document, Page, Unit
from assistant.search import Encoder, Vectors
from assistant.settings import Settings

ARTICLE = "naltrexone-anti-inflammatory-dose"
QUESTIONS = (
    "What dose should I start with?",
    "What is the maximum dose?",
    "Can it be used with tramadol?",
    "How does it reduce inflammation?",
    "Does it help Crohn's disease?",
    "What are the side effects?",
    "When should it be stopped before surgery?",
    "Is it approved by the FDA for this?",
)
# Asked in other words than the sources': these take the second look.
PARAPHRASES = (
    "Will it keep people awake?",
    "Is a glass of wine a problem?",
    "What if somebody forgets one?",
    "Any trouble for the tummy?",
)
PASSAGES_AN_ARTICLE = 60
SEED = 11


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was measured, its median, minimum and maximum over rounds, its unit and its target."""

    name: str
    values: tuple[float, ...]
    unit: str
    target: str

    def __str__(self) -> str:
        """One line of the table."""
        low, high, middle = min(self.values), max(self.values), statistics.median(self.values)
        return f"{self.name:58} {middle:9.3f} ({low:.3f}-{high:.3f}) {self.unit:8} n={len(self.values)}  target {self.target}"


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one call in this process."""
    start = time.process_time()
    work()
    return time.process_time() - start


def child_cpu(command: Sequence[str]) -> float:
    """Return the CPU seconds of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ratios(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> tuple[float, ...]:
    """Return ours / theirs for each round, taken in turn."""
    return tuple(ours() / theirs() for _ in range(rounds))


class RandomEncoder:
    """Random unit vectors under the served encoder's name: the size of a site's index without the hours of encoding it."""

    def __init__(self, served: Encoder) -> None:
        self.name, self._random, self._served = served.name, np.random.default_rng(SEED), served

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, 384]."""
        rows = self._random.standard_normal((len(texts), 384), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def count(self, text: str) -> int:
        """Words, near enough."""
        return len(text.split())


def synthetic_site(articles: int) -> Corpus:
    """Return a site whose sentences are shuffled words of the bundled corpus, each article with some of its own."""
    bundled = corpus.load(Settings().corpus)
    vocabulary = [w for d in bundled.documents.values() for w in re.findall(r"[A-Za-z][a-z-]+|\d[\d.]* mg", d.text)]
    draw = random.Random(SEED)  # noqa: S311 - a benchmark
    pages = [_synthetic_article(f"article-{n:04}", vocabulary, draw) for n in range(articles)]
    return Corpus(
        folder=Path("synthetic"), documents={page.id: page for page in pages}, findings=(), hash=f"synthetic-{articles}"
    )


def _synthetic_article(name: str, vocabulary: Sequence[str], draw: random.Random) -> Document:
    text, units = "", []
    for section in range(PASSAGES_AN_ARTICLE):
        for _ in range(4):
            sentence = " ".join(draw.choices(vocabulary, k=15)).capitalize() + "."
            units.append(Unit(start=len(text), end=len(text) + len(sentence), heading=(f"Section {section}",)))
            text += sentence + "\n"
    page = Page(question=f"What is the dose of drug {name}?", topics=(name,))
    return Document(id=name, title=f"Drug {name}", text=text, units=tuple(units), page=page)


def asking(assistant: Assistant, articles: Sequence[str | None], rounds: int) -> tuple[tuple[float, ...], list[float]]:
    """Return the ratio of a warm ask to a bare encoding of the same question for each round, and all CPU seconds of the asks."""
    pairs = [(question, articles[n % len(articles)]) for n, question in enumerate(QUESTIONS * 4)]
    for question, article in pairs:
        assistant.ask(question, article=article)
    found, seconds = [], []
    for _ in range(rounds):
        bare = [cpu(lambda q=q: assistant.encoder.encode([q])) for q, _ in pairs]
        asks = [cpu(lambda q=q, a=a: assistant.ask(q, article=a)) for q, a in pairs]
        found.append(statistics.median(asks) / statistics.median(bare))
        seconds.extend(asks)
    return tuple(found), seconds


def bundled_rows(rounds: int) -> list[Row]:
    """Measure the bundled corpus: a warm ask, the encoder, a cold command."""
    assistant = open_assistant(Settings())
    served, reference = assistant.encoder, encoder.load("packaged:reference", Settings().cache)
    encode = lambda model: lambda: sum(cpu(lambda q=q: model.encode([q])) for q in QUESTIONS)  # noqa: E731 - two of a kind
    encode(reference)()
    warm, seconds = asking(assistant, [ARTICLE], rounds)
    command = [sys.executable, "-m", "assistant.cli", "ask", QUESTIONS[0], "--article", ARTICLE]
    cold = ratios(lambda: child_cpu(command), lambda: child_cpu([sys.executable, "-c", "import sentence_transformers"]), rounds)
    reranker = assistant.reranker
    asks = lambda: [cpu(lambda q=q: assistant.ask(q, article=ARTICLE)) for q in PARAPHRASES]  # noqa: E731 - two of a kind
    asks()
    looked = [second for _ in range(rounds) for second in asks()]
    assistant.reranker = None
    plain = [second for _ in range(rounds) for second in asks()]
    assistant.reranker = reranker
    more = tuple(1e3 * (one - other) for one, other in zip(looked, plain, strict=True))
    return [
        Row("what a second look adds to an answer", more, "CPU ms", "<= 30"),
        Row("warm ask / bare encoding, bundled corpus", warm, "ratio", "<= 1.5"),
        Row("warm ask, bundled corpus, p50", (1e3 * statistics.median(seconds),), "CPU ms", "-"),
        Row("query encoding / sentence-transformers", ratios(encode(served), encode(reference), rounds), "ratio", "<= 0.5"),
        Row("cold followup ask / import sentence_transformers", cold, "ratio", "<= 0.167"),
    ]


def site_rows(rounds: int, articles: int) -> list[Row]:
    """Measure a site of many articles, whose random words a second look could only be unsure of: without one."""
    served = encoder.load("packaged", Settings().cache)
    with tempfile.TemporaryDirectory() as folder:
        index = build(synthetic_site(articles), RandomEncoder(served), Path(folder))
        names = sorted(index.documents)
        rows = {name: caution_rows(index, index.documents[name]) for name in names[:50]}
        assistant = Assistant(index, served, ExtractiveWriter(), Companions(rows, {}))
        inside, seconds = asking(assistant, names[:16], rounds)
        whole, whole_seconds = asking(assistant, [None], rounds)
        size = f"{articles:,} articles, {index.size:,} passages"
    return [
        Row(f"warm ask in an article / bare encoding, {size}", inside, "ratio", "<= 3"),
        Row("  p95", (1e3 * float(np.quantile(seconds, 0.95)),), "CPU ms", "<= 20"),
        Row(f"warm ask over all / bare encoding, {size}", whole, "ratio", "<= 3"),
        Row("  p95", (1e3 * float(np.quantile(whole_seconds, 0.95)),), "CPU ms", "<= 20"),
    ]


def bm25_rows(rounds: int, documents: int = 5000) -> list[Row]:
    """Measure keyword scoring against rank-bm25, and how far the scores differ."""
    draw = random.Random(SEED)  # noqa: S311 - a benchmark
    words = [f"w{n}" for n in range(15_000)]  # as many stems as 5,000 passages of the literature hold
    shares = [1 / (n + 20) for n in range(15_000)]  # what is left of Zipf's law without stop words
    texts = [draw.choices(words, shares, k=draw.randint(20, 60)) for _ in range(documents)]
    queries = [draw.choices(words, shares, k=6) for _ in range(40)]
    ours, theirs = bm25.build(texts, k1=1.5), BM25Okapi(texts)
    weights = [{term: float(query.count(term)) for term in query} for query in queries]
    apart = max(float(np.abs(ours.scores(w) - theirs.get_scores(q)).max()) for w, q in zip(weights, queries, strict=True))
    slow = lambda: cpu(lambda: deque((theirs.get_scores(q) for q in queries), 0))  # noqa: E731 - two of a kind
    fast = lambda: cpu(lambda: deque((ours.scores(w) for w in weights * 20), 0)) / 20  # noqa: E731
    return [
        Row(f"rank-bm25 / BM25, {documents:,} passages", ratios(slow, fast, rounds), "ratio", ">= 100"),
        Row("  largest difference of a score", (apart,), "", "<= 1e-5"),
    ]


def build_row(rounds: int) -> Row:
    """Measure how much of the raw encoder's speed a build keeps, in encoded texts a second."""
    loaded = corpus.load(Settings().corpus)
    served = encoder.load("packaged", Settings().cache)
    texts: list[list[str]] = []

    class Recording:
        name, dimension, count = served.name, served.dimension, staticmethod(served.count)

        def encode(self, batch: Sequence[str]) -> Vectors:
            texts.append(list(batch))
            return served.encode(batch)

    def whole() -> float:
        texts.clear()
        with tempfile.TemporaryDirectory() as folder:
            return cpu(lambda: build(loaded, Recording(), Path(folder)))

    def raw() -> float:
        return cpu(lambda: [served.encode(batch) for batch in texts])

    shares = tuple(1 / (whole() / raw()) for _ in range(rounds))
    count = sum(len(split(document, served.count)) for document in loaded.documents.values())
    return Row(f"index build: share of the raw encoder's speed, {count} passages", shares, "ratio", ">= 0.8")


def memory_row() -> Row:
    """Measure the resident memory of the served process after some questions."""
    command = [sys.executable, "-m", "assistant.cli", "serve", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://\S+?:(\d+)", server.stdout.readline() if server.stdout else "")
        if address is None:
            raise SystemExit("The server did not say where it listens.")
        for question in QUESTIONS + PARAPHRASES:
            body = json.dumps({"question": question, "article": ARTICLE}).encode()
            url = f"http://127.0.0.1:{address[1]}/api/v1/ask"
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            urllib.request.urlopen(request).read()
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
        resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    return Row("memory of the served process", (resident,), "MiB", "<= 400")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--articles", type=int, default=1000, help="articles of the synthetic site")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    packages = " ".join(
        f"{name} {version(name)}" for name in ("onnxruntime", "numpy", "torch", "sentence-transformers", "rank-bm25")
    )
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    print(f"{machine}, Python {platform.python_version()}, {packages}")
    rows = []
    for part in (
        lambda: bm25_rows(options.rounds),
        lambda: bundled_rows(options.rounds),
        lambda: [build_row(options.rounds)],
        lambda: [memory_row()],
        lambda: site_rows(options.rounds, options.articles),
    ):
        for row in part():
            print(row, flush=True)
            rows.append(row)
    if options.json:
        table = [{"name": r.name, "values": r.values, "unit": r.unit, "target": r.target} for r in rows]
        options.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
