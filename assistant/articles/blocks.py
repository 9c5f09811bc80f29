"""Page text, Markdown or HTML -> list[Block]: headings, lines and list items in reading order, without navigation and markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import trafilatura
from lxml import etree, html
from markdown_it import MarkdownIt

from assistant.errors import ImportFileError
from assistant.text.plain import lowered, one_line, raised
from assistant.text.sentences import split

PLAIN_LEVEL = 2  # of every heading in page text, which does not show levels
_LONGEST_HEADING, _MOST_WORDS, _FEW_WORDS = 120, 16, 6
_TITLE_CASE_SHARE = 0.6
_WRAPPED_AT, _UNWRAPPED = 60, 100  # characters
_DEEPEST = 100  # nested elements of a page
_WIDEST = 50  # cells that one cell of a table may span
_MARKER = re.compile(r"(?P<indent>[ \t]{0,40})(?:[•●▪◦‣∙·*–—-]|(?P<number>[0-9]{1,3})[.)])[ \t]+(?P<text>\S.*)")
_SMALL_WORDS = frozenset("a an and as at but by for from in into nor of on or the to up via vs with without than per".split())
_DROPPED_TAGS = frozenset(
    "nav aside footer script style form button noscript template svg iframe dialog select input textarea head figure video "
    "audio canvas object embed del s strike".split()
)
_DROPPED_ROLES = frozenset("navigation banner contentinfo search dialog complementary menu alert".split())
_DROPPED_NAMES = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|menu|breadcrumbs?|cookie|consent|share|sharing|social|sidebar|related|advert\w{0,10}|ads?|promo"
    r"|newsletter|subscribe|comments?|toc|skip-link|sr-only|visually-hidden)(?:$|[\s_-])",
    re.IGNORECASE,
)
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])", re.IGNORECASE)
_BLOCK_TAGS = frozenset(
    "p div section article main header ul ol dl li dt dd table h1 h2 h3 h4 h5 h6 blockquote pre hr address details summary "
    "hgroup body fieldset center".split()
)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_PARSER = html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page: ``kind`` is heading, item or text.

    ``level`` is that of a heading (1 to 6), or how deep an item is nested (from 0); ``number`` is the item's printed number.
    """

    kind: str
    text: str
    level: int = 0
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The blocks of a page, what its head says, and what was changed; ``levels`` tells whether headings have true levels."""

    blocks: tuple[Block, ...]
    levels: bool
    language: str | None = None
    policy: str | None = None
    modified: str | None = None
    changes: tuple[str, ...] = ()


def from_text(text: str) -> Page:
    """Return the blocks of page text. A heading is a short line of its own, in title case or of few words, without a stop."""
    lines = text.split("\n")
    wrapped = _is_wrapped(lines)
    blocks: list[Block] = []
    indents: list[int] = []
    for n, row in enumerate(lines):
        bare = one_line(row)
        found = _MARKER.match(row)
        if not bare:
            continue
        after_blank = n == 0 or not lines[n - 1].strip()
        alone = after_blank and (n + 1 == len(lines) or not lines[n + 1].strip())
        if found:
            indents = [*(i for i in indents if i < len(found["indent"])), len(found["indent"])]
            number = int(found["number"]) if found["number"] else None
            blocks.append(Block("item", one_line(found["text"]), len(indents) - 1, number))
        elif blocks and not after_blank and blocks[-1].kind != "heading" and (wrapped or _goes_on(blocks[-1].text, bare)):
            blocks[-1] = replace(blocks[-1], text=f"{blocks[-1].text} {bare}")
        else:
            indents = []
            blocks.append(_line(bare, blocks[-1:]) if alone else Block("text", bare))
    return Page(blocks=tuple(blocks), levels=False)


def _line(bare: str, before: Sequence[Block]) -> Block:
    """Return a line that stands alone; a heading right below a heading is under it."""
    if not is_heading(bare):
        return Block("text", bare)
    under = before[0].level if before and before[0].kind == "heading" else PLAIN_LEVEL - 1
    return Block("heading", bare, under + 1)


def _goes_on(before: str, bare: str) -> bool:
    """Tell whether a line continues the one above it."""
    return bare[0].islower() and before[-1] not in ".!?:"


def _is_wrapped(lines: Sequence[str]) -> bool:
    """Tell whether the text was broken at a fixed width: no line is long, and many that go on are nearly full."""
    inner = [len(row) for row, following in pairwise(lines) if row.strip() and following.strip()]
    full = sum(1 for size in inner if size >= _WRAPPED_AT)
    return bool(inner) and full * 2 >= len(inner) and max(map(len, lines)) <= _UNWRAPPED


def is_heading(line: str) -> bool:
    """Tell whether a line that stands alone reads as a heading.

    >>> is_heading("Dosing Protocol for Low-Dose Naltrexone"), is_heading("Naltrexone is usually given at night.")
    (True, False)
    """
    words = line.split()
    if len(line) > _LONGEST_HEADING or len(words) > _MOST_WORDS or line[-1] in ".!:;,…]":
        return False
    if not (line[0].isupper() or line[0].isdigit()) or len(split(line)) > 1:
        return False
    if len(words) <= _FEW_WORDS or line[-1] == "?":
        return True
    strong = [word for word in words if word.lower() not in _SMALL_WORDS and word[0].isalpha()]
    return bool(strong) and sum(word[0].isupper() for word in strong) >= _TITLE_CASE_SHARE * len(strong)


# Markdown


def from_markdown(text: str) -> Page:
    """Return the blocks of Markdown; emphasis, links and images lose their marks, HTML in it is dropped."""
    reader = _Collector()
    lists: list[int | None] = []
    number: int | None = None
    for token in MarkdownIt("commonmark").enable("table").parse(text.replace("[^", "[")):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            lists.append(int(token.attrGet("start") or 1) if token.type[0] == "o" else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "list_item_open":
            number = int(token.info) if token.info.isdigit() else None
        elif token.type == "heading_open":
            reader.heading = int(token.tag[1])
        elif token.type in ("thead_open", "tr_open", "th_open", "td_open", "table_close"):
            reader.table_token(token.type)
        elif token.type == "inline":
            reader.take(_inline(token.children or ()), len(lists), number)
            number = None
    return Page(blocks=tuple(reader.blocks), levels=True, changes=tuple(reader.changes))


def _inline(children: Iterable[Any]) -> str:
    pieces: list[str] = []
    raise_next: str | None = None
    for child in children:
        if child.type == "html_inline":
            tag = child.content.strip("<>/ ").lower()
            raise_next = tag if tag in ("sup", "sub") and not child.content.startswith("</") else None
        elif child.type in ("text", "code_inline"):
            raised_text = {"sup": raised, "sub": lowered}.get(raise_next or "", str)(child.content)
            pieces.append(raised_text)
        elif child.type in ("softbreak", "hardbreak"):
            pieces.append(" ")
    return "".join(pieces)


class _Collector:
    """Blocks so far, and the table that is being read."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.changes: list[str] = []
        self.heading = 0
        self._rows: list[list[str]] | None = None
        self._head = False

    def take(self, text: str, depth: int, number: int | None) -> None:
        """Add the text of one block, or of one cell while a table is open."""
        bare = one_line(text)
        if self._rows is not None:
            self._rows[-1][-1] = bare
        elif bare and self.heading:
            self.blocks.append(Block("heading", bare, self.heading))
        elif bare:
            self.blocks.append(Block("item", bare, depth - 1, number) if depth else Block("text", bare))
        self.heading = 0

    def table_token(self, kind: str) -> None:
        """Follow the opening of a table, its rows and cells, and its end."""
        if kind == "table_close":
            self.table(self._rows or [], has_head=self._head)
            self._rows, self._head = None, False
        elif kind == "tr_open":
            self._rows = [*(self._rows or []), []]
        elif kind in ("th_open", "td_open") and self._rows:
            self._rows[-1].append("")
        self._head |= kind == "thead_open"

    def table(self, rows: list[list[str]], *, has_head: bool) -> None:
        """Add each row as an item whose cells carry the heads of their columns."""
        rows = [row for row in rows if any(row)]
        head = rows[0] if has_head and rows else []
        for row in rows[1:] if head else rows:
            text = "; ".join(f"{name}: {cell}" if name else cell for name, cell in _paired(head, row) if cell)
            self.blocks.append(Block("item", text))
            if len(row) > 1:
                self.changes.append(f"table row written as: {text}")


