"""PubMed article set (efetch XML) -> Work or Fault, one by one: memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from assistant.records import Retraction, Source
from assistant.references import safexml, work
from assistant.references.safexml import text_of
from assistant.references.work import Fault, Work

ROOTS = frozenset({"PubmedArticleSet", "PubmedArticle", "PubmedBookArticleSet", "PubmedBookArticle"})
_CORRECTED = frozenset({"ErratumIn", "CorrectedandRepublishedIn"})


def read(stream: safexml.Stream, file: str, checked_on: str | None = None) -> Iterator[Work | Fault]:
    """Yield the records of an article set that ``safexml.refuse_unsafe`` let pass.

    ``checked_on`` is the day of the download; without it the day on which PubMed revised the record dates its state.
    """
    count = 0
    try:
        for item in safexml.elements(stream, "PubmedArticle", "PubmedBookArticle"):
            count += 1
            yield _record(item, file, checked_on)
    except etree.XMLSyntaxError as error:
        kept = f"The {count} records before it are kept. " if count else ""
        yield Fault(f"{safexml.where(error, file)} {kept}Download the file again.")
        return
    if not count:
        yield Fault(f"{file}: the PubMed file holds no record.")


def _record(item: Any, file: str, checked_on: str | None) -> Work | Fault:
    citation = item.find("MedlineCitation")
    article = item.find("BookDocument") if citation is None else citation.find("Article")
    title = (
        work.title(text_of(article.find("ArticleTitle")) or text_of(article.find("VernacularTitle")))
        if article is not None
        else ""
    )
    if article is not None and not title:
        title = work.title(text_of(article.find("Book/BookTitle")))
    if article is None or not title:
        return Fault(f"{file}:{item.sourceline}: a record without article or title. Download it again.")
    citation = article if citation is None else citation
    notices = citation.findall("CommentsCorrectionsList/CommentsCorrections")
    return Work(
        title=title,
        source=_source(item, citation, article, _retraction(citation, article, notices, checked_on)),
        origin="PubMed",
        abstract=tuple(
            (node.get("Label") or "", text)
            for node in article.findall("Abstract/AbstractText")
            if (text := text_of(node)[: work.LONGEST_ABSTRACT])
        ),
        notes=tuple(_notes(notices, article)),
    )


def _source(item: Any, citation: Any, article: Any, retraction: Retraction) -> Source:
    types = _types(article)
    ids = [*article.findall("ELocationID"), *item.findall("PubmedData/ArticleIdList/ArticleId")]
    ids += [*item.findall("PubmedBookData/ArticleIdList/ArticleId"), *article.findall("ArticleIdList/ArticleId")]
    issue = article.find("Journal/JournalIssue")
    pmid = work.pmid(text_of(citation.find("PMID")))
    kind = work.level(types)
    return Source(
        type=kind,
        authors=tuple(_authors(article)),
        journal=work.line(text_of(article.find("Journal/Title")) or text_of(article.find("Book/BookTitle"))),
        year=_year(article),
        volume=work.line(text_of(issue.find("Volume"))) if issue is not None else None,
        issue=work.line(text_of(issue.find("Issue"))) if issue is not None else None,
        pages=work.line(text_of(article.find("Pagination/MedlinePgn"))),
        doi=next((found for node in ids if _kind(node) == "doi" and (found := work.doi(text_of(node)))), None),
        pmid=pmid,
        pmcid=next((found for node in ids if _kind(node) == "pmc" and (found := work.pmcid(text_of(node)))), None),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid else None,
        publication_types=types,
        evidence_level=kind,
        retraction=retraction,
        licence=work.licence(text_of(article.find("Abstract/CopyrightInformation"))),
    )


def _kind(node: Any) -> str:
    return str(node.get("EIdType") or node.get("IdType") or "")


def _types(article: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for node in article.iter("PublicationType") if (text := text_of(node))))


def _year(article: Any) -> int | None:
    dates = (article.find(path) for path in ("Journal/JournalIssue/PubDate", "Book/PubDate", "ContributionDate", "ArticleDate"))
    return next((year for node in dates if (year := work.year(text_of(node))) is not None), None)


def _authors(article: Any) -> Iterator[str]:
    lists = [node for node in article.findall("AuthorList") + article.findall("Book/AuthorList") if node.get("Type") != "editors"]
    for node in lists[0] if lists else ():
        if group := text_of(node.find("CollectiveName")):
            yield group
        elif surname := text_of(node.find("LastName")):
            given = text_of(node.find("Initials")) or work.initials(text_of(node.find("ForeName")))
            yield f"{surname} {given}".strip()


def _retraction(citation: Any, article: Any, notices: list[Any], checked_on: str | None) -> Retraction:
    """Either the type or the notice may be missing, so one is enough."""
    kinds = {node.get("RefType") for node in notices}
    day = checked_on or _revised(citation)
    if "Retracted Publication" in _types(article) or "RetractionIn" in kinds:
        return Retraction("retracted", day)
    if "ExpressionOfConcernIn" in kinds:
        return Retraction("concern", day)
    if kinds & _CORRECTED:
        return Retraction("corrected", day)
    return Retraction("none", day) if day else Retraction()


def _revised(citation: Any) -> str | None:
    parts = [text_of(citation.find(f"DateRevised/{part}")) for part in ("Year", "Month", "Day")]
    return "-".join(parts) if [len(part) for part in parts] == [4, 2, 2] else None


def _notes(notices: list[Any], article: Any) -> Iterator[str]:
    for node in notices:
        if node.get("RefType") == "UpdateIn":
            yield f"a newer version of this work exists: {text_of(node.find('RefSource'))}"
    if "Retraction of Publication" in _types(article):
        yield "this record is the notice of a retraction, not a study"
