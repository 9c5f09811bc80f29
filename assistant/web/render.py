"""Answer | Document -> Html: one fixed template without newlines, round text that is always escaped."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NewType
from urllib.parse import quote

from assistant.answers import EVIDENCE, STATUS, numbers
from assistant.lexicon import glosses
from assistant.records import (
    MODEL,
    Answer,
    Citation,
    Claim,
    Document,
    Notice,
    Outcome,
    Page,
    Reader,
    Reason,
    Source,
    Support,
    Unit,
)
from assistant.web.strings import LANGUAGES, Voice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Html = NewType("Html", str)

NOTICES = (
    *("emergency", "personal", "under-review", "writer", "premise", "conflict", "population", "caution", "off-label"),
    *("retracted", "stale", "second-hand", "self-published"),
)
STATES = ("submitted", "under-review", "approved")  # in the order in which an article passes them
BEFORE = NOTICES[: NOTICES.index("premise") + 1]  # the answer; short ones, so that it is in sight
# Notices that stand next after it; the others follow in the order above.
NEXT: Mapping[Reader, tuple[str, ...]] = {
    Reader.CLINICIAN: (),
    Reader.PATIENT: ("caution", "off-label", "population"),
    Reader.RESEARCHER: ("conflict", "retracted", "population", "stale", "second-hand", "self-published"),
}
# Notices in the program's own words, which are English; the others are a source's or an editor's.
OWN = ("emergency", "personal", "premise", "population", "second-hand", "stale", "self-published", "retracted", "writer")
ORIGINS: Mapping[str, str] = {
    "earlier question": "origin.earlier-question",
    "the article": "origin.the-article",
    "the suggestion you accepted": "origin.suggestion",
}
NO_DOCUMENTS: Mapping[str, Document] = {}
PLAIN = Voice()
# Each review state's name and what it means, in English; the page says both in the reader's language.
STATUSES: Mapping[str, tuple[str, str]] = {
    status: (PLAIN.say(f"status.{status}"), PLAIN.say(f"status.{status}-means")) for status in STATUS
}
_LINE_END = re.compile(r"\r\n?|\n")


def text(value: str) -> Html:
    """Escape ``value``; its line ends become ``<br>``, because a blank line would end an HTML block in Markdown."""
    return Html(_LINE_END.sub("<br>", html.escape(value, quote=True)))


def join(*parts: Html) -> Html:
    """Put pieces one after the other."""
    return Html("".join(parts))


def element(name: str, *inside: Html, **attributes: str) -> Html:
    """Write a tag round ``inside``; ``class_`` becomes ``class``, white space in attribute values becomes single spaces."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(" ".join(value.split()), quote=True)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{written}>{''.join(inside)}</{name}>")


def outside_link(url: str | None, label: str) -> Html:
    """Link to an ``https`` address, or give nothing for any other."""
    if not url or not url.startswith("https://"):
        return Html("")
    return element("a", text(label), href=url, class_="outside", target="_blank", rel="noopener noreferrer")


def badge(level: str, label: str) -> Html:
    """Show the kind of evidence; an unknown level gets the neutral colour."""
    known = level if level in EVIDENCE else "other"
    return element("span", text(label), class_=f"badge evidence-{known}")


def addresses(source: Source) -> list[tuple[str, str]]:
    """Return (label, address) of a work at its registrars; its own address (with an empty label) where it has no number."""
    found = []
    if source.doi:
        found.append((f"DOI {source.doi}", f"https://doi.org/{quote(source.doi, safe='/();:._-')}"))
    if source.pmid:
        found.append((f"PubMed {source.pmid}", f"https://pubmed.ncbi.nlm.nih.gov/{quote(source.pmid, safe='')}/"))
    if source.pmcid:
        found.append((source.pmcid, f"https://pmc.ncbi.nlm.nih.gov/articles/{quote(source.pmcid, safe='')}/"))
    return found or ([("", source.url)] if source.url else [])


