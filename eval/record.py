"""All public figures -> eval/results: JSON for programs, Markdown tables for people.

python eval/record.py [--data DIR] [--cache DIR] [--only public ablation]     (or: make results)
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ablate
import public

RESULTS = Path(__file__).resolve().parent / "results"


def cell(estimate: Mapping[str, float], sign: str = "") -> str:
    """Return a value with its interval.

    >>> cell({"value": 0.5, "low": 0.25, "high": 0.75})
    '.500 (.250, .750)'
    """
    return "{} ({}, {})".format(*(f"{estimate[name]:{sign}.3f}".replace("0.", ".", 1) for name in ("value", "low", "high")))


def public_table(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of all properties."""
    yield f"## This program beside other strategies ({report['half']} half)\n"
    yield "| property | set | measure | n | ours | best other | difference | target | holds |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in report["rows"]:
        other = f"{cell(row['systems'][row['best']])} {row['best']}"
        target = "" if row["target"] is None else f"{row['target']:.3f}".lstrip("0")
        held = {None: "", True: "yes", False: "no"}[row["holds"]]
        figures = [str(row["n"]), cell(row["systems"]["ours"]), other, cell(row["difference"], "+"), target, held]
        yield f"| {' | '.join([row['property'], row['set'], row['measure'], *figures])} |"
    yield from _every_system(report)


def _every_system(report: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Every system, one value each\n"
    for row in report["rows"]:
        values = "; ".join(f"{name} {entry['value']:.3f}".replace(" 0.", " .") for name, entry in row["systems"].items())
        yield f"* {row['property']}, {row['set']}, {row['measure']}: {values}.{' ' + row['note'] if row['note'] else ''}"


def ablation_table(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the table of parts: what changes without each."""
    measures = list(report["rows"][0]["differences"])
    yield f"## What changes without a part ({report['half']} half)\n"
    yield "Bold: the 95 % interval of the paired difference leaves out zero.\n"
    yield f"| without | verdict | {' | '.join(measures)} |"
    yield f"|---|---|{'---|' * len(measures)}"
    for row in report["rows"]:
        yield f"| {row['part']} | {row['verdict']} | {' | '.join(_change(row['differences'][m]) for m in measures)} |"


def _change(gap: Mapping[str, float]) -> str:
    if not gap["value"]:
        return ""
    text = f"{gap['value']:+.3f}".replace("0.", ".", 1)
    return text if gap["low"] <= 0 <= gap["high"] else f"**{text}**"


TABLES: Mapping[str, tuple[Callable[..., None], Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "public": (public.main, public_table),
    "ablation": (ablate.main, ablation_table),
}


def main() -> None:
    """Run what is asked for and write its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=public.BESIDE)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "followup-public")
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES))
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for name in options.only:
        run, table = TABLES[name]
        target = RESULTS / f"{name}.json"
        run(["--data", str(options.data), "--cache", str(options.cache), "--json", str(target)])
        report = json.loads(target.read_text(encoding="utf-8"))
        (RESULTS / f"{name}.md").write_text("\n".join(table(report)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
