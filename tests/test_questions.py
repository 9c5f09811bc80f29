"""Follow-ups stand alone, and every word they did not hold is named and can be taken away."""

import pytest

from assistant.errors import BadInputError
from assistant.questions import MAX_CHARACTERS, Knowledge, clean, repair, resolve
from assistant.records import Turn

VOCABULARY = dict.fromkeys(
    "naltrexone naloxone fibromyalgia start maximum dose bedtime what inflammation discontinued opioid methotrexate".split(), 3
)
KNOWLEDGE = Knowledge(
    vocabulary=VOCABULARY,
    common=lambda word: word in {"the", "weather", "increments"},
    defined={"LDN": "low-dose naltrexone"},
    topic=frozenset({"naltrexone", "ldn"}),
)
OFFERED = ("What are the side effects?", "How does it work?")


def talk(*asked, without=()):
    """Return the query of the last question of a conversation."""
    turns, query = [], None
    for n, text in enumerate(asked):
        query = resolve(text, turns, KNOWLEDGE, without=without if n == len(asked) - 1 else ())
        turns.append(Turn(text, query.text, (), OFFERED))
    return query


@pytest.mark.parametrize(
    ("conversation", "interpreted"),
    [
        (["What dose should I start with?", "And the maximum?"], "And the maximum (dose)?"),
        (["Does it help fibromyalgia?", "what about Crohn's?"], "Does it help Crohn's?"),
        (["Does it help fibromyalgia?", "what about Crohn's?", "and MS?"], "Does it help multiple sclerosis?"),
        (["Can it be used in pregnancy?", "a 6-year-old?"], "Can it be used in a 6-year-old?"),
        (["Can it be used in pregnancy?", "what about children?"], "Can it be used in children?"),
        (["Can I take it with tramadol?", "and with ibuprofen?"], "Can I take it with ibuprofen?"),
        (["What is the maximum dose?", "And for duloxetine?"], "What is the maximum dose for duloxetine?"),
        (["Does it help fibromyalgia?", "why?"], "Why: Does it help fibromyalgia?"),
        (["Does it help fibromyalgia?", "yes"], "What are the side effects?"),
        (["Does it help fibromyalgia?", "the second one"], "How does it work?"),
        (["Does it help fibromyalgia?", "yes please"], "What are the side effects?"),
    ],
)
def test_a_follow_up_is_read_with_what_it_leaves_unsaid(conversation, interpreted):
    assert talk(*conversation).text == interpreted


def test_another_drug_stays_in_scope_until_the_articles_own_is_named():
    assert "duloxetine" in talk("What are the side effects of duloxetine?", "and the cost?").text
    assert "duloxetine" not in talk("What are the side effects of duloxetine?", "and for naltrexone?").text


def test_a_question_that_stands_alone_inherits_nothing():
    query = talk("Does it help fibromyalgia?", "How quickly should the naltrexone dose be increased in adults at home?")
    assert query.inherited == ()


def test_a_topic_switch_and_the_way_back_leave_no_trace():
    query = talk("What is the maximum dose?", "What are the side effects?", "What is the maximum dose?")
    assert query.text == "What is the maximum dose?"
    assert query.inherited == ()


def test_every_word_that_was_added_is_named():
    query = talk("What dose should I start with?", "And the maximum?")
    assert [(term.text, term.why) for term in query.inherited] == [("dose", "earlier question")]


def test_an_inherited_term_can_be_taken_away():
    assert "dose" not in talk("What dose should I start with?", "And the maximum?", without=["dose"]).text


def test_a_short_form_that_the_sources_define_is_spelled_out():
    assert talk("LDN at night?").text == "low-dose naltrexone at night?"


@pytest.mark.parametrize(
    ("typed", "meant"), [("fibromyalga", "fibromyalgia"), ("naltrexon", "naltrexone"), ("methotrexat", "methotrexate")]
)
def test_a_slip_is_repaired_to_a_word_of_the_sources(typed, meant):
    assert repair(typed, KNOWLEDGE) == meant


@pytest.mark.parametrize("word", ["naloxone", "nalmefene", "metronidazole", "duloxetine", "increments", "weather"])
def test_a_drug_or_an_english_word_is_never_repaired(word):
    assert repair(word, KNOWLEDGE) is None


def test_a_word_between_two_drugs_is_made_neither():
    assert repair("naltraxone", KNOWLEDGE) == "naltrexone"
    assert repair("nalmexone", KNOWLEDGE) is None


def test_a_correction_is_shown_with_what_was_typed():
    query = talk("fibromyalga dose")
    assert query.text == "fibromyalgia dose"
    assert query.inherited[0].why == "spelling of fibromyalga"


def test_passages_shown_before_are_remembered_by_id():
    query = resolve("why?", [Turn("dose?", "dose?", ("a#1", "a#2"))], KNOWLEDGE)
    assert query.shown == ("a#1", "a#2")


def test_control_and_surrogate_characters_do_not_reach_the_question():
    assert clean("dose\x00 \ud800for\u202e me\n\n?") == "dose for me ?"


def test_a_question_of_a_megabyte_is_refused_with_the_limit():
    with pytest.raises(BadInputError, match=f"at most {MAX_CHARACTERS:,}"):
        resolve("a" * 1_000_000, [], KNOWLEDGE)


@pytest.mark.parametrize(
    ("before", "asked", "read"),
    [
        ("Can I start it at an eGFR of 40?", "and at 35?", "Can I start it at an eGFR of 35?"),
        ("Is 4.5 mg enough for 12 weeks?", "and 9 mg?", "Is 9 mg enough for 12 weeks?"),
        ("Does vitamin B12 fall at an eGFR of 40?", "and at 35?", "Does vitamin B12 fall at an eGFR of 35?"),
        ("Is 3 mg safe in COVID-19?", "and 6 mg?", "Is 6 mg safe in COVID-19?"),
    ],
)
def test_another_number_takes_the_place_of_its_like(before, asked, read):
    assert talk(before, asked).text.replace(" (naltrexone)", "") == read


@pytest.mark.parametrize(
    "conversation",
    [
        ["What dose should I start with?", "And the maximum?"],
        ["Does it help fibromyalgia?", "what about Crohn's?"],
        ["Does it help fibromyalgia?", "yes"],
        ["Does it help fibromyalgia?", "why?"],
        ["What are the side effects of duloxetine?", "and the cost?"],
    ],
)
def test_every_inherited_term_can_be_taken_away(conversation):
    query = talk(*conversation)
    assert query.inherited
    left = talk(*conversation, without=[term.text for term in query.inherited])
    assert {term.text for term in left.inherited}.isdisjoint(term.text for term in query.inherited)
    assert left.text != query.text


def test_a_long_history_is_clipped_not_refused():
    assert resolve("why?", [Turn("dose?", " " * 60_000 + "(" * 60_000)] * 40, KNOWLEDGE).text
