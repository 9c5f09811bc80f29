"""Query -> Question -> list[Hit]: words and meaning, fused; the seams to an encoder and to whatever holds the passages."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.lexicon import Intent, Phrase, brands, drug_classes, english, intents, is_drug, must_groups, people, phrase
from assistant.lexicon.concepts import Concept, Reading, Wording, concepts, expansions, intents_of
from assistant.passages import bibliography, surnames
from assistant.records import Document, Hit, Passage, Query, Unit
from assistant.text.sentences import split
from assistant.text.words import normalise, stem, stems, terms, terms_of, words

Vector = NDArray[np.float32]
Vectors = NDArray[np.float32]


class Encoder(Protocol):
    """Text to unit vectors. ``name`` identifies weights and precision: another name, another index."""

    @property
    def name(self) -> str:
        """Weights and precision, in words."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, 384], rows of length 1."""
        ...

    def count(self, text: str) -> int:
        """Tokens of ``text``, without truncation and without special tokens."""
        ...


class Reranker(Protocol):
    """Reads a question and a sentence together. ``name`` identifies its weights."""

    @property
    def name(self) -> str:
        """Weights and precision, in words."""
        ...

    def answers(self, question: str, sentences: Sequence[str]) -> NDArray[np.float64]:
        """float64 [n]: log-odds that each sentence answers the question by itself."""
        ...

    def danger(self, text: str) -> float:
        """Log-odds that a text tells of somebody who is in danger now."""
        ...


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages and their units with scores: BM25 sums and cosines, not comparable with each other.

    ``lexical`` and ``dense`` are float arrays [passages]; ``unit_lexical`` and ``unit_dense`` [units], where a unit's cosine is
    the best of itself and its clauses; ``owners`` [units] holds the position of each unit's passage, ascending.
    """

    passages: Sequence[Passage]
    units: Sequence[Unit]
    owners: NDArray[np.int64]
    lexical: NDArray[np.float64]
    dense: NDArray[np.float32]
    unit_lexical: NDArray[np.float64]
    unit_dense: NDArray[np.float32]


class Retriever(Protocol):
    """Anything that ranks passages: the local index, or an engine behind a network."""

    @property
    def documents(self) -> Mapping[str, Document]:
        """All documents by id."""
        ...

    @property
    def corpus_hash(self) -> str:
        """Hash of the corpus that is searched."""
        ...

    def scope(self, article: str | None) -> frozenset[str]:
        """Ids of the documents an article's reader is answered from: itself, its references and related works; None: all."""
        ...

    def rank(self, weights: Mapping[str, float], vector: Vector, article: str | None, k: int) -> Candidates:
        """The candidates for weighted stems and a query vector, in the scope of ``article``.

        In the scope of an article all its passages come, in stored order; site-wide the best ``k`` by words and the best
        ``k`` by meaning.
        """
        ...

    def passages(self, document: str) -> list[Passage]:
        """The passages of a document in order; none when it is not indexed."""
        ...

    def units(self, passage: str) -> tuple[Unit, ...]:
        """The citable units of the passage of this id."""
        ...

    def frequency(self, stem: str, article: str | None) -> int:
        """In how many passages of the scope the stem stands."""
        ...

    def vocabulary(self, article: str | None) -> Mapping[str, int]:
        """Surface words (lower case) of the scope with their counts, for spelling repair."""
        ...


