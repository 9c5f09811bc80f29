"""What must be said beside an answer is said, with its own citation; and nothing is said that the sources do not bear out."""

from dataclasses import replace

import pytest

from assistant import corpus, search
from assistant.answers import ExtractiveWriter, numbers
from assistant.companions import Companions, Shown, cautions, is_caution
from assistant.index import build
from assistant.pipeline import Assistant, prepare
from assistant.records import Outcome, Query
from assistant.sources import origin
from tests.corpus_text import REFERENCE

ID = "zorvastatin-gout"
ARTICLE = """---
id: "zorvastatin-gout"
question: "What is the usual dose of zorvastatin for gout?"
title: "Zorvastatin for Gout"
language: "en"
audience: "clinician"
status: "under-review"
reviewed_by: null
reviewed_on: null
approved_sha256: null
last_updated: "2022-01-05"
editorial_policy: null
disclaimer: "professional-v1"
topics: ["zorvastatin"]
references:
  - {n: 1, ref: "trial-2021"}
  - {n: 2, ref: "overview-2022"}
  - {n: 3, ref: "silent-2020"}
  - {n: 4, ref: "inquiry-2021"}
related: ["label-2024", "fraud-2015"]
disputed: []
---
Zorvastatin for gout is started at 4.5 mg once daily. [1]
Zorvastatin is kept away from light and stored in the fridge. [2]
Zorvastatin capsules are stable for 24 months. [3]
Zorvastatin has no known drug interactions. [4]

## Warnings
Do not use zorvastatin together with opioid medicines. [4]
Avoid colchicine during zorvastatin. [4]
Zorvastatin must be discontinued before surgery. [4]

## Effects
Zorvastatin was shown to lower uric acid in gout. [4]
"""
WORKS = {
    "trial-2021": ("rct", 2021, "unknown", "Nausea occurred in 8% of patients on zorvastatin."),
    "overview-2022": ("house-overview", 2022, "unknown", "This overview is our own."),
    "silent-2020": ("trial", 2020, "unknown", ""),
    "inquiry-2021": ("review", 2021, "corrected", "In a Danish trial, zorvastatin lowered tophi in 41% of patients."),
    "label-2024": ("label", 2024, "unknown", "Zorvastatin for gout is started at 20 mg once daily."),
    "fraud-2015": ("trial", 2015, "retracted", "Zorvastatin dissolves kidney stones within a fortnight."),
}


