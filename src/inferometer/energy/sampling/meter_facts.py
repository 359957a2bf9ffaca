"""What a meter and its device tell beside joules: how they behave, and the conditions that rode along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from inferometer.energy.sampling.channel import Channel
from inferometer.flags import Flag, flag

CLOCK_SHARE = 0.05  # by which a clock must fall, and
WARMING_C = 10  # degrees by which a device must warm, for a reader of the loops to be told


def meter_facts(channel: Channel) -> dict[str, Any]:
    """Return a meter as stored in run.json: device, traits, and what its reads were seen to cost."""
    device = channel.meter.device
    facts: dict[str, Any] = {
        "uid": device.uid,
        "name": device.name,
        "type": device.type,
        "meter": device.meter,
        **msgspec.to_builtins(channel.meter.traits),
    }
    if channel.fast:
        facts["fast"] = True
    if channel.track.failed:
        facts["failed"] = channel.track.failed
    if channel.cost.reads:
        facts |= {
            "reads": channel.cost.reads,
            "read_s": channel.cost.wall_s,
            "read_cpu_s": channel.cost.cpu_s,
        }
    return facts


def conditions(channel: Channel, start_ns: int, end_ns: int) -> dict[str, Any]:
    """Return what rode along between two moments: least and largest of numbers, every distinct text; empty if nothing."""
    facts = [found for at_ns, found in tuple(channel.conditions) if start_ns <= at_ns <= end_ns]
    return _summarize(facts) if facts else {}


def condition_flags(uid: str, facts: dict[str, Any]) -> list[Flag]:
    """Return what a reader must know of `conditions`: throttling, a clock that was not steady, warming."""
    reasons = sorted(set(facts.get("throttle", ())) - {""})
    flags = [flag("throttled", reason=reason, device=uid) for reason in reasons]
    for key, name in (("sm_clock_hz", "SM"), ("memory_clock_hz", "memory")):
        low, high = facts.get(key, (0.0, 0.0))
        if low < (1 - CLOCK_SHARE) * high:
            flags.append(flag("clock-unsteady", clock=name, low_hz=low, high_hz=high))
    low, high = facts.get("temperature_c", (0, 0))
    if high - low >= WARMING_C:
        flags.append(flag("warmed", low_c=low, high_c=high))
    return flags


def _summarize(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for key in facts[0]:
        values = [f[key] for f in facts if key in f]
        if all(isinstance(v, (int, float)) for v in values):
            summary[key] = [min(values), max(values)]
        else:
            summary[key] = sorted({str(v) for v in values})
    return summary
