"""Joules of a span of time from a meter's readings: pure arithmetic, no clock, no meter.

Any span of a counter. Its joules lie between those from its first to its last inner update and those from the last update
before to the first one after it (`anchors.py`): bounds that hold whatever the power did. The estimate interpolates between
updates. What a break leaves untold (a reset, a stall, wraps unseen) widens the bounds by what the device can have drawn.

Steady load. Loops that follow one another back to back draw one mean power; its estimate is the slope between the
first and the last update inside, extended to the whole span. Its interval comes from the times of these two updates,
what the two ends may deviate within an iteration, the counter's step, and (where the counter is not known to
integrate) the scatter of the power between updates.

Sampled power: `sampled.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inferometer.energy.integration.anchors import (
    Anchors,
    Bounds,
    Floats,
    Stamps,
    find_anchors,
)
from inferometer.energy.integration.joules import SWING, Joules
from inferometer.energy.integration.sampled import sampled_energy
from inferometer.energy.integration.schedule import on_schedule
from inferometer.energy.readings import SELDOM_S, UNKNOWN_S, Break, Traits, Window
from inferometer.quantiles import CONFIDENCE, t_quantile

MIN_INTERVALS = 4  # of a counter, for a slope
MIN_UPDATES = 3  # that are well dated: two intervals, so that their scatter has a degree of freedom
STALL_PERIODS = 10
STALL_S = 1.0


def span_energy(window: Window, traits: Traits, start_ns: int, end_ns: int) -> Joules:
    """Return the energy of any span; nothing is assumed about the power within it.

    Without two updates there is no estimate; the bounds then rest on the device's largest power.
    """
    if traits.kind == "power":
        return sampled_energy(window, traits, start_ns, end_ns)
    if not len(window.energy_j):
        return Joules("unresolved", None, 0.0, None, interruption(window, traits, start_ns, end_ns))
    starts, ends = np.array([start_ns], np.int64), np.array([end_ns], np.int64)
    bounds = bounds_of(window, traits)
    (low,), (energy,), (high,) = span_bounds(bounds, traits, starts, ends)
    reason = interruption(window, traits, start_ns, end_ns)
    return judged(bounds, window, traits, (float(low), float(energy), float(high)), reason)


def judged(
    bounds: Bounds, window: Window, traits: Traits, joules: tuple[float, float, float], reason: str
) -> Joules:
    """Return the least, likely and most joules as a figure, or as bounds alone where fewer than two updates tell none.

    A part of a device may draw nothing for as long as it was read: then that is the figure.
    """
    low, energy, high = joules
    stood = len(bounds.anchors) < 2 and _stood_still(window, traits)
    if len(bounds.anchors) >= 2 or (stood and traits.rests):
        return Joules("counter", energy, low, high, reason)
    why = (
        "the meter did not move: it stands still, or its step is larger"
        if stood
        else "the meter was updated once only"
    )
    return Joules("unresolved", None, low, high, reason or why)


def _stood_still(window: Window, traits: Traits) -> bool:
    """Tell whether a counter showed the same for so long that an update must have come."""
    stood_ns = int(window.before_ns[-1]) - int(window.after_ns[0])
    return stood_ns > traits.oldest_s * 1e9


def bounds_of(window: Window, traits: Traits) -> Bounds:
    """Return what a counter's readings tell of any moments; one reading at least."""
    breaks = _all_breaks(window, traits)
    anchors = find_anchors(window, traits)
    scheduled = on_schedule(anchors, traits.period_s) if traits.period_known and not traits.push else anchors
    # updates that come seldom are dated by reads around them, some better than others
    seldom = traits.period_s >= SELDOM_S and not traits.push
    dated = scheduled.well_dated() if seldom and len(anchors) >= MIN_UPDATES else scheduled
    believed_ns = math.inf if traits.rests else _stall_limit_ns(traits)
    quiet_ns = _quiet_until_ns(window, traits, anchors)
    return Bounds(anchors, scheduled, dated, traits.max_power_w, breaks, quiet_ns, believed_ns)


