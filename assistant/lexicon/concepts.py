"""Question -> the specific things it is about: drugs, conditions, populations; and what a passage must hold to be about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from assistant.lexicon import (
    GENERIC,
    Intent,
    Phrase,
    brands,
    condition_groups,
    drug_classes,
    intents,
    is_drug,
    must_groups,
    nouns,
    phrase,
    synonym_groups,
)
from assistant.text.words import STOP_WORDS, normalise, split_words, stem, stems, stems_of

# Classes of nouns that an answer must be about; a body part, a person or a substance may be mentioned by the way.
SPECIFIC = frozenset({"condition"})
# What is eaten or drunk and known to interact: specific where a combination is asked about.
EATEN = frozenset(
    "grapefruit juice milk dairy coffee caffeine tea cheese soy soya garlic ginger turmeric ginseng liquorice spinach kale "
    "broccoli cranberry banana salt sugar egg fish nut chocolate".split()
)
NEVER_ELSE = frozenset(("grapefruit", "spinach", "kale", "broccoli", "cranberry", "ginseng", "turmeric", "liquorice"))
_MEDICAL_ENDING = re.compile(r"[a-z]{3,}(?:itis|osis|aemia|emia|opathy|pathy|oma|algia|uria|plegia|paresis|phobia|lysis)")
_AGE = re.compile(r"\b(\d{1,3})[- ]?(years?|yrs?|months?|weeks?|days?|y)[- ]?(?:old|o)\b")
# "under 12", "aged 70": an age where no unit follows and nothing else is measured.
_UNDER = re.compile(
    r"(?:^|\b(?:and|for|if|in|those|patients?|people|children|what about) )"
    r"(under|below|younger than|aged?|over|above|older than) "
    r"(\d{1,2})(?= ?(?:[?.!,;]|$|years?\b|yo\b|\())"
)
DOSED = frozenset(("dose", "start", "maximum", "titration", "target"))  # intents that ask for the size of a dose
_CHILD_AGE = 18
_OLD_AGE = 65
# "the dose of quinine", "quinine dosage": what is dosed is a drug, whatever else the word may mean.
_DOSE_OF = re.compile(r"\b(?:dos(?:e|es|age|ing)|amount|mg|mcg)\b[^?.]{0,12}?\b(?:of|for)\s+([a-z]{4,})")
_OF_DOSE = re.compile(r"\b([a-z]{4,})\s+dos(?:e|es|age|ing)\b")
# A drug after one of these is company for the drug that is asked about, not the subject.
_COMPANY = re.compile(
    r"\b(?:with|and|plus|on|taking|takes|using|uses|alongside|together|combin\w*|between|while|after|before|from|to|instead|than|"
    r"versus|vs|or|mix\w*|interact\w*|like|stop\w*|off|add\w*|given|against)\b[^?.]{0,24}$"
)
_COMPANY_AFTER = re.compile(
    r"^\w*\s*(?:and|with|together|plus|interact\w*|allowed|ok|okay|safe|a problem|at the same time|contraindicated)\b"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as its stems, in order and as a set: the form in which phrases are looked for."""

    order: tuple[str, ...]
    known: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Reading:
        """Read a text."""
        order = tuple(stems(text))
        return cls(order, frozenset(order))

    def holds(self, wanted: Phrase) -> bool:
        """Tell whether the stems of a phrase stand side by side, in order."""
        if not self.known.issuperset(wanted):
            return False
        size = len(wanted)
        return size == 1 or any(self.order[i : i + size] == wanted for i in range(len(self.order) - size + 1))


@dataclass(frozen=True, slots=True)
class Wording:
    """A question as all that looks at its words needs it, made once: normalised in lower case, its words, and their stems."""

    low: str
    words: tuple[str, ...]
    reading: Reading

    @classmethod
    def of(cls, text: str) -> Wording:
        """Read a question."""
        low = normalise(text).lower()
        found = tuple(split_words(low))
        order = tuple(stems_of(found))
        return cls(low, found, Reading(order, frozenset(order)))


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing a question is about. ``covers``: stem sequences, any of which shows that a text is about it.

    ``company`` marks a drug named beside the one asked about: its class may stand for it.
    """

    text: str
    kind: str
    covers: tuple[Phrase, ...]
    company: bool = False
    _single: frozenset[str] = field(init=False, repr=False, compare=False)
    _longer: tuple[Phrase, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the single stems apart: most texts are decided by one look at a set."""
        object.__setattr__(self, "_single", frozenset(wanted[0] for wanted in self.covers if len(wanted) == 1))
        object.__setattr__(self, "_longer", tuple(wanted for wanted in self.covers if len(wanted) > 1))

    def met_by(self, reading: Reading) -> bool:
        """Tell whether a text is about the concept."""
        return not self._single.isdisjoint(reading.known) or any(reading.holds(wanted) for wanted in self._longer)


