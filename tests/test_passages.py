"""Passages: where they say they are, whole units, within the bound, and never across headings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import passages
from assistant.records import Document, Page, Source
from assistant.text import markup

if TYPE_CHECKING:
    from assistant.search import Encoder

ARTICLE = """Low-dose naltrexone is begun at 1.5 mg. [1]

## Dosing
### Steps
The dose is raised slowly:
- First dose: 1.5 mg at night [1]
- Steps of 1.5 mg, two weeks apart [2]
- Dose to aim for: 4.5 mg

## Evidence
Pain eased in one small trial. [3]
"""
ABSTRACT = """## Background
Low-dose naltrexone is used for pain.
## Methods
We gave 99 women 6 mg or placebo.
## Results
Pain did not differ.
Memory problems were rarer.
## Conclusions
We found no benefit for pain.
"""


def article(body: str) -> Document:
    text, units = markup.read(body)
    return Document(id="ldn", title="Beginning naltrexone", text=text, units=units, page=Page(question="How is it begun?"))


def abstract(body: str) -> Document:
    text, units = markup.read(body, citations=False)
    return Document(id="trial", title="A trial", text=text, units=units, source=Source(type="rct"))


def words(text: str) -> int:
    return len(text.split())


def texts(document: Document, count: passages.Count = words) -> list[str]:
    return [passage.text for passage in passages.split(document, count)]


def times(n: int) -> passages.Count:
    """Count each word as ``n`` tokens."""
    return lambda text: n * words(text)


def test_a_section_is_a_passage_with_its_heading_path_and_citations() -> None:
    found = passages.split(article(ARTICLE), words)
    assert [(passage.id, passage.heading, passage.refs) for passage in found] == [
        ("ldn#1", (), (1,)),
        ("ldn#2", ("Dosing", "Steps"), (1, 2)),
        ("ldn#3", ("Evidence",), (3,)),
    ]


def test_two_sections_of_the_same_name_are_not_joined_across_another() -> None:
    assert len(passages.split(article("## A\nOne.\n## B\nTwo.\n## A\nThree."), words)) == 3


def test_a_long_section_is_cut_between_units_and_a_list_keeps_its_lead_in() -> None:
    document = article(ARTICLE)
    found = passages.split(document, times(12))
    steps = [passage for passage in found if passage.heading == ("Dosing", "Steps")]
    assert [passage.text for passage in steps] == [
        "The dose is raised slowly:\nFirst dose: 1.5 mg at night",
        "Steps of 1.5 mg, two weeks apart",
        "Dose to aim for: 4.5 mg",
    ]
    assert passages.embedded_text(document, steps[0]).count("The dose is raised slowly:") == 1
    assert passages.embedded_text(document, steps[2]) == "Dosing / Steps\nThe dose is raised slowly:\nDose to aim for: 4.5 mg"


def test_words_rank_with_the_title_and_meaning_without_it() -> None:
    document = article(ARTICLE)
    last = passages.split(document, words)[-1]
    assert passages.ranked_text(document, last) == "Beginning naltrexone\nEvidence\nPain eased in one small trial."
    assert passages.embedded_text(document, last) == "Evidence\nPain eased in one small trial."


def test_an_item_is_indexed_with_heading_and_lead_in() -> None:
    document = article(ARTICLE)
    assert passages.unit_text(document, document.units[2]) == (
        "Dosing / Steps\nThe dose is raised slowly:\nFirst dose: 1.5 mg at night"
    )
    assert passages.unit_text(document, document.units[0]) == "Low-dose naltrexone is begun at 1.5 mg."


def test_a_very_long_heading_does_not_drown_its_passage() -> None:
    document = article(f"## {'Upper ' * 30}\n### Lower\nPain eased.\n## {'Word ' * 40}\nIt was safe.")
    first, second = passages.split(document, words)
    assert passages.embedded_text(document, first) == "Lower\nPain eased."
    assert words(passages.embedded_text(document, second)) <= 24


def test_an_abstract_that_fits_is_one_passage_with_its_labels() -> None:
    document = abstract(ABSTRACT)
    assert texts(document) == [document.text]


def test_an_abstract_that_does_not_fit_is_cut_into_what_was_done_found_and_meant() -> None:
    assert texts(abstract(ABSTRACT), times(7)) == [
        "Background\nLow-dose naltrexone is used for pain.\nMethods\nWe gave 99 women 6 mg or placebo.",
        "Results\nPain did not differ.\nMemory problems were rarer.",
        "Conclusions\nWe found no benefit for pain.",
    ]


def test_a_work_without_text_has_no_passage() -> None:
    assert passages.split(abstract(""), words) == []


def test_a_sentence_above_the_bound_is_a_passage_of_its_own() -> None:
    long = "word " * 300 + "end."
    assert texts(article(f"Before it.\n{long}\nAfter it.")) == ["Before it.", long, "After it."]


LINE = st.tuples(
    st.sampled_from(["", "", "- ", "## Dosing\n", "## Evidence\n### Trials\n"]),
    st.lists(st.sampled_from(["pain", "4.5 mg", "of", "Sleep", "naltrexone;", "α-blockers"]), min_size=1, max_size=90).map(
        " ".join
    ),
    st.sampled_from([".", ":", ". It was so.", ". [1]"]),
).map("".join)
BODIES = st.lists(LINE, max_size=12).map("\n".join)


@given(BODIES, st.booleans(), st.integers(1, 3))
def test_every_unit_stands_whole_in_exactly_one_passage(body: str, is_article: bool, weight: int) -> None:  # noqa: FBT001 - hypothesis
    document = article(body) if is_article else abstract(body)
    found = passages.split(document, times(weight))
    assert [unit for passage in found for unit in passages.units_in(document, passage)] == list(document.units)
    assert all(passage.text == document.text[passage.start : passage.end] for passage in found)
    assert all(passage.text == passage.text.strip() for passage in found)
    assert len({passage.id for passage in found}) == len(found)


@given(BODIES, st.integers(1, 3))
def test_no_passage_of_several_units_exceeds_the_bound_or_crosses_a_heading(body: str, weight: int) -> None:
    document, count = article(body), times(weight)
    for passage in passages.split(document, count):
        units = passages.units_in(document, passage)
        assert {unit.heading for unit in units} == {passage.heading}
        assert len(units) == 1 or count(passage.text) <= passages.PACKED
        assert len(units) == 1 or count(passages.embedded_text(document, passage)) <= passages.BOUND


@given(st.text(max_size=60))
def test_the_estimate_grows_with_the_text(text: str) -> None:
    assert 0 <= passages.estimate(text) <= passages.estimate(text + " word")


@pytest.mark.parametrize("n", [1, 3])
def test_the_same_document_gives_the_same_passages(n: int) -> None:
    document = article(ARTICLE)
    assert passages.split(document, times(n)) == passages.split(replace(document), times(n))


def test_the_bound_holds_with_the_real_tokenizer(minilm: Encoder) -> None:
    line = "Low-dose naltrexone (1.5–4.5 mg/day) lowered interleukin-6 and TNF-α concentrations in hidradenitis suppurativa."
    document = article(f"## Immunomodulation\n{chr(10).join([line] * 30)}")
    count = minilm.count
    found = passages.split(document, count)
    assert len(found) > 3
    assert all(count(passages.embedded_text(document, passage)) <= passages.BOUND for passage in found)
