"""The energy of one cell's loops on one device."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from inferometer.energy.integration.joules import Joules, combine, explained, merge_spans, without_pauses
from inferometer.energy.readings import MeteredDevice
from inferometer.energy.sampling.channel import Channel
from inferometer.records import DeviceEnergy
from inferometer.records.energy import SOCKET_METERS, joined_uid

Span = tuple[int, int, int]  # start and end (CLOCK_MONOTONIC, ns), images inferred within

SAME_LOOP_GAP_NS = 5_000_000
SAME_LOOP_GAP_SHARE = 0.01
UNTOLD_PERIODS = 1.5  # of a meter: a pause so long is not told apart from the work around it


def device_energy(channel: Channel, loops: Sequence[Span], idle_w: Mapping[str, float]) -> DeviceEnergy:
    """Return what the device took over the loops; ``idle_w``: its power at rest by label."""
    device = channel.meter.device
    rest_w = idle_w.get("loaded", idle_w.get("before"))
    seconds = sum(end - start for start, end, _ in loops) / 1e9
    joules = combine(_stretches(channel, loops, rest_w or 0.0))
    joules = explained(joules, channel.meter.traits, seconds)
    return DeviceEnergy(
        device_uid=device.uid,
        device_name=device.name,
        device_type=device.type,
        meter=device.meter,
        source=joules.source,
        seconds=seconds,
        images=sum(images for _, _, images in loops),
        energy_j=joules.energy_j,
        low_j=joules.low_j,
        high_j=joules.high_j,
        idle_w=rest_w,
        reason=joules.reason,
    )


def steady(channel: Channel, start_ns: int, end_ns: int, iteration_s: float = 0.0) -> Joules:
    """Return one device's energy over a stretch of unchanging work, from the readings there are.

    ``iteration_s``: how long a piece of the work takes within which power may vary; 0: not known.
    """
    from inferometer.energy.integration.integrate import steady_energy

    window = channel.track.window(start_ns, end_ns)
    return steady_energy(window, channel.meter.traits, start_ns, end_ns, iteration_s)


def all_packages(packages: Sequence[DeviceEnergy]) -> DeviceEnergy:
    """Return a host's sockets as one device, since work on the CPU may run on any of them."""
    sources = {d.source for d in packages}
    return msgspec.structs.replace(
        packages[0],
        device_uid=joined_uid(d.device_uid for d in packages),
        device_name=" + ".join(d.device_name for d in packages),
        source=sources.pop() if len(sources) == 1 else "unresolved",
        energy_j=_sum([d.energy_j for d in packages]),
        low_j=_sum([d.low_j for d in packages]),
        high_j=_sum([d.high_j for d in packages]),
        idle_w=_sum([d.idle_w for d in packages]),
        reason="; ".join(f"{d.device_name}: {d.reason}" for d in packages if d.reason),
    )


def sockets(devices: Iterable[MeteredDevice]) -> list[list[str]]:
    """Return the uids of the sockets of each host that has several, as one meter counts them.

    A host's sockets are called alike but for their numbers; a core beside its package, or the same socket by another
    meter, is not.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for device in devices:
        meter = device.origin or SOCKET_METERS.get(device.meter, "")
        if device.type == "cpu" and meter:
            found.setdefault((meter, re.sub(r"\d+", "", device.name)), []).append(device.uid)
    return [uids for uids in found.values() if len(uids) > 1]


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def above_idle_j(device: DeviceEnergy, idle_w: Mapping[str, float]) -> float:
    """Return the energy above that of the device at rest, or what is known of it."""
    energy = device.energy_j if device.energy_j is not None else device.low_j or 0.0
    return energy - idle_w.get("before", device.idle_w or 0.0) * device.seconds


def _stretches(channel: Channel, loops: Sequence[Span], idle_w: float) -> list[Joules]:
    """Return the energy of the loops, stretch by stretch; pauses too short for the meter to tell lie within one."""
    traits = channel.meter.traits
    longest_ns = max(end - start for start, end, _ in loops)
    untold_ns = round(UNTOLD_PERIODS * max(traits.period_s, traits.window_s) * 1e9)
    gap_ns = max(SAME_LOOP_GAP_NS, round(longest_ns * SAME_LOOP_GAP_SHARE), untold_ns)
    loop_s = sum(end - start for start, end, _ in loops) / len(loops) / 1e9
    parts = []
    for start, end in merge_spans([(start, end) for start, end, _ in loops], gap_ns):
        work_ns = sum(b - a for a, b, _ in loops if start <= a < end)
        whole = steady(channel, start, end, loop_s)
        parts.append(without_pauses(whole, (end - start) / 1e9, (end - start - work_ns) / 1e9, idle_w))
    return parts
