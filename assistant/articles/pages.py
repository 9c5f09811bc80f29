"""Copy of a web page (text, HTML or Markdown) -> Draft: an article, its reference list, and what an editor must look at.

Banner, status words, settings, disclaimer and follow-up box are about the page, not part of its text. That an article was
approved is never read from a page, since pages print all their status words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from assistant.articles import bibliography, blocks, citing
from assistant.articles.bibliography import Entry
from assistant.articles.blocks import Block
from assistant.errors import ImportFileError
from assistant.records import Document, Page
from assistant.text import markup
from assistant.text.plain import slug

_MONTHS = "january february march april may june july august september october november december".split()
_REFERENCES = re.compile(
    r"(?:key |selected |cited )?(?:references?|sources|bibliography|citations|literature(?: cited)?|works cited)(?: list)?:?",
    re.IGNORECASE,
)
_DROPPED_SECTION = re.compile(
    r"personali[sz]e|.{0,60}\bdisclaimer\b.{0,20}|(?:do you )?have (?:a|any) follow[- ]?up questions?\??"
    r"|ask a follow[- ]?up.{0,30}|about the (?:author|reviewer)s?|related (?:articles|topics|reading|content|questions)|see also"
    r"|share this.{0,30}|comments|table of contents|contents|on this page|in this article|subscribe.{0,60}|newsletter"
    r"|was this (?:article|page) helpful\??",
    re.IGNORECASE,
)
_DROPPED_LINE = re.compile(
    r"submitted|under review|approved|draft|(?:article )?review status|.{0,60}reviewed for accuracy.{0,80}"
    r"|educational purposes? only.{0,120}|(?:for )?educational (?:use|purposes?) only.{0,120}|help us tailor.{0,60}"
    r"|which best describes you.{0,200}|(?:page |content |article )?(?:was )?(?:last |medically |clinically )?"
    r"(?:updated|reviewed|modified|revised|published)(?: on| by|:).{0,160}|(?:(?:view|read|see) )?(?:our |the )?editorial policy"
    r"|skip to (?:main )?content"
    r"|advertisement|share|print|sign in|log ?in|menu|search|home",
    re.IGNORECASE,
)
_UPDATED = re.compile(r"(?:updated|modified|revised)(?: on)?:?\s{0,3}([A-Za-z0-9 ,.-]{8,24})", re.IGNORECASE)
_PENDING = re.compile(
    r"pending (?:human|medical|clinical|expert|editorial|peer) review|(?:is|currently|still) under (?:\w{1,20} )?review"
    r"|not (?:yet )?(?:been )?(?:medically )?reviewed",
    re.IGNORECASE,
)
_DAY_FORMS = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"),
    re.compile(r"(?P<name>[A-Za-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})"),
    re.compile(r"(?P<day>\d{1,2})(?:st|nd|rd|th)? (?P<name>[A-Za-z]{3,9})\.?,? (?P<year>\d{4})"),
)
_SHORT_FORM = re.compile(r"\(([A-Z][A-Za-z0-9-]{1,9})s?\)")
_QUESTION_AMONG = 4  # the question is one of the first blocks
_LONGEST_LEAD = 12  # words of an item that is put before those below it
_TOP = 2  # level of the first headings of a body


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An article without its list of references, whose entries still need ids; ``blanks`` are fields the page does not give."""

    article: Document
    entries: tuple[Entry, ...]
    blanks: tuple[str, ...]
    changes: tuple[str, ...]


@dataclass(slots=True)
class _Parts:
    body: list[Block] = field(default_factory=list)
    references: list[Block] = field(default_factory=list)
    dropped: list[Block] = field(default_factory=list)


def read_text(text: str, file: str) -> Draft:
    """Return the article in page text, or in Markdown when the text has Markdown headings."""
    is_markdown = re.search(r"^#{1,6} \S", text, re.MULTILINE)
    return _draft(blocks.from_markdown(text) if is_markdown else blocks.from_text(text), file)


def read_html(text: str, file: str) -> Draft:
    """Return the article in a saved page."""
    return _draft(blocks.from_html(text, file), file)


