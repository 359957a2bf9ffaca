"""Meters that several threads ask: the sampler of a server, and its clients."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from inferometer.energy.meters.served_lines import FRESHEST_S
from inferometer.energy.readings import Meter, Traits, read_value
from inferometer.energy.sampling.pacing import STEADY
from inferometer.energy.session import Session


class SharedMeter:
    """A meter that one thread at a time reads; `limited` hands out a value that is up to `FRESHEST_S` old."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.device = meter.device
        self._lock = threading.Lock()
        self._latest: tuple[float, float] | None = None  # when (monotonic, s), value

    @property
    def traits(self) -> Traits:
        """Return how the meter behaves, as far as known by now."""
        return self.meter.traits

    @traits.setter
    def traits(self, traits: Traits) -> None:
        self.meter.traits = traits

    def read(self) -> float:
        """Return a value read now; MeterError if it cannot be."""
        with self._lock:
            return self._read()

    def limited(self) -> float:
        """Return the latest value, read now only where that is older than `FRESHEST_S`."""
        with self._lock:
            if self._latest and time.monotonic() - self._latest[0] < FRESHEST_S:
                return self._latest[1]
            return self._read()

    def conditions(self) -> dict[str, Any]:
        """Return what rides along."""
        with self._lock:
            return self.meter.conditions()

    def close(self) -> None:
        """Let go of the meter."""
        with self._lock:
            self.meter.close()

    def _read(self) -> float:
        before_s = time.monotonic()  # an age that is too large is safe, one that is too small is not
        value = read_value(self.meter)
        self._latest = (before_s, value)
        return value


def shared_session(session: Session, pace_s: float) -> tuple[Session, dict[str, SharedMeter]]:
    """Return a session over the meters of one that was not started, and those of them that can be read on demand, by uid."""
    shared = {meter.device.uid: SharedMeter(meter) for meter in session.meters if not meter.traits.push}
    meters = [shared.get(meter.device.uid, meter) for meter in session.meters]
    again = Session(
        meters,
        session.absences,
        pacing=replace(STEADY, pace_s=pace_s, seldom_s=None),
        characterized=session.characterized,
    )
    return again, shared
