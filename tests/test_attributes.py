"""What a sentence states of a medicine is read with its unit, people and form; only what cannot both hold is a disagreement."""

from pathlib import Path

import pytest

from assistant import corpus
from assistant.attributes import disagree, doses, label, statements
from assistant.records import Document, Source, Unit
from assistant.sources import contradictions

BUNDLED = Path(__file__).parents[1] / "corpus"


def work(*lines, title="Zorvastatin in gout", verdict=None, headings=()):
    text = "\n".join(lines)
    units, at = [], 0
    for line in lines:
        units.append(Unit(start=at, end=at + len(line), heading=headings))
        at += len(line) + 1
    return Document(id="work", title=title, text=text, units=tuple(units), source=Source(type="other", verdict=verdict))


def one(line, **more):
    found = statements(work(line, **more))
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("line", "kind", "values", "said"),
    [
        ("Zorvastatin is started at 10 mg once daily.", "start", ((10.0, 10.0),), "10 mg"),
        ("Zorvastatin is begun with 500 mcg at bedtime.", "start", ((0.5, 0.5),), "500 mcg"),
        ("Start zorvastatin with 500 mg or 850 mg a day.", "start", ((500.0, 500.0), (850.0, 850.0)), "500 mg or 850 mg"),
        ("The highest dose of zorvastatin is 1,200 mg a day.", "maximum", ((1200.0, 1200.0),), "1200 mg"),
        ("Adults take up to 2 g of zorvastatin a day.", "maximum", ((2000.0, 2000.0),), "2 g"),
        ("Zorvastatin is taken in a daily dose of 1·5–4·5mg.", "range", ((1.5, 4.5),), "1.5-4.5 mg"),
        ("Zorvastatin is raised by 5 mg every two weeks.", "step", ((5.0, 5.0),), "5 mg"),
        ("Stop zorvastatin 3 days before elective surgery.", "hold", ((3.0, 3.0),), "3 days"),
        ("Stop zorvastatin 48 hours before any procedure.", "hold", ((2.0, 2.0),), "48 hours"),
        ("Zorvastatin is contraindicated when the eGFR is below 30 mL/min.", "threshold", ((30.0, 30.0),), "30"),
    ],
)
def test_a_figure_is_read_with_its_unit_and_what_it_is_for(line, kind, values, said):
    found = one(line)
    assert (found.drug, found.kind, found.values, found.said) == ("zorvastatin", kind, values, said)


@pytest.mark.parametrize(
    "line",
    [
        "Zorvastatin acts on TLR4 and MMP9.",
        "In this trial, zorvastatin was started at 10 mg a day.",
        "Patients were given up to 40 mg of zorvastatin.",
        "Zorvastatin doses above 80 mg raise toxicity.",
        "Zorvastatin reached a level of 4 mg/L.",
        "Zorvastatin may reduce gout flares against placebo.",
        "This protocol tests whether zorvastatin reduces pain in gout compared with placebo.",
        "Gout pain fell during zorvastatin.",
        "Zorvastatin reduced pain in gout more than colchicine (p < .001).",
        "Zorvastatin helped with pain in gout, but did not improve sleep against placebo (p = .04).",
    ],
)
def test_a_study_a_hedge_or_a_change_over_time_states_nothing(line):
    assert statements(work(line)) == []


def test_a_dose_belongs_to_the_drug_beside_it():
    found = statements(work("Start zorvastatin at 10 mg a day and start colchicine at 0.5 mg a day."))
    assert [(s.drug, s.values) for s in found] == [("zorvastatin", ((10.0, 10.0),)), ("colchicine", ((0.5, 0.5),))]


