"""EMA's MQTT messages: exact bytes, and nothing that arrives can do harm."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.energy.meters.wire import (
    Registered,
    decode_reading,
    decode_registration,
    encode_reading,
    encode_registration,
)
from inferometer.errors import MeterError

GPU = Registered("gpu 0", "EMA/devices/gpu-0", "gpu")


def test_the_bytes_are_emas():
    message = encode_registration([GPU])
    assert message == (
        b"\x01\x01\x00"
        + struct.pack("<Q", 5)
        + b"gpu 0"
        + struct.pack("<Q", 17)
        + b"EMA/devices/gpu-0"
        + b"\x02"
    )
    assert b"\x00gpu" in message and not message.endswith(b"\x00")
    assert encode_reading(1, 2) == b"\x01" + bytes(7) + b"\x02" + bytes(7)


@given(st.lists(st.tuples(st.text(min_size=1), st.sampled_from(("external", "cpu", "gpu", "dram", "psys")))))
def test_round_trip(entries):
    devices = [
        Registered("".join(c if c.isprintable() else "?" for c in n), f"t/{i}", k)
        for i, (n, k) in enumerate(entries)
    ]
    try:
        encoded = encode_registration(devices)
    except UnicodeEncodeError:
        return  # a lone surrogate is no text
    assert list(decode_registration(encoded)) == devices


@given(st.binary(max_size=200))
def test_garbage_is_one_line_or_devices(message):
    for decode in (decode_registration, decode_reading):
        try:
            decode(message)
        except MeterError as error:
            assert "\n" not in str(error)


@given(st.integers(0, 60))
def test_a_truncated_registration_is_refused(length):
    message = encode_registration([GPU])
    with pytest.raises(MeterError):
        decode_registration(message[: min(length, len(message) - 1)])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"\x01\x01\x00" + struct.pack("<Q", 2**63) + b"x", "claims 9223372036854775808 bytes; 1 follow"),
        (b"\x01\xff\xff", "ends before the name of device 0"),
        (b"\x02\x00\x00", "version 2"),
        (b"", "0 bytes"),
        (b"\x01\x01\x00" + struct.pack("<Q", 0) + struct.pack("<Q", 1) + b"t\x00", "empty"),
        (encode_registration([Registered("a", "#")]), "none to subscribe to"),
        (encode_registration([Registered("a", "$SYS/x")]), "none to subscribe to"),
        (bytes(2**20 + 1), "at most 1048576"),
    ],
)
def test_hostile_registrations(message, said):
    with pytest.raises(MeterError, match=said):
        decode_registration(message)


def test_an_unknown_type_is_external_and_control_characters_are_replaced():
    message = bytearray(encode_registration([Registered("a\x1b[31m", "t")]))
    message[-1] = 200
    (device,) = decode_registration(bytes(message))
    assert device == Registered("a\N{REPLACEMENT CHARACTER}[31m", "t", "external")
