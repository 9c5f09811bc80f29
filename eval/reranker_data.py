"""Practice topics and public sets -> groups of a question, the sentences that answer it, and near ones that do not."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from public_sets import half, rows

from assistant.lexicon import FOLDER
from assistant.text.sentences import split

PRACTICE = Path(__file__).resolve().parent / "practice"
NEAR = 24  # wrong sentences kept of each group, nearest first
LENGTH = range(20, 500)  # characters of a sentence that is used
_SENTENCE = re.compile(r"(a\d+|r\d+\.\d+)(?: \[[\d, ]+\])? (.+)")
_QUESTION = re.compile(r"([QFN]) (.+)")
Encode = Callable[[Sequence[str]], Any]


@dataclass(frozen=True, slots=True)
class Group:
    """A question in one or more wordings, its right sentences (none: nothing answers it) and wrong ones, nearest first."""

    kind: str
    questions: tuple[str, ...]
    right: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A practice article with its sources: sentences by id, and questions as (short, complete, ids of what answers)."""

    drug: str
    condition: str
    sentences: dict[str, str]
    questions: list[tuple[str, str, tuple[str, ...]]]


def topics(file: Path) -> list[Topic]:
    """Return the topics of a practice file; its format is told in ``practice/README.md``.

    Raises:
        ValueError: a line cannot be read, or a question names a sentence that is not there.
    """
    found: list[Topic] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("# "):
            drug, condition, _ = (part.strip() for part in line[2:].split("|"))
            found.append(Topic(drug, condition, {}, []))
        elif sentence := _SENTENCE.fullmatch(line):
            found[-1].sentences[sentence[1]] = sentence[2]
        elif question := _QUESTION.fullmatch(line):
            text, _, ids = question[2].partition("=>") if question[1] != "N" else (question[2], "", "")
            short, _, full = (part.strip() for part in text.partition("||"))
            wanted = tuple(re.findall(r"[\w.]+", ids))
            if unknown := [name for name in wanted if name not in found[-1].sentences]:
                raise ValueError(f"{file.name}:{number}: no sentence {', '.join(unknown)} in this topic.")
            found[-1].questions.append((short, full or short, wanted))
        elif line.strip() and not re.match(r"R\d+ ", line):
            raise ValueError(f"{file.name}:{number}: neither topic, source, sentence nor question: {line[:60]!r}")
    return found


def practice(file: Path, encode: Encode) -> Iterator[Group]:
    """Yield the groups of a practice file; the wrong sentences of a question are all others of its topic."""
    for topic in topics(file):
        names, texts = list(topic.sentences), list(topic.sentences.values())
        vectors = encode(texts)
        for short, full, ids in topic.questions:
            near = [texts[i] for i in nearest(encode([full])[0], vectors) if names[i] not in ids]
            wordings = [full]
            if short != full:
                wordings += [f"{short} {topic.drug}", f"{short} ({topic.drug}, {topic.condition})"]
            elif topic.drug.lower() not in full.lower():
                wordings.append(f"{full} ({topic.drug})")
            kind = "practice" if ids else "practice: nothing answers"
            yield Group(kind, tuple(wordings), tuple(topic.sentences[name] for name in ids), tuple(near[:NEAR]))


def public(data: Path, encode: Encode, wanted: str = "tune") -> Iterator[Group]:
    """Yield the groups of one half (``tune`` or ``test``) of four public sets."""
    for source in (_covidqa, _bioasq, _medquad, _pubmedqa):
        for group, owner in source(data, encode):
            if half(owner) == wanted and len(group.wrong) > 2:  # noqa: PLR2004 - enough to choose from
                yield group


def triage(file: Path = PRACTICE / "triage.tsv") -> list[tuple[bool, str]]:
    """Return texts with whether they tell of somebody in danger: the practice texts and the product's own examples."""
    table = tomllib.loads((FOLDER / "triage_examples.toml").read_text(encoding="utf-8"))
    found = [(side == "crisis", text) for side in ("crisis", "harmless") for texts in table[side].values() for text in texts]
    lines = (line.split("\t") for line in file.read_text(encoding="utf-8").splitlines())
    return found + [(label == "crisis", text) for label, _, text in lines]


def nearest(vector: Any, vectors: Any) -> list[int]:
    """Return row numbers by cosine, highest first."""
    order: list[int] = np.argsort(-(vectors @ vector), kind="stable").tolist()
    return order


def _sentences(text: str) -> list[tuple[int, int, str]]:
    return [(start, end, text[start:end]) for start, end in split(text) if end - start in LENGTH]