SYNONYM_WEIGHT = 0.4
SITE_SYNONYM_WEIGHT = 0.2
INHERITED_WEIGHT = 0.2
CONTEXT_WEIGHT = 0.2
UNIT_SHARE = 0.4  # of a sentence's own fit beside that of its passage, inside one article
SITE_UNIT_SHARE = 0.1  # and over a whole site, where finding the right work comes first
LEXICAL_SHARE = 0.5  # of words against meaning, after min-max scaling, inside one article
SITE_LEXICAL_SHARE = 0.3  # and over a whole site: best of .3 to .5 on four public sets' tune halves
INTENT_BONUS = 0.12  # for a sentence of the kind that is asked for
ARTICLE_BONUS = 0.12  # the page the reader is on
OTHER_PEOPLE_PENALTY = 0.25  # a sentence on children, pregnancy ... when nobody asked about them
SAME_WORK_BONUS = 0.1  # a work quoted before, for a question that leans on the turn before
SAME_STUDY_BONUS = 0.25  # and the first one quoted, where the question is about a study ("how many in the placebo arm?")
NAMED_WORK_BONUS = 0.3  # a work whose author is named ("what did Younger find?")
FIGURE_BONUS = 0.15  # a sentence that holds the very figure of the question ("where is the 32% from?")
CANDIDATES = 20  # sentences looked at for concepts and intent, inside one article
SITE_CANDIDATES = 28  # and over a whole site, where they must come from ten works and more
SITE_PASSAGES = 40
# A second look: how many sentences, what the log-odds of the re-ranker add to a score, and beyond what they count no more.
LOOKED_AT, ANSWERS_SHARE, MOST_SURE = 5, 0.05, 4.0
# Concepts that stay decisive when they are told before the question: another medicine, and who the patient is.
DECISIVE = frozenset(
    ("drug", "children", "newborns", "pregnancy", "breast-feeding", "kidney disease", "liver disease", "allergy", "overdose")
)
IMPLIED = frozenset(("mechanism", "monitoring"))  # intents whose subject a passage must be about, named or not
DECIMALS = 6  # scores are rounded before sorting, so that ties break by id on every machine


