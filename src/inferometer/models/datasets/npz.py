"""Arrays of an .npz read a few rows at a time, so that no array needs to fit into memory."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from inferometer.errors import UsageError
from inferometer.worker.saved_arrays import UNREADABLE, read_head
from inferometer.worker.system import memory

_KINDS = "fiub"


@dataclass(frozen=True)
class Member:
    """One array, by its header."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_columns: bool  # Fortran's order

    @property
    def row_bytes(self) -> int:
        """Return the bytes of one row."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def rows(self, count: int) -> Iterator[Any]:
        """Yield the array in parts of ``count`` rows; UsageError (one line) where the file ends early."""
        with _reading(self.path, self.name) as opened:
            _header(opened)
            if self.by_columns:
                yield from self._of_columns(opened, count)
                return
            for start in range(0, self.shape[0], count):
                shape = (min(count, self.shape[0] - start), *self.shape[1:])
                yield np.frombuffer(self._exactly(opened, shape[0] * self.row_bytes), self.dtype).reshape(
                    shape
                )

    def whole(self) -> Any:
        """Return the whole array; UsageError where it does not fit into memory."""
        self._check_memory()
        parts = list(self.rows(max(1, self.shape[0])))
        return parts[0] if parts else np.empty(self.shape, self.dtype)

    def _of_columns(self, opened: IO[bytes], count: int) -> Iterator[Any]:
        self._check_memory()
        data = self._exactly(opened, self.shape[0] * self.row_bytes)
        array = np.frombuffer(data, self.dtype).reshape(self.shape, order="F")
        for start in range(0, self.shape[0], count):
            yield np.ascontiguousarray(array[start : start + count])

    def _check_memory(self) -> None:
        wanted, free = self.shape[0] * self.row_bytes, memory.free_bytes()
        if 2 * wanted > free:
            raise UsageError(
                f"{self.path}: '{self.name}' takes {wanted:,} bytes of memory, {free:,} are free; give it in parts of its own, or "
                "in C order"
            )

    def _exactly(self, opened: IO[bytes], size: int) -> bytes:
        data = opened.read(size)
        if len(data) < size:
            raise UsageError(f"{self.path}: '{self.name}' ends early; save it again")
        return data


def members(path: Path) -> dict[str, Member]:
    """Return the arrays in an .npz by name; UsageError (one line) if it is none, or holds what is no array of numbers."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
    except (ValueError, *UNREADABLE) as error:
        raise UsageError(f"{path} is no .npz: {' '.join(str(error).split())[:120]}") from error
    if not names:
        raise UsageError(f"{path} holds no array; save it with numpy.savez(FILE, x=rows, y=answers)")
    found = {}
    for name in names:
        with _reading(path, name.removesuffix(".npy")) as opened:
            shape, by_columns, dtype = _header(opened)
        found[name.removesuffix(".npy")] = Member(path, name.removesuffix(".npy"), shape, dtype, by_columns)
    return found


@contextmanager
def _reading(path: Path, name: str) -> Iterator[IO[bytes]]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as opened:
            yield opened
    except UsageError as error:
        raise error if str(path) in str(error) else UsageError(f"{path}: '{name}' {error}") from error
    except (ValueError, *UNREADABLE) as error:
        raise UsageError(f"{path}: '{name}' cannot be read: {' '.join(str(error).split())[:120]}") from error


def _header(opened: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read an array's header; UsageError where it holds objects, which would be unpickled."""
    try:
        shape, by_columns, dtype = read_head(opened)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if dtype.kind not in _KINDS:
        raise UsageError(f"holds {dtype}; give numbers")
    return shape, by_columns, dtype
