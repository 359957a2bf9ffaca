"""A device whose true power is known, with the faults of real meters: the reference that integration is tested against.

`PowerCurve` is the truth. `SimulatedMeter` shows it as a meter would: updated every period with jitter, integrating
only a part of each period, averaged over a window, read with latency, in steps, wrapping, reset, stopping or vanishing.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.errors import MeterError


@dataclass
class SimulatedClock:
    """Time that passes only when told to; in nanoseconds."""

    time_ns: int = 0
    slept_ns: int = 0

    def now_ns(self) -> int:
        """Return the simulated time."""
        return self.time_ns

    def cpu_ns(self) -> int:
        """Return no processor time: simulated reads are free."""
        return 0

    def boot_ns(self) -> int:
        """Return the simulated time, sleep included."""
        return self.time_ns + self.slept_ns

    def wait(self, until_ns: int, wake: threading.Event) -> bool:
        """Move the time on to ``until_ns``; True if ``wake`` is set."""
        self.time_ns = max(self.time_ns, until_ns)
        return wake.is_set()


class PowerCurve:
    """Power as steps: ``watts[i]`` from ``times_s[i]`` to ``times_s[i + 1]``; arrays [n + 1] and [n], s and W."""

    def __init__(self, times_s: ArrayLike, watts: ArrayLike) -> None:
        self.times_s = np.asarray(times_s, np.float64)
        self.watts = np.asarray(watts, np.float64)
        self._joules = np.concatenate(([0.0], np.cumsum(np.diff(self.times_s) * self.watts)))

    def energy_j(self, at_s: ArrayLike) -> NDArray[np.float64]:
        """Return the true joules consumed until each of ``at_s``."""
        return np.interp(np.asarray(at_s, np.float64), self.times_s, self._joules)

    def span_j(self, start_s: float, end_s: float) -> float:
        """Return the true joules between two times."""
        first, last = self.energy_j((start_s, end_s))
        return float(last - first)

    @classmethod
    def steady(cls, watts: float, length_s: float) -> PowerCurve:
        """Return constant power."""
        return cls((0.0, length_s), (watts,))

    @classmethod
    def cycles(cls, high_w: float, low_w: float, period_s: float, duty: float, length_s: float) -> PowerCurve:
        """Return power that is high for the share ``duty`` of every period and low for the rest."""
        starts = np.arange(math.ceil(length_s / period_s) + 1) * period_s
        times = np.stack((starts, starts + duty * period_s), axis=1).ravel()
        return cls(times, np.tile((high_w, low_w), len(starts))[: len(times) - 1])


@dataclass(frozen=True)
class Faults:
    """What a meter does beside metering; all times in seconds."""

    jitter_s: float = 0.0  # standard deviation of an update's time
    duty: float = 1.0  # share of each period that the counter really sees, at the period's end
    latency_s: float = 0.0  # of a read
    latency_jitter_s: float = 0.0
    reset_at_s: float = math.inf
    stops_at_s: float = math.inf  # the value stays; reads go on
    dies_at_s: float = math.inf  # reads raise
    returns_at_s: float = math.inf  # they work again
    seed: int = 0


@dataclass
class SimulatedMeter:
    """Shows a power curve the way a real meter would; a `Meter`."""

    curve: PowerCurve
    clock: SimulatedClock
    traits: Traits = field(default_factory=lambda: Traits("counter", 0.1, resolution=0.001))
    faults: Faults = field(default_factory=Faults)
    device: MeteredDevice = field(default_factory=lambda: MeteredDevice("sim:0", "simulated", "gpu", "sim"))
    start_j: float = 0.0  # what the counter shows at time 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.faults.seed)
        self.updates_s, self.shown = simulate_updates(
            self.curve, self.traits, self.faults, self.start_j, self._random
        )

    def read(self) -> float:
        """Return the value shown half-way through the read, which takes the latency."""
        latency_s = self.faults.latency_s + self.faults.latency_jitter_s * float(self._random.random())
        at_s = self.clock.time_ns / 1e9 + latency_s / 2
        self.clock.time_ns += round(latency_s * 1e9)
        if self.faults.dies_at_s <= at_s < self.faults.returns_at_s:
            raise MeterError("the simulated meter is gone")
        at_s = min(at_s, self.faults.stops_at_s)
        return float(self.shown[max(int(np.searchsorted(self.updates_s, at_s, "right")) - 1, 0)])

    def conditions(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def close(self) -> None:
        """Do nothing."""


def simulate_updates(
    curve: PowerCurve, traits: Traits, faults: Faults, start_j: float, random: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when the meter is updated (s) and what it shows from then on (J or W)."""
    period = traits.period_s or 1e-3
    length = float(curve.times_s[-1])
    updates = np.arange(-1, math.ceil(length / period) + 1, dtype=np.float64) * period
    updates += random.random() * period
    if faults.jitter_s:
        updates += random.normal(0.0, faults.jitter_s, len(updates))
        updates.sort()
    joules: NDArray[np.float64] = curve.energy_j(updates)
    if traits.kind == "power":
        window = traits.window_s or 1e-4
        watts = (joules - curve.energy_j(updates - window)) / window
        return updates, _steps(watts, traits.resolution)
    if faults.duty < 1:
        seen = period * faults.duty
        parts = (joules[1:] - curve.energy_j(updates[1:] - seen)) / seen * np.diff(updates)
        joules = np.concatenate(([0.0], np.cumsum(parts)))
    counted = start_j + joules
    reset = updates >= faults.reset_at_s
    if reset.any():
        counted[reset] -= counted[reset][0]
    counted = _steps(counted, traits.resolution)
    return updates, counted % traits.range_j if traits.range_j else counted


def _steps(values: NDArray[np.float64], resolution: float) -> NDArray[np.float64]:
    return np.floor(values / resolution) * resolution if resolution else values
