"""Joules of a span of time from a meter's readings: pure arithmetic, no clock, no meter.

Counter. A reading taken between two stamps shows the joules consumed up to the counter's latest update. So each value
that differs from the one before it is an `Anchors` entry: an update whose time lies in a known interval. Consumption
never runs backwards, hence the joules of a span lie between those from its first to its last inner update and those
from the last update before to the first one after it: bounds that hold whatever the power did in between. The
estimate interpolates between updates.

Steady load. Loops that follow one another back to back draw one mean power; its estimate is the slope between the
first and the last update inside, extended to the whole span. Its interval comes from the times of these two updates,
what the two ends may deviate within an iteration, the counter's step, and (where the counter is not known to
integrate) the scatter of the power between updates.

Sampled power. Mean of the readings in the span, times its length; Student's t on the effective number of readings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferometer.energy.integration.joules import SWING, Joules
from inferometer.energy.readings import Traits, Window
from inferometer.quantiles import CONFIDENCE, t_quantile

LATE = 1.25  # an update may come this many periods after the one before it
MIN_SAMPLES = 5
MIN_INTERVALS = 4  # of a counter, for a slope
MIN_UPDATES = 4  # that are well dated: three intervals, so that their scatter has two degrees of freedom
UNRESOLVED = 0.5  # half-width of the interval over the estimate beyond which a span is unresolved
STALL_PERIODS = 10
STALL_S = 1.0


@dataclass(frozen=True)
class Anchors:
    """A counter's updates: each happened between ``low_ns`` and ``high_ns`` (int64 [n]) and showed ``energy_j`` [n]."""

    low_ns: NDArray[np.int64]
    high_ns: NDArray[np.int64]
    energy_j: NDArray[np.float64]

    @property
    def time_ns(self) -> NDArray[np.float64]:
        """Return the middle of each update's interval."""
        return self.low_ns + (self.high_ns - self.low_ns) / 2

    def __len__(self) -> int:
        return len(self.energy_j)


def find_anchors(window: Window, traits: Traits) -> Anchors:
    """Return the updates that the readings show: a reading with a new value dates an update to just before it."""
    if not len(window.energy_j):
        return Anchors(window.before_ns, window.after_ns, window.energy_j)
    changed = np.empty(len(window.energy_j), bool)
    changed[0] = True
    np.not_equal(window.energy_j[1:], window.energy_j[:-1], out=changed[1:])
    late = _latest_update_ns(window, traits, changed)
    if traits.period_s == 0 or traits.push:
        changed[:] = True  # current at every read: an equal value is news as well
    low = window.before_ns - late
    if late:
        low[1:] = np.maximum(low[1:], window.before_ns[:-1])
    return Anchors(low[changed], window.after_ns[changed], window.energy_j[changed])


def _latest_update_ns(window: Window, traits: Traits, changed: NDArray[np.bool_]) -> int:
    """Return how long before a read its update may lie: equal readings prove a longer period than the one stated."""
    late = 0 if traits.push else round(traits.period_s * LATE * 1e9)
    if late and not changed.all():
        first = np.flatnonzero(changed)
        last = np.append(first[1:], len(changed)) - 1
        late = max(late, int((window.before_ns[last] - window.after_ns[first]).max()))
    return late


def span_energy(window: Window, traits: Traits, start_ns: int, end_ns: int) -> Joules:
    """Return the energy of any span; nothing is assumed about the power within it."""
    if traits.kind == "power":
        return _sampled(window, traits, start_ns, end_ns)
    trouble = _interruption(window, traits, start_ns, end_ns)
    anchors = find_anchors(window, traits)
    low, high = bounds(anchors, traits, start_ns, end_ns)
    if trouble or high is None:
        return Joules("unresolved", None, low, None, trouble or "no reading encloses the span")
    times = anchors.time_ns
    first, last = np.interp((start_ns, end_ns), times, anchors.energy_j)
    return _judge(float(last - first), low, high, traits, (end_ns - start_ns) / 1e9)


