"""Labelled statements -> how well each signal tells a contradicted statement from a supported one, and what the verifier does.

    python eval/support.py [--data DIR] [--json OUT]

DIR holds SciFact and K-QA in the formats of its README (default: ``../shared/data`` beside the checkout); nothing of them is
kept here. A signal is a suspicion: higher means more likely contradicted. The combination is a logistic regression on the tune
half of SciFact; every figure is of the test half, or of K-QA, which has no tune half and very few contradictions. Halves are
parted by claim, intervals are bootstrapped over claims.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant import encoder as encoders
from assistant.citations import check
from assistant.citations.tokens import Token, tokens
from assistant.search import Encoder
from assistant.settings import Settings
from assistant.text.sentences import split

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
FILES = {"scifact": "scifact/support_sentence.jsonl", "kqa": "kqa/support_answer.jsonl"}
FALSE_ALARMS = 0.05
SEED = 7
RESAMPLES = 1000
RIDGE = 1.0
STEPS = 20
KINDS = ("number", "direction", "drug", "population", "hedge", "bound", "comparison")
SIGNALS = ("cosine", "coverage", "order", "negation", *KINDS)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """A statement, the passage it is held against, and what people said of it."""

    claim: str
    passage: str
    label: str

    @property
    def tuned_on(self) -> bool:
        """Tell whether its claim belongs to the tune half."""
        return hashlib.sha256(self.claim.encode()).digest()[0] % 2 == 0


def pairs_of(path: Path) -> list[Pair]:
    """Return the pairs of a file."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Pair(row["claim"], row["passage"], row["label"]) for row in rows]


def signals(pair: Pair, encoder: Encoder) -> list[float]:
    """Return the suspicions of a pair in the order of ``SIGNALS``, against the sentence of the passage that holds most of it."""
    sentences = [pair.passage[start:end] for start, end in split(pair.passage)] or [pair.passage]
    said = [token for token in tokens(pair.claim) if not token.free]
    held = [[token for token in tokens(sentence) if not token.free] for sentence in sentences]
    best = max(held, key=lambda tokens_: len(_shared(said, tokens_)))
    vectors = encoder.encode([pair.claim, *sentences])
    shared = _shared(said, best)
    return [
        -float((vectors[1:] @ vectors[0]).max()),
        -len(shared) / max(1, len(said)),
        -_in_order(shared, best) / max(1, len(shared)),
        float(_negated(said) != _negated(best)),
        *(float(any(token.kind == kind for token in said if token not in shared)) for kind in KINDS),
    ]


def _shared(said: Sequence[Token], held: Sequence[Token]) -> list[Token]:
    keys = {token.key for token in held}
    return [token for token in said if token.key in keys]


def _negated(held: Sequence[Token]) -> bool:
    return sum(token.kind == "negation" for token in held) % 2 == 1


def _in_order(shared: Sequence[Token], held: Sequence[Token]) -> int:
    """Return the length of the longest common subsequence of two runs of tokens."""
    row = [0] * (len(held) + 1)
    for token in shared:
        before = 0
        for n, other in enumerate(held, start=1):
            before, row[n] = row[n], before + 1 if token.key == other.key else max(row[n], row[n - 1])
    return row[-1]


