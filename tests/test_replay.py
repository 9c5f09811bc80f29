"""An answer is made again from its receipt, and what changed is named."""

import json

import pytest

from assistant import corpus
from assistant.answers import ExtractiveWriter, as_dict, turn_of
from assistant.companions import Companions
from assistant.errors import BadInputError
from assistant.index import build
from assistant.pipeline import Assistant, answer_hash, prepare
from assistant.records import Reader
from assistant.replay import as_text, read_receipt, replay
from tests.conftest import BagEncoder
from tests.corpus_text import write_site

ARTICLE = "zorvastin-gout"
QUESTION = "What is the maximum dose?"


@pytest.fixture
def site(tmp_path):
    return write_site(tmp_path / "corpus")


@pytest.fixture
def opened(tmp_path):
    """Open the site's assistant as it lies on disk now."""

    def open_site(folder, locale=""):
        encoder = BagEncoder()
        index = build(corpus.load(folder), encoder, tmp_path / "index", extras=lambda fresh: prepare(fresh, encoder))
        companions = Companions(**index.extras["companions"])
        return Assistant(index, encoder, ExtractiveWriter(), companions, locale)

    return open_site


def printed(answer):
    return json.dumps(as_dict(answer), ensure_ascii=False, indent=2)


def rows(found):
    return {row.what: row for row in found.rows}


def edit(folder, name, old, new):
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_same_corpus_gives_the_same_answer_again(site, opened):
    assistant = opened(site)
    found = replay(*read_receipt(printed(assistant.ask(QUESTION, article=ARTICLE)), "x"), opened(site))
    assert found.same
    assert all(row.same for row in found.rows)
    assert "same answer" in as_text(found)


def test_a_follow_up_is_replayed_with_its_history_its_reader_and_without_what_was_taken_away(site, opened):
    assistant = opened(site)
    first = assistant.ask("What dose do I start with?", article=ARTICLE)
    plain = assistant.ask("And the maximum?", [turn_of(first)], ARTICLE)
    term = plain.query.inherited[0].text
    answers = [
        plain,
        assistant.ask("And the maximum?", [turn_of(first)], ARTICLE, Reader.PATIENT, [term]),
        assistant.ask("And the maximum?", [turn_of(first), turn_of(plain)], ARTICLE),
        assistant.ask("1", [turn_of(first)], ARTICLE),
        assistant.ask("Is it safe?", [turn_of(plain)] * 30, ARTICLE),
    ]
    assert plain.query.text != answers[1].query.text
    for answer in answers:
        assert replay(*read_receipt(printed(answer), "x"), assistant).same


def test_a_receipt_alone_is_enough(site, opened):
    assistant = opened(site)
    receipt = json.dumps(as_dict(assistant.ask(QUESTION, article=ARTICLE))["receipt"])
    found = replay(*read_receipt(receipt, "x"), assistant)
    assert found.same
    assert "the file's own answer" not in rows(found)


def test_an_emergency_is_replayed_with_the_numbers_of_its_place(site, opened):
    receipt, answer = read_receipt(printed(opened(site, "UK").ask("I swallowed 30 tablets of zorvastin", article=ARTICLE)), "x")
    assert receipt.locale == "UK"
    assert replay(receipt, answer, opened(site, "UK")).same


def test_a_changed_sentence_is_named_and_the_answer_differs(site, opened):
    held = printed(opened(site).ask(QUESTION, article=ARTICLE))
    edit(site, "articles/zorvastin-gout.md", "maximum of 40 mg", "maximum of 80 mg")
    found = replay(*read_receipt(held, "x"), opened(site))
    assert not found.same
    assert not rows(found)["corpus"].same
    assert rows(found)["passage 1"].now.startswith("changed")
    assert "40 mg" in rows(found)["claims"].then
    assert "80 mg" in rows(found)["claims"].now


def test_a_sentence_that_moved_is_told_from_one_that_changed(site, opened):
    held = printed(opened(site).ask(QUESTION, article=ARTICLE))
    edit(site, "articles/zorvastin-gout.md", "Zorvastin (ZRV) for gout", "A word of welcome. Zorvastin (ZRV) for gout")
    found = replay(*read_receipt(held, "x"), opened(site))
    assert rows(found)["passage 1"].now.startswith("moved to ")