def steady_energy(
    window: Window, traits: Traits, start_ns: int, end_ns: int, iteration_s: float = 0.0
) -> Joules:
    """Return the energy of back-to-back iterations of ``iteration_s`` each, by the slope between the inner updates."""
    if traits.kind == "power":
        return _sampled(window, traits, start_ns, end_ns)
    trouble = _interruption(window, traits, start_ns, end_ns)
    anchors = find_anchors(window, traits)
    inner = (anchors.low_ns >= start_ns) & (anchors.high_ns <= end_ns)
    if trouble or np.count_nonzero(inner) <= MIN_INTERVALS:
        return span_energy(window, traits, start_ns, end_ns)
    inner = _well_dated(anchors, inner)
    if np.count_nonzero(inner) < MIN_UPDATES:
        return span_energy(window, traits, start_ns, end_ns)
    energy, sigma, freedom = _slope(anchors, inner, traits, (start_ns, end_ns), iteration_s)
    half = t_quantile(CONFIDENCE, freedom) * sigma
    low, high = energy - half, energy + half
    if traits.integrates:  # else what it counted bounds nothing
        least, most = bounds(anchors, traits, start_ns, end_ns)
        low, high = max(low, least), high if most is None else min(high, most)
    return Joules("counter", energy, max(min(low, energy), 0.0), max(high, energy))


def _slope(
    anchors: Anchors, inner: NDArray[np.bool_], traits: Traits, span_ns: tuple[int, int], iteration_s: float
) -> tuple[float, float, float]:
    """Return the energy of the span (J), its standard deviation (J) and the degrees of freedom behind it."""
    start_ns, end_ns = span_ns
    widths = (anchors.high_ns - anchors.low_ns) / 1e9
    times, joules, widths = anchors.time_ns[inner] / 1e9, anchors.energy_j[inner], widths[inner]
    inner_s, total_s = times[-1] - times[0], (end_ns - start_ns) / 1e9
    power = (joules[-1] - joules[0]) / inner_s
    steps_s = np.diff(times)
    freedom = len(steps_s) - 1
    squares = float(np.average((np.diff(joules) / steps_s - power) ** 2, weights=steps_s))
    scatter = math.sqrt(squares * len(steps_s) / freedom)
    ends_s = np.array((times[0] - start_ns / 1e9, end_ns / 1e9 - times[-1]))
    within_s = np.minimum(ends_s, min(iteration_s or math.inf, max(traits.period_s, 1e-3)) / 2)
    variances = [
        (power * total_s / inner_s) ** 2 * float(widths[0] ** 2 + widths[-1] ** 2) / 12,
        (SWING * power) ** 2 * float(np.sum(within_s**2)) / 3,
        scatter**2 * float(np.sum(ends_s**2)),
        2 * traits.resolution**2 / 12,
    ]
    if not traits.integrates:
        variances.append(scatter**2 / (len(times) - 1) * inner_s**2)
    return float(power * total_s), math.sqrt(sum(variances)), freedom


