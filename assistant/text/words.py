"""str -> the form that is matched, its words, and their stems; what is shown is never changed."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable

import Stemmer

_SUPERSCRIPTS = str.maketrans({c: f"^{d}" for c, d in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)})
_LETTERS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
    }
)
# Look-alike letters of other alphabets that readers paste; Greek is kept, medicine uses it.
_CYRILLIC = str.maketrans("аеорсухкмтвнАЕОРСУХКМТВН", "aeopcyxkmtbhAEOPCYXKMTBH")
# "vitamin K" is one name: its letter alone would be lost among the stop words.
_VITAMIN = re.compile(r"\b(vitamin)[ -]([A-EK]\d{0,2})\b", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\s]")
_MID_DOT = re.compile(r"(?<=\d)[\u00b7\u2219\u22c5](?=\d)")
_MICROGRAM = re.compile(r"(?<![a-z])(?:[\u00b5\u03bc]g|mcg|ug|micro-?grams?)(?![a-z])", re.IGNORECASE)
_GLUED_UNIT = re.compile(r"(?<=\d)(?=(?:mg|mcg|kg|g|ml|mmhg|mmol|iu|h|hrs?|wks?|weeks?|days?|months?|years?)\b)", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DECIMAL_COMMA = re.compile(r"(?<![\d,.])(\d{1,3}),(\d{1,2})(?![\d,])(?=\s*(?:mg|mcg|g|kg|ml|%))")
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W_]+)*\d*|\^?\d+(?:\.\d+)?%?|%", re.UNICODE)
_THREAD = threading.local()  # a stemmer keeps state while it works: one for each thread

# Function words that carry no topic; negations are kept, they change meaning.
STOP_WORDS = frozenset(
    "a about also am an and any are as at be been being but by can could did do does for from had has have having he her hers "
    "him his how i if in into is it its itself just me my of on or our ours shall she should so some such than that the their "
    "theirs them then there these they this those to too us very was we were what when where which while who whom whose why "
    "will with would you your yours may might must let's it's what's i'm i've that's there's "
    "whats shes hes im ive thats theres wheres where's she's he's id they're theyre you're youre".split()
)


def normalise(text: str) -> str:
    """Return the form in which texts are compared: NFKC, one spelling for dashes, decimals and micrograms; case is kept.

    Superscripts become ``^6`` first, since NFKC would turn 10⁶ into 106.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_SUPERSCRIPTS)).translate(_LETTERS).translate(_CYRILLIC)
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cs"))
    text = _VITAMIN.sub(r"\1\2", _MICROGRAM.sub("mcg", _CONTROL.sub(" ", text)))
    if not _DIGIT.search(text):
        return text
    text = _DECIMAL_COMMA.sub(r"\1.\2", _THOUSANDS.sub("", _MID_DOT.sub(".", text)))
    return _GLUED_UNIT.sub(" ", text)


def words(text: str) -> list[str]:
    """Return the lower-case words and numbers of ``text`` in order; decimals and hyphenated words stay whole.

    >>> words("LDN 1·5–4.5mg, double-blind")
    ['ldn', '1.5', '4.5', 'mg', 'double-blind']
    """
    return split_words(normalise(text).lower())


def split_words(low: str) -> list[str]:
    """Return the words and numbers of a text that is normalised and in lower case already."""
    return [w for w in _WORD.findall(low) if w != "%"]


def stem(word: str) -> str:
    """Return the Snowball stem of a lower-case word; numbers are left alone. Nothing is remembered: words may be a reader's."""
    if word[:1].isdigit():
        return word
    if not hasattr(_THREAD, "stemmer"):
        _THREAD.stemmer = Stemmer.Stemmer("english", 0)
    return str(_THREAD.stemmer.stemWord(word.removesuffix("'s")))


def stems(text: str) -> list[str]:
    """Return the stems of ``text`` in order, hyphenated words in parts, without stop words: the form in which phrases are found.

    >>> stems("Do not use with non-opioid drugs")
    ['not', 'use', 'non', 'opioid', 'drug']
    """
    return stems_of(words(text))


def stems_of(found: Iterable[str]) -> list[str]:
    """Return the stems of lower-case words."""
    return [stem(part) for word in found for part in word.split("-") if part and part not in STOP_WORDS]


def terms(text: str) -> list[str]:
    """Return the stems that are indexed: no stop words; a hyphenated word gives its parts too.

    >>> terms("Doses of the double-blind trial")
    ['dose', 'double-blind', 'doubl', 'blind', 'trial']
    """
    return terms_of(words(text))


def terms_of(found: Iterable[str]) -> list[str]:
    """Return the indexed stems of lower-case words."""
    out = []
    for word in found:
        if word in STOP_WORDS:
            continue
        out.append(stem(word))
        if "-" in word:
            out.extend(stem(part) for part in word.split("-") if part and part not in STOP_WORDS)
    return out
