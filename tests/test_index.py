"""An index on disk ranks as it should, survives what happens to disks, and never serves what it should not."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from assistant import index
from assistant.errors import CorpusError, IndexDamagedError, IndexMissingError, UnknownArticleError
from assistant.index import bm25, generation, top
from assistant.passages import bibliography, ranked_text, split, units_in
from assistant.records import CitedWork, Document, Page, Passage, Source, Unit
from assistant.text import sentences
from assistant.text.words import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from assistant.search import Candidates, Retriever, Vectors
    from tests.conftest import BagEncoder

PAGES = {
    "ldn-fibromyalgia": (
        "Does low dose naltrexone help in fibromyalgia?",
        {
            "Short answer": "Low dose naltrexone reduced pain in two small crossover trials, but larger trials are mixed.",
            "Dosing": "Start with 1.5 mg at bedtime. Raise the dose by 1.5 mg each week. Older adults need less.",
            "Safety": "Vivid dreams are common at first. Do not combine it with opioid analgesics: withdrawal may follow.",
        },
    ),
    "ldn-crohn": (
        "Does low dose naltrexone help in Crohn's disease?",
        {
            "Short answer": "One randomised trial in adults found endoscopic healing with 4.5 mg daily for twelve weeks.",
            "Safety": "Liver tests stayed normal in that trial; sleep was disturbed in seven of forty patients.",
        },
    ),
    "colchicine-gout": (
        "How is colchicine dosed in an acute gout flare?",
        {"Dosing": "Give 1.2 mg at once and 0.6 mg one hour later. Halve the dose with strong CYP3A4 inhibitors."},
    ),
}
WORKS = {
    "younger-2013": (
        "Low-dose naltrexone for fibromyalgia",
        "Thirty one women took 4.5 mg daily. Pain fell by 28.8%, against 18.0% with placebo.",
    ),
    "smith-2011": (
        "Naltrexone in active Crohn's disease",
        "Forty adults were randomised. Remission, or response, was more frequent with naltrexone.",
    ),
    "unread-1999": ("A book chapter nobody can read online", ""),
}
CITED = {"ldn-fibromyalgia": ["younger-2013", "unread-1999", "missing-2020"], "ldn-crohn": ["smith-2011"], "colchicine-gout": []}
WEIGHTS = {"naltrexon": 1.0, "pain": 1.0, "dose": 0.5}


@dataclass(frozen=True)
class Site:
    """A corpus as the index sees it."""

    folder: Path
    documents: Mapping[str, Document]
    hash: str


def body(sections: Mapping[str, str]) -> tuple[str, tuple[Unit, ...]]:
    """Headings and sentences as one text with its units."""
    text, units = "", []
    for heading, paragraph in sections.items():
        text += f"{heading}\n\n" if heading else ""
        spans = sentences.split(paragraph)
        units += [Unit(start=len(text) + a, end=len(text) + b, heading=(heading,) if heading else ()) for a, b in spans]
        text += f"{paragraph}\n\n"
    return text, tuple(units)


def article(key: str, related: tuple[str, ...] = ()) -> Document:
    question, sections = PAGES[key]
    text, units = body(sections)
    cited = tuple(CitedWork(n, ref) for n, ref in enumerate(CITED[key], 1))
    return Document(
        id=key, title=question, text=text, units=units, page=Page(question=question, references=cited, related=related)
    )


def reference(key: str) -> Document:
    title, abstract = WORKS[key]
    text, units = body({"": abstract} if abstract else {})
    source = Source(
        type="article-journal", authors=("Younger J", "van der Berg AB"), journal="Arthritis Rheum", year=2013, design="rct"
    )
    return Document(id=key, title=title, text=text, units=units, source=source)


def site(folder: Path, mark: str = "first", **changed: Document) -> Site:
    made = [article("ldn-fibromyalgia", ("ldn-crohn",)), article("ldn-crohn"), article("colchicine-gout"), *map(reference, WORKS)]
    documents = {d.id: d for d in made} | {d.id: d for d in changed.values()}
    return Site(folder, dict(sorted(documents.items())), mark)


def changed_gout() -> Document:
    text, units = body({"Dosing": "Give 1.2 mg at once. No more than 1.8 mg in one hour, and nothing for three days."})
    return replace(article("colchicine-gout"), text=text, units=units)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@dataclass(frozen=True)
class Row:
    """A ranked passage with its units."""

    passage: Passage
    lexical: float
    dense: float
    units: list[Unit]
    unit_lexical: list[float]
    unit_dense: list[float]


def by_passage(found: Candidates) -> list[Row]:
    return [
        Row(
            passage,
            float(found.lexical[n]),
            float(found.dense[n]),
            [found.units[at] for at in np.flatnonzero(found.owners == n)],
            found.unit_lexical[found.owners == n].tolist(),
            found.unit_dense[found.owners == n].tolist(),
        )
        for n, passage in enumerate(found.passages)
    ]


def shown(candidates: Candidates) -> list[tuple[object, ...]]:
    return [(c.passage.id, c.lexical, c.dense, c.unit_lexical, c.unit_dense) for c in by_passage(candidates)]


@pytest.fixture
def built(tmp_path: Path, bag_encoder: BagEncoder) -> index.Index:
    return index.build(site(tmp_path), bag_encoder, tmp_path / "index")


def reopened(built: index.Index) -> index.Index:
    return index.open(built.folder.parent, "first", "bag-of-words")


# What it ranks


def test_it_is_a_retriever(built: index.Index) -> None:
    retriever: Retriever = built
    assert retriever.corpus_hash == "first"


def test_documents_and_passages_come_back_as_they_went_in(built: index.Index, tmp_path: Path, bag_encoder: BagEncoder) -> None:
    again, documents = reopened(built), site(tmp_path).documents
    assert dict(again.documents) == documents
    assert list(again.documents) == sorted(documents)
    for document in documents.values():
        passages = split(document, bag_encoder.count)
        assert again.passages(document.id) == passages
        for passage in passages:
            assert again.units(passage.id) == units_in(document, passage)
    assert again.size == built.manifest["counts"]["passages"] == sum(len(again.passages(d)) for d in documents)


def test_in_an_article_every_passage_of_its_scope_is_scored_in_stored_order(built: index.Index, bag_encoder: BagEncoder) -> None:
    found = by_passage(built.rank(WEIGHTS, bag_encoder.encode(["naltrexone dose for pain"])[0], "ldn-fibromyalgia", 1))
    expected = [p.id for d in ("ldn-crohn", "ldn-fibromyalgia", "younger-2013") for p in built.passages(d)]
    assert [c.passage.id for c in found] == expected
    assert all(len(c.units) == len(c.unit_lexical) == len(c.unit_dense) for c in found)


def test_words_are_weighed_over_the_whole_corpus_in_an_article_as_on_the_site(
    built: index.Index, tmp_path: Path, bag_encoder: BagEncoder
) -> None:
    documents = site(tmp_path).documents.values()
    texts = {p.id: terms(f"{ranked_text(d, p)} {bibliography(d)}") for d in documents for p in split(d, bag_encoder.count)}
    scores = dict(zip(texts, bm25.build(texts.values()).scores(WEIGHTS), strict=True))
    query = bag_encoder.encode(["pain"])[0]
    for article_id in ("ldn-fibromyalgia", None):
        for candidate in by_passage(built.rank(WEIGHTS, query, article_id, 99)):
            assert candidate.lexical == pytest.approx(scores[candidate.passage.id], abs=1e-6)


def test_a_unit_is_as_near_as_its_nearest_clause(built: index.Index, bag_encoder: BagEncoder) -> None:
    query = bag_encoder.encode(["withdrawal may follow opioid analgesics"])[0]
    clauses = 0
    for candidate in by_passage(built.rank(WEIGHTS, query, "ldn-fibromyalgia", 9)):
        text = built.documents[candidate.passage.document].text
        for unit, cosine in zip(candidate.units, candidate.unit_dense, strict=True):
            whole = text[unit.start : unit.end]
            parts = [whole, *(whole[a:b] for a, b in sentences.clauses(whole))]
            clauses += len(parts) - 1
            assert cosine == pytest.approx(max(bag_encoder.encode(parts) @ query), abs=2e-6)
    assert clauses


def test_the_site_is_ranked_by_the_best_by_words_and_the_best_by_meaning(built: index.Index, bag_encoder: BagEncoder) -> None:
    query = bag_encoder.encode(["liver tests and sleep"])[0]
    everything = built.rank(WEIGHTS, query, None, 99)
    assert len(everything.passages) == built.size
    expected = sorted({*top(everything.lexical, 2).tolist(), *top(everything.dense, 2).tolist()})
    assert shown(built.rank(WEIGHTS, query, None, 2)) == [shown(everything)[n] for n in expected]
    assert shown(built.rank(WEIGHTS, query, None, 0)) == []


def test_units_score_the_same_in_an_article_and_on_the_site(built: index.Index, bag_encoder: BagEncoder) -> None:
    query = bag_encoder.encode(["naltrexone dose for pain"])[0]
    on_site = {row[0]: row for row in shown(built.rank(WEIGHTS, query, None, 99))}
    for row in shown(built.rank(WEIGHTS, query, "ldn-fibromyalgia", 99)):
        assert row[1] == on_site[row[0]][1]
        assert row[2] == pytest.approx(on_site[row[0]][2], abs=2e-6)
        assert row[3] == on_site[row[0]][3]
        assert row[4] == pytest.approx(on_site[row[0]][4], abs=2e-6)


def test_equal_scores_are_cut_in_order_of_position() -> None:
    assert top(np.array([0.0, 2.0, 1.0, 1.0, 1.0, 2.0]), 4).tolist() == [1, 5, 2, 3]
    assert top(np.zeros(5), 3).tolist() == [0, 1, 2]
    assert top(np.zeros(2), 5).tolist() == [0, 1]


def test_a_scope_is_the_article_its_references_and_related_works(built: index.Index) -> None:
    assert built.scope("ldn-fibromyalgia") == {"ldn-fibromyalgia", "ldn-crohn", "younger-2013", "unread-1999"}
    assert built.scope("colchicine-gout") == {"colchicine-gout"}
    assert built.scope(None) == set(built.documents)


@pytest.mark.parametrize("unknown", ["ldn-fibro", "LDN-Fibromyalgia", "younger-2013", "", "x" * 5000])
def test_an_unknown_article_is_refused_with_ids_that_exist(built: index.Index, unknown: str) -> None:
    with pytest.raises(UnknownArticleError, match=r"Articles that exist: .*ldn-fibromyalgia"):
        built.scope(unknown)
    with pytest.raises(UnknownArticleError) as refused:
        built.rank(WEIGHTS, np.zeros(384, dtype=np.float32), unknown, 3)
    assert len(str(refused.value)) < 300


def test_a_reference_without_an_abstract_is_known_but_never_ranked(built: index.Index, bag_encoder: BagEncoder) -> None:
    assert built.passages("unread-1999") == []
    assert "unread-1999" in built.documents
    found = built.rank({"chapter": 1.0}, bag_encoder.encode(["book chapter"])[0], None, 99)
    assert "unread-1999" not in {passage.document for passage in found.passages}


def test_frequency_counts_the_passages_of_the_scope(built: index.Index) -> None:
    assert built.frequency("opioid", "ldn-fibromyalgia") == 1
    assert (
        built.frequency("opioid", "colchicine-gout")
        == built.frequency("zebra", "ldn-crohn")
        == built.frequency("zebra", None)
        == 0
    )
    assert built.frequency("colchicin", None) == built.frequency("colchicin", "colchicine-gout") == 1


def test_a_work_is_found_by_its_author_year_and_design(built: index.Index, bag_encoder: BagEncoder) -> None:
    for word in terms("Younger Berg 2013 Arthritis rct"):
        assert built.frequency(word, "ldn-fibromyalgia") == 1, word
    found = built.rank({"younger": 1.0, "2013": 1.0}, bag_encoder.encode(["x"])[0], "ldn-fibromyalgia", 9)
    assert found.passages[int(found.lexical.argmax())].document == "younger-2013"


def test_the_vocabulary_holds_the_words_as_readers_see_them(built: index.Index) -> None:
    words = built.vocabulary("ldn-fibromyalgia")
    assert words["withdrawal"] == 1
    assert words["dreams"] == 1
    assert "colchicine" not in words
    assert built.vocabulary(None)["colchicine"] == 1
    assert words["naltrexone"] < built.vocabulary(None)["naltrexone"]


def test_vectors_are_those_of_the_units_of_a_passage(built: index.Index, bag_encoder: BagEncoder) -> None:
    for passage in built.passages("ldn-fibromyalgia"):
        text = built.documents["ldn-fibromyalgia"].text
        expected = bag_encoder.encode([text[u.start : u.end] for u in built.units(passage.id)])
        assert built.vectors(passage.id).tolist() == expected.tolist()
    assert built.vectors("no-such#1").shape == (0, 384)
    assert built.units("no-such#1") == ()


def test_two_threads_get_what_one_gets(built: index.Index, bag_encoder: BagEncoder) -> None:
    queries = bag_encoder.encode(["pain", "dose", "sleep", "liver"] * 10)
    scopes = ["ldn-fibromyalgia", "ldn-crohn", None, "colchicine-gout"] * 10
    expected = [shown(built.rank(WEIGHTS, q, a, 3)) for q, a in zip(queries, scopes, strict=True)]
    shared, found = reopened(built), {}

    def ask(name: int) -> None:
        found[name] = [shown(shared.rank(WEIGHTS, q, a, 3)) for q, a in zip(queries, scopes, strict=True)]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == expected


def test_extras_are_made_from_the_index_and_kept_with_it(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    def questions(fresh: index.Index) -> Mapping[str, object]:
        return {"ask": {key: fresh.documents[key].title for key in fresh.articles}, "passages": fresh.size}

    made = index.build(site(tmp_path), bag_encoder, tmp_path / "index", extras=questions)
    assert made.extras["ask"]["ldn-crohn"] == "Does low dose naltrexone help in Crohn's disease?"
    assert reopened(made).extras == made.extras
    assert index.build(site(tmp_path), bag_encoder, tmp_path / "index").extras == {}


def test_progress_is_told_document_by_document(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    seen: list[tuple[int, int]] = []
    index.build(site(tmp_path), bag_encoder, tmp_path / "index", lambda done, total: seen.append((done, total)))
    assert seen == [(n, 6) for n in range(1, 7)]


# What it is built from


def test_two_builds_of_one_corpus_are_equal_byte_for_byte(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    one = index.build(site(tmp_path), bag_encoder, tmp_path / "one")
    other = index.build(site(tmp_path), bag_encoder, tmp_path / "other")
    assert contents(one.folder) == contents(other.folder)


def test_only_changed_documents_are_encoded_again_and_the_bytes_are_those_of_a_full_build(
    tmp_path: Path, bag_encoder: BagEncoder
) -> None:
    index.build(site(tmp_path), bag_encoder, tmp_path / "index")
    bag_encoder.encoded.clear()
    after = site(tmp_path, "second", gout=changed_gout(), added=replace(reference("smith-2011"), id="another-2024"))
    incremental = index.build(after, bag_encoder, tmp_path / "index")
    assert bag_encoder.encoded
    assert all("mg at once" in text or "mg in one hour" in text or "nothing for" in text for text in bag_encoder.encoded)
    assert contents(incremental.folder) == contents(index.build(after, bag_encoder, tmp_path / "full").folder)


def test_a_document_taken_away_leaves_the_bytes_of_a_full_build(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    index.build(site(tmp_path), bag_encoder, tmp_path / "index")
    fewer = Site(tmp_path, {k: d for k, d in site(tmp_path).documents.items() if k != "ldn-crohn"}, "fewer")
    bag_encoder.encoded.clear()
    incremental = index.build(fewer, bag_encoder, tmp_path / "index")
    assert bag_encoder.encoded == []
    assert contents(incremental.folder) == contents(index.build(fewer, bag_encoder, tmp_path / "full").folder)


def test_vectors_of_a_damaged_generation_are_not_taken_over(built: index.Index, tmp_path: Path, bag_encoder: BagEncoder) -> None:
    flip(built.folder / "part_vectors.npy", 500, 3)
    again = index.build(site(tmp_path), bag_encoder, tmp_path / "index")
    assert contents(again.folder) == contents(index.build(site(tmp_path), bag_encoder, tmp_path / "fresh").folder)


def test_a_corpus_without_text_is_refused_and_the_old_index_stays(
    built: index.Index, tmp_path: Path, bag_encoder: BagEncoder
) -> None:
    unread = reference("unread-1999")
    with pytest.raises(CorpusError, match="nothing to search"):
        index.build(Site(tmp_path, {unread.id: unread}, "empty"), bag_encoder, tmp_path / "index")
    assert reopened(built).size == built.size


class BrokenEncoder:
    """Fails at the third document."""

    name = "bag-of-words"

    def __init__(self, encoder: BagEncoder) -> None:
        self.encoder, self.left = encoder, 2

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")
        return self.encoder.encode(texts)

    def count(self, text: str) -> int:
        return self.encoder.count(text)


def test_a_build_that_fails_leaves_the_old_index_and_the_next_build_clears_up(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    index.build(site(tmp_path), BagEncoderOfOtherName(), tmp_path / "index")
    with pytest.raises(OSError, match="No space left"):
        index.build(site(tmp_path, "second"), BrokenEncoder(bag_encoder), tmp_path / "index")
    assert index.open(tmp_path / "index", "first", "other-words").size
    index.build(site(tmp_path, "second"), bag_encoder, tmp_path / "index")
    assert not list((tmp_path / "index").glob(".build-*"))


class BagEncoderOfOtherName:
    """The same vectors under another name: still another encoder."""

    name = "other-words"

    def encode(self, texts: Sequence[str]) -> Vectors:
        rows = np.ones((len(texts), 384), dtype=np.float32)
        return rows / np.float32(np.sqrt(384))

    def count(self, text: str) -> int:
        return len(text.split())


# What happens to disks


def flip(file: Path, byte: int, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[byte % len(content)] ^= 1 << bit
    file.write_bytes(bytes(content))


def test_every_flipped_bit_is_found_and_its_file_named(built: index.Index) -> None:
    folder = built.folder.parent
    files = [folder / "CURRENT", *sorted(built.folder.iterdir())]
    chance = random.Random(3)  # noqa: S311 - a repeatable sample
    for n in range(60):
        file = files[n % len(files)]
        before = file.read_bytes()
        flip(file, chance.randrange(len(before)), chance.randrange(8))
        with pytest.raises(IndexDamagedError, match="followup index") as refused:
            reopened(built)
        assert file.name in str(refused.value) or file.name == "CURRENT"
        file.write_bytes(before)
    assert reopened(built).size == built.size


@pytest.mark.parametrize("name", ["passages.jsonl", "part_vectors.npy", "manifest.json", "units.terms.json"])
@pytest.mark.parametrize("torn", ["cut", "gone", "empty"])
def test_a_torn_file_is_refused_by_name(built: index.Index, name: str, torn: str) -> None:
    file = built.folder / name
    if torn == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-7] if torn == "cut" else b"")
    with pytest.raises(IndexDamagedError, match=f"{name}.*followup index"):
        reopened(built)


@pytest.mark.parametrize(
    "pointer", [b"", b"gen-000001\n", b"../../etc/passwd " + b"0" * 64 + b"\n", b"\xff\xfe", b"gen-000009 " + b"0" * 64 + b"\n"]
)
def test_a_pointer_that_leads_nowhere_is_refused(built: index.Index, pointer: bytes) -> None:
    (built.folder.parent / "CURRENT").write_bytes(pointer)
    with pytest.raises(IndexDamagedError, match="followup index"):
        reopened(built)


def test_an_index_that_was_never_built_is_missing_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError, match="followup index"):
        index.open(tmp_path / "nowhere", None, "bag-of-words")


@pytest.mark.parametrize(("corpus", "encoder", "named"), [("second", "bag-of-words", "corpus"), (None, "other-words", "encoder")])
def test_a_stale_or_foreign_index_is_refused_and_the_difference_named(
    built: index.Index, corpus: str | None, encoder: str, named: str
) -> None:
    with pytest.raises(IndexDamagedError, match=f"stale: its {named} is .*followup index"):
        index.open(built.folder.parent, corpus, encoder)


def test_without_a_corpus_hash_any_corpus_will_do(built: index.Index) -> None:
    assert index.open(built.folder.parent, None, "bag-of-words", deep=True).corpus_hash == "first"


def test_two_generations_are_kept_and_a_reader_of_an_older_one_reads_on(
    built: index.Index, tmp_path: Path, bag_encoder: BagEncoder
) -> None:
    query = bag_encoder.encode(["pain"])[0]
    untouched = reopened(built)
    (built.folder.parent / ".build-999999").mkdir()
    for mark in ("second", "third", "fourth"):
        index.build(site(tmp_path, mark), bag_encoder, tmp_path / "index")
    assert sorted(p.name for p in built.folder.parent.glob("*gen*")) == ["gen-000003", "gen-000004"]
    assert not list(built.folder.parent.glob(".build-*"))
    assert not built.folder.exists()
    assert len(untouched.rank(WEIGHTS, query, "ldn-fibromyalgia", 9).passages) == 6
    assert untouched.vocabulary("ldn-crohn")["liver"] == 1
    assert untouched.documents["ldn-crohn"] == article("ldn-crohn")


def forked(work: Callable[[], object]) -> int:
    """Run ``work`` in a child process; its id."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_build_killed_at_any_moment_leaves_the_old_index_or_the_new_one(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    folder, query = tmp_path / "index", bag_encoder.encode(["pain"])[0]
    both = [site(tmp_path, "first"), site(tmp_path, "second", gout=changed_gout())]
    expected = {}
    started = time.monotonic()
    for corpus in both:
        expected[corpus.hash] = shown(index.build(corpus, bag_encoder, folder).rank(WEIGHTS, query, None, 99))
    span = (time.monotonic() - started) / 2

    def build_on() -> None:
        while True:
            for corpus in both:
                index.build(corpus, bag_encoder, folder)

    for n in range(20):
        child = forked(build_on)
        time.sleep(span * (0.5 + n / 10))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = index.open(folder, None, "bag-of-words", deep=True)
        assert shown(found.rank(WEIGHTS, query, None, 99)) == expected[found.corpus_hash]
    index.build(both[0], bag_encoder, folder)
    assert {p.name[:4] for p in folder.iterdir()} == {".loc", "CURR", "gen-"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_two_builders_at_once_both_end_well(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    folder = tmp_path / "index"
    children = [forked(lambda mark=mark: index.build(site(tmp_path, mark), bag_encoder, folder)) for mark in ("first", "second")]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert sorted(p.name for p in folder.glob("gen-*")) == ["gen-000001", "gen-000002"]
    assert index.open(folder, None, "bag-of-words", deep=True).corpus_hash in ("first", "second")


@pytest.mark.slow
def test_readers_during_builds_always_find_a_whole_index(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    folder = tmp_path / "index"
    index.build(site(tmp_path), bag_encoder, folder)
    done = threading.Event()
    found: list[str] = []

    def read() -> None:
        while not done.is_set():
            found.append(index.open(folder, None, "bag-of-words").corpus_hash)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n in range(12):
            index.build(site(tmp_path, f"mark-{n}"), bag_encoder, folder)
    finally:
        done.set()
        reader.join()
    assert found
    assert set(found) <= {"first", *(f"mark-{n}" for n in range(12))}


def test_a_reader_whose_generation_is_taken_away_goes_on_with_the_next(tmp_path: Path, bag_encoder: BagEncoder) -> None:
    folder, seen = tmp_path / "index", []
    index.build(site(tmp_path), bag_encoder, folder)

    def slowly(found: generation.Generation) -> bytes:
        seen.append(found.folder.name)
        for mark in ("second", "third") if len(seen) == 1 else ():
            index.build(site(tmp_path, mark), bag_encoder, folder)
        return (found.folder / "catalog.json").read_bytes()

    assert generation.read(folder, slowly)
    assert seen == ["gen-000001", "gen-000003"]


def test_every_corpus_and_encoder_has_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    folders = {index.folder_for(tmp_path, tmp_path / c, e) for c in ("a", "b", "a/../b") for e in ("packaged", "../../etc")}
    assert len(folders) == 4
    assert all(f.parent == tmp_path / "indexes" for f in folders)


def test_an_index_moved_elsewhere_still_opens(built: index.Index, tmp_path: Path) -> None:
    shutil.copytree(built.folder.parent, tmp_path / "moved")
    assert index.open(tmp_path / "moved", "first", "bag-of-words", deep=True).size == built.size