def site(folder):
    (folder / "articles").mkdir()
    (folder / "references").mkdir()
    (folder / "articles" / f"{ID}.md").write_text(
        ARTICLE.replace("approved_sha256: null", "approved_sha256: null"), encoding="utf-8"
    )
    for name, (level, year, state, body) in WORKS.items():
        text = REFERENCE.format(id=name, type=level, title=f"Zorvastatin: {name}", year=year, state=state, body=body)
        if not body:
            text = text.replace('abstract_kind: "summary"', 'abstract_kind: "none"').replace(
                'abstract_source: "editors\' summary"', "abstract_source: null"
            )
        (folder / "references" / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    from tests.conftest import BagEncoder

    encoder, folder = BagEncoder(), tmp_path_factory.mktemp("companions")
    texts = corpus.load(site(folder))
    index = build(texts, encoder, folder / "index", extras=lambda fresh: prepare(fresh, encoder))
    return Assistant(index, encoder, ExtractiveWriter(), Companions(**index.extras["companions"]))


@pytest.fixture(scope="module")
def ask(assistant):
    return lambda text, article=ID: assistant.ask(text, article=article)


def said(answer, kind):
    return [notice for notice in answer.notices if notice.kind == kind]


def quotes(answer, notice):
    return [answer.citations[n - 1].quote for n in numbers(answer, notice.support)]


def test_two_sources_that_differ_are_shown_side_by_side_the_stronger_first(ask):
    answer = ask("What dose of zorvastatin do I start with in gout?")
    (notice,) = said(answer, "conflict")
    assert notice.text == (
        "The sources differ on the starting dose of zorvastatin: 20 mg (product label 2024); 4.5 mg (this site's article 2022)."
    )
    assert quotes(answer, notice) == [
        "Zorvastatin for gout is started at 20 mg once daily.",
        "Zorvastatin for gout is started at 4.5 mg once daily.",
    ]


def test_a_claim_that_nobody_contradicts_has_no_such_notice(ask):
    answer = ask("How is zorvastatin stored?")
    assert answer.outcome is Outcome.ANSWERED
    assert said(answer, "conflict") == []


def test_no_interactions_never_stands_without_the_warning_of_the_same_page(ask):
    answer = ask("Does zorvastatin have drug interactions?")
    assert any("no known drug interactions" in claim.text for claim in answer.claims)
    text = " ".join(quote for notice in said(answer, "conflict") + said(answer, "caution") for quote in quotes(answer, notice))
    assert "opioid medicines" in text


def test_a_warning_is_not_called_into_question_by_a_source_that_does_not_warn(ask):
    answer = ask("Can zorvastatin be used with tramadol?")
    assert "opioid medicines" in answer.claims[0].text
    assert said(answer, "conflict") == []


def test_a_newer_source_than_the_one_a_line_rests_on_is_named(ask):
    (notice,) = said(ask("What dose of zorvastatin do I start with in gout?"), "stale")
    assert notice.text == (
        "On the starting dose of zorvastatin, a source of 2024 disagrees; what is quoted here rests on a source of 2021."
    )
    assert len(notice.support) == 2


def test_a_line_that_cites_only_the_publishers_overview_says_so(ask):
    answer = ask("How is zorvastatin stored, away from light in the fridge?")
    assert "fridge" in answer.claims[0].text
    (notice,) = said(answer, "self-published")
    assert "publisher's own overview" in notice.text
    assert quotes(answer, notice) == [answer.claims[0].text]


def test_the_publishers_own_overview_is_called_that_where_it_is_quoted(assistant):
    overview = assistant.retriever.documents["overview-2022"]
    kind, text = origin(overview, overview.units[0], assistant.retriever.documents)
    assert kind == "self-published"
    assert "not independent evidence" in text


@pytest.mark.parametrize(("state", "may"), [("retracted", False), ("concern", False), ("corrected", True), ("none", True)])
def test_a_work_that_is_retracted_or_under_a_concern_supports_nothing(assistant, state, may):
    work = assistant.retriever.documents["trial-2021"]
    retraction = replace(work.source.retraction, state=state)
    assert replace(work, source=replace(work.source, retraction=retraction)).may_support is may


def test_the_works_that_dispute_a_line_stand_strongest_first(tmp_path):
    from tests.conftest import BagEncoder

    file = site(tmp_path) / "articles" / f"{ID}.md"
    line = 'disputed:\n  - {line: "acid", by: ["label-2024", "trial-2021"], note: "Others say so."}'
    text = file.read_text(encoding="utf-8").replace("disputed: []", line)
    file.write_text(text.replace("in gout. [4]\n", "in gout. [4] {#acid}\n"), encoding="utf-8")
    index = build(corpus.load(tmp_path), BagEncoder(), tmp_path / "index")
    answer = Assistant(index, BagEncoder(), ExtractiveWriter(), Companions({}, {})).ask("Does it lower uric acid?", article=ID)
    (notice,) = said(answer, "conflict")
    assert [support.passage.document for support in notice.support] == [ID, "trial-2021", "label-2024"]


def test_a_figure_of_a_work_whose_text_is_not_held_is_second_hand(ask):
    answer = ask("How long are zorvastatin capsules stable?")
    assert "24 months" in answer.claims[0].text
    (notice,) = said(answer, "second-hand")
    assert "silent-2020" in notice.text
    assert "is not in the collection" in notice.text


def test_a_review_that_reports_a_trial_is_second_hand(ask):
    answer = ask("Did zorvastatin lower tophi in the Danish trial?")
    assert "Danish trial" in answer.claims[0].text
    assert "reports another study" in said(answer, "second-hand")[0].text


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Is 45 mg of zorvastatin a good dose to start with?", "No source here gives 45 mg; the one cited gives 4.5 mg."),
        ("Is 4.5 mcg of zorvastatin the dose to start with?", "No source here gives 4.5 mcg; the one cited gives 4.5 mg."),
    ],
)
def test_a_dose_that_no_source_gives_is_not_passed_over(ask, question, text):
    answer = ask(question)
    (notice,) = said(answer, "premise")
    assert notice.text == text
    assert "4.5 mg" in quotes(answer, notice)[0]


@pytest.mark.parametrize("dose", ["4.5 mg", "4,5 mg", "4500 mcg", "20 mg"])
def test_a_dose_that_a_source_gives_needs_no_correction_whatever_its_spelling(ask, dose):
    assert said(ask(f"Is {dose} of zorvastatin a good dose to start with?"), "premise") == []


def test_a_dose_of_another_drug_is_none_of_our_business(ask):
    assert said(ask("On morphine 30 mg, can I start zorvastatin?"), "premise") == []


def test_a_retracted_work_is_never_quoted_and_named_where_it_would_have_answered(ask):
    answer = ask("Does zorvastatin dissolve kidney stones within a fortnight?")
    assert all("fraud" not in citation.document for citation in answer.citations)
    (notice,) = said(answer, "retracted")
    assert notice.text == "“Zorvastatin: fraud-2015” was retracted and is not quoted."
    assert notice.support == ()


