"""Which files an ONNX file says that its weights lie in, read without onnx, which the core does not have."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from inferometer.worker.backends.parts.onnx_whole import TENSORS_WITHIN, external_data, fields


def named_in(path: Path) -> set[str]:
    """Return the names as they stand in the file; none for a file that is no ONNX model, which whoever loads it says."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return set(_locations(data))
    except (OSError, ValueError, IndexError):
        return set()


def _locations(data: mmap.mmap) -> Iterator[str]:
    left = [("model", 0, len(data))]
    while left:
        kind, start, end = left.pop()
        if kind == "tensor":
            if told := external_data(data, start, end):
                yield told.get("location", "")
            continue
        within = TENSORS_WITHIN[kind]
        left += [(within[f.number], f.start, f.end) for f in fields(data, start, end) if f.number in within]
