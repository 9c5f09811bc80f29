"""The eval runner: each metric told apart from its failure, bad lines named, reports that can be trusted and opened safely."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from assistant import corpus
from assistant.answers import ExtractiveWriter, as_dict, citations_of, turn_of
from assistant.cli import turn_from
from assistant.companions import Companions
from assistant.errors import AssistantError, BadInputError
from assistant.evaluation import hashes, plots, run
from assistant.evaluation.again import second_process
from assistant.evaluation.cases import Expectation, read_set, set_hash
from assistant.evaluation.compare import compare, load_report
from assistant.evaluation.metrics import METRICS, holds, mark, summary
from assistant.evaluation.report import as_html, as_text, reasons, unmet
from assistant.index import build
from assistant.pipeline import Assistant, prepare
from assistant.records import Answer, Claim, Document, Notice, Outcome, Page, Passage, Query, Reason, Source, Support, Unit
from assistant.settings import Settings, bundled
from assistant.text.html import element, text
from tests.corpus_text import write_site

# -- answers made by hand ----------------------------------------------------------------------------------------------


def document(name, text, **kind):
    return Document(id=name, title=name, text=text, units=(Unit(start=0, end=len(text)),), **kind)


DOCUMENTS = {
    made.id: made
    for made in (
        document("zorvastin", "The maximum of zorvastin is 40 mg daily.", page=Page(question="Zorvastin?")),
        document("okafor", "Zorvastin 20 mg lowered flares by 31%.", source=Source(type="rct")),
        document("warning", "Do not use zorvastin with warfarin.", source=Source(type="label")),
    )
}
ANSWER, DECLINE = frozenset({Outcome.ANSWERED}), frozenset({Outcome.CLOSEST, Outcome.DECLINED})


def support(name):
    text = DOCUMENTS[name].text
    passage = Passage(id=f"{name}#0", document=name, heading=(), text=text, start=0, end=len(text))
    return Support(passage, 0, len(text))


def claim(name):
    return Claim(DOCUMENTS[name].text, (support(name),))


def answered(*names, notices=()):
    claims = tuple(claim(name) for name in names)
    supports = [s for c in claims for s in c.support] + [s for n in notices for s in n.support]
    return Answer(
        query=Query(text="maximum dose of zorvastin?", asked="maximum?"),
        outcome=Outcome.ANSWERED,
        claims=claims,
        notices=tuple(notices),
        citations=citations_of(supports, DOCUMENTS, "zorvastin"),
    )


DECLINED = Answer(query=Query(text="rain?", asked="rain?"), outcome=Outcome.DECLINED, reason=Reason.OUT_OF_SCOPE, message="No.")
CLOSEST = Answer(
    query=Query(text="rain?", asked="rain?"),
    outcome=Outcome.CLOSEST,
    nearest=(support("zorvastin"),),
    citations=citations_of([support("zorvastin")], DOCUMENTS, "zorvastin"),
)
CAUTION = Notice("caution", DOCUMENTS["warning"].text, (support("warning"),))


def expect(**fields):
    return Expectation(**fields, given=fields)


def scored(metric, expected, answer):
    return mark(expected, answer, "zorvastin", DOCUMENTS).scores.get(metric)


FACT = {"outcomes": ANSWER, "facts": (("40 mg",),)}


@pytest.mark.parametrize(
    ("metric", "expected", "right", "wrong"),
    [
        ("hit@1", expect(**FACT), answered("zorvastin"), answered("okafor", "zorvastin")),
        ("hit@1", expect(**FACT, sources=("article",)), answered("zorvastin"), DECLINED),
        ("hit@1", expect(**FACT, sources=("okafor",)), None, answered("zorvastin")),
        ("hit@1", expect(outcomes=ANSWER, sources=("article",)), answered("zorvastin"), answered("okafor")),
        ("hit@3", expect(**FACT), answered("okafor", "warning", "zorvastin"), answered("okafor", "warning")),
        ("hit@3", expect(**FACT), CLOSEST, DECLINED),
        ("fact_recall", expect(**FACT), answered("okafor", "zorvastin"), answered("okafor")),
        ("fact_recall", expect(**FACT), answered("zorvastin"), CLOSEST),
        ("answer_precision", expect(**FACT), answered("zorvastin"), answered("okafor")),
        ("answer_precision", expect(outcomes=ANSWER, sources=("okafor",)), answered("okafor"), answered("zorvastin")),
        ("refusal_precision", expect(outcomes=DECLINE), DECLINED, None),
        ("refusal_precision", expect(outcomes=ANSWER), None, CLOSEST),
        ("refusal_recall", expect(outcomes=DECLINE), CLOSEST, answered("zorvastin")),
        ("caution_recall", expect(caution=True), answered("zorvastin", notices=[CAUTION]), answered("zorvastin")),
        ("caution_recall", expect(caution=True), None, answered("zorvastin", notices=[replace(CAUTION, support=())])),
        ("caution_recall", expect(caution=True), None, DECLINED),
        ("caution_precision", expect(caution=True), answered("zorvastin", notices=[CAUTION]), None),
        ("caution_precision", expect(caution=False), None, answered("zorvastin", notices=[CAUTION])),
        ("notice_recall", expect(notice=("caution",)), answered("zorvastin", notices=[CAUTION]), answered("zorvastin")),
        ("citation_check", expect(), answered("zorvastin"), None),
    ],
)
def test_each_metric_tells_right_from_wrong(metric, expected, right, wrong):
    if right is not None:
        assert scored(metric, expected, right) == (1, 1)
    if wrong is not None:
        assert scored(metric, expected, wrong) == (0, 1)


def test_wrong_answers_are_those_that_say_what_none_must_or_answer_what_none_may():
    assert scored("wrong_answers", expect(must_not=("40 mg",)), answered("zorvastin")) == (1, 1)
    assert scored("wrong_answers", expect(must_not=("400 mg", "0 mg")), answered("zorvastin")) == (0, 1)
    assert scored("wrong_answers", expect(outcomes=DECLINE), answered("zorvastin")) == (1, 1)
    assert scored("wrong_answers", expect(outcomes=ANSWER), DECLINED) == (0, 1)


def test_a_false_refusal_is_a_turn_that_had_to_be_answered_and_was_not():
    assert scored("false_refusals", expect(outcomes=ANSWER), CLOSEST) == (1, 1)
    assert scored("false_refusals", expect(outcomes=ANSWER), answered("zorvastin")) == (0, 1)
    assert scored("false_refusals", expect(outcomes=ANSWER | DECLINE), DECLINED) is None
    assert scored("refusal_precision", expect(outcomes=ANSWER | DECLINE), DECLINED) == (1, 1)


def test_facts_of_a_turn_that_may_be_declined_count_only_when_it_is_answered():
    either = expect(outcomes=ANSWER | DECLINE, facts=(("40 mg",),))
    assert scored("fact_recall", either, DECLINED) is None
    assert scored("fact_recall", either, answered("okafor")) == (0, 1)


def test_a_metric_takes_no_turn_that_says_nothing_of_it():
    assert mark(Expectation(), answered("zorvastin"), "zorvastin", DOCUMENTS).scores == {"citation_check": (1, 1)}
    assert mark(Expectation(), DECLINED, "zorvastin", DOCUMENTS).scores == {}


def test_the_citation_check_finds_a_changed_number_and_a_moved_span():
    right = claim("zorvastin")
    span = right.support[0]
    moved = replace(span, passage=replace(span.passage, text="Another passage."))
    outside = replace(span, passage=replace(span.passage, start=5))
    for broken in (
        Claim(right.text.replace("40 mg", "400 mg"), right.support),
        Claim(right.text, (moved,)),
        Claim(right.text, (outside,)),
        Claim(right.text, (span, support("okafor"))),  # the second source has other numbers
    ):
        made = replace(answered("zorvastin"), claims=(broken,))
        assert scored("citation_check", expect(), made) == (0, 1)


def test_hit_is_what_ir_measures_calls_success():
    import ir_measures

    shown = [answered("zorvastin", "okafor"), answered("okafor", "warning", "zorvastin"), answered("okafor"), CLOSEST, DECLINED]
    expected = expect(outcomes=ANSWER, sources=("article",))
    truth = [ir_measures.Qrel(str(n), "zorvastin#0", 1) for n in range(len(shown))]
    ranked = [
        ir_measures.ScoredDoc(str(n), passage, -place)
        for n, answer in enumerate(shown)
        for place, passage in enumerate(as_dict(answer)["passages"])
    ]
    for k in (1, 3):
        theirs = ir_measures.calc_aggregate([ir_measures.Success @ k], truth, ranked)[ir_measures.Success @ k]
        assert sum(scored(f"hit@{k}", expected, answer)[0] for answer in shown) / len(shown) == pytest.approx(theirs)


def test_article_means_any_article_when_the_whole_site_is_asked():
    expected = expect(outcomes=ANSWER, sources=("article",))
    assert mark(expected, answered("zorvastin"), None, DOCUMENTS).scores["hit@1"] == (1, 1)
    assert mark(expected, answered("okafor"), None, DOCUMENTS).scores["hit@1"] == (0, 1)


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        ("Give 1.5–4.5mg daily", "1.5 to 4.5 mg", True),
        ("Give 1·5 mg", "1.5 mg", True),
        ("100 µg", "100 mcg", True),
        ("An opioid‑free interval", "opioid free", True),
        ("by 31 %", "31%", True),
        ("up to 4.5 mg", "5 mg", False),
        ("up to 14.5 mg", "4.5 mg", False),
        ("4 mg", "4.5 mg", False),
        ("40 mg", "4", False),
        ("It is CONTRAINDICATED", "contraindicat", True),
    ],
)
def test_a_fact_is_found_whatever_its_spelling_and_never_inside_another_number(text, wanted, found):
    assert holds(text, wanted) is found


# -- intervals ---------------------------------------------------------------------------------------------------------


def row(name, turn, got, latency=5.0, **more):
    return {"id": name, "turn": turn, "scores": {"hit@1": [got, 1]}, "latency_ms": latency, **more}


def test_intervals_are_the_same_every_time_and_hold_the_value():
    rows = [row(f"c{n}", 1, int(n % 3 > 0), latency=float(n)) for n in range(30)]
    for n, entry in enumerate(rows):
        entry["scores"]["fact_recall"] = [n % 5, 4 + n % 7]
    once = summary(rows)
    code = "import json, sys; from assistant.evaluation.metrics import summary; print(json.dumps(summary(json.load(sys.stdin))))"
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(rows), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == once
    entry = once["hit@1"]
    assert entry["value"] == pytest.approx(20 / 30, abs=1e-4)
    assert entry["n"] == 30
    assert 0 < entry["low"] < entry["value"] < entry["high"] < 1
    assert entry["high"] - entry["low"] == pytest.approx(2 * 1.96 * (2 / 3 * 1 / 3 / 30) ** 0.5, rel=0.1)  # as for any share
    assert set(once) == set(METRICS)
    assert once["caution_recall"] == {"value": None, "low": None, "high": None, "n": 0}


def test_intervals_are_over_conversations_not_over_turns():
    alike = [row(f"c{n}", turn, n % 2) for n in range(10) for turn in range(10)]
    alone = [row(f"c{n}-{turn}", turn, n % 2) for n in range(10) for turn in range(10)]
    wide, narrow = (summary(rows)["hit@1"] for rows in (alike, alone))
    assert wide["value"] == narrow["value"]
    assert wide["high"] - wide["low"] > 2 * (narrow["high"] - narrow["low"])


def test_latencies_are_nearest_rank_percentiles():
    entry = summary([row(f"c{n}", 1, 1, latency=float(n)) for n in range(1, 101)])
    assert (entry["latency_p50_ms"]["value"], entry["latency_p95_ms"]["value"]) == (50.0, 95.0)


def test_no_turn_gives_no_value():
    assert all(entry == {"value": None, "low": None, "high": None, "n": 0} for entry in summary([]).values())


# -- the set -----------------------------------------------------------------------------------------------------------


def line(**changes):
    turn = {"ask": "maximum?", "expect": {"outcome": "answered", "facts": [["40 mg"]], "sources": ["article"]}}
    return {"id": "one", "article": "zorvastin", "turns": [turn]} | changes


def with_expectation(**fields):
    return line(turns=[{"ask": "maximum?", "expect": fields}])


def write(path, *rows):
    path.write_text("\n".join(entry if isinstance(entry, str) else json.dumps(entry) for entry in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ("{not json", "not JSON"),
        ("[1]", "must be an object"),
        (line(tag=["dose"]), "tag: unknown field (perhaps 'tags')"),
        ({"article": "zorvastin", "turns": [{"ask": "x"}]}, "id: is missing"),
        ({"id": "one", "turns": [{"ask": "x"}]}, "article: is missing"),
        (line(article="zorvastine"), "article: 'zorvastine' is unknown (perhaps 'zorvastin')"),
        (line(article=7), "article: must be"),
        (line(article="okafor"), "article: 'okafor' is unknown"),
        (line(reader="king"), "reader: 'king' is none of clinician, patient, researcher"),
        (line(tags="dose"), "tags: must be a list"),
        (line(split="train"), "split: 'train' is none of tune, test"),
        (line(turns=[]), "turns: must be"),
        (line(turns=["maximum?"]), "turn 1: must be an object"),
        (line(turns=[{"expect": {}}]), "turn 1: ask: is missing"),
        (line(turns=[{"ask": "x"}, {"ask": "x" * 5000}]), "turn 2: ask: must be"),
        (line(turns=[{"ask": "x", "expct": {}}]), "turn 1: expct: unknown field (perhaps 'expect')"),
        (with_expectation(outcome="answerd"), "turn 1: expect.outcome: 'answerd' is none of"),
        (with_expectation(outcome=[]), "expect.outcome: the list is empty"),
        (with_expectation(outcome=["closest", 3]), "expect.outcome: 3 is none of"),
        (with_expectation(outcome="declined", reason="rude"), "expect.reason: 'rude' is none of"),
        (with_expectation(outcome="answered", reason="emergency"), "expect.reason: stands only beside"),
        (with_expectation(facts=["40 mg"]), "expect.facts: must be a list of lists"),
        (with_expectation(facts=[[]]), "expect.facts: must be a list of lists"),
        (with_expectation(sources=["okafr"]), "expect.sources: 'okafr' is neither \"article\" nor a document"),
        (with_expectation(caution="yes"), "expect.caution: must be true or false"),
        (with_expectation(notice=["conflicts"]), "expect.notice: 'conflicts' is none of"),
        (with_expectation(must_not="40 mg"), "expect.must_not: must be a list"),
        (with_expectation(must_nots=["x"]), "expect.must_nots: unknown field"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_what_is_wrong(tmp_path, bad, named):
    path = write(tmp_path / "set.jsonl", line(id="fine"), "", bad)
    with pytest.raises(BadInputError) as raised:
        read_set(path, DOCUMENTS)
    assert f"{path}:3: " in str(raised.value)
    assert named in str(raised.value)


def test_all_bad_lines_are_named_at_once(tmp_path):
    path = write(tmp_path / "set.jsonl", line(article="no"), line(), line(), line(reader="king", split="train"))
    with pytest.raises(BadInputError) as raised:
        read_set(path, DOCUMENTS)
    assert re.findall(r"jsonl:(\d+): (\w+)", str(raised.value)) == [
        ("1", "article"),
        ("3", "id"),
        ("4", "reader"),
        ("4", "split"),
    ]


def test_a_file_that_is_missing_or_empty_or_not_text_is_refused(tmp_path):
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    (tmp_path / "empty.jsonl").write_text("\n\n", encoding="utf-8")
    for name, why in (("none.jsonl", "cannot be read"), ("bytes.jsonl", "not UTF-8"), ("empty.jsonl", "no conversation")):
        with pytest.raises(BadInputError, match=why):
            read_set(tmp_path / name, DOCUMENTS)


def test_a_split_holds_only_its_conversations(tmp_path):
    path = write(tmp_path / "set.jsonl", line(id="a", split="tune"), line(id="b", split="test"), line(id="c"))
    assert [case.id for case in read_set(path, DOCUMENTS, "test")] == ["b"]
    assert len(read_set(path, DOCUMENTS)) == 3
    with pytest.raises(BadInputError, match='"split": "tune"'):
        read_set(write(path, line()), DOCUMENTS, "tune")


def test_the_hash_of_a_set_follows_its_words_not_its_spaces(tmp_path):
    one, spaced, other = (
        set_hash(read_set(write(tmp_path / "set.jsonl", text), DOCUMENTS))
        for text in (json.dumps(line()), json.dumps(line(), indent=None, separators=(" , ", " : ")), json.dumps(line(id="two")))
    )
    assert one == spaced != other


def test_the_bundled_set_is_right():
    texts = corpus.load(bundled("corpus"))
    cases = read_set(bundled("eval") / "followups.jsonl", texts.documents)
    assert len(cases) >= 120
    assert sum(len(case.turns) for case in cases) >= 300
    assert {case.article for case in cases} >= {name for name, made in texts.documents.items() if made.page}
    assert {case.split for case in cases} == {"tune", "test"}


# -- a whole run on the invented site ----------------------------------------------------------------------------------

SET = [
    {
        "id": "dose",
        "article": "zorvastin-gout",
        "tags": ["dose", "ellipsis"],
        "split": "tune",
        "turns": [
            {
                "ask": "What dose do I start with?",
                "expect": {"outcome": "answered", "facts": [["10 mg"]], "sources": ["article"]},
            },
            {
                "ask": "And the maximum?",
                "expect": {
                    "outcome": "answered",
                    "facts": [["40mg"]],
                    "must_not": ["400 mg"],
                    "caution": True,
                    "interpreted": [["dose"]],
                },
            },
            {"ask": "And of duloxetine?", "expect": {"outcome": "declined", "reason": "other-drug"}},
        ],
    },
    {
        "id": "wrong",
        "article": "zorvastin-gout",
        "tags": ["<script>alert(1)</script>"],
        "turns": [
            {
                "ask": "What is the usual dose?",
                "expect": {"outcome": "declined", "sources": ["okafor-2021"], "must_not": ["<b>20 mg</b>"]},
            },
            {"ask": "What are the side effects?", "expect": {"outcome": "answered", "facts": [["<img src=x onerror=alert(1)>"]]}},
            {"ask": "<script>alert(1)</script>", "expect": {"outcome": "answered"}},
        ],
    },
    {
        "id": "site",
        "article": None,
        "tags": ["whole-site"],
        "turns": [
            {"ask": "zorvastin with warfarin?", "expect": {"outcome": "answered", "sources": ["article"], "caution": True}},
            {"ask": "thanks"},
        ],
    },
]


def opened(folder):
    from tests.conftest import BagEncoder

    encoder = BagEncoder()
    index = build(
        corpus.load(write_site(folder / "corpus")), encoder, folder / "index", extras=lambda fresh: prepare(fresh, encoder)
    )
    return Assistant(index, encoder, ExtractiveWriter(), Companions(**index.extras["companions"]))


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    return opened(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def cases(assistant, tmp_path_factory):
    return read_set(write(tmp_path_factory.mktemp("set") / "set.jsonl", *SET), assistant.retriever.documents)


@pytest.fixture(scope="module")
def report(assistant, cases):
    return run(cases, assistant, lambda sample: hashes(sample, assistant))


def test_a_run_gives_every_part_of_the_report(report, cases, assistant):
    assert list(report) == ["overall", "first_turns", "follow_ups", "tags", "turns", "corpus_hash", "engine", "set_hash"]
    assert (report["corpus_hash"], report["set_hash"]) == (assistant.retriever.corpus_hash, set_hash(cases))
    assert "bag-of-words" in report["engine"]
    assert set(report["tags"]) == {"dose", "ellipsis", "whole-site", "<script>alert(1)</script>"}
    for group in (report["overall"], report["first_turns"], report["follow_ups"], *report["tags"].values()):
        assert list(group) == list(METRICS)
        assert all(set(entry) == {"value", "low", "high", "n"} for entry in group.values())
    assert report["overall"]["determinism"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 8}
    assert (report["first_turns"]["determinism"]["n"], report["follow_ups"]["determinism"]["n"]) == (3, 5)
    assert json.loads(json.dumps(report)) == report


def test_the_turns_before_are_the_history(report):
    turns = {(entry["id"], entry["turn"]): entry for entry in report["turns"]}
    assert "dose" in turns["dose", 2]["interpreted"]
    assert all(turns["dose", 2]["checks"].values())
    assert turns["dose", 3]["checks"]["reason"]
    assert turns["dose", 2]["answer"]["disclaimer"]
    assert turns["dose", 2]["expected"] == SET[0]["turns"][1]["expect"]


def test_what_does_not_hold_is_found_and_said(report):
    turns = {(entry["id"], entry["turn"]): entry for entry in report["turns"]}
    assert [name for name, held in turns["wrong", 1]["checks"].items() if not held] == ["outcome"]
    assert reasons(turns["wrong", 1]) == ["It is answered; expected is declined."]
    assert reasons(turns["wrong", 2]) == ["No claim says: <img src=x onerror=alert(1)>."]
    assert reasons(turns["dose", 2]) == []
    wrong = report["overall"]["wrong_answers"]
    assert (wrong["value"], wrong["n"]) == (pytest.approx(1 / 7, abs=1e-4), 7)  # the turn without expectation is no case


@pytest.mark.parametrize(
    ("check", "expected", "said"),
    [
        ("reason", {"reason": "emergency"}, "The reason is None; expected is emergency."),
        ("sources", {"sources": ["okafor-2021", "x"]}, "The claims cite zorvastin-gout; expected is okafor-2021 or x."),
        ("caution", {"caution": True}, "A caution with its citation is missing."),
        ("caution", {"caution": False}, "It carries a caution that does not belong here."),
        ("notice", {"notice": ["stale"]}, "Notices that are missing: stale."),
        ("must_not", {"must_not": ["40 mg", "9 mg"]}, "A claim says what none must: 40 mg."),
        ("interpreted", {"interpreted": [["gout", "flare"]]}, "The question as it was read does not say: gout or flare."),
        ("citations", {}, "A claim, or a number in it, does not stand where its citation says."),
        ("deterministic", {}, "The same question gave another answer when it was asked again."),
    ],
)
def test_each_failed_check_has_its_sentence(report, check, expected, said):
    turn = next(entry for entry in report["turns"] if (entry["id"], entry["turn"]) == ("dose", 2))
    assert reasons(turn | {"checks": {check: False}, "expected": expected}) == [said]


def test_another_hash_in_another_process_is_no_determinism(assistant, cases):
    told = run(cases, assistant, lambda sample: {(sample[0].id, 1): "0" * 64})
    assert told["overall"]["determinism"]["value"] == pytest.approx(7 / 8, abs=1e-4)
    assert not told["turns"][0]["checks"]["deterministic"]


def test_an_answer_that_changes_when_asked_again_is_no_determinism(tmp_path, cases):
    class Restless(Assistant):
        asked = 0

        def ask(self, asked, *arguments, **options):
            self.asked += 1
            return super().ask(f"{asked} {'dose' * (self.asked % 2)}", *arguments, **options)

    steady = opened(tmp_path)
    restless = Restless(steady.retriever, steady.encoder, steady.writer, steady.companions)
    assert run(cases, restless)["overall"]["determinism"]["value"] < 1


def test_a_turn_that_cannot_be_asked_is_named(assistant, cases):
    with pytest.raises(BadInputError, match=r"Conversation 'dose', turn 1: .*nowhere"):
        hashes([replace(cases[0], article="nowhere")], assistant)


def test_the_history_of_an_answer_is_what_a_client_would_send_back(assistant):
    answer = assistant.ask("What is the maximum dose?", article="zorvastin-gout")
    assert turn_of(answer) == turn_from(as_dict(answer), "the answer")
    assert turn_of(answer).passages


def test_a_second_process_that_fails_is_told_with_its_last_words(tmp_path, cases):
    settings = Settings(corpus=tmp_path / "nowhere", cache=tmp_path, encoder=str(tmp_path / "no-model"))
    with pytest.raises(AssistantError, match=r"second process.*ended with 1: .*nowhere"):
        second_process(settings, tmp_path / "set.jsonl", cases)


# -- comparing ---------------------------------------------------------------------------------------------------------


def worse(report):
    """Return the report as if the first turn had missed its fact."""
    changed = json.loads(json.dumps(report))
    changed["turns"][0]["checks"]["facts"] = False
    changed["turns"][0]["scores"]["fact_recall"] = [0, 1]
    return changed


def test_a_report_does_not_differ_from_itself(report):
    same = compare(report, report)
    assert same["flipped"] == []
    assert all(entry["difference"] in (0, None) for entry in same["metrics"].values())
    assert same["metrics"]["fact_recall"]["low"] == same["metrics"]["fact_recall"]["high"] == 0


def test_differences_are_paired_and_flipped_turns_are_listed(report):
    lost = compare(report, worse(report))
    assert lost["flipped"] == [{"id": "dose", "turn": 1, "asked": "What dose do I start with?", "lost": ["facts"], "gained": []}]
    entry = lost["metrics"]["fact_recall"]
    assert entry["difference"] == pytest.approx(-1 / 3, abs=1e-4)
    assert entry["low"] <= entry["difference"] <= entry["high"] <= 0
    assert compare(worse(report), report)["flipped"][0]["gained"] == ["facts"]
    assert "dose turn 1: lost facts" in as_text(report, lost)


def test_only_turns_of_both_reports_are_compared_and_the_rest_is_told(report):
    part = report | {"turns": report["turns"][:3], "set_hash": "other"}
    difference = compare(part, report)
    assert (difference["only_old"], difference["only_new"], difference["same_set"]) == (0, 5, False)
    assert "The eval sets differ" in as_text(report, difference)
    with pytest.raises(BadInputError, match="share no turn"):
        compare(report | {"turns": []}, report)


@pytest.mark.parametrize("text", ["nonsense", "[]", "{}", '{"turns": [{"id": 3}]}', '{"turns": [7]}'])
def test_what_is_no_report_is_refused(tmp_path, text):
    path = tmp_path / "old.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInputError, match=r"old\.json"):
        load_report(path)
    with pytest.raises(BadInputError, match="cannot be read"):
        load_report(tmp_path / "none.json")


def test_a_limit_is_a_floor_for_what_should_be_high_and_a_ceiling_for_what_should_be_low(report):
    def value(metric):
        return report["overall"][metric]["value"]

    assert unmet(report, [("fact_recall", value("fact_recall")), ("wrong_answers", value("wrong_answers"))]) == []
    missed = unmet(report, [("fact_recall", 0.99), ("wrong_answers", 0.01), ("caution_precision", 0.1), ("notice_recall", 0.1)])
    assert [text.split()[0] for text in missed] == ["fact_recall", "wrong_answers", "notice_recall"]
    assert "no case" in missed[-1]


# -- the page ----------------------------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """The elements of a page, its attributes and whether every element is closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_runs_nothing_that_it_quotes_and_loads_nothing(report):
    page = as_html(report, compare(report, worse(report)))
    seen = Seen()
    seen.feed(page)
    assert seen.open == []
    assert not {"script", "img", "b", "link", "iframe"} & set(seen.tags)
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("src", "href")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "http" not in re.sub(r"<blockquote>.*?</blockquote>", "", page)


