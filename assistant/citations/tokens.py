"""str -> list[Token]: what must agree between a sentence and its source, numbers with their units as one token."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal

from assistant.lexicon import claim_words, is_drug
from assistant.text.words import normalise, stem

# In order of gravity: of several faults the first is told.
KINDS = ("number", "negation", "direction", "drug", "population", "hedge", "bound", "condition", "comparison", "word")
CITATION = "citation"
_STRENGTH = ("", ")", "]", "-", ",", "(", "[", ":", ";")  # of several signs in a row the last of these counts
_ONES = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES = {word: n for n, word in enumerate(_ONES.split(), 1)} | {word: 10 * n for n, word in enumerate(_TENS.split(), 2)}
_OFTEN = {"once": "1 times", "twice": "2 times", "thrice": "3 times"}
_NUMBER = r"-?\d++(?:\.\d++)?(?:\^-?\d++)?"
# A citation is one word: it may be left out whole, and never changed.
_MARKER = re.compile(r"\[(\d{1,3}(?:\s?[,–-]\s?\d{1,3}){0,20})\]")
_LETTER_A = re.compile(r"(?<=\w )A\b")  # hepatitis A: a name, not an article
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\bcan(?:no|')t\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"n't\b", " not"),
        (r"&", " and "),
        (r"(?<=[.,;)])\^\d{1,3}(?:\s?[,-]\s?\^?\d{1,3}){0,20}", ""),  # a raised citation number behind a stop
        (r"\be\.g\.", "such as"),
        (r"\bi\.e\.", "that is"),
        (r"\b(?:vs\.?|versus)(?=\s)", "versus"),
        (r"(?<=[a-z])\^(?=\d)", ""),  # m^2 is m2
        (r"(?<=\d)-(?=[a-z])", " "),  # 12-week
        (r"(?<![\w.])\.(?=\d)", "0."),  # p = .03
        (r"\bper ?cent\b", "%"),
        (r"(?<=\d)/(?=\d)", "÷"),  # 120/80, 1/2
        (r"\band/or\b", "and or"),
        (r"(?<=[a-z0-9%])\s?/\s?(?=[a-z])", " per "),
        (r"\b(?:a|per|each|every) day\b", "daily"),
        (r"\b(?:a|per|each|every) week\b", "weekly"),
        (r"\b(?:a|per|each|every) month\b", "monthly"),
        (r"\b(?:a|per|each|every) year\b", "yearly"),
    )
)
_NUMBER_WORD = re.compile(
    rf"\b(?:(?P<tens>{_TENS.replace(' ', '|')})[- ](?P<ones>{'|'.join(_ONES.split()[:9])})|{'|'.join([*_VALUES, *_OFTEN])})\b"
)
_BEFORE_NUMBER: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?:{pattern})\s?(?=-?\d)"), new)
    for pattern, new in (
        (r">=|\b(?:at least|no(?:t)? less than|a minimum of)\b", "≥ "),
        (r"<=|\b(?:at most|no(?:t)? more than|up to|a maximum of)\b", "≤ "),
        (r"\b(?:less|fewer|lower) than\b", "< "),
        (r"\b(?:more|greater|higher) than\b", "> "),
    )
)
_UNIT = r"(?:\s?([a-z]{1,12}|%))?"
_RANGE = re.compile(rf"(?<![\w.])({_NUMBER}){_UNIT}\s?(?:-|\bto\b)\s?({_NUMBER}){_UNIT}(?!\w|\.\d)")
_BETWEEN = re.compile(rf"\bbetween ({_NUMBER}) and ({_NUMBER})(?!\w|\.\d)")
_TOKEN = re.compile(
    rf"(?P<number>(?<![\w.]){_NUMBER}(?:\.\.{_NUMBER})?(?![\w^]))"
    r"|(?P<word>\d*[^\W\d_][^\W_]*(?:'[a-z]+)?(?:-\d[^\W_]*)?(?:\+|(?<=\d)-(?=[\s,.;)]))?)"
    r"|(?P<sign>[^\w\s.,;:()\[\]{}'\"/\\!?*_&=^®©†‡§¶#-])"
    r"|(?P<mark>[;:,()\[\]]|(?<=\s)-(?=\s))"
)
_SPELLING = (re.compile(r"isation|ization"), re.compile(r"is(?=e[ds]?$|ing$)"))
_BRITISH = re.compile(r"ae|oe|our(?=s?$|ed$|ing$)")
_AMERICAN = {"ae": "e", "oe": "e", "our": "or"}
_INFLECTIONS = frozenset(("", "s", "es", "ed", "d", "ing", "e", "y", "ies", "ied", "'s", "ying"))
_FREQUENCIES = frozenset(
    "daily weekly monthly yearly hourly nightly biweekly fortnightly hour day week month year % times".split()
)
_BOUNDS = frozenset("<>≥≤±")
_FIGURES = re.compile(r"-?\d[\d.^-]*(?: |$)")  # not "2c19"
# The space or hyphen behind a prefix, which one spelling has and another has not: non-opioid, co administration.
_PREFIX = re.compile(
    r"(?:(?<=\bco)|(?<=\bre)|(?<=\bun)|(?<=\bnon)|(?<=\bpre)|(?<=\bsub)|(?<=\banti)|(?<=\bpost)|(?<=\bsemi)|(?<=\bmulti)|(?<=\bhyper))"
    r"[- ](?=[^\W\d_])"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word by its stem, or a number with its unit, in ``key``; ``text`` is the word in American spelling.

    ``mark`` is the sign before it that cuts clauses.
    """

    key: str
    text: str
    mark: str = ""

    @property
    def kind(self) -> str:
        """One of ``KINDS``; every one but ``word`` is a word that decides the meaning."""
        if self.key in _BOUNDS:
            return "bound"
        if self.numeric or self.text in _FREQUENCIES:
            return "number"
        if self.text.startswith("non") and len(self.text) > 5:  # noqa: PLR2004 - "nonopioid", not "none"
            return "negation"
        return "drug" if is_drug(self.text) else claim_words().kinds.get(stem(self.text), "word")

    @property
    def numeric(self) -> bool:
        """Tell whether it is a number in figures."""
        return bool(_FIGURES.match(self.key))

    @property
    def bare(self) -> bool:
        """Tell whether it is a number whose unit has not been read yet."""
        return self.numeric and " " not in self.key

    @property
    def free(self) -> bool:
        """Tell whether it only joins words and may come and go."""
        return self.text in claim_words().free

    def agrees(self, other: Token) -> bool:
        """Tell whether two tokens say the same: inflections of a word do, ``severe`` and ``several`` do not."""
        if self.key != other.key or self.numeric or self.text == other.text:
            return self.key == other.key
        one, two = self.text, other.text
        shared = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
        inflected = one[shared:] in _INFLECTIONS and two[shared:] in _INFLECTIONS
        return inflected and not is_drug(one) and not is_drug(two)


