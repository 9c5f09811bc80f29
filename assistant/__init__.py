"""Answer follow-up questions under a medical article, only from the article and its references."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assistant.pipeline import Assistant, open_assistant
    from assistant.records import Answer

from assistant.settings import __version__

__all__ = ["Answer", "Assistant", "__version__", "open_assistant"]
_HOME = {"Answer": "assistant.records", "Assistant": "assistant.pipeline", "open_assistant": "assistant.pipeline"}


def __getattr__(name: str) -> object:
    """Import the public names on first use, so that ``import assistant`` stays light."""
    if name not in _HOME:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import importlib  # noqa: PLC0415 - paid only by those who ask

    return getattr(importlib.import_module(_HOME[name]), name)
