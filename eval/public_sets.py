"""A folder of public sets -> documents and what is asked of them. Nothing of the sets is kept here; formats are their README's.

Every set is cut into two halves by a hash of its article, conversation or question (``half``): weights may be chosen on ``tune``,
figures are given on ``test``.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.records import CitedWork, Document, Page, Source, Unit
from assistant.text.sentences import split

SEED = 7
NO_ANSWER = "I don't know."


@dataclass(frozen=True, slots=True)
class Case:
    """A question, the article it is asked in (None: all documents), the right documents; ``group`` is resampled whole.

    ``answers`` are strings of which a right sentence holds one; ``answerable`` is False where the sources do not say.
    """

    id: str
    text: str
    article: str | None
    gold: frozenset[str]
    group: str
    answers: tuple[str, ...] = ()
    answerable: bool = True
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Followup:
    """A turn of a conversation: what was said before (``said`` by the reader, ``heard`` in reply), and a human's rewrite."""

    id: str
    conversation: str
    title: str
    said: tuple[str, ...]
    heard: tuple[str, ...]
    question: str
    rewrite: str
    answer: str


@dataclass(frozen=True, slots=True)
class Set:
    """Documents, those of them that belong to an article (its id -> theirs), and the tasks: name -> cases."""

    name: str
    documents: tuple[Document, ...]
    parts: Mapping[str, tuple[str, ...]]
    tasks: Mapping[str, tuple[Case, ...]]


def half(group: str) -> str:
    """Return ``tune`` or ``test``, the half that an article, conversation or question belongs to.

    >>> half("covidqa-f997e82edc")
    'tune'
    """
    return "test" if hashlib.sha256(group.encode()).digest()[0] % 2 else "tune"


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON Lines file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def qrels(path: Path) -> dict[str, set[str]]:
    """Return query -> right documents."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in path.read_text(encoding="utf-8").splitlines():
        query, document, _ = line.split("\t")
        found[query].add(document)
    return found


def passage_document(name: str, title: str, text: str) -> Document:
    """Return one passage of a set as a document whose sentences can be cited."""
    units = tuple(Unit(start=start, end=end) for start, end in split(text))
    return Document(id=name, title=title, text=text, units=units, source=Source(type="other", abstract_kind="verbatim"))


def article_document(name: str, title: str, parts: Sequence[str]) -> Document:
    """Return an article that only leads to its parts."""
    works = tuple(CitedWork(n, part) for n, part in enumerate(parts, start=1))
    return Document(id=name, title=title, text="", units=(), page=Page(question=title, topics=(title,), references=works))


def sampled(names: Sequence[str], limit: int | None) -> list[str]:
    """Return at most ``limit`` of the names, drawn with a fixed seed; a larger sample holds the smaller one."""
    if limit is None or limit >= len(names):
        return sorted(names)
    return sorted(random.Random(SEED).sample(sorted(names), limit))  # noqa: S311 - a sample


def covidqa(data: Path, limit: int | None) -> Set:
    """Return the chunks of each article, the questions asked inside it, and those of other articles."""
    folder = data / "covidqa"
    titles = {row["article_id"]: row["title"] for row in rows(folder / "articles.jsonl")}
    chosen = set(sampled(list(titles), limit))
    chunks = [
        passage_document(r["id"], r["title"], r["text"]) for r in rows(folder / "corpus.jsonl") if r["article_id"] in chosen
    ]
    parts = _grouped((chunk.id.split("#")[0], chunk.id) for chunk in chunks)
    gold = qrels(folder / "qrels.tsv")
    cases = tuple(
        Case(row["id"], row["text"], row["article_id"], frozenset(gold[row["id"]]), row["article_id"], (row["answer"],))
        for row in rows(folder / "queries.jsonl")
        if row["id"] in gold and row["article_id"] in chosen
    )
    pages = [article_document(name, titles[name], parts[name]) for name in sorted(chosen)]
    tasks = {"questions": cases, "abstain": _abstention(folder, chosen)}
    return Set("covidqa", (*pages, *chunks), parts, tasks)


def medquad(data: Path, limit: int | None) -> Set:
    """Return the sections of each article; questions in full and with the article's name replaced by "it"; missing sections."""
    folder = data / "medquad"
    articles = {row["article_id"]: row for row in rows(folder / "articles.jsonl")}
    asked = [row for row in rows(folder / "followup_elided.jsonl") if row["conv_id"] in articles]
    chosen = set(sampled(sorted({row["conv_id"] for row in asked}), limit))
    sections, pairs = [], []
    for name in sorted(chosen):
        for section in articles[name]["sections"]:
            part = f"{name}/{section['qid']}"
            pairs.append((name, part))
            sections.append(passage_document(part, articles[name]["title"], section["text"]))
    parts = _grouped(pairs)
    tasks = {
        task: tuple(
            Case(
                f"{row['conv_id']}/{row['turn']}",
                row[field],
                row["conv_id"],
                frozenset({f"{row['conv_id']}/{row['gold_section']}"}),
                row["conv_id"],
            )
            for row in asked
            if row["conv_id"] in chosen
        )
        for task, field in (("full", "rewrite"), ("elided", "question"))
    }
    pages = [article_document(name, articles[name]["title"], parts[name]) for name in sorted(chosen)]
    return Set("medquad", (*pages, *sections), parts, {**tasks, "abstain": _abstention(folder, chosen)})


