"""Files of JSON lines that are only appended to, and survive a kill -9 after every line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from inferometer.errors import StoreError, to_write_again
from inferometer.escapes import shown_json
from inferometer.redaction import redacted_bytes
from inferometer.storage.regular import bytes_of

_DAMAGE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_Line = TypeVar("_Line")


def append_line(path: Path, data: bytes) -> None:
    """Add a line, its newline included, and flush it to disk; StoreError if it cannot be written."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _end_torn_line(descriptor)
            _write_whole(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise cannot_write(path, error) from error


def read_lines(path: Path, decode: Callable[[bytes], _Line], kind: str) -> tuple[_Line, ...]:
    """Return what the file's lines hold, as far as it may be shown, none where there is no file; StoreError names a line that is no ``kind``."""
    try:
        lines = bytes_of(path).split(b"\n")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    found = []
    for number, line in enumerate(lines[:-1], 1):  # what no newline follows is torn
        if not line.strip():
            continue
        try:
            found.append(decode(shown(line)))
        except _DAMAGE as error:
            raise StoreError(f"{path}:{number}: damaged {kind}: {error}") from error
    return tuple(found)


def shown(data: bytes) -> bytes:
    """Return what of a run's files may be shown: without passwords, which runs of version 0.1 may hold, and control characters."""
    return shown_json(redacted_bytes(data))


def _end_torn_line(descriptor: int) -> None:
    """Cut a last line without its newline (a killed writer), so that the next record starts on a line of its own."""
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    content = os.pread(descriptor, size, 0)
    os.ftruncate(descriptor, content.rfind(b"\n") + 1)


def _write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def cannot_write(path: Path, error: OSError) -> StoreError:
    """Return the error for a file of a run that cannot be written."""
    return StoreError(
        f"cannot write {path}: {error.strerror or error}; {to_write_again(error, 'give another --out')}"
    )
