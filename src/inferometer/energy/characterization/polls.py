"""A meter polled as fast as it answers, and what that shows: its updates, its reads, its averaging window."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferometer.energy.readings import Meter, read_value
from inferometer.energy.sampling.clock import Clock


@dataclass(frozen=True)
class Trace:
    """Polls of a meter: when each began and ended (s, CLOCK_MONOTONIC) and what it said; arrays [n]."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    values: NDArray[np.float64]
    cpu_s: float = 0.0  # processor time of all reads


def poll(meter: Meter, clock: Clock, seconds: float, pause_s: float = 0.001) -> Trace:
    """Read the meter as often as ``pause_s`` between reads allows."""
    starts, ends, values = [], [], []
    cpu_ns = 0
    end_ns = clock.now_ns() + round(seconds * 1e9)
    while (now_ns := clock.now_ns()) < end_ns:
        cpu_before = clock.cpu_ns()
        values.append(read_value(meter))
        cpu_ns += clock.cpu_ns() - cpu_before
        starts.append(now_ns)
        ends.append(clock.now_ns())
        clock.wait(clock.now_ns() + round(pause_s * 1e9), threading.Event())
    return Trace(np.array(starts) / 1e9, np.array(ends) / 1e9, np.array(values), cpu_ns / 1e9)


def updates_of(trace: Trace) -> dict[str, float]:
    """Return a meter's update period and its jitter (s) from polls, and what a read takes (s: wall, processor)."""
    changed = np.flatnonzero(np.diff(trace.values) != 0) + 1
    moments = (trace.start_s[changed - 1] + trace.end_s[changed]) / 2
    periods = np.diff(moments)
    facts = {
        "reads": float(len(trace.values)),
        "read_s": float(np.median(trace.end_s - trace.start_s)),
        "read_p99_s": float(np.quantile(trace.end_s - trace.start_s, 0.99)),
        "read_cpu_s": trace.cpu_s / len(trace.values),
        "updates": float(len(moments)),
    }
    if len(periods) >= 3:
        facts["period_s"] = float(np.median(periods))
        facts["jitter_s"] = float(np.std(periods))
    return facts


def window_of(trace: Trace, step_s: float) -> float | None:
    """Return how long a power reading averages (s), from its answer to a step of the load at ``step_s``; None: no step.

    A mean over a window w climbs linearly within w: from 10 % to 90 % of the step in 0.8 w.
    """
    before = trace.values[trace.start_s < step_s]
    after = trace.values[trace.start_s > trace.start_s[-1] - 0.5]
    if not len(before) or not len(after):
        return None
    low, high = float(np.median(before)), float(np.median(after))
    noise = float(np.std(before)) + float(np.std(after))
    if high - low < 5 * noise + 1e-9:
        return None
    share = (trace.values - low) / (high - low)
    late = trace.start_s >= step_s
    reach = [trace.start_s[late & (share >= level)] for level in (0.1, 0.9)]
    return float((reach[1][0] - reach[0][0]) / 0.8) if len(reach[1]) else None


def mean_between_updates(trace: Trace) -> float | None:
    """Return a counter's mean power (W) over the second half of its updates; None where too few are seen."""
    changed = np.flatnonzero(np.diff(trace.values) != 0) + 1
    chosen = changed[len(changed) // 2 :]
    if len(chosen) < 2:
        return None
    first, last = chosen[0], chosen[-1]
    return float((trace.values[last] - trace.values[first]) / (trace.end_s[last] - trace.end_s[first]))
