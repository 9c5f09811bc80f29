"""Question + list[Hit] -> Verdict -> list[Claim] -> Answer: what the sources say, the nearest they come, or why not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from assistant.citations import quote
from assistant.lexicon import GENERIC, english, is_drug, known_words, nouns
from assistant.lexicon.concepts import Concept, Reading
from assistant.questions import DISCOURSE, DOSE_INTENTS, Knowledge
from assistant.records import Answer, Citation, Claim, Document, Draft, Hit, Outcome, Reason, Support, Turn
from assistant.search import Question, Retriever, View, asked_for_by, drug_of, in_range, view
from assistant.text.words import STOP_WORDS, stem, stems, words

MAX_CLAIMS = 4
LONG_STEM = 6  # letters above which one slip still tells an English word from a name
MAX_NEAREST = 3
# Thresholds chosen on the maintainers' own questions: tuned figures.
SCORE_GAP = 0.2  # a further sentence is shown when its score is this near to the best
KIND_GAP = 0.15  # a sentence that states a first or highest dose goes before one that does not, at nearly the same score
CLEAR = 0.1  # by how much the best sentence must lead, or a second look is taken
SAME_WORDS = 0.75  # Jaccard index of stems above which two sentences say the same
# One of the best sentences must reach this evidence: the share of the question's words it meets (idf-weighted, 0 to 1) and its
# weighted cosine. Chosen on the tune half of eval/followups.jsonl (169 turns that reach this test: AUROC .91; .86 for the best
# sentence alone with weight 1) and on COVID-QA's questions of other articles (700, AUROC .98).
EVIDENCE_ENOUGH = 0.8
MEANING_SHARE = 1.5
WEIGHED = 8  # sentences of which one must reach it
# Or a second look must find one that answers, in log-odds: more where the sentence names the condition in words of its own.
# Chosen on practice questions that the re-ranker was not trained on and on the tune half (tuned).
SURELY, SURELY_NAMED = 0.5, 1.5
OPTIONAL = frozenset(("condition", "older adults"))  # what a sentence may leave out where several things are named
COSINE_NEAR = 0.2  # what is at least near, for a question about the subject
COSINE_UNRELATED = 0.4  # and for one that names nothing of it

# Stems by which two sentences of the same words say opposite things.
TURNING = frozenset(
    stem(w)
    for w in (
        "not no never without neither nor cannot increased decreased reduced raised lowered higher lower more less fewer "
        "better worse superior inferior before after start stop contraindicated may can might possible significant improved "
        "minimum maximum"
    ).split()
)
PREFIXES = ("neuro", "anti", "non", "hyper", "hypo", "auto", "immuno", "cardio", "osteo", "poly", "post", "pre", "re", "un")
_LIST_QUESTION = re.compile(
    r"^(?:which|what (?:are|other|kinds?|conditions|drugs)|list|name|any)\b|"
    r"side effects|interactions|contraindicat|conditions"
)
EVIDENCE = {
    "guideline": "Guideline",
    "house-overview": "Publisher's own overview",
    "meta-analysis": "Meta-analysis",
    "systematic-review": "Systematic review",
    "rct": "Randomised trial",
    "controlled-trial": "Controlled trial",
    "trial": "Trial",
    "observational": "Observational study",
    "review": "Narrative review",
    "case-report": "Case report",
    "label": "Product label",
    "monograph": "Monograph",
    "opinion": "Opinion",
    "other": "Other source",
    "article": "This site's article",
}
STATUS = {
    "submitted": "submitted, not yet reviewed",
    "under-review": "pending human review",
    "approved": "approved",
    "withdrawn": "withdrawn",
}


Seen = tuple[Hit, View]  # a hit and its sentence as it is matched


@dataclass(frozen=True, slots=True)
class Verdict:
    """What can be said: the outcome, and the hits it rests on. ``missing`` names what no passage covers."""

    outcome: Outcome
    hits: tuple[Hit, ...] = ()
    reason: Reason | None = None
    missing: tuple[str, ...] = ()


# -- judging ------------------------------------------------------------------------------------------------------------


def judge(question: Question, hits: Sequence[Hit], retriever: Retriever, knowledge: Knowledge) -> Verdict:
    """Decide by concepts, not by a cosine alone, whether the hits answer the question."""
    documents = retriever.documents
    seen = [(hit, view(documents[hit.passage.document], hit.unit)) for hit in hits]
    if refusal := _refused(question, seen, retriever, knowledge):
        return refusal
    covering = _covering(question, seen)
    if question.numbers:  # the band that holds the value, before what holds for everyone; never another band
        inside = [(h, v) for h, v in covering if in_range(question, v) > 0]
        covering = inside or [(h, v) for h, v in covering if in_range(question, v) == 0]
    covering, others = _with_a_dose(question, covering)
    if not covering and others:
        return Verdict(Outcome.DECLINED, tuple(hits[:MAX_NEAREST]), Reason.OTHER_DRUG, others)
    if not covering:  # each thing is known, no sentence is about all of them
        return Verdict(Outcome.CLOSEST, tuple(hits[:MAX_NEAREST]), missing=tuple(c.text for c in question.concepts))
    return _weigh(question, [hit for hit, _ in covering], retriever)


def _covering(question: Question, seen: Sequence[Seen]) -> list[Seen]:
    """Return the hits that are about all the concepts; if there is none, and no dose is asked, about all but some conditions."""
    if not question.concepts:
        return list(seen)
    met = [(h, v, [c for c in question.concepts if c.met_by(v.reading) or _paraphrased(question, c, h)]) for h, v in seen]
    whole = [(h, v) for h, v, found in met if len(found) == len(question.concepts)]
    if whole or DOSE_INTENTS & {intent.name for intent in question.intents}:
        return whole
    needed = [concept for concept in question.concepts if concept.kind not in OPTIONAL]
    return [(h, v) for h, v, found in met if found and all(concept in found for concept in needed)]


def _refused(question: Question, seen: Sequence[Seen], retriever: Retriever, knowledge: Knowledge) -> Verdict | None:
    """Return why the question cannot be answered whatever the sentences say, or None."""
    hits = [hit for hit, _ in seen]
    if not any(len(word) > 1 and word[0].isalpha() for word in question.wording.words):
        return Verdict(Outcome.DECLINED, reason=Reason.UNREADABLE)
    if not hits:
        return Verdict(Outcome.DECLINED, reason=Reason.OUT_OF_SCOPE)
    uncovered = [
        concept
        for concept in _to_be_known(question)
        if not any(_near(concept, h, v) or _paraphrased(question, concept, h) for h, v in seen)
    ]
    if any(concept.company and concept not in uncovered for concept in question.concepts):  # "ibuprofen for a headache"
        uncovered = [concept for concept in uncovered if concept.kind not in OPTIONAL]
    strangers = _strangers(question, retriever, knowledge)
    if uncovered or strangers:
        missing = tuple(dict.fromkeys([*(concept.text for concept in uncovered), *strangers]))
        reason = _reason(question, uncovered, strangers, hits[0], retriever)
        nearest = () if reason in (Reason.OUT_OF_SCOPE, Reason.UNREADABLE) else tuple(hits[:MAX_NEAREST])
        return Verdict(Outcome.DECLINED, nearest, reason, missing)
    if question.query.article is None and _which_drug(question):
        return Verdict(Outcome.CLOSEST, tuple(hits[:MAX_NEAREST]), missing=("the medicine that is meant",))
    return None


def _to_be_known(question: Question) -> tuple[Concept, ...]:
    """Return the concepts that the sources must know: of an earlier question only where nothing else is named ("which dose?")."""
    leans = question.intents and question.intents[0].name in (*DOSE_INTENTS, "efficacy", "onset", "duration")
    return question.around if leans and not question.concepts else question.concepts


def _reason(
    question: Question, uncovered: Sequence[Concept], strangers: Sequence[str], best: Hit, retriever: Retriever
) -> Reason:
    """Return why a question is declined that names what the sources do not treat."""
    low, asked = set(question.wording.words), set(words(question.query.asked))
    own = bool(question.topic & low) or bool({"it", "this", "its"} & low)
    sizes = DOSE_INTENTS & {intent.name for intent in question.intents}
    if any(concept.kind == "drug" and not (concept.company and own) for concept in uncovered) or (
        strangers and sizes and not own
    ):
        return Reason.OTHER_DRUG
    if not uncovered and all(word in strangers for word in asked if word.isalpha() and len(word) > 3):  # noqa: PLR2004 - short slips
        return Reason.UNREADABLE
    return Reason.NOT_COVERED if _meets_anything(question, best, retriever) else Reason.OUT_OF_SCOPE


def _of_another_drug(meant: frozenset[str], hit: Hit, seen: View) -> bool:
    """Tell whether a sentence is first about a drug that is not among those ``meant``.

    Where it names none itself, the drugs of its passage speak for it.
    """
    named = seen.drugs or _drugs(hit.passage.text)
    return (
        bool(named)
        and named[0] not in meant
        and not any(named[0].startswith(name) for name in meant if name.startswith("vitamin"))
    )


@lru_cache(maxsize=4096)
def _drugs(text: str) -> tuple[str, ...]:
    return tuple(word for word in words(text) if is_drug(word))


def _which_drug(question: Question) -> bool:
    """Tell whether a dose is asked over a whole site without naming a medicine."""
    asks_dose = bool(DOSE_INTENTS & {intent.name for intent in question.intents[:1]})
    return asks_dose and not any(concept.kind == "drug" for concept in question.concepts)


def _with_a_dose(question: Question, covering: list[Seen]) -> tuple[list[Seen], tuple[str, ...]]:
    """Return the hits that may answer a question for a dose, and the other drugs whose dose is asked."""
    if not question.intents or question.intents[0].name not in DOSE_INTENTS:
        return covering, ()
    others = tuple(c.text for c in question.concepts if c.kind == "drug" and not c.company)
    if question.concepts:
        covering = [(h, v) for h, v in covering if (DOSE_INTENTS | {"contraindication"}) & v.kinds]
    if question.topic:
        meant = question.topic | {word for concept in question.concepts for word in concept.text.split()}
        covering = [(h, v) for h, v in covering if not _of_another_drug(meant, h, v)]
    kind = question.intents[0].name
    if kind == "maximum" and not any(kind in v.kinds or in_range(question, v) for _, v in covering):
        return [], others
    return _stated_first(kind, covering), others


def _stated_first(kind: str, covering: list[Seen]) -> list[Seen]:
    """Put a sentence that states a first or highest dose before one that does not, at nearly the same score."""
    near = (n for n, (hit, v) in enumerate(covering) if kind in v.kinds and hit.score >= covering[0][0].score - KIND_GAP)
    n = next(near, 0) if kind != "dose" else 0
    return [*covering[n : n + 1], *covering[:n], *covering[n + 1 :]]


def _weigh(question: Question, covering: Sequence[Hit], retriever: Retriever) -> Verdict:
    """Answer, show the closest, or decline, by how much of the question one of the best sentences meets."""
    if any(_evidence(question, hit, retriever) >= EVIDENCE_ENOUGH or _answers(hit, SURELY) for hit in covering[:WEIGHED]):
        return Verdict(Outcome.ANSWERED, tuple(covering))
    best = covering[0]
    matched, unmet = _matched(question, best, retriever)
    about = matched or question.concepts or question.intents or question.topic & set(question.wording.words)
    if dict(best.why)["meaning"] >= (COSINE_NEAR if about else COSINE_UNRELATED):
        return Verdict(Outcome.CLOSEST, tuple(covering[:MAX_NEAREST]), missing=tuple(unmet))
    return Verdict(Outcome.DECLINED, reason=Reason.OUT_OF_SCOPE, missing=tuple(unmet))


def _evidence(question: Question, hit: Hit, retriever: Retriever) -> float:
    return _matched(question, hit, retriever)[0] + MEANING_SHARE * dict(hit.why)["meaning"]


def _answers(hit: Hit, surely: float) -> bool:
    """Tell whether a second look is so sure of a sentence, in log-odds, that is near the question in meaning too."""
    why = dict(hit.why)
    return why.get("answers", -math.inf) >= surely and why["meaning"] >= COSINE_NEAR


def _paraphrased(question: Question, concept: Concept, hit: Hit) -> bool:
    """Tell whether a sentence surely answers that names a condition in words of its own; never for a dose."""
    dosed = DOSE_INTENTS & {intent.name for intent in question.intents}
    return concept.kind == "condition" and not dosed and _answers(hit, SURELY_NAMED)


def unsure(question: Question, verdict: Verdict, documents: Mapping[str, Document]) -> bool:
    """Tell whether a second look may say more.

    It may where the first one found no answer, and where two sentences fit nearly alike and the best is of another kind.
    """
    if verdict.outcome is not Outcome.ANSWERED:
        return verdict.reason is not Reason.UNREADABLE
    best, *others = verdict.hits
    asked = question.intents[0].name if question.intents else ""
    if asked in view(documents[best.passage.document], best.unit).own_kinds:
        return False  # a plain question, which stays as fast as one encoding and a half
    return bool(others) and best.score - others[0].score < CLEAR


def _near(concept: Concept, hit: Hit, seen: View) -> bool:
    return concept.met_by(seen.reading) or concept.met_by(_reading(hit.passage.text))


@lru_cache(maxsize=4096)
def _reading(text: str) -> Reading:
    return Reading.of(text)


def _strangers(question: Question, retriever: Retriever, knowledge: Knowledge) -> list[str]:
    """Return words that are neither English nor in the sources: most likely names of things the sources do not treat."""
    return [
        word
        for word in dict.fromkeys(question.wording.words)
        if word.isalpha()
        and len(word) > 4  # noqa: PLR2004 - shorter ones are abbreviations or slips
        and word not in STOP_WORDS
        and word not in known_words()
        and word not in nouns()
        and stem(word) not in english()
        and not any(word.startswith(p) and retriever.frequency(stem(word[len(p) :]), question.query.article) for p in PREFIXES)
        and not is_drug(word)
        and not retriever.frequency(stem(word), question.query.article)
        and not knowledge.common(word)
        and not _misspelt(word)
    ]


def _misspelt(word: str) -> bool:
    """Tell whether a long word is one letter away from an English one."""
    root = stem(word)
    near = process.extractOne(root, english(), scorer=OSA.distance, score_cutoff=1) if len(root) > LONG_STEM else None
    return near is not None


def _content(question: Question) -> dict[str, str]:
    """Return stem -> word of the question's own words that carry a topic: not the article's names, not what was inherited."""
    inherited = {s for term in question.query.inherited if term.why == "earlier question" for s in stems(term.text)}
    found = {
        stem(part): part
        for word in question.wording.words
        for part in word.split("-")
        if part and part not in STOP_WORDS and part not in GENERIC and part not in question.topic
    }
    own = {
        s: part
        for s, part in found.items()
        if s not in DISCOURSE and not part[0].isdigit() and len(part) > 1 and not part.endswith("n't")
    }
    return {s: part for s, part in own.items() if s not in inherited} or own


def _matched(question: Question, hit: Hit, retriever: Retriever) -> tuple[float, list[str]]:
    """Return the idf-weighted share of the question's words that the hit meets, and the words it does not."""
    document = retriever.documents[hit.passage.document]
    seen = view(document, hit.unit)
    texts, known = (seen.reading, _reading(hit.passage.text)), asked_for_by(document)
    asked = _content(question)
    met = {s for s in asked if s in known or any(s in text.known for text in texts)}
    for wanted, others in question.synonyms.items():
        if any(text.holds(other) for other in others for text in texts):
            met.update(wanted)
    met.update(s for c in question.concepts if any(map(c.met_by, texts)) for s in stems(c.text))
    met.update(_met_by_kind(question, seen))
    total = len(retriever.scope(question.query.article)) + 1
    weight = {s: math.log(1 + total / (1 + retriever.frequency(s, question.query.article))) for s in asked}
    unmet = [asked[s] for s in asked if s not in met]
    if not asked:
        return 1.0, unmet
    return sum(weight[s] for s in asked if s in met) / sum(weight.values()), unmet


