"""Joules of a span from readings of power: their mean times its length, Student's t on the effective number of readings."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from inferometer.energy.integration.anchors import Stamps
from inferometer.energy.integration.joules import Joules
from inferometer.energy.readings import Traits, Window
from inferometer.quantiles import CONFIDENCE, t_quantile

MIN_SAMPLES = 5
_SILENT_PERIODS = 10
_SILENT_S = 1.0


def sampled_energy(window: Window, traits: Traits, start_ns: int, end_ns: int) -> Joules:
    """Return mean power times length; a reading stands for the middle of its averaging window.

    Where readings are too few to tell an interval, the estimate is by those nearby, and the device's largest power is the bound.
    """
    if not len(window.power_w):
        gap = next((b.reason for b in window.breaks if b.touches(start_ns, end_ns)), "")
        return Joules("unresolved", None, 0.0, None, gap or "the meter gave no reading")
    middle = (window.before_ns + window.after_ns) / 2 - (traits.window_s + traits.period_s) / 2 * 1e9
    seconds = (end_ns - start_ns) / 1e9
    inside = (middle >= start_ns) & (middle <= end_ns)
    trouble = _trouble(window, traits, middle, start_ns, end_ns)
    if trouble or np.count_nonzero(inside) < MIN_SAMPLES or seconds < 2 * traits.window_s:
        mean = _mean_nearby(middle, window.power_w, start_ns, end_ns)
        most = max(traits.max_power_w, float(window.power_w.max()))
        return Joules("sampled", mean * seconds, 0.0, most * seconds, trouble)
    watts = window.power_w[inside]
    mean = float(watts.mean())
    effective = _effective_count(watts, seconds, traits)
    ends = abs(float(watts[0]) - mean) + abs(float(watts[-1]) - mean)
    edge = ends * (traits.window_s + traits.period_s) / 2 / seconds
    error = math.hypot(float(watts.std(ddof=1)) / math.sqrt(effective), edge, traits.resolution / 3.5)
    half = t_quantile(CONFIDENCE, effective - 1) * error * seconds
    energy = mean * seconds
    return Joules("sampled", energy, max(energy - half, 0.0), energy + half)


def sampled_visits(
    window: Window, traits: Traits, starts_ns: Stamps, ends_ns: Stamps, covered_ns: Stamps
) -> Joules:
    """Return what visits took together that are in order: readings within any of them tell the power of all.

    Of visits shorter than two updates no reading tells anything for sure.
    """
    if len(starts_ns) == 1:
        share = float(covered_ns[0]) / max(float(ends_ns[0] - starts_ns[0]), 1.0)
        return sampled_energy(window, traits, int(starts_ns[0]), int(ends_ns[0])).part(share)
    seconds = float(covered_ns.sum()) / 1e9
    first, last = int(starts_ns[0]), int(ends_ns[-1])
    if not len(window.power_w):
        return sampled_energy(window, traits, first, last)
    middle = (window.before_ns + window.after_ns) / 2 - (traits.window_s + traits.period_s) / 2 * 1e9
    place = np.searchsorted(starts_ns, middle, "right") - 1
    inside = (place >= 0) & (middle <= ends_ns[np.maximum(place, 0)])
    gap = next((b.reason for b in window.breaks if b.touches(first, last)), "")
    gap = gap or _silence(middle, traits, first, last)
    shortest_s = float((ends_ns - starts_ns).min()) / 1e9
    if gap or np.count_nonzero(inside) < MIN_SAMPLES or shortest_s < 2 * (traits.window_s + traits.period_s):
        passed = np.append(0.0, np.cumsum(np.diff(middle) * (window.power_w[1:] + window.power_w[:-1]) / 2))
        spent = (np.interp(ends_ns, middle, passed) - np.interp(starts_ns, middle, passed)) / 1e9
        energy = float(spent @ (covered_ns / np.maximum(ends_ns - starts_ns, 1)))
        most = max(traits.max_power_w, float(window.power_w.max())) * seconds
        return Joules("sampled", min(energy, most), 0.0, most, gap)
    watts = window.power_w[inside]
    error = float(watts.std(ddof=1)) / math.sqrt(effective := _effective_count(watts, seconds, traits))
    half = t_quantile(CONFIDENCE, effective - 1) * math.hypot(error, traits.resolution / 3.5) * seconds
    energy = float(watts.mean()) * seconds
    return Joules("sampled", energy, max(energy - half, 0.0), energy + half)


def _trouble(window: Window, traits: Traits, middle: NDArray[np.float64], start_ns: int, end_ns: int) -> str:
    """Return why the readings do not cover the span whole, or an empty text."""
    gap = next((b for b in window.breaks if b.touches(start_ns, end_ns)), None)
    if gap is not None:
        return f"{gap.reason} ({max(gap.start_ns - start_ns, 0) / 1e9:.3g} s into the span)"
    return _silence(middle, traits, start_ns, end_ns)


def _silence(middle: NDArray[np.float64], traits: Traits, start_ns: int, end_ns: int) -> str:
    """Return for how long no reading tells of the span, its two ends included, or an empty text.

    The reading next to an end may be as far from it as readings are from one another.
    """
    inside = middle[(middle >= start_ns) & (middle <= end_ns)]
    usual_s = float(np.median(np.diff(inside))) / 1e9 if len(inside) > 1 else 0.0
    gaps_s = np.diff(np.concatenate(([start_ns], inside, [end_ns]))) / 1e9
    limits_s = np.full(len(gaps_s), max(_SILENT_PERIODS * max(traits.period_s, 0.05), _SILENT_S))
    limits_s[[0, -1]] += traits.window_s + max(traits.period_s, usual_s)
    silent_s = gaps_s[gaps_s > limits_s]
    return f"no reading for {silent_s.max():.3g} s within the span" if len(silent_s) else ""


def _mean_nearby(
    middle: NDArray[np.float64], watts: NDArray[np.float64], start_ns: int, end_ns: int
) -> float:
    """Return the mean of the power interpolated between the readings."""
    edges = np.concatenate(([start_ns], middle[(middle > start_ns) & (middle < end_ns)], [end_ns]))
    values = np.interp(edges, middle, watts)
    joules = np.diff(edges) @ (values[1:] + values[:-1]) / 2
    return float(joules / max(end_ns - start_ns, 1))


def _effective_count(watts: NDArray[np.float64], seconds: float, traits: Traits) -> float:
    """Return how many independent readings there are: repeats of one update and correlated ones count once."""
    count = float(len(watts))
    updates = seconds / max(traits.period_s, traits.window_s) if traits.period_s or traits.window_s else count
    centred = watts - watts.mean()
    variance = float(centred @ centred)
    correlation = float(centred[1:] @ centred[:-1]) / variance if variance > 0 else 0.0
    correlation = min(max(correlation, 0.0), 0.95)
    return max(min(count * (1 - correlation) / (1 + correlation), updates), 2.0)
