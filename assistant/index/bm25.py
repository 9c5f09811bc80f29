"""list[list[str]] -> BM25: the scores of rank_bm25's BM25Okapi, as weights computed once.

Every (term, text) weight is known when the index is built, so that a question adds up a few short slices. The weights lie on disk
twice: by term for scores over the whole corpus, by text for scores of a chosen few.
"""

from __future__ import annotations

import json
import threading
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from assistant.errors import CorpusError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_ARRAYS = ("term_starts", "term_texts", "term_weights", "text_starts", "text_terms", "text_weights")
_MAPPED = 1 << 20  # smaller arrays are read whole, which is faster and also works when they are empty
_HEADERS = threading.Lock()  # numpy reads them by ast.literal_eval, which fails in Python 3.11 when two threads are in it


@dataclass(frozen=True, slots=True)
class Rows:
    """The weights of chosen texts, gathered once; ``owners`` says to which of the ``size`` texts an entry belongs."""

    numbers: Mapping[str, int]
    size: int
    owners: NDArray[np.int64]
    terms: NDArray[np.int32]
    weights: NDArray[np.float64]

    def scores(self, weights: Mapping[str, float]) -> NDArray[np.float64]:
        """float64 [size]: the same bits as ``BM25.scores`` has at these texts."""
        asked = np.zeros(len(self.numbers))
        for term, weight in weights.items():
            number = self.numbers.get(term)
            if number is not None:
                asked[number] = weight
        return np.bincount(self.owners, self.weights * asked[self.terms], self.size).astype(np.float64, copy=False)

    def frequencies(self) -> dict[int, int]:
        """In how many of the texts a term stands, by the term's number."""
        found, counts = np.unique(self.terms, return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class BM25:
    """Weights of all texts; immutable, safe to ask from several threads. Arrays may be mapped from disk."""

    numbers: Mapping[str, int]
    term_starts: NDArray[np.int64]
    term_texts: NDArray[np.int64]
    term_weights: NDArray[np.float64]
    text_starts: NDArray[np.int64]
    text_terms: NDArray[np.int32]
    text_weights: NDArray[np.float64]

    @property
    def size(self) -> int:
        """Number of texts."""
        return len(self.text_starts) - 1

    def scores(self, weights: Mapping[str, float]) -> NDArray[np.float64]:
        """float64 [size]; a term of weight 2 counts like one that rank_bm25 is asked twice."""
        known = sorted((number, weight) for term, weight in weights.items() if (number := self.numbers.get(term)) is not None)
        if not known:
            return np.zeros(self.size)
        starts = self.term_starts
        parts = [(slice(starts[number], starts[number + 1]), weight) for number, weight in known]
        texts = np.concatenate([self.term_texts[part] for part, _ in parts])
        added = np.concatenate([self.term_weights[p] if weight == 1.0 else self.term_weights[p] * weight for p, weight in parts])
        return np.bincount(texts, added, self.size).astype(np.float64, copy=False)

    def rows(self, positions: NDArray[np.int64]) -> Rows:
        """The weights of the texts at ``positions``, to be asked often."""
        starts = self.text_starts[positions]
        sizes = self.text_starts[positions + 1] - starts
        chosen = spans(starts, sizes)
        owners = np.repeat(np.arange(len(positions)), sizes)
        return Rows(self.numbers, len(positions), owners, self.text_terms[chosen], self.text_weights[chosen])

    def frequency(self, term: str) -> int:
        """In how many texts a term stands."""
        number = self.numbers.get(term)
        return 0 if number is None else int(self.term_starts[number + 1] - self.term_starts[number])

    def save(self, folder: Path, name: str) -> None:
        """Write the arrays and the terms as files ``name.*`` of ``folder``."""
        for field in _ARRAYS:
            np.save(folder / f"{name}.{field}.npy", getattr(self, field), allow_pickle=False)
        (folder / f"{name}.terms.json").write_text(json.dumps(list(self.numbers)), encoding="utf-8")


def build(texts: Iterable[Sequence[str]], k1: float = 1.2, b: float = 0.75, epsilon: float = 0.25) -> BM25:
    """Weigh the terms of texts; idf, its floor ``epsilon`` times the mean, and the length norm are those of rank_bm25.

    Its idf is log(N - df + .5) - log(df + .5), and the mean is taken before the floor. With one or two texts a match can
    therefore weigh less than nothing.
    """
    numbers, term, text, count, lengths = _counted(texts)
    if not numbers:
        raise CorpusError("No passage of the corpus holds a word: there is nothing to search. Add articles with text.")
    size = len(lengths)
    df = np.bincount(term, minlength=len(numbers))
    idf = np.log(size - df + 0.5) - np.log(df + 0.5)
    idf[idf < 0] = epsilon * idf.mean()
    norm = k1 * (1 - b + b * lengths / lengths.mean())
    weights = idf[term] * count * (k1 + 1) / (count + norm[text])
    by_text = np.lexsort((term, text))
    return BM25(
        numbers,
        _starts(df),
        text.astype(np.int64),  # as wide as bincount counts: a cast at every question costs more than the disk
        weights,
        _starts(np.bincount(text, minlength=size)),
        term[by_text].astype(np.int32),
        weights[by_text],
    )


def load(folder: Path, name: str) -> BM25:
    """Read what ``save`` wrote; large arrays stay on disk."""
    terms = json.loads((folder / f"{name}.terms.json").read_bytes())
    arrays = [load_array(folder / f"{name}.{field}.npy") for field in _ARRAYS]
    return BM25({term: number for number, term in enumerate(terms)}, *arrays)


def load_array(file: Path) -> NDArray[Any]:
    """Read an array; a large one is mapped, not read."""
    mode: Literal["r"] | None = "r" if file.stat().st_size > _MAPPED else None
    with _HEADERS:
        loaded: NDArray[Any] = np.load(file, mmap_mode=mode, allow_pickle=False)
    return loaded


def spans(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of runs, one after the other: starts [2, 9], sizes [3, 1] -> [2, 3, 4, 9]."""
    ends = np.cumsum(sizes)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - ends + sizes, sizes)


def _counted(
    texts: Iterable[Sequence[str]],
) -> tuple[dict[str, int], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Number the terms; then one entry (term, text, count) per pair, ordered by term and text, and the lengths of the texts."""
    numbers: dict[str, int] = {}
    flat, sizes = array("q"), array("q")
    for tokens in texts:
        sizes.append(len(tokens))
        flat.extend(numbers.setdefault(token, len(numbers)) for token in tokens)
    lengths = np.array(sizes, dtype=np.int64)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    keys = np.array(flat, dtype=np.int64) * max(len(lengths), 1) + owner
    pairs, count = np.unique(keys, return_counts=True)
    term, text = np.divmod(pairs, max(len(lengths), 1))
    return numbers, term, text, count, lengths


def _starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes, dtype=np.int64)))
