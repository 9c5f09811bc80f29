"""What can go wrong, as a tree; each message names the cause and the way out.

AssistantError
|-- BadInputError          the question, history or an argument cannot be used
|-- UnknownArticleError    no article has this id
|-- CorpusError            a file of the corpus cannot be used
|-- ImportFileError        a file handed to ``corpus add`` cannot be read
|-- IndexMissingError      there is nothing to search yet
|-- IndexDamagedError      the index is torn or foreign
|-- ModelMissingError      the encoder's weights are missing or not the expected ones
|-- MissingExtraError      an optional package is not installed
|-- NetworkError           an online source did not answer
|-- FeedbackError          feedback cannot be kept or read
|-- DefectError            the program broke; what was asked is not repeated
|-- LanguageModelError     a language model gave no usable reply
`-- UnsupportedClaimError  a claim is not where its citation says
"""

from __future__ import annotations


class AssistantError(Exception):
    """Something the user can mend; printed on one line by the command line."""


class BadInputError(AssistantError):
    """The question, history or an argument cannot be used."""


class UnknownArticleError(AssistantError):
    """No article has this id."""


class CorpusError(AssistantError):
    """A file of the corpus cannot be used; ``line`` counts from 1, 0 means the file as a whole."""

    def __init__(self, text: str, file: str = "", line: int = 0) -> None:
        where = f"{file}:{line}: " if line else f"{file}: " if file else ""
        super().__init__(where + text)
        self.text, self.file, self.line = text, file, line


class ImportFileError(AssistantError):
    """A file handed to ``corpus add`` cannot be read."""


class IndexMissingError(AssistantError):
    """There is nothing to search yet."""


class IndexDamagedError(AssistantError):
    """The index is torn or foreign."""


class ModelMissingError(AssistantError):
    """The encoder's weights are missing or not the expected ones."""


class MissingExtraError(AssistantError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"The package {package!r} is not installed. Run: pip install 'followup-assistant[{extra}]'")


class NetworkError(AssistantError):
    """An online source did not answer."""


class FeedbackError(AssistantError):
    """Feedback cannot be kept or read; no answer depends on it."""


class DefectError(AssistantError):
    """The program broke while it answered; the message says so and repeats nothing of the question."""


class LanguageModelError(AssistantError):
    """A language model gave no usable reply; readers get quotes instead."""


class UnsupportedClaimError(AssistantError):
    """A claim is not where its citation says: a defect of the program, never shown to a reader."""
