"""Energy and power of the device that did the work, over the timed loops."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from inferometer.flags import Flag, flag
from inferometer.records import DeviceEnergy, Record
from inferometer.records.energy import uids_in, width_text
from inferometer.results.estimates.quantity import (
    Estimate,
    Good,
    Key,
    Repeated,
    Series,
    round_series,
    series_of,
)
from inferometer.results.estimates.together import Steps
from inferometer.units import counted, listed

NOT_METERED = "not metered"


def _primary(record: Record) -> DeviceEnergy | None:
    """Return the energy of the device that did the work; None if it was not metered, whatever others took meanwhile.

    At rest it draws what it drew before all work: with a model in memory some rows are known at rest and others are not.
    """
    metered = record.energy
    if metered is None or not metered.devices or (metered.reason and not metered.primary):
        return None
    first = metered.devices[0]
    own = next((d for d in metered.devices if d.device_uid == metered.primary), first)
    rest_w = metered.idle_w.get("before") if metered.idle_w else own.idle_w
    return own if own.idle_w == rest_w else replace(own, idle_w=rest_w)


def energy(good: Good) -> Steps[dict[str, Any]]:
    """Find power and idle power [W], and energy an image, gross and net of idle [J], of the primary device.

    Or the reason why there is none.
    """
    metered = [(key, device) for key, record in good if (device := _primary(record))]
    resolved, meter, remark = _of_one_meter(_resolved(metered))
    if not resolved:
        return _why_none([record for _, record in good], [d for _, d in metered])
    if resolved[0][1].unresolved:
        return {"meter": meter} | _wide([device for _, device in resolved])
    claimed = meter_reach([d for _, d in resolved])
    source = _sources([d for _, d in resolved])
    series = _series(resolved)
    known = {name: Repeated(one) for name, one in series.items()}
    yield list(known.values())
    fields: dict[str, Any] = {
        name: _remarked(known[name].estimate(unit, source, claimed=claimed), remark)
        for name, unit in (("power", "W"), ("energy_image", "J"))
        if name in known
    }
    fields |= {"meter": meter, "_series": series}
    if "idle_power" in known:
        fields["idle_power"] = known["idle_power"].estimate("W", "rounds")
    fields |= _worker_share(good, resolved)
    if "energy_image" in series:
        fields |= yield from _net(fields, resolved, claimed or 0.0)
    return fields


def metered_rounds(good: Good) -> dict[Key, DeviceEnergy]:
    """Return the device that did the work in each round that power and energy are known of, all by the one meter."""
    found = [(key, device) for key, record in good if (device := _primary(record))]
    return dict(_of_one_meter(_resolved(found))[0])


def _resolved(metered: Sequence[tuple[Key, DeviceEnergy]]) -> list[tuple[Key, DeviceEnergy]]:
    """Return the rounds with an energy; those known roughly only where there are no others."""
    known = [(k, d) for k, d in metered if d.energy_j is not None and d.energy_j > 0 and d.seconds > 0]
    return [(k, d) for k, d in known if not d.unresolved] or known


def _series(resolved: Sequence[tuple[Key, DeviceEnergy]]) -> dict[str, Series]:
    """Return power, power at rest and energy an image, as far as all is known that they take."""
    keys = tuple([key for key, _ in resolved])
    series = {"power": series_of(keys, [(d.energy_j or 0.0) / d.seconds for _, d in resolved])}
    idle = round_series([(key, d.idle_w) for key, d in resolved if d.idle_w is not None])
    if idle.keys:
        series["idle_power"] = idle
    if all(d.images for _, d in resolved):
        series["energy_image"] = series_of(keys, [(d.energy_j or 0.0) / d.images for _, d in resolved])
    return series


def _sources(devices: Sequence[DeviceEnergy]) -> str:
    return ", ".join(
        f"{meter} {source}" for meter, source in dict.fromkeys((d.meter, d.source) for d in devices)
    )


def _wide(devices: Sequence[DeviceEnergy]) -> dict[str, Any]:
    """Return power and energy an image where the meter knows each round's roughly: with its interval, and not to be judged by."""
    joules = sum(d.energy_j or 0.0 for d in devices)
    low = sum(d.low_j or 0.0 for d in devices)
    high = None if any(d.high_j is None for d in devices) else sum(d.high_j or 0.0 for d in devices)
    remark = flag("wide-energy", width=width_text(joules, low, high), reason=devices[0].reason)
    source = _sources(devices)

    def per(amount: float, unit: str) -> Estimate:
        top = None if high is None else high / amount
        return Estimate(joules / amount, low / amount, top, unit, source, len(devices), remark)

    fields = {"power": per(sum(d.seconds for d in devices), "W")}
    if all(d.images for d in devices):
        fields["energy_image"] = per(sum(d.images for d in devices), "J")
    return fields


