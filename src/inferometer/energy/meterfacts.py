"""What a meter and its device tell beside joules: how they behave, and the conditions that rode along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from inferometer.energy.sampler import Channel


def describe(channel: Channel) -> dict[str, Any]:
    """Return a meter as stored in run.json: device, traits, and what its reads were seen to cost."""
    device = channel.meter.device
    facts: dict[str, Any] = {
        "uid": device.uid,
        "name": device.name,
        "type": device.type,
        "meter": device.meter,
        **msgspec.to_builtins(channel.meter.traits),
    }
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


def _summarize(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for key in facts[0]:
        values = [f[key] for f in facts if key in f]
        if all(isinstance(v, (int, float)) for v in values):
            summary[key] = [min(values), max(values)]
        else:
            summary[key] = sorted({str(v) for v in values})
    return summary
