"""bytes -> Reply: what a language model wrote, read without trust in its form."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from assistant.errors import LanguageModelError

MAX_OPENINGS = 50  # places where a JSON object may begin that are tried
MAX_ROWS = 50
_MARKS = re.compile(r" ?\[\d{1,3}\]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as the model wrote it, the numbers it cites, and the words it says it copied."""

    text: str
    citations: tuple[int, ...]
    quote: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model wrote; ``malformed`` counts sentences that could not be read."""

    sentences: tuple[Sentence, ...]
    malformed: int = 0
    not_covered: bool = False

    @property
    def size(self) -> int:
        """How many sentences the model wrote, readable or not."""
        return len(self.sentences) + self.malformed


def read(body: bytes) -> Reply:
    """Return the reply in the body of a chat completion.

    Raises:
        LanguageModelError: there is none that can be read.
    """
    found = _object(_content(body))
    rows = found["sentences"]
    sentences = [sentence for row in rows[:MAX_ROWS] if (sentence := _sentence(row)) is not None]
    return Reply(tuple(sentences), len(rows) - len(sentences), found.get("not_covered") is True)


def _content(body: bytes) -> str:
    """Return the text of the first choice."""
    try:
        message = json.loads(body)["choices"][0]["message"]
    except (ValueError, RecursionError, LookupError, TypeError):
        raise LanguageModelError("the reply is not a chat completion") from None
    if not isinstance(message, dict):
        raise LanguageModelError("the reply is not a chat completion")
    if message.get("refusal"):
        raise LanguageModelError("the model refused")
    if message.get("tool_calls") or message.get("function_call"):
        raise LanguageModelError("the model asked for a tool, and it has none")
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise LanguageModelError("the model wrote nothing")
    return content


def _object(content: str) -> dict[str, Any]:
    """Return the first JSON object with sentences: alone, in a fence, after thoughts, or before further text."""
    text = content.rpartition("</think>")[2]
    decoder, at = json.JSONDecoder(), text.find("{")
    for _ in range(MAX_OPENINGS):
        if at < 0:
            break
        try:
            found, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and isinstance(found.get("sentences"), list):
            return found
        at = text.find("{", at + 1)
    raise LanguageModelError("the model did not keep to the form")


def _sentence(row: object) -> Sentence | None:
    """Return a row as a sentence with single spaces and without citation marks; None where a part has the wrong type."""
    if not isinstance(row, dict):
        return None
    text, cited, quote = row.get("text"), row.get("citations"), row.get("quote")
    if not (isinstance(text, str) and isinstance(quote, str) and isinstance(cited, list)):
        return None
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in cited):
        return None
    return Sentence(" ".join(_MARKS.sub("", text).split()), tuple(dict.fromkeys(cited)), " ".join(quote.split()))
