"""Document -> list[Statement]: what its sentences say of a medicine in figures, or for and against it; and which disagree.

Only statements about the same medicine, in the same form, for the same people and conditions are compared. Whatever is left open
counts as different, because a wrong "sources disagree" costs more than a missed one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from assistant.lexicon import FOLDER, abbreviations, brands, drug_classes, is_drug, must_groups
from assistant.lexicon.concepts import Concept, Reading, Wording, concepts
from assistant.records import Document, Unit
from assistant.search import view
from assistant.text.words import normalise, words

Range = tuple[float, float]

GROUPS = ("children", "newborns", "pregnancy", "breast-feeding", "older adults", "kidney disease", "liver disease")
STRENGTHS = frozenset(("low-dose", "very-low-dose", "ultra-low-dose", "high-dose"))
_LONGEST = 300  # characters of a sentence that is read: longer ones say several things
_REACH = 70  # characters before a dose in which the words that say its kind are looked for
_IN_MG = {"mg": 1.0, "mcg": 0.001, "g": 1000.0}
_IN_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.0}
_VALUE = r"(\d{1,6}(?:\.\d{1,4})?)"
_DOSE = re.compile(
    rf"(?<![\w.,<>]){_VALUE}(?: ?(?:mg|mcg|g))?(?: ?(?:to|-|or) ?{_VALUE})? ?(mg|mcg|g)\b(?![ -]*(?:/|per)? ?(?:d?l|ml)\b)"
)
_TIME = rf"{_VALUE}(?: ?(?:to|-|or) ?{_VALUE})? ?(hour|day|week|month)s?\b"
_LIMIT = rf"{_VALUE}()()"
_PERIOD = re.compile(
    r"(?:\ba|\bper|\bonce|\bevery|/|\bonce a|\bonce every|\bmg) ?(day|week|month)\b"
    r"|\b(daily|weekly|monthly|bedtime|nightly|at night)\b"
)
_PERIODS = {"daily": "day", "weekly": "week", "monthly": "month", "bedtime": "day", "nightly": "day", "at night": "day"}
_WORDS = re.compile(r"[\w'-]+|[^\w\s]")
_NAME = re.compile(r"\b[a-z]+(ic acid)\b|\b[a-z][\w-]*")  # of a drug, perhaps
_AFTER = re.compile(r" (?:of )?(?:oral )?([a-z]+(?: acid)?)\b")
_STAGE = re.compile(r"\b(?:stage|grade|class) [0-9ivab]{1,3}\b")


@dataclass(frozen=True, slots=True)
class Where:
    """For whom and how a statement holds.

    ``forms`` are ways of giving, ``people`` populations, ``about`` conditions; ``bands`` are ranges such as an eGFR of 30 to 44,
    and stages.
    """

    forms: frozenset[str]
    people: frozenset[str]
    about: frozenset[str]
    bands: frozenset[Range | str]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a unit says of a drug: figures (``values``, in mg or days), or a benefit found (``polarity`` 1) or not (-1).

    ``said`` is how the figures are written, ``period`` what the dose is for; ``outcomes`` belong to effects.
    """

    unit: Unit
    drug: str
    kind: str
    where: Where
    values: tuple[Range, ...] = ()
    said: str = ""
    period: str = ""
    polarity: int = 0
    outcomes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Table:
    labels: Mapping[str, str]
    dose: re.Pattern[str]
    figures: Mapping[str, re.Pattern[str]]
    study: re.Pattern[str]
    advice: re.Pattern[str]
    forms: Mapping[str, re.Pattern[str]]
    effect: Mapping[str, re.Pattern[str]]
    interactions: Mapping[str, re.Pattern[str]]