# A word and its number without a dose unit: "eGFR of 40", "BMI 31".
_LABELLED = re.compile(
    r"\b([a-z]{2,20})\s+(?:of |is |was |at |= ?|around |about )?(\d{1,3}(?:\.\d+)?)(?![\d.]|\s*(?:mg|mcg|g\b|%|to|-))"
)
_INNER_STOP = re.compile(r"[.?!]\s+\S")
_ASKS = re.compile(
    r"(?:and |but |so )?(?:what|whats|how|when|where|which|who|why|can|could|should|is|are|does|do|did|will|would|may)\b",
    re.IGNORECASE,
)
# What is asked about a study itself.
_STUDY = re.compile(
    r"\b(?:trials?|rcts?|stud(?:y|ies)|cohorts?|pilots?|arms?|participants?|enrolled|included|inclusion|exclusion|authors?|they|"
    r"meta-analysis|p[- ]values?|confidence intervals?|drop-?outs?|dropped out|follow-up|randomi[sz]ed|outcomes?|controls?)\b"
)
_FIGURE = re.compile(r"\d{2,}(?:\.\d+)?%?|\d\.\d+%?|\d%")
# A trial's name: COLCOT, LoDoCo2.
TRIAL = re.compile(r"\b(?=[\w-]{0,20}[A-Z][\w-]{0,20}[A-Z])[A-Za-z][\w-]{3,20}\b")
_YEAR = re.compile(r"(?:19|20)\d\d")
_NO_DOSE = r"(?!\d|\.\d|\s*(?:mg|mcg|%|days?|weeks?|months?|years? ago))"
_RANGE = re.compile(rf"(?<![\d.])(\d{{1,3}}(?:\.\d+)?)\s*(?:to|-|and)\s*(\d{{1,3}}(?:\.\d+)?){_NO_DOSE}")
_BELOW = re.compile(rf"(?:below|under|less than|lower than|<)\s*(?:an? )?(?:egfr of |gfr of )?(\d{{1,3}}(?:\.\d+)?){_NO_DOSE}")
_ABOVE = re.compile(
    rf"(?:above|over|more than|at least|>)\s*(\d{{1,3}}(?:\.\d+)?){_NO_DOSE}|"
    r"(?<![\d.])(\d{1,3}) (?:years )?(?:or|and) (?:more|older|above|over)"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A query as ranking reads it: weighted stems, the text to embed, concepts that must be met and what is asked of them.

    ``topic`` holds the article's own names (lower case), which every sentence of it is about; ``around`` are concepts of an
    earlier question that this one leans on; ``numbers`` are those with a word for what they measure, ``figures`` the others;
    ``names`` are words that may be an author's or a trial's; ``works`` holds a bonus for each work that the question leans on.
    """

    query: Query
    wording: Wording
    topic: frozenset[str]
    weights: Mapping[str, float]
    dense: str
    concepts: tuple[Concept, ...]
    around: tuple[Concept, ...]
    intents: tuple[Intent, ...]
    synonyms: Mapping[Phrase, tuple[Phrase, ...]]
    numbers: tuple[tuple[frozenset[str], float], ...]
    figures: frozenset[str]
    names: frozenset[str]
    works: Mapping[str, float]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of its concepts: drug, condition, children, pregnancy ..."""
        return frozenset(concept.kind for concept in self.concepts)


def read(query: Query, documents: Mapping[str, Document]) -> Question:
    """Return what a query means for ranking inside its article."""
    article = documents.get(query.article or "")
    whole, query = query, _untitled(query, article)
    names = topic(article)
    soft = {term.text.lower() for term in query.inherited if term.why == "earlier question"}
    own = Wording.of(query.asked).reading if soft else None
    wording = Wording.of(query.text)
    stated = intents_of(wording)
    named = _required(query.text, concepts(wording, stated), stated)
    found = [c for c in named if c.text not in names]
    asked = tuple(c for c in found if not _is_subject(c, article))
    around = tuple(c for c in asked if own and c.kind not in DECISIVE and not c.met_by(own))
    asked = tuple(c for c in asked if c not in around)
    dropped = names | {word for c in found if _is_subject(c, article) for word in c.text.split()}
    same, kinds = expansions(wording.reading), _asked_for(stated, asked)
    asked += _implied(kinds, asked)
    weights, dense = _weights(query, wording, soft, same), _without(query.text, dropped)
    return Question(
        query=whole,
        wording=wording,
        topic=names,
        weights=weights,
        dense=dense,
        concepts=asked,
        around=around,
        intents=kinds,
        synonyms=same,
        numbers=_numbers(wording, same),
        figures=frozenset(w for w in wording.words if _FIGURE.fullmatch(w) and not _YEAR.fullmatch(w)),
        names=_author_names(query, wording),
        works=_leant_on(query, wording, documents),
    )


def _untitled(query: Query, article: Document | None) -> Query:
    """Return a query with "it" in place of the article's whole title, which tells no sentence of it from another."""
    found = _titled(article.title).search(query.text) if article is not None else None
    return replace(query, text=f"{query.text[: found.start()]}it{query.text[found.end() :]}") if found else query


@lru_cache(maxsize=1024)
def _titled(title: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(title)}(?!\w)" if title else r"(?!)", re.IGNORECASE)


def _required(text: str, found: Sequence[Concept], stated: Sequence[Intent]) -> list[Concept]:
    """Return the concepts that an answer must be about.

    What is told before the question is asked counts only where it decides on safety; a lone medicine with nothing asked of it
    ("ibuprofen for my back?") stands for its class, as company for the article's own.
    """
    sentences = [text[start:end] for start, end in split(text)] if _INNER_STOP.search(text) else [text]
    asking = " ".join(sentence for sentence in sentences if sentence.endswith("?") or _ASKS.match(sentence))
    if asking and len(sentences) > 1:
        told = Wording.of(asking).reading
        found = [c for c in found if c.kind in DECISIVE or any(told.holds(wanted) for wanted in c.covers)]
    if stated or len(found) != 1 or found[0].kind != "drug" or found[0].company or f"for {found[0].text}" in text.lower():
        return list(found)
    classes = tuple(phrase(name) for name in drug_classes().get(brands().get(found[0].text, found[0].text), ()))
    return [replace(found[0], covers=(*found[0].covers, *classes), company=True)]


def _author_names(query: Query, wording: Wording) -> frozenset[str]:
    """Return the words that may be an author's name: no English word, unless it is written like a name."""
    cited = " et al" in wording.low or any(_YEAR.fullmatch(word) for word in wording.words)
    capital = {word.strip("?!.,;:()'\"").removesuffix("'s").lower() for word in query.asked.split()[1:] if word[:1].isupper()}
    return frozenset(
        word.removesuffix("'s")
        for word in wording.words
        if len(word) > 2 and word[0].isalpha() and (cited or word in capital or stem(word) not in english())  # noqa: PLR2004
    )


def _leant_on(query: Query, wording: Wording, documents: Mapping[str, Document]) -> dict[str, float]:
    """Return the bonus of each work quoted in the turn before, where the question leans on it."""
    shown = dict.fromkeys(name.partition("#")[0] for name in query.shown) if query.leans else {}
    works = [name for name in shown if name in documents and documents[name].page is None]
    found = dict.fromkeys(works, SAME_WORK_BONUS)
    if works and _STUDY.search(wording.low):
        found[works[0]] = SAME_STUDY_BONUS
    return found


def _numbers(wording: Wording, synonyms: Mapping[Phrase, tuple[Phrase, ...]]) -> tuple[tuple[frozenset[str], float], ...]:
    """Return the numbers that stand beside a word ("eGFR of 40"), each with the stems that mean that word."""
    found = [(stem(label), float(n)) for label, n in _LABELLED.findall(wording.low)]
    return tuple((frozenset({s, *(p[0] for p in synonyms.get((s,), ()) if len(p) == 1)}), n) for s, n in found)


def _implied(kinds: Sequence[Intent], asked: Sequence[Concept]) -> tuple[Concept, ...]:
    """Return the subject that the main intent stands for, where no word named it ("how does it reduce ...": a mechanism)."""
    name = kinds[0].name if kinds and kinds[0].name in IMPLIED else ""
    named = {concept.kind for concept in asked}
    return tuple(Concept(g.name, g.name, g.asks + g.holds) for g in must_groups() if g.name == name and name not in named)


def _asked_for(found: tuple[Intent, ...], asked: Sequence[Concept]) -> tuple[Intent, ...]:
    """Return the intents: a first or highest dose is not just a dose, and a drug beside the article's asks for an interaction."""
    if {"start", "maximum", "titration"} & {intent.name for intent in found}:
        found = tuple(intent for intent in found if intent.name != "dose")
    beside = any(concept.kind == "drug" and concept.company for concept in asked)
    return (*(i for i in intents() if beside and i.name == "interaction" and i not in found), *found)


def _is_subject(concept: Concept, article: Document | None) -> bool:
    """Tell whether a condition is what the whole article is about, so that it tells no sentence from another."""
    return article is not None and article.page is not None and concept.text in subjects(article.title, article.page.question)


@lru_cache(maxsize=1024)
def subjects(title: str, question: str) -> frozenset[str]:
    """Return the names of the conditions in an article's title and question, each with those that mean the same."""
    found = [concept for concept in concepts(Wording.of(f"{title}. {question}")) if concept.kind != "drug"]
    named = {concept.text for concept in found}
    return frozenset(named | {" ".join(wanted) for concept in found for wanted in concept.covers if concept.kind == "condition"})


def topic(article: Document | None) -> frozenset[str]:
    """Return the drugs and short forms that an article is about, lower case: every sentence of it is about them."""
    if article is None or article.page is None:
        return frozenset()
    return _names((article.title, article.page.question, *article.page.topics), article.page.topics)


def drug_of(article: Document | None) -> str:
    """Return the first drug that the article's title or question names, lower case; empty where there is none."""
    text = f"{article.title} {article.page.question}" if article is not None and article.page is not None else ""
    found = next((word for word in words(text) if is_drug(word)), "")
    return re.sub(r"^vitamin(\w+)$", lambda name: f"vitamin {name[1].upper()}", found)


@lru_cache(maxsize=1024)
def _names(texts: tuple[str, ...], topics: tuple[str, ...]) -> frozenset[str]:
    drugs = {word for text in texts for word in words(text) if is_drug(word)}
    return frozenset(drugs | {text.lower() for text in topics if text.isupper()})


def _weights(query: Query, wording: Wording, soft: set[str], synonyms: Mapping[Phrase, tuple[Phrase, ...]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    inherited = {s for text in soft for s in terms(text)}
    for s in terms_of(wording.words):
        weights[s] = weights.get(s, 0.0) + (INHERITED_WEIGHT if s in inherited else 1.0)
    own = dict(weights)
    for others in synonyms.values():
        for s in {s for other in others for s in other} - own.keys():
            weights[s] = SYNONYM_WEIGHT if query.article else SITE_SYNONYM_WEIGHT
    for s in set(terms(query.context)) - weights.keys():
        weights[s] = CONTEXT_WEIGHT
    return weights


def _without(text: str, names: frozenset[str]) -> str:
    """Return ``text`` without the article's names, which pull all its sentences alike; as it is if nothing would be left."""
    kept = " ".join(w for w in text.split() if w.strip("?!.,;:()'\"").removesuffix("'s").lower() not in names)
    return kept if stems(kept) else text


def search(question: Question, retriever: Retriever, encoder: Encoder, vector: Vector | None = None) -> list[Hit]:
    """Return the sentences in scope that fit the question, best first; ties by passage id and position.

    ``vector`` is that of ``question.dense`` where the caller has it.
    """
    vector = encoder.encode([question.dense])[0] if vector is None else vector
    found = retriever.rank(question.weights, vector, question.query.article, SITE_PASSAGES)
    if not found.units:
        return []
    if question.weights:
        inside = question.query.article is not None
        lexical, share = (LEXICAL_SHARE, UNIT_SHARE) if inside else (SITE_LEXICAL_SHARE, SITE_UNIT_SHARE)
        of_units = _fused(found.unit_lexical, found.unit_dense, lexical)
        fused = (1 - share) * _of_passages(found, lexical)[found.owners] + share * of_units
    else:  # "what is it?" belongs to the opening: right .775 of the time on MedQuAD (n = 1,388)
        fused = np.linspace(1.0, 0.0, len(found.units))
    count = CANDIDATES if question.query.article else SITE_CANDIDATES
    best = np.argsort(-np.round(fused, DECIMALS), kind="stable")[:count]
    owners = found.owners[best].tolist()
    names = {found.passages[owner].document for owner in owners}
    usable = {name: (d, _of_document(question, d)) for name in names if (d := retriever.documents[name]).may_support}
    hits = []
    for at, owner, fit in zip(best.tolist(), owners, fused[best].tolist(), strict=True):
        passage, unit = found.passages[owner], found.units[at]
        document, bonus = usable.get(passage.document, (None, 0.0))
        if document is not None and document.text[unit.end - 1] != ":":  # the lead-in of a list says nothing alone
            why = (("words", float(found.unit_lexical[at])), ("meaning", float(found.unit_dense[at])))
            hits.append(Hit(passage, unit, round(fit + bonus + _bonus(question, view(document, unit)), DECIMALS), why))
    return sorted(hits, key=lambda hit: (-hit.score, hit.passage.id, hit.unit.start))


def look_again(question: Question, hits: Sequence[Hit], documents: Mapping[str, Document], reranker: Reranker) -> list[Hit]:
    """Return the hits in the order that a second look at the best of them gives, with how surely each of those ``answers``."""
    first = hits[:LOOKED_AT]
    sentences = [lead_and_text(documents[hit.passage.document], hit.unit) for hit in first]
    sure = [*reranker.answers(question.dense, sentences).tolist(), *[-MOST_SURE] * (len(hits) - len(first))]
    found = [
        replace(hit, score=round(hit.score + ANSWERS_SHARE * odds, DECIMALS), why=(*hit.why, ("answers", odds)))
        for hit, odds in zip(hits, (max(-MOST_SURE, min(MOST_SURE, odds)) for odds in sure), strict=True)
    ]
    return sorted(found, key=lambda hit: (-hit.score, hit.passage.id, hit.unit.start))


def _of_passages(found: Candidates, share: float) -> NDArray[np.float64]:
    """Return how well each passage fits: its keywords, and half its own meaning, half that of its best sentence."""
    dense = found.dense.astype(np.float64)
    best = dense.copy()
    np.maximum.at(best, found.owners, found.unit_dense)
    return _fused(found.lexical, (best + dense) / 2, share)


def _fused(lexical: NDArray[np.float64], dense: NDArray[np.float32] | NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Weighted sum of scores, each scaled to 0..1 within the query; ``share`` is that of the words."""
    return share * _scaled(lexical) + (1 - share) * _scaled(dense.astype(np.float64))


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Min-max to 0..1; all equal gives zeros."""
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def _of_document(question: Question, document: Document) -> float:
    """Return what a document's sentences gain for being the reader's page, quoted just before, or asked for by name."""
    own = ARTICLE_BONUS * (document.id == question.query.article)
    return own + question.works.get(document.id, 0.0) + NAMED_WORK_BONUS * is_named(question, document)


def _bonus(question: Question, seen: View) -> float:
    """Return what a sentence gains for the figures it holds and, inside an article, for the kind of answer it gives."""
    bonus = 0.0
    if question.figures:
        bonus += FIGURE_BONUS * len(question.figures & seen.reading.known) / len(question.figures)
    if question.query.article is None:  # on public sets the rest won nothing where the right work has to be found first
        return bonus
    asked = question.intents[:2]
    if asked:
        met = sum((intent.name in seen.kinds) + (intent.name in seen.own_kinds) for intent in asked)
        bonus += INTENT_BONUS * met / (2 * len(asked))
    return bonus - OTHER_PEOPLE_PENALTY * (not seen.people <= question.kinds)


def is_named(question: Question, document: Document) -> bool:
    """Tell whether the question names an author of a work, and no other year than the work's."""
    authors, year = _known_by(document) if question.names else (frozenset(), "")
    if question.names.isdisjoint(authors):
        return False
    years = [word for word in question.wording.words if _YEAR.fullmatch(word)]
    return not years or year in years


@lru_cache(maxsize=4096)
def _known_by(document: Document) -> tuple[frozenset[str], str]:
    """Return the surnames of a work's first authors and the trials in its title, each word in lower case, and its year."""
    year = document.source.year if document.source is not None else None
    named = [*surnames(document), *TRIAL.findall(document.title)]
    return frozenset(word for name in named for word in words(name)), str(year or "")


def in_range(question: Question, seen: View) -> int:
    """Return 1 when a range of the unit holds a number of the question, -1 when it has ranges and none does, else 0."""
    if not question.numbers or not seen.ranges:
        return 0
    wanted = [n for labels, n in question.numbers if not labels.isdisjoint(seen.reading.known)]
    if not wanted:
        return 0
    return 1 if any(low <= n <= high for n in wanted for low, high in seen.ranges) else -1


@lru_cache(maxsize=4096)
def asked_for_by(document: Document) -> frozenset[str]:
    """Return the stems by which readers ask for a work: its authors, journal, year and design."""
    return frozenset(stems(bibliography(document)))


@cache
def _people() -> tuple[Concept, ...]:
    return tuple(Concept(group.name, group.name, group.asks) for group in people())


def lead_and_text(document: Document, unit: Unit) -> str:
    """Return a unit as it can be read alone: the lead-in of its list, then the unit."""
    own = document.text[unit.start : unit.end]
    return f"{document.text[unit.lead[0] : unit.lead[1]]} {own}" if unit.lead else own


@dataclass(frozen=True, slots=True)
class View:
    """A unit as it is matched.

    Its stems with headings and title, its text in lower case, the intents it can answer (``own_kinds``: without the help of its
    list's lead-in), the populations it is about, the ranges of numbers it names ("30 to 44", "below 30"), and the drugs that
    are named in it or in the headings above it, in order.
    """

    reading: Reading
    low: str
    kinds: frozenset[str]
    own_kinds: frozenset[str]
    people: frozenset[str]
    ranges: tuple[tuple[float, float], ...]
    drugs: tuple[str, ...]


@lru_cache(maxsize=20_000)
def view(document: Document, unit: Unit) -> View:
    """Return a unit as it is matched; what was looked at of late is remembered."""
    own, text, above = document.text[unit.start : unit.end], lead_and_text(document, unit), " . ".join(unit.heading)
    reading, low, own_low = Reading.of(f"{document.title} . {above} . {text}"), normalise(text).lower(), normalise(own).lower()
    kinds = frozenset(intent.name for intent in intents() if intent.holds.search(low))
    own_kinds = frozenset(intent.name for intent in intents() if intent.holds.search(own_low))
    around = frozenset(concept.kind for concept in _people() if concept.met_by(reading))
    drugs = tuple(dict.fromkeys(word for word in words(f"{text} . {above}") if is_drug(word)))
    return View(reading, low, kinds, own_kinds, around, _ranges(low), drugs)


def _ranges(low: str) -> tuple[tuple[float, float], ...]:
    out = [(float(a), float(b)) for a, b in _RANGE.findall(low) if float(a) < float(b)]
    out += [(0.0, float(n)) for n in _BELOW.findall(low)]
    return (*out, *((float(n), math.inf) for a, b in _ABOVE.findall(low) for n in (a or b,)))
