"""Folder -> list[Finding]: one small rule for each way in which a corpus can mislead its readers.

Rules about one file decide whether it is used: an error or a quarantine leaves it out. Rules about files together only report,
so that one bad reference does not take its article away.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from assistant import passages
from assistant.articles import body_sha256
from assistant.corpus import suspicion
from assistant.corpus.files import CorpusFile, Finding, read
from assistant.references import RIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from assistant.records import Document, Page

OPEN_LICENCES = re.compile(r"(?:CC-BY(?:-SA)?-[0-9.]+|CC-BY|CC0(?:-[0-9.]+)?|PD)")
_NUMBER = re.compile(r"(?<![\w.-])[0-9]")
_MARK_INSIDE = re.compile(r"\[[0-9][0-9,\s–-]{0,40}\]|\{#")
_NOTICES = {"retracted": "has been retracted", "concern": "carries an expression of concern"}


@dataclass(frozen=True, slots=True)
class Survey:
    """All files that could be read, those that may be used, and why the others may not."""

    files: tuple[CorpusFile, ...]
    usable: tuple[CorpusFile, ...]
    findings: tuple[Finding, ...]


def check(folder: Path, count: passages.Count = passages.estimate) -> list[Finding]:
    """Return every finding in the corpus by file and line; ``count`` gives the tokens of a text."""
    found = survey(folder)
    documents = {file.document.id: file.document for file in found.files}
    findings = list(found.findings)
    for rule in _LINK_RULES:
        findings += (finding for file in found.files for finding in rule(file, documents))
    findings += _same_work_twice(found.files)
    findings += (finding for file in found.files for finding in _long_passages(file, count))
    return sorted(findings, key=_place)


def survey(folder: Path) -> Survey:
    """Return the files of the corpus and the findings that decide on their use."""
    files, findings = read(folder)
    findings += _duplicate_ids(files)
    findings += (finding for file in files for rule in _FILE_RULES for finding in rule(file))
    barred = {finding.file for finding in findings if finding.grade != "warning"}
    usable = tuple(file for file in files if file.name not in barred)
    return Survey(tuple(files), usable, tuple(sorted(findings, key=_place)))


def _place(finding: Finding) -> tuple[str, int, str, str]:
    return finding.file, finding.line, finding.rule, finding.text


# Rules about one file


def _id_is_not_the_file_name(file: CorpusFile) -> Iterator[Finding]:
    if file.name.rpartition("/")[2] != f"{file.document.id}.md":
        text = f"The id is {file.document.id!r}: name the file {file.document.id}.md, or change the id."
        yield file.finding("error", "id", text, file.line_of("\nid:", "id"))


def _approval_is_incomplete(file: CorpusFile) -> Iterator[Finding]:
    page = file.document.page
    if page is None or page.status != "approved":
        return
    line = file.line_of("\nstatus:", "status")
    if not page.reviewed_by or not page.reviewed_on:
        text = "An approved article needs reviewed_by and reviewed_on: add them, or set the status under-review."
        yield file.finding("error", "unreviewed", text, line)
    if page.approved_sha256 is None:
        text = f"No approved_sha256 says which text was approved. Of the present text it is {body_sha256(file.document)}."
        yield file.finding("warning", "no-approval-hash", text, line)
    elif page.approved_sha256 != body_sha256(file.document):
        text = "The text was changed after approval: set the status under-review, and have it approved again."
        yield file.finding("error", "changed-after-approval", text, file.line_of("\napproved_sha256:", "approved"))


def _text_without_right(file: CorpusFile) -> Iterator[Finding]:
    source = file.document.source
    if source is None:
        return
    stated = (source.abstract_source or "").startswith(RIGHT)
    if source.abstract_kind == "verbatim" and not OPEN_LICENCES.fullmatch(source.licence) and not stated:
        text = (
            f"The licence {source.licence} does not allow a verbatim abstract: write a summary, or state the right to it "
            f'in abstract_source, beginning with "{RIGHT}".'
        )
        yield file.finding("error", "verbatim-without-right", text, file.line_of("\nabstract_kind:", "abstract_kind"))


def _kind_of_abstract_differs(file: CorpusFile) -> Iterator[Finding]:
    source = file.document.source
    line = file.line_of("\nabstract_kind:", "abstract_kind")
    if source is not None and source.abstract_kind == "none" and file.document.text:
        text = "The record is marked none but holds a text: mark it summary or verbatim, or remove the text."
        yield file.finding("error", "text-in-none", text, line)
    if source is not None and source.abstract_kind != "none" and not file.document.text:
        text = f"The record is marked {source.abstract_kind} but holds no text: it can support no sentence."
        yield file.finding("warning", "no-text", text, line)


def _speaks_to_a_machine(file: CorpusFile) -> Iterator[Finding]:
    for number, line in enumerate(file.text.split("\n"), 1):
        if codes := suspicion.hidden(line):
            text = f"The line holds hidden characters ({', '.join(codes)}): remove them."
            yield file.finding("quarantined", "hidden", text, number)
        if words := suspicion.instruction(line):
            text = f"The words {words!r} read like an instruction to a machine: reword or remove the line."
            yield file.finding("quarantined", "instruction", text, number)


def _duplicate_ids(files: Iterable[CorpusFile]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for file in files:
        if file.document.id in seen:
            text = f"The id {file.document.id!r} is also that of {seen[file.document.id]}: rename one."
            yield file.finding("error", "duplicate-id", text, file.line_of("\nid:", "id"))
        seen.setdefault(file.document.id, file.name)


# Rules about files together


def _numbers(file: CorpusFile, _: Mapping[str, Document]) -> Iterator[Finding]:
    """Numbers in the body and entries of the reference list must fit."""
    page = file.document.page
    if page is None:
        return
    listed = Counter(entry.n for entry in page.references)
    for n in sorted(n for n, times in listed.items() if times > 1):
        line = file.line_of("\nreferences:", f"n: {n},")
        yield file.finding("error", "number-twice", f"Two entries have the number {n}.", line)
    unknown = {i: sorted(set(unit.refs) - listed.keys()) for i, unit in enumerate(file.document.units)}
    texts = {i: f"These numbers have no entry in references: {numbers}." for i, numbers in unknown.items() if numbers}
    yield from file.at_units("error", "unknown-number", texts)
    for n in sorted(listed.keys() - {n for unit in file.document.units for n in unit.refs}):
        text = f"Entry {n} is never cited: cite it, or move it to related."
        yield file.finding("warning", "never-cited", text, file.line_of("\nreferences:", f"n: {n},"))


def _works(page: Page) -> Iterator[tuple[str, str]]:
    """Yield the key and id of every work an article names."""
    yield from (("references", entry.ref) for entry in page.references)
    yield from (("related", ref) for ref in page.related)
    yield from (("disputed", ref) for dispute in page.disputed for ref in dispute.by)


def _missing_works(file: CorpusFile, documents: Mapping[str, Document]) -> Iterator[Finding]:
    for key, ref in _works(file.document.page) if file.document.page else ():
        found = documents.get(ref)
        if found is None or (found.source is None and key != "related"):
            text = f"There is no references/{ref}.md that could be used."
            yield file.finding("error", f"unknown-{key}", text, file.line_of(f"\n{key}:", ref))


def _anchors(file: CorpusFile, _: Mapping[str, Document]) -> Iterator[Finding]:
    """A disputed line must be there, once."""
    text = file.document.text
    seen: set[str] = set()
    texts = {}
    for i, unit in enumerate(file.document.units):
        if unit.anchor and text[unit.start - 1 : unit.start] in ("", "\n"):  # the first unit of its line
            if unit.anchor in seen:
                texts[i] = f"The anchor {unit.anchor!r} stands on another line too: rename one."
            seen.add(unit.anchor)
    yield from file.at_units("error", "anchor-twice", texts)
    for dispute in file.document.page.disputed if file.document.page else ():
        if dispute.line not in seen:
            problem = f"No line ends with {{#{dispute.line}}}."
            yield file.finding("error", "unknown-line", problem, file.line_of("\ndisputed:", dispute.line))


def _doubtful_works(file: CorpusFile, documents: Mapping[str, Document]) -> Iterator[Finding]:
    """Works that were retracted, questioned or corrected since; answers show that as a notice."""
    page = file.document.page
    for entry in page.references if page else ():
        found = documents.get(entry.ref)
        if page is None or found is None or found.source is None:
            continue
        state, day = found.source.retraction.state, found.source.retraction.checked_on
        line = file.line_of("\nreferences:", entry.ref)
        if state in _NOTICES:
            yield file.finding("warning", state, f"The cited work {entry.ref} {_NOTICES[state]}.", line)
        if state == "corrected" and (day is None or page.last_updated is None or day > page.last_updated):
            text = f"The cited work {entry.ref} has been corrected: see whether the article still fits, then set last_updated."
            yield file.finding("warning", "corrected", text, line)


def _uncited_numbers(file: CorpusFile, _: Mapping[str, Document]) -> Iterator[Finding]:
    """A citation of the lead-in covers the items below it."""
    units = file.document.units if file.document.page else ()
    refs = {(unit.start, unit.end): unit.refs for unit in units}
    texts = {}
    for i, unit in enumerate(units):
        text = file.document.text[unit.start : unit.end]
        if _NUMBER.search(text) and not unit.refs and not (unit.lead and refs.get(unit.lead)):
            texts[i] = f"A number without a citation: {text!r}."
    yield from file.at_units("warning", "uncited-number", texts)


def _crowded_lines(file: CorpusFile, _: Mapping[str, Document]) -> Iterator[Finding]:
    text, units = file.document.text, file.document.units
    crowded = {i for i, (before, unit) in enumerate(pairwise(units), 1) if "\n" not in text[before.end : unit.start]}
    texts = {i: "More than one sentence stands in the line: give each its own." for i in sorted(crowded) if i - 1 not in crowded}
    yield from file.at_units("warning", "two-sentences", texts)


def _marks_inside(file: CorpusFile, _: Mapping[str, Document]) -> Iterator[Finding]:
    texts = {}
    for i, unit in enumerate(file.document.units if file.document.page else ()):
        if found := _MARK_INSIDE.search(file.document.text, unit.start, unit.end):
            texts[i] = f"{found.group()} is shown as text: citations end the line, after the stop, as [1, 2] {{#anchor}}."
    yield from file.at_units("warning", "mark-inside", texts)


def _same_work_twice(files: Iterable[CorpusFile]) -> Iterator[Finding]:
    for name in ("doi", "pmid"):
        holders: dict[str, list[CorpusFile]] = defaultdict(list)
        for file in files:
            if file.document.source and (number := getattr(file.document.source, name)):
                holders[number.lower()].append(file)
        for number, same in holders.items():
            for file in same[1:]:
                text = f"The {name.upper()} {number} is also that of {same[0].name}: keep one record."
                yield file.finding("error", f"same-{name}", text, file.line_of(f"\n{name}:", name))


def _long_passages(file: CorpusFile, count: passages.Count) -> Iterator[Finding]:
    texts = {}
    for passage in passages.split(file.document, count):
        size = count(passages.embedded_text(file.document, passage))
        if size > passages.BOUND:
            first = file.document.units.index(passages.units_in(file.document, passage)[0])
            texts[first] = f"A passage of {size} tokens, of which {passages.BOUND} are searched by meaning: shorten the sentence."
    yield from file.at_units("warning", "long-passage", texts)


_FILE_RULES: tuple[Callable[[CorpusFile], Iterator[Finding]], ...] = (
    _id_is_not_the_file_name,
    _approval_is_incomplete,
    _text_without_right,
    _kind_of_abstract_differs,
    _speaks_to_a_machine,
)
_LINK_RULES: tuple[Callable[[CorpusFile, Mapping[str, Document]], Iterator[Finding]], ...] = (
    _numbers,
    _missing_works,
    _anchors,
    _doubtful_works,
    _uncited_numbers,
    _crowded_lines,
    _marks_inside,
)
