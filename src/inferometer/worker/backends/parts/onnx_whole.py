"""An ONNX file with the weights that lie beside it inside, for readers that do not look there; without the package onnx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

# message -> its fields that are or hold tensors (onnx.proto)
_INSIDE = {
    "model": {7: "graph"}, "graph": {1: "node", 5: "tensor"}, "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph"},
}  # fmt: skip
# fields of a tensor
_RAW_DATA = 9
_EXTERNAL_DATA = 13
_DATA_LOCATION = 14


def whole(model: Path) -> bytes:
    """Return a file's content with all weights inside."""
    return _with_weights(memoryview(model.read_bytes()), "model", model.parent)


def _with_weights(message: memoryview, kind: str, folder: Path) -> bytes:
    if kind == "tensor":
        return _tensor(message, folder)
    inside = _INSIDE[kind]
    return b"".join(
        _field(number, _with_weights(value, inside[number], folder)) if number in inside else given
        for number, given, value in _fields(message)
    )


def _tensor(message: memoryview, folder: Path) -> bytes:
    fields = list(_fields(message))
    if not any(number == _DATA_LOCATION and value == 1 for number, _, value in fields):
        return bytes(message)
    pairs = [
        [bytes(text).decode() for _, _, text in _fields(value)]
        for number, _, value in fields
        if number == _EXTERNAL_DATA
    ]
    told = dict(pairs)
    with (folder / told["location"]).open("rb") as file:
        file.seek(int(told.get("offset", 0)))
        data = file.read(int(told.get("length", -1)))
    kept = [given for number, given, _ in fields if number not in (_EXTERNAL_DATA, _DATA_LOCATION)]
    return b"".join((*kept, _field(_RAW_DATA, data)))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview, Any]]:
    """Yield each field's number, its bytes, and its value: a whole number, or the bytes of it."""
    place = 0
    while place < len(message):
        start = place
        key, place = _read_number(message, place)
        value: Any
        if key & 7 == 0:
            value, place = _read_number(message, place)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, place = _read_number(message, place)
            value, place = message[place : place + size], place + size
        yield key >> 3, message[start:place], value


def _field(number: int, value: bytes) -> bytes:
    return b"".join((_number(number << 3 | 2), _number(len(value)), value))


def _read_number(message: memoryview, place: int) -> tuple[int, int]:
    """Return a number of protobuf's, and where it ends: seven bits a byte, the lowest first."""
    value = shift = 0
    while True:
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place


def _number(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes((*digits, value))