def _quiet_until_ns(window: Window, traits: Traits, anchors: Anchors) -> float:
    """Return until when readings say that no more was consumed than the last update showed; a break says nothing of what it hides."""
    if not (traits.period_known or traits.rests):
        return 0.0
    begun = [gap.start_ns for gap in window.breaks if gap.until_ns > anchors.high_ns[-1]]
    return min([float(window.before_ns[-1]) - traits.oldest_s * 1e9, *begun])


def _all_breaks(window: Window, traits: Traits) -> list[Break]:
    """Return the breaks by their end, and standstills, but for those within a break that tells the same joules already."""
    told = [gap for gap in window.breaks if gap.untold_j]
    stalls = [s for s in find_stalls(window, traits) if not any(_within(s, gap) for gap in told)]
    return sorted((*window.breaks, *stalls), key=lambda gap: gap.until_ns)


def _within(stall: Break, gap: Break) -> bool:
    return gap.start_ns <= stall.start_ns and stall.until_ns <= gap.until_ns


def span_bounds(
    bounds: Bounds, traits: Traits, starts_ns: Stamps, ends_ns: Stamps
) -> tuple[Floats, Floats, Floats]:
    """Return the least, the likely and the most joules of each span (arrays [n])."""
    low = bounds.least(ends_ns) - bounds.most(starts_ns) - traits.resolution
    high = bounds.most(ends_ns) - bounds.least(starts_ns) + traits.resolution
    high = high + bounds.untold_j(starts_ns, ends_ns)
    if not traits.integrates:  # what it counted bounds nothing: its updates deviate as they are seen to
        half = _unseen_j(bounds, traits, starts_ns, ends_ns)
        low, high = low - half, high + half
    high = np.minimum(high, bounds.drawable_j(starts_ns, ends_ns) + traits.resolution)
    low = np.maximum(low, 0.0)
    high = np.maximum(high, low)
    likely = np.clip(bounds.likely(ends_ns) - bounds.likely(starts_ns), low, high)
    return low, likely, high


def _unseen_j(bounds: Bounds, traits: Traits, starts_ns: Stamps, ends_ns: Stamps) -> Floats:
    """Return by how much a span's joules may be off for what a counter does not look at, by the scatter between updates.

    Too few updates show no scatter; the largest power stands for it.
    """
    anchors = bounds.dated
    steps_s = np.diff(anchors.time_ns) / 1e9
    good = steps_s > 0
    if np.count_nonzero(good) < MIN_UPDATES:
        period_s, off_w = traits.period_s or UNKNOWN_S, bounds.largest_w
    else:
        watts = np.diff(anchors.energy_j)[good] / steps_s[good]
        period_s = float(np.median(steps_s[good]))
        off_w = t_quantile(CONFIDENCE, len(watts) - 1) * float(watts.std(ddof=1))
    updates = (ends_ns - starts_ns) / 1e9 / period_s + 1
    half: Floats = off_w * period_s * np.sqrt(updates)
    return half


def steady_energy(
    window: Window, traits: Traits, start_ns: int, end_ns: int, iteration_s: float = 0.0
) -> Joules:
    """Return the energy of back-to-back iterations of ``iteration_s`` each, by the slope between the inner updates."""
    if traits.kind == "power":
        return sampled_energy(window, traits, start_ns, end_ns)
    trouble = interruption(window, traits, start_ns, end_ns)
    anchors = find_anchors(window, traits)
    inner = (anchors.since_ns >= start_ns) & (anchors.high_ns <= end_ns)
    if trouble or np.count_nonzero(inner) <= MIN_INTERVALS:
        return span_energy(window, traits, start_ns, end_ns)
    inner = _well_dated(anchors, inner)
    if np.count_nonzero(inner) < MIN_UPDATES:
        return span_energy(window, traits, start_ns, end_ns)
    energy, sigma, freedom = _slope(anchors, inner, traits, (start_ns, end_ns), iteration_s)
    half = t_quantile(CONFIDENCE, freedom) * sigma
    low, high = energy - half, energy + half
    if traits.integrates:  # else what it counted bounds nothing
        whole = span_energy(window, traits, start_ns, end_ns)
        least, most = whole.low_j or 0.0, math.inf if whole.high_j is None else whole.high_j
        energy, low, high = min(max(energy, least), most), max(low, least), min(high, most)
    return Joules("counter", energy, max(min(low, energy), 0.0), max(high, energy))


