"""list[Case] + Assistant -> Report: how good the answers are on a set of conversations, with intervals.

A report is a plain JSON object: ``overall``, ``first_turns``, ``follow_ups`` (metric -> value, low, high, n), ``tags`` (the same
for each tag), ``turns``, ``corpus_hash``, ``engine`` and ``set_hash``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant import search
from assistant.answers import as_dict, turn_of
from assistant.errors import AssistantError, BadInputError
from assistant.evaluation.cases import Case, Exchange, set_hash
from assistant.evaluation.metrics import mark, summary
from assistant.pipeline import ENGINE, Assistant
from assistant.records import Answer, Turn

Report = dict[str, Any]
Hashes = Mapping[tuple[str, int], str]
SAMPLE = 25  # conversations that are held once more in a second process


@dataclass(frozen=True, slots=True)
class _Held:
    """One turn as it was held; ``number`` counts from 1, ``elapsed`` is in milliseconds."""

    case: Case
    number: int
    exchange: Exchange
    answer: Answer
    history: tuple[Turn, ...]
    elapsed: float


def run(
    cases: Sequence[Case],
    assistant: Assistant,
    again: Callable[[Sequence[Case]], Hashes] = lambda _: {},
    step: Callable[[int, int], None] = lambda _done, _total: None,
) -> Report:
    """Hold the conversations and return the report.

    ``again`` returns the hashes that another process gives for a sample of them; ``step`` hears how many are done.

    Raises:
        BadInputError: a turn cannot be asked; it is named.
    """
    _warm(assistant, cases)
    rows: list[dict[str, Any]] = []
    for done, case in enumerate(cases, start=1):
        rows += [_row(held, assistant) for held in _hold(case, assistant)]
        step(done, len(cases))
    other = again(cases[:: -(-len(cases) // SAMPLE)])
    for row in rows:
        same = row["checks"]["deterministic"] and other.get((row["id"], row["turn"]), _hash(row)) == _hash(row)
        row["checks"]["deterministic"], row["scores"]["determinism"] = same, [int(same), 1]
    return {
        **_summaries(rows),
        "turns": rows,
        "corpus_hash": assistant.retriever.corpus_hash,
        "engine": f"{ENGINE}, {assistant.encoder.name}",
        "set_hash": set_hash(cases),
    }


def hashes(cases: Sequence[Case], assistant: Assistant) -> dict[tuple[str, int], str]:
    """Return (conversation, turn) -> hash of its answer."""
    return {(case.id, held.number): _signature(held.answer) for case in cases for held in _hold(case, assistant)}


def _warm(assistant: Assistant, cases: Sequence[Case]) -> None:
    """Ask what each article suggests, so that the first questions of the set are not timed cold."""
    for article in dict.fromkeys(case.article for case in cases):
        for text in assistant.suggest(article) or ["What is the dose?"]:
            assistant.ask(text, article=article)


def _hold(case: Case, assistant: Assistant) -> Iterator[_Held]:
    history: tuple[Turn, ...] = ()
    for number, exchange in enumerate(case.turns, start=1):
        started = time.perf_counter()
        try:
            answer = assistant.ask(exchange.ask, history, case.article, case.reader)
        except AssistantError as problem:
            raise BadInputError(f"Conversation {case.id!r}, turn {number}: {problem}") from problem
        yield _Held(case, number, exchange, answer, history, 1000 * (time.perf_counter() - started))
        history = (*history, turn_of(answer))


def _row(held: _Held, assistant: Assistant) -> dict[str, Any]:
    case, expected, answer = held.case, held.exchange.expected, held.answer
    marks = mark(expected, answer, case.article, assistant.retriever.documents)
    repeated = assistant.ask(held.exchange.ask, held.history, case.article, case.reader)
    return {
        "id": case.id,
        "turn": held.number,
        "article": case.article,
        "split": case.split,
        "tags": list(case.tags),
        "asked": held.exchange.ask,
        "interpreted": answer.query.text,
        "answer": as_dict(answer),
        "expected": dict(expected.given),
        "checks": {**marks.checks, "deterministic": _signature(repeated) == _signature(answer)},
        "scores": {name: list(score) for name, score in marks.scores.items()},
        "cosine": _best_cosine(answer, assistant),
        "latency_ms": round(held.elapsed, 2),
    }


def _best_cosine(answer: Answer, assistant: Assistant) -> float | None:
    """Return how near the first sentence found is to the question in meaning; None where there is nothing to search for."""
    if not answer.query.text:
        return None
    hits = search.search(search.read(answer.query, assistant.retriever.documents), assistant.retriever, assistant.encoder)
    return dict(hits[0].why).get("meaning") if hits else None


def _summaries(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    tags = sorted({tag for row in rows for tag in row["tags"]})
    return {
        "overall": summary(rows),
        "first_turns": summary([row for row in rows if row["turn"] == 1]),
        "follow_ups": summary([row for row in rows if row["turn"] > 1]),
        "tags": {tag: summary([row for row in rows if tag in row["tags"]]) for tag in tags},
    }


def _signature(answer: Answer) -> str:
    return str(dict(answer.receipt)["answer_sha256"])


def _hash(row: Mapping[str, Any]) -> str:
    return str(row["answer"]["receipt"]["answer_sha256"])
