"""One normaliser: what is compared looks alike however it was typed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.text.words import normalise, stem, stems, terms, words


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("4.5mg", "4.5 mg"),
        ("0·34", "0.34"),
        ("−0.34", "-0.34"),
        ("1.5–4.5 mg", "1.5-4.5 mg"),
        ("5 µg", "5 mcg"),
        ("5 μg", "5 mcg"),
        ("5 micrograms", "5 mcg"),
        ("ﬁbromyalgia", "fibromyalgia"),
        ("nal\u200btrexone", "naltrexone"),
        ("n\u0430ltrexone", "naltrexone"),  # a Cyrillic letter
        ("4.5\u00a0mg", "4.5 mg"),
        ("4,5 mg", "4.5 mg"),
        ("11,194 patients", "11194 patients"),
    ],
)
def test_spellings_of_the_same_thing_compare_equal(typed, same):
    assert normalise(typed) == same


def test_an_exponent_does_not_become_a_larger_number():
    assert "106" not in normalise("10⁶ cells")
    assert "6" not in words("TLR4")[0].replace("tlr4", "")


def test_a_list_of_numbers_is_not_a_decimal():
    assert words("arms 1, 3 and 5") == ["arms", "1", "3", "and", "5"]


def test_negations_are_never_stop_words():
    assert "not" in stems("do not use")
    assert "no" in stems("no benefit")


def test_a_hyphenated_word_is_found_by_its_parts():
    assert set(terms("opioid-free")) >= {"opioid-fre", "opioid", "free"}


@given(st.text(max_size=200))
def test_normalising_twice_changes_nothing_that_is_matched(text):
    assert words(normalise(text)) == words(text)


def test_many_threads_give_the_stems_of_one():
    asked = [
        word + ending
        for word in ("reduc", "inflamm", "effect", "treat", "boletell")
        for ending in ("us", "ed", "ing", "ation", "ions")
    ] * 40
    serial = [stem(word) for word in asked]
    with ThreadPoolExecutor(8) as pool:
        assert all(found == serial for found in pool.map(lambda _: [stem(word) for word in asked], range(16)))
