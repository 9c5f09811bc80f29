"""The trained re-ranker tells what answers from what does not, on wordings that share no word, and is the file that was made."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from assistant import reranker
from assistant.errors import ModelMissingError
from assistant.reranker import Reranker

EVAL = Path(__file__).parents[1] / "eval"
sys.path.insert(0, str(EVAL))

from reranker_data import PRACTICE, topics, triage  # noqa: E402

# On a drug that does not exist, in other words than the sentences': what answers, and what stands beside it.
PAIRS = [
    ("Is a glass of wine a problem?", "Alcohol should be avoided during treatment.", "Take one tablet each morning."),
    ("how fast does it kick in", "Relief usually begins within 30 minutes.", "Nausea occurred in 9% of patients."),
    ("Who paid for the trial?", "The manufacturer funded the study.", "The trial enrolled 240 adults."),
    ("what if she forgets one", "A missed dose is skipped when the next one is near.", "Store the tablets below 25 degrees."),
    ("does it beat placebo", "Pain fell by 2.1 points with the drug and by 0.9 with placebo.", "The drug is taken with food."),
    ("any trouble for the kidneys?", "Renal function declined in 3% of patients.", "The tablets contain lactose."),
]


@pytest.fixture(scope="module")
def trained() -> Reranker:
    return Reranker()


@pytest.mark.parametrize(("question", "right", "wrong"), PAIRS)
def test_a_sentence_that_answers_in_other_words_scores_above_one_that_does_not(trained, question, right, wrong):
    better, worse = trained.answers(question, [right, wrong])
    assert better > worse


def test_a_question_that_nothing_answers_is_known_as_such(trained):
    sentences = [wrong for _, _, wrong in PAIRS]
    assert max(trained.answers("How much does a pack cost?", sentences)) < 0


def test_somebody_in_danger_is_told_from_a_question_about_the_danger(trained):
    assert trained.danger("my son got into the tablets and he is really hard to wake up") > 0
    assert trained.danger("What is known about overdose of this medicine in children?") < 0


def test_the_same_question_scores_the_same_to_the_last_bit(trained):
    sentences = [text for _, *both in PAIRS for text in both]
    first = trained.answers(PAIRS[0][0], sentences)
    assert np.array_equal(first, trained.answers(PAIRS[0][0], sentences))
    assert np.array_equal(first, Reranker().answers(PAIRS[0][0], sentences))


def test_long_and_empty_texts_are_read_too(trained):
    assert np.isfinite(trained.answers("dose? " * 500, ["", "🙂", "word " * 5000])).all()


def test_it_is_small():
    assert reranker.FILE.stat().st_size < 30e6


def test_a_missing_or_altered_file_is_named_with_the_way_out(tmp_path):
    with pytest.raises(ModelMissingError, match=r"is missing\. It comes with this program"):
        Reranker(tmp_path / "reranker.onnx")
    altered = shutil.copy(reranker.FILE, tmp_path / "reranker.onnx")
    with Path(altered).open("r+b") as file:
        file.seek(1000)
        file.write(b"altered")
    with pytest.raises(ModelMissingError, match=r"is not the expected one.*install that again"):
        Reranker(Path(altered)).danger("help")


@pytest.mark.parametrize("file", sorted(PRACTICE.glob("*.txt")), ids=lambda file: file.stem)
def test_every_practice_question_names_sentences_of_its_topic(file):
    found = topics(file)
    assert all(len(topic.questions) > 20 and topic.sentences for topic in found)
    assert any(not ids for topic in found for _, _, ids in topic.questions)


def test_practice_texts_of_both_kinds_are_kept_apart():
    texts = triage()
    danger, harmless = ({text for side, text in texts if side is wanted} for wanted in (True, False))
    assert len(danger) > 1000
    assert len(harmless) > 1000
    assert not danger & harmless
