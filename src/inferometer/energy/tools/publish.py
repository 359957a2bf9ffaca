"""Publish this machine's meters over MQTT by EMA's messages, so that another host can read them."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping

from inferometer.energy.meters.broker import Address, Connection
from inferometer.energy.meters.wire import Registered, encode_reading, encode_registration
from inferometer.energy.sampling.channel import Channel
from inferometer.energy.session import Session
from inferometer.errors import MeterError

INTERVAL_S = 0.5


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
        self._last: dict[str, tuple[int, int]] = {}
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
            self._connection.publish(self.topics[uid], encode_reading(*reading))
            self.sent += 1


def latest(channel: Channel) -> tuple[int, int] | None:
    """Return a meter's latest update as microjoules since sampling began and microseconds of this host's clock."""
    from inferometer.energy.integration.anchors import find_anchors

    last_ns = channel.track.last_ns
    if not last_ns:
        return None
    traits = channel.meter.traits
    window = channel.track.window(last_ns - 1, last_ns)
    if traits.kind == "power":
        return round(float(window.energy_j[-1]) * 1e6), last_ns // 1000
    anchors = find_anchors(window, traits)
    return round(float(anchors.energy_j[-1]) * 1e6), int(anchors.time_ns[-1]) // 1000


def _plain(uid: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", uid)
