"""Report -> text for a terminal | one self-contained HTML page; and which limits it does not meet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assistant.evaluation import plots
from assistant.evaluation.metrics import LATENCIES, LOWER_IS_BETTER, METRICS, holds
from assistant.text.html import Html, element, join, text

Row = Mapping[str, Any]
Entry = Mapping[str, float | None]
GROUPS: Mapping[str, str] = {"overall": "All turns", "first_turns": "First turns", "follow_ups": "Follow-ups"}
TUNED = "Turns of the tune split are among these: their figures are tuned, the program was adjusted on them."
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --page: #fff; --soft: #5b6470; --line: #d5dae0; --mark: #1f5fa8;
  --bad: #a3261c }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7eaee; --page: #15181c; --soft: #a3adb8; --line: #3a424c; --mark: #7db2f0; --bad: #ff9d92 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { padding: .25rem .8rem .25rem 0;
  text-align: left; vertical-align: top }
tr { border-bottom: 1px solid var(--line) }
.wide { overflow-x: auto } .soft { color: var(--soft) } .bad { color: var(--bad) }
blockquote { margin: .3rem 0 .3rem 1rem; padding-left: .8rem; border-left: 3px solid var(--line) }
article { border-top: 1px solid var(--line); padding: .6rem 0; overflow-wrap: anywhere } h3 { font-size: 1rem; margin: .4rem 0 }
pre { white-space: pre-wrap; font-size: .85rem } svg { max-width: none }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink) }
svg .strong { font-weight: 600 } .grid { stroke: var(--line) } .mark { stroke: var(--mark); stroke-width: 2 }
.dot, .bar { fill: var(--mark) } .curve { fill: none; stroke: var(--soft); stroke-width: 2 }
"""


# -- limits ------------------------------------------------------------------------------------------------------------


def unmet(report: Mapping[str, Any], limits: Sequence[tuple[str, float]]) -> list[str]:
    """Return a sentence for each limit that the overall value does not meet; a metric without a case meets none."""
    return [text for metric, limit in limits if (text := _unmet(metric, limit, report["overall"][metric]))]


def _unmet(metric: str, limit: float, entry: Entry) -> str:
    value = entry["value"]
    if value is None:
        return f"{metric} has no case in this set, so {limit:g} is not met."
    if metric in LOWER_IS_BETTER:
        return f"{metric} is {value:g}, more than {limit:g}." if value > limit else ""
    return f"{metric} is {value:g}, less than {limit:g}." if value < limit else ""


# -- terminal ----------------------------------------------------------------------------------------------------------


def as_text(report: Mapping[str, Any], difference: Mapping[str, Any] | None = None) -> str:
    """Return the table of metrics, and what changed against an earlier report."""
    head = f"{'':<18}" + "".join(f"{title:<30}" for title in GROUPS.values())
    lines = [f"{metric:<18}" + "".join(f"{_figure(metric, report[group][metric]):<30}" for group in GROUPS) for metric in METRICS]
    parts = [*_notes(report), head, *lines, *(_compared(difference) if difference else [])]
    return "\n".join(line.rstrip() for line in parts)


def _figure(metric: str, entry: Entry) -> str:
    if entry["value"] is None or entry["low"] is None or entry["high"] is None:
        return "-"
    places = 1 if metric in LATENCIES else 3
    interval = f"({entry['low']:.{places}f} to {entry['high']:.{places}f})"
    return f"{entry['value']:.{places}f} {interval} n={entry['n']}"


def _notes(report: Mapping[str, Any]) -> list[str]:
    turns = report["turns"]
    splits = sorted({row["split"] or "no split" for row in turns})
    size = f"{len({row['id'] for row in turns})} conversations, {len(turns)} turns ({', '.join(splits)})"
    made = f"set {report['set_hash'][:12]}, corpus {report['corpus_hash'][:12]}, {report['engine']}"
    return [f"{size}; {made}", "Value (95 % interval over conversations) and number of cases."] + [TUNED] * ("tune" in splits)


