"""list[Case] + Assistant -> Report: how good the answers are on a set of conversations, with intervals.

A report is a plain JSON object: ``overall``, ``first_turns``, ``follow_ups`` (metric -> value, low, high, n), ``tags`` (the same
for each tag), ``turns``, ``corpus_hash``, ``engine`` and ``set_hash``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from assistant import __version__, search
from assistant.answers import as_dict, turn_of
from assistant.errors import AssistantError, BadInputError
from assistant.evaluation.cases import Case, Exchange, set_hash
from assistant.evaluation.metrics import mark, rounded, summary
from assistant.pipeline import Assistant
from assistant.records import Answer, Turn

Report = dict[str, Any]
Hashes = Mapping[tuple[str, int], str]
SAMPLE = 25  # conversations that are asked again in a second process


def run(
    cases: Sequence[Case],
    assistant: Assistant,
    again: Callable[[Sequence[Case]], Hashes] = lambda _: {},
    step: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Hold the conversations and return the report.

    ``again`` returns the hashes that another process gives for a sample of them; ``step`` hears the conversations done.
    """
    _warm(assistant, cases)
    rows = []
    for done, case in enumerate(cases, start=1):
        rows += list(_hold(case, assistant))
        step(done, len(cases))
    other = again(cases[:: -(-len(cases) // SAMPLE)])
    for row in rows:
        _same_elsewhere(row, other)
    return {**_summaries(rows), "turns": rows, **_provenance(cases, assistant)}


def hashes(cases: Sequence[Case], assistant: Assistant) -> dict[tuple[str, int], str]:
    """Return (conversation, turn from 1) -> hash of its answer."""
    return {
        (case.id, number): _hash(answer)
        for case in cases
        for number, _, answer, _ in _answers(case, assistant)
    }


def _warm(assistant: Assistant, cases: Sequence[Case]) -> None:
    """Ask each article's own suggestions, so that the first questions of the set are not timed cold."""
    for article in dict.fromkeys(case.article for case in cases):
        for text in assistant.suggest(article) or ["dose"]:
            assistant.ask(text, article=article)


def _answers(case: Case, assistant: Assistant) -> Iterator[tuple[int, Exchange, Answer, tuple[Turn, ...]]]:
    history: tuple[Turn, ...] = ()
    for number, exchange in enumerate(case.turns, start=1):
        try:
            answer = assistant.ask(exchange.ask, history, case.article, case.reader)
        except AssistantError as problem:
            raise BadInputError(f"Conversation {case.id!r}, turn {number}: {problem}") from problem
        yield number, exchange, answer, history
        history = (*history, turn_of(answer))


def _hold(case: Case, assistant: Assistant) -> Iterator[dict[str, Any]]:
    answers = _answers(case, assistant)
    while True:
        started = time.perf_counter()
        found = next(answers, None)
        elapsed = 1000 * (time.perf_counter() - started)
        if found is None:
            return
        number, exchange, answer, history = found
        repeated = assistant.ask(exchange.ask, history, case.article, case.reader)
        yield _row(case, number, exchange, answer, assistant) | _timing(elapsed, stable=_hash(repeated) == _hash(answer))


def _row(case: Case, number: int, exchange: Exchange, answer: Answer, assistant: Assistant) -> dict[str, Any]:
    marks = mark(exchange.expected, answer, case.article, assistant.retriever.documents)
    return {
        "id": case.id,
        "turn": number,
        "article": case.article,
        "split": case.split,
        "tags": list(case.tags),
        "asked": exchange.ask,
        "interpreted": answer.query.text,
        "answer": as_dict(answer),
        "expected": dict(exchange.expected.given),
        "must": "answer" if exchange.expected.must_answer else "decline" if exchange.expected.must_decline else None,
        "cosine": _top_cosine(answer, assistant),
        "scores": {name: list(score) for name, score in marks.scores.items()},
        "checks": dict(marks.checks),
    }
