"""Answer | Document -> Html: one fixed template without newlines, round text that is always escaped."""

from __future__ import annotations

import html
import re
from itertools import pairwise
from typing import TYPE_CHECKING, NewType
from urllib.parse import quote

from assistant.answers import EVIDENCE, STATUS, numbers
from assistant.records import MODEL, Answer, Citation, Claim, Document, Notice, Outcome, Page, Reason, Source, Support, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Html = NewType("Html", str)

STATUSES: Mapping[str, tuple[str, str]] = {
    "submitted": ("Submitted", "Nobody has reviewed this article yet."),
    "under-review": ("Pending human review", "Reviewers have not finished checking this article. Read it with caution."),
    "approved": ("Approved", "Reviewers have checked this article."),
    "withdrawn": ("Withdrawn", "The editors have taken this article back. Do not rely on it."),
}
NOTICES: Mapping[str, str] = {
    "emergency": "This may be an emergency",
    "personal": "About your own treatment",
    "under-review": "Review status",
    "caution": "Caution",
    "off-label": "Off-label use",
    "conflict": "Sources disagree",
    "second-hand": "Reported second-hand",
    "stale": "Newer source",
    "retracted": "Retracted or of concern",
    "self-published": "Publisher's own source",
    "premise": "Check the figure",
    "population": "Other patients",
    "writer": "How this was written",
}
REASONS: Mapping[Reason, str] = {
    Reason.EMERGENCY: "Please get help first",
    Reason.OTHER_DRUG: "This is about another drug",
    Reason.NOT_COVERED: "The sources do not cover this",
    Reason.OUT_OF_SCOPE: "This is outside what can be answered here",
    Reason.UNREADABLE: "The question could not be read",
}
FIRST = ("personal", "under-review", "writer")
ORIGINS: Mapping[str, str] = {"earlier question": "from an earlier question", "the article": "from the article"}
BY_QUOTES = (
    "You are talking to an automated assistant. It answers only with sentences quoted from this article and its references, "
    "each with its source. When they do not say, it tells you so."
)
BY_MODEL = (
    "You are talking to an automated assistant. A language model words its answers; each sentence is checked against this "
    "article and its references and names its source. Your question is sent to that model: leave out names and other "
    "personal details."
)
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


# The article


def article(document: Document, references: Mapping[str, Document]) -> Html:
    """Show an article with an id on each sentence and item (``s-start-end``) and its reference list.

    Raises:
        ValueError: ``document`` is no article.
    """
    page = document.page
    if page is None:
        message = f"{document.id} is a reference, not an article: only articles have a page."
        raise ValueError(message)
    head = element(
        "header",
        _status(page),
        element("p", text(page.question), class_="question"),
        element("h1", text(document.title)),
        _dates(page),
        class_="article-head",
    )
    return element("article", head, *_body(document), _references(page, references), class_="article", lang=page.language)


def fold(document: Document, references: Mapping[str, Document], others: Sequence[Document] = ()) -> Html:
    """Put an article, and links to others, into a ``details`` whose summary is the one-line bar of small screens."""
    status = STATUSES.get(document.page.status if document.page else "", STATUSES["submitted"])[0]
    bar = element(
        "summary",
        element("span", text(document.title), class_="fold-title"),
        element("span", text(status), class_="fold-status"),
        class_="fold-bar",
    )
    inside = (article(document, references), _others(others))
    return element("details", bar, *inside, id="article", class_="fold", open="open")


def _others(documents: Sequence[Document]) -> Html:
    if not documents:
        return Html("")
    links = [element("li", element("a", text(d.title), href=f"?article={quote(d.id, safe='')}")) for d in documents]
    return element("section", element("h2", Html("Other articles here")), element("ul", *links), class_="others")


def _status(page: Page) -> Html:
    label, meaning = STATUSES.get(page.status, STATUSES["submitted"])
    if page.status == "approved" and page.reviewed_by:
        people = ", ".join(f"{name} ({role})" if role else name for name, role in page.reviewed_by)
        meaning = f"Checked by {people}" + (f" on {page.reviewed_on}." if page.reviewed_on else ".")
    known = page.status if page.status in STATUSES else "submitted"
    return element(
        "p", element("strong", text(label)), Html(" "), element("span", text(meaning)), class_=f"review review-{known}"
    )


def _dates(page: Page) -> Html:
    updated = f"Last updated {page.last_updated}" if page.last_updated else "Date of last update unknown"
    policy = outside_link(page.editorial_policy, "Editorial policy")
    return element("p", element("span", text(updated)), policy, class_="dates")


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


def _references(page: Page, references: Mapping[str, Document]) -> Html:
    if not page.references:
        return Html("")
    entries = [
        element("li", *_work(references.get(work.ref), work.ref), id=f"reference-{work.n}", value=str(work.n))
        for work in page.references
    ]
    return element("section", element("h2", Html("References")), element("ol", *entries), class_="references")