def _paired(head: Sequence[str], row: Sequence[str]) -> Iterator[tuple[str, str]]:
    for n, cell in enumerate(row):
        yield (head[n] if n < len(head) else ""), cell


# HTML


def from_html(text: str, file: str) -> Page:
    """Return the blocks of a saved page: of its ``article`` or ``main``, else of what trafilatura takes for the main text."""
    try:
        tree = html.document_fromstring(_DECLARATION.sub("", text), parser=_PARSER)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise ImportFileError(
            f"{file}: the page is not HTML that can be read ({error}). Save it again, or copy its text."
        ) from error
    head = {"language": tree.get("lang"), "policy": _policy(tree), "modified": _modified(tree)}
    _drop(tree)
    walker = _Walker()
    walker.walk(_main(tree, file))
    walker.flush()
    language = (head["language"] or "").split("-")[0].lower()
    return Page(
        blocks=tuple(walker.collector.blocks),
        levels=True,
        language=language if re.fullmatch(r"[a-z]{2,3}", language) else None,
        policy=head["policy"],
        modified=head["modified"],
        changes=tuple(walker.collector.changes),
    )


def _policy(tree: Any) -> str | None:
    links = (a.get("href") for a in tree.iter("a") if "editorial policy" in one_line(a.text_content()).lower())
    return next((link for link in links if link and re.fullmatch(r"https://[^\s/]+\S*", link)), None)


def _modified(tree: Any) -> str | None:
    for node in tree.iter("meta"):
        if node.get("property") in ("article:modified_time", "og:updated_time") or node.get("itemprop") == "dateModified":
            return str(node.get("content") or "")
    return None


