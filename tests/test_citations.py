"""What a writer puts in its own words is shown only when its source says it; what is refused is named."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import corpus
from assistant.citations import Fault, check, quote, verify
from assistant.corpus.add import add
from assistant.errors import UnsupportedClaimError
from assistant.passages import split as passages_of
from assistant.records import MODEL, Claim, Document, Page, Passage, Support, Unit
from assistant.references import pubmed
from assistant.references.work import Work
from assistant.settings import bundled
from assistant.text.sentences import split
from assistant.text.words import words
from tests.mutants import mutants, rewrites

FIXTURES = Path(__file__).parent / "fixtures"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sentences_of(documents):
    """Return (quote, passage around it) of every unit."""
    return [
        (quote(document, Support(passage, unit.start, unit.end, unit.lead)), passage.text)
        for document in documents
        for passage in passages_of(document, lambda text: len(words(text)))
        for unit in document.units
        if passage.start <= unit.start and unit.end <= passage.end
    ]


@pytest.fixture(scope="module")
def bundled_sentences():
    return sentences_of(corpus.load(bundled("corpus")).documents.values())


@pytest.fixture(scope="module")
def pubmed_sentences():
    """(sentence, abstract) of the public PubMed records."""
    if not SHARED.is_dir():
        pytest.skip(f"the public sets are not in {SHARED}")
    found = []
    for path in sorted((SHARED / "pubmed_records" / "metapub").glob("*.xml")):
        with path.open("rb") as stream:
            works = [work for work in pubmed.read(stream, path.name) if isinstance(work, Work)]
        texts = [" ".join(text for _, text in work.abstract) for work in works]
        found += [(text[start:end], text) for text in dict.fromkeys(texts) for start, end in split(text)]
    return found


def accepted_mutants(sentences):
    """Return how many mutants there were of each kind, and those that were accepted."""
    made, accepted = Counter(), []
    for sentence, passage in sentences:
        for kind, mutant in dict.fromkeys(mutants(sentence)):
            made[kind] += 1
            if check(mutant, [passage]).accepted:
                accepted.append((kind, mutant))
    return made, accepted


def refused_rewrites(sentences):
    """Return how many rewrites there were, and those that were refused."""
    made, refused = 0, []
    for sentence, passage in sentences:
        for kind, source, claim in rewrites(sentence):
            made += 1
            if not check(claim, [passage.replace(sentence, source) if sentence in passage else source]).accepted:
                refused.append((kind, claim))
    return made, refused


def test_no_mutant_of_a_bundled_sentence_is_accepted(bundled_sentences):
    made, accepted = accepted_mutants(bundled_sentences[::3])
    assert not accepted
    assert made.total() > 1_500
    assert len(made) >= 15


@pytest.mark.slow
@pytest.mark.shared
def test_no_mutant_of_a_published_sentence_is_accepted(pubmed_sentences):
    made, accepted = accepted_mutants(pubmed_sentences[::6])
    assert not accepted
    assert made.total() > 1_000


@pytest.mark.slow
def test_a_faithful_rewrite_of_a_bundled_sentence_is_accepted(bundled_sentences):
    made, refused = refused_rewrites(bundled_sentences[::3])
    assert made > 1_500
    assert len(refused) <= made / 100, refused[:5]


@pytest.mark.slow
@pytest.mark.shared
def test_a_faithful_rewrite_of_a_published_sentence_is_accepted(pubmed_sentences):
    made, refused = refused_rewrites(pubmed_sentences[::6])
    assert made > 1_000
    assert len(refused) <= made / 100, refused[:5]


@pytest.mark.slow
@pytest.mark.shared
def test_no_mutant_of_any_sentence_is_accepted_and_nearly_every_rewrite_is(bundled_sentences, pubmed_sentences):
    made, accepted = accepted_mutants(bundled_sentences + pubmed_sentences)
    assert not accepted
    assert made.total() > 10_000
    rewritten, refused = refused_rewrites(bundled_sentences + pubmed_sentences)
    assert rewritten > 10_000
    assert len(refused) <= rewritten / 1_000, refused[:5]


def test_every_sentence_of_the_corpus_passes_as_itself(bundled_sentences):
    assert all(check(sentence, [passage]).accepted for sentence, passage in bundled_sentences)
    assert all(check(sentence, [sentence]).accepted for sentence, _ in bundled_sentences)


# pairs.jsonl was written before the rules, attacks.jsonl with the rules in view.
@pytest.mark.parametrize(
    "row", [*rows(FIXTURES / "pairs.jsonl"), *rows(FIXTURES / "attacks.jsonl")], ids=lambda row: f"{row['id']}-{row['kind']}"
)
def test_adversarial_pairs_are_told_apart(row):
    ruling = check(row["sentence"], [row["passage"]])
    assert ruling.accepted == (row["expect"] == "accept"), ruling


@pytest.mark.shared
def test_no_corrupted_sentence_by_another_author_is_accepted():
    path = SHARED / "safety" / "corruption_pairs.jsonl"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    wrong = [row["sentence"] for row in rows(path) if row["expect"] == "reject"]
    sources = [row["passage"] for row in rows(path) if row["expect"] == "reject"]
    assert len(wrong) >= 10
    assert not [said for said, source in zip(wrong, sources, strict=True) if check(said, [source]).accepted]


@pytest.mark.parametrize(
    ("claim", "fault"),
    [
        ("Give 45 mg of zorvastin every two weeks.", Fault.NUMBER),
        ("Give 4.5 mcg of zorvastin every two weeks.", Fault.NUMBER),
        ("Give 4.5 mg of zorvastin every three weeks.", Fault.NUMBER),
        ("Do not give 4.5 mg of zorvastin every two weeks.", Fault.NEGATION),
        ("Give 4.5 mg of naloxone every two weeks.", Fault.DRUG),
        ("Give 4.5 mg of zorvastin before every two weeks.", Fault.DIRECTION),
        ("Give at most 4.5 mg of zorvastin every two weeks.", Fault.BOUND),
        ("Give children 4.5 mg of zorvastin every two weeks.", Fault.POPULATION),
        ("Give 4.5 mg of zorvastin unless pain every two weeks.", Fault.CONDITION),
        ("Perhaps give 4.5 mg of zorvastin every two weeks.", Fault.HEDGE),
        ("Give 4.5 mg of zorvastin rather than every two weeks.", Fault.COMPARISON),
        ("Give 4.5 mg of zorvastin slowly every two weeks.", Fault.WORD),
        ("Zorvastin cures gout pain.", Fault.COVERAGE),
        ("Every two weeks give 4.5 mg of zorvastin.", Fault.ORDER),
        ("Give 4.5 mg every two weeks.", Fault.CUT),
        ("Is it the?", Fault.EMPTY),
    ],
)
def test_a_refusal_names_its_gravest_reason(claim, fault):
    ruling = check(claim, ["Give 4.5 mg of zorvastin every two weeks."])
    assert not ruling.accepted
    assert ruling.reason is fault
    assert ruling.detail


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("Give 1.5–4.5 mg daily.", "Give 1·5 to 4·5 mg per day."),
        ("Give 1,5 mg daily.", "Give 1.5 mg each day."),
        ("Give 1500 mg twice daily.", "Give 1,500mg two times a day."),
        ("Give 5 µg/kg weekly.", "Give 5 micrograms per kg a week."),
        ("The change was -0.6% (p<0.05).", "The change was −0.6 percent (p < .05)."),
        ("It rose to 10^6 copies/ml.", "It rose to 10⁶ copies per mL."),
        ("Zorvastin lowers flares.", "Zorvastin lowers flares, which was well shown."),
        ("Zorvastin lowers flares.", "Zorvastin, an antagonist of urate, lowers flares."),
        ("LDN reduced pain by 32% in women.", "A cohort study found that LDN reduced pain by 32% in women and 44% in men."),
        ("A 12-week randomized trial of vitamin B12 in anemia.", "A twelve week randomised trial of vitamin-B12 in anaemia."),
    ],
)
def test_what_says_the_same_is_accepted(claim, source):
    assert check(claim, [source]).accepted


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The change was 0.6%.", "The change was −0.6%."),
        ("It rose to 106 copies.", "It rose to 10⁶ copies."),
        ("Give 5 mg.", "Give 5 mg/kg."),
        ("Give 5 to 10 mg.", "Give 5 mg and 10 mg."),
        ("Give 5 mg.", "Give 5 to 10 mg."),
        ("It acts on TLR2.", "It acts on TLR4."),
        ("Give 4.5 [45] mg.", "Give 4.5 mg."),
        ("There were severe reactions.", "There were several reactions."),
        ("Give twice the dose.", "Give half the dose."),
        ("The median was 7 [50-100].", "The median was 7 [5-10]."),
        ("Zorvastin treats hepatitis.", "Zorvastin treats hepatitis A."),
        ("Zorvastin treats hepatitis A.", "Zorvastin treats hepatitis."),
        ("Tumours were HER2+.", "Tumours were HER2-."),
        ("Risk ↑ with age.", "Risk ↓ with age."),
        ("Give 5 mg.", "Give ~5 mg."),
        ("Pain fell by 5 mg.", "Pain fell to 5 mg."),
        ("Give 12345678901234567 mg.", "Give 22345678901234567 mg."),
        ("Zorvastin cures gout.", "Does zorvastin cure gout?"),
        ("Survival improved.", "Overall survival improved."),
        ("Give 20 mg.", "Give 20 mg (off-label)."),
        ("Give 20 mg.", "Give 20 mg, always together with folic acid."),
        ("Aspirin and zorvastin raise the risk.", "Aspirin, the statin, and zorvastin raise the risk."),
        ("Pain fell by 32% in women.", "One trial found no proof that pain fell by 32% in women and 44% in men."),
        ("Pain fell by 32%.", "Pain fell by 32% in women and 44% in men."),
        ("Give 5 mg at noon.", "Give 5 mg at noon and 10 mg at night."),
        ("Nausea stopped.", "A trial in children found that nausea stopped."),
        ("Lower flare counts.", "Lower flare counts, higher urate, and pain are linked with death."),
        ("Lower flare counts.", "Placebo showed lower flare counts."),
        ("Zorvastin for gout, a disease of joints.", "Zorvastin for gout, a disease of joints, is worthless."),
        ("Zorvastin was not stopped.", "Zorvastin was not stopped because of nausea."),
    ],
)
def test_what_looks_alike_and_says_another_thing_is_refused(claim, source):
    assert not check(claim, [source]).accepted


def test_a_list_item_is_nothing_without_the_lead_in_that_forbids_it():
    passage = "Zorvastin must never be used in:\nPregnancy with vomiting\nUse together with warfarin"
    assert not check("Use together with warfarin.", [passage]).accepted
    assert check("Zorvastin must never be used in: Use together with warfarin", [passage]).accepted


@pytest.mark.parametrize("file", ["div_page.html", "metformin_page.html", "statin_page.txt"])
def test_every_sentence_of_an_imported_page_passes_as_itself(file, tmp_path):
    add([FIXTURES / file], tmp_path / "corpus")
    documents = corpus.load(tmp_path / "corpus").documents
    sentences = sentences_of(documents.values())
    assert len(sentences) >= 3
    assert all(check(said, [sentence]).accepted for sentence, _ in sentences for said in (sentence, f"{sentence} "))


def test_a_claim_of_two_sentences_needs_both():
    passage = "Nausea was rare. Zorvastin lowered flares by 31%. Rash was not seen."
    assert check("Nausea was rare. Rash was not seen.", [passage]).accepted
    assert check("Nausea was rare. Rash was seen.", [passage]).reason is Fault.NEGATION


def test_a_claim_is_held_against_each_passage_but_never_against_two_at_once():
    passages = ["Zorvastin lowered flares.", "Warfarin caused bleeding."]
    assert check("Warfarin caused bleeding.", passages).accepted
    assert not check("Zorvastin caused bleeding.", passages).accepted


def test_a_quote_must_stand_in_a_passage_letter_by_letter():
    passages = ["Zorvastin lowered flares by 31%."]
    assert check(passages[0], passages, "lowered flares by 31%").accepted
    assert check(passages[0], passages, "lowered flares by 13%").reason is Fault.QUOTE
    assert check(passages[0], passages, " ").reason is Fault.QUOTE
    assert check(passages[0], []).reason is Fault.NO_SOURCE


@pytest.mark.slow
def test_hostile_text_is_checked_in_time_that_grows_with_its_length():
    for text in ("1-" * 20_000, "[1," * 20_000, "a, " * 5_000, "; b" * 60, "not " * 10_000, "(" * 20_000, "1 to " * 10_000):
        assert not check(text + "x", ["Give 4.5 mg of zorvastin."]).accepted


@given(st.text(max_size=80), st.text(max_size=200))
def test_any_text_gets_a_ruling_and_passes_as_itself(claim, passage):
    assert check(claim, [passage]).reason in Fault
    assert check(passage, [passage]).accepted or not passage.strip()


@given(
    st.lists(st.sampled_from("not 4.5 mg co non -6 1 to 3 % daily zorvastin ( ) ; , : < 10^6 .5 a of [3] between and".split()))
)
def test_any_run_of_pieces_gets_a_ruling(pieces):
    text = " ".join(pieces)
    assert check(text, [f"Give {text} daily."]).reason in Fault
    assert check(f"{text}.", [text]).accepted or check(f"{text}.", [text]).reason in (Fault.EMPTY, Fault.NO_SOURCE)


@pytest.fixture
def written():
    """A document of two sentences, and a claim in a writer's words on the first of them."""
    text = "Zorvastin is given at 20 mg a day. It may cause nausea."
    units = (Unit(start=0, end=34), Unit(start=35, end=len(text)))
    document = Document(id="z", title="Z", text=text, units=units, page=Page(question="?"))
    passage = Passage(id="z#0", document="z", heading=(), text=text, start=0, end=len(text))

    def claim(said, unit=0, kind=MODEL):
        return Claim(said, (Support(passage, units[unit].start, units[unit].end),), kind)

    return claim, {"z": document}


def test_what_a_writer_wrote_stays_when_its_source_says_it_and_goes_when_not(written):
    claim, documents = written
    good, bad = claim("Zorvastin is given at 20 mg daily."), claim("Zorvastin is given at 200 mg daily.")
    assert verify([good, bad], documents) == [good]


def test_what_a_writer_wrote_must_stand_in_the_sentence_it_cites(written):
    claim, documents = written
    assert verify([claim("It may cause nausea", unit=0)], documents) == []
    assert len(verify([claim("It may cause nausea", unit=1)], documents)) == 1


def test_a_quoted_claim_in_other_words_is_a_defect_even_when_true(written):
    claim, documents = written
    with pytest.raises(UnsupportedClaimError):
        verify([claim("Zorvastin is given at 20 mg daily.", kind="fact")], documents)
