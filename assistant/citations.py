"""list[Claim] -> list[Claim]: only what stands in its passage, letter by letter, may be shown; it can remove, never add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant.errors import UnsupportedClaimError
from assistant.records import MODEL, Claim, Document, Support


def quote(document: Document, support: Support) -> str:
    """Return the words a support points at: the lead-in of its list, if any, then the unit."""
    own = document.text[support.start : support.end]
    return f"{document.text[support.lead[0] : support.lead[1]]} {own}" if support.lead else own


def verify(claims: Sequence[Claim], documents: Mapping[str, Document]) -> list[Claim]:
    """Return the claims whose first support holds exactly their text and whose other supports may be cited.

    Retracted works and works without text support nothing. A claim that a language model worded was checked by its writer.

    Raises:
        UnsupportedClaimError: a span does not hold the text of its claim: a defect of the writer, not of the sources.
    """
    kept = []
    for claim in claims:
        usable = tuple(s for s in claim.support if documents[s.passage.document].may_support)
        for support in usable:
            _check_span(documents[support.passage.document], support)
        if not usable:
            continue
        if claim.kind != MODEL and quote(documents[usable[0].passage.document], usable[0]) != claim.text:
            raise UnsupportedClaimError(
                f"The claim {claim.text!r} is not what {usable[0].passage.id} says at {usable[0].start}-{usable[0].end}."
            )
        kept.append(Claim(claim.text, usable, claim.kind))
    return kept


def _check_span(document: Document, support: Support) -> None:
    """Refuse a span that is not a whole unit with its own lead-in: a cut sentence can lose its negation or its unit."""
    whole = any((unit.start, unit.end, unit.lead) == (support.start, support.end, support.lead) for unit in document.units)
    inside = support.passage.start <= support.start and support.end <= support.passage.end
    if not whole or not inside:
        raise UnsupportedClaimError(f"{support.passage.id} has no sentence at {support.start}-{support.end}.")
