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
from assistant.search import Encoder, Reranker, Vector, Vectors
from assistant.text.words import STOP_WORDS, normalise, stem, words

# A question about the subject ("how does it affect suicidal thoughts?"), not a person in danger now. It excuses words of
# self-harm alone: "what to do, my child swallowed ten tablets?" is a question too.
_REFERENCE = re.compile(
    r"^(?:what|which|who|how|is|are|was|were|does|do|did|can|could|should|why|when|where|has|have)\b(?! not\b)"
    r"(?!.*[.!?] +\w)(?!.*\b(?:i|i'm|i've|my|me|we|our|he|she|him|her|myself)\b)"
)
# A sentence that asks, as against one that tells what happened. "Do not" and "have to" tell.
_ASKS = re.compile(
    r"\s*(?:(?:and|but|so|or|ok|okay|hi|hello|please|also|then)\b[ ,]*){0,3}(?:what|which|how|who|whom|whose|where|when|why|is|"
    r"isn't|are|am|was|were|do|don't|does|did|can|could|should|shall|will|would|may|might|must|has|have|had|if|whether|in|for|with|"
    r"after|during|at|to|tell me|explain|describe|any|write|give|list|name|compare|summari[sz]e)\b(?! (?:not|to)\b)"
)
_SENTENCE = re.compile(r"[.?!;:,\n]+|\b(?:because|but|and)\b")
_WORD = re.compile(r"[a-z]{5,20}")
_LONG_WORD = 8  # letters, from which on two of them may be wrong
_REACH = 90  # characters from who to what
_NOTHING = r"(?!)"
_FEW_WORDS = 3  # of the shortest sentence that tells something
_ENGLISH = 0.5  # share of a text's words
_SHARPNESS, _RIDGE = 2.0, 0.05  # of the weights; chosen by leaving out one example at a time
# How much a text must speak for a crisis (harmless -1, crisis 1): to be treated as one where it tells something, and where it
# only asks; and, where it tells something, to get the pointer before its answer. On our conversations 3 of 432 texts without a
# crisis reach the first, 4 more the last (tuned).
SURE, SURE_OF_ASKING, LIKELY = 0.3, 0.5, 0.05
# From where on the re-ranker reads a text too; and the log-odds below which it says that there is none, and above which it adds a
# pointer or treats the text as a crisis. Chosen on our tune half and on the conversations' (tuned).
DOUBT, NO_DANGER, DANGER, GRAVE_DANGER = -0.3, -3.0, 4.0, 5.0
_SOMEBODY = re.compile(
    r"\b(?:i|i'?m|i'?ve|me|my|myself|he|him|his|she|her|they|them|their|we|our|someone|somebody|mum|mom|dad|husband|wife|partner|son|"
    r"daughter|child|kid|baby|toddler|friend|brother|sister|patient|nan|gran|grandma|grandpa|neighbour|neighbor|dog|cat|help)\b"
)
_METHOD = re.compile(r"\bway to die\b|\bto end it\b|\bpoint (?:of|in) (?:living|going on)\b")  # a question, and a crisis
PERSONAL_NOTICE = (
    "This assistant quotes published sources. It cannot set or change a dose for a person; that decision belongs to the "
    "prescriber who knows the case."
)


@dataclass(frozen=True, slots=True)
class _Family:
    """Patterns of one kind of emergency; a missing one matches nothing."""

    kind: str
    always: re.Pattern[str]
    who: re.Pattern[str]
    what: re.Pattern[str]
    said: re.Pattern[str]  # counts unless the text is a question about the subject

    def certain(self, low: str) -> bool:
        """Tell whether it matches always, or who does or suffers what, a few words before."""
        if self.always.search(low):
            return True
        befallen = self.what.finditer(low) if self.who.search(low) else ()
        return any(self.who.search(low, max(0, found.start() - _REACH), found.start()) for found in befallen)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "red_flags.toml").read_text(encoding="utf-8"))


@cache
def _families() -> tuple[_Family, ...]:
    return tuple(
        _Family(
            row["kind"],
            _any(row.get("always", ())),
            re.compile(row.get("who", _NOTHING)),
            re.compile(row.get("what", _NOTHING)),
            _any(row.get("said", ())),
        )
        for row in _table()["family"]
    )


def _any(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})" if patterns else _NOTHING)


@cache
def _deciding() -> re.Pattern[str]:
    """Return the wordings of somebody who has to decide on a dose, for themselves or for a relative."""
    row = _table()["personal"]
    filled = (p.replace("{relative}", row["relative"]).replace("{change}", row["change"]) for p in row["patterns"])
    return re.compile("|".join(filled))


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
    """Vectors of the example sentences with their weights, above 0 where they speak for a crisis; those of crises come first.

    ``kinds`` are the kinds of the crises; ``vectors`` float32 [n, d], rows of length 1, of the encoder that embeds the questions;
    ``weights`` float32 [n].
    """

    kinds: tuple[str, ...]
    vectors: Vectors
    weights: Vector

    @classmethod
    def stored(cls, row: Mapping[str, Any]) -> Examples:
        """Return what ``embedded`` made."""
        weights, vectors = (np.frombuffer(base64.b64decode(row[name]), "<f4") for name in ("weights", "vectors"))
        return cls(tuple(row["kinds"]), vectors.reshape(len(weights), -1), weights)

    def crisis(self, vector: Vector) -> tuple[float, str]:
        """Return how much a vector speaks for a crisis (harmless -1, crisis 1), and the kind of the nearest one."""
        cosines = self.vectors @ vector
        return float(self.weights @ _likeness(cosines)), self.kinds[int(cosines[: len(self.kinds)].argmax())]


