"""What the page shows: only our tags, every word whole, and what must be said beside an answer."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.answers import EVIDENCE, STATUS
from assistant.records import (
    MODEL,
    Answer,
    Citation,
    CitedWork,
    Claim,
    Document,
    Notice,
    Outcome,
    Page,
    Passage,
    Query,
    Reader,
    Reason,
    Source,
    Support,
    Term,
    Unit,
)
from assistant.web import render
from assistant.web.strings import Voice

ENGLISH = Voice()
TAGS = {
    *("article", "header", "section", "details", "summary", "div", "p", "span", "strong", "sup", "q", "blockquote"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "ol", "ul", "li", "a", "button", "br"),
}
ATTRIBUTES = {"class", "id", "href", "title", "type", "role", "lang", "value", "tabindex", "target", "rel", "open", "dir"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</section></article><form action=https://evil.example><input>",
    "![pixel](https://evil.example/p.png) [link](javascript:alert(1)) $$x$$",
    "first line\n\n<iframe src=//evil.example>",
    "&lt;b&gt; stays as typed [9]",
    "' onclick='alert(1)",
]


class Seen(HTMLParser):
    """Collects the tags, attributes and words of a page."""

    def __init__(self, written: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(written)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "br":
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


FIRST = "The usual range is 1.5 to 4.5 mg a day."
LEAD = "Before prescribing, note:"
ITEM = "Contraindication: do not use it with opioid medicines."


def an_article(*, title: str = "Low-dose naltrexone", first: str = FIRST, status: str = "under-review") -> Document:
    text = f"{first}\n{LEAD}\n{ITEM}"
    lead = (len(first) + 1, len(first) + 1 + len(LEAD))
    return Document(
        id="ldn",
        title=title,
        text=text,
        units=(
            Unit(start=0, end=len(first), refs=(1,)),
            Unit(start=lead[0], end=lead[1], heading=("Safety",)),
            Unit(start=lead[1] + 1, end=len(text), heading=("Safety",), item=True, lead=lead, refs=(1, 2)),
        ),
        page=Page(
            question="What is the usual dose?",
            status=status,
            last_updated="2025-07-14",
            editorial_policy="https://example.org/policy",
            references=(CitedWork(1, "toljan"), CitedWork(2, "lost")),
        ),
    )


def a_reference(*, url: str | None = "https://www.example.org/paper", title: str = "Review of therapeutic use") -> Document:
    text = "This narrative review calls 1 to 5 mg a day low-dose naltrexone."
    source = Source(
        type="review", evidence_level="review", authors=("Toljan K", "Vrooman B"), journal="Med Sci", year=2018, url=url
    )
    return Document(id="toljan", title=title, text=text, units=(Unit(start=0, end=len(text)),), source=source)


def support_in(document: Document, unit: Unit) -> Support:
    passage = Passage(
        id=f"{document.id}#0", document=document.id, heading=unit.heading, text=document.text, start=0, end=len(document.text)
    )
    return Support(passage, unit.start, unit.end, unit.lead)


def cited(n: int, document: Document, unit: Unit, **changes: object) -> Citation:
    article = document.page is not None
    lead = document.text[slice(*unit.lead)] if unit.lead else None
    citation = Citation(
        n=n,
        document=document.id,
        kind=document.kind,
        title=document.title,
        section=" > ".join(unit.heading),
        quote=document.text[unit.start : unit.end],
        lead=lead,
        start=unit.start,
        end=unit.end,
        evidence="article" if article else "review",
        badge=EVIDENCE["article" if article else "review"],
        year=2025 if article else 2018,
        url=None if article else "https://www.example.org/paper",
        review=STATUS["under-review"] if article else None,
        own_publisher=False,
        summary=False,
    )
    return dataclasses.replace(citation, **changes)  # type: ignore[arg-type]


def an_answer(question: str = "Can it be combined with opioids?", **changes: object) -> Answer:
    article = an_article()
    unit = article.units[2]
    answer = Answer(
        query=Query(text=question, asked=question, article="ldn"),
        outcome=Outcome.ANSWERED,
        claims=(Claim(article.text[unit.start : unit.end], (support_in(article, unit),)),),
        citations=(cited(1, article, unit),),
    )
    return dataclasses.replace(answer, **changes)  # type: ignore[arg-type]


def declined(reason: Reason, **changes: object) -> Answer:
    return an_answer(outcome=Outcome.DECLINED, reason=reason, claims=(), citations=(), **changes)


def closest() -> Answer:
    article = an_article()
    return an_answer(
        outcome=Outcome.CLOSEST,
        claims=(),
        nearest=(support_in(article, article.units[2]),),
        missing=("children",),
        message="No dose for them.",
    )


def shown(answer: Answer) -> Seen:
    return Seen(render.answer(answer, 4))


def everywhere(text: str) -> str:
    """Put ``text`` into every place a person or a source can write to."""
    article = an_article(title=text, first=text or FIRST)
    reference = a_reference(url=text, title=text)
    citation = cited(
        1,
        article,
        article.units[0],
        title=text,
        quote=text,
        lead=text,
        section=text,
        badge=text,
        evidence=text,
        url=text,
        review=text,
    )
    query = Query(text=text, asked="other", inherited=(Term(text, text),), article="ldn")
    claim = Claim(text, (support_in(article, article.units[0]),))
    answer = an_answer(
        query=query, claims=(claim,), citations=(citation, dataclasses.replace(citation, n=2, kind="reference", summary=True)),
        notices=(Notice(text, text), Notice("caution", text)), suggestions=(text,), message=text,
    )  # fmt: skip
    no = declined(Reason.NOT_COVERED, missing=(text,), message=text)
    return "".join(
        [
            render.fold(article, {"toljan": reference}, [dataclasses.replace(article, id=text)]),
            render.answer(answer, 1, (text,)),
            render.answer(no, 2),
            render.failure(text),
            render.chips([text], text),
        ]
    )


@given(st.text() | st.sampled_from(HOSTILE) | st.text(alphabet="<>&\"'/= \n\rscriptonaimg[]()!$`"))
def test_whatever_is_written_only_our_tags_and_attributes_come_out(text: str) -> None:
    written = everywhere(text)
    seen = Seen(written)
    assert set(seen.tags) <= TAGS
    assert {name for name, _ in seen.attributes} <= ATTRIBUTES
    assert all(value.startswith(("#", "https://", "?article=")) for value in seen.values("href"))
    assert "\n" not in written
    assert "\r" not in written


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_whole(text: str) -> None:
    seen = shown(an_answer(query=Query(text=text, asked="other", article="ldn"), suggestions=(text,)))
    assert seen.text.count(text) == 2
    assert text in Seen(render.article(an_article(first=text), {})).text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://example.org", "data:text/html,x", "//example.org", "", None])
def test_only_https_addresses_become_links(url: str | None) -> None:
    assert render.outside_link(url, "Open") == ""


def test_every_sentence_and_item_of_the_article_can_be_pointed_at() -> None:
    article = an_article()
    ids = Seen(render.article(article, {})).values("id")
    assert [i for i in ids if i.startswith("s-")] == [f"s-{unit.start}-{unit.end}" for unit in article.units]


def test_the_article_says_its_review_status_and_what_it_means() -> None:
    text = Seen(render.article(an_article(), {})).text
    assert "Pending human review" in text
    assert "Reviewers have not finished checking this article" in text
    assert "Last updated 2025-07-14" in text


def test_the_article_names_its_reviewers_once_approved() -> None:
    article = an_article(status="approved")
    assert article.page is not None
    page = dataclasses.replace(article.page, reviewed_by=(("Ana Ruiz", "rheumatologist"),), reviewed_on="2025-08-01")
    text = Seen(render.article(dataclasses.replace(article, page=page), {})).text
    assert "Checked by Ana Ruiz (rheumatologist) on 2025-08-01." in text


def test_the_article_links_its_policy_and_its_numbered_references() -> None:
    seen = Seen(render.article(an_article(), {"toljan": a_reference()}))
    assert "https://example.org/policy" in seen.values("href")
    assert seen.values("href").count("#reference-1") == 2
    assert {"reference-1", "reference-2"} <= set(seen.values("id"))
    assert "Review of therapeutic use" in seen.text
    assert "lost (not in this collection)" in seen.text


def test_items_stand_in_a_list_under_their_heading() -> None:
    written = render.article(an_article(), {})
    assert "<h2>Safety</h2><p>" in written
    assert '<ul><li class="sentence"' in written


def test_the_other_articles_can_be_opened() -> None:
    seen = Seen(render.fold(an_article(), {}, [dataclasses.replace(an_article(), id="metformin")]))
    assert "?article=metformin" in seen.values("href")


def test_a_reference_is_not_shown_as_an_article() -> None:
    with pytest.raises(ValueError, match="toljan is a reference"):
        render.article(a_reference(), {})


def test_a_claim_is_a_quotation_with_its_lead_in_and_a_mark_that_opens_its_source() -> None:
    seen = shown(an_answer())
    assert f"“{LEAD} {ITEM}”" in seen.text
    assert "#source-4-1" in seen.values("href")
    assert "source-4-1" in seen.values("id")


def test_a_source_in_this_article_leads_to_its_sentence() -> None:
    unit = an_article().units[2]
    assert f"#s-{unit.start}-{unit.end}" in shown(an_answer()).values("href")


def test_a_source_in_another_article_does_not_lead_into_this_one() -> None:
    elsewhere = dataclasses.replace(an_answer().query, article="another")
    assert not [href for href in shown(an_answer(query=elsewhere)).values("href") if href.startswith("#s-")]


def test_our_summary_of_a_work_is_labelled_and_never_in_quotation_marks() -> None:
    reference = a_reference()
    unit = reference.units[0]
    claim = Claim(reference.text, (support_in(reference, unit),))
    seen = shown(an_answer(claims=(claim,), citations=(cited(1, reference, unit, summary=True, number=2),)))
    assert "Summary by our editors" in seen.text
    assert seen.text.count("Summary by our editors") == 2
    assert "“" not in seen.text
    assert "blockquote" not in seen.tags
    assert "Reference 2 of the article" in seen.text


def test_a_source_by_the_publisher_of_the_page_says_so() -> None:
    own = dataclasses.replace(an_answer().citations[0], own_publisher=True)
    assert "not an independent source" in shown(an_answer(citations=(own,))).text
    assert "not an independent source" not in shown(an_answer()).text


@pytest.mark.parametrize("kind", list(render.NOTICES))
def test_each_kind_of_notice_has_its_own_label(kind: str) -> None:
    seen = shown(an_answer(notices=(Notice(kind, "Said beside it.", an_answer().claims[0].support),)))
    assert f"{ENGLISH.say(f'notice.{kind}')}Said beside it.1" in seen.text
    assert f"notice notice-{kind}" in seen.values("class")


def test_notices_of_one_kind_stand_under_one_label() -> None:
    seen = shown(an_answer(notices=(Notice("caution", "First."), Notice("stale", "Newer."), Notice("caution", "Second."))))
    assert "CautionFirst.Second.Newer sourceNewer." in seen.text


def test_an_emergency_comes_before_everything_else() -> None:
    query = Query(text="cannot breathe (naltrexone)", asked="cannot breathe", inherited=(Term("naltrexone", "article"),))
    notices = (Notice("stale", "A newer source exists."), Notice("emergency", "Call 112 now."))
    answer = declined(Reason.EMERGENCY, query=query, notices=notices)
    seen = shown(answer)
    assert seen.text.startswith("This may be an emergencyCall 112 now.")
    assert "alert" in seen.values("role")
    assert "Read as" not in seen.text


def test_an_emergency_beside_an_answer_is_the_first_thing_shown() -> None:
    query = Query(text="cannot breathe (naltrexone)", asked="cannot breathe", inherited=(Term("naltrexone", "article"),))
    notices = (Notice("personal", "Ask them."), Notice("writer", "Written."), Notice("emergency", "Call 112 now."))
    for shape in (an_answer(query=query, notices=notices), dataclasses.replace(closest(), query=query, notices=notices)):
        assert shown(shape).text.startswith("This may be an emergencyCall 112 now.Read as")
    assert "The sources do not state this" in shown(dataclasses.replace(closest(), notices=notices)).text


@pytest.mark.parametrize("reader", list(Reader))
def test_only_short_notices_stand_before_the_answer_and_the_rest_in_the_order_of_the_reader(reader: Reader) -> None:
    notices = tuple(Notice(kind, f"Of {kind}.") for kind in reversed(render.NOTICES))
    written = render.answer(an_answer(notices=notices), 1, voice=Voice(reader=reader))
    order = re.findall(r"notice notice-([a-z-]+)|class=\"(claims|sources)", written)
    found = [kind or part for kind, part in order]
    before = ["emergency", "personal", "under-review", "writer", "premise"]
    assert found[: len(before) + 1] == [*before, "claims"]
    assert found[6] == {"clinician": "conflict", "patient": "caution", "researcher": "conflict"}[reader]
    assert sorted(found) == sorted([*render.NOTICES, "claims", "sources"])


def test_what_leads_in_several_items_is_said_once() -> None:
    place = an_answer().claims[0].support[0]
    text = f"{LEAD} {ITEM}"
    notices = (Notice("caution", text, (place,)), Notice("caution", f"{LEAD} Another item.", (place,)))
    assert f"Caution{text}1Another item.1" in shown(an_answer(notices=notices)).text


def test_what_a_language_model_worded_is_labelled_and_never_shown_as_a_quotation() -> None:
    article = an_article()
    claim = Claim("Opioids must not be combined with it.", (support_in(article, article.units[2]),), kind=MODEL)
    for language, label in (("en", "Worded by a language model"), ("es", "Redactado por un modelo de lenguaje")):
        written = render.answer(an_answer(claims=(claim,)), 1, voice=Voice(language))
        claims = written[written.index('<ol class="claims') : written.index("</ol>")]
        assert label in claims
        assert "blockquote" not in claims
        assert 'href="#source-1-1"' in claims
        assert f"{ITEM}”" in Seen(written).text


def test_the_review_state_is_repeated_with_each_answer_until_the_article_is_approved() -> None:
    citation = an_answer().citations[0]
    assert shown(an_answer()).text.startswith("Review statusThe article quoted here is pending human review.")
    approved = an_answer(citations=(dataclasses.replace(citation, review="approved"),))
    assert "Review status" not in shown(approved).text
    said = an_answer(notices=(Notice("under-review", "The article waits for review."),))
    assert "notice notice-under-review" in shown(said).values("class")
    assert shown(said).values("class").count("notice notice-under-review") == 1


def test_closest_says_that_the_sources_do_not_state_it_and_shows_the_nearest_passages() -> None:
    text = shown(closest()).text
    assert "The sources do not state this" in text
    assert "No dose for them." in text
    assert "Nearest passages, not an answer" in text
    assert f"{ITEM}”" in text


@pytest.mark.parametrize("reason", list(Reason))
def test_declined_says_why(reason: Reason) -> None:
    assert ENGLISH.say(f"reason.{reason}") in shown(declined(reason)).text


def test_declined_says_what_was_searched_or_at_least_what_is_missing() -> None:
    assert "Searched: 12 documents." in shown(declined(Reason.NOT_COVERED, message="Searched: 12 documents.")).text
    assert "Not found in the sources: driving." in shown(declined(Reason.NOT_COVERED, missing=("driving",))).text


def test_the_text_of_an_emergency_is_not_said_twice() -> None:
    answer = declined(Reason.EMERGENCY, message="Call 112 now.", notices=(Notice("emergency", "Call 112 now."),))
    assert shown(answer).text.count("Call 112 now.") == 1


def test_how_a_question_was_read_is_shown_with_a_way_to_take_a_term_away() -> None:
    query = Query(
        text="maximum dose of naltrexone",
        asked="maximum dose",
        inherited=(Term("naltrexone", "earlier question"),),
        article="ldn",
    )
    seen = Seen(render.answer(an_answer(query=query), 4, ("opioids",)))
    assert "Read as: maximum dose of naltrexone" in seen.text
    assert "naltrexone from an earlier question" in seen.text
    assert "Left out: opioids" in seen.text
    assert "naltrexone" in seen.values("title")


def test_a_question_read_as_it_was_asked_is_not_repeated() -> None:
    assert "Read as" not in shown(an_answer()).text


def test_the_greeting_says_that_it_is_automated() -> None:
    assert "automated assistant" in Seen(render.greeting(["How is it started?"])).text
