"""Feedback <-> one SQLite file: what a reader chose to send, kept until the site deletes it; no answer depends on it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from pathlib import Path

from assistant.errors import FeedbackError
from assistant.records import Outcome

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the start of a formula
MOST_PAGES = 65_536  # of 4 KiB: the file cannot grow beyond 256 MiB
_TABLE = """
CREATE TABLE IF NOT EXISTS feedback (
  received_on TEXT NOT NULL, verdict TEXT NOT NULL, receipt TEXT NOT NULL,
  article TEXT, outcome TEXT, note TEXT, question TEXT
) STRICT
"""


class Verdict(StrEnum):
    """What a reader says of an answer."""

    HELPFUL = "helpful"
    WRONG = "wrong"
    WRONG_CITATION = "wrong-citation"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One row. ``received_on`` is an ISO date without a time; ``receipt`` the SHA-256 of the answer, from its receipt."""

    received_on: str
    verdict: str
    receipt: str
    article: str | None = None
    outcome: str | None = None
    note: str | None = None
    question: str | None = None


COLUMNS = tuple(field.name for field in fields(Feedback))


@dataclass(frozen=True, slots=True)
class Gap:
    """A question that readers sent and that was not answered: in which article (None: the whole site) and how often."""

    article: str | None
    question: str
    count: int


class Store:
    """Feedback in one file. Each call opens it anew, so that threads share nothing and a mended file is used at once.

    ``wait`` is how many seconds a call waits for another writer.
    """

    def __init__(self, path: Path, wait: float = 5.0, most_pages: int = MOST_PAGES) -> None:
        self.path, self.wait, self.most_pages = path, wait, most_pages

    def check(self) -> None:
        """Make the file if there is none, and see whether it can be written.

        Raises:
            FeedbackError: it cannot.
        """
        with self._writing() as connection:
            connection.execute("BEGIN IMMEDIATE")

    def keep(self, feedback: Feedback) -> None:
        """Write one row.

        Raises:
            FeedbackError: the file is locked, damaged, read-only, full or cannot be made; nothing was written.
        """
        with self._writing() as connection:
            # The names are our own columns.
            connection.execute(f"INSERT INTO feedback VALUES ({', '.join('?' * len(COLUMNS))})", astuple(feedback))  # noqa: S608

    def rows(self) -> list[Feedback]:
        """Return what was kept, in the order in which it came.

        Raises:
            FeedbackError: there is no such file, or it cannot be read.
        """
        with self._opened() as connection:
            found = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM feedback ORDER BY rowid").fetchall()  # noqa: S608
        return [Feedback(**dict(zip(COLUMNS, row, strict=True))) for row in found]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.touch(mode=0o600)  # before SQLite makes it readable for everybody
        except OSError as error:
            raise self._failure(error.strerror or "unknown cause") from error
        with self._opened() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA max_page_count = {self.most_pages:d}")
            connection.execute(_TABLE)
            yield connection

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction, which an error takes back."""
        try:
            address = f"{self.path.absolute().as_uri()}?mode=rw"  # never makes a file
            with closing(sqlite3.connect(address, timeout=self.wait, uri=True)) as connection, connection:
                yield connection
        except sqlite3.Error as error:
            raise self._failure(str(error)) from error

    def _failure(self, cause: str) -> FeedbackError:
        return FeedbackError(
            f"The feedback in {self.path} cannot be used ({cause}). Name a SQLite file in a folder that can be written, "
            "with --feedback or FOLLOWUP_FEEDBACK; a damaged file can be moved away, and a new one is made."
        )


def cell(value: str | None) -> str:
    """Return a value that no spreadsheet takes for a formula.

    >>> cell("=1+1"), cell("helpful"), cell(None)
    ("'=1+1", 'helpful', '')
    """
    return f"'{value}" if value and value.startswith(FORMULA) else value or ""


def gaps(rows: Sequence[Feedback]) -> list[Gap]:
    """Return what readers asked in vain, by article, most frequent first; the same words in other capitals count together.

    Asked in vain is what was not answered, and what was but its reader says that the answer is missing.
    """
    unmet = [row for row in rows if row.outcome in (Outcome.CLOSEST, Outcome.DECLINED) or row.verdict == Verdict.MISSING]
    counts, words = Counter[tuple[str, str]](), dict[tuple[str, str], str]()
    for row in unmet:
        if row.question:
            key = (row.article or "", " ".join(row.question.casefold().split()).rstrip("?!. "))
            counts[key] += 1
            words.setdefault(key, row.question)
    ordered = sorted(counts, key=lambda key: (key[0], -counts[key], key[1]))
    return [Gap(key[0] or None, words[key], counts[key]) for key in ordered]
