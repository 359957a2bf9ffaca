"""Valid bytes changed a little, by seed: any bytes, JSON, zip archives, messages of protocol buffers."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
import zlib

ODD_VALUES = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    -(10**30),
    1e308,
    -0.5,
    "",
    "x",
    "\x1b[2J",
    "../../x",
    "é" * 300,
    [],
    [None],
    {},
    {"a": 1},
)
ODD_WORDS = (
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\xff" * 8,
    b"\xff" * 7 + b"\x7f",
)
BOMB = zlib.compress(bytes(1 << 28), 9)[2:-4]  # 256 MiB in 256 KiB


def bytes_of(chance: random.Random, data: bytes) -> bytes:
    """Return the data with one to four changes: bits, words, spans that go, come twice or are noise, an early end."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        chance.choice(_CHANGES)(chance, changed)
    return bytes(changed)


def _flip(chance: random.Random, data: bytearray) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _word(chance: random.Random, data: bytearray) -> None:
    word = chance.choice(ODD_WORDS)
    at = chance.randrange(len(data) + 1)
    data[at : at + len(word)] = word


def _cut(chance: random.Random, data: bytearray) -> None:
    start, end = _span(chance, data)
    del data[start:end]


def _twice(chance: random.Random, data: bytearray) -> None:
    start, end = _span(chance, data)
    data[end:end] = data[start:end]


def _noise(chance: random.Random, data: bytearray) -> None:
    start, end = _span(chance, data)
    data[start:end] = chance.randbytes(end - start)


def _end(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data) + 1) :]


_CHANGES = (_flip, _flip, _flip, _word, _word, _cut, _twice, _noise, _end)


def _span(chance: random.Random, data: bytearray) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.randint(1, 1 << chance.randint(1, 10)))


def json_of(chance: random.Random, text: bytes) -> bytes:
    """Return JSON text with an odd value in one place, or a key that goes, comes under another name, or is nested deeply."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return bytes_of(chance, text)
    places = list(_places(data))
    if not places or chance.random() < 0.1:
        return bytes_of(chance, text)
    node, key = chance.choice(places)
    kind = chance.randrange(8)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node[f"{key}x"] = node.pop(key)
    elif kind == 2:
        node[key] = "@nested@"
        return json.dumps(data).encode().replace(b'"@nested@"', b"[" * 100_000 + b"]" * 100_000)
    elif kind == 3:
        node[key] = chance.choice(places)[0]
        return _dumped(data, text)
    else:
        node[key] = chance.choice(ODD_VALUES)
    return json.dumps(data).encode()


def _dumped(data: object, otherwise: bytes) -> bytes:
    try:
        return json.dumps(data).encode()
    except ValueError:  # it holds itself
        return otherwise


def _places(node):
    pairs = (
        list(node.items())
        if isinstance(node, dict)
        else list(enumerate(node))
        if isinstance(node, list)
        else []
    )
    for key, value in pairs:
        yield node, key
        yield from _places(value)


def zip_of(chance: random.Random, data: bytes, inner=bytes_of) -> bytes:
    """Return an archive with one member changed by ``inner``, dropped, renamed, swapped, doubled, or a lie in its directory."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [[item.filename, archive.read(item)] for item in archive.infolist()]
    kind = chance.randrange(12)
    if kind == 0:
        return bytes_of(chance, data)
    if kind == 1:
        return _lying(chance, data)
    member = chance.choice(members)
    if kind == 2:
        members.remove(member)
    elif kind == 3:
        member[0] = chance.choice(("", "/", "../x", "/etc/x", f"{member[0]}/", "é" * 200, member[0].upper()))
    elif kind == 4:
        other = chance.choice(members)
        member[1], other[1] = other[1], member[1]
    elif kind == 5:
        members.insert(chance.randrange(len(members)), [member[0], bytes_of(chance, member[1])])
    elif kind == 6:
        return _with_bomb(members, member[0])
    else:
        member[1] = inner(chance, member[1])
    return zipped(members, chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def zipped(members, method=zipfile.ZIP_STORED) -> bytes:
    """Return an archive of (name, content) pairs, also of names that come twice."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


def _lying(chance: random.Random, data: bytes) -> bytes:
    """Return the archive with odd sizes, method, flags or offset in an entry of its directory."""
    changed = bytearray(data)
    entries = [at for at in range(len(data) - 46) if data[at : at + 4] == b"PK\x01\x02"]
    at = chance.choice(entries)
    field, form = chance.choice(((8, "H"), (10, "H"), (16, "I"), (20, "I"), (24, "I"), (28, "H"), (42, "I")))
    largest = (1 << 8 * struct.calcsize(form)) - 1
    struct.pack_into(f"<{form}", changed, at + field, chance.choice((0, 1, 8, 99, largest - 1, largest)))
    return bytes(changed)


def _with_bomb(members, name: str) -> bytes:
    """Return the archive with 256 MiB of zeros, packed, in place of a member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for other, content in members:
            if other != name:
                archive.writestr(zipfile.ZipInfo(other), content)
    size, check = 1 << 28, 0x6D28CA19  # CRC-32 is judged at the end, if anybody comes that far
    encoded = name.encode()
    local = (
        struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 33, check, len(BOMB), size, len(encoded), 0)
        + encoded
        + BOMB
    )
    whole = buffer.getvalue()
    start = whole.rfind(b"PK\x05\x06")
    count, directory = (
        struct.unpack_from("<H", whole, start + 10)[0],
        struct.unpack_from("<I", whole, start + 16)[0],
    )
    entry = struct.pack(
        "<4s6H3I5H2I",
        b"PK\x01\x02",
        20,
        20,
        0,
        8,
        0,
        33,
        check,
        len(BOMB),
        size,
        len(encoded),
        0,
        0,
        0,
        0,
        0,
        directory,
    )
    entries = whole[directory:start] + entry + encoded
    place = directory + len(local)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count + 1, count + 1, len(entries), place, 0)
    return whole[:directory] + local + entries + end
