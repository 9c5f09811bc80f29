"""str -> one clean line, a file name, raised and lowered figures in Unicode: what importers of pages and records share."""

from __future__ import annotations

import re
import unicodedata

_FOLDED = str.maketrans(
    {"ø": "o", "Ø": "O", "ß": "ss", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
_RAISED = str.maketrans("0123456789+-−–()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−–()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₍₎")
_RAISED_LETTERS = set("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ")
_LOWERED_LETTERS = set("₀₁₂₃₄₅₆₇₈₉₊₋₍₎")
_NUMBER_LIST = re.compile(r"[0-9]{1,3}(?:\s?[,–-]\s?[0-9]{1,3})+")


def one_line(text: str) -> str:
    r"""Return ``text`` in NFC on one line, without control characters and those that no reader sees.

    >>> one_line("Low-dose\n  nal\u00adtrexone\u200b ")
    'Low-dose naltrexone'
    """
    kept = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def hidden(text: str) -> int:
    """Return how many characters ``one_line`` takes out of ``text`` because no reader sees them."""
    return sum(1 for c in text if not c.isspace() and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn"))


def slug(text: str, words: int = 12, longest: int = 70) -> str:
    """Return the first words of ``text`` as a part of a file name; "" when no letter of it is Latin.

    >>> slug("Ødegård's “Low-Dose” trial"), slug("低用量")
    ('odegards-low-dose-trial', '')
    """
    plain = unicodedata.normalize("NFKD", text.translate(_FOLDED)).encode("ascii", "ignore").decode().lower()
    out = ""
    for word in re.findall(r"[a-z0-9]+", plain.replace("'", ""))[:words]:
        longer = f"{out}-{word}" if out else word[:longest]
        if len(longer) > longest:
            break
        out = longer
    return out


def raised(text: str) -> str:
    """Return a superscript in Unicode, or marked with ``^``; a list of numbers in square brackets is left as it is.

    >>> raised("6"), raised("-3"), raised("1,2"), raised("TM"), raised("[4]")
    ('⁶', '⁻³', '¹,²', '^TM', '[4]')
    """
    bare = text.strip()
    if not bare or bare[0] == "[":
        return text
    mapped = bare.translate(_RAISED)
    if set(mapped) <= _RAISED_LETTERS:
        return mapped
    if _NUMBER_LIST.fullmatch(bare):
        return "".join(c.translate(_RAISED) if c.isdigit() else c for c in bare)
    return "^" + bare


def lowered(text: str) -> str:
    """Return a subscript in Unicode, or marked with ``_``.

    >>> lowered("2"), lowered("max")
    ('₂', '_max')
    """
    bare = text.strip()
    mapped = bare.translate(_LOWERED)
    return mapped if set(mapped) <= _LOWERED_LETTERS else f"_{bare}"
