"""Public question sets -> how well the right passage is found, beside the floors of plain BM25 and MiniLM.

    python eval/public.py [--data DIR] [--sets covidqa medquad bioasq scifact] [--articles N] [--json OUT]

DIR holds the sets in the formats of its README (default: ``../shared/data`` beside the checkout); nothing of them is kept here.
Each set is turned into documents and asked through the product's own index and search; ``--articles`` samples the
in-article sets.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

from assistant import encoder as encoders
from assistant.corpus import Corpus
from assistant.index import Index, build
from assistant.records import CitedWork, Document, Page, Query, Source, Unit
from assistant.search import Encoder, read, search
from assistant.settings import Settings
from assistant.text.sentences import split

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
SEED = 7
RESAMPLES = 1000
MEASURES = (nDCG @ 10, R @ 10, RR @ 1)  # RR@1 is hit@1
NAMES = {str(nDCG @ 10): "ndcg@10", str(R @ 10): "recall@10", str(RR @ 1): "hit@1"}
# What plain BM25, MiniLM or their fusion reach on the same half of each set: (measure, value), from the sets' README.
FLOORS = {
    "covidqa": {"hit@1": 0.660, "ndcg@10": 0.806},
    "medquad": {"hit@1": 0.571, "ndcg@10": 0.786},
    "bioasq": {"ndcg@10": 0.833, "hit@1": 0.845},
    "scifact": {"ndcg@10": 0.694, "hit@1": 0.588},
}


@dataclass(frozen=True, slots=True)
class Case:
    """A question, the article it is asked in (None: all documents), the right documents; ``group`` is resampled whole."""

    id: str
    text: str
    article: str | None
    gold: frozenset[str]
    group: str


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the objects of a JSON Lines file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def passage_document(name: str, title: str, text: str) -> Document:
    """Return one passage of a set as a document whose sentences can be cited."""
    units = tuple(Unit(start=start, end=end) for start, end in split(text))
    return Document(id=name, title=title, text=text, units=units, source=Source(type="other", abstract_kind="verbatim"))


def article_document(name: str, title: str, parts: Sequence[str]) -> Document:
    """Return an article that only leads to its parts."""
    works = tuple(CitedWork(n, part) for n, part in enumerate(parts, start=1))
    return Document(id=name, title=title, text="", units=(), page=Page(question=title, topics=(title,), references=works))


def covidqa(data: Path, limit: int | None) -> tuple[list[Document], list[Case]]:
    """Return the chunks of each article and the questions asked inside it."""
    chunks = [passage_document(row["id"], row["title"], row["text"]) for row in rows(data / "covidqa/corpus.jsonl")]
    articles: dict[str, list[str]] = defaultdict(list)
    for chunk in chunks:
        articles[chunk.id.split("#")[0]].append(chunk.id)
    titles = {chunk.id.split("#")[0]: chunk.title for chunk in chunks}
    gold = qrels(data / "covidqa/qrels.tsv")
    cases = [
        Case(row["id"], row["text"], row["article_id"], frozenset(gold[row["id"]]), row["article_id"])
        for row in rows(data / "covidqa/queries.jsonl")
        if row["id"] in gold
    ]
    return sampled(chunks, articles, titles, cases, limit)


def medquad(data: Path, limit: int | None) -> tuple[list[Document], list[Case]]:
    """Return the sections of each article, and the questions with the article's name replaced by "it"."""
    sections, articles, titles = [], defaultdict(list), {}
    for row in rows(data / "medquad/articles.jsonl"):
        titles[row["article_id"]] = row["title"]
        for section in row["sections"]:  # type: ignore[attr-defined]
            name = f"{row['article_id']}/{section['qid']}"
            articles[row["article_id"]].append(name)
            sections.append(passage_document(name, row["title"], section["text"]))
    cases = [
        Case(
            f"{row['conv_id']}/{row['turn']}",
            row["question"],
            row["conv_id"],
            frozenset({f"{row['conv_id']}/{row['gold_section']}"}),
            row["conv_id"],
        )
        for row in rows(data / "medquad/followup_elided.jsonl")
    ]
    return sampled(sections, articles, titles, cases, limit)


def bioasq(data: Path, limit: int | None) -> tuple[list[Document], list[Case]]:
    """Return all snippets and the expert questions."""
    return open_domain(data / "bioasq", limit)


def scifact(data: Path, limit: int | None) -> tuple[list[Document], list[Case]]:
    """Return all abstracts and the claims."""
    return open_domain(data / "scifact", limit)


