"""MEDLINE text (NBIB) -> Work or Fault: tags of four letters, continued lines indented."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from assistant.records import Retraction, Source
from assistant.references import work
from assistant.references.work import Fault, Work

_TAG = re.compile(r"([A-Z]{2,4}) {0,2}- ?(.*)")
_CORRECTED = ("EIN", "CRI")

Fields = Mapping[str, list[str]]


def read(text: str, file: str) -> Iterator[Work | Fault]:
    """Yield the records of a MEDLINE export; each begins with its PMID."""
    for number, fields in _records(text):
        if title := work.title(" ".join(fields.get("TI", []) or fields.get("BTI", []) or fields.get("TT", []))):
            yield _work(title, fields)
        else:
            yield Fault(f"{file}:{number}: a record without a title (TI). Export it again.")


def _records(text: str) -> Iterator[tuple[int, dict[str, list[str]]]]:
    """Yield the first line and the fields of each record; wrapped lines are joined."""
    fields: dict[str, list[str]] = {}
    begin, last = 1, ""
    for number, row in enumerate(text.split("\n"), 1):
        found = _TAG.match(row)
        if found and found[1] == "PMID":
            if fields:
                yield begin, fields
            fields, begin = {}, number
        if found:
            last = found[1]
            fields.setdefault(last, []).append(found[2].strip())
        elif row.strip() and last in fields:
            fields[last][-1] += f" {row.strip()}"
    if fields:
        yield begin, fields


def _work(title: str, fields: Fields) -> Work:
    types = tuple(dict.fromkeys(text for raw in fields.get("PT", []) if (text := work.line(raw))))
    pmid = work.pmid(_first(fields, "PMID"))
    kind = work.level(types)
    ids = [raw for tag in ("LID", "AID") for raw in fields.get(tag, []) if raw.endswith("[doi]")]
    source = Source(
        type=kind,
        authors=tuple(name for raw in [*fields.get("AU", []), *fields.get("CN", [])] if (name := work.line(raw))),
        journal=work.line(_first(fields, "JT") or _first(fields, "TA") or _first(fields, "BTI")),
        year=work.year(_first(fields, "DP")),
        volume=work.line(_first(fields, "VI")),
        issue=work.line(_first(fields, "IP")),
        pages=work.line(_first(fields, "PG")),
        doi=next((found for raw in ids if (found := work.doi(raw))), None),
        pmid=pmid,
        pmcid=work.pmcid(_first(fields, "PMC")),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid else None,
        publication_types=types,
        evidence_level=kind,
        retraction=_retraction(fields, types),
        licence=work.licence(_first(fields, "CI")),
    )
    newer = tuple(f"a newer version of this work exists: {raw}" for raw in fields.get("UIN", []))
    return Work(title=title, source=source, origin="MEDLINE", abstract=work.parts(_first(fields, "AB")), notes=newer)


def _first(fields: Fields, tag: str) -> str:
    return next(iter(fields.get(tag, ())), "")


def _retraction(fields: Fields, types: tuple[str, ...]) -> Retraction:
    revised = _first(fields, "LR")
    day = f"{revised[:4]}-{revised[4:6]}-{revised[6:8]}" if re.fullmatch(r"[0-9]{8}", revised) else None
    if "RIN" in fields or "Retracted Publication" in types:
        return Retraction("retracted", day)
    if "ECI" in fields:
        return Retraction("concern", day)
    if any(tag in fields for tag in _CORRECTED):
        return Retraction("corrected", day)
    return Retraction("none", day) if day else Retraction()
