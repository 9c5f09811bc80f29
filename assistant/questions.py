"""asked + history -> Query: spelling, short forms, and what a follow-up leaves unsaid, every addition named."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from assistant.errors import BadInputError
from assistant.lexicon import abbreviations, brands, drug_classes, is_drug, known_words
from assistant.lexicon.concepts import DOSED, Concept, Wording, concepts, intents_of
from assistant.records import Query, Reader, Term, Turn
from assistant.search import TRIAL
from assistant.text.words import STOP_WORDS, stem, stems, words

MAX_CHARACTERS = 4000
MAX_TURNS = 20
LONG_WORD = 6  # letters from which a word that was cut short, or a medicine the sources do not name, is known again
SHORTEST_STUMP = 4  # letters by which the article's own drug is known ("spiro")
SHORT_WORD = 8  # words of fewer letters are repaired across one edit, longer ones across two
FEW_WORDS = 3  # a question of so few content words leans on the one before
# Words that steer a conversation and carry no topic.
DISCOURSE = frozenset(
    stem(w)
    for w in (
        "tell know please give say explain mean thing things ok okay thanks thank question ask more else again really "
        "happen happens need want like get much many often one ones other another same different regarding concerning "
        "answer information sure yes no not hi hello hey exactly actually now still only even well good possible "
        "recommended recommend usual usually kind sort way does go take taken use used using is best et al show shows "
        "showed shown see seen per right number anybody everybody someone anyone everyone sorry normal fine special "
        "next anything something nothing stuff type ok bit lot whole quick quickly straight together around either however"
    ).split()
)
_AFFIRM = re.compile(
    r"(?:yes|yeah|yep|yup|sure|ok|okay|please|go ahead|please do|y|tell me|show me)"
    r"(?:[ ,]+(?:please|do|that one|go ahead|tell me|sure))*[.! ]*"
)
_ORDINALS = {
    "first": 0,
    "1": 0,
    "1st": 0,
    "one": 0,
    "second": 1,
    "2": 1,
    "2nd": 1,
    "two": 1,
    "third": 2,
    "3": 2,
    "3rd": 2,
    "three": 2,
}
_ORDINAL = re.compile(r"(?:yes[, ]+)?(?:the )?(first|second|third|1st|2nd|3rd|one|two|three|[123])(?: one| question)?[.! ]*")
_SWAP = re.compile(
    r"^(?:(?:and|but|so|or|ok|okay|no|sorry|oops)[ ,]+)*"
    r"(?:(?:what|how) (?:about|of)|and|what if|same (?:for|with)|or|i mean(?:t)?)\b[ ,]*",
    re.IGNORECASE,
)
# "with ibuprofen?", "Crohn's?", "a 6-year-old?": no verb, so nothing is asked of it yet.
_NO_VERB = re.compile(
    r"^(?!.*\b(?:can|could|is|are|was|do|does|did|should|will|would|may|might|has|have|what|how|when|why|who|which|where)\b)"
    r"(?:\S+ ){0,4}\S+$",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"(?:with|for|in|during|before|after|if|of|to|at|on|while)\b", re.IGNORECASE)
# Subjects that are asked about something, and so are never the something.
ATTRIBUTES = frozenset(
    (
        "side effects",
        "mechanism",
        "monitoring",
        "cost",
        "surgery",
        "kinetics",
        "storage",
        "mortality",
        "insurance",
        "overdose",
        "missed dose",
        "route",
        "driving",
        "body weight",
        "allergy",
        "fertility",
        "genetics",
        "restarting",
        "tapering",
        "loading dose",
        "swallowing",
        "conversion",
        "funding",
        "eligibility",
        "rescue",
        "number needed to treat",
    )
)
DOSE_INTENTS = DOSED
_EXPLICIT_SWAP = re.compile(
    r"(?:(?:and|but|so|or|ok|okay|no|sorry|oops)[ ,]+)*(?:(?:what|how) (?:about|of)\b|same (?:for|with)\b|what if\b|i meant?\b)"
)
# "at that level", "then": points at the question before and asks for nothing itself.
_POINTING = re.compile(
    r"[ ,]+(?:(?:at|in|with|for|on) (?:that|this|those|these|the same|such) \w+|then|there|instead|too|as well|though)"
    r"(?=[ ?!.]*$)",
    re.IGNORECASE,
)
_BACK = re.compile(r"\b(?:back to|go(?:ing)? back|returning to|return to|as for the)\b", re.IGNORECASE)
_QUANTITY = re.compile(r"\bhow (?:often|long|much|many|soon|fast|quickly)\b|\b(?:when|where|who)\b")
# The name of a trial ("COLCOT", "LoDoCo2", "STEP 1"), or of an author with a year.
_TRIAL = re.compile(rf"{TRIAL.pattern}(?:[ -]\d{{1,2}}\b)?|\b[A-Z][a-z]+ (?:et al\.? )?(?:19|20)\d\d\b")
_BARE_WHY = re.compile(r"\b(?:why|how come|reason|rationale)\b")
_PRONOUN = re.compile(r"\b(?:it|its|that|this|those|these|they|them|their|both|he|she|him|her|there|which one)\b")
_TERMINAL = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")  # colours and cursor moves of a terminal
_SHORT_FORM = re.compile(r"(?<![\w'-])[A-Za-z][A-Za-z0-9]*(?![\w'-])")
_LABEL_NUMBER = re.compile(
    r"(?:(?:and|but|or|so|what about|how about|what if|if|with|at|an?|the|for|is|when|my|it's)\s+)*"
    r"([a-z]{2,20})\s+(?:of|is|=|at)?\s*(\d+(?:\.\d+)?)[?. ]*"
)
_NUMBER_ONLY = re.compile(r"(?:(?:and|but|or|if|at|with|of|for|it's|is|was|say)\s+)*(\d+(?:\.\d+)?)\s*([a-z%/]*)[?. ]*")
# A number that stands free, and the unit after it if there is one: not the 12 of B12 nor the 19 of COVID-19.
_NUMBER = re.compile(
    r"(?<![\w.-])(\d+(?:\.\d+)?)(?![\w.]|-)(?:\s*(mg|mcg|g|kg|ml|%|days?|weeks?|months?|years?)(?![a-z]))?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What resolving needs to know of the sources in scope.

    ``vocabulary``: lower-case word -> count; ``common`` tells an everyday English word; ``defined``: short forms the sources
    define themselves; ``topic``: the concepts of the article's title, never inherited; ``subject``: its drug, if it has one;
    ``names``: its drugs and their short forms.
    """

    vocabulary: Mapping[str, int]
    common: Callable[[str], bool]
    defined: Mapping[str, str]
    topic: frozenset[str]
    subject: str = ""
    names: frozenset[str] = frozenset()


