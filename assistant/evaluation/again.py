"""Conversations -> hashes of their answers, from a second process with other string hashes: does chance play a part?

``second_process`` starts ``python -m assistant.evaluation.again``, which reads one JSON object on stdin and prints one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from assistant.errors import AssistantError
from assistant.evaluation import Hashes, hashes
from assistant.evaluation.cases import Case, read_set
from assistant.pipeline import open_assistant
from assistant.settings import Settings


def second_process(settings: Settings, path: Path, sample: Sequence[Case]) -> Hashes:
    """Return (conversation, turn) -> hash of the answer that a fresh process gives.

    Raises:
        AssistantError: that process failed; its last words are told.
    """
    told = {
        "corpus": str(settings.corpus),
        "cache": str(settings.cache),
        "encoder": settings.encoder,
        "writer": settings.writer,
        "locale": settings.locale,
        "set": str(path),
        "conversations": [case.id for case in sample],
    }
    command = [sys.executable, "-m", "assistant.evaluation.again"]
    environment = {**os.environ, "PYTHONHASHSEED": "random", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        command, input=json.dumps(told), capture_output=True, encoding="utf-8", env=environment, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise AssistantError(
            f"The second process, which answers again to check determinism, ended with {done.returncode}: {last}"
        )
    return {(name, turn): digest for name, turn, digest in json.loads(done.stdout)}


def main() -> None:
    """Read what is wanted on stdin, hold those conversations and print [conversation, turn, hash] rows."""
    told = json.load(sys.stdin)
    names = {name: told[name] for name in ("encoder", "writer", "locale")}
    settings = Settings(corpus=Path(told["corpus"]), cache=Path(told["cache"]), **names)
    assistant = open_assistant(settings)
    wanted = set(told["conversations"])
    sample = [case for case in read_set(Path(told["set"]), assistant.retriever.documents) if case.id in wanted]
    json.dump([[name, turn, digest] for (name, turn), digest in hashes(sample, assistant).items()], sys.stdout)


if __name__ == "__main__":
    main()
