"""What several test files need: encoders, and hypothesis told to find the same examples every time."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

from assistant import encoder
from assistant.settings import cache_folder
from assistant.text.words import terms, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assistant.search import Encoder, Vectors

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


class BagEncoder:
    """Hashed bag of stems: texts that share words are near. ``encoded`` is every text it was asked for."""

    name = "bag-of-words"
    dimension = 384

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.encoded.extend(texts)
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for term in terms(text) or [""]:
                row[zlib.crc32(term.encode()) % self.dimension] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def count(self, text: str) -> int:
        return len(words(text))


@pytest.fixture
def bag_encoder() -> BagEncoder:
    return BagEncoder()


@pytest.fixture(scope="session")
def minilm() -> Encoder:
    """The packaged model as it is served; exported into the user's cache folder if no run has done so."""
    return encoder.load(encoder.PACKAGED, cache_folder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs the real model is slow."""
    for item in items:
        if "minilm" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