def test_a_question_that_other_works_answer_better_does_not_name_it(ask):
    assert all("fraud" not in notice.text for notice in ask("How is zorvastatin stored?").notices)


def test_who_asks_for_retractions_is_told_the_retracted_works_and_how_many_were_not_checked(ask):
    texts = [notice.text for notice in said(ask("Was any of the papers retracted?"), "retracted")]
    assert "“Zorvastatin: fraud-2015” was retracted and is not quoted." in texts
    assert any("Of 6 works behind this, 1 are marked as retracted; 4 were not checked." in text for text in texts)


@pytest.mark.parametrize(("n", "state"), [(1, "was not checked for a retraction"), (4, "has a published correction")])
def test_the_state_of_a_reference_is_told_by_its_number(ask, n, state):
    assert any(state in notice.text for notice in said(ask(f"Is [{n}] retracted?"), "retracted"))


def test_an_unknown_use_with_a_drug_of_a_forbidden_class_still_carries_the_warning(ask):
    answer = ask("Any problem with fentanyl patches beside zorvastatin?")
    assert any("opioid medicines" in notice.text for notice in said(answer, "caution"))


def test_an_answer_that_is_itself_a_danger_carries_the_warnings_whatever_was_asked(ask):
    answer = ask("zorvastatin medicines together")
    assert answer.claims[0].text == "Do not use zorvastatin together with opioid medicines."
    assert said(answer, "caution")


def warned(assistant, text):
    """The warnings beside a question to which nothing is shown."""
    documents = assistant.retriever.documents
    question = search.read(Query(text=text, asked=text, article=ID), documents)
    warnings = assistant.companions.warnings(assistant.retriever, sorted(documents))
    return [notice.text for notice in cautions(Shown(question, [], [], []), warnings, documents)]


def test_a_false_premise_that_is_not_answered_still_meets_the_warning(assistant):
    assert warned(assistant, "colchicine is the preferred drug with zorvastatin right?") == [
        "Avoid colchicine during zorvastatin."
    ]


def test_a_question_on_another_drug_alone_carries_no_warning_of_this_one(assistant):
    assert warned(assistant, "colchicine is the preferred drug for gout right?") == []


def test_a_dose_carries_the_warnings_even_when_only_the_answer_shows_that_it_is_one(ask):
    answer = ask("zorvastatin gout started?")
    assert "4.5 mg" in answer.claims[0].text
    assert said(answer, "caution")


@pytest.mark.parametrize("question", ["How is zorvastatin stored?", "In how many patients did nausea occur on zorvastatin?"])
def test_a_question_on_storage_or_for_a_number_of_patients_carries_none(ask, question):
    answer = ask(question)
    assert answer.outcome is Outcome.ANSWERED
    assert said(answer, "caution") == []


@pytest.mark.parametrize(
    "text",
    [
        "Discontinue zorvastatin before procedures.",
        "Stop the drug 3 days before surgery.",
        "Do not use with opioids.",
        "Avoid in pregnancy.",
        "Stop zorvastatin at the first sign of rash and do not restart it.",
        "Withhold the dose if the neutrophil count falls.",
        "Overdose can be fatal.",
    ],
)
def test_what_warns_is_known_as_a_warning(text):
    assert is_caution(text)


@pytest.mark.parametrize("text", ["Patients stop smoking for good.", "Hold rates were alike in both arms until week 12."])
def test_what_only_tells_of_stopping_is_none(text):
    assert not is_caution(text)


def test_over_the_whole_site_the_same_notices_come_with_the_same_claims(ask):
    answer = ask("What dose of zorvastatin do I start with in gout?", None)
    assert said(answer, "conflict")


def test_a_work_that_the_editors_named_against_a_line_is_called_newer_where_it_is(tmp_path):
    from tests.conftest import BagEncoder

    site(tmp_path)
    file = tmp_path / "articles" / f"{ID}.md"
    text = file.read_text(encoding="utf-8")
    text = text.replace(
        "disputed: []", 'disputed:\n  - {line: "acid", by: ["label-2024"], note: "The label names no such effect."}'
    )
    file.write_text(text.replace("in gout. [4]\n", "in gout. [4] {#acid}\n"), encoding="utf-8")
    encoder = BagEncoder()
    index = build(corpus.load(tmp_path), encoder, tmp_path / "index", extras=lambda fresh: prepare(fresh, encoder))
    answer = Assistant(index, encoder, ExtractiveWriter(), Companions(**index.extras["companions"])).ask(
        "Does zorvastatin lower uric acid?", article=ID
    )
    assert [notice.text for notice in said(answer, "conflict")] == ["The label names no such effect."]
    assert [notice.text for notice in said(answer, "stale")] == [
        "On this, a source of 2024 disagrees; what is quoted here rests on a source of 2021."
    ]
