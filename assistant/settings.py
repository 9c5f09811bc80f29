"""Where things are and how the program is set up; read from arguments and the environment once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from assistant.errors import BadInputError

__version__ = "0.1.0"
LIMIT, SITE_LIMIT = 60, 1200  # questions a minute
_ORIGIN = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?")
_PORTS = {"http": "80", "https": "443"}


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


def origin_of(address: str) -> str:
    """Return the origin of a site as browsers write it: lower case, without the scheme's own port.

    Raises:
        BadInputError: ``address`` is not a scheme, a host and perhaps a port.
    """
    known = _ORIGIN.fullmatch(address.strip().lower())
    if known is None:
        raise BadInputError(
            f"{address!r} is not the origin of a site. Give scheme, host and, where it has one, port, as https://www.example.org "
            "(no path, no *; a name beyond ASCII in its xn-- form), with --allow-origin or in FOLLOWUP_ORIGINS."
        )
    scheme, host, port = known.groups()
    return f"{scheme}://{host}" + (f":{port}" if port and port != _PORTS[scheme] else "")


def _origins() -> tuple[str, ...]:
    return tuple(origin_of(address) for address in os.environ.get("FOLLOWUP_ORIGINS", "").replace(",", " ").split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run needs to know. ``encoder`` is a sentence-transformers name or path, or ``packaged``.

    ``feedback`` is the SQLite file where feedback is kept, None: nowhere. ``limit`` and ``site_limit`` are questions a minute,
    from one address and from all; 0: no limit. ``trusted_proxies`` are addresses or networks whose X-Forwarded-For is believed.
    With ``log`` the server writes one JSON object a request.
    ``writer`` is ``extractive``, or ``llm`` for the language model that the ``FOLLOWUP_LLM_...`` variables describe.
    ``origins`` are the sites that may frame the chat and read the JSON interface from their pages.
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
    origins: tuple[str, ...] = field(default_factory=_origins)
