"""EMA's MQTT messages, little-endian: the retained registration and the readings. Pure; what arrives is not trusted.

Registration   u8 version = 1, u16 count, then per device: u64 length, name, u64 length, topic, u8 type
Reading        u64 microjoules, u64 microseconds (of the publisher's own clock)

On a topic beside the readings', which EMA does not know: u64 the publisher's microseconds as of sending, u64 microseconds before
its stamp that the next reading may have been taken; of the same 16 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from inferometer.errors import MeterError

VERSION = 1
LONGEST_TEXT = 65535  # MQTT's own limit for a topic
LARGEST_MESSAGE = 1 << 20
TYPES = ("external", "cpu", "gpu", "dram", "psys")  # the type byte; EMA leaves its meaning to the publisher

_HEAD = struct.Struct("<BH")
_LENGTH = struct.Struct("<Q")
_READING = struct.Struct("<QQ")


@dataclass(frozen=True)
class Registered:
    """A device as announced: its name is also its identity, its readings come on ``topic``."""

    name: str
    topic: str
    type: str = "external"


def encode_registration(devices: Iterable[Registered]) -> bytes:
    """Return the registration message."""
    entries = list(devices)
    parts = [_HEAD.pack(VERSION, len(entries))]
    for device in entries:
        name, topic = device.name.encode(), device.topic.encode()
        kind = TYPES.index(device.type) if device.type in TYPES else 0
        parts += [_LENGTH.pack(len(name)), name, _LENGTH.pack(len(topic)), topic, bytes((kind,))]
    return b"".join(parts)


def decode_registration(message: bytes) -> tuple[Registered, ...]:
    """Return the announced devices; MeterError (one line) for anything that is no registration."""
    if len(message) > LARGEST_MESSAGE:
        raise MeterError(f"registration of {len(message)} bytes; at most {LARGEST_MESSAGE} are read")
    if len(message) < _HEAD.size:
        raise MeterError(f"registration of {len(message)} bytes; it has at least {_HEAD.size}")
    version, count = _HEAD.unpack_from(message)
    if version != VERSION:
        raise MeterError(f"registration of version {version}; only version {VERSION} is known")
    devices, offset = [], _HEAD.size
    for number in range(count):
        name, offset = _text(message, offset, f"name of device {number}")
        topic, offset = _text(message, offset, f"topic of device {number}")
        if offset >= len(message):
            raise MeterError(f"registration ends before the type of device {number} of {count}")
        kind = message[offset]
        offset += 1
        _check_topic(topic, number)
        devices.append(Registered(name, topic, TYPES[kind] if kind < len(TYPES) else "external"))
    return tuple(devices)


def clock_topic(topic: str) -> str:
    """Return where a publisher sends its own time, for the readings on ``topic``."""
    return f"{topic}/clock"


def encode_reading(energy_uj: int, time_us: int) -> bytes:
    """Return the reading message."""
    return _READING.pack(energy_uj, time_us)


def decode_reading(message: bytes) -> tuple[int, int]:
    """Return microjoules and microseconds; MeterError unless the message has 16 bytes."""
    if len(message) != _READING.size:
        raise MeterError(f"reading of {len(message)} bytes; it has {_READING.size}")
    energy_uj, time_us = _READING.unpack(message)
    return energy_uj, time_us


def _text(message: bytes, offset: int, what: str) -> tuple[str, int]:
    if offset + _LENGTH.size > len(message):
        raise MeterError(f"registration ends before the {what}")
    (length,) = _LENGTH.unpack_from(message, offset)
    offset += _LENGTH.size
    if length > LONGEST_TEXT or offset + length > len(message):
        raise MeterError(f"the {what} claims {length} bytes; {len(message) - offset} follow")
    if not length:
        raise MeterError(f"the {what} is empty")
    text = message[offset : offset + length].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text), offset + length


def _check_topic(topic: str, number: int) -> None:
    if any(c in topic for c in "#+\N{REPLACEMENT CHARACTER}") or topic.startswith("$"):
        raise MeterError(f"the topic of device {number} is none to subscribe to: {topic[:60]!r}")