def _links(source: Source, voice: Voice) -> list[Html]:
    return [
        outside_link(url, label or voice.say("answer.open", host=url.removeprefix("https://").split("/", 1)[0]))
        for label, url in addresses(source)
    ]


# The article


def article(document: Document, references: Mapping[str, Document], voice: Voice = PLAIN) -> Html:
    """Show an article with an id on each sentence and item (``s-start-end``) and its reference list.

    Raises:
        ValueError: ``document`` is no article.
    """
    page = document.page
    if page is None:
        message = f"{document.id} is a reference, not an article: only articles have a page."
        raise ValueError(message)
    spoken = {"lang": page.language, "dir": "auto"}
    head = element(
        "header",
        _status(page, voice),
        _legend(voice),
        element("p", text(page.question), class_="question", **spoken),
        element("h1", text(document.title), **spoken),
        _dates(document, page, voice),
        class_="article-head",
    )
    body = element("div", *_body(document), class_="article-body", **spoken)
    works = _references(page, references, voice)
    return element("article", head, body, works, class_="article", id=f"about-{document.id}")


def fold(document: Document, references: Mapping[str, Document], others: Sequence[Document] = (), voice: Voice = PLAIN) -> Html:
    """Put an article, and links to others, into a ``details`` whose summary is the one-line bar of small screens."""
    status = _known_status(document.page)
    bar = element(
        "summary",
        element("h1", text(document.title), class_="fold-title"),
        element("span", text(voice.say(f"status.{status}")), class_="fold-status"),
        class_="fold-bar",
    )
    inside = (article(document, references, voice), _others(others, voice))
    return element("details", bar, *inside, id="article", class_="fold", open="open")


def _others(documents: Sequence[Document], voice: Voice) -> Html:
    if not documents:
        return Html("")
    kept = "" if voice.language == PLAIN.language else f"&lang={voice.language}"
    links = [element("li", element("a", text(d.title), href=f"?article={quote(d.id, safe='')}{kept}")) for d in documents]
    return element("section", element("h2", text(voice.say("article.others"))), element("ul", *links), class_="others")


def _known_status(page: Page | None) -> str:
    status = page.status if page is not None else ""
    return status if status in STATUSES else "submitted"


def _status(page: Page, voice: Voice) -> Html:
    status = _known_status(page)
    meaning = voice.say(f"status.{status}-means")
    if status == "approved" and page.reviewed_by:
        people = ", ".join(f"{name} ({role})" if role else name for name, role in page.reviewed_by)
        key = "status.checked-by-on" if page.reviewed_on else "status.checked-by"
        meaning = voice.say(key, people=people, date=page.reviewed_on)
    label = element("strong", text(voice.say(f"status.{status}")))
    return element("p", label, Html(" "), element("span", text(meaning)), class_=f"review review-{status}")


def _legend(voice: Voice) -> Html:
    """Explain every review state an article passes through."""
    entries = [
        element("li", element("strong", text(voice.say(f"status.{s}"))), Html(" "), text(voice.say(f"status.{s}-means")))
        for s in STATES
    ]
    return element("details", element("summary", text(voice.say("status.legend"))), element("ul", *entries), class_="legend")


def _dates(document: Document, page: Page, voice: Voice) -> Html:
    updated = voice.say("article.updated", date=page.last_updated) if page.last_updated else voice.say("article.no-date")
    policy = outside_link(page.editorial_policy, voice.say("article.policy"))
    others = [
        element("a", text(own_name), href=f"?article={quote(document.id, safe='')}&lang={name}", lang=name, class_="language")
        for name, own_name in LANGUAGES.items()
        if name != voice.language
    ]
    return element("p", element("span", text(updated)), policy, *others, class_="dates")


def _blocks(document: Document) -> Iterator[list[Unit]]:
    """Yield the units of one paragraph or one list at a time."""
    block = list(document.units[:1])
    for before, unit in pairwise(document.units):
        apart = not unit.item and "\n\n" in document.text[before.end : unit.start]
        if unit.heading != before.heading or unit.item != before.item or apart:
            yield block
            block = []
        block.append(unit)
    if block:
        yield block


