"""Which devices' joules a cell's energy holds, and what was metered beside them (pure)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from inferometer.records import DeviceEnergy, Energy
from inferometer.records.energy import HOST_TYPES, counted_once, is_strangers
from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate, Key, round_series
from inferometer.results.estimates.energy import meter_reach, metered_rounds

Boundary = Literal["device", "metered"]
BOUNDARIES: tuple[Boundary, ...] = get_args(Boundary)
_SEES_ALL = ("psys", "external")  # a meter of the whole system: what else is metered is in it already
_Rounds = Sequence[tuple[Key, DeviceEnergy]]


@dataclass(frozen=True)
class Part:
    """One metered device of a cell: joules an inference, and whether the stated energy holds them."""

    uid: str
    name: str
    type: str
    meter: str
    source: str
    energy: Estimate | None  # J an inference; None: not known
    included: bool

    @property
    def words(self) -> str:
        """Return the device with its type and meter."""
        return f"{self.name} ({self.type}, {self.meter})"


def parts_of(cell: CellSummary, boundary: Boundary) -> tuple[Part, ...]:
    """Return every metered device of a cell that counts by itself, the one that did the work first.

    "device": that one alone is included, as in every table. "metered": also the host's processors and memory as far as they
    are metered, unless the first is a meter of the whole system, which sees them; a network's only where the host has none.
    """
    good = cell.good
    at_work = metered_rounds(good)
    if not at_work:
        return ()
    metered = [(key, record.energy) for key, record in good if record.energy and key in at_work]
    primary = next(reversed(at_work.values()))
    types = [(d.device_type, d.meter) for _, e in metered for d in e.devices]
    found = [_part(list(at_work.items()), cell.energy_image, included=True)]
    for uid in dict.fromkeys(d.device_uid for _, e in metered for d in _alone(e)):
        if uid != primary.device_uid:
            own = [(key, d) for key, e in metered for d in e.devices if d.device_uid == uid]
            included = boundary == "metered" and _adds(own[0][1], primary, types)
            found.append(_part(own, _estimate(own), included=included))
    return tuple(found)


def _adds(device: DeviceEnergy, primary: DeviceEnergy, types: Sequence[tuple[str, str]]) -> bool:
    """Return whether a device is the host's beside the one at work; ``types``: (type, meter) of all that was metered."""
    strange = is_strangers(device.device_type, device.meter, types)
    return device.device_type in HOST_TYPES and primary.device_type not in _SEES_ALL and not strange


def _part(rounds: _Rounds, energy: Estimate | None, *, included: bool) -> Part:
    first = rounds[0][1]
    sources = ", ".join(dict.fromkeys(str(d.source) for _, d in rounds))
    return Part(
        first.device_uid, first.device_name, first.device_type, first.meter, sources, energy, included
    )


def total(parts: Iterable[Part]) -> Estimate | None:
    """Return the included joules an inference: intervals' ends add up, which holds whatever their errors have in common."""
    included = [part.energy for part in parts if part.included]
    known = [energy for energy in included if energy is not None]
    if not known or len(known) < len(included):
        return None
    return functools.reduce(Estimate.plus, known)


def _alone(energy: Energy) -> list[DeviceEnergy]:
    """Return the devices that count once: of several sockets the whole, not its parts; no GPU beside the one at work."""
    gpu = any(d.device_uid == energy.primary and d.device_type == "gpu" for d in energy.devices)
    return [d for d in counted_once(energy.devices) if not (gpu and d.device_type == "gpu")]


def _estimate(rounds: _Rounds) -> Estimate | None:
    """Return the joules an image; None where a round's are not known."""
    devices = [d for _, d in rounds]
    if not all(d.energy_j and d.energy_j > 0 and d.images and not d.unresolved for d in devices):
        return None
    series = round_series((key, (d.energy_j or 0.0) / d.images) for key, d in rounds)
    source = ", ".join(dict.fromkeys(f"{d.meter} {d.source}" for d in devices))
    return series.estimate("J", source, claimed=meter_reach(devices))