def _slope(
    anchors: Anchors, inner: NDArray[np.bool_], traits: Traits, span_ns: tuple[int, int], iteration_s: float
) -> tuple[float, float, float]:
    """Return the energy of the span (J), its standard deviation (J) and the degrees of freedom behind it."""
    start_ns, end_ns = span_ns
    widths = (anchors.high_ns - anchors.since_ns) / 1e9
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
    widths = anchors.high_ns - anchors.since_ns
    good: NDArray[np.bool_] = inner & (widths <= 1.5 * np.quantile(widths[inner], 0.25))
    good &= np.append(np.diff(anchors.time_ns) > 0, True)
    return good


def interruption(window: Window, traits: Traits, start_ns: int, end_ns: int) -> str:
    """Return why the readings do not cover the span whole, or an empty text."""
    gap = next((b for b in window.breaks if b.touches(start_ns, end_ns)), None)
    if gap is not None:
        return f"{gap.reason} ({max(gap.start_ns - start_ns, 0) / 1e9:.3g} s into the span)"
    if not len(window.energy_j):
        return "the meter gave no reading"
    if traits.kind == "counter" and traits.period_s:
        stall = next((b for b in find_stalls(window, traits, end_ns) if b.touches(start_ns, end_ns)), None)
        return silence(window, traits, start_ns, end_ns) if stall is None else _told(stall, start_ns)
    return ""


def _told(stall: Break, start_ns: int) -> str:
    return f"{stall.reason} {max(stall.start_ns - start_ns, 0) / 1e9:.3g} s into the span"


def silence(window: Window, traits: Traits, start_ns: int, end_ns: int) -> str:
    """Return that the meter told nothing up to an end of the span, for many periods."""
    if traits.kind != "counter" or not traits.period_s:
        return ""
    limit_ns = _stall_limit_ns(traits)
    if end_ns - window.after_ns[-1] > limit_ns:
        return f"the meter fell silent {max(window.after_ns[-1] - start_ns, 0) / 1e9:.3g} s into the span"
    late = window.before_ns[0] - start_ns > limit_ns
    return "the meter was not read until well into the span" if late else ""


def find_stalls(window: Window, traits: Traits, until_ns: int | None = None) -> Sequence[Break]:
    """Return where the counter stood still for many periods: what it missed, if anything, it may never have counted.

    ``until_ns``: the end of what is of interest, by default that of the readings.
    """
    if traits.kind != "counter" or not traits.period_s or traits.push or traits.rests:
        return ()
    if not len(window.energy_j):
        return ()
    before, after = window.before_ns, window.after_ns
    until = int(before[-1]) if until_ns is None else until_ns
    news = np.flatnonzero(np.append(True, np.diff(window.energy_j) > 0))
    last_of_run = np.append(news[1:], len(before)) - 1
    stood = np.minimum(before[last_of_run], until) - after[news]
    return tuple(
        Break(
            int(after[news[place]]),
            int(before[last_of_run[place]]),
            "the meter stopped counting",
            0.0,
            traits.max_power_w * float(stood[place]) / 1e9,
        )
        for place in np.flatnonzero(stood > _stall_limit_ns(traits))
    )


def _stall_limit_ns(traits: Traits) -> float:
    return max(STALL_PERIODS * traits.period_s, STALL_S) * 1e9
