"""One stream of named entries, cut into parts of at most so many bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from inferometer.errors import UsageError

_BLOCK_BYTES = 1 << 20
LEAST_PART_BYTES = 1_000_000


def check_part_bytes(part_bytes: int) -> None:
    """Raise UsageError where parts of so many bytes would be too many."""
    if part_bytes < LEAST_PART_BYTES:
        raise UsageError(f"--part-bytes {part_bytes} is too few: give {LEAST_PART_BYTES} at least")


class PartWriter:
    """Writes part-000, part-001, ... of a folder; what it holds in memory is one block."""

    def __init__(self, folder: Path, part_bytes: int) -> None:
        check_part_bytes(part_bytes)
        self._folder, self._part_bytes = folder, part_bytes
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self._filled = self._position = 0
        self.parts: list[dict[str, Any]] = []
        self.entries: dict[str, dict[str, Any]] = {}

    def add(self, name: str, path: Path) -> dict[str, Any]:
        """Append a file's content under a name, unless that is there, and return the entry: start and length in bytes, SHA-256."""
        if name in self.entries:
            return self.entries[name]
        start, digest = self._position, hashlib.sha256()
        with path.open("rb") as source:
            while block := source.read(_BLOCK_BYTES):
                digest.update(block)
                self._write(memoryview(block))
        self.entries[name] = {
            "name": name, "start": start, "bytes": self._position - start, "sha256": digest.hexdigest(),
        }  # fmt: skip
        return self.entries[name]

    def _write(self, block: memoryview) -> None:
        while block:
            if self._file is None:
                self._file = (self._folder / f"part-{len(self.parts):03}").open("xb")
            taken = block[: self._part_bytes - self._filled]
            self._file.write(taken)
            self._digest.update(taken)
            self._filled += len(taken)
            self._position += len(taken)
            block = block[len(taken) :]
            if self._filled == self._part_bytes:
                self._end_part()

    def _end_part(self) -> None:
        assert self._file is not None
        self._file.close()
        name = Path(self._file.name).name
        self.parts.append({"name": name, "bytes": self._filled, "sha256": self._digest.hexdigest()})
        self._file, self._digest, self._filled = None, hashlib.sha256(), 0

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._end_part()