def _body(document: Document) -> Iterator[Html]:
    shown: tuple[str, ...] = ()
    for block in _blocks(document):
        yield from _headings(shown, block[0].heading)
        shown = block[0].heading
        if block[0].item:
            yield element("ul", *(_sentence("li", document, unit) for unit in block))
        else:
            yield element("p", Html(" ".join(_sentence("span", document, unit) for unit in block)))


def _headings(shown: Sequence[str], path: Sequence[str]) -> Iterator[Html]:
    """Yield the headings of ``path`` that are not open yet."""
    same = 0
    while same < min(len(shown), len(path)) and shown[same] == path[same]:
        same += 1
    for depth in range(same, len(path)):
        yield element(f"h{min(depth + 2, 6)}", text(path[depth]))


def _sentence(name: str, document: Document, unit: Unit) -> Html:
    marks = [element("a", text(str(n)), href=f"#reference-{n}") for n in unit.refs]
    refs = element("sup", Html(", ".join(marks)), class_="refs") if marks else Html("")
    return element(
        name, text(document.text[unit.start : unit.end]), refs, class_="sentence", id=f"s-{unit.start}-{unit.end}", tabindex="-1"
    )


def _references(page: Page, references: Mapping[str, Document], voice: Voice) -> Html:
    if not page.references:
        return Html("")
    entries = [
        element(
            "li", *_work(references.get(work.ref), work.ref, voice), id=f"reference-{work.n}", value=str(work.n), tabindex="-1"
        )
        for work in page.references
    ]
    title = element("h2", text(voice.say("article.references")))
    return element("section", title, element("ol", *entries), class_="references")


def _work(document: Document | None, ref: str, voice: Voice) -> Iterator[Html]:
    """Yield what is known of a cited work: badge, title, authors, place and year, addresses."""
    if document is None or document.source is None:
        yield element("span", text(voice.say("article.lost", ref=ref)), class_="work-title")
        return
    source = document.source
    level = source.evidence_level if source.evidence_level in EVIDENCE else "other"
    yield badge(level, voice.say(f"evidence.{level}"))
    yield element("span", text(document.title), class_="work-title", dir="auto")
    yield element("span", text(_imprint(source, voice)), class_="work-imprint")
    yield element("span", *_links(source, voice), class_="work-links")


def _imprint(source: Source, voice: Voice) -> str:
    more = f" {voice.say('article.and-others')}" if len(source.authors) > 3 else ""  # noqa: PLR2004 - three is custom
    parts = [", ".join(source.authors[:3]) + more, source.journal or "", str(source.year or "")]
    return ". ".join(part for part in parts if part) or voice.say("article.no-details")


# The answer


@dataclass(frozen=True, slots=True)
class _Told:
    """An answer and how it is told: ``turn`` makes its ids unique in the page."""

    given: Answer
    turn: int
    voice: Voice
    documents: Mapping[str, Document]
    explained: Mapping[str, Html]

    def say(self, key: str, **values: object) -> Html:
        return text(self.voice.say(key, **values))

    def spoken(self, document: str | None) -> dict[str, str]:
        """Return the ``lang`` of a quote where it is not the page's; a reference has its article's language."""
        names = (document, self.given.query.article)
        pages = (found.page for name in names if name and (found := self.documents.get(name)))
        language = next((page.language for page in pages if page), PLAIN.language)
        return {} if language == self.voice.language else {"lang": language}


