"""An ONNX file with the weights that lie beside it inside, for readers that do not look there; without the package onnx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

# message -> its fields that are or hold tensors, by their numbers in onnx.proto
TENSORS_WITHIN = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
# fields of a tensor, and the value of the last of them that means another file
_RAW_DATA = 9
_EXTERNAL_DATA = 13
_DATA_LOCATION = 14
_EXTERNAL = 1
_KEY = 1  # of an entry of its external data
_VALUE = 2
_LONGEST_NUMBER = 70  # bits


class Field(NamedTuple):
    """One of a message's fields: its bytes begin at ``begin``, those of its content at ``start``."""

    number: int
    value: int  # of a whole number
    begin: int
    start: int
    end: int


def whole(model: Path) -> bytes:
    """Return a file's content with all weights inside."""
    data = memoryview(model.read_bytes())
    return _with_weights(data, "model", 0, len(data), model.parent)


def _with_weights(data: Any, kind: str, start: int, end: int, folder: Path) -> bytes:
    if kind == "tensor":
        return _tensor(data, start, end, folder)
    within = TENSORS_WITHIN[kind]
    return b"".join(
        _field(f.number, _with_weights(data, within[f.number], f.start, f.end, folder))
        if f.number in within
        else data[f.begin : f.end]
        for f in fields(data, start, end)
    )


def _tensor(data: Any, start: int, end: int, folder: Path) -> bytes:
    told = external_data(data, start, end)
    if not told:
        return bytes(data[start:end])
    with (folder / told["location"]).open("rb") as file:
        file.seek(int(told.get("offset", 0)))
        weights = file.read(int(told.get("length", -1)))
    replaced = (_EXTERNAL_DATA, _DATA_LOCATION)
    kept = [data[f.begin : f.end] for f in fields(data, start, end) if f.number not in replaced]
    return b"".join((*kept, _field(_RAW_DATA, weights)))


def external_data(data: Any, start: int, end: int) -> dict[str, str]:
    """Return where a tensor's values lie ("location", "offset", "length"); empty where they are in the file itself."""
    tensor = list(fields(data, start, end))
    if not any(f.number == _DATA_LOCATION and f.value == _EXTERNAL for f in tensor):
        return {}
    entries = [
        {own.number: bytes(data[own.start : own.end]).decode() for own in fields(data, f.start, f.end)}
        for f in tensor
        if f.number == _EXTERNAL_DATA
    ]
    return {entry.get(_KEY, ""): entry.get(_VALUE, "") for entry in entries}


def fields(data: Any, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of protobuf's message in ``data``; ValueError or IndexError where there is none."""
    while start < end:
        begin = start
        tag, start = _read_number(data, start)
        value = size = 0
        if tag & 7 == 0:
            value, start = _read_number(data, start)
        elif tag & 7 == 2:
            size, start = _read_number(data, start)
        else:
            size = {1: 8, 5: 4}.get(tag & 7, end)  # any other is written as nothing that there is
        if start + size > end:
            raise ValueError("a field ends after its message")
        yield Field(tag >> 3, value, begin, start, start + size)
        start += size


def _field(number: int, value: bytes) -> bytes:
    return b"".join((_number(number << 3 | 2), _number(len(value)), value))


def _read_number(data: Any, place: int) -> tuple[int, int]:
    """Return a number of protobuf's, and where it ends: seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, _LONGEST_NUMBER, 7):
        byte = data[place]
        value, place = value | (byte & 127) << shift, place + 1
        if byte < 128:
            return value, place
    raise ValueError("a whole number has no end")


def _number(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes((*digits, value))
