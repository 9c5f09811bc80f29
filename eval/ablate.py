"""The program without each of its parts -> what the part wins: paired differences on our own tune half and on public sets.

    python eval/ablate.py [--data DIR] [--articles N] [--parts NAME ...] [--json OUT]

A part is switched off by setting constants or replacing functions of the modules for the time of a run, here and nowhere else.
A negative difference of a measure of which more is better says what is lost without the part.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import public
from public_measures import Draws, Estimate, per_query
from public_vectors import Remembering

from assistant import answers, evaluation, pipeline, questions, search
from assistant.evaluation.cases import read_set
from assistant.evaluation.compare import compare
from assistant.index import building
from assistant.pipeline import open_assistant
from assistant.settings import Settings

OWN = Path(__file__).resolve().parent / "followups.jsonl"
OWN_MEASURES = ("hit@1", "fact_recall", "false_refusals", "wrong_answers", "refusal_recall")
LESS_IS_BETTER = ("false_refusals", "wrong_answers")
ARTICLES = 60  # of MedQuAD
THINNED = 3  # every so many of the questions whose evidence is weighed
TASKS = (("covidqa", "questions"), ("medquad", "elided"), ("medquad", "full"))
KINDS = (("covidqa", "other_topic"), ("medquad", "same_topic_missing_section"))

Swap = tuple[ModuleType, str, Any]
Values = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Part:
    """What stands in for a part while it is off; ``indexed`` says that the index must be built anew."""

    name: str
    swaps: tuple[Swap, ...]
    indexed: bool = False


def _unchanged(text: str, *_: object) -> tuple[str, list[object]]:
    return text, []


def _no_concepts(question: search.Question, *rest: Any) -> answers.Verdict:
    return answers.judge(replace(question, concepts=()), *rest)


PARTS = (
    Part("synonyms", ((search, "expansions", lambda _: {}),)),
    Part("implied concepts", ((search, "_implied", lambda *_: ()),)),
    Part("intent bonus", ((search, "INTENT_BONUS", 0.0),)),
    Part("article bonus", ((search, "ARTICLE_BONUS", 0.0),)),
    Part("people penalty", ((search, "OTHER_PEOPLE_PENALTY", 0.0),)),
    Part("same-work bonus", ((search, "SAME_WORK_BONUS", 0.0),)),
    Part(
        "all bonuses together",
        tuple((search, name, 0.0) for name in search.__dict__ if name.endswith(("_BONUS", "_PENALTY"))),
    ),
    Part("range gate", ((answers, "in_range", lambda *_: 0),)),
    Part("passage share (sentences alone)", ((search, "UNIT_SHARE", 1.0), (search, "SITE_UNIT_SHARE", 1.0))),
    Part("sentence share (passages alone)", ((search, "UNIT_SHARE", 0.0), (search, "SITE_UNIT_SHARE", 0.0))),
    Part("vectors (BM25 only)", ((search, "LEXICAL_SHARE", 1.0),)),
    Part("keywords (vectors only)", ((search, "LEXICAL_SHARE", 0.0),)),
    Part("clause vectors", ((building, "_parts", lambda text: [text]),), indexed=True),
    Part("name taken from the embedded question", ((search, "_without", lambda text, _: text),)),
    Part("typo repair", ((questions, "_spell", _unchanged),)),
    Part("abbreviations", ((questions, "_expand", _unchanged),)),
    Part("follow-up resolution", ((questions, "_follow", _unchanged), (questions, "_name_subject", _unchanged))),
    Part("subject named in a follow-up", ((questions, "_name_subject", _unchanged),)),
    Part("context of the turn before", ((search, "CONTEXT_WEIGHT", 0.0),)),
    Part("low weight of inherited words", ((search, "INHERITED_WEIGHT", 1.0),)),
    Part("second look", ((pipeline, "unsure", lambda *_: False),)),
    Part("evidence gate", ((answers, "EVIDENCE_ENOUGH", -2.0),)),
    Part("strangers gate", ((answers, "_strangers", lambda *_: []),)),
    Part("must-cover concepts", ((pipeline, "judge", _no_concepts),)),
    Part("dose rules", ((answers, "_with_a_dose", lambda _, covering: (covering, ())),)),
    Part("stated dose first", ((answers, "_stated_first", lambda _, covering: covering),)),
    Part("another drug's sentences", ((answers, "_of_another_drug", lambda *_: False),)),
    Part("question for the drug", ((answers, "_which_drug", lambda _: False),)),
)


@contextmanager
def without(part: Part) -> Iterator[None]:
    """Switch a part off for the time of a ``with`` block."""
    originals = [(module, name, getattr(module, name)) for module, name, _ in part.swaps]
    for module, name, value in part.swaps:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in originals:
            setattr(module, name, value)


# -- what is measured ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: the report on our own conversations, and values of cases by task and measure."""

    own: Mapping[str, Any]
    ranked: Mapping[tuple[str, str], Values]
    evidence: Mapping[tuple[str, str], list[float]]


