"""What other products do, re-implemented here and named so: keywords only, vectors only, their rank fusion, fixed chunks.

None of them is the code of a product: ``rank_bm25`` and the packaged MiniLM in the shapes that retrieval tutorials and libraries
share. Keywords are our stems without stop words, which suits rank_bm25 better than bare words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rank_bm25 import BM25Okapi

from assistant.search import Encoder
from assistant.text.words import terms

RRF = 60
WINDOW, STEP = 110, 90  # words of a fixed chunk, and from one to the next
THRESHOLD = 0.35  # cosine below which a product of this kind shows nothing
STRATEGIES = ("BM25 only", "MiniLM only", "BM25 + MiniLM, RRF", "fixed chunks, cosine threshold")

Scores = NDArray[np.float64]


class Pool:
    """Texts that are ranked as wholes: ``lexical`` and ``dense`` map an id to what each ranker reads of it."""

    def __init__(
        self, lexical: Mapping[str, str], dense: Mapping[str, str], encoder: Encoder, chunked: Mapping[str, str] | None = None
    ) -> None:
        self.ids = tuple(lexical)
        self._at = {name: n for n, name in enumerate(self.ids)}
        self._encoder = encoder
        self._words = BM25Okapi([terms(text) for text in lexical.values()], k1=1.2)
        self._counts = Counter(term for found in self._words.doc_freqs for term in found)
        self._vectors = encoder.encode([dense[name] for name in self.ids])
        pieces = [windows(chunked[name]) for name in self.ids] if chunked else []
        self._owners = np.repeat(np.arange(len(pieces)), [len(found) for found in pieces])
        self._chunks = encoder.encode([piece for found in pieces for piece in found])

    def ranked(self, question: str, scope: Sequence[str] | None = None) -> dict[str, list[str]]:
        """Return strategy -> ids of the scope (None: all), best first."""
        chosen = np.arange(len(self.ids)) if scope is None else np.array([self._at[name] for name in scope])
        lexical, dense = self.lexical(question, chosen), self.dense(question)[chosen]
        found = {STRATEGIES[0]: lexical, STRATEGIES[1]: dense, STRATEGIES[2]: fused(lexical, dense)}
        orders = {name: chosen[np.argsort(-scores, kind="stable")] for name, scores in found.items()}
        if len(self._owners):
            best = self.chunks(question)[chosen]
            order = np.argsort(-best, kind="stable")
            orders[STRATEGIES[3]] = chosen[order[best[order] >= THRESHOLD]]
        return {name: [self.ids[n] for n in order] for name, order in orders.items()}

    def strongest(self, question: str, scope: Sequence[str]) -> dict[str, float]:
        """Return the scores of the best text of a scope, by which a product may decide whether to answer.

        ``idf coverage``: the idf-weighted share of the question's words that stand in one text.
        """
        chosen = np.array([self._at[name] for name in scope])
        return {
            "idf coverage": self._coverage(question, chosen),
            STRATEGIES[0]: float(self.lexical(question, chosen).max()),
            STRATEGIES[1]: float(self.dense(question)[chosen].max()),
            STRATEGIES[3]: float(self.chunks(question)[chosen].max()),
        }

    def _coverage(self, question: str, chosen: NDArray[np.int64]) -> float:
        asked = dict.fromkeys(terms(question))
        idf = {term: math.log(1 + len(self.ids) / (1 + self._counts.get(term, 0))) for term in asked}
        best = max(sum(idf[term] for term in asked if term in self._words.doc_freqs[n]) for n in chosen)
        return round(best / sum(idf.values()), 6) if asked else 0.0

    def lexical(self, question: str, chosen: NDArray[np.int64]) -> Scores:
        """BM25 scores of the chosen texts; idf and average length are those of the whole pool."""
        asked = terms(question)
        whole = len(chosen) == len(self.ids)
        return np.asarray(self._words.get_scores(asked) if whole else self._words.get_batch_scores(asked, chosen.tolist()))

    def dense(self, question: str) -> Scores:
        """Cosines of all texts."""
        return np.round(self._vectors @ self._encoder.encode([question])[0], 6)

    def chunks(self, question: str) -> Scores:
        """The cosine of the best fixed chunk of each text."""
        best = np.full(len(self.ids), -1.0)
        np.maximum.at(best, self._owners, np.round(self._chunks @ self._encoder.encode([question])[0], 6))
        return best


def fused(*scores: Scores) -> Scores:
    """Reciprocal rank fusion, k = 60 (Cormack et al., SIGIR 2009).

    >>> fused(np.array([3.0, 1.0]), np.array([0.9, 0.2])).round(4).tolist()
    [0.0328, 0.0323]
    """
    return np.sum([1 / (RRF + 1 + np.argsort(np.argsort(-one, kind="stable"))) for one in scores], axis=0)


def windows(text: str) -> list[str]:
    """Return the fixed chunks of a text, which overlap; the last is no shorter than the overlap.

    >>> [len(chunk.split()) for chunk in windows("word " * 200)]
    [110, 110]
    """
    found = text.split()
    return [" ".join(found[n : n + WINDOW]) for n in range(0, max(len(found) - WINDOW + STEP, 1), STEP)] or [""]
