"""folder -> generations: each a complete directory with a hashed manifest; one pointer names the current one.

A build writes beside what is served and is published by one atomic rename of the pointer, so that a crash at any moment leaves
the old generation or the new one, never a mixture.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from assistant.errors import IndexDamagedError, IndexMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

T = TypeVar("T")
REBUILD = "Rebuild it: followup index"
FORMAT = 1
_POINTER = "CURRENT"
_MANIFEST = "manifest.json"
_LARGE = 64 << 20
_GENERATION = re.compile(r"gen-(\d{6,12})")


@dataclass(frozen=True, slots=True)
class Generation:
    """A checked generation: where it lies, what its manifest says, and the manifest's SHA-256."""

    folder: Path
    facts: Mapping[str, Any]
    digest: str


def current(folder: Path, *, deep: bool = False) -> Generation:
    """Return the current generation, checked: pointer, manifest hash, all sizes, hashes of files up to 64 MB (``deep``: of all).

    Raises IndexMissingError without a pointer, IndexDamagedError naming the file that is not as it was written.
    """
    return read(folder, lambda generation: generation, deep=deep)


def read(folder: Path, use: Callable[[Generation], T], *, deep: bool = False) -> T:
    """Return what ``use`` makes of the current generation, checked as by ``current``.

    When a builder takes the generation away meanwhile, ``use`` is called again with its successor.
    """
    while True:
        pointer = _pointer(folder)
        try:
            return use(_checked(folder, pointer, deep=deep))
        except (IndexDamagedError, FileNotFoundError):
            if _pointer(folder) == pointer:
                raise


def publish(folder: Path, write: Callable[[Path], Mapping[str, Any]]) -> Generation:
    """Make what ``write`` leaves in an empty folder the current generation; what it returns stands in the manifest.

    Waits for another builder of the same folder. Keeps the generation before, clears older ones and dead builds.
    """
    from filelock import FileLock  # noqa: PLC0415 - 30 ms that a reader need not pay

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        _clear(folder, ".build-*")
        build = folder / f".build-{os.getpid()}"
        build.mkdir()
        _write_manifest(build, write(build))
        digest = _digest(build / _MANIFEST)
        before = _named(folder)
        name = f"gen-{max((_number(p.name) for p in folder.glob('gen-*')), default=0) + 1:06d}"
        build.rename(folder / name)
        _sync(folder)
        _replace(folder / _POINTER, f"{name} {digest}\n")
        _clear(folder, "gen-*", keep={name, before})
        return _checked(folder, (name, digest), deep=False)


def _write_manifest(build: Path, facts: Mapping[str, Any]) -> None:
    """Bring every file to the disk, then the manifest with their sizes and hashes."""
    files = {}
    for file in sorted(build.iterdir()):
        _sync(file)
        files[file.name] = {"size": file.stat().st_size, "sha256": _digest(file)}
    manifest = {**facts, "format": FORMAT, "files": files}
    target = build / _MANIFEST
    target.write_text(json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True), encoding="utf-8", newline="\n")
    _sync(target)
    _sync(build)


def _replace(pointer: Path, text: str) -> None:
    part = pointer.with_suffix(".tmp")
    part.write_text(text, encoding="ascii", newline="\n")
    _sync(part)
    part.replace(pointer)
    _sync(pointer.parent)


def _pointer(folder: Path) -> tuple[str, str]:
    """Name and manifest hash of the current generation."""
    file = folder / _POINTER
    try:
        text = file.read_bytes().decode("ascii", "replace")
    except FileNotFoundError as error:
        raise IndexMissingError(f"There is no index in {folder}. Build it: followup index") from error
    except OSError as error:
        raise IndexDamagedError(f"The index file {file} cannot be read: {error}. {REBUILD}") from error
    found = re.fullmatch(r"(gen-\d{6,12}) ([0-9a-f]{64})\n", text)
    if found is None:
        raise IndexDamagedError(f"The index file {file} is damaged: it names no generation. {REBUILD}")
    return found[1], found[2]


def _checked(folder: Path, pointer: tuple[str, str], *, deep: bool) -> Generation:
    name, digest = pointer
    manifest = folder / name / _MANIFEST
    try:
        content = manifest.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise IndexDamagedError(f"The index file {manifest} is damaged: its SHA-256 is not the one in {_POINTER}. {REBUILD}")
        facts = json.loads(content)
        if facts["format"] != FORMAT:
            raise IndexDamagedError(f"The index {folder} has format {facts['format']}, this program reads {FORMAT}. {REBUILD}")
        for file, record in facts["files"].items():
            _check_file(folder / name / file, record["size"], record["sha256"], deep=deep)
    except OSError as error:
        raise IndexDamagedError(f"A file of the index cannot be read: {error}. {REBUILD}") from error
    return Generation(folder / name, facts, digest)


def _check_file(file: Path, size: int, digest: str, *, deep: bool) -> None:
    found = file.stat().st_size
    if found != size:
        raise IndexDamagedError(f"The index file {file} is damaged: it has {found} bytes, not {size}. {REBUILD}")
    if (deep or size < _LARGE) and _digest(file) != digest:
        raise IndexDamagedError(f"The index file {file} is damaged: its SHA-256 is not the one that was written. {REBUILD}")


def _named(folder: Path) -> str | None:
    """The generation that the pointer names, if it names one."""
    try:
        return _pointer(folder)[0]
    except (IndexMissingError, IndexDamagedError):
        return None


def _number(name: str) -> int:
    found = _GENERATION.fullmatch(name)
    return int(found[1]) if found else 0


def _clear(folder: Path, pattern: str, keep: Collection[str | None] = ()) -> None:
    """Remove folders nobody needs; one that cannot be removed is left for the next build."""
    for old in folder.glob(pattern):
        if old.name not in keep:
            shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    """Bring a file or a directory to the disk; Windows has no such call for directories."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
