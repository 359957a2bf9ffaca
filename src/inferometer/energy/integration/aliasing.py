"""Meters that see a part of the time only, and loops that keep step with them."""

from __future__ import annotations

from collections.abc import Sequence

from inferometer.energy.readings import Traits
from inferometer.energy.sampling.channel import Channel
from inferometer.flags import Flag, flag
from inferometer.worker.phase_shift import ALIASING_LIMIT, find_aliasing


def partial_period_s(traits: Traits) -> float:
    """Return the update period (s) of a meter that looks at a part of it; 0 if all of the time counts.

    That is a counter not known to integrate, or power that is averaged over less than its update period.
    """
    if traits.kind == "counter":
        return 0.0 if traits.integrates else traits.period_s
    return traits.period_s if traits.window_s < traits.period_s else 0.0


def aliasing_flag(channel: Channel, spans: Sequence[tuple[int, int]], batches: float) -> Flag | None:
    """Return a warning where the meter saw one part of each loop, or of each batch, too often; None if not.

    ``spans``: start and end of each loop (ns), with so many batches in it.
    """
    if not spans or not partial_period_s(channel.meter.traits):
        return None
    first_ns = spans[0][0]
    placed = [((start - first_ns) / 1e9, (end - start) / 1e9) for start, end in spans]
    loop_s = sum(length_s for _, length_s in placed) / len(placed)
    found = [
        b
        for b in find_aliasing(loop_s, batches, (channel.period_s,))
        if b.concentration(placed) > ALIASING_LIMIT
    ]
    if not found:
        return None
    piece_s = found[-1].piece_s
    return flag(
        "aliasing",
        device=channel.meter.device.uid,
        pieces="loops" if piece_s == loop_s else "batches",
        piece_s=piece_s,
        period_s=channel.period_s,
    )