def intents_of(asked: Wording) -> tuple[Intent, ...]:
    """Return the intents a question shows, the most telling first."""
    return tuple(intent for intent in intents() if intent.asks.search(asked.low))


def expansions(found: Reading) -> dict[Phrase, tuple[Phrase, ...]]:
    """Return phrase found in a question -> the other phrases of its groups."""
    out: dict[Phrase, tuple[Phrase, ...]] = {}
    for group in _groups_near(found, synonym_groups):
        for wanted in group:
            if found.holds(wanted):
                out[wanted] = tuple(dict.fromkeys((*out.get(wanted, ()), *(other for other in group if other != wanted))))
    return out


def _groups_near(found: Reading, groups: Callable[[], Sequence[tuple[Phrase, ...]]]) -> list[tuple[Phrase, ...]]:
    """Return the groups of which some phrase begins with a stem of the text, in their order."""
    return [groups()[n] for n in _near(found, groups)]


def _near(found: Reading, groups: Callable[[], Sequence[tuple[Phrase, ...]]]) -> list[int]:
    table = _first_stems(groups)
    return sorted({n for s in found.known for n in table.get(s, ())})


@cache
def _first_stems(groups: Callable[[], Sequence[tuple[Phrase, ...]]]) -> dict[str, list[int]]:
    table: dict[str, list[int]] = {}
    for n, group in enumerate(groups()):
        for first in {wanted[0] for wanted in group}:
            table.setdefault(first, []).append(n)
    return table


@cache
def _asked() -> Sequence[tuple[Phrase, ...]]:
    return tuple(group.asks for group in must_groups())


def _age_concepts(text: str, *, dosed: bool) -> list[Concept]:
    """Return the group that a named age belongs to, and for a dose a child's age itself, which a passage must name too."""
    out = []
    for limit in _UNDER.finditer(text):
        years, below = int(limit[2]), limit[1] in ("under", "below", "younger than")
        name = (
            "children" if years < _CHILD_AGE or (below and years == _CHILD_AGE) else "older adults" if years >= _OLD_AGE else ""
        )
        group = next((g for g in must_groups() if g.name == name), None)
        if group is not None:
            out.append(Concept(limit[0].strip(), name, group.asks + group.holds))
    for found in _AGE.finditer(text):
        years = int(found[1]) if found[2].startswith("y") else 0
        name = "children" if years < _CHILD_AGE else "older adults" if years >= _OLD_AGE else ""
        group = next((g for g in must_groups() if g.name == name), None)
        if group is not None:
            out.append(Concept(group.name, name, group.asks + group.holds))
        if name == "children" and dosed:
            out.append(Concept(found[0], "age", (phrase(f"{found[1]} {found[2]}"),)))
    return out


def _must_concepts(asked: Wording, *, dosed: bool) -> list[Concept]:
    found = asked.reading
    near = [must_groups()[n] for n in _near(found, _asked)]
    named = [(max(held, key=len), group) for group in near if (held := [w for w in group.asks if found.holds(w)])]
    out, taken = [], set[str]()
    for longest, group in sorted(named, key=lambda pair: -len(pair[0])):  # "Child-Pugh" is about the liver, not a child
        if not set(longest) <= taken:
            surface = " ".join(_surface(asked, longest))
            out.append(Concept(surface or group.name, group.name, group.asks + group.holds))
            taken |= set(longest)
    kinds = {concept.kind for concept in out}
    return out + [concept for concept in _age_concepts(asked.low, dosed=dosed) if concept.kind not in kinds]