def embedded(encoder: Encoder) -> dict[str, object]:
    """Return the example sentences as vectors with weights, in a form that JSON can hold; ``Examples.stored`` reads it.

    The weights are those of kernel ridge regression (Saunders, Gammerman and Vovk, ICML 1998). With one example left out at a
    time it found more crises at about the same false alarms than the mean of the nearest few examples of each side.
    """
    table = tomllib.loads((FOLDER / "triage_examples.toml").read_text(encoding="utf-8"))
    kinds = [kind for kind, texts in table["crisis"].items() for _ in texts]
    vectors = encoder.encode([text for side in ("crisis", "harmless") for texts in table[side].values() for text in texts])
    wanted = np.where(np.arange(len(vectors)) < len(kinds), 1.0, -1.0)
    exact = vectors.astype(np.float64)
    weights = np.linalg.solve(_likeness(exact @ exact.T) + _RIDGE * np.eye(len(exact)), wanted)
    return {"kinds": kinds, "vectors": _packed(vectors), "weights": _packed(weights)}


def _likeness(cosines: Any) -> Any:
    """Gaussian kernel of vectors of length 1."""
    return np.exp(_SHARPNESS * (cosines - 1))


def _packed(numbers: Any) -> str:
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode("ascii")


def sense(
    asked: str, vector: Vector, examples: Examples, locale: str = "", reranker: Reranker | None = None
) -> tuple[Notice | None, bool]:
    """Return the emergency notice that the meaning of the reader's words calls for, and whether it is sure; ``vector`` is theirs.

    Texts that name nobody and tell nothing ("What is the maximum dose?") are not looked at, nor those in another language. Where
    the examples do not rule it out, the re-ranker reads the text too.
    """
    low = normalise(asked).lower()
    tells = _tells(low)
    if not (tells or _SOMEBODY.search(low)) or not _is_english(low):
        return None, False
    speaks, kind = examples.crisis(vector)
    sure, likely = speaks > (SURE if tells else SURE_OF_ASKING), tells and speaks > LIKELY
    if reranker is not None and speaks > DOUBT:
        danger = reranker.danger(asked)
        sure, likely = (sure and danger > NO_DANGER) or danger > GRAVE_DANGER, (likely and danger > NO_DANGER) or danger > DANGER
    return (_notice(kind, locale), sure) if sure or likely else (None, False)


def _is_english(low: str) -> bool:
    """Tell whether half the words of a text are English, as the examples are: in another language only patterns are sure."""
    found = words(low)
    return sum(word in STOP_WORDS or stem(word) in english() for word in found) >= _ENGLISH * len(found)


def _tells(low: str) -> bool:
    """Tell whether a sentence of the text states something, in a few words or more."""
    return any(len(part.split()) >= _FEW_WORDS and not _ASKS.match(part) for part in _SENTENCE.split(low))


def _notice(kind: str, locale: str) -> Notice:
    return Notice("emergency", _table()["texts"][kind] + services(kind, locale))


def screen(asked: str, locale: str = "") -> Notice | None:
    """Return the emergency notice that the reader's words call for, or None.

    The words are the reader's; nothing is diagnosed, no urgency is graded.
    """
    low = _mended(normalise(asked).lower())
    about = bool(_REFERENCE.match(low))
    for family in _families():
        excused = family.kind == "self-harm" and about and not _METHOD.search(low)
        if (not excused and family.certain(low)) or (not about and family.said.search(low)):
            return _notice(family.kind, locale)
    return None


def _mended(low: str) -> str:
    """Return the text with the words of an emergency spelt right: "my dauhgter colapsed"."""

    def mend(found: re.Match[str]) -> str:
        word = found[0]
        if word in _misspelt() or stem(word) in english() or is_drug(word):
            return word
        limit = 1 if len(word) < _LONG_WORD else 2
        near = [(OSA.distance(word, right, score_cutoff=limit), right) for right in _misspelt() if right[0] == word[0]]
        distance, right = min(near, default=(limit + 1, word))
        return right if distance <= limit else word

    return _WORD.sub(mend, low)


@cache
def _misspelt() -> frozenset[str]:
    return frozenset(_table()["misspelt"])


def personal(asked: str) -> Notice | None:
    """Return the notice that this tool sets no dose for a person, where the question asks for one."""
    return Notice("personal", PERSONAL_NOTICE) if _deciding().search(normalise(asked).lower()) else None