def _work(document: Document | None, ref: str) -> Iterator[Html]:
    """Yield what is known of a cited work: badge, title, authors, place and year, address."""
    if document is None or document.source is None:
        yield element("span", text(f"{ref} (not in this collection)"), class_="work-title")
        return
    source = document.source
    yield badge(source.evidence_level, EVIDENCE.get(source.evidence_level, EVIDENCE["other"]))
    yield element("span", text(document.title), class_="work-title")
    yield element("span", text(_imprint(source)), class_="work-imprint")
    yield outside_link(source.url, f"Open at {_host(source.url)}")


def _imprint(source: Source) -> str:
    people = ", ".join(source.authors[:3]) + (" and others" if len(source.authors) > 3 else "")  # noqa: PLR2004 - three is custom
    parts = [people, source.journal or "", str(source.year or "")]
    return ". ".join(part for part in parts if part) or "No further details are known"


def _host(url: str | None) -> str:
    return (url or "").removeprefix("https://").split("/", 1)[0].removeprefix("www.")


# The answer


def answer(given: Answer, turn: int, without: Sequence[str] = ()) -> Html:
    """Show an answer. ``turn`` makes its ids unique in the page; ``without`` are the inherited terms the reader took away."""
    kinds = dict.fromkeys(notice.kind for notice in given.notices)
    blocks = {kind: _notices(given, kind, [n for n in given.notices if n.kind == kind], turn) for kind in kinds}
    return element(
        "section",
        blocks.get("emergency", Html("")),
        _read_as(given, without),
        *(blocks[kind] for kind in FIRST if kind in blocks),
        _review_reminder(given),
        _outcome(given, turn),
        *(block for kind, block in blocks.items() if kind not in (*FIRST, "emergency")),
        _sources(given, turn),
        chips(given.suggestions, "You could ask next"),
        class_=f"answer answer-{given.outcome}",
        id=f"answer-{turn}",
    )


def greeting(suggestions: Sequence[str], model: str | None = None) -> Html:
    """Say what answers here, before the first question; ``model`` is the language model that words the answers."""
    words = BY_MODEL if model else BY_QUOTES
    return element("section", element("p", Html(words)), chips(suggestions, "Questions to start with"), class_="answer greeting")


def skip(label: str) -> Html:
    """Lead a keyboard past the article."""
    return element("p", element("a", text(label), href="#question", class_="skip"))


def failure(message: str) -> Html:
    """Show why a question could not be answered."""
    return element(
        "section", element("h3", Html("That did not work")), element("p", text(message)), class_="answer answer-failed"
    )


def unknown_article() -> Html:
    """Say, in the chat of another site, that its page names no article of this collection."""
    words = "The article that this page names is not in the collection, so no question can be answered here."
    return element(
        "section", element("h3", Html("This article is not known")), element("p", Html(words)), class_="answer unknown-article"
    )


def chips(questions: Sequence[str], label: str) -> Html:
    """Offer questions as buttons, or nothing."""
    if not questions:
        return Html("")
    buttons = [element("button", text(question), class_="chip", type="button") for question in questions]
    return element("div", element("p", text(label), class_="chips-label"), *buttons, class_="chips")


def _read_as(given: Answer, without: Sequence[str]) -> Html:
    """Say how the question was read when that differs from the words, with a way to take inherited terms away."""
    query = given.query
    as_asked = query.text.split() == query.asked.split() and not query.inherited and not without
    if as_asked or given.reason is Reason.EMERGENCY:
        return Html("")
    terms = [
        element(
            "span",
            element("strong", text(term.text)),
            Html(" "),
            text(ORIGINS.get(term.why, term.why)),
            element("button", Html("Ask without it"), class_="without", type="button", title=term.text),
            class_="term",
        )
        for term in query.inherited
    ]
    left_out = [element("span", Html("Left out: "), element("strong", text(t)), class_="left-out", title=t) for t in without]
    return element("div", element("p", Html("Read as: "), element("q", text(query.text))), *terms, *left_out, class_="read-as")


def _review_reminder(given: Answer) -> Html:
    """Repeat the state of an article that is not approved, unless a notice says it already."""
    states = [c.review for c in given.citations if c.kind == "article" and c.review and c.review != STATUS["approved"]]
    if not states or any(n.kind == "under-review" for n in given.notices):
        return Html("")
    said = Notice("under-review", f"The article quoted here is {states[0]}.")
    return _notices(given, said.kind, [said], 0)


def _outcome(given: Answer, turn: int) -> Html:
    if given.outcome is Outcome.ANSWERED:
        claims = [_claim(given, claim, turn) for claim in given.claims]
        return join(_message(given), element("ol", *claims, class_="claims"))
    heading = REASONS[given.reason] if given.reason else "The sources do not state this"
    said = any(notice.kind == "emergency" for notice in given.notices)
    title = Html("") if said else element("h3", text(heading))
    return join(title, _message(given), _nearest(given, turn))


def _message(given: Answer) -> Html:
    """Show the message, unless a notice says the same; without one, name what is missing."""
    missing = f"Not found in the sources: {', '.join(given.missing)}." if given.missing else ""
    message = given.message or missing
    if not message or message in {notice.text for notice in given.notices}:
        return Html("")
    return element("p", text(message), class_="message")