def clean(asked: str) -> str:
    """Return the question without control, format and surrogate characters, on one line, NFC.

    Raises:
        BadInputError: it is longer than ``MAX_CHARACTERS``.
    """
    if len(asked) > MAX_CHARACTERS:
        raise BadInputError(
            f"The question has {len(asked):,} characters; at most {MAX_CHARACTERS:,} are read. Ask in a few sentences."
        )
    asked = _TERMINAL.sub("", asked)
    if asked.isascii() and asked.isprintable():
        return " ".join(asked.split())
    kept = "".join(
        " " if c.isspace() else c for c in asked if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    return " ".join(unicodedata.normalize("NFC", kept).split())


def content(text: str) -> list[str]:
    """Return the stems of a text that carry a topic."""
    return [s for s in stems(text) if s not in DISCOURSE]


def resolve(
    asked: str,
    history: Sequence[Turn],
    knowledge: Knowledge,
    *,
    article: str | None = None,
    reader: Reader = Reader.CLINICIAN,
    without: Sequence[str] = (),
) -> Query:
    """Return a question that stands alone; every word it did not hold is in ``inherited``, unless named in ``without``."""
    asked = clean(asked)
    refused = {text.casefold() for text in without}
    turns = clipped(history)
    text, added = _spell(asked, knowledge, refused)
    text, long_forms = _expand(text, knowledge, refused)
    added += long_forms
    if turns:
        short = _leans(text)
        text, taken = _follow(text, turns, knowledge, refused)
        added += taken
        text, taken = _name_subject(text, knowledge, refused) if short or _leans(text) else (text, [])
        added += taken
    leans = bool(turns) and _leans(text)
    last = _meant(asked, turns) if turns else Turn("")
    context = last.interpreted or last.asked if leans else ""
    shown = last.passages
    return Query(
        text=text, asked=asked, inherited=tuple(added), context=context, article=article, reader=reader, shown=shown, leans=leans
    )


def clipped(history: Sequence[Turn]) -> list[Turn]:
    """Return the last turns, of which no text is longer than a question may be: all of the history that counts."""
    return [_clipped(turn) for turn in list(history)[-MAX_TURNS:]]


def _clipped(turn: Turn) -> Turn:
    """Return a turn of which no text is longer than a question may be: history comes from the client."""
    asked, interpreted, *suggestions = (
        clean(t[:MAX_CHARACTERS]) for t in (turn.asked, turn.interpreted, *turn.suggestions[:MAX_TURNS])
    )
    return Turn(asked, interpreted, turn.passages[:MAX_TURNS], tuple(suggestions))


def _name_subject(text: str, knowledge: Knowledge, refused: set[str]) -> tuple[str, list[Term]]:
    """Return a follow-up that names no drug with the article's own, so that it stands alone."""
    subject = knowledge.subject
    named = any(is_drug(word) or word in knowledge.names for word in words(text))
    if not subject or named or subject in refused:
        return text, []
    stated = text.strip(" ?.")
    joined = f"{stated[:-1]}; {subject})?" if stated.endswith(")") else f"{stated} ({subject})?"
    return joined, [Term(subject, "the article")]


def _leans(text: str) -> bool:
    return len(content(text)) <= FEW_WORDS or bool(_PRONOUN.search(text.lower()))


# -- spelling and short forms -------------------------------------------------------------------------------------------


def _spell(asked: str, knowledge: Knowledge, refused: set[str]) -> tuple[str, list[Term]]:
    added: list[Term] = []

    def mend(found: re.Match[str]) -> str:
        word = found[0]
        better = repair(word.lower(), knowledge)
        if better is None or better in refused:
            return word
        added.append(Term(better, f"spelling of {word}"))
        return better

    return re.sub(r"[A-Za-z]{4,}", mend, asked), added


def repair(word: str, knowledge: Knowledge) -> str | None:
    """Return the word of the sources that was meant, or None when ``word`` is fine or nothing is near enough.

    A known drug name is never repaired, and a word near two drugs is not made one of them.
    """
    if (
        word in knowledge.vocabulary
        or word in known_words()
        or is_drug(word)
        or _inflected(word, knowledge)
        or knowledge.common(word)
    ):
        return None
    limit = 1 if len(word) < SHORT_WORD else 2
    if begun := _begun(word, knowledge):
        return begun
    near = [
        (distance, not set(word) <= set(candidate), -count, candidate)
        for candidate, count in knowledge.vocabulary.items()
        if candidate[:1] == word[:1]
        and abs(len(candidate) - len(word)) <= limit
        and len(candidate) > 3  # noqa: PLR2004 - as short as is asked
        and (distance := OSA.distance(word, candidate, score_cutoff=limit)) <= limit
    ]
    drugs = {name for name in (*drug_classes(), *brands()) if OSA.distance(word, name, score_cutoff=limit) <= limit}
    if not near:  # a medicine that the sources do not name is still that medicine
        return next(iter(drugs)) if len(drugs) == 1 and len(word) >= LONG_WORD else None
    best = min(near)[3]
    if (is_drug(best) or drugs) and drugs | {best} != {best}:
        return None
    return best


def _begun(word: str, knowledge: Knowledge) -> str | None:
    """Return the one long word of the sources, or the one medicine, that a reader began and cut short ("clarithro")."""
    if len(word) >= SHORTEST_STUMP and knowledge.subject.startswith(word):
        return knowledge.subject
    if len(word) < LONG_WORD:
        return None
    longer = [name for name in (*knowledge.vocabulary, *drug_classes()) if name.startswith(word) and len(name) >= len(word) + 3]
    return min(longer, key=len) if len({stem(name) for name in longer}) == 1 else None


def _inflected(word: str, knowledge: Knowledge) -> bool:
    root = stem(word)
    return any(
        candidate in knowledge.vocabulary for candidate in (root, word.removesuffix("s"), word.removesuffix("ed"), word + "s")
    )


def _known(long_form: str, knowledge: Knowledge) -> bool:
    """Tell whether the sources hold each word of a long form, whatever its ending."""
    return all(any(known.startswith(word[:LONG_WORD]) for known in knowledge.vocabulary) for word in words(long_form))


def _expand(text: str, knowledge: Knowledge, refused: set[str]) -> tuple[str, list[Term]]:
    added: list[Term] = []

    def lengthen(found: re.Match[str]) -> str:
        short = found[0]
        long_form = knowledge.defined.get(short.upper()) if short.isupper() or short.lower() not in STOP_WORDS else None
        long_form = long_form or abbreviations().get(short.lower())
        if long_form and short.lower() in knowledge.vocabulary and not _known(long_form, knowledge):
            return short  # the sources know it by its short form alone
        if not long_form or long_form.casefold() in refused or long_form.lower() in text.lower():
            return short
        if len(short) > 1:  # "u" and "r" are not worth a line
            added.append(Term(long_form, f"long form of {short}"))
        return long_form

    return _SHORT_FORM.sub(lengthen, text), added


# -- follow-ups ---------------------------------------------------------------------------------------------------------


def _follow(text: str, turns: list[Turn], knowledge: Knowledge, refused: set[str]) -> tuple[str, list[Term]]:
    """Return the question with what it inherits from the conversation, and the inherited terms."""
    low = text.lower().strip()
    last = _meant(text, turns)
    offered = _accepted(low, last)
    if offered and offered.casefold() not in refused:
        return offered, [Term(offered, "the suggestion you accepted")]
    before = " ".join(re.sub(r"[(][^()]*[)]", "", last.interpreted).split()).replace(" ?", "?") or last.asked
    if not content(low):
        return _bare(low, text, before, refused)
    if renumbered := _other_number(low, text, before, refused):
        return renumbered
    rest = _POINTING.sub("", _SWAP.sub("", text).strip())
    if (trials := _trials(rest, knowledge)) and rest.strip(" ?.!") == trials[0] and before.casefold() not in refused:
        return _of_trial(trials[0], before, knowledge)
    own = concepts(Wording.of(rest))
    named = _EXPLICIT_SWAP.match(low) or _NO_VERB.match(rest)
    if own and named and not any(c.kind in ATTRIBUTES for c in own) and not _asks_more(rest, own):
        return _swap(rest, own, before, knowledge, refused)
    return _attribute(text, own, before, last.interpreted or last.asked, knowledge, refused)


def _other_number(low: str, text: str, before: str, refused: set[str]) -> tuple[str, list[Term]] | None:
    """Return the earlier question with another number ("and at 35?", "eGFR 25?"), where a follow-up gives no more than that."""
    if found := _NUMBER_ONLY.fullmatch(low):
        return _renumbered(found, text, before, refused)
    if found := _LABEL_NUMBER.fullmatch(low):
        place = re.compile(rf"(\b{re.escape(found[1])}\b\s*(?:of|is|=|at)?\s*)\d+(?:\.\d+)?", re.IGNORECASE)
        if place.search(before) and before.casefold() not in refused:
            return place.sub(rf"\g<1>{found[2]}", before, count=1), [Term(before, "earlier question")]
    return None


def _trials(text: str, knowledge: Knowledge) -> list[str]:
    """Return the names of trials and of authors with a year, as far as the sources know them."""
    found = [match[0] for match in _TRIAL.finditer(text)]
    return [name for name in found if words(name)[0] in knowledge.vocabulary and name.lower() not in abbreviations()]


def _of_trial(name: str, before: str, knowledge: Knowledge) -> tuple[str, list[Term]]:
    """Return the earlier question, asked of the trial that is named now ("and COLCOT?")."""
    old = next(iter(_trials(before, knowledge)), "")
    asked = before.replace(old, name) if old else f"{before.strip(' ?.')} ({name})?"
    return asked, [Term(before.replace(old, "...") if old else before, "earlier question")]


def _meant(text: str, turns: Sequence[Turn]) -> Turn:
    """Return the turn that a follow-up is about: the last one, or an earlier one that it goes back to."""
    if not _BACK.search(text):
        return turns[-1]
    own = set(content(text))
    shared = (turn for turn in reversed(turns[:-1]) if own & set(content(turn.interpreted or turn.asked)))
    return next(shared, turns[-1])


def _renumbered(found: re.Match[str], text: str, before: str, refused: set[str]) -> tuple[str, list[Term]]:
    """Return the earlier question with another number ("and at 35?"), where one number of the same unit stands in it."""
    if before.casefold() in refused:
        return text, []
    like = [n for n in _NUMBER.finditer(before) if (n[2] or "").lower() == found[2]]
    if len(like) == 1:
        asked = before[: like[0].start(1)] + found[1] + before[like[0].end(1) :]
    else:
        asked = f"{before.strip(' ?.')} ({found[1]}{f' {found[2]}' if found[2] else ''})?"
    return asked, [Term(before, "earlier question")]


def _accepted(low: str, last: Turn) -> str | None:
    if not last.suggestions:
        return None
    if found := _ORDINAL.fullmatch(low):
        index = _ORDINALS[found[1]]
        return last.suggestions[index] if index < len(last.suggestions) else None
    return last.suggestions[0] if _AFFIRM.fullmatch(low) else None


def _bare(low: str, text: str, before: str, refused: set[str]) -> tuple[str, list[Term]]:
    if before.casefold() in refused:
        return text, []
    if _QUANTITY.search(low):
        return f"{text.strip(' ?.')} ({before.strip(' ?.')})?", [Term(before, "earlier question")]
    why = "Why: " if _BARE_WHY.search(low) else ""
    return f"{why}{before}", [Term(before, "earlier question")]


def _asks_more(text: str, own: Sequence[Concept]) -> bool:
    """Tell whether a text asks for something beside naming its concepts ("cost for children" does, "children" does not)."""
    named = {s for concept in own for phrase in concept.covers for s in phrase} | {s for c in own for s in stems(c.text)}
    return any(
        s not in named and s not in DISCOURSE
        for s in stems(text)
        if not s.isdigit() and s not in ("year", "old", "patient", "peopl")
    )


def _swap(rest: str, own: Sequence[Concept], before: str, knowledge: Knowledge, refused: set[str]) -> tuple[str, list[Term]]:
    """Return the earlier question, asked of what is named now ("what about X?")."""
    subject = rest.strip(" ?.")
    kept = " ".join(_SWAP.sub("", re.sub(r"[()]", "", before)).strip(" ?.").split())
    if not kept or kept.casefold() in refused or subject.lower() in kept.lower():
        return f"{subject}?", []
    families = {_family(concept) for concept in own}
    preposition = _PREPOSITION.match(subject)
    for old in concepts(Wording.of(kept)):
        if _family(old) in families and old.kind not in ATTRIBUTES and old.text.lower() not in knowledge.topic:
            lead = r"(?:\b(?:with|for|in|of|on) )?" if preposition else ""
            place = re.compile(rf"{lead}(?:\b(?:a|an|the|my) )?\b{re.escape(old.text)}(?:'s)?(?: disease)?\b", re.IGNORECASE)
            asked, swapped = place.subn(lambda _: subject, kept, count=1)
            frame = place.sub("...", kept, count=1)
            if swapped:
                return (f"{subject}?", []) if frame.casefold() in refused else (f"{asked}?", [Term(frame, "earlier question")])
    return f"{kept} {'' if preposition else 'for '}{subject}?", [Term(kept, "earlier question")]


def _family(concept: Concept) -> str:
    if concept.kind in ("drug", "food", "plant"):
        return "drug"
    return "condition" if concept.kind in ("condition", "body", "procedure") else "population"


def _attribute(
    text: str, own: Sequence[Concept], before: str, whole: str, knowledge: Knowledge, refused: set[str]
) -> tuple[str, list[Term]]:
    """Return the question with the focus of the one before ("and the cost?"); ``whole`` is that with what it inherited."""
    if not _leans(text):
        return text, []
    trials = [] if _trials(text, knowledge) else _trials(whole, knowledge)[:1]
    wanted = trials + _focus(own, whole, knowledge) + (_unsaid_dose(text, before) if not own else [])
    if not wanted and not own and not intents_of(Wording.of(text)) and len(content(text)) <= FEW_WORDS:
        wanted = [before.strip(" ?.")]
    kept = [term for term in wanted if term.casefold() not in refused and term.lower() not in text.lower()]
    if not kept:
        return text, []
    return f"{text.strip(' ?.')} ({', '.join(kept)})?", [Term(term, "earlier question") for term in kept]


def _focus(own: Sequence[Concept], before: str, knowledge: Knowledge) -> list[str]:
    """Return the other drug and the condition that the question before was about, where this one names none."""
    families = {_family(concept) for concept in own}
    return [
        old.text
        for old in concepts(Wording.of(before))
        if old.kind in ("drug", "condition")
        and not old.company
        and old.text not in knowledge.topic
        and _family(old) not in families
    ]


def _unsaid_dose(text: str, before: str) -> list[str]:
    """Return "dose" for a short question about its size or time after one about a dose ("and the maximum?")."""
    short = len(content(text)) <= FEW_WORDS and stem("dose") not in stems(text)
    own = {intent.name for intent in intents_of(Wording.of(text))}
    sizes = bool(own) and own <= DOSE_INTENTS | {"timing"}
    return ["dose"] if short and sizes and DOSE_INTENTS & {intent.name for intent in intents_of(Wording.of(before))} else []