def _met_by_kind(question: Question, seen: View) -> set[str]:
    """Return the stems by which the question asks for a kind of answer that the unit gives ("how fast ... increase")."""
    found = [intent.asks.search(question.wording.low) for intent in question.intents if intent.name in seen.kinds]
    return {s for match in found if match for s in stems(match[0])}


def _meets_anything(question: Question, hit: Hit, retriever: Retriever) -> bool:
    """Tell whether a question the sources do not cover is at least about their subject."""
    low = set(question.wording.words)
    named = {name for name in question.topic if name in low}
    medical = bool(question.concepts) or bool(question.intents)
    return bool(named) or medical or _matched(question, hit, retriever)[0] > 0


# -- writing ------------------------------------------------------------------------------------------------------------


class ExtractiveWriter:
    """Quotes whole sentences and list items, best first; never composes."""

    model = None

    def __init__(self, limit: int = MAX_CLAIMS) -> None:
        self.limit = limit

    def write(self, question: Question, verdict: Verdict, documents: Mapping[str, Document]) -> Draft:
        """Return one to ``limit`` claims; sentences that say the same become one claim with several supports."""
        best = verdict.hits[0]
        chosen: list[list[Hit]] = []
        siblings = _siblings(question, verdict, documents)
        near = [hit for hit in verdict.hits if hit.score >= best.score - SCORE_GAP and hit not in siblings]
        for hit in [*siblings, *(hit for hit in near if _adds(question, hit, best, documents))]:
            twin = next((group for group in chosen if _same(group[0], hit, documents)), None)
            if twin is None and len(chosen) < self.limit:
                chosen.append([hit])
            elif twin is not None and all(h.passage.id != hit.passage.id for h in twin):
                twin.append(hit)
        return Draft(tuple(_claim(group, documents) for group in chosen))


