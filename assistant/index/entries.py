"""Document, Passage <-> one line of JSON each, read when asked for: opening an index of many articles parses none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np

from assistant.index.bm25 import load_array
from assistant.records import CitedWork, Dispute, Document, Page, Passage, Retraction, Source, Unit

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")
_REMEMBERED = 16384


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage, its citable units, and the position of its first unit among those of all passages."""

    passage: Passage
    units: tuple[Unit, ...]
    first: int


class Lines(Sequence[T], Generic[T]):
    """The lines of a file, each decoded when asked for; those asked for of late are remembered."""

    def __init__(self, folder: Path, name: str, decode: Callable[[Any], T]) -> None:
        self._bytes = np.memmap(folder / f"{name}.jsonl", dtype=np.uint8, mode="r")
        self._starts = load_array(folder / f"{name}.starts.npy").tolist()
        self._decode = decode
        self.line = lru_cache(_REMEMBERED)(self._read)

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, position: int) -> T: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[T]: ...
    def __getitem__(self, position: int | slice) -> T | Sequence[T]:
        if isinstance(position, slice):
            return [self.line(n) for n in range(len(self))[position]]
        return self.line(position if position >= 0 else len(self) + position)

    def _read(self, position: int) -> T:
        return self._decode(json.loads(self._bytes[self._starts[position] : self._starts[position + 1]].tobytes()))


def write_lines(folder: Path, name: str, lines: Iterable[Any]) -> None:
    """Write what ``Lines`` reads: a file of lines, and where each starts."""
    starts = [0]
    with (folder / f"{name}.jsonl").open("wb") as stream:
        for line in lines:
            starts.append(starts[-1] + stream.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"))
    np.save(folder / f"{name}.starts.npy", np.array(starts, dtype=np.int64), allow_pickle=False)


class Documents(Mapping[str, Document]):
    """Documents by id, in the order of their ids."""

    def __init__(self, lines: Lines[Document], positions: Mapping[str, int]) -> None:
        self._line, self._positions = lines.line, positions

    def __getitem__(self, key: str) -> Document:
        return self._line(self._positions[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


def document_to_json(document: Document) -> Any:
    """What ``document_from_json`` reads."""
    return {
        "id": document.id,
        "title": document.title,
        "text": document.text,
        "units": [astuple(unit) for unit in document.units],
        "page": None if document.page is None else asdict(document.page),
        "source": None if document.source is None else asdict(document.source),
    }


def document_from_json(plain: Any) -> Document:
    """The document, equal to the one that was written."""
    page, source = plain["page"], plain["source"]
    return Document(
        id=plain["id"],
        title=plain["title"],
        text=plain["text"],
        units=tuple(_unit(unit) for unit in plain["units"]),
        page=None if page is None else _page(page),
        source=None if source is None else _source(source),
    )


def entry_to_json(passage: Passage, units: Sequence[Unit], first: int) -> Any:
    """What ``entry_from_json`` reads."""
    return [astuple(passage), [astuple(unit) for unit in units], first]


def entry_from_json(plain: Any) -> Entry:
    """The passage and its units, equal to those that were written."""
    (key, document, heading, text, start, end, refs), units, first = plain
    passage = Passage(id=key, document=document, heading=tuple(heading), text=text, start=start, end=end, refs=tuple(refs))
    return Entry(passage, tuple(_unit(unit) for unit in units), first)


def _unit(plain: Any) -> Unit:
    start, end, heading, item, lead, refs, anchor = plain
    span = None if lead is None else (lead[0], lead[1])
    return Unit(start=start, end=end, heading=tuple(heading), item=item, lead=span, refs=tuple(refs), anchor=anchor)


def _page(plain: dict[str, Any]) -> Page:
    own = {
        "references": tuple(CitedWork(**work) for work in plain["references"]),
        "disputed": tuple(Dispute(line=d["line"], by=tuple(d["by"]), note=d["note"]) for d in plain["disputed"]),
    }
    return Page(**{**_frozen(plain), **own})


def _source(plain: dict[str, Any]) -> Source:
    return Source(**{**_frozen(plain), "retraction": Retraction(**plain["retraction"])})


def _frozen(plain: Any) -> Any:
    """Lists, at any depth, as the tuples they were."""
    if isinstance(plain, list):
        return tuple(_frozen(item) for item in plain)
    return {key: _frozen(value) for key, value in plain.items()} if isinstance(plain, dict) else plain
