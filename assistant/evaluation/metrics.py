"""Expectation + Answer -> Marks -> metrics: what was right in each turn, and shares of it with intervals over conversations.

Every metric but the latencies is a ratio of counts, so a turn is kept as (counted, of how many) for each metric it is a case of.

* hit@1, hit@3: turns where one of the first 1 or 3 passages shown is from an expected source and, where facts are expected,
  holds one. A plain share: with one relevant passage wanted it is what ir-measures calls Success@k, and the tests hold it to
  that library; nothing else of such a library is needed, so running an eval set needs none.
* fact_recall: facts that stand in the claims. answer_precision: claims that hold a fact or come from an expected source.
* wrong_answers: turns, of all that state an expectation, with a ``must_not`` shown or answered where they must not be.
* refusal_recall: turns that must not be answered and were not; refusal_precision: turns not answered that need not be;
  false_refusals: turns that must be answered and were not. "closest" is a refusal: it makes no claim.
* caution_recall: turns that must carry a cited caution and do, refused ones counting as without; caution_precision: turns with
  a caution, of those that say whether it belongs there, where it does. notice_recall: expected kinds of notice that are there.
* citation_check: claims whose spans stand in their passages and hold every number of the claim.
* determinism: turns with the same hash each time. latency: one question, warm, in milliseconds of wall clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.answers import shown
from assistant.citations import quote
from assistant.evaluation.cases import OWN_ARTICLE, Expectation
from assistant.records import Answer, Claim, Document, Outcome, Support
from assistant.text.words import normalise

SHARES = (
    "hit@1",
    "hit@3",
    "fact_recall",
    "answer_precision",
    "wrong_answers",
    "refusal_precision",
    "refusal_recall",
    "false_refusals",
    "caution_recall",
    "caution_precision",
    "notice_recall",
    "citation_check",
    "determinism",
)
LATENCIES: Mapping[str, int] = {"latency_p50_ms": 50, "latency_p95_ms": 95}
METRICS = (*SHARES, *LATENCIES)
LOWER_IS_BETTER = frozenset({"wrong_answers", "false_refusals", *LATENCIES})
RESAMPLES = 2000
SEED = 20_240_229
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")
_RANGE = re.compile(r"(?<=\d) ?- ?(?=\d)")
_MILLIGRAM = re.compile(r"\bmilli-?grams?\b")
_PERCENT = re.compile(r" ?(?:%|\bper ?cent\b)")

Row = Mapping[str, Any]
Score = tuple[int, int]
Draws = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Marks:
    """What one turn adds to each metric it is a case of, and which of its expectations held."""

    scores: Mapping[str, Score]
    checks: Mapping[str, bool]


# -- text --------------------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Return the form in which facts are looked for: case, spaces, dashes and unit spelling do not count.

    >>> plain("1.5–4.5mg  opioid-free, 31 per cent")
    '1.5 to 4.5 mg opioid free, 31%'
    """
    low = " ".join(normalise(text).lower().split())
    return _PERCENT.sub("%", _MILLIGRAM.sub("mg", _RANGE.sub(" to ", _HYPHEN.sub(" ", low))))


def holds(text: str, wanted: str) -> bool:
    """Tell whether ``wanted`` stands in ``text``; a number is whole, so "5 mg" does not stand in "4.5 mg".

    >>> holds("up to 4.5 mg", "4.5mg"), holds("up to 4.5 mg", "5 mg")
    (True, False)
    """
    return _pattern(wanted).search(plain(text)) is not None


@lru_cache(maxsize=4096)
def _pattern(wanted: str) -> re.Pattern[str]:
    low = plain(wanted)
    before = r"(?<!\d)(?<!\d\.)" if low[:1].isdigit() else ""
    after = r"(?!\d|\.\d)" if low[-1:].isdigit() else ""
    return re.compile(before + re.escape(low) + after)


def _any(text: str, strings: Sequence[str]) -> bool:
    return any(holds(text, wanted) for wanted in strings)


