"""Query -> list[Hit]: words and meaning, fused; the seams to an encoder and to whatever holds the passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.records import Document, Passage, Unit

Vector = NDArray[np.float32]
Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Text to unit vectors. ``name`` identifies weights and precision: another name, another index."""

    @property
    def name(self) -> str: ...
    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, 384], rows of length 1."""
        ...
    def count(self, text: str) -> int:
        """Tokens of ``text``, without truncation and without special tokens."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage with its scores and those of its units: BM25 sums and cosines, not comparable with each other.

    ``unit_lexical`` and ``unit_dense`` are float arrays [len(units)]; a unit's cosine is the best of itself and its clauses.
    """

    passage: Passage
    lexical: float
    dense: float
    units: tuple[Unit, ...]
    unit_lexical: NDArray[np.float64]
    unit_dense: NDArray[np.float32]


class Retriever(Protocol):
    """Anything that ranks passages: the local index, or an engine behind a network."""

    @property
    def documents(self) -> Mapping[str, Document]: ...
    @property
    def corpus_hash(self) -> str: ...
    def scope(self, article: str | None) -> frozenset[str]:
        """Ids of the documents an article's reader is answered from: itself, its references and related works; None: all."""
        ...
    def rank(self, weights: Mapping[str, float], vector: Vector, article: str | None, k: int) -> list[Candidate]:
        """The candidates for weighted stems and a query vector, in the scope of ``article``.

        In the scope of an article all its passages come, in stored order; site-wide the best ``k`` by words and the best
        ``k`` by meaning.
        """
        ...
    def frequency(self, stem: str, article: str | None) -> int:
        """In how many passages of the scope the stem stands."""
        ...
    def vocabulary(self, article: str | None) -> Mapping[str, int]:
        """Surface words (lower case) of the scope with their counts, for spelling repair."""
        ...