def _compared(difference: Mapping[str, Any]) -> list[str]:
    rows = [f"{metric:<18}{_change(metric, entry)}" for metric, entry in difference["metrics"].items()]
    flipped = [
        f"{row['id']} turn {row['turn']}: {'; '.join(_flips(row))}: {json.dumps(row['asked'], ensure_ascii=False)}"
        for row in difference["flipped"]
    ]
    return ["", *_likeness(difference), *rows, "", f"{len(flipped)} turns flipped:", *flipped]


def _change(metric: str, entry: Entry) -> str:
    if entry["difference"] is None or entry["low"] is None or entry["high"] is None:
        return "-"
    places = 1 if metric in LATENCIES else 3
    interval = f"({entry['low']:+.{places}f} to {entry['high']:+.{places}f})"
    return f"{entry['old']:.{places}f} -> {entry['new']:.{places}f}   {entry['difference']:+.{places}f} {interval}"


def _flips(row: Row) -> list[str]:
    return [f"{word} {', '.join(row[word])}" for word in ("lost", "gained") if row[word]]


def _likeness(difference: Mapping[str, Any]) -> list[str]:
    out = ["Against the earlier report: old -> new, difference (95 % interval of the paired difference)."]
    if not difference["same_set"]:
        alone = f"{difference['only_old']} turns only in the old report, {difference['only_new']} only in the new one"
        out.append(f"The eval sets differ; compared are the turns that both hold ({alone}).")
    return out if difference["same_corpus"] else [*out, "The corpora differ."]


# -- page --------------------------------------------------------------------------------------------------------------


def as_html(report: Mapping[str, Any], difference: Mapping[str, Any] | None = None) -> str:
    """Return the report as one file that needs nothing else; whatever is quoted is escaped."""
    turns = report["turns"]
    failed = [row for row in turns if not all(row["checks"].values())]
    body = [
        element("h1", text("How good the answers are")),
        *(element("p", text(note), class_="soft") for note in _notes(report)),
        _metrics(report),
        *(_difference(difference) if difference else []),
        _section("By tag", plots.by_tag(report["tags"])),
        _section("Refusals", element("p", text(_REFUSALS), class_="soft"), plots.refusal_curve(turns)),
        _section("Latency", plots.histogram([row["latency_ms"] for row in turns])),
        _section(f"Failed turns: {len(failed)} of {len(turns)}", *(_transcript(row, turns) for row in failed)),
    ]
    head = [
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", text("Evaluation of follow-up answers")),
        element("style", Html(STYLE)),
    ]
    return f"<!doctype html>\n{element('html', element('head', *head), element('body', *body), lang='en')}\n"


_REFUSALS = (
    "The dot is what was refused here. The line is what a threshold on the cosine of the best sentence would refuse instead: "
    "a dot above and left of it says that the decision by concepts is worth more than such a threshold."
)


def _section(title: str, *parts: Html) -> Html:
    return element("section", element("h2", text(title)), *(element("div", part, class_="wide") for part in parts))


def _metrics(report: Mapping[str, Any]) -> Html:
    rows = [[metric, *(_figure(metric, report[group][metric]) for group in GROUPS)] for metric in METRICS]
    return element("div", _table(["Metric", *GROUPS.values()], rows), class_="wide")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    top = element("tr", *(element("th", text(cell), scope="col") for cell in head))
    body = [element("tr", *(element("td", text(cell)) for cell in row)) for row in rows]
    return element("table", element("thead", top), element("tbody", *body))


def _difference(difference: Mapping[str, Any]) -> list[Html]:
    rows = [[metric, _change(metric, entry)] for metric, entry in difference["metrics"].items()]
    notes = [element("p", text(note), class_="soft") for note in _likeness(difference)]
    flipped = [[f"{row['id']} turn {row['turn']}", "; ".join(_flips(row)), row["asked"]] for row in difference["flipped"]]
    changed = _table(["Metric", "Change"], rows)
    return [
        _section("Against the earlier report", *notes, changed),
        _section(f"{len(flipped)} turns flipped", _table(["Turn", "Checks", "Asked"], flipped)),
    ]