def test_both_doses_of_an_alternative_are_kept_and_a_range_is_one():
    assert [value for _, value, _ in doses("25 or 50 mg, then 1 to 5 mg")] == [(25.0, 25.0), (50.0, 50.0), (1.0, 5.0)]


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("Zorvastatin is started at 10 mg a day.", "Begin zorvastatin with 100 mg once daily."),
        ("Take zorvastatin up to 40 mg a day.", "The highest dose of zorvastatin is 20 mg a day."),
        ("Zorvastatin is taken in a daily dose of 1 to 5 mg.", "Zorvastatin is taken in a daily dose of 1.5 to 4.5 mg."),
        ("Take zorvastatin up to 4.5 mg a day.", "Zorvastatin is taken in a daily dose of 1 to 5 mg."),
        ("Stop zorvastatin 3 days before surgery.", "Stop zorvastatin 2 weeks before surgery."),
        ("Zorvastatin is contraindicated below an eGFR of 30.", "Zorvastatin is contraindicated below an eGFR of 45."),
        (
            "Zorvastatin relieved pain in gout better than placebo (p = .01).",
            "Zorvastatin was not superior to placebo for pain in gout.",
        ),
        ("Zorvastatin has no known drug interactions.", "Do not use zorvastatin together with warfarin."),
    ],
)
def test_what_cannot_both_hold_is_a_disagreement(here, there):
    assert disagree(one(here), one(there))
    assert disagree(one(there), one(here))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("Zorvastatin is started at 1 g a day.", "Begin zorvastatin with 1,000 mg once daily."),
        ("Zorvastatin is started at 10 to 20 mg a day.", "Begin zorvastatin with 15 mg once daily."),
        ("Zorvastatin is started at 10 mg a day.", "Begin zorvastatin with 70 mg once a week."),
        ("Take zorvastatin up to 40 mg a day.", "Zorvastatin is taken in a daily dose of 10 to 20 mg."),
        ("Zorvastatin is started at 10 mg a day.", "In children, begin zorvastatin with 2 mg a day."),
        ("Zorvastatin is started at 10 mg a day.", "In renal impairment, begin zorvastatin with 5 mg a day."),
        ("Zorvastatin is started at 10 mg a day.", "Extended-release zorvastatin is started at 40 mg a day."),
        ("Zorvastatin is started at 10 mg a day.", "Zorvastatin is started at 100 mg by injection."),
        ("Zorvastatin is started at 10 mg a day.", "Low-dose zorvastatin is started at 1 mg a day."),
        ("Zorvastatin for gout is started at 10 mg a day.", "Zorvastatin for psoriasis is started at 20 mg a day."),
        ("Zorvastatin is started at 10 mg a day.", "Colchicine is started at 0.5 mg a day."),
        ("Take up to 20 mg of zorvastatin at an eGFR of 30 to 44.", "Take up to 40 mg of zorvastatin at an eGFR of 45 to 59."),
        (
            "Zorvastatin relieved pain in gout better than placebo (p = .01).",
            "Zorvastatin was not superior to placebo for pain in psoriasis.",
        ),
        ("Zorvastatin relieved pain in gout better than placebo (p = .01).", "Zorvastatin did not improve sleep in gout."),
    ],
)
def test_other_people_forms_conditions_periods_and_outcomes_are_no_disagreement(here, there):
    assert not disagree(one(here), one(there))


def test_a_work_that_found_nothing_is_not_read_as_a_benefit_for_one_favourable_sentence():
    line = "Zorvastatin relieved pain in gout better than placebo (p = .01)."
    assert statements(work(line, verdict="negative")) == []
    assert one(line).polarity == 1


def test_what_it_is_about_is_said_in_words():
    assert label(one("Zorvastatin is started at 10 mg a day.")) == "the starting dose of zorvastatin"
    assert label(one("Zorvastatin was not superior to placebo for pain in gout.")) == "the effect of zorvastatin on pain"


@pytest.mark.parametrize(
    "text", ["1 mg or " * 20_000, "up to " * 30_000 + "5 mg", "no significant " * 20_000 + "interactions", "9" * 100_000]
)
def test_hostile_text_is_read_through(text):
    assert statements(work(f"Zorvastatin {text}")) == []
    doses(text)


def test_the_works_of_the_bundled_corpus_disagree_on_this_and_on_nothing_else():
    documents = corpus.load(BUNDLED).documents
    stated = {name: statements(document) for name, document in documents.items() if document.may_support}
    found = {label(s) for (_, s), _ in contradictions(stated, documents)}
    assert found == {
        "the dose range of naltrexone",
        "the highest dose of naltrexone",
        "the effect of naltrexone",
        "the effect of naltrexone on pain",
        "the effect of naltrexone on pain and quality of life",
        "the effect of naltrexone on quality of life",
        "the starting dose of methotrexate",
        "interactions of naltrexone",
    }


def test_the_strongest_and_newest_work_comes_first():
    documents = corpus.load(BUNDLED).documents
    article = documents["naltrexone-anti-inflammatory-dose"]
    names = [article.id, "ologunowa-2025", "due-bruun-2024-final", "innova-ldn-fibromyalgia"]
    stated = {name: statements(documents[name]) for name in names}
    sides = {
        s.unit.anchor: [d.id for d, _ in others] for (d, s), others in contradictions(stated, documents) if d.id == article.id
    }
    assert sides["fm-benefit"] == ["ologunowa-2025", "due-bruun-2024-final", "innova-ldn-fibromyalgia"]
