"""Which devices' joules a cell's energy holds, and what was metered beside them (pure)."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from inferometer.records import DeviceEnergy, Energy
from inferometer.records.energy import HOST_TYPES, counted_once, is_strangers
from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate, round_series
from inferometer.results.estimates.energy import meter_reach

Boundary = Literal["device", "metered"]
BOUNDARIES: tuple[Boundary, ...] = get_args(Boundary)
_SEES_ALL = ("psys", "external")  # a meter of the whole system: what else is metered is in it already


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
    energies = [r.energy for r in cell.records if r.status == "ok" and r.energy and r.energy.devices]
    if not energies:
        return ()
    primary = energies[-1].primary
    whole = any(d.device_uid == primary and d.device_type in _SEES_ALL for d in energies[-1].devices)
    known_types = [(d.device_type, d.meter) for e in energies for d in e.devices]
    found = []
    for uid in dict.fromkeys([primary, *(d.device_uid for e in energies for d in _alone(e))]):
        own = [d for e in energies for d in e.devices if d.device_uid == uid]
        if not own:
            continue
        first, known = own[0], uid == primary
        strange = is_strangers(first.device_type, first.meter, known_types)
        host = boundary == "metered" and first.device_type in HOST_TYPES and not whole and not strange
        energy = cell.energy_image if known else _estimate(own)
        sources = ", ".join(dict.fromkeys(str(d.source) for d in own))
        found.append(
            Part(uid, first.device_name, first.device_type, first.meter, sources, energy, known or host)
        )
    return tuple(found)


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


def _estimate(devices: list[DeviceEnergy]) -> Estimate | None:
    known = [
        d for d in devices if d.energy_j is not None and d.energy_j > 0 and d.images and not d.unresolved
    ]
    if len(known) < len(devices) or not known:
        return None
    series = round_series(((0, number), (d.energy_j or 0.0) / d.images) for number, d in enumerate(known))
    source = ", ".join(dict.fromkeys(f"{d.meter} {d.source}" for d in known))
    return series.estimate("J", source, claimed=meter_reach(known))
