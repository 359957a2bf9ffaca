"""Messages of protocol buffers changed field by field, whatever their schema: they stay readable, and mean something else."""

from __future__ import annotations

import random

from fuzzing.mutation import bytes_of

_LARGE = (0, 1, 7, 2**31 - 1, 2**31, 2**40, 2**63 - 1, 2**64 - 1)


def message_of(chance: random.Random, data: bytes, depth: int = 0) -> bytes:
    """Return the message with one field, at any depth, dropped, doubled, moved, of another number, or of another value."""
    fields = parsed(data)
    if not fields:
        return bytes_of(chance, data)
    at = chance.randrange(len(fields))
    number, wire, value = fields[at]
    if wire == 2 and depth < 9 and len(value) > 1 and chance.random() < 0.8 and parsed(value):
        fields[at] = (number, wire, message_of(chance, value, depth + 1))
        return b"".join(map(_encoded, fields))
    kind = chance.randrange(6)
    if kind == 0:
        del fields[at]
    elif kind == 1:
        fields.insert(at, fields[at])
    elif kind == 2:
        fields[at] = (chance.randint(1, 40), wire, value)
    elif kind == 3:
        other = chance.randrange(len(fields))
        fields[at], fields[other] = fields[other], fields[at]
    else:
        fields[at] = (number, wire, _other(chance, wire, value))
    return b"".join(map(_encoded, fields))


def _other(chance: random.Random, wire: int, value):
    if wire == 0:
        return chance.choice(_LARGE)
    if wire == 2:
        return chance.choice(
            (b"", value * 2, value[: len(value) // 2], bytes_of(chance, value), b"x" * 1000, b"\xff")
        )
    return chance.randbytes(len(value))


def parsed(data: bytes):
    """Return (number, wire type, value) of each field; [] where this is no message."""
    fields, at = [], 0
    try:
        while at < len(data):
            key, at = _varint(data, at)
            number, wire = key >> 3, key & 7
            if wire == 0:
                value, at = _varint(data, at)
            elif wire in (1, 2, 5):
                size, at = _varint(data, at) if wire == 2 else (8 if wire == 1 else 4, at)
                value, at = data[at : at + size], at + size
            else:
                return []
            if not number or at > len(data):
                return []
            fields.append((number, wire, value))
    except IndexError:
        return []
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise IndexError


def _encoded(field) -> bytes:
    number, wire, value = field
    key = _as_varint(number << 3 | wire)
    if wire == 0:
        return key + _as_varint(value)
    return key + (_as_varint(len(value)) if wire == 2 else b"") + value


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
