"""str -> Html: text that is always escaped and elements whose attributes are, so that a report cannot run what it quotes."""

from __future__ import annotations

import html
from typing import NewType

Html = NewType("Html", str)


def text(value: object) -> Html:
    """Escape a value."""
    return Html(html.escape(str(value), quote=True))


def element(tag: str, *parts: Html, **attributes: object) -> Html:
    """Return an element around parts; in names of attributes ``_`` stands for ``-``, and a last one is dropped (``class_``).

    >>> element("p", text("a < b"), class_="x", data_n=3)
    '<p class="x" data-n="3">a &lt; b</p>'
    """
    named = "".join(f' {name.rstrip("_").replace("_", "-")}="{text(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{named}>{''.join(parts)}</{tag}>")


def join(*parts: Html) -> Html:
    """Put pieces one after the other."""
    return Html("".join(parts))
