"""Power meters on the network, by EMA's MQTT messages: devices announce themselves, then send their counters.

Readings come when the publisher sends them, stamped by its own clock. Stamps of two hosts are never compared; the
publisher's are used for the time between its readings, and the earliest arrivals tie them to this host's clock.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from inferometer.energy.meters.broker import Address, Connection
from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.meters.wire import Registered, decode_reading, decode_registration
from inferometer.energy.readings import MeteredDevice, Reading, Traits
from inferometer.energy.track import Track
from inferometer.errors import InferometerError, MeterError

REGISTRATION_S = 3.0
TRANSIT_NS = 5_000_000  # a reading may have been under way for so long even when it came quickly
DEFAULT_PERIOD_S = 1.0
KEPT = 64


class ArrivalClock:
    """Ties a publisher's stamps to this host's clock by the messages that came quickest."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque(maxlen=KEPT)  # (arrival ns, publisher ns)

    def place(self, arrival_ns: int, sent_ns: int) -> tuple[int, int]:
        """Return between which two moments (ns, here) a reading was taken that was stamped ``sent_ns`` there."""
        previous = self._seen[-1] if self._seen else None
        self._seen.append((arrival_ns, sent_ns))
        if previous is None:
            return arrival_ns - TRANSIT_NS, arrival_ns
        if not self._plausible(previous):
            return previous[0], arrival_ns
        offset_ns = min(arrival - sent for arrival, sent in self._seen)
        at_ns = min(sent_ns + offset_ns, arrival_ns)
        return at_ns - TRANSIT_NS, at_ns

    @property
    def period_s(self) -> float:
        """Return the mean time between the latest messages; 0 before the second."""
        if len(self._seen) < 2:
            return 0.0
        return (self._seen[-1][0] - self._seen[0][0]) / (len(self._seen) - 1) / 1e9

    def _plausible(self, previous: tuple[int, int]) -> bool:
        """Tell whether the publisher's clock runs on, and as fast as ours, as far as seen."""
        arrival_ns, sent_ns = self._seen[-1]
        first_arrival, first_sent = self._seen[0]
        if sent_ns < previous[1]:
            self._seen = deque([self._seen[-1]], maxlen=KEPT)
            return False
        elapsed_ns, claimed_ns = arrival_ns - first_arrival, sent_ns - first_sent
        return abs(elapsed_ns - claimed_ns) < max(0.05 * elapsed_ns, 2e9)


class MqttMeter:
    """One announced device."""

    def __init__(self, registered: Registered, connection: Connection, now_ns: Callable[[], int]) -> None:
        self.device = MeteredDevice(f"mqtt:{registered.name}", registered.name, registered.type, "mqtt")
        self.traits = Traits("counter", DEFAULT_PERIOD_S, resolution=1e-6, push=True)
        self.malformed = 0
        self._topic, self._connection, self._now_ns = registered.topic, connection, now_ns
        self._clock = ArrivalClock()
        self._track: Track | None = None
        self._message: tuple[int, int] | None = None
        self._latest: float | None = None

    def attach(self, track: Track) -> None:
        """Append every reading that arrives to ``track`` from now on."""
        self._track = track
        self._connection.subscribe(self._topic, self.receive)

    def receive(self, message: bytes) -> None:
        """Take one message; anything but a reading is counted and dropped."""
        arrival_ns = self._now_ns()
        try:
            energy_uj, time_us = decode_reading(message)
        except MeterError:
            self.malformed += 1
            return
        if (energy_uj, time_us) == self._message:
            return  # the same reading once more
        self._message = (energy_uj, time_us)
        low_ns, high_ns = self._clock.place(arrival_ns, time_us * 1000)
        self._latest = energy_uj / 1e6
        self._learn_period()
        if self._track is not None:
            self._track.append(Reading(low_ns, high_ns, self._latest))

    def read(self) -> float:
        """Return the joules that came last; MeterError before the first reading."""
        if self._latest is None:
            raise MeterError(f"{self.device.name} has sent no reading yet")
        return self._latest

    def conditions(self) -> dict[str, Any]:
        """Return how many messages were no readings, if any."""
        return {"malformed_messages": self.malformed} if self.malformed else {}

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def _learn_period(self) -> None:
        period_s = self._clock.period_s
        if period_s and abs(period_s / self.traits.period_s - 1) > 0.2:
            self.traits = replace(self.traits, period_s=period_s)


def find(environ: Mapping[str, str], *, now_ns: Callable[[], int] = time.monotonic_ns) -> Found:
    """Return the devices announced at each address of INFEROMETER_MQTT; one that cannot be used becomes an absence."""
    found = Found()
    for url in environ.get("INFEROMETER_MQTT", "").split():
        try:
            address = Address.parse(url)
            devices = read_registration(address, environ)
            found += Found(_open(devices, address, environ, now_ns))
            if not devices:
                found += _absent("the registration names no device", url)
        except InferometerError as error:
            found += _absent(str(error), url)
    return found


def read_registration(address: Address, environ: Mapping[str, str]) -> tuple[Registered, ...]:
    """Return the devices announced on the address's topic; MeterError if there are none to be had."""
    connection = Connection(address, environ)
    arrived = threading.Event()
    messages: list[bytes] = []

    def take(message: bytes) -> None:
        if message:  # an empty one takes an earlier announcement back
            messages.append(message)
            arrived.set()

    connection.open()
    try:
        connection.subscribe(address.topic, take)
        if not arrived.wait(REGISTRATION_S):
            raise MeterError(
                f"no meter is announced at {address} (waited {REGISTRATION_S:.0f} s); "
                "start 'inferometer meters publish' there, or give its topic"
            )
    finally:
        connection.close()
    try:
        return decode_registration(messages[0])
    except MeterError as error:
        raise MeterError(f"what is announced at {address} is malformed: {error}") from error


def _open(
    devices: Iterable[Registered], address: Address, environ: Mapping[str, str], now_ns: Callable[[], int]
) -> tuple[MqttMeter, ...]:
    """Return the meters, each with a connection of its own; none is left open where one cannot be made."""
    with contextlib.ExitStack() as opened:
        meters = []
        for device in devices:
            connection = Connection(address, environ)
            connection.open()
            opened.callback(connection.close)
            meters.append(MqttMeter(device, connection, now_ns))
        opened.pop_all()
    return tuple(meters)


def _absent(reason: str, url: str) -> Found:
    return Found(absences=(Absence("mqtt", "external", reason, device=url.partition("?")[0]),))