def _siblings(question: Question, verdict: Verdict, documents: Mapping[str, Document]) -> list[Hit]:
    """Return the best hit and, for a question that asks for a list, its neighbours in the list that answer it too."""
    best = verdict.hits[0]
    if not best.unit.lead or not question.intents or not _LIST_QUESTION.search(question.wording.low):
        return [best]
    text, kind = documents[best.passage.document].text, question.intents[0].holds
    whole = bool(kind.search(text[best.unit.lead[0] : best.unit.lead[1]].lower()))
    others = [hit for hit in verdict.hits[1:] if _same_list(hit, best)]
    return [best, *(hit for hit in others if whole or kind.search(text[hit.unit.start : hit.unit.end].lower()))]


def _adds(question: Question, hit: Hit, best: Hit, documents: Mapping[str, Document]) -> bool:
    """Tell whether a further sentence answers too: of the best one's kind, on the people asked about, by words of its own."""
    seen, first = (view(documents[h.passage.document], h.unit) for h in (hit, best))
    if not seen.people <= question.kinds or any(intent.name in first.kinds - seen.kinds for intent in question.intents[:2]):
        return False
    if not _same_list(hit, best):
        return True
    asked = _content(question).keys()
    met, met_by_best = (
        asked & _reading(documents[h.passage.document].text[h.unit.start : h.unit.end]).known for h in (hit, best)
    )
    return len(met) >= len(met_by_best)


