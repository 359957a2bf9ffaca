"""The worker's share of the processors' energy on a host that others use too: an estimate, beside the whole (pure).

Energy of the packages x the worker's processor time over that of everybody on the host. Who
computes how many joules a second of a processor, and whose the power at rest is, no counter tells: so it is labelled estimated and
has no interval.
"""

from __future__ import annotations

import msgspec

from inferometer.records import DeviceEnergy, Energy, Record
from inferometer.records.energy import SOCKET_METERS, counted_once

TYPE = "share"  # no device: it is in the whole already


def with_worker_share(energy: Energy, record: Record) -> Energy:
    """Return the energy with a share for the processors as a whole, where the worker knew its part of their time."""
    share = _share_of_all(record)
    # of this host's own: a network's meter may be of another
    packages = [d for d in energy.devices if d.device_type == "cpu" and d.meter in SOCKET_METERS]
    wholes = [d for d in counted_once(packages) if d.energy_j is not None]
    if share is None or not wholes:
        return energy
    return msgspec.structs.replace(energy, devices=(*energy.devices, *(_part(d, share) for d in wholes)))


def _share_of_all(record: Record) -> float | None:
    told = record.actual.details.get("processors") if record.actual else None
    share = told.get("own_of_all") if isinstance(told, dict) else None
    return float(share) if isinstance(share, (int, float)) and 0 < share <= 1 else None


def _part(whole: DeviceEnergy, share: float) -> DeviceEnergy:
    return msgspec.structs.replace(
        whole,
        device_uid=f"share:{whole.device_uid}",
        device_name=f"worker's share of {whole.device_name}",
        device_type=TYPE,
        source="estimated",
        energy_j=(whole.energy_j or 0.0) * share,
        low_j=None,
        high_j=None,
        idle_w=None,
        reason=f"{100 * share:.3g} % of all processor time on this host; a model without an interval",
    )
