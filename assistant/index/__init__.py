"""Corpus -> Index: a Retriever in one folder on disk, BM25 over words and cosines over vectors."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.errors import IndexDamagedError, IndexMissingError, UnknownArticleError
from assistant.index import bm25, building, generation
from assistant.index.bm25 import load_array, spans
from assistant.index.entries import Documents, Entry, Lines, document_from_json, entry_from_json
from assistant.lexicon import fingerprint
from assistant.search import Candidates
from assistant.settings import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from assistant.corpus import Corpus
    from assistant.records import Document, Passage, Unit
    from assistant.search import Encoder, Vector, Vectors

    Positions = NDArray[np.int64]
    Extras = Callable[["Index"], Mapping[str, object]]

RULES = 3  # raise it whenever passages, units, clauses or terms come out differently
_SCOPES = 16  # articles whose rows are kept gathered: about 2 MB each
_LONG = 80  # characters of an unknown id that are looked at
_DECIMALS = 6  # the rest differs between processors and must not decide an order


@dataclass(frozen=True, slots=True)
class _Block:
    """Passages and their units in order, with the rows of the units (``rows``) and of their parts (``parts``).

    ``owners`` says to which passage each unit belongs, ``begins`` where its parts begin among ``parts``.
    """

    passages: tuple[Passage, ...]
    units: tuple[Unit, ...]
    owners: Positions
    rows: Positions
    parts: Positions
    begins: Positions

    def candidates(
        self, lexical: NDArray[np.float64], cosines: NDArray[np.float32], unit_lexical: NDArray[np.float64]
    ) -> Candidates:
        """``cosines`` are those of the passages, then those of the parts; a unit's is the best of its parts."""
        count = len(self.passages)
        best = np.maximum.reduceat(cosines[count:], self.begins) if self.units else cosines[count:]
        return Candidates(self.passages, self.units, self.owners, lexical, cosines[:count], unit_lexical, best)


@dataclass(frozen=True, slots=True)
class _Scope:
    """All that ranking in an article needs and that does not depend on the question.

    ``vectors`` holds the passages' rows, then those of the parts of their units.
    """

    documents: frozenset[str]
    block: _Block
    vectors: Vectors
    words: bm25.Rows
    unit_words: bm25.Rows
    frequencies: Mapping[int, int]


