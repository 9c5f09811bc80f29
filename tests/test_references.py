"""Reference files: typed, exact, and written back as they were."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import references
from assistant.errors import CorpusError
from assistant.records import Document, Retraction, Source

NAME = "references/trial-2024.md"
FILE = """---
id: "trial-2024"
type: "rct"
title: "Low-dose naltrexone in fibromyalgia: 0123"
authors: ["Olsen K", "Ñandú É"]
journal: "Journal of Pain Trials"
year: 2024
volume: "06"
issue: "1.10"
pages: "e82-e90"
doi: "10.1234/jpt.2024(06)001"
pmid: null                        # not verified
pmcid: "PMC6313374"
url: "https://example.org/trial?a=1#b"
publication_types: ["Journal Article"]
evidence_level: "rct"
design: "double-blind, parallel groups"
verdict: "negative"
retraction: {state: "none", checked_on: "2025-07-01"}
licence: "CC-BY-4.0"
abstract_kind: "summary"
abstract_source: "editors' summary"
verified_by: null
---
## Methods
99 women took 6 mg or placebo for 12 weeks.
## Results
Pain did not differ [between groups] [1].
- Adverse events were alike [2]
"""


def test_a_file_becomes_a_source_with_typed_fields() -> None:
    source = references.parse(FILE, NAME).source
    assert source == Source(
        type="rct",
        authors=("Olsen K", "Ñandú É"),
        journal="Journal of Pain Trials",
        year=2024,
        volume="06",
        issue="1.10",
        pages="e82-e90",
        doi="10.1234/jpt.2024(06)001",
        pmcid="PMC6313374",
        url="https://example.org/trial?a=1#b",
        publication_types=("Journal Article",),
        evidence_level="rct",
        design="double-blind, parallel groups",
        verdict="negative",
        retraction=Retraction("none", "2025-07-01"),
        licence="CC-BY-4.0",
        abstract_kind="summary",
        abstract_source="editors' summary",
    )


def test_an_abstract_keeps_its_labels_as_headings_and_its_brackets_as_text() -> None:
    document = references.parse(FILE, NAME)
    assert document.text.endswith("Results\nPain did not differ [between groups] [1].\nAdverse events were alike [2]")
    assert [unit.heading for unit in document.units] == [("Methods",), ("Results",), ("Results",)]
    assert {unit.refs for unit in document.units} == {()}


def test_a_file_is_written_back_as_it_was() -> None:
    assert references.serialise(references.parse(FILE, NAME)) == FILE.replace(
        "null                        # not verified", "null"
    )


def test_an_evidence_note_may_be_left_out_and_is_kept_when_given() -> None:
    document = references.parse(FILE, NAME)
    assert "evidence_note" not in references.serialise(document)
    assert document.source
    noted = replace(document, source=replace(document.source, evidence_note="A dose-finding study, indexed as a trial."))
    assert references.parse(references.serialise(noted), NAME) == noted


def test_a_record_without_text_is_bibliography() -> None:
    document = references.parse(FILE[: FILE.index("## Methods")].replace('"summary"', '"none"'), NAME)
    assert (document.text, document.units) == ("", ())
    assert references.parse(references.serialise(document), NAME) == document


def test_a_verbatim_line_keeps_its_first_characters() -> None:
    lines = "1. Off-label use is common.\n- 3 °C was the limit.\n# of events: 4.\n\\alpha was 0.05."
    written = references.serialise(Document(id="trial-2024", title="A", text=lines, units=(), source=Source(type="rct")))
    document = references.parse(written, NAME)
    assert document.text == lines
    assert not any(unit.item for unit in document.units)


WORDS = (
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Mn", "Mc"]), min_size=1, max_size=30)
    .map(str.strip)
    .filter(bool)
)


@given(
    st.builds(
        Source, type=st.sampled_from(references.TYPES), authors=st.lists(WORDS, max_size=3).map(tuple), journal=st.none() | WORDS
    )
)
def test_any_bibliography_survives_the_file(source: Source) -> None:
    read = references.parse(references.serialise(Document(id="a", title="T", text="", units=(), source=source)), NAME)
    assert references.parse(references.serialise(read), NAME) == read
    assert read.source
    assert len(read.source.authors) == len(source.authors)


@pytest.mark.parametrize(
    ("old", "new", "line", "cause"),
    [
        ('type: "rct"', 'type: "poster"', 3, "not one of"),
        ("year: 2024", "year: 24", 7, "whole number"),
        ("year: 2024", "year: 02024", 7, "whole number"),
        ('doi: "10.1234', 'doi: "https://doi.org/10.1234', 11, "something like"),
        ("pmid: null", 'pmid: "PMC12"', 12, "something like"),
        ("pmid: null", 'pmid: "012"', 12, "something like"),
        ('pmcid: "PMC6313374"', 'pmcid: "6313374"', 13, "something like"),
        ('url: "https://example', 'url: "javascript:alert', 14, "something like"),
        ('verdict: "negative"', 'verdict: "bad"', 18, "not one of"),
        ('state: "none"', 'state: "fine"', 19, "not one of"),
        ('checked_on: "2025-07-01"', "checked_on: null", 19, "needs checked_on"),
        ('licence: "CC-BY-4.0"', 'licence: "free to use"', 20, "something like"),
        ('abstract_kind: "summary"', 'abstract_kind: "full"', 21, "not one of"),
        ("verified_by: null", "verified_by: null\nstars: 5", 24, "unknown"),
    ],
)
def test_a_field_of_the_wrong_shape_is_refused_with_its_line(old: str, new: str, line: int, cause: str) -> None:
    assert old in FILE
    with pytest.raises(CorpusError, match=re.escape(cause)) as caught:
        references.parse(FILE.replace(old, new, 1), NAME)
    assert (caught.value.file, caught.value.line) == (NAME, line)


def test_an_article_is_not_written_as_a_reference() -> None:
    with pytest.raises(TypeError, match=r"articles\.serialise"):
        references.serialise(replace(references.parse(FILE, NAME), source=None))
