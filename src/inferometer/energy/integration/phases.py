"""Whether visits keep step with a meter's updates. Pure."""

from __future__ import annotations

import math

import numpy as np

from inferometer.energy.integration.anchors import Anchors, Floats, Stamps

DATED = 0.25  # of a period, within which updates must be known for the phases of visits to be seen
DOUBT = 0.05  # of a period that is known from a burst of reads
CANDIDATES = 201
LOOKED_AT = 1000  # visits


def in_step(anchors: Anchors, starts_ns: Stamps, period_s: float) -> float:
    """Return how far visits keep step with updates: 0 where their phases are spread as by chance, 1 where they are all one.

    Where updates are not seen one by one, any period near the known one with which the visits keep step counts: a program
    whose visits come as regularly as updates may do so.
    """
    starts = starts_ns[:: max(len(starts_ns) // LOOKED_AT, 1)]
    widths, steps = anchors.high_ns - anchors.since_ns, np.diff(anchors.time_ns)
    if (
        period_s
        and len(steps)
        and float(np.median(widths)) < DATED * float(np.median(steps))
        and (float(np.median(steps)) < 2 * period_s * 1e9)
    ):
        times = anchors.time_ns
        place = np.clip(np.searchsorted(times, starts, "right") - 1, 0, len(steps) - 1)
        found = _concentration((starts - times[place]) / np.maximum(steps[place], 1))
        return _beyond_chance(found, len(starts), 1)
    passed_s = (starts - starts[0]) / 1e9
    periods = max(period_s, 1e-6) * np.linspace(1 - DOUBT, 1 + DOUBT, CANDIDATES)
    found = max(_concentration(passed_s / period) for period in periods)
    return _beyond_chance(found, len(starts), CANDIDATES)


def _concentration(phases: Floats) -> float:
    """Return the length of the mean of the phases as directions (Rayleigh): 1 where all are one."""
    return float(abs(np.exp(2j * math.pi * phases).mean()))


def _beyond_chance(found: float, count: int, looks: int) -> float:
    chance = min(math.sqrt((3 + math.log(looks)) / count), 0.99)  # exceeded once in twenty
    return max(found - chance, 0.0) / (1 - chance)
