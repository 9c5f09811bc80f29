"""Query -> what must be said first: an emergency before everything, a personal decision before its facts."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from assistant.lexicon import FOLDER
from assistant.records import Notice
from assistant.text.words import normalise

# A question about the subject ("how does it affect suicidal thoughts?"), not a person in danger now. It excuses words of
# self-harm alone: "what to do, my child swallowed ten tablets?" is a question too.
_REFERENCE = re.compile(
    r"^(?:what|which|how|is|are|does|do|can|could|should|why|when)\b(?!.*\b(?:i|i'm|i've|my|we|our|he|she|him|her|myself)\b)"
)
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


def screen(asked: str, locale: str = "") -> Notice | None:
    """Return the emergency notice that the reader's words call for, or None.

    The words are the reader's; nothing is diagnosed, no urgency is graded.
    """
    low = normalise(asked).lower()
    about = bool(_REFERENCE.match(low))
    for family in _families():
        certain = family.pattern.search(low) and not (family.kind == "self-harm" and about and not _METHOD.search(low))
        if certain or (family.said is not None and not about and family.said.search(low)):
            return Notice("emergency", _table()["texts"][family.kind] + services(family.kind, locale))
    return None


def personal(asked: str) -> Notice | None:
    """Return the notice that this tool sets no dose for a person, where the question asks for one."""
    return Notice("personal", PERSONAL_NOTICE) if _PERSONAL.search(normalise(asked).lower()) else None