def answer(
    given: Answer,
    turn: int,
    without: Sequence[str] = (),
    voice: Voice = PLAIN,
    documents: Mapping[str, Document] = NO_DOCUMENTS,
    follows: int = 0,
) -> Html:
    """Show an answer. ``without`` are the inherited terms the reader took away, ``follows`` the turn it came after."""
    told = _Told(given, turn, voice, documents, _explained(given, voice))
    notices = [notice for notice in _all_notices(told) if not _flags(given, notice)]
    kinds = list(dict.fromkeys([*BEFORE, *NEXT[voice.reader], *NOTICES, *(notice.kind for notice in notices)]))
    blocks = [_notices(told, kind, [notice for notice in notices if notice.kind == kind]) for kind in kinds]
    return element(
        "section",
        blocks[0],
        _read_as(told, without),
        *blocks[1 : len(BEFORE)],
        _outcome(told),
        *blocks[len(BEFORE) :],
        _sources(told),
        chips(given.suggestions, voice.say("answer.next")),
        _receipt(told),
        class_=f"answer answer-{given.outcome} follows-{follows}",
        id=f"answer-{turn}",
    )


def greeting(suggestions: Sequence[str], voice: Voice = PLAIN) -> Html:
    """Say what answers here, before the first question."""
    said = [element("p", text(words)) for key in ("text", "language") if (words := voice.say(f"greeting.{key}"))]
    return element("section", *said, chips(suggestions, voice.say("greeting.chips")), class_="answer greeting")


def skip(label: str) -> Html:
    """Lead a keyboard past the article."""
    return element("p", element("a", text(label), href="#question", class_="skip"))


def disclaimer(voice: Voice = PLAIN) -> Html:
    """Say the medical disclaimer in one line and in its usual words, and keep all of it one press away."""
    short, usual = voice.say("disclaimer.short"), voice.say("disclaimer.text")
    if voice.reader is Reader.PATIENT:
        usual = f"{short} {usual}"
    bar = element(
        "summary",
        element("strong", text(voice.say("disclaimer.title"))),
        Html(" "),
        element("span", text(short), class_="short"),
        element("span", text(usual), class_="usual"),
        Html(" "),
        element("span", text(voice.say("disclaimer.more")), class_="more"),
    )
    full = [element("p", text(voice.say(f"disclaimer.{key}"))) for key in ("text", "about", "act", "privacy")]
    return element("details", bar, element("div", *full, class_="full"))


def failure(message: str, voice: Voice = PLAIN, language: str | None = None) -> Html:
    """Show why a question could not be answered; ``language`` is that of the message where it is not the voice's."""
    spoken = {"lang": language} if language else {}
    title = element("h3", text(voice.say("trouble.heading")))
    return element("section", title, element("p", text(message), **spoken), class_="answer answer-failed")


def unknown_article(voice: Voice = PLAIN) -> Html:
    """Say, in the chat of another site, that its page names no article of this collection."""
    title, words = (element(name, text(voice.say(f"unknown.{key}"))) for name, key in (("h3", "heading"), ("p", "text")))
    return element("section", title, words, class_="answer unknown-article")


def remark(message: str) -> Html:
    """Say something about the conversation itself."""
    return element("p", text(message), class_="answer dropped")


def chips(questions: Sequence[str], label: str) -> Html:
    """Offer questions as buttons, or nothing."""
    if not questions:
        return Html("")
    buttons = [element("button", text(question), class_="chip", type="button") for question in questions]
    return element("div", element("p", text(label), class_="chips-label"), *buttons, class_="chips")


def _explained(given: Answer, voice: Voice) -> dict[str, Html]:
    """Return what explains the medical words of each quote to a reader who is no clinician; each word once an answer."""
    if voice.reader is Reader.CLINICIAN:
        return {}
    met: set[str] = set()
    beside = [notice.text for notice in given.notices]
    blocks = {}
    for said in [*(c.text for c in given.claims), *map(_words, given.nearest), *beside]:
        found = {term: meaning for term, meaning in glosses.explain(said, voice.language).items() if meaning not in met}
        met.update(found.values())
        if found and said not in blocks:
            blocks[said] = _glosses(found, voice, shut=said in beside)
    return blocks


