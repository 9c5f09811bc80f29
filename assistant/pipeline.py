"""The way of a question, from the reader's words to a cited answer; and the only place where the parts are wired together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import orjson

from assistant import __version__, corpus, encoder, questions, safety, search
from assistant.answers import ExtractiveWriter, Verdict, as_dict, citations_of, judge, message_for, support_of, unsure
from assistant.citations import check, verify
from assistant.companions import Companions, Shown, Warned, notices, suggest, tables
from assistant.errors import BadInputError, IndexDamagedError, IndexMissingError
from assistant.index import Index, build, folder_for
from assistant.index import open as open_index
from assistant.lexicon import fingerprint, intents
from assistant.questions import Knowledge
from assistant.records import Answer, Document, Draft, Hit, Notice, Outcome, Query, Reader, Reason, Turn
from assistant.reranker import Reranker as TrainedReranker
from assistant.safety import Examples
from assistant.search import Encoder, Question, Reranker, Retriever, Vector
from assistant.settings import Settings

if TYPE_CHECKING:
    from assistant.llm import LanguageModel

ENGINE = f"followup-assistant {__version__}+{fingerprint()[:12]}"  # the version and its word lists
_DEFINED = re.compile(r"\(([A-Z][A-Za-z]{1,6}s?)\)")


class Writer(Protocol):
    """Hits to claims: the extractive writer, or a language model whose sentences pass the same checks."""

    @property
    def model(self) -> str | None:
        """Name of the language model that words the claims; None where they are quoted."""
        ...

    def write(self, question: Question, verdict: Verdict, documents: Mapping[str, Document]) -> Draft:
        """Claims for an ``answered`` verdict."""
        ...


class Assistant:
    """Answers questions from one corpus. Keeps nothing of a reader: the client sends its history with every question."""

    def __init__(
        self,
        retriever: Retriever,
        encoder: Encoder,
        writer: Writer,
        companions: Companions,
        locale: str = "",
        examples: Examples | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self.retriever, self.encoder, self.writer, self.companions, self.locale = retriever, encoder, writer, companions, locale
        self.examples = examples  # what people write in a crisis; None: its patterns alone
        self.reranker = reranker  # for a second look; None: the first one stands
        self._knowledge = lru_cache(64)(self._know)
        self._warnings = lru_cache(64)(self._warn)

    def ask(
        self,
        asked: str,
        history: Sequence[Turn] = (),
        article: str | None = None,
        reader: Reader = Reader.CLINICIAN,
        without: Sequence[str] = (),
    ) -> Answer:
        """Return the cited answer to a question, the nearest passages, or the reason why there is neither.

        ``without`` names inherited terms that the reader took away.

        Raises:
            BadInputError: the question is too long.
            UnknownArticleError: no article has this id.
        """
        self.retriever.scope(article)
        knowledge = self._knowledge(article)
        history = questions.clipped(history)
        query = questions.resolve(asked, history, knowledge, article=article, reader=reader, without=without)
        if alarm := safety.screen(query.asked, self.locale) or _still(history, self.locale):
            return self._signed(self._alarm(query, alarm), history, without)
        question = search.read(query, self.retriever.documents)
        vector = self.encoder.encode([question.dense])[0]
        alarm, sure = self._sensed(query.asked, vector, history)
        if alarm and sure:
            return self._signed(self._alarm(query, alarm), history, without)
        hits, verdict = self.look(question, knowledge, vector)
        draft = self._write(question, verdict)
        answer = self._complete(question, verdict, draft, hits, history, [alarm] if alarm else [])
        return self._signed(answer, history, without)

    @property
    def second_look(self) -> str:
        """The name of the re-ranker, or ``none``."""
        return self.reranker.name if self.reranker is not None else "none"

    def suggest(self, article: str | None) -> list[str]:
        """Return opening questions that the article is known to answer."""
        return [text for text, _ in self.companions.suggestions.get(article or "", ())][:4]

    @property
    def articles(self) -> list[Document]:
        """The articles in order of their ids."""
        documents = (self.retriever.documents[name] for name in sorted(self.retriever.documents))
        return [document for document in documents if document.page is not None]

    def look(self, question: Question, knowledge: Knowledge, vector: Vector | None = None) -> tuple[list[Hit], Verdict]:
        """Return what is found for a question, best first, and what can be said; with a second look where the first is unsure.

        ``vector`` is that of ``question.dense`` where the caller has it.
        """
        hits = search.search(question, self.retriever, self.encoder, vector) if question.query.text else []
        verdict = judge(question, hits, self.retriever, knowledge)
        if self.reranker is not None and hits and unsure(question, verdict, self.retriever.documents):
            hits = search.look_again(question, hits, self.retriever.documents, self.reranker)
            verdict = judge(question, hits, self.retriever, knowledge)
        return hits, verdict

    def _write(self, question: Question, verdict: Verdict) -> Draft:
        if verdict.outcome is not Outcome.ANSWERED:
            return Draft(())
        draft = self.writer.write(question, verdict, self.retriever.documents)
        return replace(draft, claims=tuple(verify(draft.claims, self.retriever.documents)))

    def _complete(
        self,
        question: Question,
        verdict: Verdict,
        draft: Draft,
        hits: Sequence[Hit],
        history: Sequence[Turn],
        first: Sequence[Notice],
    ) -> Answer:
        documents, query, claims = self.retriever.documents, question.query, draft.claims
        nearest = tuple(support_of(hit) for hit in verdict.hits) if not claims else ()
        beside = [*first, *self._notices(Shown(question, claims, nearest, hits, draft.left_out))]
        beside += [draft.writing.notice] if draft.writing else []
        supports = [s for claim in claims for s in claim.support] + list(nearest) + [s for n in beside for s in n.support]
        searched = len(self.retriever.scope(query.article))
        return Answer(
            query=query,
            outcome=verdict.outcome,
            claims=claims,
            nearest=nearest,
            notices=tuple(beside),
            citations=citations_of(supports, documents, query.article),
            suggestions=suggest(question, self.companions, [turn.interpreted or turn.asked for turn in history]),
            reason=verdict.reason,
            missing=verdict.missing,
            message="" if claims else message_for(verdict, question, documents, searched),
            writing=draft.writing,
        )

    def _notices(self, shown: Shown) -> list[Notice]:
        query = shown.question.query
        said = [notice for notice in [safety.personal(query.asked)] if notice]
        cited = () if query.article else tuple(sorted({support.passage.document for support in shown.supports}))
        return [*said, *notices(shown, self.companions, self._warnings(query.article, cited), self.retriever)]

    def _warn(self, article: str | None, documents: tuple[str, ...]) -> tuple[Warned, ...]:
        names = sorted(self.retriever.scope(article)) if article else list(documents)
        return tuple(self.companions.warnings(self.retriever, names))

    def _sensed(self, asked: str, vector: Vector, history: Sequence[Turn]) -> tuple[Notice | None, bool]:
        """Return the alarm in the meaning of a question, or of the turn before where it showed no passage; and if it is sure."""
        if self.examples is None:
            return None, False
        alarm, sure = safety.sense(asked, vector, self.examples, self.locale, self.reranker)
        if sure or not history or history[-1].passages:
            return alarm, sure
        before = history[-1].asked
        earlier, still = safety.sense(before, self.encoder.encode([before])[0], self.examples, self.locale, self.reranker)
        return (earlier, still) if still else (alarm, sure)

    def _alarm(self, query: Query, alarm: Notice) -> Answer:
        return Answer(query=query, outcome=Outcome.DECLINED, reason=Reason.EMERGENCY, notices=(alarm,), message=alarm.text)

    def _signed(self, answer: Answer, history: Sequence[Turn], without: Sequence[str]) -> Answer:
        """Return the answer with its receipt: all that made it, so that it can be made again, and the hash of what it says."""
        query = answer.query
        receipt = {
            "engine": ENGINE,
            "encoder": self.encoder.name,
            "reranker": self.second_look,
            "writer": self.writer.model or "extractive",
            "corpus": self.retriever.corpus_hash,
            "question": query.asked,
            "interpreted": query.text,
            "article": query.article,
            "reader": str(query.reader),
            "without": list(without),
            "history": [_row(turn, last=turn is history[-1]) for turn in history],
            "locale": self.locale,
            "spans": [
                {"document": c.document, "start": c.start, "end": c.end, "sha256": sha256(c.quote)} for c in answer.citations
            ],
            "answer_sha256": answer_hash(as_dict(answer)),
        }
        return replace(answer, receipt=tuple(receipt.items()))

    def _know(self, article: str | None) -> Knowledge:
        documents = self.retriever.documents
        defined: dict[str, str] = {}
        for name in sorted(self.retriever.scope(article)) if article else ():
            defined.update(short_forms(documents[name]))
        page = documents.get(article or "")
        own = names = search.topic(page)
        if page is not None and page.page is not None:
            own |= search.subjects(page.title, page.page.question)
        return Knowledge(self.retriever.vocabulary(article), self._is_common, defined, own, search.drug_of(page), names)

    def _is_common(self, word: str) -> bool:
        """Tell whether a word is one piece of the encoder's vocabulary, which everyday English words are."""
        return self.encoder.count(word) == 1


