"""Public question sets -> one table: this program beside what other products do, with intervals, targets and whether they hold.

    python eval/public.py [--data DIR] [--sets covidqa medquad bioasq scifact canard] [--articles N] [--half test] [--json OUT]

DIR holds the sets in the formats of its README (default: ``../shared/data`` beside the checkout); nothing of them is kept here.
Each set is turned into documents and asked through the program's own way of a question: resolve, read, search, judge. Texts are
encoded once and their vectors kept under ``--cache``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from public_measures import Array, Draws, Estimate, per_query
from public_rivals import STRATEGIES, Pool
from public_sets import SETS, Case, Followup, Set, followups, half
from public_vectors import Remembering

from assistant import answers, pipeline, questions, search
from assistant import encoder as encoders
from assistant.answers import ExtractiveWriter
from assistant.companions import Companions
from assistant.corpus import Corpus
from assistant.index import Index, build
from assistant.pipeline import Assistant
from assistant.records import Document, Hit, Outcome, Query, Turn
from assistant.reranker import Reranker
from assistant.settings import Settings
from assistant.text.words import normalise

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
ARTICLES = 300  # sampled from MedQuAD, unless told otherwise
OURS = "ours"
FALSE_REFUSALS = 0.08
GATED = 3.0  # more than an evidence score can be: a question that a gate refuses ranks below all that are weighed


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: ours beside the others, the paired difference to the best of them, and the target."""

    property: str
    set: str
    measure: str
    n: int
    systems: Mapping[str, Estimate]
    best: str
    difference: Estimate | None
    target: float | None
    holds: bool | None
    note: str = ""


@dataclass(slots=True)
class Opened:
    """A set with its index; ``cases`` are those of one half."""

    data: Set
    assistant: Assistant
    encoder: Remembering
    half: str
    pools: dict[str, Pool] = field(default_factory=dict)

    def cases(self, task: str) -> list[Case]:
        """Return the cases of a task that belong to the chosen half."""
        return [case for case in self.data.tasks[task] if self.half == "all" or half(case.group) == self.half]

    def texts(self) -> list[Document]:
        """Return the documents that hold text."""
        return [document for document in self.data.documents if document.page is None]

    def pool(self, kind: str) -> Pool:
        """Return whole documents, or all their sentences, as the other strategies rank them."""
        if kind not in self.pools:
            self.pools[kind] = {"inside": self._inside, "all": self._whole, "sentences": self._sentences}[kind]()
        return self.pools[kind]

    def _inside(self) -> Pool:
        bodies = {d.id: d.text for d in self.texts()}
        return Pool({d.id: f"{d.title}\n{d.text}" for d in self.texts()}, bodies, self.encoder, bodies)

    def _whole(self) -> Pool:
        titled = {d.id: f"{d.title} {d.text}".strip() for d in self.texts()}
        return Pool(titled, titled, self.encoder)

    def _sentences(self) -> Pool:
        found = {f"{d.id}@{u.start}": d.text[u.start : u.end] for d in self.texts() for u in d.units}
        return Pool(found, found, self.encoder)


# -- our side -----------------------------------------------------------------------------------------------------------


def found(case: Case, opened: Opened) -> tuple[search.Question, list[Hit], questions.Knowledge]:
    """Return what the program makes of a question and finds for it, as in ``Assistant.ask``."""
    assistant = opened.assistant
    knowledge = assistant._knowledge(case.article)  # noqa: SLF001 - what resolving knows of an article has no public name
    query = questions.resolve(case.text, (), knowledge, article=case.article)
    question = search.read(query, assistant.retriever.documents)
    return question, assistant.look(question, knowledge)[0], knowledge


def documents_of(hits: Sequence[Hit]) -> list[str]:
    """Return the documents in the order in which a sentence of them is found."""
    return list(dict.fromkeys(hit.passage.document for hit in hits))