def _same_list(one: Hit, other: Hit) -> bool:
    return one.passage.document == other.passage.document and one.unit.lead is not None and one.unit.lead == other.unit.lead


def _same(one: Hit, other: Hit, documents: Mapping[str, Document]) -> bool:
    """Tell whether two hits say the same: nearly the same words, none of those apart a number, a drug or a turn of sense."""
    a, b = (_reading(documents[h.passage.document].text[h.unit.start : h.unit.end]).known for h in (one, other))
    apart = a ^ b
    turned = any(s[:1].isdigit() or s in TURNING or is_drug(s) for s in apart)
    return not turned and len(a & b) >= SAME_WORDS * len(a | b)


def support_of(hit: Hit) -> Support:
    """Return where a hit stands."""
    return Support(hit.passage, hit.unit.start, hit.unit.end, hit.unit.lead)


def _claim(group: Sequence[Hit], documents: Mapping[str, Document]) -> Claim:
    support = tuple(support_of(hit) for hit in group)
    return Claim(quote(documents[group[0].passage.document], support[0]), support)


# -- completing ---------------------------------------------------------------------------------------------------------


def citations_of(supports: Sequence[Support], documents: Mapping[str, Document], article: str | None) -> tuple[Citation, ...]:
    """Return the numbered sources of an answer in order of appearance, one for each span."""
    unique = dict.fromkeys(supports)
    return tuple(_citation(n, support, documents, article) for n, support in enumerate(unique, start=1))


