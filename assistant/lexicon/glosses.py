"""Text of a source -> plain words for the medical terms in it, in the language of the page."""

from __future__ import annotations

import re
import tomllib
from functools import cache

from assistant.lexicon import FOLDER


@cache
def table() -> dict[str, dict[str, str]]:
    """Return the English terms (their forms parted by ``|``) and what they mean, by language."""
    terms: dict[str, dict[str, str]] = tomllib.loads((FOLDER / "plain" / "words.toml").read_text(encoding="utf-8"))["terms"]
    return terms


@cache
def _forms() -> dict[str, str]:
    return {form.lower(): forms for forms in table() for form in forms.split("|")}


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(_forms(), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", re.IGNORECASE)


def explain(text: str, language: str = "en") -> dict[str, str]:
    """Return the terms met in a text, as they stand there, and their meaning; each term once, in order.

    >>> explain("Opioids are contraindicated.")["contraindicated"]
    'not to be used in this situation, because it could do harm'
    """
    found: dict[str, str] = {}
    met: set[str] = set()
    for match in _pattern().finditer(text):
        forms = _forms()[match[0].lower()]
        if forms not in met:
            met.add(forms)
            found[match[0]] = table()[forms][language]
    return found