def fitted(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Return a logistic regression with a ridge on scaled signals, by Newton's method."""
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9

    def scaled(rows: Floats) -> Floats:
        return np.column_stack([np.ones(len(rows)), (rows - mean) / scale])

    rows = scaled(x)
    weights = np.zeros(rows.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (y - p) - RIDGE * weights
        curve = rows.T @ (rows * (p * (1 - p))[:, None]) + RIDGE * np.eye(rows.shape[1])
        weights += np.linalg.solve(curve, slope)
    return lambda new: scaled(new) @ weights


def caught(score: Floats, contradicted: NDArray[np.bool_]) -> float:
    """Return the share of contradicted statements above the lowest threshold that at most 5 % of the supported ones pass."""
    supported = np.sort(score[~contradicted])
    allowed = int(FALSE_ALARMS * len(supported))
    return float((score[contradicted] > supported[-allowed - 1]).mean())


def auroc(score: Floats, contradicted: NDArray[np.bool_]) -> float:
    """Return the chance that a contradicted statement is more suspicious than a supported one; ties count half."""
    one, other = score[contradicted][:, None], score[~contradicted][None, :]
    return float(((one > other) + 0.5 * (one == other)).mean())


def interval(pairs: Sequence[Pair], measure: Callable[[NDArray[np.int64]], float]) -> dict[str, float]:
    """Return the measure of all pairs (by their numbers) with a 95 % bootstrap interval over claims."""
    groups: dict[str, list[int]] = {}
    for n, pair in enumerate(pairs):
        groups.setdefault(pair.claim, []).append(n)
    held = list(groups.values())
    random = np.random.default_rng(SEED)
    draws = [np.array([n for g in random.integers(0, len(held), len(held)) for n in held[g]]) for _ in range(RESAMPLES)]
    values = [value for value in map(measure, draws) if not np.isnan(value)]
    low, high = np.quantile(values, [0.025, 0.975])
    return {"value": measure(np.arange(len(pairs))), "low": float(low), "high": float(high)}


def by_signal(pairs: Sequence[Pair], scores: dict[str, Floats]) -> dict[str, dict[str, dict[str, float]]]:
    """Return signal -> recall at 5 % false alarms and AUROC, of contradicted against supported statements."""
    chosen = np.array([n for n, pair in enumerate(pairs) if pair.label in ("contradicted", "supported")])
    told = [pairs[n] for n in chosen]
    truth = np.array([pair.label == "contradicted" for pair in told])

    def measured(measure: Callable[[Floats, NDArray[np.bool_]], float], score: Floats) -> dict[str, float]:
        return interval(told, lambda n: measure(score[n], truth[n]) if 0 < truth[n].sum() < len(n) else float("nan"))

    return {
        name: {"recall": measured(caught, score[chosen]), "auroc": measured(auroc, score[chosen])}
        for name, score in scores.items()
    }


def by_verifier(pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Return label -> share of its statements that the verifier lets through."""
    out = {}
    for label in ("contradicted", "not_enough", "supported"):
        own = [pair for pair in pairs if pair.label == label]
        passed = np.array([check(pair.claim, [pair.passage]).accepted for pair in own], dtype=float)
        out[label] = interval(own, lambda n, passed=passed: float(passed[n].mean())) | {
            "n": len(own),
            "passed": int(passed.sum()),
        }
    return out


def main() -> None:
    """Print one table for each set: signals, then the verifier."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=BESIDE)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    missing = [file for file in FILES.values() if not (options.data / file).is_file()]
    if missing:
        parser.error(f"{options.data} has no {', '.join(missing)}; name the folder with the public sets: --data DIR")
    encoder = encoders.load(encoders.PACKAGED, Settings().cache)
    sets = {name: pairs_of(options.data / file) for name, file in FILES.items()}
    values = {name: np.array([signals(pair, encoder) for pair in pairs]) for name, pairs in sets.items()}
    tune = [n for n, p in enumerate(sets["scifact"]) if p.tuned_on and p.label in ("contradicted", "supported")]
    truth = np.array([float(sets["scifact"][n].label == "contradicted") for n in tune])
    rules = fitted(values["scifact"][tune][:, 1:], truth)
    everything = fitted(values["scifact"][tune], truth)
    report = {}
    for name, pairs in sets.items():
        kept = [n for n, pair in enumerate(pairs) if name != "scifact" or not pair.tuned_on]
        x = values[name][kept]
        scores = {"cosine": x[:, 0], "coverage": x[:, 1], "order": x[:, 2], "negation": x[:, 3]}
        scores |= {"rules, fitted": rules(x[:, 1:]), "rules + cosine, fitted": everything(x)}
        held = [pairs[n] for n in kept]
        report[name] = {"signals": by_signal(held, scores), "verifier": by_verifier(held)}
        print_set(name, report[name])
    if options.json:
        options.json.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def print_set(name: str, report: dict[str, dict[str, dict[str, object]]]) -> None:
    """Print the two tables of a set."""
    counts = ", ".join(f"{row['n']} {label}" for label, row in report["verifier"].items())
    print(f"{name} ({counts})")
    print(f"  {'contradicted against supported':32} recall at 5 % false alarms   AUROC")
    for signal, row in report["signals"].items():
        print(f"  {signal:32} {_told(row['recall']):28} {_told(row['auroc'])}")
    print(f"  {'let through by the verifier':32} share")
    for label, shares in report["verifier"].items():
        print(f"  {label:32} {_told(shares)}  {shares['passed']} of {shares['n']}")


def _told(row: dict[str, float]) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})"


if __name__ == "__main__":
    main()