def _still(history: Sequence[Turn], locale: str) -> Notice | None:
    """Return the alarm of the last two turns: "it is nothing, just tell me the dose" does not end an emergency."""
    alarms = (safety.screen(turn.asked[: questions.MAX_CHARACTERS], locale) for turn in reversed(history[-2:]))
    return next((alarm for alarm in alarms if alarm), None)


def _row(turn: Turn, *, last: bool) -> dict[str, object]:
    """Return what the receipt keeps of a turn: passages and suggestions count only where they were the last ones shown."""
    row: dict[str, object] = {"asked": turn.asked, "interpreted": turn.interpreted}
    return {**row, "passages": list(turn.passages), "suggestions": list(turn.suggestions)} if last else row


def sha256(text: str) -> str:
    """Return the hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def answer_hash(printed: Mapping[str, object]) -> str:
    """Return the hash of an answer as it is printed, whatever the order of its keys; its receipt does not count."""
    return hashlib.sha256(orjson.dumps({**printed, "receipt": {}}, option=orjson.OPT_SORT_KEYS)).hexdigest()


def short_forms(document: Document) -> dict[str, str]:
    """Return the short forms a document defines itself: upper-case short form -> long form, whose words its letters begin.

    After Schwartz & Hearst, Pacific Symposium on Biocomputing 2003, with first letters only.

    >>> from assistant.records import Document
    >>> short_forms(Document(id="a", title="", text="We gave low-dose naltrexone (LDN) at night.", units=()))
    {'LDN': 'low-dose naltrexone'}
    """
    found = {}
    for match in _DEFINED.finditer(document.text):
        short = match[1].removesuffix("s")
        before = document.text[max(0, match.start() - 40 * len(short)) : match.start()]
        words_before = list(re.finditer(r"[A-Za-z][\w']*", before))[-len(short) :]
        if "".join(word[0][0] for word in words_before).lower() == short.lower():
            found[short.upper()] = before[words_before[0].start() :].strip()
    return found


def prepare(index: Index, encoder: Encoder) -> dict[str, object]:
    """Return what is stored with an index.

    The tables of the companions, the questions each article is known to answer, the vectors of what people write in a crisis.
    """
    rows = tables(index)
    probe = Assistant(index, encoder, ExtractiveWriter(), Companions(rows["cautions"], {}))
    suggestions = {article.id: _answerable(probe, article) for article in probe.articles}
    return {"companions": {**rows, "suggestions": suggestions}, "crises": safety.embedded(encoder)}


def _answerable(probe: Assistant, article: Document) -> list[tuple[str, str]]:
    """Return the lexicon's questions that an article answers with a sentence of the kind that is asked for, and their intents."""
    out, quoted = [], set()
    for intent in intents():
        answer = probe.ask(intent.suggest, article=article.id) if intent.suggest else None
        if answer is None or answer.outcome is not Outcome.ANSWERED or answer.claims[0].text in quoted:
            continue
        own = answer.claims[0].support[0].passage.document == article.id
        if own and intent.holds.search(answer.claims[0].text.lower()):
            quoted.add(answer.claims[0].text)
            out.append((intent.suggest, intent.name))
    return out