@cache
def _table() -> _Table:
    plain: dict[str, Any] = tomllib.loads((FOLDER / "attributes.toml").read_text(encoding="utf-8"))
    kinds = "|".join(f"(?P<{row['name']}>\\b(?:{'|'.join(row['words'])}))" for row in plain["dose"])
    figures = {row["name"]: row["pattern"].replace("{time}", _TIME).replace("{number}", _LIMIT) for row in plain["figure"]}
    return _Table(
        {row["name"]: row["label"] for row in plain["dose"] + plain["figure"]},
        re.compile(kinds),
        {name: re.compile(pattern) for name, pattern in figures.items()},
        re.compile("|".join(plain["study"]["words"])),
        re.compile("|".join(plain["study"]["unless"])),
        _compiled(plain["forms"]),
        _compiled(plain["effect"]),
        _compiled(plain["interactions"]),
    )


def _compiled(rows: Mapping[str, list[str]]) -> dict[str, re.Pattern[str]]:
    return {name: re.compile("|".join(found)) for name, found in rows.items()}


# -- reading ------------------------------------------------------------------------------------------------------------


def statements(document: Document) -> list[Statement]:
    """Return what the units of a document state, in order."""
    return [found for unit in document.units for found in _of_unit(document, unit)]


def _of_unit(document: Document, unit: Unit) -> Iterator[Statement]:
    if unit.end - unit.start > _LONGEST or document.text[unit.end - 1] == ":":
        return
    own = normalise(document.text[unit.start : unit.end]).lower()
    effect, alone = _polarity(document, own, unit), _interactions(own)
    figured = any(char.isdigit() for char in own)
    if not (figured or effect or alone):
        return
    if subject := _subject(document, unit, own):
        if figured:
            yield from _doses(document, unit, own, subject)
            yield from _figures(document, unit, own, subject)
        if alone == -1 or (alone == 1 and _names_company(own, subject)):
            yield Statement(unit, subject, "interactions", _where(document, unit, own), polarity=alone)
        elif effect:
            yield from _effect(document, unit, own, subject, effect)


def _subject(document: Document, unit: Unit, own: str) -> str:
    """Return the drug a unit is about: one of its document's title, or else the first named; empty where there is none."""
    titled = drugs(normalise(document.title).lower())
    named = drugs(own) or [brands().get(word, word) for word in view(document, unit).drugs] or titled[:1]
    return next((word for word in named if word in titled), next(iter(named), ""))


@lru_cache(maxsize=4096)
def drugs(low: str) -> tuple[str, ...]:
    """Return the generic names of the drugs of a text in order; "folic acid" is one of them.

    >>> drugs("revia and folic acid, or ldn")
    ('naltrexone', 'folic acid', 'naltrexone')
    """
    spelled = " ".join(abbreviations().get(word, word) for word in _WORDS.findall(low))
    found = [match[0] for match in _NAME.finditer(spelled) if match[1] or is_drug(match[0])]
    return tuple(brands().get(word, word) for word in found)


def _where(document: Document, unit: Unit, own: str) -> Where:
    lead = document.text[slice(*unit.lead)].lower() if unit.lead else ""
    around = f"{own} . {' . '.join(unit.heading).lower()}"
    titled = f"{around} . {lead} . {document.title.lower()}"
    reading = Reading.of(titled)
    people = frozenset(name for name in GROUPS if group(name).met_by(reading))
    about = _conditions(around) or _conditions(lead) or _conditions(document.title.lower())
    bands = frozenset((*view(document, unit).ranges, *_STAGE.findall(around)))
    return Where(_forms(f"{around} . {lead}", titled), people, about, bands)


def _forms(around: str, titled: str) -> frozenset[str]:
    text = around if "immediate-release" in around else titled
    return frozenset(name for name, pattern in _table().forms.items() if pattern.search(text))


@cache
def group(name: str) -> Concept:
    """Return the concept of a population, by one of ``GROUPS``."""
    found = next(found for found in must_groups() if found.name == name)
    return Concept(name, name, found.asks + found.holds)


@lru_cache(maxsize=4096)
def _conditions(low: str) -> frozenset[str]:
    """Return the conditions a text names, each by the first of the names that mean the same."""
    return frozenset(" ".join(min(c.covers)) for c in concepts(Wording.of(low), ()) if c.kind == "condition")


