"""Data a clinician can review: synonyms, drugs by class, intents, abbreviations, red flags; read once, never changed."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from assistant.text.words import stem, stems

Phrase = tuple[str, ...]
FOLDER = Path(__file__).parent
# Nouns that WordNet files under a specific class but that any medical question may hold.
GENERIC = frozenset(
    (
        "dose doses drug drugs medicine medicines medication medications patient patients pill pills tablet tablets "
        "doctor doctors nurse clinician physician person people man woman men women adult adults complaint complaints "
        "symptom symptoms disease diseases illness disorder disorders sickness ailment pain reader user expert author "
        "authors prescriber pharmacist someone anyone pharmaceutical treatment therapy remedy procedure care attack aid "
        "fix shot hit water head hand hands face body system systems back foot side dosage regimen capsule solution "
        "placebo compound agent substance base first second effect friend mother father come part sign organ cell cells "
        "tissue case cause hurt hurts dependent sore result results finding findings outcome outcomes primary main figure "
        "figures nan nans gran granny grandma grandpa grandmother grandfather mum mom dad husband wife partner son daughter "
        "sister brother aunt uncle lady gentleman guy girl boy colleague boss client"
    ).split()
)


_VITAMIN = re.compile(r"vitamin[a-ek]\d{0,2}")  # as the normaliser writes "vitamin B12"
PEOPLE = frozenset(("children", "newborns", "animals", "pregnancy", "breast-feeding"))  # whose figures hold for nobody else
# Stems that say nothing alone, though the phrase they are left from does.
EVERYDAY = frozenset("most come good work fast long much not run take up well time patient use go quick rapid kick".split())


@dataclass(frozen=True, slots=True)
class Intent:
    """A kind of question: patterns of the question (``asks``) and of a sentence that answers it (``holds``)."""

    name: str
    asks: re.Pattern[str]
    holds: re.Pattern[str]
    caution: bool
    suggest: str


@dataclass(frozen=True, slots=True)
class Must:
    """A subject that an answering passage must be about when the question is."""

    name: str
    asks: tuple[Phrase, ...]
    holds: tuple[Phrase, ...]


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


@cache
def fingerprint() -> str:
    """Return the hash of all word lists: what was prepared with others is stale."""
    files = sorted(path for path in FOLDER.iterdir() if path.suffix in (".toml", ".tsv", ".txt"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def phrase(text: str) -> Phrase:
    """Return a phrase in the form in which it is looked for."""
    return tuple(stems(text))


def _phrases(texts: list[str]) -> tuple[Phrase, ...]:
    """Return the phrases, without those of which only an everyday word is left ("up to", "how does it work")."""
    found = [(text, phrase(text)) for text in texts]
    worn = {p for text, p in found if len(p) == 1 and p[0] in EVERYDAY and len(re.split(r"[ -]", text)) > 1}
    return tuple(dict.fromkeys(p for _, p in found if p and p not in worn))


@cache
def synonym_groups() -> tuple[tuple[Phrase, ...], ...]:
    """Return the groups of phrases that mean the same."""
    return tuple(_phrases(group) for group in _read("synonyms.toml")["wording"]) + condition_groups()


@cache
def condition_groups() -> tuple[tuple[Phrase, ...], ...]:
    """Return the groups that name one condition or complaint each."""
    return tuple(_phrases(group) for group in _read("synonyms.toml")["conditions"])


@cache
def must_groups() -> tuple[Must, ...]:
    """Return the subjects that a passage must cover when asked about."""
    return tuple(Must(row["name"], _phrases(row["asks"]), _phrases(row["holds"])) for row in _read("synonyms.toml")["must"])


@cache
def people() -> tuple[Must, ...]:
    """Return the subjects that are populations whose figures hold for nobody else."""
    return tuple(group for group in must_groups() if group.name in PEOPLE)


@cache
def intents() -> tuple[Intent, ...]:
    """Return the intents, most telling first."""
    return tuple(
        Intent(
            row["name"],
            re.compile("|".join(row["asks"])),
            re.compile("|".join(row["holds"])),
            row["caution"],
            row.get("suggest", ""),
        )
        for row in _read("intents.toml")["intent"]
    )


@cache
def abbreviations() -> dict[str, str]:
    """Return short form (lower case) -> long form."""
    return dict(_read("abbreviations.toml")["abbreviations"])


@cache
def brands() -> dict[str, str]:
    """Return brand name -> generic name, lower case."""
    return dict(_read("drugs.toml")["brands"])


@cache
def drug_classes() -> dict[str, tuple[str, ...]]:
    """Return generic name -> the words that stand for its classes in a source."""
    found: dict[str, tuple[str, ...]] = {}
    for row in _read("drugs.toml")["classes"].values():
        for member in row["members"]:
            found[member] = tuple(dict.fromkeys((*found.get(member, ()), *row["cover"])))
    return found


@cache
def _drug_suffix() -> re.Pattern[str]:
    return re.compile(rf"[a-z]{{3,}}(?:{'|'.join(_read('drugs.toml')['suffixes']['endings'])})")


@cache
def nouns() -> dict[str, str]:
    """Return noun -> class (condition, drug, procedure, body, food, person, plant, animal, substance), after WordNet 3.0."""
    table: dict[str, str] = {}
    for line in (FOLDER / "nouns.tsv").read_text(encoding="utf-8").splitlines():
        name, words = line.split("\t")
        for word in words.split():
            if word not in GENERIC:
                table.setdefault(word, name)
    return table


@cache
def english() -> frozenset[str]:
    """Return the stems of everyday and technical English words of five letters and more, after WordNet 3.0."""
    return frozenset((FOLDER / "english.txt").read_text(encoding="utf-8").split())


def is_drug(word: str) -> bool:
    """Tell whether a lower-case word names a medicine: by list, by brand, or by the stem of its international name."""
    return (
        bool(_VITAMIN.fullmatch(word))
        or word in drug_classes()
        or word in brands()
        or (word not in nouns() and bool(_drug_suffix().fullmatch(word)))
    )


@cache
def known_words() -> frozenset[str]:
    """Return the single words of the lexicon (lower case): spelling repair leaves them alone."""
    table = _read("synonyms.toml")
    texts = [text for group in table["wording"] + table["conditions"] for text in group]
    texts += [text for row in table["must"] for text in row["asks"] + row["holds"]]
    found = {word for text in texts for word in re.findall(r"[a-z]+", text.lower())}
    return frozenset(found | set(drug_classes()) | set(brands()) | set(abbreviations()) | set(GENERIC))


@dataclass(frozen=True, slots=True)
class ClaimWords:
    """What decides a sentence's meaning: stem -> kind; words that join; units by any spelling; parts that may be left out."""

    kinds: Mapping[str, str]
    free: frozenset[str]
    discourse: frozenset[str]
    openings: frozenset[tuple[str, ...]]
    labels: frozenset[str]
    units: Mapping[str, str]


@cache
def claim_words() -> ClaimWords:
    """Return the words by which a sentence is checked against its source."""
    table = _read("claims.toml")
    words, units = table["words"], table["units"]
    free = frozenset(words["free"].split())
    return ClaimWords(
        kinds={stem(word): kind for kind, text in table["kinds"].items() for word in text.split()},
        free=free,
        discourse=frozenset(words["discourse"].split()),
        openings=frozenset(
            tuple(word for word in text.split() if word not in free) for text in [*words["openings"], *words["discourse"].split()]
        ),
        labels=frozenset(words["labels"].split()),
        units={spelling: unit for unit, others in units.items() for spelling in (unit, *others.split())},
    )