def evidence(case: Case, opened: Opened) -> tuple[float, float, bool]:
    """Return the score by which the program answers, the same without its gates, and whether it answers.

    The score is the best sentence's idf-weighted share of the question's words, plus its weighted cosine: 0 to 2.5.
    """
    question, hits, knowledge = found(case, opened)
    if not hits:
        return -GATED, 0.0, False
    retriever = opened.assistant.retriever
    with weighed() as scores:
        verdict = pipeline.judge(question, hits, retriever, knowledge)
    plain = weight(question, hits, retriever)
    return (scores[0] if scores else plain - GATED), plain, verdict.outcome is Outcome.ANSWERED


def weight(question: search.Question, hits: Sequence[Hit], retriever: search.Retriever) -> float:
    """Return the evidence of the best of the sentences that the program weighs."""
    score = answers._evidence  # noqa: SLF001 - the score itself is what is measured here
    return max(score(question, hit, retriever) for hit in hits[: answers.WEIGHED])


@contextmanager
def weighed() -> Iterator[list[float]]:
    """Listen to ``judge``: collect the evidence of the sentence it weighs; nothing where a gate refuses before."""
    heard: list[float] = []
    original = answers._weigh  # noqa: SLF001 - as above

    def listening(question: search.Question, covering: Sequence[Hit], retriever: search.Retriever) -> answers.Verdict:
        heard.append(weight(question, covering, retriever))
        return original(question, covering, retriever)

    answers._weigh = listening  # noqa: SLF001 - as above
    try:
        yield heard
    finally:
        answers._weigh = original  # noqa: SLF001 - as above


# -- properties ---------------------------------------------------------------------------------------------------------


def ranking(opened: Opened, task: str, measures: Mapping[str, Target], name: str, *, whole: bool = False) -> list[Row]:
    """Return how well the right document is ranked, inside the case's article or among ``whole`` documents."""
    cases = [c if not whole else Case(c.id, c.text, None, c.gold, c.group) for c in opened.cases(task)]
    runs: dict[str, dict[str, list[str]]] = {OURS: {c.id: documents_of(found(c, opened)[1]) for c in cases}}
    pool = opened.pool("all" if whole else "inside")
    for case in cases:
        for strategy, order in pool.ranked(case.text, opened.data.parts[case.article] if case.article else None).items():
            runs.setdefault(strategy, {})[case.id] = order
    gold, draws = {case.id: case.gold for case in cases}, Draws([case.group for case in cases])
    values = {system: per_query(gold, run) for system, run in runs.items()}
    label = f"{opened.data.name} {task}{', all' if whole and opened.data.parts else ''}"
    return [
        row(name, label, measure, {system: draws.mean(values[system][measure]) for system in values}, len(cases), target)
        for measure, target in measures.items()
    ]


def sentences(opened: Opened, task: str, right: Callable[[Case, Opened], set[str]], tops: Mapping[int, Target]) -> list[Row]:
    """Return how often a right sentence is among the first; ``right`` names the right ones of a case."""
    wanted = {case: right(case, opened) for case in opened.cases(task)}
    cases = [case for case in wanted if wanted[case]]
    pool, draws = opened.pool("sentences"), Draws([case.group for case in cases])
    runs: dict[str, list[list[str]]] = {OURS: [[named(hit) for hit in found(case, opened)[1]] for case in cases]}
    for case in cases:
        scope = [f"{part}@{u.start}" for part in opened.data.parts[case.article or ""] for u in _units(opened, part)]
        for strategy, order in pool.ranked(case.text, scope).items():
            runs.setdefault(strategy, []).append(order)
    return [
        row(
            "answer sentence",
            f"{opened.data.name} {task}",
            f"top {k}",
            {
                system: draws.mean([not wanted[c].isdisjoint(order[:k]) for c, order in zip(cases, orders, strict=True)])
                for system, orders in runs.items()
            },
            len(cases),
            target,
        )
        for k, target in tops.items()
    ]


def named(hit: Hit) -> str:
    """Return the name of a hit's sentence in the pool of sentences."""
    return f"{hit.passage.document}@{hit.unit.start}"


def _units(opened: Opened, part: str) -> Sequence[search.Unit]:
    return opened.assistant.retriever.documents[part].units


