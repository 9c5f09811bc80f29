"""The measures and the other strategies of the public evaluation, on cases small enough to count by hand."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

EVAL = Path(__file__).resolve().parents[1] / "eval"
sys.path.insert(0, str(EVAL))

from ablate import PARTS, Part, verdict, without  # noqa: E402 - the scripts are no package
from public_measures import Draws, Estimate, per_query  # noqa: E402
from public_rivals import Pool, fused, windows  # noqa: E402
from public_sets import followups, half, sampled  # noqa: E402
from public_vectors import Remembering  # noqa: E402

from assistant import search  # noqa: E402


class Letters:
    """An encoder that counts letters, and the texts it was given."""

    name = "letters"

    def __init__(self):
        self.seen = []

    def encode(self, texts):
        self.seen += texts
        counts = np.array([[text.lower().count(chr(97 + n % 26)) for n in range(384)] for text in texts], dtype=np.float32)
        return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)

    def count(self, text):
        return len(text.split())


def test_a_mean_and_its_interval_come_from_whole_articles():
    one_article = Draws(["a"] * 4)
    assert Estimate.of(one_article.mean([1, 0, 1, 0])) == Estimate(0.5, 0.5, 0.5)
    apart = Estimate.of(Draws(["a", "a", "b", "b"]).mean([1, 1, 0, 0]))
    assert (apart.low, apart.value, apart.high) == (0.0, 0.5, 1.0)


def test_auroc_counts_pairs_and_halves_ties():
    draws = Draws(["a", "b", "c", "d"])
    assert draws.auroc([0.9, 0.4, 0.4, 0.1], [True, True, False, False])[0] == pytest.approx((1 + 1 + 0.5 + 1) / 4)


def test_a_resampled_auroc_equals_that_of_the_cases_drawn():
    scores, good = np.array([0.9, 0.2, 0.5, 0.5, 0.3, 0.8]), np.array([True, True, True, False, False, False])
    draws = Draws(list("aabbcd"))
    row = next(n for n in range(1, 50) if draws.weights[n][good].sum() and draws.weights[n][~good].sum())
    weights = draws.weights[row]
    pairs = [
        (weights[i] * weights[j], (scores[i] > scores[j]) + (scores[i] == scores[j]) / 2)
        for i in np.flatnonzero(good)
        for j in np.flatnonzero(~good)
    ]
    wanted = sum(w * win for w, win in pairs) / sum(w for w, _ in pairs)
    assert draws.auroc(scores, good)[row] == pytest.approx(wanted)


def test_refusal_recall_is_read_where_the_allowed_share_of_answerable_questions_is_refused():
    scores = [0.9, 0.8, 0.7, 0.2, 0.1, 0.15, 0.75, 0.3]
    good = [True, True, True, True, False, False, False, False]
    assert Draws(list("abcdefgh")).recall_at(scores, good, 0.0)[0] == pytest.approx(0.5)
    assert Draws(list("abcdefgh")).recall_at(scores, good, 0.25)[0] == pytest.approx(0.75)


def test_hits_are_counted_for_every_question_even_when_nothing_was_found():
    found = per_query({"q1": frozenset({"d1"}), "q2": frozenset({"d2"})}, {"q1": ["d1", "d3"], "q2": []})
    assert found["hit@1"] == [1.0, 0.0]
    assert found["ndcg@10"] == [1.0, 0.0]


def test_a_text_is_encoded_once_also_by_the_next_run(tmp_path):
    first = Letters()
    vectors = Remembering(first, tmp_path)
    rows = vectors.encode(["dose", "cost", "dose"])
    vectors.encode(["cost"])
    vectors.save()
    assert first.seen == ["dose", "cost"]
    second = Letters()
    again = Remembering(second, tmp_path).encode(["dose", "cost", "dose"])
    assert second.seen == []
    assert np.array_equal(rows, again)


def test_each_strategy_ranks_the_text_that_fits_inside_its_scope():
    texts = {"a": "naltrexone dose at night", "b": "cost of the tablets", "c": "dose dose dose"}
    orders = Pool(texts, texts, Letters(), texts).ranked("tablets cost", ["a", "b"])
    assert len(orders) == 4
    assert all(order[0] == "b" and "c" not in order for order in orders.values())


def test_equal_ranks_fuse_to_equal_scores_and_chunks_overlap():
    assert fused(np.array([3.0, 1.0]), np.array([1.0, 3.0])).tolist()[0] == pytest.approx(1 / 61 + 1 / 62)
    chunks = windows(" ".join(map(str, range(300))))
    assert chunks[0].split()[-20:] == chunks[1].split()[:20]
    assert chunks[-1].split()[-1] == "299"


def test_a_larger_sample_holds_the_smaller_and_halves_are_fixed():
    names = [f"article-{n}" for n in range(1000)]
    assert set(sampled(names, 100)) < set(sampled(names, 200))
    assert {half(name) for name in names} == {"tune", "test"}
    assert sum(half(name) == "test" for name in names) == pytest.approx(500, abs=60)


def test_a_turn_knows_what_was_said_before_and_no_answer_is_none(tmp_path):
    row = {
        "conv_id": "c1",
        "turn": 2,
        "history": [
            {"role": "article", "text": "Malaria"},
            {"role": "user", "text": "What is it?"},
            {"role": "assistant", "text": "A fever."},
        ],
        "question": "And the cure?",
        "rewrite": "What cures malaria?",
        "answer": "I don't know.",
    }
    (tmp_path / "conv.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (turn,) = followups(tmp_path)
    assert (turn.title, turn.said, turn.heard, turn.answer) == ("Malaria", ("What is it?",), ("A fever.",), "")


def test_a_part_is_off_only_inside_its_block_and_comes_back_after_a_failure():
    before = search.INTENT_BONUS

    def fail() -> None:
        with without(Part("intent bonus", ((search, "INTENT_BONUS", 0.0),))):
            assert search.INTENT_BONUS == 0
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert before == search.INTENT_BONUS


def test_every_part_that_is_switched_off_exists():
    assert all(hasattr(module, name) for part in PARTS for module, name, _ in part.swaps)


def test_a_part_wins_when_the_run_without_it_is_surely_worse():
    worse, better = Estimate(-0.1, -0.2, -0.01), Estimate(0.1, 0.01, 0.2)
    assert verdict({"own hit@1": worse}) == "wins"
    assert verdict({"own false_refusals": better}) == "wins"
    assert verdict({"own hit@1": better}) == "costs"
    assert verdict({"own hit@1": Estimate(-0.1, -0.2, 0.0)}) == "nothing"
    assert verdict({"own hit@1": worse, "own wrong_answers": worse}) == "wins and costs"
