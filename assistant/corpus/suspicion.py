"""Line of a file -> why an editor must look at it: words meant for a machine, or characters that no reader sees."""

from __future__ import annotations

import re
import unicodedata

from assistant.text.words import normalise

_MACHINE = (
    r"(?:an? |the |any )?"
    r"(?:ai|a\.i\.|llms?|(?:large )?language model|(?:reader |reading |answering )?models?|assistant|chat ?bot)\b"
)
_OLD = r"(?:previous|prior|above|earlier|preceding|foregoing)"
_SAID = r"(?:instructions?|rules?|prompts?|texts?|messages?|context|directions?|orders?|commands?|answers?)\b"
_ALL = r"(?:(?:all|any|of|the|these|those|your) ){0,3}"
_HUSHED = r"(?:the |any |this |all |every ){0,2}(?:disclaimers?|warnings?|cautions?|retraction)\b"
_SET_ASIDE = rf"(?:{_OLD}(?: (?:\w+ ){{0,2}}{_SAID}| and\b| ?[.,;:!]| ?$)|{_SAID}|user|reader)"
_PATTERNS = (
    rf"\b(?:ignore|disregard|forget|override) {_ALL}{_SET_ASIDE}",
    r"\bas (?:an ai|a (?:large )?language model)\b(?!-)",
    rf"\byou are (?:now |only )?(?:{_MACHINE}|chatgpt|dan\b)",
    rf"\b(?:instructions?|notes?|messages?|hints?) (?:to|for) {_MACHINE}",
    r"\b(?:system|hidden|developer) (?:prompt|message|override|instructions?)\b",
    r"\bnew (?:instructions?|task|system) ?:",
    r"\b(?:answer|respond|reply) (?:only|always) (?:with|in|that)\b",
    r"\b(?:in|to|modify|change|alter|enhance|augment) your (?:answer|reply)\b|\b(?:every|each|all) (?:answers?|replies|reply)\b",
    r"\b(?:user|reader)(?:'s|s'|s)? questions?\b|\b(?:for|to) every question\b",
    rf"\b(?:hide|omit|remove|skip|drop|not show|not mention|not cite|treat) {_HUSHED}",
    r"\bcite (?:it|this|only this)\b|\boutranks? (?:every|all|any)\b",
    r"\b(?:jailbreak|developer mode|debug mode)\b",
    r"<!--|<\||\[/?(?:system|inst|assistant|user)\]|</?(?:system|context|instructions?|assistant|user)\b",
    r"^\W*(?:system|assistant|llm|ai) ?:",
)
_INSTRUCTIONS = re.compile("|".join(_PATTERNS), re.IGNORECASE)
_SPACES = re.compile(r"\s+")


def hidden(line: str) -> list[str]:
    """Return the code points of ``line`` that a reader does not see: format characters and controls, but no tab."""
    if line.isascii() and line.isprintable():
        return []
    return sorted({f"U+{ord(c):04X}" for c in line if c != "\t" and unicodedata.category(c) in ("Cf", "Cc", "Cs", "Co")})


def instruction(line: str) -> str | None:
    """Return the words of ``line`` that speak to a machine; look-alike letters and invisible ones do not hide them."""
    plain = line if line.isascii() else normalise(line)
    found = _INSTRUCTIONS.search(_SPACES.sub(" ", plain))
    return found.group() if found else None
