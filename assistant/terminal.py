"""Answer -> text for a terminal: the answer, its cautions, its numbered sources, the disclaimer."""

from __future__ import annotations

import textwrap

from assistant.answers import numbers
from assistant.records import MODEL, Answer, Citation, Claim, Notice, Outcome, Support

WIDTH = 96
LABELS = {
    "caution": "Caution",
    "off-label": "Off-label",
    "conflict": "Sources disagree",
    "second-hand": "Second-hand",
    "stale": "Newer source",
    "retracted": "Note on a source",
    "self-published": "Publisher's own source",
    "premise": "Check the figure",
    "population": "Other patients",
    "under-review": "Review",
    "emergency": "First",
    "personal": "Please note",
    "writer": "Writer",
}


def render(answer: Answer) -> str:
    """Return the answer as lines of at most ``WIDTH`` characters."""
    parts = [*_interpreted(answer), *_body(answer), *_notices(answer), *_sources(answer), *_suggestions(answer)]
    return "\n".join([*parts, "", _wrap(answer.disclaimer, "")])


def _interpreted(answer: Answer) -> list[str]:
    terms = ", ".join(f"{term.text} ({term.why})" for term in answer.query.inherited)
    return [_wrap(f"Interpreted as: {answer.query.text}  [{terms}]", ""), ""] if terms else []


def _body(answer: Answer) -> list[str]:
    if answer.outcome is Outcome.ANSWERED:
        return [_wrap(f"{_claim(answer, claim)} {_marks(answer, claim.support)}", "") for claim in answer.claims]
    nearest = [
        _wrap(f"{_quoted(answer, answer.citations[n - 1].quote, (s,))} [{n}]", "  ~ ")
        for s in answer.nearest
        for n in numbers(answer, (s,))
    ]
    return [_wrap(answer.message, ""), *nearest]


def _claim(answer: Answer, claim: Claim) -> str:
    return claim.text if claim.kind == MODEL else _quoted(answer, claim.text, claim.support)


def _quoted(answer: Answer, text: str, support: tuple[Support, ...]) -> str:
    """Return a text in quotation marks, unless it is our editors' summary of a work and so not its author's words."""
    first = answer.citations[numbers(answer, support)[0] - 1]
    return text if first.summary else f"“{text}”"


def _notices(answer: Answer) -> list[str]:
    return ["", *(_wrap(_said(answer, notice), "  ! ") for notice in answer.notices)] if answer.notices else []


def _said(answer: Answer, notice: Notice) -> str:
    quoted = _quoted(answer, notice.text, notice.support) if notice.kind in ("caution", "off-label") else notice.text
    return f"{LABELS.get(notice.kind, notice.kind)}: {quoted} {_marks(answer, notice.support)}".rstrip()


def _sources(answer: Answer) -> list[str]:
    return ["", *(_wrap(_source(citation), f"  [{citation.n}] ") for citation in answer.citations)] if answer.citations else []


def _source(citation: Citation) -> str:
    title = f"Summary by our editors of: {citation.title}" if citation.summary else citation.title
    facts = [title, citation.section, citation.badge, str(citation.year or ""), citation.review or "", citation.url or ""]
    return " · ".join(fact for fact in facts if fact)


def _suggestions(answer: Answer) -> list[str]:
    return (
        ["", "You can also ask:", *(f"  {n}. {text}" for n, text in enumerate(answer.suggestions, start=1))]
        if answer.suggestions
        else []
    )


def _marks(answer: Answer, support: tuple[Support, ...]) -> str:
    return "".join(f"[{n}]" for n in numbers(answer, support))


def _wrap(text: str, lead: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False, break_on_hyphens=False
    )
