"""Claim + passages -> Ruling: may a sentence that somebody wrote be shown as what the passages say?

A sentence passes when it is a sentence of a passage word by word, of which whole clauses that bear on nothing kept may be left
out. It never adds a word. Everything else is refused, also much that is true: what is refused is quoted instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from assistant.citations.clauses import CUT, clauses, gravest, matches
from assistant.citations.tokens import Token, tokens
from assistant.text.sentences import split

_COVERED = 0.8  # share of a claim's words that one sentence must hold before the missing ones are worth naming one by one


class Fault(StrEnum):
    """Why a sentence is refused; the gravest that was found."""

    NONE = "none"
    NO_SOURCE = "no-source"
    QUOTE = "quote"
    EMPTY = "empty"
    COVERAGE = "coverage"
    NUMBER = "number"
    NEGATION = "negation"
    DIRECTION = "direction"
    DRUG = "drug"
    POPULATION = "population"
    HEDGE = "hedge"
    BOUND = "bound"
    CONDITION = "condition"
    COMPARISON = "comparison"
    WORD = "word"
    ORDER = "order"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a sentence may be shown; ``detail`` says for a log what it gained, lost or moved."""

    accepted: bool
    reason: Fault = Fault.NONE
    detail: str = ""


ACCEPTED = Ruling(accepted=True)


def check(claim: str, passages: Sequence[str], quoted: str | None = None) -> Ruling:
    """Tell whether ``claim`` says what one of the passages says; ``quoted`` must stand in one of them letter by letter.

    A claim of several sentences passes when each of them does. A claim that is a passage passes at once.

    >>> check("Give 45 mg daily.", ["Give 4.5 mg daily."]).reason
    <Fault.NUMBER: 'number'>
    """
    if not any(passage.strip() for passage in passages):
        return Ruling(accepted=False, reason=Fault.NO_SOURCE, detail="no passage is cited")
    if quoted is not None and not (quoted.strip() and any(quoted in passage for passage in passages)):
        return Ruling(accepted=False, reason=Fault.QUOTE, detail=f"{quoted!r} stands in no passage")
    if claim in passages:
        return ACCEPTED
    sources = list(dict.fromkeys(source for passage in passages for source in _sources(passage)))
    whole = _ruling(claim, sources)
    said = [claim[start:end] for start, end in split(claim)]
    if whole.accepted or len(said) < 2:  # noqa: PLR2004 - one sentence is the whole
        return whole
    return next((ruling for ruling in (_ruling(one, sources) for one in said) if not ruling.accepted), ACCEPTED)


def _sources(passage: str) -> Iterator[str]:
    """Yield the sentences of a passage; those of a list with its lead-in before them, without which they say something else."""
    lead, end = "", 0
    for start, stop in split(passage):
        text = passage[start:stop]
        lead = "" if passage.count("\n", end, start) > 1 else lead
        if text.endswith(":"):
            lead = text
        yield f"{lead} {text}" if lead and text != lead else text
        end = stop


def _ruling(claim: str, sources: Sequence[str]) -> Ruling:
    said = [token for token in tokens(claim) if not token.free]
    if not said or not sources:
        return Ruling(accepted=False, reason=Fault.EMPTY, detail=f"{claim!r} says nothing")
    keys = {token.key for token in said}
    asks = claim.rstrip().endswith("?")  # a question says nothing: "Does it cure gout?"
    holding = [source for source in sources if source.endswith("?") == asks and keys <= _keys(source)]
    lost = [found for source in holding if (found := matches(said, clauses(source))) is not None]
    if "" in lost:
        return ACCEPTED
    if lost:
        kind = gravest(kind for kind in lost if kind != CUT) or CUT
        return Ruling(accepted=False, reason=Fault(kind), detail=f"a clause left out bears on what is kept: {claim!r}")
    return _refusal(said, sources)


@lru_cache(maxsize=512)
def _keys(source: str) -> frozenset[str]:
    return frozenset(token.key for clause in clauses(source) for token in clause.kept)


def _refusal(said: Sequence[Token], sources: Sequence[str]) -> Ruling:
    """Return what a claim gained, lost or moved against the sentence that holds most of it."""
    held = [[token for clause in clauses(source) for token in clause.kept] for source in sources]
    best = max(held, key=lambda tokens: _met(said, tokens))
    gained = _apart(said, best)
    if gained:
        gravely = gravest(token.kind for token in gained)
        kind = gravely if gravely != "word" or _met(said, best) >= _COVERED * len(said) else "coverage"
        return Ruling(accepted=False, reason=Fault(kind), detail=f"not in the source: {_listed(gained)}")
    lost = [token for token in _apart(best, said) if token.kind != "word"]
    if lost and _in_order(said, best):
        return Ruling(accepted=False, reason=Fault(gravest(t.kind for t in lost)), detail=f"lost: {_listed(lost)}")
    reason = Fault.CUT if _in_order(said, best) else Fault.ORDER
    return Ruling(accepted=False, reason=reason, detail="the source's words, but in another order or cut out of their clause")


def _met(said: Sequence[Token], held: Sequence[Token]) -> int:
    return len(said) - len(_apart(said, held))


def _apart(some: Sequence[Token], others: Sequence[Token]) -> list[Token]:
    """Return the tokens of ``some`` that ``others`` does not hold, each as often as it is missing."""
    left = Counter(token.key for token in others)
    out = []
    for token in some:
        if left[token.key] > 0 and any(token.agrees(other) for other in others):
            left[token.key] -= 1
        else:
            out.append(token)
    return out


def _in_order(said: Sequence[Token], held: Sequence[Token]) -> bool:
    rest = iter(held)
    return all(any(token.agrees(other) for other in rest) for token in said)


def _listed(tokens_: Sequence[Token]) -> str:
    return ", ".join(sorted({token.key if token.numeric else token.text for token in tokens_}, key=str))
