"""What `inferometer meters serve` and its clients say to each other over a Unix socket: a JSON object a line. Pure.

Asked {"ask": "meters"} it answers {"version": 1, "meters": [...]}, asked {"ask": "read", "uid": UID} {"value": joules or watts};
whatever cannot be answered is {"error": one line}.
"""

from __future__ import annotations

import msgspec

from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.errors import MeterError

VERSION = 1
SOCKET = "/run/inferometer/meters.sock"
SOCKET_VARIABLE = "INFEROMETER_METERS_SOCKET"  # another path; empty: do not look for one
FRESHEST_S = (
    0.01  # no value is read anew more often: what finer readings betray is why RAPL is root's (CVE-2020-8694)
)
LONGEST_LINE = 1 << 16


class Question(msgspec.Struct, omit_defaults=True):
    """What a client asks."""

    ask: str
    uid: str = ""


class Offered(msgspec.Struct):
    """A meter that can be read."""

    device: MeteredDevice
    traits: Traits


class Answer(msgspec.Struct, omit_defaults=True):
    """What it is told."""

    version: int = 0
    meters: tuple[Offered, ...] = ()
    value: float | None = None
    error: str = ""


_questions, _answers, _encoder = (
    msgspec.json.Decoder(Question),
    msgspec.json.Decoder(Answer),
    msgspec.json.Encoder(),
)


def encode(message: Question | Answer) -> bytes:
    """Return a message as its line."""
    return _encoder.encode(message) + b"\n"


def decode_question(line: bytes) -> Question:
    """Return a client's question; MeterError for anything else."""
    try:
        return _questions.decode(line)
    except msgspec.MsgspecError as error:
        raise MeterError(f"not a question: {error}") from error


def decode_answer(line: bytes) -> Answer:
    """Return the answer; MeterError if it is none, is cut short, or says that there is none to be had."""
    if not line.endswith(b"\n"):
        raise MeterError(
            "the connection ended" if not line else f"an answer is longer than {LONGEST_LINE} bytes"
        )
    try:
        answer = _answers.decode(line)
    except msgspec.MsgspecError as error:
        raise MeterError(f"what answers is no 'inferometer meters serve': {error}") from error
    if answer.error:
        raise MeterError(answer.error)
    return answer
