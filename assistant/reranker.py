"""Question + sentences -> how surely each answers; text -> how surely somebody is in danger: one small trained model.

A cross-encoder reads the question and one sentence together, some 2 ms of CPU a pair, so it is asked only where a second look is
needed. ``eval/reranker.md`` tells what it was trained on and how well it does; ``eval/train_reranker.py`` makes it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.encoder import check_files, packaged_tokenizer, session
from assistant.errors import ModelMissingError

FILE = Path(__file__).resolve().parent / "model" / "reranker.onnx"
SHA256 = "06cf9df37db6bedd85f9fdefbcd922e91a428dbb3a061ef9db1163560c05b617"
MAX_TOKENS = 72  # of question and sentence, as in training
BATCH = 4  # pairs of like lengths that are padded together
_WAY_OUT = "It comes with this program: install that again."

Scores = NDArray[np.float64]


class Reranker:
    """The trained model on one thread, loaded when it is first needed; safe to share between threads.

    Raises:
        ModelMissingError: its file is missing or, when it is loaded, not the expected one.
    """

    name = f"followup-reranker@{SHA256[:12]}/int8"

    def __init__(self, file: Path = FILE) -> None:
        if not file.is_file():
            raise ModelMissingError(f"The re-ranker's file {file} is missing. {_WAY_OUT}")
        self._file = file

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        check_files(self._file.parent, {self._file.name: SHA256}, _WAY_OUT)
        return session(self._file), packaged_tokenizer(MAX_TOKENS)

    def answers(self, question: str, sentences: Sequence[str]) -> Scores:
        """float64 [n]: log-odds that each sentence answers the question by itself."""
        return self._scores([(question, sentence) for sentence in sentences])[:, 0]

    def danger(self, text: str) -> float:
        """Log-odds that a text tells of somebody who is in danger now."""
        return float(self._scores([text])[0, 1])

    def _scores(self, inputs: Sequence[Any]) -> Scores:
        """float64 [n, 2] of texts or pairs, in batches of like lengths, which need little padding."""
        model, tokenizer = self._loaded
        scores = np.empty((len(inputs), 2))
        order = sorted(range(len(inputs)), key=lambda n: (len(str(inputs[n])), n))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            encoded = tokenizer.encode_batch([inputs[n] for n in chosen])
            feed = {
                name: np.array([getattr(text, kind) for text in encoded], dtype=np.int64)
                for name, kind in (("input_ids", "ids"), ("attention_mask", "attention_mask"), ("token_type_ids", "type_ids"))
            }
            scores[chosen] = model.run(["scores"], feed)[0]
        return scores