def open_domain(folder: Path, limit: int | None) -> tuple[list[Document], list[Case]]:
    """Return the documents and cases of a set that is searched whole; ``limit`` has no meaning here."""
    del limit
    documents = [passage_document(row["id"], row["title"], row["text"]) for row in rows(folder / "corpus.jsonl")]
    gold = qrels(folder / "qrels.tsv")
    cases = [
        Case(r["id"], r["text"], None, frozenset(gold[r["id"]]), r["id"])
        for r in rows(folder / "queries.jsonl")
        if r["id"] in gold
    ]
    return documents, cases


def qrels(path: Path) -> dict[str, set[str]]:
    """Return query -> right documents."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in path.read_text(encoding="utf-8").splitlines():
        query, document, _ = line.split("\t")
        found[query].add(document)
    return found


def sampled(
    parts: Sequence[Document], articles: dict[str, list[str]], titles: dict[str, str], cases: Sequence[Case], limit: int | None
) -> tuple[list[Document], list[Case]]:
    """Return at most ``limit`` articles with their parts and cases, drawn with a fixed seed."""
    names = sorted({case.article or "" for case in cases})
    chosen = set(names if limit is None else random.Random(SEED).sample(names, min(limit, len(names))))  # noqa: S311 - a sample
    kept = {part for name in chosen for part in articles[name]}
    pages = [article_document(name, titles[name], articles[name]) for name in sorted(chosen)]
    return [*pages, *(part for part in parts if part.id in kept)], [case for case in cases if case.article in chosen]


def ranked(case: Case, index: Index, encoder: Encoder) -> list[str]:
    """Return the documents in the order in which the search finds a sentence in them."""
    query = Query(text=case.text, asked=case.text, article=case.article)
    hits = search(read(query, index.documents), index, encoder)
    return list(dict.fromkeys(hit.passage.document for hit in hits))


def scores(cases: Sequence[Case], runs: Sequence[Sequence[str]]) -> dict[str, dict[str, float]]:
    """Return measure -> value with a 95 % bootstrap interval over articles (or questions, where there is none)."""
    truth = [ir_measures.Qrel(case.id, document, 1) for case in cases for document in case.gold]
    run = [ir_measures.ScoredDoc(c.id, d, -float(n)) for c, found in zip(cases, runs, strict=True) for n, d in enumerate(found)]
    per_query: dict[str, dict[str, float]] = defaultdict(dict)
    for value in ir_measures.iter_calc(list(MEASURES), truth, run):
        per_query[NAMES[str(value.measure)]][value.query_id] = value.value
    return {name: _interval(cases, values) for name, values in per_query.items()}


def _interval(cases: Sequence[Case], values: dict[str, float]) -> dict[str, float]:
    groups: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        groups[case.group].append(values.get(case.id, 0.0))
    sums = np.array([[sum(g), len(g)] for g in groups.values()])
    draws = np.random.default_rng(SEED).integers(0, len(sums), size=(RESAMPLES, len(sums)))
    means = sums[draws].sum(axis=1)
    low, high = np.quantile(means[:, 0] / means[:, 1], [0.025, 0.975])
    return {"value": sums[:, 0].sum() / sums[:, 1].sum(), "low": float(low), "high": float(high), "n": len(cases)}


def measure(name: str, data: Path, limit: int | None, cache: Path) -> dict[str, dict[str, float]]:
    """Return the measures of one set."""
    documents, cases = SETS[name](data, limit)
    model = encoders.load("packaged", Settings().cache)
    corpus = Corpus(
        folder=data / name,
        documents={d.id: d for d in sorted(documents, key=lambda d: d.id)},
        findings=(),
        hash=f"{name}-{limit}",
    )
    index = build(corpus, model, cache / f"{name}-{limit}", lambda done, total: _tick(name, done, total))
    return scores(cases, [ranked(case, index, model) for case in cases])


def _tick(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{name}: {done:,} of {total:,} documents indexed", end="", file=sys.stderr)


SETS = {"covidqa": covidqa, "medquad": medquad, "bioasq": bioasq, "scifact": scifact}


def main() -> None:
    """Print one line for each set and measure, beside its floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=BESIDE)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--articles", type=int, help="articles sampled from covidqa and medquad")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "followup-public")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(f"There is no folder {options.data}; name the one with the public sets: --data DIR")
    report = {}
    for name in options.sets:
        report[name] = measure(name, options.data, options.articles, options.cache)
        for metric, row in sorted(report[name].items()):
            floor = FLOORS[name].get(metric)
            interval = f"[{row['low']:.3f}, {row['high']:.3f}]"
            print(f"{name:8} {metric:10} {row['value']:.3f} {interval} n={row['n']:.0f}  floor {floor or '-'}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