def _citation(n: int, support: Support, documents: Mapping[str, Document], article: str | None) -> Citation:
    document = documents[support.passage.document]
    source = document.source
    evidence = source.evidence_level if source is not None else "article"
    page = documents[article].page if article and article in documents else None
    number = next((work.n for work in page.references if work.ref == document.id), None) if page is not None else None
    lead = document.text[support.lead[0] : support.lead[1]] if support.lead else None
    return Citation(
        n=n,
        document=document.id,
        kind=document.kind,
        title=document.title,
        section=" > ".join(support.passage.heading),
        quote=document.text[support.start : support.end],
        lead=lead,
        start=support.start,
        end=support.end,
        evidence=evidence,
        badge=EVIDENCE[evidence],
        year=source.year if source is not None else _year(document),
        url=_address(document),
        review=STATUS[document.page.status] if document.page is not None else None,
        own_publisher=evidence in ("house-overview", "article"),
        summary=source is not None and source.abstract_kind == "summary",
        number=number,
    )


def _year(document: Document) -> int | None:
    updated = document.page.last_updated if document.page is not None else None
    return int(updated[:4]) if updated else None


def _address(document: Document) -> str | None:
    source = document.source
    if source is None:
        return None
    if source.doi:
        return f"https://doi.org/{source.doi}"
    if source.pmid:
        return f"https://pubmed.ncbi.nlm.nih.gov/{source.pmid}/"
    return source.url if source.url and source.url.startswith("https://") else None