def _glosses(found: Mapping[str, str], voice: Voice, *, shut: bool) -> Html:
    entries = [
        element("li", element("strong", text(term)), Html(" "), element("span", text(meaning))) for term, meaning in found.items()
    ]
    opened = {"open": "open"} if voice.reader is Reader.PATIENT and not shut else {}
    title = element("summary", text(voice.say("answer.glosses")))
    return element("details", title, element("ul", *entries), class_="glosses", **opened)


def _flags(given: Answer, notice: Notice) -> bool:
    """Tell whether a caution only repeats a sentence of the answer, which then carries its label."""
    return notice.kind == "caution" and any(
        claim.text == notice.text and set(notice.support) <= set(claim.support) for claim in given.claims
    )


def _read_as(told: _Told, without: Sequence[str]) -> Html:
    """Say how the question was read when that differs from the words, with a way to take inherited terms away."""
    query = told.given.query
    as_asked = query.text.split() == query.asked.split() and not query.inherited and not without
    if as_asked or told.given.reason is Reason.EMERGENCY:
        return Html("")
    terms = [
        element(
            "span",
            element("strong", text(term.text)),
            Html(" "),
            told.say(ORIGINS[term.why]) if term.why in ORIGINS else element("span", text(term.why), lang=PLAIN.language),
            element("button", told.say("answer.without"), class_="without", type="button", title=term.text),
            class_="term",
        )
        for term in query.inherited
    ]
    gone = told.say("answer.left-out")
    left_out = [element("span", gone, Html(" "), element("strong", text(t)), class_="left-out", title=t) for t in without]
    read = element("p", told.say("answer.read-as"), Html(" "), element("q", text(query.text)))
    return element("div", read, *terms, *left_out, class_="read-as")


def _all_notices(told: _Told) -> Sequence[Notice]:
    """Return the notices, and the state of an article that is not approved where none of them says it."""
    given = told.given
    if not _pending(given) or any(notice.kind == "under-review" for notice in given.notices):
        return given.notices
    return (*given.notices, Notice("under-review", ""))


def _pending(given: Answer) -> str:
    """Return the key of the state of the quoted article, where it is not approved."""
    keys = {state: key for key, state in STATUS.items()}
    states = (keys[c.review] for c in given.citations if c.kind == "article" and c.review in keys)
    return next((state for state in states if state != "approved"), "")


def _outcome(told: _Told) -> Html:
    given = told.given
    if given.outcome is Outcome.ANSWERED:
        lead = told.voice.say("answer.lead")
        said = element("p", text(lead), class_="for-you") if lead else Html("")
        flagged = {notice.text for notice in given.notices if _flags(given, notice)}
        claims = [_claim(told, claim, flagged=claim.text in flagged) for claim in given.claims]
        return join(_message(told), said, element("ol", *claims, class_="claims"))
    key = f"reason.{given.reason}" if given.reason else "answer.not-stated"
    told_already = given.outcome is Outcome.DECLINED and any(notice.kind == "emergency" for notice in given.notices)
    title = Html("") if told_already else element("h3", told.say(key))
    return join(title, _message(told), _nearest(told))


def _message(told: _Told) -> Html:
    """Show the message, unless a notice says the same; without one, name what is missing."""
    given = told.given
    missing = ", ".join(given.missing)
    message = given.message or (told.voice.say("answer.missing", missing=missing) if missing else "")
    if not message or message in {notice.text for notice in given.notices}:
        return Html("")
    if told.voice.language != PLAIN.language:
        key = str(given.reason) if given.reason else "closest-on" if missing else "closest"
        message = told.voice.say(f"message.{key}", missing=missing)
    return element("p", text(message), class_="message")


def _words(support: Support) -> str:
    passage = support.passage
    return passage.text[max(support.start - passage.start, 0) : support.end - passage.start]


def _nearest(told: _Told) -> Html:
    if not told.given.nearest:
        return Html("")
    passages = [_quoted(told, _words(support), (support,)) for support in told.given.nearest]
    label = element("p", told.say("answer.nearest"), class_="nearest-label")
    return join(label, element("ol", *passages, class_="claims nearest"))