def test_attributes_are_escaped_too():
    assert element("p", text("<"), title='"><b>') == '<p title="&quot;&gt;&lt;b&gt;">&lt;</p>'


def test_the_page_shows_each_failed_turn_with_what_came_before_and_why(report):
    page = as_html(report)
    failed = sum(not all(entry["checks"].values()) for entry in report["turns"])
    assert f"Failed turns: {failed} of 8" in page
    assert page.count("<article>") == failed
    second = page[page.index("wrong, turn 2") :]
    assert second.index("What is the usual dose?") < second.index("What are the side effects?") < second.index("No claim says:")
    assert page.count("<svg") == 3


def test_tuned_figures_are_called_tuned(report):
    assert "tuned" in as_text(report)
    assert "tuned" in as_html(report)
    fresh = report | {"turns": [entry | {"split": "test"} for entry in report["turns"]]}
    assert "tuned" not in as_text(fresh)
    assert "tuned" not in as_html(fresh)


def test_a_refusal_curve_runs_from_no_refusal_to_all_and_says_when_there_is_none():
    scores = np.random.default_rng(1).random(40)
    points = plots.curve([(float(score), "answer" if n % 2 else "decline") for n, score in enumerate(scores)])
    assert (points[0], points[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert points == sorted(points)
    assert plots.curve([(0.4, "answer")]) == []
    assert "No refusal curve" in plots.refusal_curve([])


def test_the_bars_of_the_latencies_hold_every_turn():
    drawn = plots.histogram([1.0] * 50 + [2.0] * 30 + [900.0])
    assert sum(int(count) for count in re.findall(r": (\d+) turns", drawn)) == 81
    assert "No latencies" in plots.histogram([])


# -- from a terminal ---------------------------------------------------------------------------------------------------


def followup(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "assistant.cli", "eval", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--split", "train"), "train"),
        (("--fail-under", "hit@1"), "METRIC=NUMBER"),
        (("--fail-under", "hits=0.5"), "hit@1"),
        (("--fail-under", "hit@1=nan"), "METRIC=NUMBER"),
        (("--json", "/nowhere/at/all.json"), "cannot be written"),
    ],
)
def test_a_bad_option_exits_with_2_before_anything_is_asked(arguments, named):
    done = followup(*arguments)
    assert done.returncode == 2
    assert named in done.stderr


def test_a_bad_set_exits_with_1_and_its_lines_before_a_model_is_loaded(tmp_path):
    site = write_site(tmp_path / "corpus")
    done = followup(str(write(tmp_path / "set.jsonl", "{}", line())), "--corpus", str(site))
    assert done.returncode == 1
    assert "set.jsonl:1: id: is missing" in done.stderr
    assert "set.jsonl:2: article: 'zorvastin' is unknown" in done.stderr
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_a_site_runs_its_own_set_and_the_second_process_agrees(tmp_path):
    own = write(tmp_path / "set.jsonl", *SET)
    out, page = tmp_path / "report.json", tmp_path / "report.html"
    options = ["--corpus", str(write_site(tmp_path / "corpus")), "--json", str(out), "--html", str(page)]
    first = followup(str(own), *options, "--fail-under", "determinism=1", "--fail-under", "citation_check=1")
    assert first.returncode == 0, first.stderr
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    again = followup(str(own), *options, "--compare", str(out), "--fail-under", "hit@1=1.1", "--fail-under", "notice_recall=0")
    assert again.returncode == 1
    assert "0 turns flipped" in again.stdout
    assert "hit@1 is " in again.stderr
    assert "notice_recall has no case" in again.stderr