def bioasq(data: Path, limit: int | None) -> Set:
    """Return all snippets, the expert questions, and the short answers; each question is also an article of its own snippets."""
    folder = data / "bioasq"
    whole = open_domain("bioasq", data, limit)
    known = {document.id for document in whole.documents}
    pages, parts, factoids = [], {}, []
    for row in rows(folder / "extract.jsonl"):
        found = tuple(dict.fromkeys(s["pmid"] for s in row["snippets"] if s["pmid"] in known))
        if row["type"] != "factoid" or not found:
            continue
        name = f"question-{row['id']}"
        parts[name] = found
        pages.append(article_document(name, "", found))
        factoids.append(Case(row["id"], row["question"], name, frozenset(found), row["id"], tuple(_flat(row["exact_answer"]))))
    return Set("bioasq", (*pages, *whole.documents), parts, {**whole.tasks, "factoid": tuple(factoids)})


def scifact(data: Path, limit: int | None) -> Set:
    """Return all abstracts and the claims."""
    return open_domain("scifact", data, limit)


def open_domain(name: str, data: Path, limit: int | None) -> Set:
    """Return the documents and cases of a set that is searched whole; ``limit`` has no meaning here."""
    del limit
    folder = data / name
    documents = tuple(passage_document(row["id"], row["title"], row["text"]) for row in rows(folder / "corpus.jsonl"))
    gold = qrels(folder / "qrels.tsv")
    cases = tuple(
        Case(row["id"], row["text"], None, frozenset(gold[row["id"]]), row["id"])
        for row in rows(folder / "queries.jsonl")
        if row["id"] in gold
    )
    return Set(name, documents, {}, {"questions": cases})


def canard(data: Path, limit: int | None) -> Set:
    """Return the answers of all turns as passages, each once; the turns themselves come from ``followups``."""
    del limit
    texts = dict.fromkeys(turn.answer for turn in followups(data / "canard") if turn.answer)
    documents = tuple(passage_document(f"answer-{n:05}", "", text) for n, text in enumerate(texts))
    return Set("canard", documents, {}, {})


def followups(folder: Path) -> Iterator[Followup]:
    """Yield the turns of a conversation set, first turns too."""
    for row in rows(folder / "conv.jsonl"):
        spoken: dict[str, list[str]] = defaultdict(list)
        for said in row["history"]:
            spoken[said["role"]].append(said["text"])
        answer = row.get("answer", "")
        yield Followup(
            f"{row['conv_id']}/{row['turn']}",
            row["conv_id"],
            " ".join(spoken["article"]),
            tuple(spoken["user"]),
            tuple(spoken["assistant"]),
            row["question"],
            row["rewrite"],
            "" if answer == NO_ANSWER else answer,
        )


def _abstention(folder: Path, chosen: set[str]) -> tuple[Case, ...]:
    return tuple(
        Case(
            f"{row['article_id']}/{n}",
            row["question"],
            row["article_id"],
            frozenset(),
            row["article_id"],
            answerable=row["answerable"],
            kind="" if row["answerable"] else row.get("kind", "other_topic"),
        )
        for n, row in enumerate(rows(folder / "abstain.jsonl"))
        if row["article_id"] in chosen
    )


def _grouped(pairs: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for article, part in pairs:
        found[article].append(part)
    return {article: tuple(names) for article, names in found.items()}


def _flat(nested: Any) -> Iterator[str]:
    if isinstance(nested, str):
        yield nested
        return
    for inner in nested:
        yield from _flat(inner)


SETS = {"covidqa": covidqa, "medquad": medquad, "bioasq": bioasq, "scifact": scifact, "canard": canard}
