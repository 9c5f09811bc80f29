"""A real page, imported as it was copied, answers and declines what it should: with the real encoder."""

from pathlib import Path

import pytest

from assistant.corpus.add import add
from assistant.corpus.check import check
from assistant.pipeline import open_assistant
from assistant.records import Outcome, Turn
from assistant.settings import Settings

SEED = sorted((Path(__file__).parents[2] / "shared" / "seed").glob("*.txt"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared,
    pytest.mark.skipif(not SEED, reason="the copy of the real page is not beside the checkout"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seed") / "corpus"
    report = add(SEED, folder)
    assert not report.problems
    return folder


@pytest.fixture(scope="module")
def ask(site):
    assistant = open_assistant(Settings(corpus=site))
    article = assistant.articles[0].id
    return lambda text, *earlier: assistant.ask(text, [Turn(asked) for asked in earlier], article)


def test_the_import_passes_the_check_and_is_not_approved(site):
    assert [finding for finding in check(site) if finding.grade == "error"] == []
    assert 'status: "under-review"' in next((site / "articles").glob("*.md")).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What dose should I start with?", "1.5 mg"),
        ("What is the maximum dose?", "maximum dose of 4.5 mg"),
        ("How fast do I increase it?", "every two weeks"),
        ("Can it be used with tramadol?", "Do not use with opioid medications"),
        ("What about before surgery?", "before procedures"),
        ("How does it reduce inflammation?", "mechanisms"),
        ("Does it help Crohn's?", "Crohn's disease"),
        ("Why does it need compounding?", "50 mg tablets"),
        ("What are the side effects?", "vivid dreams"),
        ("When should I stop if there is no benefit?", "8-12 weeks"),
        ("Is it FDA-approved for this?", "not FDA-approved"),
    ],
)
def test_the_first_claim_is_the_right_sentence_with_its_citation(ask, question, said):
    answer = ask(question)
    assert answer.outcome is Outcome.ANSWERED
    assert said in answer.claims[0].text
    assert answer.citations[0].n == 1


@pytest.mark.parametrize(
    "question", ["What's the dose of duloxetine?", "Can it be used in lupus?", "What is the dose for a 6-year-old?"]
)
def test_what_the_page_does_not_say_is_not_answered(ask, question):
    answer = ask(question)
    assert answer.outcome is not Outcome.ANSWERED
    assert answer.missing


def test_the_weather_is_out_of_scope(ask):
    assert ask("What's the weather today?").reason == "out-of-scope"


def test_a_follow_up_is_answered_too(ask):
    answer = ask("And the maximum?", "What dose should I start with?")
    assert "4.5 mg" in answer.claims[0].text
