"""Query -> what must be said first: an emergency before everything, a personal decision before its facts.

Composed patterns are the floor and need no encoder. Beside them ``Examples`` reads by meaning: it compares the vector that is
searched with anyway with sentences that people write in a crisis, and with harmless ones about the same things.
"""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from rapidfuzz.distance import OSA

from assistant.lexicon import FOLDER, english, is_drug
from assistant.records import Notice
from assistant.search import Encoder, Vector, Vectors
from assistant.text.words import normalise, stem

# A question about the subject ("how does it affect suicidal thoughts?"), not a person in danger now. It excuses words of
# self-harm alone: "what to do, my child swallowed ten tablets?" is a question too.
_REFERENCE = re.compile(
    r"^(?:what|which|who|how|is|are|was|were|does|do|did|can|could|should|why|when|where|has|have|if|in)\b(?! not\b)"
    r"(?!.*\b(?:i|i'm|i've|my|me|we|our|he|she|him|her|myself)\b)"
)
# A sentence that asks, as against one that tells what happened. "Do not" and "have to" tell.
_ASKS = re.compile(
    r"\s*(?:(?:and|but|so|or|ok|okay|hi|hello|please|also|then)\b[ ,]*){0,3}(?:what|which|how|who|whom|whose|where|when|why|is|isn't|"
    r"are|am|was|were|do|don't|does|did|can|could|should|shall|will|would|may|might|must|has|have|had|if|whether|in|for|with|"
    r"after|during|at|to|tell me|explain|describe|any|write|give)\b(?! (?:not|to)\b)"
)
_SENTENCE = re.compile(r"[.?!;:,\n]+|\b(?:because|but|and)\b")
_WORD = re.compile(r"[a-z]{5,20}")
_NEAREST = 3  # examples of each side whose mean is compared
_TELLS = (0.3, 0.0)  # least nearness to a crisis of a text that tells something, and what it must be above that to harmless talk
_ONLY_ASKS = (0.55, 0.1)  # the same for a text that only asks
_METHOD = re.compile(r"\bway to die\b|\bto end it\b")  # a question, and a crisis
_PERSONAL = re.compile(
    r"\b(?:should|can|could|may|must|do) "
    r"(?:i|we|my (?:\w+ )?(?:mother|father|mum|mom|dad|wife|husband|son|daughter|child|partner|friend))\b.{0,30}"
    r"\b(?:take|start|stop|increase|raise|reduce|double|skip|switch|use|try|mix|combine|have|give|inject|quit)\b"
    r"|\b(?:i|i'm|i am|i've been|i have been|my doctor)\b.{0,40}\b(?:taking|prescribed|on|started|put me on|weigh)\b"
    r"|\b(?:my|for me)\b.{0,20}\b(?:dose|dosage)\b|\b(?:dose|dosage) for me\b"
)
PERSONAL_NOTICE = (
    "This assistant quotes published sources. It cannot set or change a dose for a person; that decision belongs to the "
    "prescriber who knows the case."
)


@dataclass(frozen=True, slots=True)
class _Family:
    kind: str
    pattern: re.Pattern[str]
    said: re.Pattern[str] | None  # counts unless the text is a question about the subject


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "red_flags.toml").read_text(encoding="utf-8"))


@cache
def _families() -> tuple[_Family, ...]:
    out = []
    for row in _table()["family"]:
        always = [rf"\b(?:{'|'.join(row['always'])})"] if row["always"] else []
        composed = [rf"{row['who']}.{{0,80}}?{row['what']}"] if "who" in row else []
        said = re.compile(rf"\b(?:{'|'.join(row['said'])})") if "said" in row else None
        out.append(_Family(row["kind"], re.compile("|".join(always + composed)), said))
    return tuple(out)


