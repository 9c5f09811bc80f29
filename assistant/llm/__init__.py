"""Question + list[Hit] -> Draft: a language model words what the sources say; each sentence is checked before it is shown.

The model gets the sentences that the extractive writer would quote, and may word them or leave some out; it adds none. The one
that answers best stays, and one of each document. What fails a check gives way to the sentence it cites. Whatever goes wrong
with the service, the quotes stand.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from assistant.answers import MAX_CLAIMS, ExtractiveWriter, Verdict
from assistant.citations import quote
from assistant.errors import LanguageModelError
from assistant.llm.endpoint import Breaker, Endpoint, Line
from assistant.llm.prompt import fitting, messages
from assistant.llm.reply import Reply, Sentence, read
from assistant.records import MODEL, QUOTE, Claim, Document, Draft, Passage, Query, Support, Unit, Writing
from assistant.search import Question

__all__ = ["Endpoint", "LanguageModel"]

MAX_SOURCES = 8
MAX_LENGTH = 1_000  # characters of a sentence; a longer one is not read
PLAIN = frozenset(string.ascii_letters + string.digits + " .,;:'\"()-%/")


class Checked(Protocol):
    """What a check found."""

    @property
    def accepted(self) -> bool:
        """Whether the passages say it."""
        ...


class Check(Protocol):
    """Tells whether passages say what a sentence claims."""

    def __call__(self, claim_text: str, passages: Sequence[str], /) -> Checked:
        """Check one sentence against the texts of the passages it cites."""
        ...


class LanguageModel:
    """A writer on an OpenAI-compatible service. Safe to call from several threads; keeps nothing of a question."""

    def __init__(self, endpoint: Endpoint, check: Check, breaker: Breaker | None = None) -> None:
        self.model, self._check, self._breaker = endpoint.model, check, breaker or Breaker()
        self._line, self._extractive = Line(endpoint), ExtractiveWriter(MAX_SOURCES)

    def write(self, question: Question, verdict: Verdict, documents: Mapping[str, Document]) -> Draft:
        """Return checked sentences of the model, or the quotes and why there is nothing else."""
        sources = [replace(claim, kind=QUOTE) for claim in self._extractive.write(question, verdict, documents).claims]
        quotes, sent = tuple(sources[:MAX_CLAIMS]), fitting(sources)
        try:
            reply = self._reply(question.query, sent, documents)
        except LanguageModelError as problem:
            return Draft(quotes, Writing(model=self.model, failure=str(problem)))
        if reply.not_covered:
            return Draft(quotes, Writing(model=self.model, removed=reply.size, not_covered=True))
        checked = self._checked(reply, sent, documents)
        shown = _balanced([claim for claim, _ in checked], quotes) if any(ok for _, ok in checked) else quotes
        written = len({claim.text for claim, ok in checked if ok and claim in shown})
        left_out = tuple(claim for claim in quotes if not _rests(claim, shown))
        return Draft(shown, Writing(model=self.model, written=written, removed=reply.size - written), left_out)

    def trial(self) -> tuple[int, int]:
        """Ask about an invented medicine; return how many sentences came back and how many of them passed.

        Raises:
            LanguageModelError: no usable reply came.
        """
        text = "Exampline is given at 20 mg once daily in the evening."
        unit = Unit(start=0, end=len(text))
        document = Document(id="trial", title="Exampline", text=text, units=(unit,))
        passage = Passage(id="trial#0", document="trial", heading=("Dose",), text=text, start=0, end=len(text))
        sources, documents = [Claim(text, (Support(passage, 0, len(text)),), QUOTE)], {"trial": document}
        question = "What is the dose of exampline?"
        reply = self._reply(Query(text=question, asked=question), sources, documents)
        return reply.size, sum(ok for _, ok in self._checked(reply, sources, documents))

    def close(self) -> None:
        """End the connection to the service."""
        self._line.close()

    def _reply(self, query: Query, sources: Sequence[Claim], documents: Mapping[str, Document]) -> Reply:
        if not sources:
            raise LanguageModelError("the sources are too long to send")
        if self._breaker.open:
            raise LanguageModelError(f"it failed {self._breaker.limit} times in a row and is left alone for a while")
        try:
            reply = read(self._line.ask(messages(query, sources, documents)))
        except LanguageModelError:
            self._breaker.failed()
            raise
        self._breaker.worked()
        return reply

    def _checked(self, reply: Reply, sources: Sequence[Claim], documents: Mapping[str, Document]) -> list[tuple[Claim, bool]]:
        """Return each sentence that passes, and the quote that stands in for one that fails; with it whether it passed."""
        worded = [(s, self._worded(s, sources, documents)) for s in reply.sentences[:MAX_CLAIMS]]
        passed = [claim for _, claim in worded if claim is not None]
        found = [(claim or _stand_in(sentence, sources, passed), claim is not None) for sentence, claim in worded]
        return [(claim, ok) for claim, ok in found if claim is not None]

    def _worded(self, sentence: Sentence, sources: Sequence[Claim], documents: Mapping[str, Document]) -> Claim | None:
        """Return a sentence as a claim on those cited sentences that say it, each for itself; None where none does."""
        if not sentence.citations or not all(0 < n <= len(sources) for n in sentence.citations):
            return None
        cited = [sources[n - 1] for n in sentence.citations]
        same = next((source for source in cited if source.text == sentence.text), None)
        if same is not None:
            return same
        held = [s for source in cited if _may_word(sentence, source) for s in source.support]
        support = tuple(s for s in held if self._says(s, sentence.text, documents))
        return Claim(sentence.text, support, MODEL) if support else None

    def _says(self, support: Support, text: str, documents: Mapping[str, Document]) -> bool:
        return self._check(text, [quote(documents[support.passage.document], support)]).accepted


def _may_word(sentence: Sentence, source: Claim) -> bool:
    """Tell whether a sentence is plain text without foreign characters and copies words of the source, as it must."""
    copied = bool(sentence.quote) and sentence.quote in " ".join(source.text.split())
    plain = sentence.text.isprintable() and set(sentence.text) <= PLAIN | set(source.text)
    return copied and plain and 0 < len(sentence.text) <= MAX_LENGTH


def _stand_in(sentence: Sentence, sources: Sequence[Claim], passed: Sequence[Claim]) -> Claim | None:
    """Return the first sentence that a failed one cites, unless a sentence that passed rests on it."""
    cited = [sources[n - 1] for n in sentence.citations if 0 < n <= len(sources)]
    return cited[0] if cited and not _rests(cited[0], passed) else None


def _rests(source: Claim, shown: Iterable[Claim]) -> bool:
    """Tell whether something shown rests on a source."""
    return any(source.support[0] in claim.support for claim in shown)


def _balanced(claims: Sequence[Claim], quotes: Sequence[Claim]) -> tuple[Claim, ...]:
    """Return as many of the claims as there is room for beside the quotes that a model must not leave out."""
    shown: dict[str, Claim] = {}
    for claim in claims:
        more = {**shown, claim.text: claim}
        if len(more) + len(_owed(quotes, more.values())) <= MAX_CLAIMS:
            shown = more
    owed = _owed(quotes, shown.values())
    first = owed[:1] if owed[:1] == list(quotes[:1]) else []
    return (*first, *shown.values(), *owed[len(first) :])


def _owed(quotes: Sequence[Claim], shown: Iterable[Claim]) -> list[Claim]:
    """Return the best quote and the best of each document, where nothing shown rests on it: works that differ all speak."""
    shown = list(shown)
    spoken = {support.passage.document for claim in shown for support in claim.support}
    owed = []
    for n, claim in enumerate(quotes):
        if claim.support[0].passage.document not in spoken or (n == 0 and not _rests(claim, shown)):
            owed.append(claim)
            spoken.add(claim.support[0].passage.document)
    return owed
