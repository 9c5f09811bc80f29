"""The same question on the same corpus gives the same bytes: in another process, on both paths of the encoder, many times."""

import json
import os
import subprocess
import sys

import pytest

from assistant.encoder import PACKAGED, REFERENCE
from assistant.evaluation import hashes
from assistant.evaluation.cases import read_set
from assistant.pipeline import open_assistant
from assistant.settings import Settings, bundled

SET = bundled("eval") / "followups.jsonl"
REPEATS = 100
pytestmark = pytest.mark.slow


def conversations():
    return [json.loads(line)["id"] for line in SET.read_text(encoding="utf-8").splitlines()]


def start(encoder, seed, names):
    """Start a process that holds the named conversations, with this seed of string hashes."""
    told = {"corpus": str(bundled("corpus")), "cache": str(Settings().cache), "encoder": encoder, "locale": "", "set": str(SET)}
    told["writer"] = "extractive"
    process = subprocess.Popen(
        [sys.executable, "-m", "assistant.evaluation.again"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": seed},
        encoding="utf-8",
    )
    process.stdin.write(json.dumps(told | {"conversations": names}))
    process.stdin.close()
    return process


def finished(process):
    """Return (conversation, turn) -> hash of the answer."""
    with process:
        found = {(name, turn): digest for name, turn, digest in json.load(process.stdout)}
    assert process.returncode == 0
    return found


def test_the_whole_eval_set_gives_the_same_bytes_in_two_processes_and_on_both_paths_of_the_encoder():
    names = conversations()
    sample = names[::8]  # the slow path takes ten times as long
    open_assistant(Settings())  # builds the index once, before two processes want it
    fast, other, slow = start(PACKAGED, "1", names), start(PACKAGED, "2", names), start(REFERENCE, "3", sample)
    once, again, reference = finished(fast), finished(other), finished(slow)
    assert once == again
    assert len(once) > 400
    assert reference == {key: digest for key, digest in once.items() if key[0] in sample}


def test_a_conversation_held_a_hundred_times_gives_the_same_bytes_each_time():
    assistant = open_assistant(Settings())
    sample = read_set(SET, assistant.retriever.documents)[::60]
    once = hashes(sample, assistant)
    assert len(once) >= 5
    assert all(hashes(sample, assistant) == once for _ in range(REPEATS))