def _claim(told: _Told, claim: Claim, *, flagged: bool) -> Html:
    """Show a quotation, or what a language model wrote, which is never shown as a quotation; its sources hold the quotes."""
    if claim.kind != MODEL:
        return _quoted(told, claim.text, claim.support, flagged=flagged)
    label = _labels([element("span", told.say("answer.model"), class_="by-model")])
    said = element("span", text(claim.text), class_="said", **told.spoken(claim.support[0].passage.document))
    gloss, marks = told.explained.get(claim.text, Html("")), _marks(told, numbers(told.given, claim.support))
    return element("li", element("p", label, said, marks, class_="summary-text"), gloss)


def _quoted(told: _Told, words: str, support: Sequence[Support], *, flagged: bool = False) -> Html:
    """Show ``words`` with their marks: a quotation, or our summary of a work, which is never shown as the author's words."""
    cited = numbers(told.given, support)
    citations = [c for c in told.given.citations if c.n in cited]
    lead = next((c.lead for c in citations if c.lead and not words.startswith(c.lead)), None)
    led = element("span", text(lead), Html(" "), class_="lead") if lead else Html("")
    labels = [element("span", told.say("answer.warning"), class_="flag")] if flagged else []
    spoken = told.spoken(citations[0].document if citations else None)
    gloss, marks = told.explained.get(words, Html("")), _marks(told, cited)
    if citations and all(c.summary for c in citations):
        labels.append(element("span", told.say("answer.summary"), class_="by-editors"))
        said = element("span", led, text(words), class_="said", **spoken)
        return element("li", element("p", _labels(labels), said, marks, class_="summary-text"), gloss)
    said = element("span", Html("“"), led, text(words), Html("”"), class_="said", **spoken)
    return element("li", element("blockquote", _labels(labels), said, marks, class_="quote"), gloss)


def _labels(labels: Sequence[Html]) -> Html:
    return element("span", *labels, class_="labels") if labels else Html("")


def _marks(told: _Told, cited: Sequence[int]) -> Html:
    """Return the numbers that open the sources; ``page.js`` gives each the title of its source as its name."""
    links = [element("a", text(str(n)), href=f"#source-{told.turn}-{n}", class_="mark") for n in cited]
    return element("span", *links, class_="marks") if links else Html("")


def _notices(told: _Told, kind: str, notices: Sequence[Notice]) -> Html:
    """Show the notices of one kind in one block under its label, what leads several of them in only once."""
    if not notices:
        return Html("")
    known = kind if kind in NOTICES else "caution"
    said = [
        join(
            element("p", *_notice(told, notice, words), _marks(told, numbers(told.given, notice.support))),
            told.explained.get(notice.text, Html("")),
        )
        for notice, words in zip(notices, _led_once(notices), strict=True)
    ]
    role = "alert" if kind == "emergency" else "note"
    label = element("strong", told.say(f"notice.{known}"))
    return element("div", label, *said, class_=f"notice notice-{known}", role=role)


def _led_once(notices: Sequence[Notice]) -> Iterator[str]:
    """Yield the words of notices that stand one under the other: the same lead-in sentence is not said again."""
    before = ""
    for notice in notices:
        lead = _lead(notice)
        again = lead and lead == before and notice.text.startswith(lead)
        yield notice.text.removeprefix(lead).lstrip() if again else notice.text
        before = lead


def _lead(notice: Notice) -> str:
    """Return the lead-in sentence of the list item that a notice quotes, where its passage holds it."""
    place = notice.support[0] if notice.support else None
    if place is None or place.lead is None:
        return ""
    start, end = (offset - place.passage.start for offset in place.lead)
    return place.passage.text[start:end] if start >= 0 else ""


