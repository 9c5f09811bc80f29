"""Scores of cases -> measures with 95 % bootstrap intervals; groups (articles, conversations) are drawn whole.

Every measure is an array [1 + RESAMPLES]: first its value, then its value in each resample. Differences of two such arrays, made
with the same ``Draws``, are paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG
from numpy.typing import NDArray

RESAMPLES = 1000
SEED = 7
DEPTH = 10  # documents that any measure looks at
RANKED = {"hit@1": RR @ 1, "ndcg@10": nDCG @ 10, "recall@10": R @ 10}  # RR@1 is hit@1

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, drawn: Array) -> Estimate:
        """Read a measure's array."""
        low, high = np.quantile(drawn[1:], [0.025, 0.975])
        return cls(round(float(drawn[0]), 4), round(float(low), 4), round(float(high), 4))


class Draws:
    """How often each case counts: once in the first row, then as often as its group was drawn.

    ``weights``: [1 + RESAMPLES, n].
    """

    def __init__(self, groups: Sequence[str]) -> None:
        names = {name: n for n, name in enumerate(dict.fromkeys(groups))}
        owner = np.array([names[group] for group in groups], dtype=np.int64)
        chosen = np.random.default_rng(SEED).integers(0, len(names), size=(RESAMPLES, len(names)))
        counts = np.stack([np.bincount(row, minlength=len(names)) for row in chosen])
        self.weights: Array = np.concatenate((np.ones((1, len(owner))), counts[:, owner].astype(np.float64)))

    def mean(self, values: Sequence[float]) -> Array:
        """The mean of one value for each case."""
        return self.weights @ np.asarray(values, dtype=np.float64) / self.weights.sum(axis=1)

    def auroc(self, scores: Sequence[float], answerable: Sequence[bool]) -> Array:
        """How often an answerable question scores above one that is not; equal scores count half."""
        refused, kept = self._curve(scores, answerable)
        return np.sum(np.diff(kept, axis=1) * (refused[:, 1:] + refused[:, :-1]) / 2, axis=1)

    def recall_at(self, scores: Sequence[float], answerable: Sequence[bool], false_refusals: float) -> Array:
        """The share of unanswerable questions refused by the threshold that refuses this share of the answerable ones."""
        refused, kept = self._curve(scores, answerable)
        return np.array([np.interp(false_refusals, x, y) for x, y in zip(kept, refused, strict=True)])

    def _curve(self, scores: Sequence[float], answerable: Sequence[bool]) -> tuple[Array, Array]:
        """Shares of unanswerable and answerable questions refused as the threshold rises: each [rows, 1 + distinct scores]."""
        levels, level = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
        good = np.asarray(answerable, dtype=bool)
        return tuple(self._share(level, len(levels), chosen) for chosen in (~good, good))  # type: ignore[return-value]

    def _share(self, level: NDArray[np.int64], size: int, chosen: NDArray[np.bool_]) -> Array:
        counts = np.zeros((len(self.weights), size + 1))
        np.add.at(counts.T, level[chosen] + 1, self.weights[:, chosen].T)
        total = counts.sum(axis=1, keepdims=True)
        return np.cumsum(counts, axis=1) / np.where(total > 0, total, 1)


def per_query(gold: Mapping[str, frozenset[str]], runs: Mapping[str, Sequence[str]]) -> dict[str, list[float]]:
    """Return measure -> one value for each query of ``gold``, in its order; ``runs`` holds ranked documents, best first."""
    truth = [ir_measures.Qrel(query, document, 1) for query, right in gold.items() for document in right]
    run = [ir_measures.ScoredDoc(query, d, -float(n)) for query in gold for n, d in enumerate(runs[query][:DEPTH])]
    found: dict[str, dict[str, float]] = {name: {} for name in RANKED}
    names = {str(measure): name for name, measure in RANKED.items()}
    for value in ir_measures.iter_calc(list(RANKED.values()), truth, run):
        found[names[str(value.measure)]][value.query_id] = value.value
    return {name: [values.get(query, 0.0) for query in gold] for name, values in found.items()}