def plain(text: str) -> str:
    """Return lower-case text with one spelling for numbers, ranges, frequencies and bounds."""
    text = _MARKER.sub(lambda found: f"[{CITATION}{re.sub(r'[^0-9]+', 'n', found[1])}]", text)
    text = _LETTER_A.sub("letter-a", normalise(text)).lower()
    for pattern, new in _REWRITES:
        text = pattern.sub(new, text)
    text = _NUMBER_WORD.sub(_in_figures, text)
    for pattern, new in _BEFORE_NUMBER:
        text = pattern.sub(new, text)
    return _RANGE.sub(_range, _BETWEEN.sub(r"\1..\2", text))


def _in_figures(found: re.Match[str]) -> str:
    if found["tens"]:
        return str(_VALUES[found["tens"]] + _VALUES[found["ones"]])
    return _OFTEN.get(found[0]) or str(_VALUES[found[0]])


def _range(found: re.Match[str]) -> str:
    first, unit, last, other = found.groups()
    units = claim_words().units
    if unit is not None and (unit not in units or units[unit] != units.get(other or "")):
        return found[0]
    return f"{first}..{last} {other or ''}"


def tokens(text: str) -> list[Token]:
    """Return the words and numbers of a sentence in order.

    >>> [token.key for token in tokens("Give 1.5 to 4.5mg per day, not TLR4 or vitamin B12")]
    ['give', '1.5..4.5 mg', 'daili', 'not', 'tlr4', 'or', 'vitaminb12']
    """
    units = claim_words().units
    out: list[Token] = []
    mark = ""
    for found in _TOKEN.finditer(_PREFIX.sub("", plain(text))):
        word = found[0]
        if found.lastgroup == "mark":
            mark = max(mark, word, key=_STRENGTH.index)
        elif out and not mark and word in units and out[-1].bare:
            out[-1] = replace(out[-1], key=f"{out[-1].key} {units[word]}")
        else:
            out.append(_token(word, mark, number=found.lastgroup == "number"))
            mark = ""
    return out


def _token(word: str, mark: str, *, number: bool) -> Token:
    if number:
        return Token(_value(word), word, mark)
    folded = _BRITISH.sub(lambda found: _AMERICAN[found[0]], word) if len(word) > len("does") else word
    for pattern in _SPELLING:
        folded = pattern.sub("iz", folded)
    return Token(stem(folded), folded, mark)


def _value(number: str) -> str:
    """Return a number in its shortest form: 1.50 is 1.5."""
    return "..".join("^".join(format(Decimal(part).normalize(), "f") for part in end.split("^")) for end in number.split(".."))
