"""Power meters on the network, by EMA's MQTT messages: devices announce themselves, then send their counters.

Readings come when the publisher sends them, stamped by its own clock, which `arrival_clock` ties to this host's. A reading that the
broker had retained may be of any time, and tells nothing.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from inferometer.energy.meters.arrival_clock import DEFAULT_PERIOD_NS, TRANSIT_NS, ArrivalClock
from inferometer.energy.meters.broker import Address, Connection
from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.meters.wire import Registered, clock_topic, decode_reading, decode_registration
from inferometer.energy.readings import MeteredDevice, Reading, Traits
from inferometer.energy.track import Track
from inferometer.errors import InferometerError, MeterError
from inferometer.redaction import without_user

REGISTRATION_S = 3.0


class MqttMeter:
    """One announced device."""

    def __init__(
        self, device: MeteredDevice, topic: str, connection: Connection, now_ns: Callable[[], int]
    ) -> None:
        """``topic``: where its readings come."""
        self.device = device
        self.traits = Traits("counter", DEFAULT_PERIOD_NS / 1e9, resolution=1e-6, push=True)
        self.malformed = 0
        self._topic, self._connection, self._now_ns = topic, connection, now_ns
        self._clock = ArrivalClock()
        self._track: Track | None = None
        self._message: tuple[int, int] | None = None
        self._latest: float | None = None

    def attach(self, track: Track) -> None:
        """Append every reading that arrives to ``track`` from now on."""
        self._track = track
        self._connection.subscribe(clock_topic(self._topic), self.receive_time, live_only=True)
        self._clock.transit_ns = max(TRANSIT_NS, self._connection.round_trip_ns)
        self._connection.subscribe(self._topic, self.receive, live_only=True)

    def receive(self, message: bytes) -> None:
        """Take one message; anything but a reading is counted and dropped."""
        arrival_ns = self._now_ns()
        found = self._decoded(message)
        if found is None or found == self._message:  # the same reading once more
            return
        self._message = energy_uj, time_us = found
        placed = self._clock.place(arrival_ns, time_us * 1000)
        self._latest = energy_uj / 1e6
        self._learn_period()
        if self._track is not None:
            if placed.earlier_ns:
                self._track.widen(placed.earlier_ns)
            self._track.append(Reading(placed.low_ns, placed.high_ns, self._latest))

    def receive_time(self, message: bytes) -> None:
        """Take the publisher's own time; anything else is counted and dropped."""
        arrival_ns = self._now_ns()
        if found := self._decoded(message):
            now_us, width_us = found
            self._clock.tick(arrival_ns, now_us * 1000, width_us * 1000)

    def _decoded(self, message: bytes) -> tuple[int, int] | None:
        """Return the two numbers of a message; None, and counted, where there are none."""
        try:
            return decode_reading(message)
        except MeterError:
            self.malformed += 1
            return None

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
            taken = {meter.device.uid: meter.device.origin for meter in found.meters}
            named = [(_device(one, str(address), taken), one.topic) for one in devices]
            found += Found(_open(named, address, environ, now_ns))
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


def _device(registered: Registered, origin: str, taken: Mapping[str, str]) -> MeteredDevice:
    """Return an announced device; hosts call theirs alike, so the uid of a second of that name has its address."""
    uid = f"mqtt:{registered.name}"
    if taken.get(uid, origin) != origin:
        uid = f"{uid} {origin}"
    return MeteredDevice(uid, registered.name, registered.type, "mqtt", origin)


def _open(
    devices: Iterable[tuple[MeteredDevice, str]],
    address: Address,
    environ: Mapping[str, str],
    now_ns: Callable[[], int],
) -> tuple[MqttMeter, ...]:
    """Return the meters, each with a connection of its own; none is left open where one cannot be made."""
    with contextlib.ExitStack() as opened:
        meters = []
        for device, topic in devices:
            connection = Connection(address, environ)
            connection.open()
            opened.callback(connection.close)
            meters.append(MqttMeter(device, topic, connection, now_ns))
        opened.pop_all()
    return tuple(meters)


def _absent(reason: str, url: str) -> Found:
    return Found(absences=(Absence("mqtt", "external", reason, device=without_user(url).partition("?")[0]),))