def _notice(told: _Told, notice: Notice, words: str) -> Iterator[Html]:
    """Yield the words of a notice: the program's own are said in the reader's language, a source's are left as they are."""
    foreign = told.voice.language != PLAIN.language
    if notice.kind == "under-review" and (foreign or not notice.text) and (state := _pending(told.given)):
        yield told.say("answer.review", state=told.voice.say(f"state.{state}"))
    elif notice.kind == "personal" and foreign:
        yield told.say("message.personal")
    else:
        if notice.kind == "emergency" and foreign:
            yield join(told.say("message.emergency"), Html(" "))
        own = notice.kind in OWN
        about = notice.support[0].passage.document if notice.support and not own else None
        spoken = ({"lang": PLAIN.language} if foreign else {}) if own else told.spoken(about)
        yield element("span", text(words), class_="said", **spoken)


def _receipt(told: _Told) -> Html:
    """Name the answer and the collection that it was made from by their hashes; ``title`` holds the answer's in full."""
    receipt = dict(told.given.receipt)
    answered, corpus = str(receipt.get("answer_sha256", "")), str(receipt.get("corpus", ""))
    if not answered:
        return Html("")
    words = told.say("answer.receipt", answer=answered[:12], corpus=corpus[:12])
    return element("p", words, class_="receipt", title=f"{answered} {corpus[:12]}")


def _sources(told: _Told) -> Html:
    if not told.given.citations:
        return Html("")
    entries = [_source(told, citation) for citation in told.given.citations]
    return element("div", element("h3", told.say("answer.sources")), *entries, class_="sources")


def _source(told: _Told, citation: Citation) -> Html:
    here = citation.kind == "article" and citation.document == told.given.query.article
    title = (citation.section if here else "") or citation.title
    place = " · ".join(part for part in ("" if here else citation.section, str(citation.year or "")) if part)
    key = f"evidence.{citation.evidence}"
    label = told.voice.say(key) if told.voice.known(key) else citation.badge
    summary = element(
        "summary",
        element("span", text(str(citation.n)), class_="number"),
        element(
            "span",
            badge(citation.evidence, told.voice.say("answer.this-article") if here else label),
            element("span", text(title), class_="source-title"),
            element("span", text(place), class_="source-place"),
            class_="source-head",
        ),
    )
    body = _source_body(told, citation, here=here)
    return element("details", summary, *body, id=f"source-{told.turn}-{citation.n}", class_="source")


def _source_body(told: _Told, citation: Citation, *, here: bool) -> Iterator[Html]:
    lead = element("span", text(citation.lead), Html(" "), class_="lead") if citation.lead else Html("")
    said, spoken = join(lead, text(citation.quote)), told.spoken(citation.document)
    if citation.summary:
        yield element("p", told.say("answer.summary"), class_="by-editors")
        yield element("p", said, class_="summary-text", **spoken)
    else:
        yield element("blockquote", Html("“"), said, Html("”"), class_="quote", **spoken)
    states = {state: told.voice.say(f"state.{key}") for key, state in STATUS.items()}
    facts = [citation.title if here and citation.section else "", states.get(citation.review or "", citation.review or "")]
    if any(facts):
        yield element("p", text(" · ".join(fact for fact in facts if fact)), class_="source-note")
    if citation.own_publisher:
        yield element("p", told.say("answer.own-publisher"), class_="own-publisher")
    yield _ways_out(told, citation, here=here)


def _ways_out(told: _Told, citation: Citation, *, here: bool) -> Html:
    """Link to the sentence in the article, the entry in its reference list, and the source itself."""
    links = []
    if here:
        links.append(element("a", told.say("answer.show"), href=f"#s-{citation.start}-{citation.end}", class_="jump"))
    if citation.number is not None:
        label = told.say("answer.reference", n=citation.number)
        links.append(element("a", label, href=f"#reference-{citation.number}", class_="jump"))
    document = told.documents.get(citation.document)
    if document is not None and document.source is not None:
        links += _links(document.source, told.voice)
    elif not here and citation.url:
        host = citation.url.removeprefix("https://").split("/", 1)[0].removeprefix("www.")
        links.append(outside_link(citation.url, told.voice.say("answer.open", host=host)))
    return element("p", *links, class_="ways-out") if links else Html("")