def open_assistant(
    settings: Settings,
    *,
    rebuild: bool = False,
    progress: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Assistant:
    """Return an assistant on a corpus, building its index where it is missing, stale or damaged; ``say`` hears which.

    Raises:
        CorpusError: the corpus has no usable article.
        ModelMissingError: the encoder's weights are missing.
        BadInputError: no writer has this name, or its settings cannot be used.
        MissingExtraError: the writer needs a package that is not installed.
    """
    writer = _writer(settings.writer)
    texts = corpus.load(settings.corpus)
    for finding in texts.findings:
        if finding.grade in ("error", "quarantined"):
            say(f"{finding.file}:{finding.line}: {finding.text} It is left out or incomplete; see `followup corpus check`.")
    model = encoder.load(settings.encoder, settings.cache)
    folder = folder_for(settings.cache, settings.corpus, model.name)
    index = None if rebuild else _opened(folder, texts.hash, model.name, say)
    if index is None:
        index = build(texts, model, folder, progress, extras=lambda fresh: prepare(fresh, model))
    stored = index.extras
    companions, examples = Companions(**stored["companions"]), Examples.stored(stored["crises"])
    return Assistant(index, model, writer, companions, settings.locale, examples, TrainedReranker())


def _writer(name: str) -> Writer:
    if name == "llm":
        return language_model()
    if name != "extractive":
        raise BadInputError(f"{name!r} is not a writer; choose extractive or llm.")
    return ExtractiveWriter()


def language_model() -> LanguageModel:
    """Return the language model that the ``FOLLOWUP_LLM_...`` variables describe, with the check its sentences must pass.

    Raises:
        BadInputError: the variables are missing or cannot be used.
        MissingExtraError: its package is not installed.
    """
    from assistant import llm  # noqa: PLC0415 - needs an optional package

    return llm.LanguageModel(llm.Endpoint.from_environment(), check)


def _opened(folder: Path, corpus_hash: str, encoder_name: str, say: Callable[[str], None]) -> Index | None:
    try:
        return open_index(folder, corpus_hash, encoder_name)
    except (IndexMissingError, IndexDamagedError) as problem:
        say(f"{str(problem).rstrip('.')}. Building it now.")
        return None