def _doses(document: Document, unit: Unit, own: str, subject: str) -> Iterator[Statement]:
    """Yield a statement for each kind of dose that is named, alternatives ("500 mg or 850 mg") together; none for a study's."""
    if _table().study.search(own) and not _table().advice.search(own):
        return
    at, kind = 0, ""
    found: dict[tuple[str, str], list[re.Match[str]]] = {}
    for match in _DOSE.finditer(own):
        before = own[max(at, match.start() - _REACH) : match.start()]
        named = [cue.lastgroup or "" for cue in _table().dose.finditer(before)]
        kind = named[-1] if named else kind if before.endswith((" or ", " or by ")) else ""
        at = match.end()
        if kind not in ("", "other") and (kind != "range" or match[2]):
            found.setdefault((kind, _drug_of(own, match, subject)), []).append(match)
    where = _where(document, unit, own) if found else None
    for (name, drug), matches in found.items():
        if where is not None:
            values = tuple(value for match in matches for value in _doses_in(match))
            said = " or ".join(match[0] for match in matches)
            yield Statement(unit, drug, name, where, values, said, _period(own, matches[0]))


def doses(low: str, subject: str = "") -> list[tuple[str, Range, str]]:
    """Return (drug, range in mg, as it is written) of the doses of a normalised lower-case text.

    Where a dose has no drug beside it, ``subject`` stands for it.

    >>> doses("is 45 mg of naltrexone ok, or 1.5 to 4.5 mg?")
    [('naltrexone', (45.0, 45.0), '45 mg'), ('naltrexone', (1.5, 4.5), '1.5 to 4.5 mg')]
    """
    found = ((_drug_of(low, match, subject), match) for match in _DOSE.finditer(low))
    return [(drug, value, match[0]) for drug, match in found for value in _doses_in(match)]


def _doses_in(match: re.Match[str]) -> list[Range]:
    """Return the range of "1 to 5 mg", and both doses of "25 or 50 mg"."""
    low, high = _in(match.groups(), _IN_MG)
    return [(low, low), (high, high)] if " or " in match[0] else [(low, high)]


def _drug_of(own: str, match: re.Match[str], subject: str) -> str:
    """Return the drug of a dose: "4.5 mg of naltrexone", or the last named before it, or the one the unit is about."""
    after = _AFTER.match(own, match.end())
    near = drugs(after[1]) if after else ()
    return next(iter(near), "") or next(reversed(drugs(own[max(0, match.start() - _LONGEST) : match.start()])), subject)


def _in(groups: Sequence[str | None], scale: Mapping[str, float]) -> Range:
    """Return (low, high) of a value, a second value or nothing, and a unit."""
    low, high, unit = groups
    values = sorted(round(float(n) * scale.get(unit or "", 1.0), 6) for n in (low, high or low) if n)
    return values[0], values[-1]


def _period(own: str, match: re.Match[str]) -> str:
    """Return "day", "week" or "month", where the words after a dose, or else before it, say so; else nothing."""
    after = re.split(r"\d", own[match.end() : match.end() + _REACH])[0]
    found = _PERIOD.search(after) or _PERIOD.search(own[: match.start()])
    return (found[1] or _PERIODS[found[2]]) if found else ""


def _figures(document: Document, unit: Unit, own: str, subject: str) -> Iterator[Statement]:
    for name, pattern in _table().figures.items():
        if match := pattern.search(own):
            values = _in(match.groups(), _IN_DAYS)
            end = match.end(3) + own.startswith("s", match.end(3)) if match[3] else match.end(1)
            yield Statement(unit, subject, name, _where(document, unit, own), (values,), own[match.start(1) : end])


def _polarity(document: Document, own: str, unit: Unit) -> int:
    """Return 1 where a sentence finds a benefit, -1 where it finds none or cannot say, else 0."""
    effect = _table().effect
    lead = document.text[slice(*unit.lead)].lower() if unit.lead else ""
    shown = bool(lead and effect["shown"].search(lead))
    if not shown and not effect["outcomes"].search(own) and not effect["general"].search(own):
        return 0
    rest, denied = effect["none"].subn(" ", own)
    found = shown or bool(effect["some"].search(rest))
    if found == bool(denied) or effect["unsure"].search(rest):
        return 0
    return -1 if denied else int(document.page is not None or _is_shown(document, own))


