"""BM25 gives rank_bm25's scores, over all texts and over a few."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rank_bm25 import BM25Okapi

from assistant.errors import CorpusError
from assistant.index import bm25
from assistant.text.words import terms

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [
    "Naltrexone 4.5 mg at bedtime reduced pain in a small crossover trial of fibromyalgia.",
    "Sleep was disturbed in the first week; vivid dreams were the commonest complaint.",
    "Naltrexone 50 mg is approved for alcohol dependence and opioid dependence.",
    "",
    "Pain, pain and more pain: thirty one women kept a diary of their pain for weeks.",
    "Opioid analgesics must be stopped before naltrexone is begun.",
]
TOKENS = st.sampled_from(["naltrexone", "pain", "sleep", "dose", "opioid", "trial", "week", "4.5", "mg"])
CORPORA = st.lists(st.lists(TOKENS, max_size=12), min_size=1, max_size=9).filter(any)


def expected(texts: list[list[str]], query: list[str], k1: float, b: float) -> np.ndarray:
    return np.asarray(BM25Okapi(texts, k1=k1, b=b).get_scores(query))


@given(CORPORA, st.lists(TOKENS, max_size=9), st.sampled_from([0.5, 1.2, 1.5, 2.0]), st.sampled_from([0.0, 0.4, 0.75, 0.9]))
def test_scores_are_those_of_rank_bm25(texts: list[list[str]], query: list[str], k1: float, b: float) -> None:
    ours = bm25.build(texts, k1, b).scores(Counter(query))
    assert np.abs(ours - expected(texts, query, k1, b)).max() <= 1e-5


@pytest.mark.parametrize("texts", [TEXTS[:1], TEXTS[:2], TEXTS])
@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (1.5, 0.75), (0.9, 0.4)])
def test_corpora_of_one_or_two_texts_score_as_in_rank_bm25(texts: list[str], k1: float, b: float) -> None:
    tokens = [terms(text) for text in texts]
    query = terms("Is naltrexone taken for pain, and does pain return?")
    ours = bm25.build(tokens, k1, b).scores(Counter(query))
    assert np.abs(ours - expected(tokens, query, k1, b)).max() <= 1e-5


def test_a_match_in_a_corpus_of_one_text_weighs_less_than_nothing_as_in_rank_bm25() -> None:
    assert bm25.build([terms(TEXTS[0])]).scores({"naltrexon": 1.0})[0] < 0


def test_a_large_corpus_scores_as_in_rank_bm25() -> None:
    random = np.random.default_rng(7)
    texts = [[f"w{n}" for n in random.zipf(1.3, random.integers(1, 60)) if n < 500] for _ in range(400)]
    index = bm25.build(texts)
    for _ in range(20):
        query = [f"w{n}" for n in random.zipf(1.3, 8)]
        assert np.abs(index.scores(Counter(query)) - expected(texts, query, 1.2, 0.75)).max() <= 1e-5


def test_a_weight_of_two_counts_like_asking_twice() -> None:
    index = bm25.build([terms(text) for text in TEXTS])
    once = index.scores({"dream": 1.0, "sleep": 1.0})
    twice = index.scores({"dream": 2.0, "sleep": 1.0})
    assert np.allclose(twice - once, index.scores({"dream": 1.0}), atol=1e-12)
    assert twice[1] > once[1]


@given(CORPORA, st.dictionaries(TOKENS, st.floats(0.1, 3.0), max_size=6), st.data())
def test_chosen_rows_have_the_very_scores_of_the_whole(
    texts: list[list[str]], weights: dict[str, float], data: st.DataObject
) -> None:
    index = bm25.build(texts)
    positions = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=6)), dtype=np.int64)
    assert index.rows(positions).scores(weights).tolist() == index.scores(weights)[positions].tolist()


def test_unknown_words_score_nothing() -> None:
    index = bm25.build([terms(text) for text in TEXTS])
    assert not index.scores({"zebra": 1.0}).any()
    assert not index.rows(np.array([0, 3])).scores({"zebra": 1.0}).any()
    assert index.frequency("zebra") == 0


def test_frequency_counts_texts_not_words() -> None:
    index = bm25.build([terms(text) for text in TEXTS])
    assert index.frequency("pain") == 2
    assert index.frequency("naltrexon") == 3
    frequencies = index.rows(np.array([0, 4])).frequencies()
    assert frequencies[index.numbers["pain"]] == 2
    assert index.numbers["opioid"] not in frequencies


def test_what_is_saved_and_loaded_scores_the_same(tmp_path: Path) -> None:
    index = bm25.build([*(terms(text) for text in TEXTS), ["μg", "line\nbreak", "中文"]])
    index.save(tmp_path, "passages")
    again = bm25.load(tmp_path, "passages")
    weights = {"naltrexon": 1.0, "pain": 0.5, "line\nbreak": 1.0, "中文": 2.0}
    assert again.scores(weights).tolist() == index.scores(weights).tolist()
    assert again.size == len(TEXTS) + 1


def test_large_arrays_are_mapped_and_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros((2000, 384), dtype=np.float32))
    assert isinstance(bm25.load_array(tmp_path / "large.npy"), np.memmap)


def test_a_corpus_without_a_word_is_refused_not_divided_by_zero() -> None:
    with pytest.raises(CorpusError, match="nothing to search"):
        bm25.build([[], []])