def measured(options: argparse.Namespace, opened: Mapping[str, public.Opened], cache: Path) -> Measured:
    """Run everything once, with the parts as they are now."""
    assistant = open_assistant(Settings(cache=cache))
    assistant.encoder = Remembering(assistant.encoder, options.cache / "vectors")
    cases = read_set(options.own, assistant.retriever.documents, "tune")
    ranked = {task: _ranked(opened[task[0]], task[1]) for task in TASKS if task[0] in opened}
    scores = {kind: _evidence(opened[kind[0]], kind[1]) for kind in KINDS if kind[0] in opened}
    report = evaluation.run(cases, assistant)
    assistant.encoder.save()
    return Measured(report, ranked, scores)


def _ranked(opened: public.Opened, task: str) -> Values:
    cases = opened.cases(task)
    runs = {case.id: public.documents_of(public.found(case, opened)[1]) for case in cases}
    return per_query({case.id: case.gold for case in cases}, runs)


def _asked(opened: public.Opened, kind: str) -> list[public.Case]:
    return [case for case in opened.cases("abstain") if case.answerable or case.kind == kind][::THINNED]


def _evidence(opened: public.Opened, kind: str) -> list[float]:
    return [public.evidence(case, opened)[0] for case in _asked(opened, kind)]


def differences(base: Measured, other: Measured, opened: Mapping[str, public.Opened]) -> dict[str, Estimate]:
    """Return measure -> other - base, with its interval; paired, resampled by conversation or article."""
    found = {}
    compared = compare(base.own, other.own)["metrics"]
    for measure in OWN_MEASURES:
        entry = compared[measure]
        found[f"own {measure}"] = Estimate(entry["difference"] or 0.0, entry["low"] or 0.0, entry["high"] or 0.0)
    for (name, task), values in base.ranked.items():
        draws = Draws([case.group for case in opened[name].cases(task)])
        for measure in ("hit@1", "ndcg@10"):
            gap = draws.mean(other.ranked[name, task][measure]) - draws.mean(values[measure])
            found[f"{name} {task} {measure}"] = Estimate.of(gap)
    for (name, kind), scores in base.evidence.items():
        cases = _asked(opened[name], kind)
        draws, good = Draws([case.group for case in cases]), [case.answerable for case in cases]
        found[f"{name} {kind} AUROC"] = Estimate.of(draws.auroc(other.evidence[name, kind], good) - draws.auroc(scores, good))
    return found


def verdict(found: Mapping[str, Estimate]) -> str:
    """Return whether a part wins, loses, or shows nothing: by the measures whose interval leaves out zero."""
    signs = {_sign(measure, gap) for measure, gap in found.items()} - {0}
    return {frozenset(): "nothing", frozenset({-1}): "wins", frozenset({1}): "costs"}.get(frozenset(signs), "wins and costs")


def _sign(measure: str, gap: Estimate) -> int:
    """Return -1 where the run without the part is worse for certain, 1 where it is better, else 0."""
    if gap.low <= 0 <= gap.high:
        return 0
    return (1 if gap.value > 0 else -1) * (-1 if measure.endswith(LESS_IS_BETTER) else 1)


# -- the table ----------------------------------------------------------------------------------------------------------


def ablation(options: argparse.Namespace, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return one row for each part, and tell each as soon as it is known."""
    opened = _open(options, options.cache)
    base = measured(options, opened, Settings().cache)
    rows = []
    for part in PARTS:
        if options.parts and part.name not in options.parts:
            continue
        with without(part):
            cache = options.cache / "reindexed" if part.indexed else Settings().cache
            other = measured(options, _open(options, cache, options.cache) if part.indexed else opened, cache)
        found = differences(base, other, opened)
        rows.append({"part": part.name, "verdict": verdict(found), "differences": {m: _told(gap) for m, gap in found.items()}})
        say(line(part, found))
    return rows


def _open(options: argparse.Namespace, indexes: Path, vectors: Path | None = None) -> dict[str, public.Opened]:
    if not options.data.is_dir():
        return {}
    limits = {"covidqa": None, "medquad": options.articles}
    return {name: public.open_set(name, options.data, limit, "tune", indexes, vectors) for name, limit in limits.items()}


def _told(gap: Estimate) -> dict[str, float]:
    return {"value": gap.value, "low": gap.low, "high": gap.high}


def line(part: Part, found: Mapping[str, Estimate]) -> str:
    """Return a part's row: each measure that moves, with * where its interval leaves out zero."""
    moved = [
        f"{measure} {gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]{'*' if _sign(measure, gap) else ''}"
        for measure, gap in found.items()
        if gap.value or gap.low or gap.high
    ]
    return f"{part.name}: {verdict(found)}\n" + "".join(f"    {text}\n" for text in moved)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a paragraph for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--own", type=Path, default=OWN, help="conversations of which the tune half is run")
    parser.add_argument("--data", type=Path, default=public.BESIDE, help="public sets; without them only our own are run")
    parser.add_argument("--articles", type=int, default=ARTICLES, help="articles sampled from medquad")
    parser.add_argument("--parts", nargs="+", choices=[part.name for part in PARTS])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "followup-public")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    rows = ablation(options, lambda text: print(text, flush=True))
    if options.json:
        options.json.write_text(json.dumps({"half": "tune", "rows": rows}, indent=1) + "\n", encoding="utf-8")
    nothing = [row["part"] for row in rows if row["verdict"] in ("nothing", "costs")]
    print(f"Parts that win nothing here: {', '.join(nothing) or 'none'}.", file=sys.stderr)


if __name__ == "__main__":
    main()
