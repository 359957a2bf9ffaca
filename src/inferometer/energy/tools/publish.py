"""Publish this machine's meters over MQTT by EMA's messages, so that another host can read them."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import NamedTuple

from inferometer.energy.meters.broker import Address, Connection
from inferometer.energy.meters.wire import Registered, clock_topic, encode_reading, encode_registration
from inferometer.energy.sampling.channel import Channel
from inferometer.energy.session import Session
from inferometer.errors import MeterError

INTERVAL_S = 0.5


class Latest(NamedTuple):
    """An update: microjoules since sampling began; by then it had come, but not so long before (µs of this host's clock)."""

    energy_uj: int
    time_us: int
    width_us: int


class Publisher:
    """Announces the session's meters (retained) and sends each one's joules and time at an interval.

    The announcement is taken back when this ends, by the broker (its last will) where this can no longer.
    """

    def __init__(self, session: Session, address: Address, environ: Mapping[str, str]) -> None:
        """Prepare; MeterError if there is no meter, or TLS or credentials cannot be used."""
        if not session.meters:
            raise MeterError(f"nothing to publish: {session.reason}")
        self.session, self.address = session, address
        self.sent = 0
        self._last: dict[str, Latest] = {}
        self._connection = Connection(address, environ)
        self._connection.will_retract(address.topic)
        self.topics = {
            meter.device.uid: f"{address.topic}/{_plain(meter.device.uid)}" for meter in session.meters
        }

    def run(self, stop: threading.Event, interval_s: float = INTERVAL_S) -> None:
        """Publish until ``stop`` is set; MeterError if the broker is not to be had at the start."""
        self._connection.open(self._announce)
        try:
            while not stop.wait(interval_s):
                self.session.sampler.read_fast()
                for uid, channel in self.session.sampler.channels.items():
                    self._send(uid, channel)
        finally:
            self._connection.retract(self.address.topic)
            self._connection.close()

    def _announce(self) -> None:
        devices = [
            Registered(f"{m.device.name} {m.device.uid}".strip(), self.topics[m.device.uid], m.device.type)
            for m in self.session.meters
        ]
        self._connection.publish(self.address.topic, encode_registration(devices), retain=True)

    def _send(self, uid: str, channel: Channel) -> None:
        reading = latest(channel)
        if reading is not None and not channel.track.failed and reading != self._last.get(uid):
            self._last[uid] = reading
            now_us = self.session.clock.now_ns() // 1000
            self._connection.publish(clock_topic(self.topics[uid]), encode_reading(now_us, reading.width_us))
            self._connection.publish(self.topics[uid], encode_reading(reading.energy_uj, reading.time_us))
            self.sent += 1


def latest(channel: Channel) -> Latest | None:
    """Return a meter's latest update; None before the first reading."""
    from inferometer.energy.integration.anchors import find_anchors

    last_ns = channel.track.last_ns
    if not last_ns:
        return None
    traits = channel.meter.traits
    window = channel.track.window(last_ns - 1, last_ns)
    if traits.kind == "power":
        shown_s = traits.period_s + traits.window_s
        return Latest(round(float(window.energy_j[-1]) * 1e6), last_ns // 1000, round(shown_s * 1e6))
    anchors = find_anchors(window, traits)
    low_ns, high_ns = int(anchors.low_ns[-1]), int(anchors.high_ns[-1])
    width_us = -(-max(high_ns - max(low_ns, 0), 0) // 1000)
    return Latest(round(float(anchors.energy_j[-1]) * 1e6), -(-high_ns // 1000), width_us)


def _plain(uid: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", uid)
