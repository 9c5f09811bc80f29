"""An editor sees which lines of an article its references do not bear out, on any article, in a terminal and in files."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant import corpus
from assistant.audit import audit
from assistant.audit.report import as_csv, as_html, as_json, as_text
from assistant.cli import app
from assistant.errors import UnknownArticleError
from tests.corpus_text import REFERENCE

BUNDLED = Path(__file__).parents[1] / "corpus"
SEED = "naltrexone-anti-inflammatory-dose"

ARTICLE = """---
id: "zorvastatin-gout"
question: "What is the usual dose of zorvastatin for gout?"
title: "Zorvastatin for Gout"
language: "en"
audience: "clinician"
status: "under-review"
reviewed_by: null
reviewed_on: null
approved_sha256: null
last_updated: "2022-01-05"
editorial_policy: null
disclaimer: "professional-v1"
topics: ["zorvastatin"]
references:
  - {n: 1, ref: "trial-2021"}
  - {n: 2, ref: "overview-2022"}
  - {n: 3, ref: "silent-2020"}
  - {n: 4, ref: "fraud-2015"}
related: ["label-2024", "review-2024"]
disputed: []
---
Zorvastatin for gout is started at 10 mg once daily. [1]
Zorvastatin lowered uric acid in 31% of patients. [1]
Zorvastatin lowered uric acid in 57% of patients with psoriasis. [1]
Zorvastatin relieved pain in gout better than placebo. [2]
Zorvastatin is stable for 24 months. [3]
Zorvastatin has no known drug interactions.
Zorvastatin was recently shown to cure gout. [4]
=SUM(A1) is no dose of zorvastatin <script>alert(1)</script>. [1]
The highest dose of zorvastatin for gout is 40 mg a day. [1]
"""
TRIAL = """Zorvastatin lowered uric acid in 31% of patients with gout who took 10 mg.
The highest dose of zorvastatin for gout is 20 mg a day."""
LABEL = """Zorvastatin for gout is started at 40 mg once daily.
Do not use zorvastatin together with warfarin.
Uric acid fell in 57% of patients with psoriasis."""
WORKS = {
    "trial-2021": ("rct", 2021, "unknown", TRIAL),
    "overview-2022": ("house-overview", 2022, "unknown", "This overview is our own."),
    "silent-2020": ("trial", 2020, "unknown", ""),
    "fraud-2015": ("trial", 2015, "retracted", "Zorvastatin cures gout."),
    "label-2024": ("label", 2024, "unknown", LABEL),
    "review-2024": ("meta-analysis", 2024, "unknown", "Zorvastatin was not superior to placebo for pain in gout."),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    (folder / "articles").mkdir()
    (folder / "references").mkdir()
    (folder / "articles" / "zorvastatin-gout.md").write_text(ARTICLE, encoding="utf-8")
    for name, (level, year, state, body) in WORKS.items():
        text = REFERENCE.format(id=name, type=level, title=name, year=year, state=state, body=body)
        if not body:
            text = text.replace('abstract_kind: "summary"', 'abstract_kind: "none"').replace(
                'abstract_source: "editors\' summary"', "abstract_source: null"
            )
        (folder / "references" / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found(site):
    return audit("zorvastatin-gout", corpus.load(site).documents)


def kinds(line):
    return {finding.kind for finding in line.findings}


def at(report, words):
    return next(line for line in report.lines if words in line.text)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("started at 10 mg", {"contradicted", "newer", "supported"}),
        ("31% of patients", {"supported"}),
        ("57% of patients", {"misplaced"}),
        ("relieved pain", {"self-citation", "contradicted", "newer"}),
        ("stable for 24 months", {"no-text"}),
        ("no known drug interactions", {"uncited", "contradicted", "newer"}),
        ("recently shown", {"relative-time"}),
        ("highest dose", {"misquoted", "misplaced"}),
    ],
)
def test_each_line_of_any_article_is_held_against_its_works(found, words, expected):
    assert kinds(at(found, words)) >= expected


def test_only_what_the_cited_work_itself_denies_or_a_retracted_work_is_an_error(found):
    errors = {finding.kind for finding in found.findings if finding.grade == "error"}
    assert errors == {"misquoted", "retracted"}


def test_a_newer_strong_work_that_no_line_cites_is_named(found):
    assert ("review-2024",) in [finding.works for finding in found.references if finding.kind == "not-cited"]


def test_an_unknown_article_is_refused_with_those_that_exist(site):
    with pytest.raises(UnknownArticleError, match="zorvastatin-gout"):
        audit("other", corpus.load(site).documents)


# -- the bundled article ------------------------------------------------------------------------------------------------

# What a reading of the sources by hand found wrong with this article: number -> anchor of the line, findings that show it.
# Rows 7 and 8 cite a work without text: found is that they cannot be checked (and that "recently" ages), not that the label of an
# injection and a notice of 2021 say otherwise. Row 14 is found as strong newer works that are not cited; that most patients of
# one cohort stopped is not among them. Row 4 is the line that is in order.
ROWS = {
    1: ("titration", {"self-citation"}),
    2: ("dose-range", {"self-citation", "contradicted"}),
    3: ("fm-benefit", {"contradicted", "newer", "misplaced"}),
    4: ("diabetic-neuropathy", {"supported"}),
    5: ("cohort", {"second-hand", "figure-not-found"}),
    6: ("interactions", {"uncited", "contradicted"}),
    7: ("tablet-strength", {"no-text"}),
    8: ("orphan", {"no-text", "relative-time"}),
    9: ("crps", {"uncited"}),
    10: ("ms", {"uncited", "contradicted"}),
    11: ("crohns", {"uncited", "contradicted"}),
    12: ("nsaids", {"uncited"}),
    13: ("procedures", {"uncited"}),
}


@pytest.fixture(scope="module")
def seed():
    """The audit without what the editors already wrote down of this article."""
    documents = dict(corpus.load(BUNDLED).documents)
    article = documents[SEED]
    documents[SEED] = replace(article, page=replace(article.page, disputed=()))
    return audit(SEED, documents)


@pytest.mark.parametrize("row", ROWS)
def test_what_was_found_by_hand_in_the_bundled_article_is_found(seed, row):
    anchor, expected = ROWS[row]
    line = next(line for line in seed.lines if line.anchor == anchor)
    assert kinds(line) >= expected


def test_the_line_that_is_in_order_has_nothing_against_it(seed):
    line = next(line for line in seed.lines if line.anchor == "diabetic-neuropathy")
    assert kinds(line) == {"supported"}


def test_the_newer_reviews_on_which_the_article_is_silent_are_named(seed):
    silent = {work for finding in seed.references if finding.kind == "not-cited" for work in finding.works}
    assert {"rassi-mariani-2024", "due-bruun-2024-final"} <= silent


def test_the_bundled_articles_hold_no_error():
    documents = corpus.load(BUNDLED).documents
    assert [audit(name, documents).errors for name, document in documents.items() if document.page] == [0, 0, 0]


def test_articles_that_cite_well_have_few_findings():
    documents = corpus.load(BUNDLED).documents
    found = [f.kind for f in audit("metformin-ckd-dose", documents).findings if f.grade == "warning"]
    assert found == ["uncited"]


# -- files --------------------------------------------------------------------------------------------------------------


def test_a_spreadsheet_runs_nothing_of_a_row(found):
    rows = list(csv.reader(io.StringIO(as_csv([found]))))
    assert any(cell.startswith("'=SUM") for row in rows for cell in row)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert len(rows) == 1 + len(found.findings)


def test_the_page_escapes_what_it_quotes_and_needs_nothing_else(found):
    page = as_html([found])
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page


def test_the_json_holds_every_finding(found):
    read = json.loads(as_json([found]))[0]
    assert sum(len(line["findings"]) for line in read["lines"]) + len(read["references"]) == len(found.findings)


def test_the_table_names_line_grade_and_finding(found):
    text = as_text([found])
    assert "error: misquoted." in text
    assert max(map(len, text.split("\n"))) <= 110


@pytest.mark.parametrize(("arguments", "code"), [(["zorvastatin-gout"], 1), ([], 1)])
def test_the_command_exits_1_on_an_error_and_writes_what_is_asked_for(site, tmp_path, arguments, code):
    out = {name: tmp_path / f"audit.{name}" for name in ("csv", "html", "json")}
    options = [part for name, path in out.items() for part in (f"--{name}", str(path))]
    result = CliRunner().invoke(app, ["corpus", "audit", *arguments, "--corpus", str(site), *options])
    assert result.exit_code == code, result.output
    assert all(path.stat().st_size for path in out.values())


def test_the_command_exits_0_where_there_are_only_warnings():
    result = CliRunner().invoke(app, ["corpus", "audit", SEED])
    assert result.exit_code == 0, result.output
    assert "contradicted" in result.output
