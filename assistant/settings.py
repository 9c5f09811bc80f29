"""Where things are and how the program is set up; read from arguments and the environment once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

__version__ = "0.1.0"


def bundled(name: str) -> Path:
    """Return the folder ``corpus`` or ``eval`` that came with the program (in a checkout, or inside the wheel)."""
    here = Path(__file__).resolve().parent
    inside = here / "data" / name
    return inside if inside.is_dir() else here.parent / name


def cache_folder() -> Path:
    """Return the user's cache folder for indexes and exported models (``FOLLOWUP_CACHE`` overrides it)."""
    own = os.environ.get("FOLLOWUP_CACHE")
    return Path(own) if own else Path(platformdirs.user_cache_dir("followup-assistant", appauthor=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run needs to know. ``encoder`` is a sentence-transformers name or path, or ``packaged``.

    ``writer`` is ``extractive``, or ``llm`` for the language model that the ``FOLLOWUP_LLM_...`` variables describe.
    """

    corpus: Path = field(default_factory=lambda: bundled("corpus"))
    cache: Path = field(default_factory=cache_folder)
    encoder: str = field(default_factory=lambda: os.environ.get("FOLLOWUP_ENCODER", "packaged"))
    writer: str = field(default_factory=lambda: os.environ.get("FOLLOWUP_WRITER") or "extractive")
    locale: str = field(default_factory=lambda: os.environ.get("FOLLOWUP_LOCALE", ""))