def holding(case: Case, opened: Opened) -> set[str]:
    """Return the sentences of a case's article that hold its answer string, where not every one of them does."""
    held = set()
    count = 0
    wanted = [plain(answer) for answer in case.answers]
    for part in opened.data.parts[case.article or ""]:
        text = opened.assistant.retriever.documents[part].text
        for unit in _units(opened, part):
            count += 1
            if any(answer in plain(text[unit.start : unit.end]) for answer in wanted):
                held.add(f"{part}@{unit.start}")
    return held if len(held) < count else set()


def overlapping(case: Case, opened: Opened) -> set[str]:
    """Return the sentences of the right chunks that the annotated answer stands in, or most of which it is."""
    held = set()
    for part in case.gold:
        text = opened.assistant.retriever.documents[part].text
        for answer in case.answers:
            start = text.find(answer.strip())
            end = start + len(answer.strip())
            for unit in _units(opened, part) if start >= 0 else ():
                shared = min(end, unit.end) - max(start, unit.start)
                if shared >= min(end - start, unit.end - unit.start) / 2:
                    held.add(f"{part}@{unit.start}")
    return held


def plain(text: str) -> str:
    """Return the form in which answer strings are looked for."""
    return " ".join(normalise(text).lower().split())


def answerability(opened: Opened, kind: str, auroc: float | None, recall: float | None) -> list[Row]:
    """Return how well answerable questions are told from unanswerable ones of a kind."""
    cases = [case for case in opened.cases("abstain") if case.answerable or case.kind == kind]
    answerable, draws = [case.answerable for case in cases], Draws([case.group for case in cases])
    seen = [evidence(case, opened) for case in cases]
    pool = opened.pool("inside")
    scores = {OURS: [score for score, _, _ in seen], "ours without gates": [score for _, score, _ in seen]}
    scores |= {name: [] for name in ("idf coverage", "BM25 only", "MiniLM only", STRATEGIES[3])}
    for case in cases:
        for name, value in pool.strongest(case.text, opened.data.parts[case.article or ""]).items():
            scores[name].append(value)
    label, name = f"{opened.data.name} {kind.replace('_', ' ')}", "answerability"
    curves = {system: draws.auroc(values, answerable) for system, values in scores.items()}
    recalls = {system: draws.recall_at(values, answerable, FALSE_REFUSALS) for system, values in scores.items()}
    refused = [not answered for _, _, answered in seen]
    note = (
        f"As set: {_share(refused, answerable, of=False):.2f} of the unanswerable refused, "
        f"{_share(refused, answerable, of=True):.2f} of the answerable."
    )
    return [
        row(name, label, "AUROC", curves, len(cases), Target(at_least=auroc), note),
        row(name, label, f"refused at {FALSE_REFUSALS:.0%} false refusals", recalls, len(cases), Target(at_least=recall)),
    ]


def _share(refused: Sequence[bool], answerable: Sequence[bool], *, of: bool) -> float:
    chosen = [r for r, a in zip(refused, answerable, strict=True) if a is of]
    return sum(chosen) / max(len(chosen), 1)


def follow_ups(opened: Opened, folder: Path) -> list[Row]:
    """Return how well the answer to a later turn is found: as we read it, as typed, with all turns, as a human rewrote it."""
    turns = [turn for turn in resolved(folder, opened) if turn[0].said and turn[0].answer and _in_half(turn[0], opened.half)]
    ids = {document.text: document.id for document in opened.texts()}
    gold = {turn.id: frozenset({ids[turn.answer]}) for turn, _ in turns}
    draws, pool = Draws([turn.conversation for turn, _ in turns]), opened.pool("all")
    forms = {name: {turn.id: form(turn, query) for turn, query in turns} for name, form in FORMS.items()}
    rankers: dict[str, Callable[[Query], list[str]]] = {
        "BM25": lambda query: pool.ranked(query.text)[STRATEGIES[0]],
        "our search": lambda query: documents_of(_search(query, opened)),
    }
    rows = []
    for ranker, rank in rankers.items():
        runs = {name: {key: rank(query) for key, query in queries.items()} for name, queries in forms.items()}
        values = {name: per_query(gold, run)["recall@10"] for name, run in runs.items()}
        systems = {name: draws.mean(found) for name, found in values.items()}
        target = Target(at_least=float(systems["human rewrite"][0]))
        rows.append(row("follow-ups", f"canard, by {ranker}", "recall@10", systems, len(turns), target, against="human rewrite"))
    return rows


