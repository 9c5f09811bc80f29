"""Article files: read as they are meant, written back as they were, refused with the line that is wrong."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import articles
from assistant.errors import CorpusError
from assistant.records import CitedWork, Dispute
from assistant.text import markup

NAME = "articles/ldn-dose.md"
HEAD = """---
id: "ldn-dose"
question: "How is low-dose naltrexone begun?"
title: "Beginning low-dose naltrexone"
language: "en"
audience: "clinician"
status: "under-review"            # set to approved by an editor
reviewed_by: null
reviewed_on: null
approved_sha256: null
last_updated: "2025-07-14"
editorial_policy: null
disclaimer: "professional-v1"
topics: ["naltrexone", "0123", "no", "1.10"]
references:
  - {n: 1, ref: "clinic-note-2025"}
  - {n: 2, ref: "review-2018"}
related: ["trial-2024"]
disputed:
  - line: "pain"
    by: ["trial-2024"]
    note: "A later trial found no benefit."
---
"""
BODY = """The usual range is 1.5 to 4.5 mg a day. [1]

## Dosing
### Steps
The dose is raised slowly:
- First dose: 1.5 mg at night [1]
1. Steps of 1.5 mg, two weeks apart

## Evidence
Pain eased in one small trial. Sleep did not. [1, 2] {#pain}
"""
FILE = HEAD + BODY


def test_a_file_becomes_text_and_units_without_markup() -> None:
    document = articles.parse(FILE, NAME)
    assert document.text == (
        "The usual range is 1.5 to 4.5 mg a day.\n\nDosing\nSteps\nThe dose is raised slowly:\nFirst dose: 1.5 mg at night\n"
        "Steps of 1.5 mg, two weeks apart\n\nEvidence\nPain eased in one small trial. Sleep did not."
    )
    assert [document.text[unit.start : unit.end] for unit in document.units] == [
        "The usual range is 1.5 to 4.5 mg a day.",
        "The dose is raised slowly:",
        "First dose: 1.5 mg at night",
        "Steps of 1.5 mg, two weeks apart",
        "Pain eased in one small trial.",
        "Sleep did not.",
    ]


def test_a_unit_knows_its_headings_citations_anchor_and_lead_in() -> None:
    units = articles.parse(FILE, NAME).units
    assert [unit.heading for unit in units] == [(), *[("Dosing", "Steps")] * 3, *[("Evidence",)] * 2]
    assert [unit.refs for unit in units] == [(1,), (), (1,), (), (1, 2), (1, 2)]
    assert [unit.anchor for unit in units] == [None] * 4 + ["pain"] * 2
    assert [unit.item for unit in units] == [False, False, True, True, False, False]
    lead = (units[1].start, units[1].end)
    assert [unit.lead for unit in units] == [None, None, lead, lead, None, None]


def test_a_lead_in_ends_with_the_paragraph_or_heading_that_follows_its_list() -> None:
    _, units = markup.read("It is given so:\n\n- at night\n\nIt works slowly.\n- in weeks\n## Other\n- alone")
    assert [unit.lead for unit in units] == [None, (0, 15), None, None, None]


def test_what_the_page_says_of_itself_is_read_as_text_never_guessed() -> None:
    page = articles.parse(FILE, NAME).page
    assert page
    assert page.topics == ("naltrexone", "0123", "no", "1.10")
    assert page.references == (CitedWork(1, "clinic-note-2025"), CitedWork(2, "review-2018"))
    assert page.disputed == (Dispute("pain", ("trial-2024",), "A later trial found no benefit."),)
    assert (page.reviewed_by, page.reviewed_on, page.editorial_policy) == ((), None, None)


def test_reviewers_are_read_with_their_roles() -> None:
    text = FILE.replace("reviewed_by: null", 'reviewed_by:\n  - {name: "A. Editor", role: "pharmacist"}')
    document = articles.parse(text, NAME)
    assert document.page
    assert document.page.reviewed_by == (("A. Editor", "pharmacist"),)
    assert articles.parse(articles.serialise(document), NAME) == document


def test_the_quoted_word_null_is_a_word() -> None:
    document = articles.parse(FILE.replace('"naltrexone", "0123"', '"null"'), NAME)
    assert document.page
    assert document.page.topics[0] == "null"
    assert articles.parse(articles.serialise(document), NAME) == document


def test_a_written_file_is_read_back_the_same_and_written_again_the_same() -> None:
    document = articles.parse(FILE, NAME)
    written = articles.serialise(document)
    assert articles.parse(written, NAME) == document
    assert articles.serialise(articles.parse(written, NAME)) == written
    assert written.endswith(BODY.replace("1. Steps", "- Steps"))


@pytest.mark.parametrize("change", [lambda t: "\ufeff" + t, lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n", "\r")])
def test_byte_order_mark_and_line_ends_do_not_matter(change: object) -> None:
    assert callable(change)
    assert articles.parse(change(FILE), NAME) == articles.parse(FILE, NAME)


def test_decomposed_letters_are_composed() -> None:
    text = FILE.replace("usual range", "Ménière range").replace("Beginning", "Débuter")
    assert articles.parse(unicodedata.normalize("NFD", text), NAME) == articles.parse(text, NAME)
    assert unicodedata.is_normalized("NFC", articles.parse(unicodedata.normalize("NFD", text), NAME).text)


LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40).map(str.strip)
MARKED = st.tuples(
    st.sampled_from(["", "", "- ", "## ", "### ", "1. ", "\\", "\\- "]),
    LINES,
    st.sampled_from(["", " [1]", " [2, 1] {#a}"]),
)


@given(st.lists(MARKED.map("".join), max_size=12).map("\n".join))
def test_whatever_can_be_read_is_written_back(body: str) -> None:
    body = unicodedata.normalize("NFC", body)
    try:
        text, units = markup.read(body)
    except CorpusError:
        return
    assert markup.read(markup.write(text, units)) == (text, units)
    assert all(text[unit.start : unit.end].strip() for unit in units)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1).map(str.strip).filter(bool))
def test_any_line_of_text_can_be_a_title(title: str) -> None:
    document = replace(articles.parse(FILE, NAME), title=unicodedata.normalize("NFC", title).strip())
    assert articles.parse(articles.serialise(document), NAME) == document


@given(LINES.filter(bool).map(lambda line: unicodedata.normalize("NFC", line)))
def test_a_literal_line_is_read_as_it_stands(line: str) -> None:
    assert markup.read(markup.literal(line), citations=False)[0] == line


def test_the_body_hash_follows_the_body_and_nothing_else() -> None:
    document = articles.parse(FILE, NAME)
    renamed = articles.parse(FILE.replace("Beginning", "Starting"), NAME)
    for change in (
        ("1.5 to 4.5", "1.5 to 45"),
        ("[1, 2]", "[1]"),
        ("{#pain}", "{#ache}"),
        ("## Evidence", "## Proof"),
    ):
        assert articles.body_sha256(articles.parse(FILE.replace(*change), NAME)) != articles.body_sha256(document)
    assert articles.body_sha256(renamed) == articles.body_sha256(document)


@pytest.mark.parametrize(
    ("old", "new", "line", "cause"),
    [
        ("---\nid", "id", 1, "first line must be ---"),
        ("\n---\nThe usual", "\nThe usual", 1, "does not end"),
        ("topics:", "topic:", 14, "unknown"),
        ('language: "en"\n', "", 2, "'language' is missing"),
        ('language: "en"', 'language: "en"\nlanguage: "fr"', 6, "given twice"),
        ('id: "ldn-dose"', 'id: "../ldn"', 2, "something like"),
        ('id: "ldn-dose"', f'id: "{"a" * 101}"', 2, "something like"),
        ('audience: "clinician"', 'audience: "robot"', 6, "not one of"),
        ('status: "under-review"', 'status: "Approved"', 7, "not one of"),
        ("reviewed_on: null", 'reviewed_on: "2025-02-30"', 9, "a date"),
        ("reviewed_by: null", 'reviewed_by: ["A. Editor"]', 8, "keys with values"),
        ("approved_sha256: null", 'approved_sha256: "abc"', 10, "64 digits"),
        ("editorial_policy: null", 'editorial_policy: "http://example.org"', 12, "https://"),
        ("question: ", "question: null #", 3, "expected a text"),
        ('title: "Beginning low-dose naltrexone"', 'title: ""', 4, "empty"),
        ('title: "Beginning low-dose naltrexone"', 'title: "a\\nb"', 4, "line break"),
        ('related: ["trial-2024"]', 'related: "trial-2024"', 18, "a list"),
        ('{n: 2, ref: "review-2018"}', '{n: 02, ref: "review-2018"}', 17, "whole number"),
        ('{n: 2, ref: "review-2018"}', '{n: "two", ref: "review-2018"}', 17, "whole number"),
        ("topics: [", "topics: [[[", 15, "not YAML"),
        ("topics: [", 'topics: ["\x00", ', 1, "not YAML"),
        ('topics: ["naltrexone",', 'topics: [&a "naltrexone", *a,', 14, "aliases"),
        ("### Steps", "#### Steps", 27, "skips a level"),
        ("## Dosing", "# Dosing", 26, "headings begin with ##"),
        ("## Evidence", "## Empty\n## Evidence", 32, "no text under it"),
        (BODY[-30:], BODY[-30:] + "## End\n", 34, "no text under it"),
        ("1. Steps", "  - Steps", 30, "begins with spaces"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(old: str, new: str, line: int, cause: str) -> None:
    assert old in FILE
    with pytest.raises(CorpusError, match=re.escape(cause)) as caught:
        articles.parse(FILE.replace(old, new, 1), NAME)
    assert (caught.value.file, caught.value.line) == (NAME, line)
    assert str(caught.value).startswith(f"{NAME}:{line}: ")


@pytest.mark.parametrize("bomb", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "a: " + "x" * 300_000])
def test_a_hostile_head_is_refused(bomb: str) -> None:
    with pytest.raises(CorpusError):
        articles.parse(f"---\n{bomb}\n---\n", NAME)


def test_a_reference_is_not_written_as_an_article() -> None:
    with pytest.raises(TypeError, match=r"references\.serialise"):
        articles.serialise(replace(articles.parse(FILE, NAME), page=None))
