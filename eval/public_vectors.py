"""list[str] -> float32 [n, 384]: an encoder that remembers texts on disk, so that no text of a set is encoded twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from assistant.search import Encoder, Vectors

_AT_ONCE = 512  # texts encoded in one call
_FLUSHED = 4096  # texts that are kept in memory only, at most


class Remembering:
    """An Encoder in front of another. Vectors lie in shards ``vectors-N.npz`` of a folder, by the SHA-256 of their text."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = encoder.name
        self._encoder, self._folder = encoder, folder
        self._known: dict[bytes, np.ndarray] = {}
        self._fresh: dict[bytes, np.ndarray] = {}
        for shard in sorted(folder.glob("vectors-*.npz")):
            stored = np.load(shard)
            if str(stored["encoder"]) == encoder.name:
                self._known.update(zip(map(bytes, stored["keys"]), stored["rows"], strict=True))

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 [n, 384], rows of length 1; only texts never seen before are encoded."""
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        wanted = list(new)
        for n in range(0, len(wanted), _AT_ONCE):
            self._learn({key: new[key] for key in wanted[n : n + _AT_ONCE]})
        return np.stack([self._known[key] for key in keys]) if keys else np.empty((0, 384), dtype=np.float32)

    def _learn(self, new: Mapping[bytes, str]) -> None:
        made = dict(zip(new, self._encoder.encode(list(new.values())), strict=True))
        self._known.update(made)
        self._fresh.update(made)
        if len(self._fresh) >= _FLUSHED:
            self.save()

    def count(self, text: str) -> int:
        """Tokens of the whole text, without special ones."""
        return self._encoder.count(text)

    def save(self) -> None:
        """Write what is new as one more shard."""
        if not self._fresh:
            return
        keys = np.array([list(key) for key in self._fresh], dtype=np.uint8)
        target = self._folder / f"vectors-{len(list(self._folder.glob('vectors-*.npz'))):04}.npz"
        np.savez(target, keys=keys, rows=np.stack(list(self._fresh.values())), encoder=self.name)
        self._fresh.clear()
