"""list[Audit] -> text for a terminal | CSV | JSON | one self-contained HTML page."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from assistant.audit import Audit, Finding, Line
from assistant.text.html import Html, element, join, text

WIDTH = 110
COLUMNS = ("article", "line", "anchor", "section", "text", "cites", "grade", "finding", "explanation", "works")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run
_GRADES = ("error", "warning", "note")
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --page: #fff; --soft: #5b6470; --line: #d5dae0; --error: #a3261c;
  --warning: #8a5300; --note: #1f5fa8 }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --page: #15181c; --soft: #a3adb8; --line: #3a424c;
  --error: #ff9d92; --warning: #f0b35a; --note: #7db2f0 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 56rem; margin: 2rem auto;
  padding: 0 1rem; overflow-wrap: anywhere }
ol { padding-left: 2.5rem } li { border-top: 1px solid var(--line); padding: .5rem 0 } li p { margin: 0 }
ul { margin: .3rem 0 0; padding-left: 1rem; list-style: none } ul li { border: 0; padding: .1rem 0 }
.soft { color: var(--soft) } .error { color: var(--error) } .warning { color: var(--warning) } .note { color: var(--note) }
"""


def _counts(audits: Sequence[Audit]) -> str:
    found = Counter(finding.grade for audit in audits for finding in audit.findings)
    lines = sum(len(audit.lines) for audit in audits)
    cited = sum(bool(line.cites) for audit in audits for line in audit.lines)
    return f"{lines} lines, {cited} of them with a citation; " + ", ".join(f"{found[grade]} {grade}s" for grade in _GRADES)


# -- terminal -----------------------------------------------------------------------------------------------------------


def as_text(audits: Sequence[Audit]) -> str:
    """Return a table for each article, lines without a finding left out, and the counts."""
    stream = io.StringIO()
    console = Console(file=stream, width=WIDTH)
    for audit in audits:
        table = Table("Line", "What it says", "Findings", title=Text(audit.title), title_justify="left", show_lines=True)
        if audit.references:
            table.add_row(Text("-"), Text("The list of references"), _plain(audit.references))
        for line in audit.lines:
            if line.findings:
                cites = f" [{', '.join(map(str, line.cites))}]" if line.cites else ""
                table.add_row(Text(str(line.n)), Text(line.text + cites), _plain(line.findings))
        console.print(table)
    console.print(Text(_counts(audits)))
    return "\n".join(row.rstrip() for row in stream.getvalue().rstrip().split("\n"))


def _plain(findings: Sequence[Finding]) -> Text:
    return Text("\n".join(f"{finding.grade}: {finding.kind}. {finding.text}" for finding in findings))


# -- files --------------------------------------------------------------------------------------------------------------


def as_json(audits: Sequence[Audit]) -> str:
    """Return one JSON list, an object for each article."""
    return json.dumps([asdict(audit) for audit in audits], ensure_ascii=False, indent=1) + "\n"


def as_csv(audits: Sequence[Audit]) -> str:
    """Return a row for each finding; a cell that a spreadsheet would run as a formula begins with an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for audit in audits:
        for row in _rows(audit):
            writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row])
    return stream.getvalue()


def _rows(audit: Audit) -> Iterator[list[str]]:
    whole = Line(0, "", None, "", (), audit.references)
    for line in (whole, *audit.lines):
        place = [audit.article, str(line.n or ""), line.anchor or "", line.section, line.text, " ".join(map(str, line.cites))]
        for finding in line.findings:
            yield [*place, finding.grade, finding.kind, finding.text, " ".join(finding.works)]


def as_html(audits: Sequence[Audit]) -> str:
    """Return one page that needs nothing else; whatever is quoted is escaped."""
    body = [element("h1", text("Articles held against their references")), element("p", text(_counts(audits)), class_="soft")]
    head = [
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", text("Audit of articles")),
        element("style", Html(_STYLE)),
    ]
    page = element("html", element("head", *head), element("body", *body, *map(_article, audits)), lang="en")
    return f"<!doctype html>\n{page}\n"


def _article(audit: Audit) -> Html:
    lines = [
        element("li", element("p", text(line.text), _cites(line)), _findings(line.findings), value=line.n) for line in audit.lines
    ]
    references = (
        join(element("h3", text("The list of references")), _findings(audit.references)) if audit.references else Html("")
    )
    return element("section", element("h2", text(audit.title)), references, element("ol", *lines))


def _cites(line: Line) -> Html:
    return element("span", text(f" [{', '.join(map(str, line.cites))}]"), class_="soft") if line.cites else Html("")


def _findings(findings: Sequence[Finding]) -> Html:
    rows = [
        element("li", element("strong", text(f"{finding.grade}: {finding.kind}. "), class_=finding.grade), text(finding.text))
        for finding in findings
    ]
    return element("ul", *rows) if rows else Html("")