def _well_dated(anchors: Anchors, inner: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return those whose time is known well: at most 1.5 times the uncertainty of the best quarter."""
    widths = anchors.high_ns - anchors.low_ns
    good: NDArray[np.bool_] = inner & (widths <= 1.5 * np.quantile(widths[inner], 0.25))
    good &= np.append(np.diff(anchors.time_ns) > 0, True)
    return good


def bounds(anchors: Anchors, traits: Traits, start_ns: int, end_ns: int) -> tuple[float, float | None]:
    """Return the least and the most that the span can have taken; None: no update encloses it.

    By a moment at least what any update showed must have been counted, and at most that; an update on the other side of the
    moment is off by no more than the device's largest power over the time between.
    """
    at_start, at_end = (_joules_at(anchors, traits, moment) for moment in (start_ns, end_ns))
    if at_start[0] is None or at_end[1] is None:
        first = anchors.energy_j[0] if len(anchors) else 0.0
        known = (at_end[0] or first) - (at_start[1] if at_start[1] is not None else first)
        return max(float(known) - traits.resolution, 0.0), None
    low = (at_end[0] or 0.0) - (at_start[1] if at_start[1] is not None else math.inf)
    return max(low - traits.resolution, 0.0), at_end[1] - at_start[0] + traits.resolution


def _joules_at(anchors: Anchors, traits: Traits, moment_ns: int) -> tuple[float | None, float | None]:
    """Return the least and the most joules counted by a moment; None where no update is before or after it."""
    late_s = (
        np.maximum(anchors.high_ns - moment_ns, 0) / 1e9
    )  # an update may have come so long after the moment
    early_s = np.maximum(moment_ns - anchors.low_ns, 0) / 1e9
    low = high = None
    if (late_s == 0).any():
        low = float(np.max(anchors.energy_j - traits.max_power_w * late_s))
    if (early_s == 0).any():
        high = float(np.min(anchors.energy_j + traits.max_power_w * early_s))
    return low, high


def _judge(energy: float, low: float, high: float, traits: Traits, seconds: float) -> Joules:
    energy = min(max(energy, low), high)
    if high - low > 2 * UNRESOLVED * energy or low <= 0:
        update = f"{traits.period_s * 1e3:.3g} ms" if traits.period_s else "each read"
        return Joules(
            "unresolved",
            None,
            low,
            high,
            f"{seconds * 1e3:.3g} ms is too short for this meter (update: {update})",
        )
    return Joules("counter", energy, low, high)


def _interruption(window: Window, traits: Traits, start_ns: int, end_ns: int) -> str:
    """Return why the readings do not cover the span, or an empty text."""
    if window.breaks:
        gap = window.breaks[0]
        return f"{gap.reason} ({max(gap.start_ns - start_ns, 0) / 1e9:.3g} s into the span)"
    if not len(window.energy_j):
        return "the meter gave no reading"
    if traits.kind == "counter" and traits.period_s:
        return _stall(window, traits, start_ns, end_ns)
    return ""


def _stall(window: Window, traits: Traits, start_ns: int, end_ns: int) -> str:
    """Return that the counter stood still, or told nothing up to an end of the span, for many periods."""
    limit_ns = max(STALL_PERIODS * traits.period_s, STALL_S) * 1e9
    before, after = window.before_ns, window.after_ns
    news = np.flatnonzero(np.append(True, np.diff(window.energy_j) > 0))
    last_of_run = np.append(news[1:], len(before)) - 1
    stood = np.minimum(before[last_of_run], end_ns) - np.maximum(after[news], start_ns)
    if stood.max() > limit_ns:
        at_ns = max(int(after[news[int(stood.argmax())]]), start_ns)
        return f"the meter stopped counting {(at_ns - start_ns) / 1e9:.3g} s into the span"
    if end_ns - after[-1] > limit_ns:
        return f"the meter fell silent {max(after[-1] - start_ns, 0) / 1e9:.3g} s into the span"
    return "the meter was not read until well into the span" if before[0] - start_ns > limit_ns else ""


def _sampled(window: Window, traits: Traits, start_ns: int, end_ns: int) -> Joules:
    """Return mean power times length; a reading stands for the middle of its averaging window."""
    trouble = _interruption(window, traits, start_ns, end_ns)
    middle = (window.before_ns + window.after_ns) / 2 - (traits.window_s + traits.period_s) / 2 * 1e9
    seconds = (end_ns - start_ns) / 1e9
    inside = (middle >= start_ns) & (middle <= end_ns)
    watts = window.power_w[inside]
    if trouble or len(watts) < MIN_SAMPLES or seconds < 2 * traits.window_s:
        reason = trouble or f"{seconds:.3g} s is too short for sampled power ({len(watts)} readings)"
        near = window.power_w if len(window.power_w) and not trouble else np.array([])
        low = float(near.min()) * seconds if len(near) else 0.0
        return Joules("unresolved", None, low, float(near.max()) * seconds if len(near) else None, reason)
    gaps_s = np.diff(middle[inside]) / 1e9
    if gaps_s.max() > max(STALL_PERIODS * max(traits.period_s, 0.05), STALL_S):
        return Joules("unresolved", None, 0.0, None, f"no reading for {gaps_s.max():.3g} s within the span")
    mean = float(watts.mean())
    effective = _effective_count(watts, seconds, traits)
    ends = abs(float(watts[0]) - mean) + abs(float(watts[-1]) - mean)
    edge = ends * (traits.window_s + traits.period_s) / 2 / seconds
    error = math.hypot(float(watts.std(ddof=1)) / math.sqrt(effective), edge, traits.resolution / 3.5)
    half = t_quantile(CONFIDENCE, effective - 1) * error * seconds
    energy = mean * seconds
    return Joules("sampled", energy, max(energy - half, 0.0), energy + half)


def _effective_count(watts: NDArray[np.float64], seconds: float, traits: Traits) -> float:
    """Return how many independent readings there are: repeats of one update and correlated ones count once."""
    count = float(len(watts))
    updates = seconds / max(traits.period_s, traits.window_s) if traits.period_s or traits.window_s else count
    centred = watts - watts.mean()
    variance = float(centred @ centred)
    correlation = float(centred[1:] @ centred[:-1]) / variance if variance > 0 else 0.0
    correlation = min(max(correlation, 0.0), 0.95)
    return max(min(count * (1 - correlation) / (1 + correlation), updates), 2.0)
