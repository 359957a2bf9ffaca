"""What meters give: devices, how they behave, readings, and the stretch of them that integration works on.

A counter's reading is joules since some unknown start; a power meter's is watts. Both become one `Track` (`track.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from inferometer.errors import MeterError
from inferometer.worker.failures import failure_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Kind = Literal["counter", "power"]

SELDOM_S = 0.02  # a counter whose updates come no more often than this is a slow one
WATCHED_FROM_S = 0.005  # one whose updates are further apart may have counted much by the next
UNKNOWN_S = 0.1  # for so long a value may have been shown where the update period is not known
LATE = 1.25  # an update may come this many periods after the one before it
MAX_POWER_W = 5000.0  # above this a jump of a counter is no consumption of one device
MAX_WHOLE_W = 100e3  # likewise of what may be a whole server or a rack
PEAK = 3.0  # times its power limit a device may draw for moments

WHOLE_TYPES = ("external", "psys")  # of devices that others are, or may be, a part of


@dataclass(frozen=True)
class MeteredDevice:
    """A thing whose energy is metered: `uid` is unique among the meters of a host and stable between runs."""

    uid: str
    name: str
    type: str  # gpu, cpu, dram, psys, external
    meter: str  # the plug-in: nvml, rapl, mqtt, amd, ...
    origin: str = ""  # where it was announced, of a network's: devices of one announcement are one host's


@dataclass(frozen=True)
class Traits:
    """How a meter behaves, as far as known before it is read; see docs/energy.md for each word."""

    kind: Kind
    period_s: float = 0.0  # between two updates of the value; 0: current at every read
    window_s: float = 0.0  # a power reading is the mean over this long before it was updated
    resolution: float = 0.0  # smallest step, J or W
    range_j: float | None = None  # the counter starts again from 0 here
    rests: bool = False  # a part of a device: a counter that stands still says that it drew nothing
    integrates: bool = True  # False: the counter may extrapolate from a part of the time
    push: bool = False  # readings come by themselves; there is nothing to poll
    # they come by a thread that asks for them: what it is told may be a period old, as if polled
    asked: bool = False
    max_power_w: float = MAX_POWER_W
    period_known: bool = (
        True  # False: the period is a typical one, until a burst of reads or `characterize` has seen it
    )
    held_s: float = 0.0  # for so long a value may be kept, besides, before it is handed out
    limit_known: bool = False  # the largest power is this device's own limit, not one that fits any device

    @property
    def each_is_news(self) -> bool:
        """Tell whether every reading is an update of its own, one with an equal value included."""
        return self.push and not self.asked

    @property
    def late_s(self) -> float:
        """Return how long ago what is shown may have been updated, if the period is as told."""
        return LATE * self.period_s + self.held_s

    @property
    def oldest_s(self) -> float:
        """Return how old the value that a reading shows may be, whether or not the period is known."""
        return self.late_s if self.period_known else max(self.late_s, UNKNOWN_S)

    def limited(self, limit_w: float) -> Traits:
        """Return the traits of a device that tells its power limit; 0: it tells none."""
        if not limit_w > 0:
            return self
        return replace(self, max_power_w=PEAK * limit_w, limit_known=True)


class Meter(Protocol):
    """One source of readings for one device; `read` may be called from one thread at a time."""

    device: MeteredDevice
    traits: Traits

    def read(self) -> float:
        """Return joules (counter) or watts (power); MeterError if it cannot be read (any more)."""

    def conditions(self) -> dict[str, Any]:
        """Return what rides along (clocks, temperature, throttle reasons, utilisation); empty where there is nothing."""

    def close(self) -> None:
        """Let go of the device; reading afterwards is an error."""


class Reading(NamedTuple):
    """One reading: the value was current at some moment between the two stamps (CLOCK_MONOTONIC)."""

    t_before_ns: int
    t_after_ns: int
    value: float


@dataclass(frozen=True)
class Break:
    """A stretch over which a meter does not tell all: it could not be read, was reset, jumped, or may have wrapped unseen."""

    start_ns: int
    end_ns: int | None  # None: it has not come back
    reason: str
    counted_j: float = 0.0  # what the record counts for it
    most_j: float = 0.0  # the most that it can have been, where that is more

    @property
    def untold_j(self) -> float:
        """Return how much more than was counted can have been taken within."""
        return max(self.most_j - self.counted_j, 0.0)

    @property
    def until_ns(self) -> float:
        """Return its end, infinity while there is none."""
        return math.inf if self.end_ns is None else self.end_ns

    def touches(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether it overlaps a stretch of time."""
        return self.start_ns < end_ns and self.until_ns > start_ns


@dataclass(frozen=True)
class Window:
    """Readings of a stretch of time, as arrays of one length, in order, with the breaks that touch it.

    ``before_ns``, ``after_ns``: int64 [n]; ``energy_j``: float64 [n], joules since the track began; ``power_w``:
    float64 [n], only for power meters (empty otherwise).
    """

    before_ns: NDArray[np.int64]
    after_ns: NDArray[np.int64]
    energy_j: NDArray[np.float64]
    power_w: NDArray[np.float64]
    breaks: tuple[Break, ...] = ()


def read_value(meter: Meter) -> float:
    """Return a meter's value; MeterError whatever goes wrong, since others' code must not end the sampling."""
    try:
        answer: object = meter.read()
    except MeterError:
        raise
    except Exception as error:
        raise failed_read(error) from error
    return value_of(answer)


def failed_read(error: Exception) -> MeterError:
    """Return what a read that raised comes to, without the traceback: kept, it would keep all that its callers hold."""
    if isinstance(error, MeterError):
        return MeterError(str(error))
    return MeterError(f"reading failed with {failure_text(error)}")


def value_of(answer: object) -> float:
    """Return the value that a meter returned; MeterError for what is none, and for what `failed_read` made of an error."""
    if isinstance(answer, MeterError):
        raise answer
    try:
        value = float(answer)  # type: ignore[arg-type]  # others' code may answer anything
    except Exception as error:
        raise failed_read(error) from error
    if not math.isfinite(value):
        raise MeterError(f"it gave {value}")
    return value