def _transcript(row: Row, turns: Sequence[Row]) -> Html:
    """Return a failed turn with the turns before it: what was expected, what was found, and why that is wrong."""
    before = [turn for turn in turns if turn["id"] == row["id"] and turn["turn"] < row["turn"]]
    expected = json.dumps(row["expected"], ensure_ascii=False, indent=1)
    return element(
        "article",
        element("h3", text(f"{row['id']}, turn {row['turn']} ({', '.join(row['tags'])})")),
        *(join(_asked(turn), _found(turn, whole=False)) for turn in before),
        _asked(row),
        element("p", text(f"Read as: {row['interpreted']}"), class_="soft"),
        _found(row, whole=True),
        element("ul", *(element("li", text(reason), class_="bad") for reason in reasons(row))),
        element("details", element("summary", text("What was expected")), element("pre", text(expected))),
    )


def _asked(row: Row) -> Html:
    return element("p", element("strong", text(row["asked"])))


def _found(row: Row, *, whole: bool) -> Html:
    """Return the outcome with the first claim, or with all that was shown, and the documents they are from."""
    answer = row["answer"]
    outcome = answer["outcome"] + (f" ({answer['reason']})" if answer["reason"] else "")
    said = [_cited(answer, claim) for claim in answer["claims"]] or [answer["message"]]
    notices = [f"{notice['kind']}: {_cited(answer, notice)}" for notice in answer["notices"]]
    lines = [*said, *notices] if whole else said[:1]
    return join(element("p", text(outcome), class_="soft"), *(element("blockquote", text(line)) for line in lines))


def _cited(answer: Mapping[str, Any], quoted: Mapping[str, Any]) -> str:
    documents = [answer["citations"][n - 1]["document"] for n in quoted["citations"]]
    return f"{quoted['text']} [{', '.join(documents)}]" if documents else str(quoted["text"])


def reasons(row: Row) -> list[str]:
    """Return a sentence for each check that failed."""
    return [_REASONS[name](row) for name, held in row["checks"].items() if not held]


def _listed(value: object) -> str:
    return " or ".join(str(entry) for entry in value) if isinstance(value, list) else str(value)


def _why_outcome(row: Row) -> str:
    return f"It is {row['answer']['outcome']}; expected is {_listed(row['expected']['outcome'])}."


def _why_reason(row: Row) -> str:
    return f"The reason is {row['answer']['reason']}; expected is {row['expected']['reason']}."


def _why_facts(row: Row) -> str:
    missing = [_listed(fact) for fact in row["expected"]["facts"] if not any(_said(row, wanted) for wanted in fact)]
    return f"No claim says: {'; '.join(missing)}."


def _why_sources(row: Row) -> str:
    answer = row["answer"]
    cited = dict.fromkeys(answer["citations"][n - 1]["document"] for claim in answer["claims"] for n in claim["citations"])
    return f"The claims cite {', '.join(cited) or 'nothing'}; expected is {_listed(row['expected']['sources'])}."


def _why_caution(row: Row) -> str:
    return (
        "A caution with its citation is missing."
        if row["expected"]["caution"]
        else "It carries a caution that does not belong here."
    )


def _why_notice(row: Row) -> str:
    present = {notice["kind"] for notice in row["answer"]["notices"]}
    return f"Notices that are missing: {', '.join(kind for kind in row['expected']['notice'] if kind not in present)}."


def _why_must_not(row: Row) -> str:
    return f"A claim says what none must: {'; '.join(wanted for wanted in row['expected']['must_not'] if _said(row, wanted))}."


def _why_interpreted(row: Row) -> str:
    missing = [_listed(group) for group in row["expected"]["interpreted"] if not any(holds(row["interpreted"], w) for w in group)]
    return f"The question as it was read does not say: {'; '.join(missing)}."


def _said(row: Row, wanted: str) -> bool:
    return any(holds(claim["text"], wanted) for claim in row["answer"]["claims"])


_REASONS: Mapping[str, Callable[[Row], str]] = {
    "outcome": _why_outcome,
    "reason": _why_reason,
    "facts": _why_facts,
    "sources": _why_sources,
    "caution": _why_caution,
    "notice": _why_notice,
    "must_not": _why_must_not,
    "interpreted": _why_interpreted,
    "citations": lambda _: "A claim, or a number in it, does not stand where its citation says.",
    "deterministic": lambda _: "The same question gave another answer when it was asked again.",
}