# -- one turn ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Turn:
    """An answer beside what was expected of it."""

    expected: Expectation
    answer: Answer
    article: str | None
    documents: Mapping[str, Document]

    @property
    def answered(self) -> bool:
        return self.answer.outcome is Outcome.ANSWERED

    @property
    def judged(self) -> bool:
        """Whether what an answer holds counts: it may be answered, and was or had to be."""
        expected = self.expected
        return not expected.must_decline and (self.answered or expected.must_answer or not expected.outcomes)

    @property
    def said(self) -> str:
        return " | ".join(claim.text for claim in self.answer.claims)

    def expects(self, support: Support) -> bool:
        """Tell whether a passage is from an expected source."""
        name = support.passage.document
        own = name == self.article if self.article else self.documents[name].page is not None
        return name in self.expected.sources or (own and OWN_ARTICLE in self.expected.sources)

    def cautioned(self) -> bool:
        """Tell whether the answer carries a caution with its own citation."""
        return any(notice.kind == "caution" and notice.support for notice in self.answer.notices)


def mark(expected: Expectation, answer: Answer, article: str | None, documents: Mapping[str, Document]) -> Marks:
    """Return the marks of one answer, all but those that take another run: determinism and latency."""
    turn = _Turn(expected, answer, article, documents)
    scores = {**dict(_content(turn)), **dict(_refusal(turn)), **dict(_notices(turn))}
    if answer.claims:
        scores["citation_check"] = (sum(stands(claim, documents) for claim in answer.claims), len(answer.claims))
    return Marks(scores, dict(_checks(turn)))


def _content(turn: _Turn) -> Iterator[tuple[str, Score]]:
    expected, claims = turn.expected, turn.answer.claims
    if not turn.judged:
        return
    if expected.facts:
        yield "fact_recall", (sum(_any(turn.said, fact) for fact in expected.facts), len(expected.facts))
    if expected.facts or expected.sources:
        relevant = [_relevant(turn, support) for support in _ranked(turn.answer)]
        yield "hit@1", (int(any(relevant[:1])), 1)
        yield "hit@3", (int(any(relevant[:3])), 1)
        if claims:
            yield "answer_precision", (sum(_useful(turn, claim) for claim in claims), len(claims))


def _ranked(answer: Answer) -> list[Support]:
    """Return the passages shown, in order, each once."""
    first: dict[str, Support] = {}
    for support in shown(answer):
        first.setdefault(support.passage.id, support)
    return list(first.values())


def _relevant(turn: _Turn, support: Support) -> bool:
    text = f"{support.passage.text} | {quote(turn.documents[support.passage.document], support)}"
    holds_fact = not turn.expected.facts or any(_any(text, fact) for fact in turn.expected.facts)
    return holds_fact and (not turn.expected.sources or turn.expects(support))


def _useful(turn: _Turn, claim: Claim) -> bool:
    return any(_any(claim.text, fact) for fact in turn.expected.facts) or any(map(turn.expects, claim.support))


def _refusal(turn: _Turn) -> Iterator[tuple[str, Score]]:
    expected, refused = turn.expected, not turn.answered
    if expected.given:
        wrong = expected.must_decline and turn.answered
        yield "wrong_answers", (int(wrong or _any(turn.said, expected.must_not)), 1)
    if expected.must_decline:
        yield "refusal_recall", (int(refused), 1)
    if expected.must_answer:
        yield "false_refusals", (int(refused), 1)
    if expected.outcomes and refused:
        yield "refusal_precision", (int(not expected.must_answer), 1)


def _notices(turn: _Turn) -> Iterator[tuple[str, Score]]:
    expected, present = turn.expected, {notice.kind for notice in turn.answer.notices}
    if expected.caution:
        yield "caution_recall", (int(turn.cautioned()), 1)
    if expected.caution is not None and "caution" in present:
        yield "caution_precision", (int(expected.caution), 1)
    if expected.notice:
        yield "notice_recall", (len(present & set(expected.notice)), len(set(expected.notice)))


def _checks(turn: _Turn) -> Iterator[tuple[str, bool]]:
    expected, answer = turn.expected, turn.answer
    if expected.outcomes:
        yield "outcome", answer.outcome in expected.outcomes
    if expected.reason and answer.outcome is Outcome.DECLINED:
        yield "reason", answer.reason is expected.reason
    if expected.facts and turn.judged:
        yield "facts", all(_any(turn.said, fact) for fact in expected.facts)
    if expected.sources and turn.judged:
        yield "sources", any(turn.expects(support) for claim in answer.claims for support in claim.support)
    if expected.caution is not None:
        yield "caution", turn.cautioned() is expected.caution
    if expected.notice:
        yield "notice", set(expected.notice) <= {notice.kind for notice in answer.notices}
    if expected.must_not:
        yield "must_not", not _any(turn.said, expected.must_not)
    if expected.interpreted:
        yield "interpreted", all(_any(answer.query.text, group) for group in expected.interpreted)
    if answer.claims:
        yield "citations", all(stands(claim, turn.documents) for claim in answer.claims)