def _covidqa(data: Path, encode: Encode) -> Iterator[tuple[Group, str]]:
    """Questions with the sentences that overlap their answer; and questions of other articles, which nothing answers."""
    articles, chance = list(rows(data / "covidqa/articles.jsonl")), random.Random(7)  # noqa: S311 - repeatable
    for article in articles:
        if half(article["article_id"]) != "tune":
            continue
        units = _sentences(article["text"])[:500]
        vectors = encode([text for _, _, text in units])
        for row in article["qas"]:
            start, end = row["answer_start"], row["answer_start"] + len(row["answer"])
            right = {n for n, (a, b, _) in enumerate(units) if a < end and b > start}
            near = [units[n][2] for n in nearest(encode([row["question"]])[0], vectors) if n not in right]
            if right:
                texts = tuple(units[n][2] for n in sorted(right))
                yield Group("covidqa", (row["question"],), texts, tuple(near[:NEAR])), article["article_id"]
        for other in chance.sample([a for a in articles if a is not article and half(a["article_id"]) == "tune"], 3):
            for row in chance.sample(other["qas"], min(2, len(other["qas"]))):
                near = [units[n][2] for n in nearest(encode([row["question"]])[0], vectors)[:NEAR]]
                yield Group("covidqa: nothing answers", (row["question"],), (), tuple(near)), article["article_id"]


def _bioasq(data: Path, encode: Encode) -> Iterator[tuple[Group, str]]:
    """Factoid questions with the snippet sentences that hold the answer; others with their snippets against other questions'."""
    items = [item for item in rows(data / "bioasq/extract.jsonl") if half(item["id"]) == "tune"]
    own = [[text for snippet in item["snippets"][:10] for _, _, text in _sentences(snippet["text"])] for item in items]
    pool = [(n, text) for n, texts in enumerate(own) for text in texts[:4]]
    vectors = encode([text for _, text in pool])
    for n, item in enumerate(items):
        near = nearest(encode([item["question"]])[0], vectors)[:60]
        foreign = [pool[at][1] for at in near if pool[at][0] != n]
        names = [name.lower() for name in _flat(item.get("exact_answer") or []) if len(name) > 1]
        holds = [text for text in own[n] if any(name in text.lower() for name in names)] if item["type"] == "factoid" else []
        right = holds or own[n][:6]
        wrong = [text for text in own[n] if text not in right] if holds else []
        kind = "bioasq factoid" if holds else "bioasq"
        if right:
            yield Group(kind, (item["question"],), tuple(right), (*wrong, *foreign)[:NEAR]), item["id"]


def _flat(names: Any) -> list[str]:
    return [name for part in names for name in _flat(part)] if isinstance(names, list) else [str(names)]


def _medquad(data: Path, encode: Encode) -> Iterator[tuple[Group, str]]:
    """A section's question with its first sentences against other sections'; and questions whose section is missing."""
    elided = {(row["conv_id"], row["gold_section"]): row["question"] for row in rows(data / "medquad/followup_elided.jsonl")}
    articles = {article["article_id"]: article for article in rows(data / "medquad/articles.jsonl")}
    chance = random.Random(7)  # noqa: S311 - repeatable
    chosen = chance.sample([a for a in articles.values() if half(a["article_id"]) == "tune"], 400)
    for article in chosen:
        firsts = [[text for _, _, text in _sentences(section["text"])[:5]] for section in article["sections"]]
        for n in chance.sample(range(len(firsts)), min(3, len(firsts))):
            wrong = [text for other, texts in enumerate(firsts) if other != n for text in texts]
            section = article["sections"][n]
            short = elided.get((article["article_id"], section["qid"]))
            questions = (section["question"], short) if short else (section["question"],)
            if firsts[n]:
                yield Group("medquad", questions, tuple(firsts[n][:2]), tuple(wrong[:NEAR])), article["article_id"]
    for row in rows(data / "medquad/abstain.jsonl"):
        article = articles.get(row["article_id"])
        if row.get("kind") == "same_topic_missing_section" and article and half(row["article_id"]) == "tune":
            texts = [text for section in article["sections"] for _, _, text in _sentences(section["text"])[:4]]
            near = [texts[n] for n in nearest(encode([row["question"]])[0], encode(texts))[:10]] if texts else []
            yield Group("medquad: nothing answers", (row["question"],), (), tuple(near)), row["article_id"]


def _pubmedqa(data: Path, encode: Encode) -> Iterator[tuple[Group, str]]:  # noqa: ARG001 - the abstract's own order serves
    """A study's question with its conclusion against the rest of its abstract."""
    for row in rows(data / "pubmedqa/extract.jsonl"):
        concludes = [s["text"] for s in row["sentences"] if s["section"].upper().startswith("CONCL")]
        others = [s["text"] for s in row["sentences"] if not s["section"].upper().startswith("CONCL")]
        if concludes:
            yield Group("pubmedqa", (row["question"],), tuple(concludes), tuple(others[:NEAR])), row["article_id"]