def _in_half(turn: Followup, wanted: str) -> bool:
    return wanted in ("all", half(turn.conversation))


def resolved(folder: Path, opened: Opened) -> Iterator[tuple[Followup, Query]]:
    """Yield the turns with the question as the program reads it, which knows how it read the turns before."""
    knowledge = opened.assistant._knowledge(None)  # noqa: SLF001 - as above
    history: dict[str, list[Turn]] = {}
    for turn in followups(folder):
        before = history.setdefault(turn.conversation, [])
        query = questions.resolve(turn.question, before, knowledge)
        yield turn, query
        before.append(Turn(turn.question, query.text))


def _search(query: Query, opened: Opened) -> list[Hit]:
    question = search.read(query, opened.assistant.retriever.documents)
    return search.search(question, opened.assistant.retriever, opened.assistant.encoder)


def _asked(text: str) -> Query:
    return Query(text=text, asked=text)


def _scoped(turn: Followup, query: Query) -> Query:
    """Return the question as it is asked in its article: among all passages, the article's name stands for the scope."""
    return Query(text=f"{turn.title} {query.text}", asked=query.asked, inherited=query.inherited, context=query.context)


FORMS: dict[str, Callable[[Followup, Query], Query]] = {
    OURS: _scoped,
    "ours without the article": lambda _, query: query,
    "raw last message": lambda turn, _: _asked(turn.question),
    "history concatenated": lambda turn, _: _asked(" ".join((*turn.said, turn.question))),
    "title and raw message": lambda turn, _: _asked(f"{turn.title} {turn.question}"),
    "human rewrite": lambda turn, _: _asked(turn.rewrite),
}


# -- the table ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """What must be reached: a value, or the best of the others and ``above`` more."""

    at_least: float | None = None
    above: float | None = None

    def value(self, best: float) -> float | None:
        """Return the value to reach, where the best of the others reaches ``best``."""
        wanted = [value for value in (self.at_least, best + self.above if self.above is not None else None) if value is not None]
        return max(wanted) if wanted else None


def row(
    name: str,
    label: str,
    measure: str,
    systems: Mapping[str, Array],
    n: int,
    target: Target,
    note: str = "",
    against: str | None = None,
) -> Row:
    """Return the row of a measure, compared with the best of the systems that are not ours."""
    others = [system for system in systems if not system.startswith(OURS)]
    best = against or max(others, key=lambda system: float(systems[system][0]))
    wanted = target.value(float(systems[best][0]))
    return Row(
        name,
        label,
        measure,
        n,
        {system: Estimate.of(drawn) for system, drawn in systems.items()},
        best,
        Estimate.of(systems[OURS] - systems[best]),
        None if wanted is None else round(wanted, 4),
        None if wanted is None else bool(systems[OURS][0] >= wanted),
        note,
    )


def of_covidqa(opened: Opened, data: Path) -> Iterator[Row]:
    """Yield the figures of COVID-QA."""
    del data
    yield from ranking(
        opened, "questions", {"hit@1": Target(above=0.03), "ndcg@10": Target(above=0.03)}, "passage in its article"
    )
    yield from ranking(opened, "questions", {"ndcg@10": Target(above=0.0)}, "retrieval", whole=True)
    yield from sentences(opened, "questions", overlapping, {1: Target(above=0.05)})
    yield from answerability(opened, "other_topic", 0.97, 0.95)


