"""Sentence -> clauses: a sentence is kept whole or loses whole clauses, and never one that bears on what is kept.

``matches`` tells whether a claim is what is left of a source when some of its clauses are left out, in order, word by word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from assistant.citations.tokens import CITATION, KINDS, Token, tokens
from assistant.lexicon import claim_words

CUT = "cut"  # a clause left out that bears on what is kept, though none of its words is of a kind
SAFE = frozenset(("word", "direction", "drug"))  # kinds of words that a clause beside the kept ones may lose
_APART = SAFE | {"number", "population", "bound", "comparison"}  # that a part cut off by ";" may lose
_REASON = _APART | {"negation"}  # that "because ..." may lose: a reason does not narrow what it is a reason for
_APPOSITION = frozenset("a an the which who whose because although though since whereas such namely".split())
_SUBORDINATE = frozenset("although though because since whereas".split())
_CAUSE = frozenset(("because", "since"))
_INNER = frozenset("because whereas although though".split())  # open a clause without a comma too
_SCOPING = frozenset(
    (
        "in for among with within without during after before at on under following by from to of when if unless until provided "
        "given using via per than as while and or but except compared versus"
    ).split()
)
_REPORTED = frozenset("found showed shown demonstrated confirmed revealed concluded".split())
_STUDY = frozenset(
    "study studies trial trials review reviews research analysis analyses meta-analysis we authors results data".split()
)
_VERBS = frozenset("is are was were has have had may might can should will must did does".split())


@dataclass(frozen=True, slots=True)
class Clause:
    """Words between two signs.

    ``mark`` is the sign before, ``after`` the one behind, ``then`` the word behind that; ``part`` counts the parts cut by ``;``.
    """

    words: tuple[Token, ...]
    mark: str
    after: str
    then: str
    part: int

    @property
    def kept(self) -> tuple[Token, ...]:
        """The tokens that a claim must hold to keep the clause."""
        return tuple(token for token in self.words if not token.free)

    @property
    def opener(self) -> str:
        """Its first word."""
        return self.words[0].text

    def loses(self, allowed: frozenset[str]) -> str:
        """Return the gravest kind of its words that may not be lost, "" when all may."""
        return gravest(token.kind for token in self.kept if token.kind not in allowed)


def gravest(kinds: Iterable[str]) -> str:
    """Return the first of ``KINDS`` among these, "" where there is none."""
    return min(kinds, key=KINDS.index, default="")


@lru_cache(maxsize=512)
def clauses(sentence: str) -> tuple[Clause, ...]:
    """Return the clauses of a sentence, or of a lead-in and its item."""
    found = tokens(sentence)
    runs: list[list[Token]] = []
    for token, then in zip(found, [*found[1:], None], strict=False):
        if token.mark or not runs or _opens(token, then, runs[-1]):
            runs.append([])
        runs[-1].append(token)
    parts = accumulate(run[0].mark == ";" for run in runs)
    behind = [*((run[0].mark, run[0].text) for run in runs[1:]), (".", "")][: len(runs)]
    return tuple(
        Clause(tuple(run), run[0].mark, after, then, part) for run, (after, then), part in zip(runs, behind, parts, strict=True)
    )


def _opens(token: Token, then: Token | None, run: Sequence[Token]) -> bool:
    """Tell whether a token opens a clause without a sign before it.

    "... because", "a trial found (that) ...", and the second of two results: "by 32% in women and 44% in men".
    """
    if token.text in _INNER:
        return not any(other.kind == "negation" for other in run)
    if run[-1].text in _REPORTED:
        return token.text not in _SCOPING
    last = next((n for n, other in enumerate(run) if _percent(other)), len(run))
    return token.text == "and" and then is not None and _percent(then) and any(t.text in _SCOPING for t in run[last:])


def _percent(token: Token) -> bool:
    return token.numeric and token.key.endswith("%")


def matches(claim: Sequence[Token], source: Sequence[Clause]) -> str | None:
    """Return "" when the claim is the source without clauses that may be left out, what was lost when they may not, else None.

    The claim may begin in any of the source's parts; the work is clauses times places in the claim for each.
    """
    found: list[str] = []
    before = ""  # what was lost with the parts before
    for first in range(source[-1].part + 1 if source else 0):
        lost = _within(claim, [clause for clause in source if clause.part >= first])
        if lost is not None:
            found.append(lost or before)
        parted = [clause for clause in source if clause.part == first]
        before = before or next(filter(None, (CUT if c.after == ":" else c.loses(_APART) for c in parted)), "")
    return min(found, key=len) if found else None


def _within(claim: Sequence[Token], source: Sequence[Clause]) -> str | None:
    """Return as ``matches`` does, for clauses that belong together."""
    places = {(0, False): ""}  # (tokens of the claim met, the rest may go) -> what was lost on the way
    whole = False  # a clause before holds a verb, so that what is kept may stand without what comes
    for clause in source:
        reached: dict[tuple[int, bool], str] = {}
        for (met, rest), lost in places.items():
            stop = None if rest else _stands(clause, claim, met)
            if stop is not None:
                _note(reached, (stop, False), lost)
            fault, goes = ("", True) if rest else _left_out(clause, met, len(claim), whole=whole)
            _note(reached, (met, goes), lost or fault)
        places = reached
        whole = whole or any(token.text in _VERBS or _verbal(token) for token in clause.words[1:])
    return min((lost for (met, _), lost in places.items() if met == len(claim)), key=len, default=None)


def _note(places: dict[tuple[int, bool], str], place: tuple[int, bool], lost: str) -> None:
    if place not in places or not lost:
        places[place] = lost


def _stands(clause: Clause, claim: Sequence[Token], met: int) -> int | None:
    """Return how many tokens of the claim are met behind this clause; None when it does not stand there word by word."""
    for token in clause.kept:
        if met < len(claim) and claim[met].agrees(token):
            met += 1
        elif token.text not in claim_words().discourse:
            return None
    return met


def _verbal(token: Token) -> bool:
    return token.text.endswith("ed") or token.kind in ("direction", "negation", "hedge")


def _left_out(clause: Clause, met: int, size: int, *, whole: bool) -> tuple[str, bool]:
    """Return what is lost when the clause is left out here ("" is nothing), and whether all behind it may go too."""
    words = claim_words()
    said = tuple(token.text for token in clause.kept)
    if said in words.openings or (clause.mark == "[" and len(said) == 1 and said[0].startswith(CITATION)):
        return "", False
    lost = clause.loses(SAFE)
    if clause.mark in ("(", "["):
        return (lost or CUT if clause.opener in _SCOPING else lost), False
    if met == size:
        return _left_behind(clause, lost, whole=whole)
    if met == 0:
        label = clause.after == ":" and len(said) == 1 and said[0] in words.labels
        beside = clause.opener in _SUBORDINATE or (
            clause.words[-1].text in _REPORTED and any(token.text in _STUDY for token in clause.words)
        )
        return ("" if label else lost if beside else lost or CUT), False
    apart = clause.mark == "," and clause.opener in _APPOSITION and clause.then not in ("and", "or")  # no member of a list
    return (lost if apart else lost or CUT), False


def _left_behind(clause: Clause, lost: str, *, whole: bool) -> tuple[str, bool]:
    """Return as ``_left_out`` does, for a clause behind all that is kept."""
    if not clause.mark and clause.opener == "and":  # a second result
        return clause.loses(SAFE | {"number", "population"}), False
    own = clause.mark == "," and clause.opener == "and" and any(token.text in _VERBS for token in clause.words)
    if (own and whole) or clause.mark == ";":  # a sentence of its own
        return "", True
    if clause.opener in _CAUSE:
        return clause.loses(_REASON), False
    loose = clause.opener in _APPOSITION or not any(token.text in _SCOPING | _VERBS for token in clause.words)
    beside = clause.opener in _INNER or (clause.mark == "," and loose)
    return (lost if beside else lost or CUT), False