def test_a_change_elsewhere_leaves_the_answer_the_same(site, opened):
    held = printed(opened(site).ask(QUESTION, article=ARTICLE))
    edit(site, "articles/zorvastin-gout.md", 'last_updated: "2026-01-05"', 'last_updated: "2026-01-06"')
    found = replay(*read_receipt(held, "x"), opened(site))
    assert found.same
    assert rows(found)["corpus"].now != rows(found)["corpus"].then


def test_a_removed_reference_is_gone(site, opened):
    held = printed(opened(site).ask("How much did it lower flares over 24 weeks?", article=ARTICLE))
    cited = [span["document"] for span in json.loads(held)["receipt"]["spans"]]
    assert "okafor-2021" in cited
    (site / "references" / "okafor-2021.md").unlink()
    found = replay(*read_receipt(held, "x"), opened(site))
    assert not found.same
    assert rows(found)[f"passage {cited.index('okafor-2021') + 1}"].now.startswith("gone")


def test_a_removed_article_is_a_difference_not_a_crash(site, opened):
    held = printed(opened(site).ask(QUESTION, article=ARTICLE))
    edit(site, "articles/zorvastin-gout.md", 'id: "zorvastin-gout"', 'id: "zorvastin"')
    (site / "articles" / "zorvastin-gout.md").rename(site / "articles" / "zorvastin.md")
    found = replay(*read_receipt(held, "x"), opened(site))
    assert not found.same
    assert "zorvastin" in rows(found)["message"].now


def test_a_number_edited_in_the_file_is_found(site, opened):
    assistant = opened(site)
    held = printed(assistant.ask(QUESTION, article=ARTICLE))
    found = replay(*read_receipt(held.replace("40 mg", "400 mg"), "x"), assistant)
    assert not found.same
    assert not rows(found)["the file's own answer"].same
    assert "400 mg" in rows(found)["claims"].then


def test_an_answer_and_its_hash_edited_together_are_found(site, opened):
    assistant = opened(site)
    held = json.loads(printed(assistant.ask(QUESTION, article=ARTICLE)).replace("40 mg", "400 mg"))
    held["receipt"]["answer_sha256"] = answer_hash(held)
    found = replay(*read_receipt(json.dumps(held), "x"), assistant)
    assert not found.same
    assert not rows(found)["answer"].same


def test_the_order_of_the_keys_means_nothing(site, opened):
    assistant = opened(site)
    held = json.dumps(as_dict(assistant.ask(QUESTION, article=ARTICLE)), sort_keys=True)
    assert replay(*read_receipt(held, "x"), assistant).same


def test_another_version_is_named_though_the_answer_is_the_same(site, opened):
    assistant = opened(site)
    held = as_dict(assistant.ask(QUESTION, article=ARTICLE))["receipt"] | {"engine": "followup-assistant 0.0.9"}
    found = replay(*read_receipt(json.dumps(held), "x"), assistant)
    assert found.same
    assert rows(found)["engine"].then == "followup-assistant 0.0.9"
    assert not rows(found)["engine"].same


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no receipt"),
        ('{"receipt": 3}', "no receipt"),
        ("{}", "engine"),
        ('{"receipt": {"engine": 3}}', "engine"),
    ],
)
def test_a_bad_receipt_is_refused_with_its_field_and_the_way_out(text, named):
    with pytest.raises(BadInputError, match=named) as raised:
        read_receipt(text, "r.json")
    assert "r.json" in str(raised.value)
    assert "--json" in str(raised.value)


def test_a_receipt_without_its_history_or_with_an_unknown_reader_is_refused(site, opened):
    held = as_dict(opened(site).ask(QUESTION, article=ARTICLE))["receipt"]
    with pytest.raises(BadInputError, match="history"):
        read_receipt(json.dumps({name: value for name, value in held.items() if name != "history"}), "x")
    with pytest.raises(BadInputError, match="king"):
        read_receipt(json.dumps(held | {"reader": "king"}), "x")


def test_a_receipt_stays_small_however_long_the_conversation(site, opened):
    assistant = opened(site)
    first = turn_of(assistant.ask(QUESTION, article=ARTICLE))
    long = assistant.ask("And in children?", [first] * 200, ARTICLE)
    assert len(json.dumps(dict(long.receipt))) < 6_000


def test_no_control_character_of_a_receipt_reaches_the_terminal(site, opened):
    assistant = opened(site)
    held = as_dict(assistant.ask(QUESTION, article=ARTICLE))["receipt"] | {"encoder": "\x1b[31mred\x07"}
    assert "\x1b" not in as_text(replay(*read_receipt(json.dumps(held), "x"), assistant))