class Index:
    """A Retriever over one generation on disk; opened by ``open``, made by ``build``. Safe to share between threads.

    ``manifest`` says what was indexed, ``extras`` holds what the caller of ``build`` stored with it.
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        catalog = json.loads((folder / "catalog.json").read_bytes())
        self.folder = folder
        self.manifest = manifest
        extras = folder / "extras.json"
        self.extras: Mapping[str, Any] = json.loads(extras.read_bytes()) if extras.exists() else {}
        self._numbers = {entry["id"]: number for number, entry in enumerate(catalog)}
        self._ids = tuple(self._numbers)
        self.articles = tuple(entry["id"] for entry in catalog if entry["kind"] == "article")
        self._documents = Documents(Lines(folder, "documents", document_from_json), self._numbers)
        self._entries: Lines[Entry] = Lines(folder, "passages", entry_from_json)
        self._counts: Lines[dict[str, int]] = Lines(folder, "words", dict)
        self._total: Lines[Counter[str]] = Lines(folder, "vocabulary", Counter)
        self._passages_at, self._units_at, self._parts_at, self._passage_vectors, self._part_vectors = (
            load_array(folder / f"{name}.npy")
            for name in ("document_passages", "passage_units", "unit_parts", "passage_vectors", "part_vectors")
        )
        self._words, self._unit_words = bm25.load(folder, "passages"), bm25.load(folder, "units")
        self._scope = lru_cache(_SCOPES)(self._gather)
        self._vocabulary = lru_cache(_SCOPES)(self._count)

    @property
    def documents(self) -> Mapping[str, Document]:
        """All documents by id, read from disk when asked for."""
        return self._documents

    @property
    def corpus_hash(self) -> str:
        """Hash of the corpus that was indexed."""
        return str(self.manifest["corpus"])

    @property
    def size(self) -> int:
        """Number of passages."""
        return len(self._entries)

    def passages(self, document: str) -> list[Passage]:
        """The passages of a document in order; none when it is not indexed."""
        number = self._numbers.get(document)
        return [] if number is None else [self._entries[n].passage for n in self._of(number)]

    def entry(self, passage: str) -> Entry | None:
        """The passage of this id with its units, or None."""
        document = self._numbers.get(passage.rpartition("#")[0])
        found = () if document is None else (self._entries[n] for n in self._of(document))
        return next((entry for entry in found if entry.passage.id == passage), None)

    def units(self, passage: str) -> tuple[Unit, ...]:
        """The citable units of the passage of this id; none when it is not indexed."""
        entry = self.entry(passage)
        return () if entry is None else entry.units

    def vectors(self, passage: str) -> Vectors:
        """float32 [units, d]: the vectors of a passage's units, without their clauses."""
        entry = self.entry(passage)
        first, count = (0, 0) if entry is None else (entry.first, len(entry.units))
        chosen: Vectors = self._part_vectors[self._parts_at[first : first + count]]
        return chosen

    def scope(self, article: str | None) -> frozenset[str]:
        """Ids of the article, its references and related works that are indexed; None: all documents."""
        return frozenset(self._numbers) if article is None else self._scope(article).documents

    def rank(self, weights: Mapping[str, float], vector: Vector, article: str | None, k: int) -> Candidates:
        """All passages of an article's scope, or the best ``k`` by words and the best ``k`` by meaning; in stored order."""
        if article is None:
            return self._rank_all(weights, vector, k)
        scope = self._scope(article)
        cosines = np.round(scope.vectors @ vector, _DECIMALS)
        return scope.block.candidates(scope.words.scores(weights), cosines, scope.unit_words.scores(weights))

    def _rank_all(self, weights: Mapping[str, float], vector: Vector, k: int) -> Candidates:
        lexical = self._words.scores(weights)
        dense = np.round(self._passage_vectors @ vector, _DECIMALS)
        chosen = np.union1d(top(lexical, k), top(dense, k))
        block = self._block(chosen)
        cosines = np.concatenate((dense[chosen], np.round(self._part_vectors[block.parts] @ vector, _DECIMALS)))
        return block.candidates(lexical[chosen], cosines, self._unit_words.rows(block.rows).scores(weights))

    def frequency(self, stem: str, article: str | None) -> int:
        """In how many passages of the scope the stem stands, the words a reference is known by included."""
        if article is None:
            return self._words.frequency(stem)
        number = self._words.numbers.get(stem)
        return 0 if number is None else self._scope(article).frequencies.get(number, 0)

    def vocabulary(self, article: str | None) -> Mapping[str, int]:
        """Surface words (lower case) of the scope with their counts."""
        return self._vocabulary(article)

    def _count(self, article: str | None) -> Counter[str]:
        if article is None:
            return self._total[0]
        total: Counter[str] = Counter()
        for document in sorted(self.scope(article)):
            total.update(self._counts[self._numbers[document]])
        return total

    def _of(self, document: int) -> range:
        """The positions of a document's passages."""
        return range(self._passages_at[document], self._passages_at[document + 1])

    def _gather(self, article: str) -> _Scope:
        numbers = self._reachable(article)
        passages = np.array([n for number in numbers for n in self._of(number)], dtype=np.int64)
        block = self._block(passages)
        words = self._words.rows(passages)
        return _Scope(
            frozenset(self._ids[number] for number in numbers),
            block,
            np.concatenate((self._passage_vectors[passages], self._part_vectors[block.parts])),
            words,
            self._unit_words.rows(block.rows),
            words.frequencies(),
        )

    def _reachable(self, article: str) -> list[int]:
        """The numbers of the article, its references and related works, in stored order."""
        page = self._documents[article].page if article in self._numbers else None
        if page is None:
            near = ", ".join(_near(article[:_LONG], self.articles)) or "none"
            raise UnknownArticleError(f"No article has the id {article[:_LONG]!r}. Articles that exist: {near}.")
        named = {article, *(work.ref for work in page.references), *page.related}
        return sorted(self._numbers[name] for name in named if name in self._numbers)

    def _block(self, passages: Positions) -> _Block:
        sizes = self._units_at[passages + 1] - self._units_at[passages]
        units = spans(self._units_at[passages], sizes)
        counts = self._parts_at[units + 1] - self._parts_at[units]
        entries = [self._entries[n] for n in passages.tolist()]
        return _Block(
            tuple(entry.passage for entry in entries),
            tuple(unit for entry in entries for unit in entry.units),
            np.repeat(np.arange(len(entries)), sizes),
            units,
            spans(self._parts_at[units], counts),
            np.cumsum(counts) - counts,
        )


