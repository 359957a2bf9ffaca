"""Energy of a cell's loops, by device."""

from __future__ import annotations

from typing import Literal

import msgspec

EnergySource = Literal["counter", "sampled", "estimated", "unresolved", "none"]


class DeviceEnergy(msgspec.Struct, frozen=True):
    """Energy of one device over the timed loops of a cell; 95 % interval; never a guess."""

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


class Energy(msgspec.Struct, frozen=True):
    """All metered devices of a cell; `primary` is the uid of the device that did the work."""

    devices: tuple[DeviceEnergy, ...] = ()
    primary: str = ""
    reason: str = ""  # why there is no energy at all ("no meter: ...")
    idle_w: dict[str, float] = {}
    absence: str = ""  # the reason in two words, for a table's cell: "no meter", "not timed"
