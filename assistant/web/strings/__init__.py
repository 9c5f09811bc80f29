"""Key -> what the page says, in the reader's language and for the kind of reader."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from assistant.records import Reader

FOLDER = Path(__file__).parent
LANGUAGES: Mapping[str, str] = {"en": "English", "es": "Español"}


@cache
def strings(language: str) -> Mapping[str, str]:
    """Return all texts of a language; tables of the file become dotted keys."""
    return dict(_flat(tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@dataclass(frozen=True, slots=True)
class Voice:
    """How the page speaks: in which language, to whom, of quotes or of a language model's words. It never touches a quote."""

    language: str = "en"
    reader: Reader = Reader.CLINICIAN
    model: bool = False

    def say(self, key: str, **values: object) -> str:
        """Return a text with its places filled in; the variants for a language model and for the reader go first."""
        table = strings(self.language)
        kinds = [f"{key}-model", key] if self.model else [key]
        wanted = (name for kind in kinds for name in (f"{kind}-{self.reader}", kind))
        return next(table[name] for name in wanted if name in table).format_map(values)

    def known(self, key: str) -> bool:
        """Tell whether there is such a text."""
        return key in strings(self.language)

    def page(self) -> dict[str, str]:
        """Return the texts that ``page.js`` says."""
        return {key.removeprefix("page."): text for key, text in strings(self.language).items() if key.startswith("page.")}


def voice(language: str | None = None, reader: str | None = None) -> Voice:
    """Return the voice for what an address or a browser asks for; English for a clinician where that is unknown."""
    return Voice(
        language if language is not None and language in LANGUAGES else "en",
        Reader(reader) if reader in set(Reader) else Reader.CLINICIAN,
    )