def top(scores: NDArray[Any], k: int) -> Positions:
    """The positions of the ``k`` best scores, best first; equal ones in order of position, also at the cut.

    >>> top(np.array([1.0, 3.0, 3.0, 2.0, 3.0]), 2).tolist()
    [1, 2]
    """
    k = min(k, len(scores))
    if k <= 0:
        return np.zeros(0, dtype=np.int64)
    cut = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > cut)
    chosen = np.concatenate((above, np.flatnonzero(scores == cut)[: k - len(above)]))
    return chosen[np.lexsort((chosen, -scores[chosen]))]


def _near(wanted: str, ids: Sequence[str]) -> Sequence[str]:
    """Up to five ids to offer for one that is unknown: similar ones, else the first ones."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a mistake needs it

    return get_close_matches(wanted, ids, 5, 0.4) or ids[:5]


def folder_for(cache: Path, corpus: Path, encoder: str) -> Path:
    """The folder of the index of a corpus folder with an encoder."""
    place = corpus.resolve()
    digest = hashlib.sha256(f"{place}\n{encoder}".encode()).hexdigest()
    return cache / "indexes" / f"{place.name}-{digest[:12]}"


def build(
    corpus: Corpus, encoder: Encoder, folder: Path, progress: building.Progress | None = None, extras: Extras | None = None
) -> Index:
    """Index a corpus into ``folder`` and open it. ``progress`` is told (documents done, of how many).

    ``extras`` is called with the index before it is published; what it returns, as JSON, is ``index.extras`` ever after.
    """

    def write(target: Path) -> Mapping[str, Any]:
        counts = building.write(corpus, encoder, _previous(folder, encoder.name), target, progress or building.silent)
        facts = {"corpus": corpus.hash, "encoder": encoder.name, "rules": RULES, "program": _program(), "counts": counts}
        if extras is not None:
            stored = json.dumps(extras(Index(target, facts)), ensure_ascii=False)
            (target / "extras.json").write_text(stored, encoding="utf-8", newline="\n")
        return facts

    made = generation.publish(folder, write)
    return Index(made.folder, made.facts)


def open(folder: Path, corpus_hash: str | None, encoder_name: str, *, deep: bool = False) -> Index:  # noqa: A001 - index.open reads well
    """Open the index in ``folder``, checked file by file (``deep``: also those over 64 MB).

    Raises IndexMissingError where there is none, IndexDamagedError where it is torn, or made from another corpus
    (``corpus_hash`` None: any will do), with another encoder or by another version's rules.
    """
    wanted = {"corpus": corpus_hash, "encoder": encoder_name, "rules": RULES, "program": _program()}

    def fitting(found: generation.Generation) -> Index:
        for name, value in wanted.items():
            if value is not None and found.facts.get(name) != value:
                raise IndexDamagedError(
                    f"The index {folder} is stale: its {name} is {found.facts.get(name)!r}, not {value!r}. {generation.REBUILD}"
                )
        return Index(found.folder, found.facts)

    return generation.read(folder, fitting, deep=deep)


def _program() -> str:
    """What the stored extras were made by: the version and its word lists."""
    return f"{__version__}+{fingerprint()[:12]}"


def _previous(folder: Path, encoder: str) -> generation.Generation | None:
    """The generation whose vectors can be taken over: every byte of it is checked."""
    try:
        found = generation.current(folder, deep=True)
    except (IndexMissingError, IndexDamagedError):
        return None
    return found if found.facts.get("encoder") == encoder and found.facts.get("rules") == RULES else None
