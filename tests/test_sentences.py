"""Sentences and clauses: where they end, that nothing is lost, and that hostile text costs no more than any other."""

from __future__ import annotations

import importlib.util
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.text.sentences import clauses, split

SHARED = Path(__file__).parents[2] / "shared"
PIECES = st.sampled_from(
    [
        ". ",
        "e.g. ",
        "A",
        "b",
        "1",
        ",",
        "\n",
        "- ",
        "(",
        ")",
        '"',
        "E. ",
        "4.5 mg",
        "U.S. ",
        "?",
        "METHODS: ",
        " ",
        "¹",
        "α",
        ".",
        "; ",
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join))


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["Start with 1.5 mg at bedtime.", "Raise it every two weeks."],
        ["Scores fell by 30.1% vs. 12.4% (P = 0.04).", "Sleep did not change."],
        ["Avoid opioids, e.g. tramadol, for ten days.", "Longer applies to methadone."],
        ["Dr. Lee and Prof. Ahn led it.", "It ran for 8 wk.", "Nobody left."],
        ["Smith et al. 2014 treated 40 women.", "This was confirmed by Smith et al.", "The sample was small."],
        ["Naltrexone blocks TLR4.1,2", "It also lowers cytokines.3"],
        ["E. coli grew in two samples.", "S. aureus grew in one."],
        ["The U.S. FDA label warns of liver injury.", "The E.U. label agrees."],
        ["α-Blockers were stopped.", "β-Blockers were kept.", "mTOR inhibitors were allowed."],
        ["OBJECTIVE: To test a low dose.", "METHODS: We treated 40 women.", "RESULTS: Pain fell."],
        ["The difference was -0·34 (p=0·27).", "Pain did not differ."],
        ['"It helped," she said.', '"I slept."', "Her score rose."],
        ["Take one tablet p.o. b.i.d. with food.", "Stop if a rash occurs!", "Is it safe?", "Nobody knows."],
    ],
)
def test_medical_text_is_cut_where_a_reader_would_cut_it(expected: list[str]) -> None:
    assert sentences(" ".join(expected)) == expected


def test_a_list_item_is_a_sentence_of_its_own_and_a_wrapped_line_is_not() -> None:
    assert sentences("Steps\n- begin with 1.5 mg\n- aim for 4.5 mg") == ["Steps", "- begin with 1.5 mg", "- aim for 4.5 mg"]
    assert sentences("The dose was raised\nevery two weeks.") == ["The dose was raised\nevery two weeks."]


@given(TEXTS)
def test_sentences_are_ordered_and_cover_every_character_that_is_no_space(text: str) -> None:
    spans = split(text)
    ends = [0, *(place for span in spans for place in span)]
    assert ends == sorted(ends)
    assert all(start < end and text[start:end] == text[start:end].strip() for start, end in spans)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())


@given(st.integers(0, 99), st.integers(0, 9), st.sampled_from(["mg", "ml", "kg", "g", "µg", "%"]))
def test_a_number_is_never_cut_from_its_unit(whole: int, tenth: int, unit: str) -> None:
    dose = f"{whole}.{tenth} {unit}"
    assert any(dose in sentence for sentence in sentences(f"She took {dose}. Then {dose} more. The total was {dose} a day."))


def test_a_sentence_is_cut_into_clauses_that_can_stand() -> None:
    text = "Sleep improved within two weeks; pain eased later, and most women chose to go on (the trial lasted twelve weeks)."
    assert [text[start:end] for start, end in clauses(text)] == [
        "Sleep improved within two weeks",
        "pain eased later",
        ", and most women chose to go on"[2:],
        "the trial lasted twelve weeks).",
    ]


@pytest.mark.parametrize(
    "text", ["Pain fell.", "Fibromyalgia: pain fell.", "It was safe, and cheap.", "Pain fell by 32% (P = .02).", ""]
)
def test_a_sentence_with_too_short_a_side_is_not_cut(text: str) -> None:
    assert clauses(text) == []


@given(TEXTS)
def test_clauses_are_ordered_parts_of_three_words_or_more(text: str) -> None:
    spans = clauses(text)
    assert len(spans) != 1
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(len(re.findall(r"\w+", text[start:end])) >= 3 for start, end in spans)


@pytest.mark.parametrize(
    "piece",
    [".", "e.g. x", "¹,", ".1,1", " ", ". ", "1,", ".'\"", "( ", ", ", "), ", ".¹ ¹ ", "\n \n a", "METHODS: ", "A. ", "; "],
)
def test_hostile_text_is_read_to_the_end(piece: str) -> None:
    text = "." + piece * (100_000 // len(piece)) + "x"
    assert "".join("".join(text[a:b].split()) for a, b in split(text)) == "".join(text.split())
    clauses(text)


@pytest.mark.shared
def test_the_forty_items_of_the_sketch_are_cut_as_marked() -> None:
    path = SHARED / "reference" / "seg_items.py"
    if not path.is_file():
        pytest.skip("the items lie beside the checkout, and it has no such neighbour")
    items = _module(path)
    wrong = [item for item in items.ITEMS for text, want in [items.gold(item)] if items.bounds_of(text, split(text)) != want]
    assert wrong == []


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
