"""Energy of a cell's loops, by device."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import msgspec

EnergySource = Literal["counter", "sampled", "estimated", "unresolved", "none"]


_NETWORK = "mqtt"  # the meter whose devices may be another host's
HOST_TYPES = ("cpu", "dram")  # of what every host has of its own
# meters of a socket of this host, by whose counter it is: perf's is rapl's; two whose are not may show one socket twice
SOCKET_METERS = {"rapl": "rapl", "perf": "rapl", "hwmon": "hwmon"}
WIDE = 0.5  # half-width of an interval over the estimate beyond which it is called unresolved


def half_width(energy_j: float | None, low_j: float | None, high_j: float | None) -> float:
    """Return the larger half of an interval as a share of the estimate; infinity where one of the three is not known."""
    if energy_j is None or low_j is None or high_j is None:
        return math.inf
    if not energy_j:
        return math.inf if high_j > 0 else 0.0
    return max(high_j - energy_j, energy_j - low_j) / energy_j


def width_text(energy_j: float | None, low_j: float | None, high_j: float | None) -> str:
    """Return how wide an interval is ("±120 %") where it is wide; empty where it is narrow or there is no figure."""
    half = half_width(energy_j, low_j, high_j)
    if energy_j is None or half <= WIDE:
        return ""
    if half < math.inf:
        return f"±{half * 100:.3g} %"
    return "no upper bound" if high_j is None else f"0 to {high_j:.3g} J"


class DeviceEnergy(msgspec.Struct, frozen=True, gc=False):
    """Energy of one device over the timed loops of a cell, with its 95 % interval.

    `source` "unresolved" stands for no figure at all: in records of today where nothing was read, in older ones where the
    interval was wide.
    """

    device_uid: str
    device_name: str
    device_type: str  # gpu, cpu, dram, psys, external, other; share: an estimated part of another
    meter: str  # nvml, rapl, mqtt, ema, ...
    source: EnergySource
    seconds: float = 0.0  # length of the metered window
    images: int = 0  # images inferred within it
    energy_j: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    idle_w: float | None = None  # this device at rest, model loaded where known
    reason: str = ""  # why unresolved or none

    @property
    def unresolved(self) -> str:
        """Return how wide the interval is ("±120 %") where it is wide; empty where it is narrow or there is no figure.

        A share that a model estimated claims no interval, and so none that is wide.
        """
        return "" if self.device_type == "share" else width_text(self.energy_j, self.low_j, self.high_j)


def is_strangers(device_type: str, meter: str, beside: Iterable[tuple[str, str]]) -> bool:
    """Return whether processors or memory of a network are another host's: that of the work has its own ``beside`` (type, meter).

    A host without, as a virtual machine is, may be told its own over the network.
    """
    if meter != _NETWORK or device_type not in HOST_TYPES:
        return False
    return any(type_ == device_type and other != _NETWORK for type_, other in beside)


def joined_uid(uids: Iterable[str]) -> str:
    """Return what several sockets together are called."""
    return "+".join(uids)


def uids_in(uid: str) -> tuple[str, ...]:
    """Return the sockets that `joined_uid` made one of, or the device itself; announced names may have a "+" within."""
    scheme, colon, _ = uid.partition(":")
    first, *others = uid.split(f"+{scheme}{colon}" if colon else "+")
    return (first, *(f"{scheme}{colon}{other}" if colon else other for other in others))


def counted_once(devices: Iterable[DeviceEnergy]) -> list[DeviceEnergy]:
    """Return the devices of which none is a part of another: of several sockets the whole."""
    every = list(devices)
    joined = [uids for device in every if len(uids := uids_in(device.device_uid)) > 1]
    parts = {uid for uids in joined for uid in uids}
    return [device for device in every if device.device_uid not in parts]


class Energy(msgspec.Struct, frozen=True, gc=False):
    """All metered devices of a cell; `primary` is the uid of the device that did the work."""

    devices: tuple[DeviceEnergy, ...] = ()
    primary: str = ""
    reason: str = ""  # why there is no energy at all ("no meter: ...")
    idle_w: dict[str, float] = {}
    absence: str = ""  # the reason in two words, for a table's cell: "no meter", "not timed"