def _is_shown(document: Document, own: str) -> bool:
    """Tell whether a work's sentence compares: a change over time, or a difference that may be chance, shows no effect."""
    effect = _table().effect
    verdict = document.source.verdict if document.source is not None else None
    sure = verdict == "positive" or (verdict is None and bool(effect["sure"].search(own)))
    return sure and bool(effect["against"].search(own))


def _effect(document: Document, unit: Unit, own: str, subject: str, polarity: int) -> Iterator[Statement]:
    """Yield an effect on a named condition; a comparison with another drug says nothing of an effect against placebo."""
    where = _where(document, unit, own)
    outcomes = frozenset(_table().effect["outcomes"].findall(own)) or frozenset({"effect"})
    if where.about and not set(drugs(own)) - {subject}:
        yield Statement(unit, subject, "effect", where, polarity=polarity, outcomes=outcomes)


def _interactions(own: str) -> int:
    """Return -1 for "no interactions", 1 for what a medicine must not be taken with, else 0."""
    table = _table().interactions
    return -1 if table["none"].search(own) else int(bool(table["some"].search(own)))


def _names_company(own: str, subject: str) -> bool:
    """Tell whether a text names another drug, or a class of them, beside the subject."""
    return bool(set(drugs(own)) - {subject}) or not _class_words().isdisjoint(words(own))


@cache
def _class_words() -> frozenset[str]:
    return frozenset(word.lower() for cover in drug_classes().values() for word in cover if " " not in word)


# -- comparing ----------------------------------------------------------------------------------------------------------


def compared_on(statement: Statement) -> tuple[str, str]:
    """Return what statements must share to be compared: the drug, and the kind; a range also says how high a dose may be."""
    return statement.drug, "range" if statement.kind == "maximum" else statement.kind


def disagree(one: Statement, other: Statement) -> bool:
    """Tell whether two statements cannot both hold."""
    if compared_on(one) != compared_on(other):
        return False
    if one.kind == "interactions":
        return one.polarity != other.polarity and one.where.forms - STRENGTHS == other.where.forms - STRENGTHS
    if not _comparable(one, other):
        return False
    if one.kind == "effect":
        return (
            one.polarity != other.polarity and bool(one.outcomes & other.outcomes) and bool(one.where.about & other.where.about)
        )
    return _apart(one, other)


def _apart(one: Statement, other: Statement) -> bool:
    """Tell whether figures differ: two ranges in their ends, a range from a highest dose by going beyond it, others wholly."""
    if one.kind != other.kind:
        highest, wide = (one, other) if one.kind == "maximum" else (other, one)
        return wide.values[0][1] > max(high for _, high in highest.values)
    if one.kind == "range":
        return one.values[0] != other.values[0]
    return not any(a <= d and c <= b for a, b in one.values for c, d in other.values)


def _comparable(one: Statement, other: Statement) -> bool:
    """Tell whether two statements hold for the same: the same way of giving, people, conditions and period."""
    here, there = one.where, other.where
    effect = one.kind == "effect"
    strengths = here.forms & STRENGTHS, there.forms & STRENGTHS
    return (
        (strengths[0] == strengths[1] or (effect and not all(strengths)))
        and here.forms - STRENGTHS == there.forms - STRENGTHS
        and here.people == there.people
        and (effect or one.kind == "threshold" or here.bands == there.bands)
        and (not here.about or not there.about or bool(here.about & there.about))
        and (not one.period or not other.period or one.period == other.period)
    )


def label(statement: Statement) -> str:
    """Return the words for what a statement is about: "the starting dose of methotrexate"."""
    if statement.kind == "interactions":
        return f"interactions of {statement.drug}"
    if statement.kind == "effect":
        what = " and ".join(sorted(statement.outcomes - {"effect"}))
        return f"the effect of {statement.drug}{f' on {what}' if what else ''}"
    return f"{_table().labels[statement.kind]} of {statement.drug}"
