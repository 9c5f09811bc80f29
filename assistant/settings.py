"""Where things are and how the program is set up; read from arguments and the environment once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

__version__ = "0.1.0"
LIMIT, SITE_LIMIT = 60, 1200  # questions a minute


def bundled(name: str) -> Path:
    """Return the folder ``corpus`` or ``eval`` that came with the program (in a checkout, or inside the wheel)."""
    here = Path(__file__).resolve().parent
    inside = here / "data" / name
    return inside if inside.is_dir() else here.parent / name


def cache_folder() -> Path:
    """Return the user's cache folder for indexes and exported models (``FOLLOWUP_CACHE`` overrides it)."""
    own = os.environ.get("FOLLOWUP_CACHE")
    return Path(own) if own else Path(platformdirs.user_cache_dir("followup-assistant", appauthor=False))


def _feedback() -> Path | None:
    own = os.environ.get("FOLLOWUP_FEEDBACK")
    return Path(own) if own else None


def _proxies() -> tuple[str, ...]:
    return tuple(entry.strip() for entry in os.environ.get("FOLLOWUP_TRUSTED_PROXIES", "").split(",") if entry.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run needs to know. ``encoder`` is a sentence-transformers name or path, or ``packaged``.

    ``feedback`` is the SQLite file where feedback is kept, None: nowhere. ``limit`` and ``site_limit`` are questions a minute,
    from one address and from all; 0: no limit. ``trusted_proxies`` are addresses or networks whose X-Forwarded-For is believed.
    With ``log`` the server writes one JSON object a request.
    ``writer`` is ``extractive``, or ``llm`` for the language model that the ``FOLLOWUP_LLM_...`` variables describe.
    """

    corpus: Path = field(default_factory=lambda: bundled("corpus"))
    cache: Path = field(default_factory=cache_folder)
    encoder: str = field(default_factory=lambda: os.environ.get("FOLLOWUP_ENCODER", "packaged"))
    writer: str = field(default_factory=lambda: os.environ.get("FOLLOWUP_WRITER") or "extractive")
    locale: str = field(default_factory=lambda: os.environ.get("FOLLOWUP_LOCALE", ""))
    feedback: Path | None = field(default_factory=_feedback)
    trusted_proxies: tuple[str, ...] = field(default_factory=_proxies)
    limit: int = LIMIT
    site_limit: int = SITE_LIMIT
    log: bool = False