def services(kind: str, locale: str) -> str:
    """Return the sentence that names a locale's services; unverified numbers say so; empty for an unknown locale."""
    row = _table()["locales"].get(locale.upper())
    if row is None:
        return ""
    wanted = {"self-harm": ("crisis", "emergency"), "poisoning": ("poison", "emergency")}.get(kind, ("emergency",))
    named = [f"{name} {row[name]}" for name in wanted if name in row]
    mark = "" if row["verified"] else " (not yet verified by our editors; check locally)"
    return f" {locale.upper()}: {', '.join(named)}{mark}."


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Vectors of the example sentences, float32 [n, d], rows of length 1; ``kinds`` are those of the rows of ``crisis``.

    They come from the encoder that embeds the questions.
    """

    kinds: tuple[str, ...]
    crisis: Vectors
    harmless: Vectors

    @classmethod
    def stored(cls, row: Mapping[str, Any]) -> Examples:
        """Return what ``embedded`` made."""
        return cls(tuple(row["kinds"]), _unpacked(row["crisis"], row["width"]), _unpacked(row["harmless"], row["width"]))

    def crisis_near(self, vector: Vector, close: float, least: float) -> str | None:
        """Return the kind of crisis that a vector is at least ``close`` to, and nearer than to harmless talk by ``least``."""
        cosines = self.crisis @ vector
        near = _best(cosines)
        if near < close or near - _best(self.harmless @ vector) <= least:
            return None
        return self.kinds[int(cosines.argmax())]


def embedded(encoder: Encoder) -> dict[str, object]:
    """Return the vectors of the example sentences in a form that JSON can hold; ``Examples.stored`` reads it."""
    table = tomllib.loads((FOLDER / "triage_examples.toml").read_text(encoding="utf-8"))
    rows = [(kind, text) for kind, texts in table["crisis"].items() for text in texts]
    crisis = encoder.encode([text for _, text in rows])
    harmless = encoder.encode([text for texts in table["harmless"].values() for text in texts])
    kinds = [kind for kind, _ in rows]
    return {"kinds": kinds, "crisis": _packed(crisis), "harmless": _packed(harmless), "width": int(crisis.shape[1])}


def _packed(vectors: Vectors) -> str:
    return base64.b64encode(vectors.astype("<f2").tobytes()).decode("ascii")


def _unpacked(text: str, width: int) -> Vectors:
    return np.frombuffer(base64.b64decode(text), dtype="<f2").reshape(-1, width).astype(np.float32)


def _best(cosines: Vector) -> float:
    """Mean of the best three."""
    return float(np.partition(cosines, -_NEAREST)[-_NEAREST:].mean())


def sense(asked: str, vector: Vector, examples: Examples, locale: str = "") -> Notice | None:
    """Return the emergency notice that the meaning of the reader's words calls for, or None; ``vector`` is theirs.

    A text that only asks must be far nearer to a crisis than one that tells something.
    """
    kind = examples.crisis_near(vector, *(_TELLS if _tells(normalise(asked).lower()) else _ONLY_ASKS))
    return _notice(kind, locale) if kind else None


def _tells(low: str) -> bool:
    """Tell whether a sentence of the text states something, in three words or more."""
    return any(len(part.split()) >= _NEAREST and not _ASKS.match(part) for part in _SENTENCE.split(low))


def _notice(kind: str, locale: str) -> Notice:
    return Notice("emergency", _table()["texts"][kind] + services(kind, locale))


def screen(asked: str, locale: str = "") -> Notice | None:
    """Return the emergency notice that the reader's words call for, or None.

    The words are the reader's; nothing is diagnosed, no urgency is graded.
    """
    low = _mended(normalise(asked).lower())
    about = bool(_REFERENCE.match(low))
    for family in _families():
        certain = family.pattern.search(low) and not (family.kind == "self-harm" and about and not _METHOD.search(low))
        if certain or (family.said is not None and not about and family.said.search(low)):
            return _notice(family.kind, locale)
    return None


def _mended(low: str) -> str:
    """Return the text with the words of an emergency spelt right: "my dauhgter colapsed"."""

    def mend(found: re.Match[str]) -> str:
        word = found[0]
        if word in _misspelt() or stem(word) in english() or is_drug(word):
            return word
        limit = 1 if len(word) < 8 else 2
        near = [(OSA.distance(word, right, score_cutoff=limit), right) for right in _misspelt() if right[0] == word[0]]
        distance, right = min(near, default=(limit + 1, word))
        return right if distance <= limit else word

    return _WORD.sub(mend, low)


@cache
def _misspelt() -> frozenset[str]:
    return frozenset(_table()["misspelt"])


def personal(asked: str) -> Notice | None:
    """Return the notice that this tool sets no dose for a person, where the question asks for one."""
    return Notice("personal", PERSONAL_NOTICE) if _PERSONAL.search(normalise(asked).lower()) else None
