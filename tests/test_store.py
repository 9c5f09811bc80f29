"""Feedback is kept as it was sent, read back as it was kept, and a file that cannot be used is named with the way out."""

import csv
import io
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from assistant.errors import FeedbackError
from assistant.store import COLUMNS, Feedback, Gap, Store, cell, gaps

RECEIPT = "0f" * 32


def row(**changed):
    return Feedback(**{"received_on": "2026-11-25", "verdict": "wrong", "receipt": RECEIPT, **changed})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "feedback.sqlite"


def followup(*arguments):
    return subprocess.run([sys.executable, "-m", "assistant.cli", *arguments], capture_output=True, text=True, check=False)


def test_what_is_kept_is_read_back_in_order(path):
    rows = [row(), row(verdict="missing", article="ldn", outcome="closest", note="Größe?", question="And at night?")]
    for one in rows:
        Store(path).keep(one)
    assert Store(path).rows() == rows


def test_only_the_owner_may_read_the_file(path):
    Store(path).check()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_many_writers_at_once_lose_nothing(path):
    store = Store(path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.keep(row(note=str(n))), range(60)))
    assert sorted(int(one.note) for one in store.rows()) == list(range(60))


def locked(path):
    Store(path).check()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return other


def test_a_locked_file_is_given_up_after_the_wait_and_used_again_later(path):
    other = locked(path)
    with pytest.raises(FeedbackError, match="locked"):
        Store(path, wait=0.01).keep(row())
    other.close()
    Store(path).keep(row())
    assert Store(path).rows() == [row()]


def test_a_damaged_file_is_named_and_left_as_it_is(path):
    path.write_bytes(b"This is no database. " * 500)
    with pytest.raises(FeedbackError, match=r"feedback\.sqlite.*--feedback"):
        Store(path).keep(row())
    with pytest.raises(FeedbackError, match="not a database"):
        Store(path).rows()
    assert path.read_bytes().startswith(b"This is no database.")


def test_a_folder_that_is_missing_or_no_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "none" / "f.sqlite", tmp_path / "file" / "f.sqlite", tmp_path):
        with pytest.raises(FeedbackError, match="cannot be used"):
            Store(place).check()


def test_a_full_file_refuses_the_row_and_keeps_the_others(path):
    store = Store(path, most_pages=3)
    store.keep(row())
    with pytest.raises(FeedbackError, match="full"):
        store.keep(row(note="x" * 20_000))
    assert store.rows() == [row()]


def test_reading_never_makes_a_file(path):
    with pytest.raises(FeedbackError):
        Store(path).rows()
    assert not path.exists()


def test_gaps_are_unanswered_questions_that_were_shared_by_article_and_frequency():
    rows = [
        row(outcome="closest", article="b", question="In children?"),
        row(outcome="declined", article="b", question="in  CHILDREN"),
        row(outcome="declined", article="b", question="A?"),
        row(outcome="answered", article="a", question="Answered?"),
        row(outcome="answered", article="a", question="Half answered?", verdict="missing"),
        row(outcome="declined", question="Anywhere?"),
        row(outcome="declined", article="b"),
    ]
    assert gaps(rows) == [
        Gap(None, "Anywhere?", 1),
        Gap("a", "Half answered?", 1),
        Gap("b", "In children?", 2),
        Gap("b", "A?", 1),
    ]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(formula):
    assert cell(formula) == f"'{formula}"


def test_feedback_is_exported_as_csv_that_a_spreadsheet_cannot_run(path):
    Store(path).keep(row(note='=HYPERLINK("https://evil.example","x")', question='He said "no", twice', outcome="closest"))
    done = followup("feedback", "export", "--feedback", str(path))
    assert done.returncode == 0
    header, only = csv.reader(io.StringIO(done.stdout))
    assert tuple(header) == COLUMNS
    assert only[5] == '\'=HYPERLINK("https://evil.example","x")'
    assert only[6] == 'He said "no", twice'


def test_gaps_are_printed_by_article(path):
    for _ in range(2):
        Store(path).keep(row(article="ldn", outcome="declined", question="In children?"))
    assert followup("feedback", "gaps", "--feedback", str(path)).stdout == "ldn\n    2  In children?\n"


def test_a_file_that_is_not_named_or_not_there_is_an_error_with_a_way_out(path):
    assert followup("feedback", "export").returncode == 2
    done = followup("feedback", "gaps", "--feedback", str(path))
    assert done.returncode == 1
    assert done.stderr.startswith("followup: The feedback in")