def of_medquad(opened: Opened, data: Path) -> Iterator[Row]:
    """Yield the figures of MedQuAD."""
    del data
    name = "section of its article"
    full = ranking(opened, "full", {"hit@1": Target(above=0.03), "ndcg@10": Target(above=0.03)}, name)
    yield from full
    needed = {r.measure: Target(at_least=r.systems[OURS].value - 0.03, above=0.03) for r in full}
    yield from ranking(opened, "elided", needed, name)
    yield from ranking(opened, "full", {"ndcg@10": Target(above=0.0)}, "retrieval", whole=True)
    yield from answerability(opened, "same_topic_missing_section", 0.80, None)
    yield from answerability(opened, "other_topic", 0.97, 0.98)


def of_bioasq(opened: Opened, data: Path) -> Iterator[Row]:
    """Yield the figures of BioASQ."""
    del data
    yield from ranking(opened, "questions", {"ndcg@10": Target(above=0.0)}, "retrieval", whole=True)
    yield from sentences(opened, "factoid", holding, {1: Target(at_least=0.68), 3: Target(at_least=0.88)})


def of_scifact(opened: Opened, data: Path) -> Iterator[Row]:
    """Yield the figures of SciFact."""
    del data
    yield from ranking(opened, "questions", {"ndcg@10": Target(at_least=0.70, above=0.0)}, "retrieval", whole=True)


def of_canard(opened: Opened, data: Path) -> Iterator[Row]:
    """Yield the figures of CANARD."""
    yield from follow_ups(opened, data / "canard")


TABLE: dict[str, Callable[[Opened, Path], Iterator[Row]]] = {
    "covidqa": of_covidqa,
    "medquad": of_medquad,
    "bioasq": of_bioasq,
    "scifact": of_scifact,
    "canard": of_canard,
}


def open_set(name: str, data: Path, articles: int | None, wanted: str, cache: Path, vectors: Path | None = None) -> Opened:
    """Return a set, indexed by the program under ``cache``; ``vectors`` names another folder for what was encoded before."""
    limit = articles or (ARTICLES if name == "medquad" else None)
    loaded = SETS[name](data, limit)
    encoder = Remembering(encoders.load("packaged", Settings().cache), (vectors or cache) / "vectors")
    documents = {d.id: d for d in sorted(loaded.documents, key=lambda d: d.id)}
    corpus = Corpus(folder=data / name, documents=documents, findings=(), hash=f"{name}-{limit}")
    index: Index = build(corpus, encoder, cache / f"{name}-{limit}", lambda done, total: _tick(name, done, total))
    encoder.save()
    return Opened(loaded, Assistant(index, encoder, ExtractiveWriter(), Companions({}, {}), reranker=Reranker()), encoder, wanted)


def _tick(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{name}: {done:,} of {total:,} documents indexed", end="", file=sys.stderr)


def line(made: Row) -> str:
    """Return a row of the table as text."""
    ours, other = made.systems[OURS], made.systems[made.best]
    held = {None: "", True: "yes", False: "no"}[made.holds]
    gap = made.difference
    return (
        f"{made.property:22} {made.set:36} {made.measure:30} {made.n:5}  {ours.value:.3f} [{ours.low:.3f}, {ours.high:.3f}]  "
        f"{other.value:.3f} {made.best:30} "
        f"{f'{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]' if gap else '':26} "
        f"{'' if made.target is None else f'{made.target:.3f}':6} {held}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=BESIDE)
    parser.add_argument("--sets", nargs="+", choices=list(TABLE), default=list(TABLE))
    parser.add_argument("--articles", type=int, help=f"articles sampled from covidqa (default: all) and medquad ({ARTICLES})")
    parser.add_argument(
        "--half", choices=("test", "tune", "all"), default="test", help="cases measured; weights are tuned on tune"
    )
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "followup-public")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        parser.error(f"There is no folder {options.data}; name the one with the public sets: --data DIR")
    report = []
    for name in options.sets:
        started = time.monotonic()
        opened = open_set(name, options.data, options.articles, options.half, options.cache)
        for made in TABLE[name](opened, options.data):
            print(line(made), flush=True)
            report.append(asdict(made))
        opened.encoder.save()
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    if options.json:
        told = {"half": options.half, "articles": options.articles, "rows": report}
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
