"""A conversation told to another reader, replayed from a link, exported; and what the page says in each language."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from string import Formatter
from typing import TYPE_CHECKING, Any

import bibtexparser
import pytest
import rispy

from assistant import corpus
from assistant.answers import ExtractiveWriter
from assistant.index import build
from assistant.lexicon import glosses
from assistant.pipeline import Assistant, Companions, prepare
from assistant.records import DISCLAIMER, MODEL_DISCLAIMER, Reader
from assistant.settings import Settings
from assistant.web import export, page
from assistant.web.strings import LANGUAGES, Voice, strings, voice
from tests.corpus_text import write_site

if TYPE_CHECKING:
    from collections.abc import Sequence

ARTICLE = "zorvastin-gout"
QUESTIONS = ("What is the maximum dose?", "Can it be taken with warfarin?", "What is the dose of duloxetine?", "Does it help?")


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    from tests.conftest import BagEncoder

    encoder = BagEncoder()
    site = write_site(tmp_path_factory.mktemp("site") / "corpus")
    index = build(corpus.load(site), encoder, tmp_path_factory.mktemp("index"), extras=lambda fresh: prepare(fresh, encoder))
    stored = index.extras
    return Assistant(index, encoder, ExtractiveWriter(), Companions(**stored["companions"]))


def talk(assistant: Assistant, wishes: Sequence[page.Wish], reader: Reader = Reader.CLINICIAN, language: str = "en") -> Any:
    log = page.opened(assistant, {"article": ARTICLE, "reader": reader, "lang": language})[3]
    for wish in wishes:
        log = list(page.exchange(assistant, wish, log, reader, ARTICLE, language))[-1]
    return log


def wishes(*questions: str) -> list[page.Wish]:
    return [page.Wish(question) for question in questions]


class Said(HTMLParser):
    """Collects the quotes of an answer (with their marks), its sources and its receipt: what no reader may change."""

    WATCHED = ("said", "source", "receipt", "mark", "quote", "summary-text")

    def __init__(self, written: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str]] = []
        self.parts: list[tuple[str, str, str]] = []
        self.feed(written)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "br":
            found = dict(attrs)
            self.open.append((tag, found.get("class") or ""))
            if "mark" in (found.get("class") or "").split():
                self.parts.append(("mark", found["href"] or "", ""))
            if found.get("class") == "receipt":
                self.parts.append(("receipt", found["title"] or "", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag != "br":
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if any(name in ("said", "quote", "summary-text") for _, name in self.open) and not any(
            name in ("flag", "by-editors", "labels", "marks", "glosses") for _, name in self.open
        ):
            self.parts.append(("words", data, ""))


def kept(log: Any) -> list[list[tuple[str, str, str]]]:
    return [sorted(Said(message["content"]).parts) for message in log if message["role"] == "assistant"][1:]


def claims(log: Any) -> list[list[str]]:
    found = [re.findall(r'<ol class="claims[^>]*>.*?</ol>', message["content"]) for message in log]
    return [[words for written in lists for _, words, _ in Said(written).parts] for lists in found]


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_quotes_numbers_citations_and_receipts_are_the_same_for_every_reader(assistant: Assistant, language: str) -> None:
    logs = [talk(assistant, wishes(*QUESTIONS), reader, language) for reader in Reader]
    assert kept(logs[0]) == kept(logs[1]) == kept(logs[2])
    assert claims(logs[0]) == claims(logs[1]) == claims(logs[2])
    assert sum(len(parts) for parts in kept(logs[0])) > 20
    contents = ["".join(message["content"] for message in log) for log in logs]
    assert len(set(contents)) == 3


def test_quotes_are_the_same_in_every_language(assistant: Assistant) -> None:
    english, spanish = (talk(assistant, wishes(*QUESTIONS), language=language) for language in ("en", "es"))
    assert claims(english) == claims(spanish)
    assert '<span class="said" lang="en">' in spanish[2]["content"]
    assert "lang=" not in english[2]["content"]


def test_only_readers_who_are_no_clinicians_get_medical_words_explained(assistant: Assistant) -> None:
    shown = {reader: "glosses" in str(talk(assistant, wishes(*QUESTIONS), reader)) for reader in Reader}
    assert shown == {Reader.CLINICIAN: False, Reader.PATIENT: True, Reader.RESEARCHER: True}


@pytest.mark.parametrize("reader", list(Reader))
def test_an_answer_comes_first_and_its_cautions_before_its_sources(assistant: Assistant, reader: Reader) -> None:
    content = talk(assistant, wishes("What is the usual dose?"), reader)[-1]["content"]
    places = [content.index(part) for part in ('<ol class="claims', "notice-caution", 'class="sources"')]
    assert places == sorted(places)


def test_a_conversation_told_to_another_reader_is_the_one_that_reader_would_have_had(assistant: Assistant) -> None:
    log = talk(assistant, [*wishes(*QUESTIONS), page.Wish(QUESTIONS[3], ("zorvastin",), 3)])
    told = page.again(assistant, log, voice("es", "patient"), ARTICLE)
    assert told == talk(assistant, [*wishes(*QUESTIONS), page.Wish(QUESTIONS[3], ("zorvastin",), 3)], Reader.PATIENT, "es")


def test_a_link_shows_the_same_answers_and_says_when_the_collection_has_changed(assistant: Assistant) -> None:
    log = talk(assistant, [*wishes(*QUESTIONS), page.Wish(QUESTIONS[3], ("zorvastin",), 3)], Reader.PATIENT)
    asked = [*({"q": question} for question in QUESTIONS), {"q": QUESTIONS[3], "without": ["zorvastin"], "follows": 3}]
    link = {"article": ARTICLE, "reader": "patient", "corpus": assistant.retriever.corpus_hash[:12], "asked": asked}
    chat, pane, reader, about = page.replayed(assistant, link, "en")
    assert (chat, reader, about) == (log, "patient", ARTICLE)
    assert "article-head" in pane
    changed = page.replayed(assistant, {**link, "corpus": "0123"}, "en")[0]
    assert voice().say("trouble.changed") in changed[1]["content"]
    assert [message["content"] for message in changed[2:]] == [message["content"] for message in log[1:]]


@pytest.mark.parametrize(
    "link", [None, [], {"asked": 3}, {"asked": [None, {"q": 3, "follows": "x", "without": 1}]}, {"asked": [{}] * 99}]
)
def test_a_forged_link_breaks_nothing(assistant: Assistant, link: object) -> None:
    chat, _, reader, about = page.replayed(assistant, link, "xx")
    assert (reader, about) == ("clinician", ARTICLE)
    assert len(chat) < 10


@pytest.mark.parametrize("form", ["ris", "bibtex"])
def test_the_cited_works_can_be_read_by_a_reference_manager(assistant: Assistant, form: str) -> None:
    log = talk(assistant, wishes(*QUESTIONS))
    written = page.exported_as(assistant, {"export": form, "sent": 1}, log, ARTICLE)
    text = "".join(Plain(written).parts)
    cited = {name for message in log for name in json.loads(message["metadata"]["id"]).get("cited", ())} | {ARTICLE}
    hashes = {json.loads(message["metadata"]["id"]).get("sha256") for message in log} - {None, ""}
    if form == "ris":
        entries = rispy.loads(text)
        assert {entry["id"] for entry in entries} == cited
        assert all(DISCLAIMER in entry["notes"] for entry in entries)
    else:
        library = bibtexparser.parse_string(text)
        assert not library.failed_blocks
        assert set(library.entries_dict) == cited
        assert all(DISCLAIMER in entry["note"] for entry in library.entries)
    assert all(sha256 in text for sha256 in hashes)


class Plain(HTMLParser):
    """Reads exported text as ``page.js`` does."""

    def __init__(self, written: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.feed(written)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.parts += ["\n"] if tag == "br" else []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def test_every_work_of_the_bundled_corpus_keeps_its_title_number_and_people_in_an_export() -> None:
    documents = list(corpus.load(Settings().corpus).documents.values())
    by_id = {document.id: document for document in documents}
    for entry in rispy.loads(export.ris(documents, {})):
        source = by_id[entry["id"]].source
        assert entry["title"] == " ".join(by_id[entry["id"]].title.split())
        assert entry.get("doi") == (source.doi if source else None)
        assert entry.get("authors", []) == (list(source.authors) if source else [])
    entries = bibtexparser.parse_string(export.bibtex(documents, {})).entries
    assert len(entries) == len(documents)
    for entry in entries:
        assert re.sub(r"\\(.)", r"\1", entry["title"]) == " ".join(re.sub(r"[{}\\]", "", by_id[entry.key].title).split())


def test_an_export_holds_only_works_of_the_collection(assistant: Assistant) -> None:
    forged = [
        {"role": "user", "content": "Dose?"},
        {"role": "assistant", "content": "", "metadata": {"id": '{"turn": 1, "cited": ["/etc/passwd", "<b>"]}'}},
    ]
    assert "passwd" not in page.exported_as(assistant, {"export": "ris"}, forged, None)


# What the page says


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_language_has_the_same_texts_with_the_same_places_to_fill_in(language: str) -> None:
    english, other = strings("en"), strings(language)
    assert set(english) == set(other)
    assert {key: places(text) for key, text in english.items()} == {key: places(text) for key, text in other.items()}


def test_another_language_leaves_nothing_in_english() -> None:
    english, spanish = strings("en"), strings("es")
    assert {key for key, text in english.items() if text and spanish[key] == text} == set()
    assert all(text for key, text in spanish.items() if not key.startswith("answer.lead"))


def test_the_disclaimer_of_the_page_is_that_of_every_answer() -> None:
    assert strings("en")["disclaimer.text"] == DISCLAIMER
    assert strings("en")["disclaimer.text-model"] == MODEL_DISCLAIMER
    for language in LANGUAGES:
        spoken = Voice(language)
        assert all(spoken.say(f"disclaimer.{key}") in page.render.disclaimer(spoken) for key in ("short", "text", "about", "act"))


def test_an_unknown_language_or_reader_gets_english_for_clinicians() -> None:
    assert voice("xx", "<b>") == voice(None, None) == Voice("en", Reader.CLINICIAN)


def test_medical_words_are_explained_without_a_figure_in_every_language() -> None:
    table = glosses.table()
    forms = [form.lower() for key in table for form in key.split("|")]
    assert len(table) >= 120
    assert len(forms) == len(set(forms))
    for key, meanings in table.items():
        assert set(meanings) == set(LANGUAGES), key
        assert not any(re.search(r"\d", meaning) for meaning in meanings.values()), key


def test_only_whole_words_are_explained_each_once_and_the_longest_first() -> None:
    found = glosses.explain("Placebo or placebo? Opioid analgesics, half-lifes; non-renal, RENAL.", "es")
    assert list(found) == ["Placebo", "Opioid analgesics", "RENAL"]
