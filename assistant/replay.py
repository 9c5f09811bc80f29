"""Receipt -> Replay: an answer is made again from its receipt, and each thing that made it is compared with what is there now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.answers import as_dict
from assistant.errors import BadInputError, UnknownArticleError
from assistant.pipeline import ENGINE, Assistant, answer_hash, sha256
from assistant.records import Document, Reader, Turn
from assistant.text.plain import one_line

_HINT = "Give what `followup ask --json` printed, or the receipt in it."
_SHORT = 12  # figures of a hash that are shown
_WIDE = 70  # characters of a value that are shown


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PastTurn(_Strict):
    """A turn of the history as a receipt holds it."""

    asked: str
    interpreted: str
    passages: list[str] = []
    suggestions: list[str] = []


class Span(_Strict):
    """A cited span and the hash of its text."""

    document: str
    start: int
    end: int
    sha256: str


class Receipt(_Strict):
    """All that made an answer, and the hash of what it said."""

    engine: str
    encoder: str
    reranker: str = "none"
    corpus: str
    question: str
    interpreted: str
    article: str | None
    reader: str
    without: list[str]
    history: list[PastTurn]
    locale: str
    writer: str
    spans: list[Span]
    answer_sha256: str


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was compared: as the receipt has it, and as it is now."""

    what: str
    then: str
    now: str
    same: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """What the comparison found. ``same`` tells whether the answer, as it lies in the file, is given again byte for byte."""

    same: bool
    rows: tuple[Row, ...]


def read_receipt(text: str, where: str) -> tuple[Receipt, dict[str, Any] | None]:
    """Return the receipt that ``text`` holds, and the answer around it where there is one.

    Raises:
        BadInputError: the text is not JSON, or holds no receipt, or one with a missing or unknown field.
    """
    try:
        held = orjson.loads(text)
    except ValueError as problem:
        raise BadInputError(f"{where} is not JSON ({problem}). {_HINT}") from problem
    answer = held if isinstance(held, dict) and "receipt" in held else None
    try:
        receipt = Receipt.model_validate(answer["receipt"] if answer is not None else held)
    except ValidationError as problem:
        first = problem.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BadInputError(f"{where} holds no receipt that can be replayed: {field}: {first['msg']}. {_HINT}") from problem
    if receipt.reader not in list(Reader):
        raise BadInputError(f"{where}: reader: {receipt.reader!r} is not one of {', '.join(Reader)}. {_HINT}")
    return receipt, answer


def replay(receipt: Receipt, answer: Mapping[str, Any] | None, assistant: Assistant) -> Replay:
    """Ask the receipt's question again and compare; ``answer`` is the printed answer, where the file held it.

    Raises:
        BadInputError: the question is longer than one may be.
    """
    printed = _asked_again(receipt, assistant)
    made = answer_hash(printed)
    rows = [
        _row("engine", receipt.engine, ENGINE),
        _row("encoder", receipt.encoder, assistant.encoder.name),
        _row("reranker", receipt.reranker, assistant.second_look),
        _row("writer", receipt.writer, assistant.writer.model or "extractive"),
        _row("corpus", receipt.corpus, assistant.retriever.corpus_hash, _SHORT),
        *(_span(n, span, assistant.retriever.documents) for n, span in enumerate(receipt.spans, start=1)),
    ]
    same = made == receipt.answer_sha256
    if answer is not None:
        held = answer_hash(answer)
        rows.append(_row("the file's own answer", receipt.answer_sha256, held, _SHORT))
        same = same and held == receipt.answer_sha256
        rows.extend(_fields(answer, printed))
    return Replay(same, (*rows, _row("answer", receipt.answer_sha256, made, _SHORT)))


def _asked_again(receipt: Receipt, assistant: Assistant) -> dict[str, object]:
    history = [Turn(t.asked, t.interpreted, tuple(t.passages), tuple(t.suggestions)) for t in receipt.history]
    try:
        answer = assistant.ask(receipt.question, history, receipt.article, Reader(receipt.reader), receipt.without)
    except UnknownArticleError as problem:
        return {"message": str(problem)}
    return as_dict(answer)


def _row(what: str, then: str, now: str, width: int = _WIDE) -> Row:
    return Row(one_line(what), one_line(then)[:width], one_line(now)[:width], then == now)


def _span(n: int, span: Span, documents: Mapping[str, Document]) -> Row:
    """Return whether a cited span stands where it stood, stands elsewhere in its document, was changed, or is gone."""
    what, then = f"passage {n}", one_line(f"{span.document} {span.start}-{span.end}")
    document = documents.get(span.document)
    if document is None:
        return Row(what, then, "gone: no such document", same=False)
    if sha256(document.text[span.start : span.end]) == span.sha256:
        return Row(what, then, "same", same=True)
    moved = next((u for u in document.units if sha256(document.text[u.start : u.end]) == span.sha256), None)
    now = f"moved to {moved.start}-{moved.end}" if moved is not None else "changed: no sentence of the document is this one"
    return Row(what, then, now, same=False)


def _fields(answer: Mapping[str, Any], printed: Mapping[str, object]) -> list[Row]:
    """Return a row for each part of the answer that is given differently now, with the first entry that differs."""
    rows = []
    for name in dict.fromkeys([*answer, *printed]):
        if name == "receipt":
            continue
        then, now = answer.get(name), printed.get(name)
        if isinstance(then, list) and isinstance(now, list):
            size = max(len(then), len(now))
            pairs = zip(_padded(then, size), _padded(now, size), strict=True)
            then, now = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
        if then != now:
            rows.append(Row(name, *_excerpts(then, now), same=False))
    return rows


def _padded(rows: list[Any], size: int) -> list[Any]:
    return rows + [None] * (size - len(rows))


def _excerpts(then: object, now: object) -> tuple[str, str]:
    """Return two parts of an answer in one line each, from shortly before the place where they part."""
    told = [_told(then), _told(now)]
    if told[0] == told[1]:
        told = [one_line(json.dumps(value, ensure_ascii=False)) for value in (then, now)]
    start = max(0, _parting(*told) - _WIDE // 3)
    first, second = (f"…{text[start:]}"[:_WIDE] if start else text[:_WIDE] for text in told)
    return first, second


def _parting(one: str, other: str) -> int:
    """Return the place of the first character in which two texts differ."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _told(value: object) -> str:
    """Return a part of an answer in one line: an entry by its text."""
    if isinstance(value, dict):
        value = value.get("text", value.get("quote", value))
    return "-" if value is None else one_line(str(value))


def as_text(found: Replay) -> str:
    """Return what was compared as a table in plain text: what it is, as it was, as it is now where that differs."""
    head = Row("", "in the receipt", "now", same=False)
    rows = [(row.what, row.then, "same" if row.same else row.now) for row in (head, *found.rows)]
    first, second = (max(len(row[n]) for row in rows) for n in (0, 1))
    table = [f"{what:{first}}  {then:{second}}  {now}" for what, then, now in rows]
    verdict = "The same answer, byte for byte." if found.same else "The answer differs."
    return "\n".join([*table, "", verdict])


def source_text(path: Path) -> str:
    """Return the text of a receipt's file.

    Raises:
        BadInputError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise BadInputError(f"The receipt {path} cannot be read: {reason}. {_HINT}") from problem