def _worker_share(good: Good, resolved: Sequence[tuple[Key, DeviceEnergy]]) -> dict[str, Any]:
    """Return the worker's estimated share [J an image] of the processors' energy that is told; nothing where there is none."""
    parts = [
        (key, device)
        for key, record in good
        for device in (record.energy.devices if record.energy else ())
        if device.device_type == "share" and device.images
    ]
    if not parts:
        return {}
    wholes = {key: f"share:{device.device_uid}" for key, device in resolved}
    shares = [(key, device) for key, device in parts if device.device_uid == wholes.get(key)]
    series = round_series((key, (d.energy_j or 0.0) / d.images) for key, d in shares)
    return {"energy_share": series.estimate("J", "estimated")} if series.keys else {}


def _net(
    fields: dict[str, Any], resolved: Sequence[tuple[Key, DeviceEnergy]], claimed: float
) -> Steps[dict[str, Any]]:
    """Find the energy an image [J] beyond what the device takes at rest; nothing if that is unknown or all of it.

    The meter's claim is of the gross energy: what is unsure of the power at rest is not in the interval.
    """
    if any(d.idle_w is None for _, d in resolved):
        return {}
    gross: Estimate = fields["energy_image"]
    net = [((d.energy_j or 0.0) - (d.idle_w or 0.0) * d.seconds) / d.images for _, d in resolved]
    rest = max((d.idle_w or 0.0) * d.seconds / d.images for _, d in resolved)
    if min(net) <= 0 or (gross.low is not None and gross.low <= rest):  # cannot be told from rest
        return {}
    series = series_of(tuple([key for key, _ in resolved]), net)
    fields["_series"]["energy_net"] = series
    rounds = Repeated(series)
    yield [rounds]
    widened = math.log1p(math.expm1(claimed) * gross.value / math.exp(rounds.mean))
    return {"energy_net": _remarked(rounds.estimate("J", gross.source, claimed=widened), gross.remark)}


def _remarked(estimate: Estimate, remark: Flag | None) -> Estimate:
    return replace(estimate, remark=remark) if remark else estimate


def _of_one_meter(
    resolved: Sequence[tuple[Key, DeviceEnergy]],
) -> tuple[list[tuple[Key, DeviceEnergy]], str, Flag | None]:
    """Return the rounds of the meter with most of them, its name, and a remark on those of others.

    A wall meter and a processor's own counter measure different things: their joules have no mean.
    """
    rounds: dict[str, list[tuple[Key, DeviceEnergy]]] = {}
    for key, device in resolved:
        name = meter_name(device.device_uid, device.device_type, device.meter)
        rounds.setdefault(name, []).append((key, device))
    meter = max(rounds, key=lambda name: len(rounds[name]), default="")
    others = [f"{counted(len(found), 'round')} by {name}" for name, found in rounds.items() if name != meter]
    remark = flag("one-meter", meter=meter, others=listed(others)) if others else None
    return rounds.get(meter, []), meter, remark


@functools.lru_cache(maxsize=256)
def meter_name(uid: str, device_type: str, meter: str) -> str:
    """Return what a device's joules are those of; one socket is not the whole of two."""
    parts = len(uids_in(uid)) if device_type == "cpu" else 1
    packages = f", {parts} packages" if parts > 1 else ""
    return f"{meter} ({device_type}{packages})"


def meter_reach(devices: Sequence[DeviceEnergy]) -> float | None:
    """Return the largest half width (log) that the meter itself claims."""
    reaches = [
        max(math.log(d.high_j / d.energy_j), math.log(d.energy_j / d.low_j))
        for d in devices
        if d.energy_j and d.low_j and d.high_j and d.low_j > 0 and d.high_j > 0
    ]
    return max(reaches, default=None)


def _why_none(records: Sequence[Record], metered: Sequence[DeviceEnergy]) -> dict[str, Any]:
    """Return why there is no energy, whole and in two words."""
    if metered:
        first = metered[0]
        why = f"{first.source}: {first.reason}" if first.reason else str(first.source)
        return {"energy_reason": why, "energy_absence": str(first.source)}
    told = [r.energy for r in records if r.energy and r.energy.reason]
    if told:
        return {"energy_reason": told[0].reason, "energy_absence": told[0].absence or NOT_METERED}
    return {"energy_reason": NOT_METERED, "energy_absence": NOT_METERED}
