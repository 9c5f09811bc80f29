"""Corpus -> the files of an index: passages, units, their words and their vectors, in the order of the documents' ids.

Vectors of a document whose embedded strings did not change are taken from the generation before. Everything else is computed
anew, so that an incremental build equals a full one byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.format import open_memmap

from assistant.errors import CorpusError
from assistant.index import bm25
from assistant.index.entries import document_to_json, entry_to_json, write_lines
from assistant.passages import bibliography, embedded_text, ranked_text, split, unit_text, units_in
from assistant.text.sentences import clauses
from assistant.text.words import terms, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from assistant.corpus import Corpus
    from assistant.index.generation import Generation
    from assistant.records import Document, Passage, Unit
    from assistant.search import Encoder, Vectors

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document as it will be stored. ``strings`` are what is embedded: its passages, then the parts of its units.

    ``parts`` says how many strings a unit has: itself, and its clauses where it has several.
    """

    document: Document
    passages: tuple[Passage, ...]
    units: tuple[tuple[Unit, ...], ...]
    strings: tuple[str, ...]
    parts: tuple[int, ...]

    @property
    def key(self) -> str:
        """SHA-256 of all that the vectors depend on, apart from the encoder."""
        return hashlib.sha256(json.dumps([len(self.passages), self.strings]).encode()).hexdigest()


def write(corpus: Corpus, encoder: Encoder, previous: Generation | None, folder: Path, progress: Progress) -> dict[str, Any]:
    """Write all files into ``folder``; return the counts and the width of a vector."""
    prepared = [_prepare(document, encoder) for document in corpus.documents.values()]
    if not any(p.passages for p in prepared):
        raise CorpusError(f"The corpus {corpus.folder} holds no passage: there is nothing to search. Add articles with text.")
    _write_texts(prepared, folder)
    _write_words(prepared, folder)
    dimension = _write_vectors(prepared, encoder, previous, folder, progress)
    return {
        "dimension": dimension,
        "documents": len(prepared),
        "passages": sum(len(p.passages) for p in prepared),
        "units": sum(len(p.parts) for p in prepared),
        "vectors": sum(len(p.strings) for p in prepared),
    }


def _prepare(document: Document, encoder: Encoder) -> _Prepared:
    passages = tuple(split(document, encoder.count))
    units = tuple(units_in(document, passage) for passage in passages)
    parts = [_parts(document.text[unit.start : unit.end]) for chosen in units for unit in chosen]
    strings = [embedded_text(document, passage) for passage in passages] + [text for part in parts for text in part]
    return _Prepared(document, passages, units, tuple(strings), tuple(len(part) for part in parts))


def _parts(text: str) -> list[str]:
    """A unit's text, and its clauses where it has more than one."""
    found = clauses(text)
    return [text, *(text[start:end] for start, end in found)] if len(found) > 1 else [text]


def _write_texts(prepared: Sequence[_Prepared], folder: Path) -> None:
    """Documents, passages with their units, and where each begins among the rows of the next level."""
    entries = [(passage, units) for p in prepared for passage, units in zip(p.passages, p.units, strict=True)]
    rows = {
        "document_passages": [len(p.passages) for p in prepared],
        "passage_units": [len(units) for _, units in entries],
        "unit_parts": [size for p in prepared for size in p.parts],
    }
    starts = {name: np.fromiter(accumulate(sizes, initial=0), dtype=np.int64) for name, sizes in rows.items()}
    for name, values in starts.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    first = starts["passage_units"].tolist()
    write_lines(folder, "documents", (document_to_json(p.document) for p in prepared))
    write_lines(folder, "passages", (entry_to_json(passage, units, first[n]) for n, (passage, units) in enumerate(entries)))
    catalog = [{"id": p.document.id, "kind": p.document.kind, "key": p.key} for p in prepared]
    (folder / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")


def _write_words(prepared: Sequence[_Prepared], folder: Path) -> None:
    """BM25 weights of passages and units, and how often each word stands in each document and in all."""
    bm25.build(terms(text) for p in prepared for text in _passage_texts(p)).save(folder, "passages")
    bm25.build(terms(text) for p in prepared for text in _unit_texts(p)).save(folder, "units")
    counted = [Counter(words(f"{p.document.title} {bibliography(p.document)} {p.document.text}")) for p in prepared]
    write_lines(folder, "words", counted)
    total: Counter[str] = Counter()
    for counts in counted:
        total.update(counts)
    write_lines(folder, "vocabulary", [total])


def _passage_texts(prepared: _Prepared) -> Iterator[str]:
    known_by = bibliography(prepared.document)
    return (f"{ranked_text(prepared.document, passage)} {known_by}" for passage in prepared.passages)


def _unit_texts(prepared: _Prepared) -> Iterator[str]:
    return (unit_text(prepared.document, unit) for units in prepared.units for unit in units)


def _write_vectors(
    prepared: Sequence[_Prepared], encoder: Encoder, previous: Generation | None, folder: Path, progress: Progress
) -> int:
    """float32 arrays ``passage_vectors`` and ``part_vectors``, one call of the encoder for each document not known before."""
    known = _Known(previous) if previous is not None else None
    sizes = {"passage_vectors": sum(len(p.passages) for p in prepared), "part_vectors": sum(sum(p.parts) for p in prepared)}
    files: list[Any] = []
    at = [0, 0]
    for number, p in enumerate(prepared, 1):
        if p.strings:
            rows = known.vectors(p.key) if known is not None and p.key in known else encoder.encode(p.strings)
            if not files:
                files = [_array(folder / f"{name}.npy", size, rows.shape[1]) for name, size in sizes.items()]
            for n, block in enumerate((rows[: len(p.passages)], rows[len(p.passages) :])):
                files[n][at[n] : at[n] + len(block)] = block
                at[n] += len(block)
        progress(number, len(prepared))
    for file in files:
        file.flush()
    return int(files[0].shape[1])


def _array(file: Path, rows: int, columns: int) -> Any:
    return open_memmap(file, mode="w+", dtype=np.float32, shape=(rows, columns))


class _Known:
    """Vectors of the generation before, by the key of their document."""

    def __init__(self, generation: Generation) -> None:
        folder = generation.folder
        catalog = json.loads((folder / "catalog.json").read_bytes())
        self._positions: Mapping[str, int] = {entry["key"]: n for n, entry in enumerate(catalog)}
        names = ("document_passages", "passage_units", "unit_parts", "passage_vectors", "part_vectors")
        self._arrays = [bm25.load_array(folder / f"{name}.npy") for name in names]

    def __contains__(self, key: str) -> bool:
        return key in self._positions

    def vectors(self, key: str) -> Vectors:
        """The rows of passages, then those of the units' parts."""
        passages_at, units_at, parts_at, passages, parts = self._arrays
        number = self._positions[key]
        first, last = passages_at[number], passages_at[number + 1]
        return np.concatenate((passages[first:last], parts[parts_at[units_at[first]] : parts_at[units_at[last]]]))


def silent(_done: int, _total: int) -> None:
    """Report no progress."""
