"""Which files an ONNX file says that its weights lie in, read without onnx, which the core does not have: a walk over protobuf's fields."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# of each message the fields that may lead to a tensor, by their numbers in onnx.proto
_GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION = (
    "graph",
    "node",
    "attribute",
    "tensor",
    "sparse",
    "function",
)
_MODEL = "model"
_WITHIN = {
    _MODEL: {7: _GRAPH, 25: _FUNCTION},
    _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
    _FUNCTION: {7: _NODE},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
    _SPARSE: {1: _TENSOR, 2: _TENSOR},
}
_EXTERNAL_DATA, _DATA_LOCATION, _EXTERNAL = 13, 14, 1  # of a tensor
_KEY, _VALUE = 1, 2  # of an entry of its external data
_VARINT, _EIGHT_BYTES, _MESSAGE, _FOUR_BYTES = 0, 1, 2, 5  # how a field is written
_LONGEST_VARINT = 70  # bits


class _Field(NamedTuple):
    number: int
    value: int  # of a whole number
    start: int  # of a message or text
    end: int


def named_in(path: Path) -> set[str]:
    """Return the names as they stand in the file; none for a file that is no ONNX model, which whoever loads it says."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return set(_locations(data))
    except (OSError, ValueError, IndexError):
        return set()


def _locations(data: mmap.mmap) -> Iterator[str]:
    left = [(_MODEL, 0, len(data))]
    while left:
        kind, start, end = left.pop()
        fields = _fields(data, start, end)
        if kind == _TENSOR:
            yield from _location(data, fields)
            continue
        within = _WITHIN[kind]
        left += [(within[each.number], each.start, each.end) for each in fields if each.number in within]


def _location(data: mmap.mmap, tensor: Iterator[_Field]) -> Iterator[str]:
    fields = list(tensor)
    if not any(field.number == _DATA_LOCATION and field.value == _EXTERNAL for field in fields):
        return
    for field in fields:
        if field.number == _EXTERNAL_DATA:
            entry = {
                each.number: data[each.start : each.end] for each in _fields(data, field.start, field.end)
            }
            if entry.get(_KEY) == b"location":
                yield entry.get(_VALUE, b"").decode()


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[_Field]:
    """Yield a message's fields; ValueError or IndexError where there is none."""
    while start < end:
        tag, start = _varint(data, start)
        value = size = 0
        if tag & 7 == _VARINT:
            value, start = _varint(data, start)
        elif tag & 7 == _MESSAGE:
            size, start = _varint(data, start)
        elif tag & 7 in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if tag & 7 == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"field {tag} is written as nothing that there is")
        if start + size > end:
            raise ValueError("a field ends after its message")
        yield _Field(tag >> 3, value, start, start + size)
        start += size


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """Return a whole number and where it ends."""
    value = 0
    for shift in range(0, _LONGEST_VARINT, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("a whole number has no end")
