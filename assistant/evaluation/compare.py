"""Report + Report -> Comparison: paired differences with intervals, and the turns that flipped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.errors import BadInputError
from assistant.evaluation.metrics import METRICS, Row, cases, conversations, draws, interval, rounded

_NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "turn": int,
    "asked": str,
    "checks": dict,
    "scores": dict,
    "latency_ms": (int, float),
}


def load_report(path: Path) -> dict[str, Any]:
    """Return a report that ``followup eval --json`` wrote.

    Raises:
        BadInputError: it cannot be read, or is no such report.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise BadInputError(f"The report {path} cannot be read: {problem.strerror}.") from problem
    except ValueError as problem:
        raise BadInputError(
            f"The report {path} is not JSON ({problem}). Name a file that `followup eval --json` wrote."
        ) from problem
    turns = report.get("turns") if isinstance(report, dict) else None
    if not isinstance(turns, list) or not all(_is_turn(row) for row in turns):
        raise BadInputError(f"{path} is not a report of this version. Name a file that `followup eval --json` wrote.")
    return dict(report)


def _is_turn(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(name), kind) for name, kind in _NEEDED.items())


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return, over the turns that both reports hold, the differences new - old and the checks that flipped.

    ``metrics``: metric -> old, new, difference, low, high (95 % bootstrap over conversations, the same ones drawn for both), n
    (cases in the new report). ``flipped``: the turns with what each lost and gained. ``only_old``, ``only_new``: turns without
    a pair. ``same_set``, ``same_corpus``: whether like was compared with like.

    Raises:
        BadInputError: the reports share no turn.
    """
    before, after = ({_key(row): row for row in report["turns"]} for report in (old, new))
    shared = [key for key in after if key in before]
    if not shared:
        raise BadInputError("The two reports share no turn, so they cannot be compared. Run both on the same eval set.")
    pairs = [before[key] for key in shared], [after[key] for key in shared]
    return {
        "metrics": {metric: _difference(*pairs, metric) for metric in METRICS},
        "flipped": [flip for one, other in zip(*pairs, strict=True) if (flip := _flip(one, other))],
        "only_old": len(before) - len(shared),
        "only_new": len(after) - len(shared),
        "same_set": old.get("set_hash") == new.get("set_hash"),
        "same_corpus": old.get("corpus_hash") == new.get("corpus_hash"),
    }


def _key(row: Row) -> tuple[str, int, str]:
    return row["id"], row["turn"], row["asked"]


def _difference(before: Sequence[Row], after: Sequence[Row], metric: str) -> dict[str, float | None]:
    order = conversations(after)
    old, new = draws(before, order, metric), draws(after, order, metric)
    low, high = interval(new - old)
    return {
        "old": rounded(old[0]),
        "new": rounded(new[0]),
        "difference": rounded(new[0] - old[0]),
        "low": low,
        "high": high,
        "n": cases(after, metric),
    }


def _flip(before: Row, after: Row) -> dict[str, Any] | None:
    lost = [name for name, held in after["checks"].items() if not held and before["checks"].get(name)]
    gained = [name for name, held in after["checks"].items() if held and before["checks"].get(name) is False]
    if not lost and not gained:
        return None
    return {"id": after["id"], "turn": after["turn"], "asked": after["asked"], "lost": lost, "gained": gained}
