"""The bundled articles with the real encoder: the band that holds the value, the drug that is meant, nothing for one article."""

import pytest

from assistant.pipeline import open_assistant
from assistant.records import Outcome, Turn
from assistant.settings import Settings

pytestmark = pytest.mark.slow
METFORMIN, METHOTREXATE, NALTREXONE = "metformin-ckd-dose", "methotrexate-ra-folic-acid", "naltrexone-anti-inflammatory-dose"


@pytest.fixture(scope="module")
def ask():
    assistant = open_assistant(Settings())

    def answer(article, *asked):
        turns, last = [], None
        for text in asked:
            last = assistant.ask(text, turns, article)
            turns.append(Turn(text, last.query.text))
        return last

    return answer


@pytest.mark.parametrize(
    ("asked", "right", "wrong"),
    [
        (["maximum dose with an eGFR of 50?"], "45 to 59", "30 to 44"),
        (["maximum dose with an eGFR of 50?", "And at 25?"], "below 30", "45 to 59"),
        (["maximum dose with an eGFR of 38?", "And eGFR 65?"], "60 to 89", "30 to 44"),
    ],
)
def test_the_first_claim_is_of_the_band_that_holds_the_value(ask, asked, right, wrong):
    first = ask(METFORMIN, *asked).claims[0].text
    assert right in first
    assert wrong not in first


@pytest.mark.parametrize(
    ("article", "question", "said"),
    [
        (NALTREXONE, "What is the maximum dose?", "4.5 mg"),
        (NALTREXONE, "What dose should I start with?", "1.5 mg"),
        (METFORMIN, "When is metformin contraindicated?", "contraindicated"),
        (METHOTREXATE, "What is the starting dose?", "7.5"),
        (METHOTREXATE, "Can it be taken with trimethoprim?", "rimethoprim"),
    ],
)
def test_each_article_answers_with_its_own_drug(ask, article, question, said):
    answer = ask(article, question)
    assert answer.outcome is Outcome.ANSWERED
    assert said in answer.claims[0].text


def test_the_disclaimer_comes_with_every_answer(ask):
    for asked in ("What is the maximum dose?", "What is the dose of duloxetine?", "weather?"):
        assert "not medical advice" in ask(NALTREXONE, asked).disclaimer