def message_for(verdict: Verdict, question: Question, documents: Mapping[str, Document], searched: int) -> str:
    """Return the plain sentence that says why there is no claim, what was searched and what is missing."""
    missing = ", ".join(verdict.missing)
    article = documents.get(question.query.article or "")
    where = (
        f'the article "{article.title}" and its references ({searched} documents)'
        if article
        else f"the {searched} documents of this site"
    )
    if verdict.outcome is Outcome.CLOSEST:
        about = f" on {missing}" if missing else ""
        return f"The sources do not state this{about}. Searched: {where}. The nearest passages follow; none of them is an answer."
    if verdict.reason is Reason.OTHER_DRUG:
        about = f"; the article is about {drug_of(article)}" if drug_of(article) else ""
        return f"The sources do not say this of {missing}{about}. Searched: {where}."
    if verdict.reason is Reason.NOT_COVERED:
        return f"The sources do not say: nothing in them is about {missing}. Searched: {where}."
    if verdict.reason is Reason.UNREADABLE:
        return "There is no readable question here. Ask in a few words, for example about dose, safety or evidence."
    return f"This is outside what the sources are about. Searched: {where}. Ask about the article's subject."


def numbers(answer: Answer, support: Sequence[Support]) -> tuple[int, ...]:
    """Return the citation numbers of a claim's or notice's supports."""
    at = {(c.document, c.start, c.end): c.n for c in answer.citations}
    return tuple(dict.fromkeys(at[(s.passage.document, s.start, s.end)] for s in support))


def as_dict(answer: Answer) -> dict[str, object]:
    """Return the public JSON object of an answer: what ``followup ask --json`` prints and the API returns."""
    return {
        "outcome": str(answer.outcome),
        "asked": answer.query.asked,
        "interpreted": answer.query.text,
        "inherited": [{"text": term.text, "why": term.why} for term in answer.query.inherited],
        "claims": [{"text": c.text, "kind": c.kind, "citations": list(numbers(answer, c.support))} for c in answer.claims],
        "nearest": [{"text": answer.citations[n - 1].quote, "citations": [n]} for n in numbers(answer, answer.nearest)],
        "citations": [
            {
                "n": c.n,
                "document": c.document,
                "kind": c.kind,
                "title": c.title,
                "section": c.section,
                "quote": c.quote,
                "lead": c.lead,
                "start": c.start,
                "end": c.end,
                "evidence": c.evidence,
                "badge": c.badge,
                "year": c.year,
                "url": c.url,
                "review": c.review,
                "own_publisher": c.own_publisher,
                "summary": c.summary,
                "number": c.number,
            }
            for c in answer.citations
        ],
        "notices": [{"kind": n.kind, "text": n.text, "citations": list(numbers(answer, n.support))} for n in answer.notices],
        "suggestions": list(answer.suggestions),
        "reason": str(answer.reason) if answer.reason else None,
        "missing": list(answer.missing),
        "message": answer.message,
        "writer": asdict(answer.writing) if answer.writing else None,
        "passages": list(dict.fromkeys(support.passage.id for support in shown(answer))),
        "disclaimer": answer.disclaimer,
        "receipt": dict(answer.receipt),
    }


def shown(answer: Answer) -> tuple[Support, ...]:
    """Return where the claims stand, in order, or the nearest passages."""
    return (*(support for claim in answer.claims for support in claim.support), *answer.nearest)


def turn_of(answer: Answer) -> Turn:
    """Return an answer as the history of the next question."""
    passages = tuple(dict.fromkeys(support.passage.id for support in shown(answer)))
    return Turn(answer.query.asked, answer.query.text, passages, answer.suggestions)