def _nearest(given: Answer, turn: int) -> Html:
    if not given.nearest:
        return Html("")
    passages = [_nearest_passage(given, support, turn) for support in given.nearest]
    label = element("p", Html("Nearest passages, not an answer"), class_="nearest-label")
    return join(label, element("ol", *passages, class_="claims nearest"))


def _nearest_passage(given: Answer, support: Support, turn: int) -> Html:
    passage = support.passage
    words = passage.text[max(support.start - passage.start, 0) : support.end - passage.start]
    return _quoted(given, words, (support,), turn)


def _claim(given: Answer, claim: Claim, turn: int) -> Html:
    if claim.kind != MODEL:
        return _quoted(given, claim.text, claim.support, turn)
    label = element("span", Html("Worded by a language model"), class_="by-editors")
    marks = _marks(given, numbers(given, claim.support), turn)
    return element("li", element("p", label, text(claim.text), marks, class_="summary-text"))


def _quoted(given: Answer, words: str, support: Sequence[Support], turn: int) -> Html:
    """Show ``words`` with their marks: a quotation, or our summary of a work, which is never shown as the author's words."""
    cited = numbers(given, support)
    citations = [c for c in given.citations if c.n in cited]
    lead = next((c.lead for c in citations if c.lead and not words.startswith(c.lead)), None)
    led = element("span", text(lead), Html(" "), class_="lead") if lead else Html("")
    summary = bool(citations) and all(c.summary for c in citations)
    said = join(led, text(words))
    if summary:
        label = element("span", Html("Summary by our editors"), class_="by-editors")
        return element("li", element("p", label, said, _marks(given, cited, turn), class_="summary-text"))
    return element("li", element("blockquote", Html("“"), said, Html("”"), _marks(given, cited, turn), class_="quote"))


def _marks(given: Answer, cited: Sequence[int], turn: int) -> Html:
    titles = {c.n: c.title for c in given.citations}
    links = [
        element("a", text(str(n)), href=f"#source-{turn}-{n}", class_="mark", title=f"Source {n}: {titles.get(n, '')}")
        for n in cited
    ]
    return element("span", *links, class_="marks") if links else Html("")


def _notices(given: Answer, kind: str, notices: Sequence[Notice], turn: int) -> Html:
    """Show the notices of one kind in one block under its label."""
    known = kind if kind in NOTICES else "caution"
    said = [element("p", text(notice.text), _marks(given, numbers(given, notice.support), turn)) for notice in notices]
    role = "alert" if kind == "emergency" else "note"
    return element("div", element("strong", text(NOTICES[known])), *said, class_=f"notice notice-{known}", role=role)


def _sources(given: Answer, turn: int) -> Html:
    if not given.citations:
        return Html("")
    entries = [_source(given, citation, turn) for citation in given.citations]
    return element("div", element("h3", Html("Sources")), *entries, class_="sources")


def _source(given: Answer, citation: Citation, turn: int) -> Html:
    here = citation.kind == "article" and citation.document == given.query.article
    title = (citation.section if here else "") or citation.title
    place = " · ".join(part for part in ("" if here else citation.section, str(citation.year or "")) if part)
    summary = element(
        "summary",
        element("span", text(str(citation.n)), class_="number"),
        element(
            "span",
            badge(citation.evidence, "This article" if here else citation.badge),
            element("span", text(title), class_="source-title"),
            element("span", text(place), class_="source-place"),
            class_="source-head",
        ),
    )
    return element("details", summary, *_source_body(citation, here=here), id=f"source-{turn}-{citation.n}", class_="source")


def _source_body(citation: Citation, *, here: bool) -> Iterator[Html]:
    lead = element("span", text(citation.lead), Html(" "), class_="lead") if citation.lead else Html("")
    said = join(lead, text(citation.quote))
    if citation.summary:
        yield element("p", text(f"Summary by our editors of: {citation.title}"), class_="by-editors")
        yield element("p", said, class_="summary-text")
    else:
        yield element("blockquote", Html("“"), said, Html("”"), class_="quote")
    facts = [citation.title if here else "", citation.review or ""]
    if any(facts):
        yield element("p", text(" · ".join(fact for fact in facts if fact)), class_="source-note")
    if citation.own_publisher:
        yield element("p", Html("Written by the publisher of this page: not an independent source."), class_="own-publisher")
    yield _ways_out(citation, here=here)


def _ways_out(citation: Citation, *, here: bool) -> Html:
    """Link to the sentence in the article, the entry in its reference list, and the source itself."""
    links = []
    if here:
        links.append(element("a", Html("Show in the article"), href=f"#s-{citation.start}-{citation.end}", class_="jump"))
    if citation.number is not None:
        label = f"Reference {citation.number} of the article"
        links.append(element("a", text(label), href=f"#reference-{citation.number}", class_="jump"))
    if not here and citation.url:
        links.append(outside_link(citation.url, f"Open at {_host(citation.url)}"))
    return element("p", *links, class_="ways-out") if links else Html("")
