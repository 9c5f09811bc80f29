"""list[Claim] -> list[Claim]: only what stands in its passage may be shown; it can remove, never add.

A quoted claim stands there letter by letter, or the writer is broken. A claim that a writer put in words of its own has the kind
``MODEL``, and stays only when ``check`` finds that its cited sentences say it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant.citations.checking import Fault, Ruling, check
from assistant.errors import UnsupportedClaimError
from assistant.records import MODEL, Claim, Document, Support

__all__ = ["Fault", "Ruling", "check", "quote", "verify"]


def quote(document: Document, support: Support) -> str:
    """Return the words a support points at: the lead-in of its list, if any, then the unit."""
    own = document.text[support.start : support.end]
    return f"{document.text[support.lead[0] : support.lead[1]]} {own}" if support.lead else own


def verify(claims: Sequence[Claim], documents: Mapping[str, Document]) -> list[Claim]:
    """Return the claims that their supports say, each with the supports that may be cited.

    Retracted works and works without text support nothing. A ``MODEL`` claim is left out when the sentences it cites do not
    say it.

    Raises:
        UnsupportedClaimError: a span is no sentence, or does not hold the text of a quoted claim: a defect of the writer, not of
            the sources.
    """
    kept = []
    for claim in claims:
        usable = tuple(s for s in claim.support if documents[s.passage.document].may_support)
        for support in usable:
            _check_span(documents[support.passage.document], support)
        if not usable:
            continue
        said = [quote(documents[s.passage.document], s) for s in usable]
        ruling = check(claim.text, said if claim.kind == MODEL else said[:1])
        if ruling.accepted and (claim.kind == MODEL or claim.text == said[0]):
            kept.append(Claim(claim.text, usable, claim.kind))
        elif claim.kind != MODEL:
            raise UnsupportedClaimError(
                f"The claim {claim.text!r} is not what {usable[0].passage.id} says at {usable[0].start}-{usable[0].end}."
            )
    return kept


def _check_span(document: Document, support: Support) -> None:
    """Refuse a span that is not a whole unit with its own lead-in: a cut sentence can lose its negation or its unit."""
    whole = any((unit.start, unit.end, unit.lead) == (support.start, support.end, support.lead) for unit in document.units)
    inside = support.passage.start <= support.start and support.end <= support.passage.end
    if not whole or not inside:
        raise UnsupportedClaimError(f"{support.passage.id} has no sentence at {support.start}-{support.end}.")
