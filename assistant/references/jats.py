"""JATS article (.nxml, .xml) -> Work or Fault: article-meta, the abstract by sections, and the licence that decides on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from assistant.records import Retraction, Source
from assistant.references import safexml, work
from assistant.references.safexml import text_of
from assistant.references.work import Fault, Work

ROOTS = frozenset({"article", "pmc-articleset", "OAI-PMH"})
_LEVELS = {
    "systematic-review": "systematic-review",
    "meta-analysis": "meta-analysis",
    "review-article": "review",
    "case-report": "case-report",
    "clinical-trial": "trial",
    "letter": "opinion",
    "editorial": "opinion",
    "article-commentary": "opinion",
    "guideline": "guideline",
}
_DATES = ("ppub", "collection", "pub", "epub-ppub", "epub")  # PubMed dates a work by its issue
_STATES = (("retract", "retracted"), ("concern", "concern"), ("correct", "corrected"))
_HREF = "{http://www.w3.org/1999/xlink}href"


def read(stream: safexml.Stream, file: str) -> Iterator[Work | Fault]:
    """Yield the articles of a JATS file that ``safexml.refuse_unsafe`` let pass."""
    count = 0
    try:
        for item in safexml.elements(stream, "article"):
            count += 1
            yield _record(item, file)
    except etree.XMLSyntaxError as error:
        yield Fault(f"{safexml.where(error, file)} Download the file again.")
        return
    if not count:
        yield Fault(f"{file}: the JATS file holds no article.")


def _record(item: Any, file: str) -> Work | Fault:
    meta = item.find("{*}front/{*}article-meta")
    title = work.title(_text(meta.find("{*}title-group/{*}article-title"))) if meta is not None else ""
    if meta is None or not title:
        return Fault(f"{file}:{item.sourceline}: an article without article-meta or title. Download it again.")
    return Work(title=title, source=_source(item, meta), origin="JATS", abstract=tuple(_abstract(meta)))


def _source(item: Any, meta: Any) -> Source:
    ids = {node.get("pub-id-type"): text_of(node) for node in meta.findall("{*}article-id")}
    doi = work.doi(ids.get("doi"))
    kind = _LEVELS.get(item.get("article-type") or "", "other")
    return Source(
        type=kind,
        authors=tuple(_authors(meta)),
        journal=work.line(text_of(next(item.iterfind("{*}front/{*}journal-meta//{*}journal-title"), None))),
        year=_year(meta),
        volume=work.line(text_of(meta.find("{*}volume"))),
        issue=work.line(text_of(meta.find("{*}issue"))),
        pages=_pages(meta),
        doi=doi,
        pmid=work.pmid(ids.get("pmid")),
        pmcid=work.pmcid(ids.get("pmc") or ids.get("pmcid")),
        url=f"https://doi.org/{doi}" if doi else None,
        evidence_level=kind,
        retraction=_retraction(meta),
        licence=_licence(meta),
    )


def _unread(node: Any) -> bool:
    """Marks that are no part of the text; a citation number among them would be read as an exponent."""
    tag = etree.QName(node).localname
    return tag in ("tex-math", "fn", "xref") and (tag != "xref" or node.get("ref-type") in ("bibr", "fn", "aff", "table-fn"))


def _text(node: Any) -> str:
    return text_of(node, _unread)


def _authors(meta: Any) -> Iterator[str]:
    for node in meta.iterfind("{*}contrib-group/{*}contrib"):
        if node.get("contrib-type") not in (None, "author"):
            continue
        surname = text_of(next(node.iter("{*}surname"), None))
        if surname:
            yield f"{surname} {work.initials(text_of(next(node.iter('{*}given-names'), None)))}".strip()
        elif group := _text(next(node.iter("{*}collab"), None)):
            yield group


def _year(meta: Any) -> int | None:
    dates = {node.get("pub-type") or node.get("date-type"): node for node in reversed(meta.findall("{*}pub-date"))}
    chosen = next((dates[kind] for kind in _DATES if kind in dates), next(iter(dates.values()), None))
    return work.year(text_of(chosen.find("{*}year"))) if chosen is not None else None


def _pages(meta: Any) -> str | None:
    first, last = text_of(meta.find("{*}fpage")), text_of(meta.find("{*}lpage"))
    pages = first if last in ("", first) else f"{first}-{last}"
    return work.line(pages or text_of(meta.find("{*}elocation-id")))


def _retraction(meta: Any) -> Retraction:
    """A notice names the work it is about; only links from the work itself to its notice count."""
    kinds = [str(node.get("related-article-type") or "") for node in meta.findall("{*}related-article")]
    forward = [kind for kind in kinds if kind.endswith("-forward") or kind == "expression-of-concern"]
    return next((Retraction(state) for part, state in _STATES if any(part in kind for kind in forward)), Retraction())


def _licence(meta: Any) -> str:
    for node in meta.iterfind("{*}permissions/{*}license"):
        links = " ".join(str(part.get(_HREF)) for part in node.iter() if part.get(_HREF))
        named = [text_of(part) for part in node.iter() if isinstance(part.tag, str) and part.tag.endswith("license_ref")]
        return work.licence(f"{links} {' '.join(named)} {text_of(node)}")
    return "unknown"


def _abstract(meta: Any) -> Iterator[tuple[str, str]]:
    """Yield the parts of the abstract itself, not of graphical ones, lay summaries or translations."""
    own = next((node for node in meta.findall("{*}abstract") if not node.get("abstract-type")), None)
    for node in own if own is not None else ():
        if not isinstance(node.tag, str) or etree.QName(node).localname == "title":
            continue
        if etree.QName(node).localname == "sec":
            text = " ".join(filter(None, (_text(part) for part in node.iter("{*}p", "{*}list-item") if _is_outermost(part))))
            label = text_of(node.find("{*}title"))
        else:
            label, text = "", _text(node)
        if text:
            yield label, text[: work.LONGEST_ABSTRACT]


def _is_outermost(node: Any) -> bool:
    return not any(etree.QName(above).localname in ("p", "list-item") for above in node.iterancestors())
