"""Path -> list[Case]: the eval set; whatever is wrong in it is named with its line, all at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from assistant.errors import BadInputError
from assistant.questions import MAX_CHARACTERS
from assistant.records import Document, Outcome, Reader, Reason

SPLITS = ("tune", "test")
NOTICES = (
    "caution",
    "off-label",
    "conflict",
    "second-hand",
    "stale",
    "retracted",
    "self-published",
    "premise",
    "population",
    "under-review",
    "emergency",
    "personal",
)
OWN_ARTICLE = "article"  # in ``sources``: the article itself; any article when the whole site is asked
SHOWN_PROBLEMS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a right answer is; what is empty or None is not stated. A fact is met by any of its strings."""

    outcomes: frozenset[Outcome] = frozenset()
    reason: Reason | None = None
    facts: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()
    caution: bool | None = None
    notice: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()
    interpreted: tuple[tuple[str, ...], ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)  # as it stands in the file

    @property
    def must_answer(self) -> bool:
        """Whether anything but an answer is wrong."""
        return self.outcomes == {Outcome.ANSWERED}

    @property
    def must_decline(self) -> bool:
        """Whether an answer is wrong, be it declined or shown as closest."""
        return bool(self.outcomes) and Outcome.ANSWERED not in self.outcomes


@dataclass(frozen=True, slots=True)
class Exchange:
    """One turn: the reader's words and what is expected of the answer."""

    ask: str
    expected: Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One conversation. ``article`` None asks the whole site."""

    id: str
    article: str | None
    turns: tuple[Exchange, ...]
    reader: Reader = Reader.CLINICIAN
    tags: tuple[str, ...] = ()
    split: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)


def read_set(path: Path, documents: Mapping[str, Document], split: str | None = None) -> list[Case]:
    """Return the conversations of a JSON Lines file, or those of one split; blank lines are passed over.

    Raises:
        BadInputError: the file cannot be read, lines of it are wrong (all are named), or no conversation is left.
    """
    problems: list[str] = []
    cases: dict[str, Case] = {}
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            row, found = _row(line, documents)
            if not found and row["id"] in cases:
                found = [f"id: {row['id']!r} is already taken by an earlier line"]
            problems += [f"{path}:{number}: {text}." for text in found]
            if not found:
                cases[row["id"]] = _case(row)
    if problems:
        rest = len(problems) - SHOWN_PROBLEMS
        more = [f"... and {rest} more."] if rest > 0 else []
        raise BadInputError("\n".join([f"{len(problems)} problems in the eval set:", *problems[:SHOWN_PROBLEMS], *more]))
    kept = [case for case in cases.values() if split is None or case.split == split]
    if not kept:
        raise BadInputError(f"{path} holds no conversation" + (f' with "split": "{split}".' if split else "."))
    return kept


def set_hash(cases: Sequence[Case]) -> str:
    """Return the SHA-256 of what the conversations say, whatever the spacing of their lines."""
    lines = (json.dumps(case.given, sort_keys=True, ensure_ascii=False) for case in cases)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise BadInputError(f"The eval set {path} cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise BadInputError(f"The eval set {path} is not UTF-8 (byte {problem.start}). Save it as UTF-8.") from problem


def _row(line: str, documents: Mapping[str, Document]) -> tuple[Any, list[str]]:
    try:
        row = json.loads(line)
    except ValueError as problem:
        return None, [f"not JSON ({problem})"]
    return row, list(_problems(row, documents))


# -- what a value must be: each returns what it should have been, or an empty string ----------------------------------

Check = Callable[[object], str]


def _is_name(value: object) -> str:
    return "" if isinstance(value, str) and value.strip() else "must be a string that is not empty"


def _is_question(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS:
        return f"must be a string of at most {MAX_CHARACTERS:,} characters"
    return ""


def _is_name_or_null(value: object) -> str:
    return "" if value is None or not _is_name(value) else "must be an article's id, or null for the whole site"


def _is_flag(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _are_names(value: object) -> str:
    right = isinstance(value, list) and all(not _is_name(entry) for entry in value)
    return "" if right else "must be a list of strings that are not empty"


def _are_groups(value: object) -> str:
    right = isinstance(value, list) and all(isinstance(group, list) and group and not _are_names(group) for group in value)
    return "" if right else "must be a list of lists of strings, one inner list for each fact"


def _are_rows(value: object) -> str:
    return "" if isinstance(value, list) and value else "must be a list of at least one turn"


def _is_object(value: object) -> str:
    return "" if isinstance(value, dict) else "must be an object"


def _one_of(choices: Collection[str]) -> Check:
    def check(value: object) -> str:
        return "" if isinstance(value, str) and value in set(choices) else f"{value!r} is none of {', '.join(choices)}"

    return check


def _some_of(choices: Collection[str]) -> Check:
    one = _one_of(choices)

    def check(value: object) -> str:
        if not isinstance(value, list):
            return f"{value!r} is not a list of {', '.join(choices)}"
        return next((text for text in map(one, value) if text), "" if value else "the list is empty")

    return check


def _is_outcome(value: object) -> str:
    return _some_of([*Outcome])(value if isinstance(value, list) else [value])


_CASE: Mapping[str, Check] = {
    "id": _is_name,
    "article": _is_name_or_null,
    "turns": _are_rows,
    "reader": _one_of([*Reader]),
    "tags": _are_names,
    "split": _one_of(SPLITS),
}
_TURN: Mapping[str, Check] = {"ask": _is_question, "expect": _is_object}
_EXPECT: Mapping[str, Check] = {
    "outcome": _is_outcome,
    "reason": _one_of([*Reason]),
    "facts": _are_groups,
    "sources": _are_names,
    "caution": _is_flag,
    "notice": _some_of(NOTICES),
    "must_not": _are_names,
    "interpreted": _are_groups,
}


# -- what a line must hold ---------------------------------------------------------------------------------------------


def _problems(row: object, documents: Mapping[str, Document]) -> Iterator[str]:
    yield from _fields(row, _CASE, ("id", "article", "turns"), "")
    if not isinstance(row, dict):
        return
    article = row.get("article")
    articles = sorted(name for name, document in documents.items() if document.page is not None)
    if isinstance(article, str) and article not in articles:
        yield f"article: {article!r} is unknown{_meant(article, articles)}"
    turns = row.get("turns")
    for number, turn in enumerate(turns if isinstance(turns, list) else [], start=1):
        place = f"turn {number}: "
        yield from _fields(turn, _TURN, ("ask",), place)
        if isinstance(turn, dict) and isinstance(turn.get("expect"), dict):
            yield from _expectation(turn["expect"], documents, f"{place}expect.")


def _fields(row: object, checks: Mapping[str, Check], required: Sequence[str], place: str) -> Iterator[str]:
    if not isinstance(row, dict):
        yield f"{place}must be an object with {', '.join(required)}"
        return
    for name in row:
        if name not in checks:
            yield f"{place}{name}: unknown field{_meant(name, checks)}"
    for name in required:
        if name not in row:
            yield f"{place}{name}: is missing"
    for name, check in checks.items():
        if name in row and (text := check(row[name])):
            yield f"{place}{name}: {text}"


def _expectation(row: Mapping[str, Any], documents: Mapping[str, Document], place: str) -> Iterator[str]:
    yield from _fields(row, _EXPECT, (), place)
    outcomes = row.get("outcome", [])
    if "reason" in row and Outcome.DECLINED not in (outcomes if isinstance(outcomes, list) else [outcomes]):
        yield f'{place}reason: stands only beside the outcome "declined"'
    for name in row["sources"] if "sources" in row and not _are_names(row["sources"]) else []:
        if name != OWN_ARTICLE and name not in documents:
            yield f'{place}sources: {name!r} is neither "article" nor a document of the corpus{_meant(name, documents)}'


def _meant(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f" (perhaps {near[0]!r})" if near else f" (known are {', '.join(list(known)[:12])})"


# -- building ----------------------------------------------------------------------------------------------------------


def _case(row: Mapping[str, Any]) -> Case:
    return Case(
        id=row["id"],
        article=row["article"],
        turns=tuple(Exchange(turn["ask"], _expected(turn.get("expect", {}))) for turn in row["turns"]),
        reader=Reader(row.get("reader", Reader.CLINICIAN)),
        tags=tuple(dict.fromkeys(row.get("tags", ()))),
        split=row.get("split"),
        given=row,
    )


def _expected(row: Mapping[str, Any]) -> Expectation:
    outcomes = row.get("outcome", [])
    return Expectation(
        outcomes=frozenset(Outcome(name) for name in (outcomes if isinstance(outcomes, list) else [outcomes])),
        reason=Reason(row["reason"]) if "reason" in row else None,
        facts=tuple(tuple(group) for group in row.get("facts", ())),
        sources=tuple(row.get("sources", ())),
        caution=row.get("caution"),
        notice=tuple(row.get("notice", ())),
        must_not=tuple(row.get("must_not", ())),
        interpreted=tuple(tuple(group) for group in row.get("interpreted", ())),
        given=row,
    )
