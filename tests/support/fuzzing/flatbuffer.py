"""Flatbuffers changed place by place, whatever their schema: offsets, lengths, tables and the values that they hold."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

from fuzzing.mutation import bytes_of

_SCALARS = (0, 1, 2, 3, 4, 7, 127, 128, 255, -1, -2, 2**15 - 1, 2**16, 2**24, 2**31 - 1, -(2**31))
_OFFSETS = (0, 1, 2, 4, 8, -4, 2**15, 2**31 - 1, -(2**31), -1)
_FORMS = {1: "<b", 2: "<h", 4: "<i"}
_MOST_VALUES = 64  # of one vector: weights are many, and mean little

Place = tuple[str, int, int]  # "value", "offset", "length" or "table"; where, and how many bytes it takes


def flatbuffer_of(chance: random.Random, data: bytes) -> bytes:
    """Return the flatbuffer with one to three places of another value, most of them values that stay readable."""
    places = list(_places(data))
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        kind = chance.choices(("value", "offset", "length", "table"), (30, 2, 2, 1))[0]
        found = [place for place in places if place[0] == kind]
        _, at, size = chance.choice(found)
        known = int.from_bytes(data[at : at + size], "little", signed=True)
        value = _other(chance, kind, known, [int.from_bytes(data[a : a + s], "little") for _, a, s in found])
        bits = 8 * size
        struct.pack_into(_FORMS[size], changed, at, (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1))
    return bytes_of(chance, bytes(changed)) if chance.random() < 0.05 else bytes(changed)


def _other(chance: random.Random, kind: str, known: int, others: list[int]) -> int:
    way = chance.random()
    if way < 0.3:
        return known + chance.choice((-1, 1, 2, 4, -4))
    if way < 0.5:
        return chance.choice(others)
    return chance.choice(_SCALARS if kind == "value" else _OFFSETS)


def _places(data: bytes) -> Iterator[Place]:
    """Return what can be reached from the root, by guess: a word that leads to a table or a vector is an offset."""
    yield "offset", 0, 4
    waiting, seen = [_word(data, 0)], set()
    while waiting:
        table = waiting.pop()
        if table in seen:
            continue
        seen.add(table)
        yield "table", table, 4
        for at, size in _fields(data, table):
            target = at + _word(data, at) if size == 4 and at + 4 <= len(data) else 0
            if not table < target <= len(data) - 4:
                yield "value", at, min(size, 4) if size in _FORMS else 4 if size > 4 else 1
                continue
            yield "offset", at, 4
            if _fields(data, target):
                waiting.append(target)
            else:
                yield from _vector(data, target, waiting)


def _vector(data: bytes, start: int, waiting: list[int]) -> Iterator[Place]:
    count = _word(data, start)
    yield "length", start, 4
    if not 0 < count <= len(data) - start - 4:
        return
    items = range(start + 4, min(start + 4 + 4 * count, len(data) - 3), 4)
    targets = [at + _word(data, at) for at in items]
    if len(items) == count and all(
        start < target < len(data) - 4 and _fields(data, target) for target in targets
    ):
        yield from (("offset", at, 4) for at in items)
        waiting.extend(targets)
    elif len(items) == count and count <= _MOST_VALUES:
        yield from (("value", at, 4) for at in items)
    else:
        yield from (("value", at, 1) for at in range(start + 4, start + 4 + min(count, _MOST_VALUES)))


def _fields(data: bytes, table: int) -> list[tuple[int, int]]:
    """Return where the fields of a table lie and their sizes, as far as the next one's place tells them; [] for no table."""
    if not 4 <= table <= len(data) - 4:
        return []
    form = table - struct.unpack_from("<i", data, table)[0]
    if not 4 <= form <= len(data) - 4:
        return []
    size, length = struct.unpack_from("<2H", data, form)
    if (
        size % 2
        or not 4 <= size <= 128
        or not 4 <= length <= 256
        or form + size > len(data)
        or table + length > len(data)
    ):
        return []
    fields = sorted({place for place in struct.unpack_from(f"<{size // 2 - 2}H", data, form + 4) if place})
    if any(not 4 <= place < length for place in fields):
        return []
    return [
        (table + place, after - place) for place, after in zip(fields, [*fields[1:], length], strict=False)
    ]


def _word(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])