def _draft(page: blocks.Page, file: str) -> Draft:
    parts = _sorted(page)
    everything = [*parts.dropped, *parts.body]
    question, body = _take_question(parts.body)
    title, body = _take_title(body, page)
    entries = tuple(bibliography.read(parts.references))
    lines, changes = _lines(body, len(entries))
    if not lines:
        raise ImportFileError(f"{file}: no text of an article was found. Copy the text of the page, from question to references.")
    text, units = markup.read("\n".join(lines), file)
    name = title or question or next(iter(units[0].heading), file)
    updated = _updated(everything) or day(page.modified or "")
    about = Page(
        question=question or f"{name.rstrip('?.')}?",
        language=page.language or "en",
        status="under-review" if any(_PENDING.search(block.text) for block in everything) else "submitted",
        last_updated=updated,
        editorial_policy=page.policy,
        topics=tuple(_topics([name, *(text[u.start : u.end] for u in units if not u.heading)])),
    )
    article = Document(id=slug(name) or slug(file) or "article", title=name, text=text, units=units, page=about)
    left_out = (f"left out, about the page: {block.text[:80]}" for block in parts.dropped)
    return Draft(
        article=article,
        entries=entries,
        blanks=tuple(_blanks(article, found_question=question is not None, found_title=title is not None, entries=entries)),
        changes=(*page.changes, *changes, *left_out),
    )


def _sorted(page: blocks.Page) -> _Parts:
    """Sort the blocks of a page into its body, its reference list, and what is about the page."""
    parts = _Parts()
    current, level = parts.body, 0
    for block in page.blocks:
        if _REFERENCES.fullmatch(block.text):
            current, level = parts.references, block.level
        elif block.kind != "item" and _DROPPED_SECTION.fullmatch(block.text):
            current, level = parts.dropped, block.level
            parts.dropped.append(block)
        elif _DROPPED_LINE.fullmatch(block.text):
            parts.dropped.append(block)
        elif block.kind == "heading" and _ends(current is parts.references, level, block, page):
            current = parts.body
            parts.body.append(block)
        else:
            current.append(block)
    return parts


def _ends(references: bool, level: int, heading: Block, page: blocks.Page) -> bool:  # noqa: FBT001 - one of two states
    """Tell whether a heading ends the section before it. In page text a short title of a reference looks like a heading."""
    return heading.level <= level or not level if page.levels else not references


def _take_question(body: list[Block]) -> tuple[str | None, list[Block]]:
    for n, block in enumerate(body[:_QUESTION_AMONG]):
        if block.text.endswith("?") and block.kind != "item":
            return block.text, body[:n] + body[n + 1 :]
    return None, body


def _take_title(body: list[Block], page: blocks.Page) -> tuple[str | None, list[Block]]:
    """A heading above all text is the title, unless others of its level follow where levels can be told."""
    if not body or body[0].kind != "heading":
        return None, body
    same = sum(1 for block in body if block.kind == "heading" and block.level <= body[0].level)
    return (body[0].text, body[1:]) if not page.levels or same == 1 else (None, body)


def day(text: str) -> str | None:
    """Return the first date in ``text`` as YYYY-MM-DD; figures alone that could be read two ways are none.

    >>> day("July 14, 2025View editorial policy"), day("3 Sept. 2024"), day("04/05/2024")
    ('2025-07-14', '2024-09-03', None)
    """
    for form in _DAY_FORMS:
        if found := form.search(text):
            parts = found.groupdict()
            month = int(parts["month"]) if "month" in parts else _month(parts["name"])
            try:
                return date(int(parts["year"]), month, int(parts["day"])).isoformat()
            except ValueError:
                return None
    return None


def _month(name: str) -> int:
    """Return the number of a month, 0 when ``name`` is none."""
    return next((n for n, month in enumerate(_MONTHS, 1) if month.startswith(name.lower()[:4].rstrip("."))), 0)


def _updated(everything: Iterable[Block]) -> str | None:
    found = (_UPDATED.search(block.text) for block in everything)
    return next((when for match in found if match and (when := day(match[1]))), None)


