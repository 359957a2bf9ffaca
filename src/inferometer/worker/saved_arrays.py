"""Arrays as `numpy.save` and `numpy.savez` write them, of anybody's file: judged by their heads before they are read."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from inferometer.worker.system import memory

# what opening and reading raise, of a file or of an archive's member
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
_READERS: Mapping[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_HEAD_BYTES = 10_000


@dataclass(frozen=True)
class SavedArray:
    """An array in an open file, whose head has been read."""

    opened: Any
    told: str
    shape: tuple[int, ...]
    turned: bool  # Fortran's order
    dtype: Any
    rest: int  # bytes

    @classmethod
    def of(cls, opened: Any, size: int, told: str) -> SavedArray:
        """Read the head of a file of ``size`` bytes, called ``told``; ValueError where it promises anything else than it has."""
        try:
            shape, turned, dtype = read_head(opened)
        except ValueError as error:
            raise ValueError(f"cannot read {told}: it {error}") from error
        promised, rest = math.prod(shape) * dtype.itemsize, size - opened.tell()
        if promised != rest:
            raise ValueError(
                f"cannot read {told}: it promises {promised:,} bytes of numbers and has {rest:,}"
            )
        return cls(opened, told, shape, turned, dtype, rest)

    def numbers(self) -> Any:
        """Return the whole array; ValueError where it ends early."""
        content = np.empty(self.rest, np.uint8)
        if self.rest and self.opened.readinto(content.data) != self.rest:
            raise ValueError(f"cannot read {self.told}: it ends early")
        return content.view(self.dtype).reshape(self.shape, order="F" if self.turned else "C")


def read_head(opened: IO[bytes]) -> tuple[tuple[int, ...], bool, Any]:
    """Return shape, whether it lies in Fortran's order, and dtype.

    ValueError (what it is, to follow "it") for any other content; one of `UNREADABLE` where the file cannot be read.
    """
    try:
        reader = _READERS[np.lib.format.read_magic(opened)]
        shape, turned, dtype = reader(opened, max_header_size=_HEAD_BYTES)
    except RecursionError as error:  # a RuntimeError
        raise ValueError("is no array as numpy.save writes it") from error
    except UNREADABLE:
        raise
    except Exception as error:  # the tokenizer, the parser and dtypes have kinds of their own
        raise ValueError("is no array as numpy.save writes it") from error
    if dtype.hasobject:
        raise ValueError("holds Python objects, which run code when they are read; save numbers")
    if any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"has a size that cannot be: {shape}")
    return shape, turned, dtype


def read_archive(path: Path) -> dict[str, Any]:
    """Return the arrays in an .npz; ValueError (one line) or one of `UNREADABLE` where it is damaged or more than free memory."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        whole, free = sum(item.file_size for item in members), memory.free_bytes()
        if whole > free:
            raise ValueError(f"it unpacks to {whole:,} bytes, with {free:,} bytes of memory free")
        return {item.filename.removesuffix(".npy"): _member(archive, item) for item in members}


def _member(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Any:
    with archive.open(item) as opened:
        return SavedArray.of(opened, item.file_size, f"'{item.filename}'").numbers()