def _same(word: str) -> tuple[Phrase, ...]:
    """Return the phrases that mean the same as a single word."""
    own = phrase(word)
    groups = [group for group in _groups_near(Reading(own, frozenset(own)), synonym_groups) if own in group]
    return tuple(dict.fromkeys((own, *(other for group in groups for other in group))))


_AND_FIRST = re.compile(r"^(?:(?:and|but|or|so|then|ok|okay)[ ,]+)+")
_OPERATION = re.compile(r"[a-z]{3,}(?:ectomy|plasty|oscopy|otomy|ostomy)")


def _drug(word: str, low: str, *, combined: bool) -> Concept:
    generic = brands().get(word, word)
    low = _AND_FIRST.sub("", low)
    at = low.find(word)
    company = combined or bool(_COMPANY.search(low[:at]) or _COMPANY_AFTER.match(low[at + len(word) :]))
    classes = [phrase(text) for text in drug_classes().get(generic, ())] if company else []
    names = dict.fromkeys([*_same(generic), phrase(word), *classes])
    return Concept(word, "drug", tuple(p for p in names if p), company=company)


def _is_substance(word: str) -> bool:
    """Tell whether an English noun names something that is given in doses: quinine, cocaine, arsenic."""
    return word not in GENERIC and nouns().get(word) in ("drug", "substance")


def _kind(word: str, *, combined: bool) -> str | None:
    singular = word[:-1] if word.endswith("s") and word not in nouns() else word
    if word in GENERIC or singular in GENERIC:
        return None
    if _MEDICAL_ENDING.fullmatch(singular):
        return "condition"
    if (combined or word in NEVER_ELSE) and singular in EATEN:
        return "food"
    kind = nouns().get(word) or nouns().get(singular)
    return kind if kind in SPECIFIC else None


def _parts(asked: Wording) -> dict[str, None]:
    """Return the words without stop words, in order; hyphenated ones in parts, unless they name a drug."""
    whole = (word if "-" not in word or is_drug(word) else word.split("-") for word in asked.words)
    parts = (part.removesuffix("'s") for word in whole for part in ([word] if isinstance(word, str) else word))
    return dict.fromkeys(part for part in parts if part not in STOP_WORDS)


def concepts(asked: Wording, kinds: Sequence[Intent] | None = None) -> tuple[Concept, ...]:
    """Return the specific things a question is about, each once. ``kinds`` are its intents, where they are known already.

    >>> [c.text for c in concepts(Wording.of("Can I take it with tramadol while pregnant?"))]
    ['pregnant', 'tramadol']
    """
    low, found = asked.low, asked.reading
    kinds = intents_of(asked) if kinds is None else kinds
    out = _must_concepts(asked, dosed=any(intent.name in DOSED for intent in kinds))
    taken = {s for concept in out for wanted in concept.covers for s in wanted if found.holds(wanted)}
    for group in _groups_near(found, condition_groups):
        named = [wanted for wanted in group if found.holds(wanted) and not set(wanted) & taken]
        if named:
            longest = max(named, key=len)
            out.append(Concept(" ".join(_surface(asked, longest)), "condition", group))
            taken |= set(longest)
    parts = _parts(asked)
    drugs = {word for word in parts if is_drug(word)}
    combined = len(drugs) > 1 or any(intent.name == "interaction" for intent in kinds)
    dosed = {word for pattern in (_DOSE_OF, _OF_DOSE) for word in pattern.findall(low) if _is_substance(word)}
    for word in parts:
        if stem(word) in taken:
            continue
        if word in drugs:
            out.append(_drug(word, low, combined=combined))
        elif word in dosed:
            out.append(Concept(word, "drug", _same(word)))
        elif _OPERATION.fullmatch(word):
            surgery = next(subject for subject in must_groups() if subject.name == "surgery")
            out.append(Concept(word, "surgery", (*_same(word), *surgery.asks, *surgery.holds)))
        elif kind := _kind(word, combined=combined):
            out.append(Concept(word, kind, _same(word)))
        else:
            continue
        taken.add(stem(word))
    beside = [concept for concept in out if concept.kind == "drug" and concept.company]
    return tuple(c for c in out if c.kind != "route" or not any(f"{drug.text} {c.text}" in low for drug in beside))


def _surface(asked: Wording, wanted: Phrase) -> list[str]:
    return [word for word in asked.words if any(stem(part) in wanted for part in word.split("-"))]