def _topics(texts: Iterable[str]) -> Iterator[str]:
    """Yield the short forms that title or opening define, "low-dose naltrexone (LDN)", each after its long form."""
    seen: set[str] = set()
    for text in texts:
        for found in _SHORT_FORM.finditer(text):
            short = found[1]
            words = re.findall(r"[^\W_]+", text[max(0, found.start() - 120) : found.start()])[-len(short) :]
            if short not in seen and "".join(word[0] for word in words).upper() == short.upper():
                seen.add(short)
                start = text.rindex(words[0], 0, found.start()) if len(set(words)) == len(words) else -1
                yield from ([text[start : found.start()].strip(), short] if start >= 0 else [short])


def _blanks(article: Document, *, found_question: bool, found_title: bool, entries: Sequence[Entry]) -> Iterator[str]:
    page = article.page or Page(question="")
    if not found_question:
        yield f"question: none stands on the page; {page.question!r} was made of the title"
    if not found_title:
        yield f"title: none stands on the page; {article.title!r} was taken"
    if page.last_updated is None:
        yield "last_updated"
    if page.editorial_policy is None:
        yield "editorial_policy"
    yield "reviewed_by, reviewed_on: a person fills them in at approval"
    if not page.topics:
        yield "topics"
    if not entries:
        yield "references: no list was found"


# Lines of the body


def _lines(body: Sequence[Block], count: int) -> tuple[list[str], list[str]]:
    """Return the Markdown lines of a body and what was changed."""
    changes: list[str] = []
    flat = list(_without_empty(_flattened(body, changes)))
    bare = count > 0 and not any(citing.has_marked_citations(block.text, count) for block in flat)
    levels = _levels(flat)
    lines: list[str] = []
    for n, block in enumerate(flat):
        if block.kind == "heading":
            lines += [""] if lines and flat[n - 1].kind != "heading" else []
            lines.append(f"{'#' * levels[n]} {block.text}")
            continue
        if lines and block.kind == "text" and n and flat[n - 1].kind == "item":
            lines.append("")
        for cited in citing.cite(block.text, count, bare=bare):
            changes += cited.changes
            if cited.text:
                lines.append(_line(cited, item=block.kind == "item"))
    return lines, changes


def _line(cited: citing.Cited, *, item: bool) -> str:
    marks = f" [{', '.join(map(str, cited.refs))}]" if cited.refs else ""
    return (f"- {cited.text}" if item else markup.literal(cited.text)) + marks


def _flattened(body: Sequence[Block], changes: list[str]) -> Iterator[Block]:
    """Yield the blocks with lists of one level; an item reads with the one above it."""
    parents: list[Block] = []
    for n, block in enumerate(body):
        following = body[n + 1] if n + 1 < len(body) else None
        if block.kind != "item":
            parents = []
            yield block
            continue
        parents = [*parents[: block.level], block]
        text = "".join([*map(_lead, parents[:-1]), block.text])
        if block.level:
            changes.append(f"nested list flattened: {text}")
        if block.text.endswith(":") and following and following.kind == "item" and following.level > block.level:
            continue
        yield replace(block, text=text, level=0)


def _lead(parent: Block) -> str:
    """Return what an item below ``parent`` needs in front of it; a parent that is a sentence says enough by itself."""
    if parent.text.endswith(":"):
        return f"{parent.text} "
    return "" if parent.text[-1] in ".!?;" or len(parent.text.split()) > _LONGEST_LEAD else f"{parent.text}: "


def _without_empty(body: Iterable[Block]) -> Iterator[Block]:
    """Drop headings that have no text under them before the next heading of their level or above."""
    waiting: list[Block] = []
    for block in body:
        if block.kind == "heading":
            waiting = [heading for heading in waiting if heading.level < block.level or block.level == heading.level == 0]
            waiting.append(block)
        elif block.text:
            yield from waiting
            waiting = []
            yield block


def _levels(body: Sequence[Block]) -> dict[int, int]:
    """Return the level of each heading by position, from ## on and without a skip."""
    levels: dict[int, int] = {}
    path: list[int] = []
    for n, block in enumerate(body):
        if block.kind == "heading":
            path = [*(level for level in path if level < block.level), block.level]
            levels[n] = min(len(path) + _TOP - 1, 6)
    return levels