def stands(claim: Claim, documents: Mapping[str, Document]) -> bool:
    """Tell whether each span of a claim stands in its passage and holds every number of the claim.

    Read from the documents anew, without the check that the answer has already passed.
    """
    numbers = set(_NUMBER.findall(normalise(claim.text)))
    return all(_inside(support, documents) and numbers <= _numbers_of(support, documents) for support in claim.support)


def _inside(support: Support, documents: Mapping[str, Document]) -> bool:
    passage, text = support.passage, documents[support.passage.document].text
    span = text[support.start : support.end]
    return bool(span) and passage.start <= support.start and support.end <= passage.end and span in passage.text


def _numbers_of(support: Support, documents: Mapping[str, Document]) -> set[str]:
    return set(_NUMBER.findall(normalise(quote(documents[support.passage.document], support))))


# -- all turns ---------------------------------------------------------------------------------------------------------


def summary(rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    """Return metric -> value, low, high (95 % percentile bootstrap over conversations) and n, the number of cases."""
    order = conversations(rows)
    return {metric: _entry(draws(rows, order, metric), cases(rows, metric)) for metric in METRICS}


def _entry(drawn: Draws, n: int) -> dict[str, float | None]:
    low, high = interval(drawn)
    return {"value": rounded(drawn[0]), "low": low, "high": high, "n": n}


def conversations(rows: Sequence[Row]) -> dict[str, int]:
    """Return conversation -> its place, in order of appearance."""
    return {name: n for n, name in enumerate(dict.fromkeys(row["id"] for row in rows))}


def cases(rows: Sequence[Row], metric: str) -> int:
    """Return what a metric is a share of: turns, facts, claims or notices."""
    if metric in LATENCIES:
        return len(rows)
    return sum(row["scores"][metric][1] for row in rows if metric in row["scores"])


def draws(rows: Sequence[Row], order: Mapping[str, int], metric: str) -> Draws:
    """Return the metric [1 + RESAMPLES]: first on all conversations, then on resampled ones; nan where there is no case."""
    weights = _weights(len(order))
    if metric in LATENCIES:
        return _percentiles(rows, order, weights, LATENCIES[metric])
    counted = np.zeros((len(order), 2))
    for row in rows:
        counted[order[row["id"]]] += row["scores"].get(metric, (0, 0))
    got, of = (weights @ counted).T
    shares: Draws = np.divide(got, of, out=np.full(len(weights), np.nan), where=of > 0)
    return shares


def _percentiles(rows: Sequence[Row], order: Mapping[str, int], weights: NDArray[np.int64], percent: int) -> Draws:
    """Nearest rank: the smallest latency that ``percent`` of the turns do not exceed."""
    if not rows:
        return np.full(len(weights), np.nan)
    values = np.array([row["latency_ms"] for row in rows], dtype=np.float64)
    owners = np.array([order[row["id"]] for row in rows])
    sort = np.argsort(values, kind="stable")
    ranks = weights[:, owners[sort]].cumsum(axis=1)
    reached = 100 * ranks >= percent * ranks[:, -1:]
    found: Draws = values[sort][reached.argmax(axis=1)]
    return found


@lru_cache(maxsize=64)
def _weights(count: int) -> NDArray[np.int64]:
    """Return how often each conversation is drawn [1 + RESAMPLES, count]; in the first row once each."""
    if count == 0:
        return np.zeros((1 + RESAMPLES, 0), dtype=np.int64)
    weights = np.ones((1 + RESAMPLES, count), dtype=np.int64)
    weights[1:] = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return weights


def interval(drawn: Draws) -> tuple[float | None, float | None]:
    """Return the 2.5th and 97.5th percentile of the resampled values; None where nothing was measured."""
    resampled = drawn[1:][~np.isnan(drawn[1:])]
    if np.isnan(drawn[0]) or not len(resampled):
        return None, None
    low, high = np.percentile(resampled, [2.5, 97.5])
    return rounded(low), rounded(high)


def rounded(value: float) -> float | None:
    """Return a value to four decimals; None for nan."""
    return None if np.isnan(value) else round(float(value), 4)