def _drop(tree: Any) -> None:
    """Take out what is no text of the page or what no reader sees; what follows an element stays."""
    doomed = [node for node in tree.iter() if isinstance(node.tag, str) and _is_dropped(node)]
    for node in doomed:
        if node.getparent() is not None:
            node.drop_tree()


def _is_dropped(node: Any) -> bool:
    if node.tag in ("html", "body", "main", "article"):
        return False
    if node.get("hidden") is not None or node.get("aria-hidden") == "true" or _INVISIBLE.search(node.get("style") or ""):
        return True
    named = f"{node.get('class') or ''} {node.get('id') or ''}"
    marked = node.tag in _DROPPED_TAGS or node.get("role") in _DROPPED_ROLES or _DROPPED_NAMES.search(named[:500])
    return bool(marked) and not node.xpath("boolean(.//h1 | .//main | .//article)")  # "with-sidebar" may wrap the whole page


def _main(tree: Any, file: str) -> Any:
    """Return the element that holds the article."""
    found = tree.xpath("//article | //main | //*[@role='main']")
    if found:
        return max(found, key=lambda node: len(node.text_content()))
    for node in tree.xpath("//sup | //sub"):  # trafilatura keeps no raised figures: 10⁶ would become 106
        node.text = (raised if node.tag == "sup" else lowered)(node.text_content())
        for child in list(node):
            node.remove(child)
        node.drop_tag()
    extracted = trafilatura.extract(
        html.tostring(tree, encoding="unicode"),
        output_format="html",
        include_tables=True,
        include_comments=False,
        favor_recall=True,
    )
    if not extracted:
        raise ImportFileError(f"{file}: no article was found in the page. Copy its text into a file and add that.")
    return html.document_fromstring(extracted, parser=_PARSER)


class _Walker:
    """Collects inline text until a block begins or ends."""

    def __init__(self) -> None:
        self.collector = _Collector()
        self._pieces: list[str] = []
        self._depth = 0  # of lists
        self._number: int | None = None

    def flush(self) -> None:
        """End the block that is being read."""
        self.collector.take("".join(self._pieces), self._depth, self._number)
        if one_line("".join(self._pieces)):
            self._number = None
        self._pieces = []

    def walk(self, node: Any, deep: int = 0) -> None:
        """Read an element and what is in it."""
        tag = node.tag
        if deep > _DEEPEST:
            self._pieces.append(node.text_content())
        elif tag in ("sup", "sub"):
            self._pieces.append((raised if tag == "sup" else lowered)(node.text_content()))
        elif tag == "table" and not self._is_layout(node):
            self.flush()
            self.collector.table(_grid(node), has_head=bool(node.xpath("boolean(.//tr[1][th[2]])")))
        elif tag in ("ul", "ol"):
            self._walk_list(node, deep)
        elif tag in _BLOCK_TAGS:
            self.flush()
            self.collector.heading = int(tag[1]) if re.fullmatch(r"h[1-6]", tag) else 0
            self._walk_children(node, deep)
            self.flush()
        else:
            self._pieces.append(" " if tag == "br" else "")
            self._walk_children(node, deep)

    def _is_layout(self, table: Any) -> bool:
        return table.find(".//table") is not None or table.xpath("boolean(.//h1 | .//h2 | .//p[2])")

    def _walk_children(self, node: Any, deep: int) -> None:
        self._pieces.append(node.text or "")
        for child in node:
            if isinstance(child.tag, str):
                self.walk(child, deep + 1)
            self._pieces.append(child.tail or "")

    def _walk_list(self, node: Any, deep: int) -> None:
        self.flush()
        self._depth += 1
        start = node.get("start") or "1"
        first = int(start) if re.fullmatch(r"[0-9]{1,3}", start) else 1
        for n, child in enumerate(node.iterchildren("li"), first):
            self._number = n if node.tag == "ol" else None
            self._walk_children(child, deep + 1)
            self.flush()
        self._depth -= 1


def _grid(table: Any) -> list[list[str]]:
    """Return the cells of a table, those that span rows or columns repeated where they reach: a shifted cell is a wrong dose."""
    rows: list[list[str]] = []
    waiting: dict[tuple[int, int], str] = {}
    for n, row in enumerate(table.iter("tr")):
        line: list[str] = []
        for cell in row.iterchildren("td", "th"):
            while (n, len(line)) in waiting:
                line.append(waiting[n, len(line)])
            text, wide, high = one_line(_cell(cell)), _span(cell, "colspan"), _span(cell, "rowspan")
            waiting.update({(n + down, len(line) + across): text for down in range(1, high) for across in range(wide)})
            line.extend([text] * wide)
        while (n, len(line)) in waiting:
            line.append(waiting[n, len(line)])
        rows.append(line)
    return rows


def _span(cell: Any, name: str) -> int:
    stated = (cell.get(name) or "1").strip()
    return min(int(stated), _WIDEST) if stated.isdigit() and int(stated) else 1


def _cell(node: Any) -> str:
    walker = _Walker()
    walker.walk(node)
    walker.flush()
    return " ".join(block.text for block in walker.collector.blocks)
