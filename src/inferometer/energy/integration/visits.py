"""Many visits of one region as one measurement: what they took together, from a counter's updates. Pure.

Two answers, of which the narrower is taken. *Bounds*: each visit lies between the updates around it; visits between the same two
updates share what these counted. They hold whatever the power did. *Regression*: visits fall at random phases of the meter's
updates, so that they cover now more and now less of the time between two of them, and what an update counted grows with that.
The power within visits and that outside are the two slopes of a line, fitted by least squares to each of some groups of
updates that follow one another. The groups' scatter tells the error: a t interval of a few group estimates holds where
neighbours depend on each other and groups differ (Ibragimov and Mueller 2010, Journal of Business & Economic Statistics 28).
It takes for granted that power outside does not depend on how near a visit is. Visits that keep step with the updates are
at no random phase: then what half an update period at each visit would make is added to the interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inferometer.energy.integration.anchors import Anchors, Bounds, Floats, Stamps
from inferometer.energy.integration.integrate import bounds_of, interruption, judged, silence, span_bounds
from inferometer.energy.integration.joules import Joules, combine
from inferometer.energy.integration.phases import in_step
from inferometer.energy.integration.sampled import sampled_visits
from inferometer.energy.readings import WATCHED_FROM_S, Traits, Window
from inferometer.quantiles import t_quantile

Stretch = tuple[int, int, int]  # start, end, and how much of it visits cover (ns)

GROUPS = 8
MIN_UPDATES = 6  # in a group
MIN_VISITS = 4
MISDATED = 0.1  # of the power within: what updates that are all dated wrongly in one way make of even power
MIN_GROUPS = 4
APART = 5  # times as well as its date is known, an update is from the next that the regression takes
TOLD_APART = 0.9  # so sure must the regression be, by t, before it moves the estimate
CONFIDENCE = 0.995  # of the regression's interval: groups are few and what is taken for granted is nearly so


@dataclass(frozen=True)
class Fit:
    """Joules by regression: the estimate, its variance, and the degrees of freedom behind that."""

    energy_j: float
    variance: float
    freedom: float
    systematic_j: float = 0.0  # by how much it may be off besides, the same way in every group


@dataclass(frozen=True)
class VisitsEnergy:
    """What some visits took: bounds with an estimate, and what the regression tells, if it can tell anything."""

    bounded: Joules
    fit: Fit | None = None

    def joules(self) -> Joules:
        """Return the narrower of the two answers, within the bounds; what rests on regression is called estimated."""
        whole, fit = self.bounded, self.fit
        if fit is None or whole.energy_j is None or whole.low_j is None or whole.high_j is None:
            return whole
        half = t_quantile(CONFIDENCE, fit.freedom) * math.sqrt(fit.variance) + fit.systematic_j
        low, high = max(fit.energy_j - half, whole.low_j), min(fit.energy_j + half, whole.high_j)
        if high <= low or high - low > 0.8 * (whole.high_j - whole.low_j):
            return whole
        likely = whole.energy_j + self._told_apart(fit, whole.energy_j)
        return Joules("estimated", min(max(likely, low), high), low, high, whole.reason)

    @staticmethod
    def _told_apart(fit: Fit, even_j: float) -> float:
        """Return how far the regression moves the estimate from that by even power: less, the less it is sure of the difference.

        Not at all within what chance makes of no difference at `TOLD_APART`, and by ever more beyond, as the positive part of
        James and Stein's estimator is; the interval stays that of the regression.
        """
        difference = fit.energy_j - even_j
        doubt = t_quantile(TOLD_APART, fit.freedom) ** 2 * fit.variance + fit.systematic_j**2
        return difference * max(1 - doubt / difference**2, 0.0) if difference else 0.0


def together(parts: Iterable[VisitsEnergy]) -> VisitsEnergy:
    """Return what several sets of visits took: bounds add up, variances of the regressions too; no fit where one has none."""
    known = list(parts)
    if len(known) == 1:
        return known[0]
    fits = [part.fit for part in known if part.fit is not None]
    fit = None
    if len(fits) == len(known):
        variance = sum(f.variance for f in fits)
        spread = sum(f.variance**2 / f.freedom for f in fits)  # Welch and Satterthwaite
        freedom = variance**2 / spread if spread else math.inf
        systematic_j = sum(f.systematic_j for f in fits)
        fit = Fit(sum(f.energy_j for f in fits), variance, freedom, systematic_j)
    return VisitsEnergy(combine([part.bounded for part in known]), fit)


def visits_energy(window: Window, traits: Traits, stretches: Sequence[Stretch]) -> VisitsEnergy:
    """Return what visits took that are in order and do not overlap; one at least."""
    starts, ends, covered = np.array(stretches, np.int64).T
    first, last = int(starts[0]), int(ends[-1])
    if traits.kind == "power":
        return VisitsEnergy(sampled_visits(window, traits, starts, ends, covered))
    if not len(window.energy_j):
        return VisitsEnergy(Joules("unresolved", None, 0.0, None, interruption(window, traits, first, last)))
    bounds = bounds_of(window, traits)
    reason = _trouble(bounds, starts, ends) or silence(window, traits, first, last)
    low, energy, high = _bounded(bounds, traits, (starts, ends, covered))
    bounded = judged(bounds, window, traits, (low, energy, high), reason)
    if len(bounds.anchors) < 2:
        return VisitsEnergy(bounded)
    evenly = traits.period_known and not any(gap.touches(first, last) for gap in bounds.breaks)
    fit = None
    if evenly and not reason:
        fit = _fit(bounds.scheduled, traits, (starts, ends, covered))
    return VisitsEnergy(bounded, fit)


def _trouble(bounds: Bounds, starts: Stamps, ends: Stamps) -> str:
    """Return what went wrong during any visit, or an empty text."""
    for gap in bounds.breaks:
        if ((starts < gap.until_ns) & (ends > gap.start_ns)).any():
            return gap.reason
    return ""


def _bounded(
    bounds: Bounds, traits: Traits, visits: tuple[Stamps, Stamps, Stamps]
) -> tuple[float, float, float]:
    """Return the least, the likely and the most joules of all visits together.

    Visits between the same updates took together no more than these counted, and no less than that without what can have been
    drawn between them.
    """
    starts, ends, covered = visits
    low, likely, high = span_bounds(bounds, traits, starts, ends)
    share = covered / np.maximum(ends - starts, 1)
    first, last = bounds.enclosing(starts, ends)
    heads = np.flatnonzero(np.append(True, first[1:] >= last[:-1]))
    tails = np.append(heads[1:], len(starts)) - 1
    hull_low, _, hull_high = span_bounds(bounds, traits, starts[heads], ends[tails])
    gaps_s = (ends[tails] - starts[heads] - np.add.reduceat(covered, heads)) / 1e9
    lows = np.maximum(low - bounds.largest_w * (ends - starts - covered) / 1e9, 0.0)
    least = np.maximum(np.add.reduceat(lows, heads), hull_low - bounds.largest_w * gaps_s)
    most = np.minimum(np.add.reduceat(high, heads), hull_high)
    middle = np.clip(np.add.reduceat(likely * share, heads), least, np.maximum(most, least))
    return float(least.sum()), float(middle.sum()), float(np.maximum(most, least).sum())


def _fit(anchors: Anchors, traits: Traits, visits: tuple[Stamps, Stamps, Stamps]) -> Fit | None:
    """Return the visits' joules by regression on how much of each interval between updates they cover; None: too few."""
    starts, ends, covered = visits
    if traits.period_s >= WATCHED_FROM_S:
        anchors = _far_apart(anchors)
    origin = int(anchors.since_ns[0])
    edges = np.stack((starts, ends), axis=1).ravel().astype(np.float64) - origin
    seconds = np.repeat(np.cumsum(np.append(0, covered)), 2)[1:-1] / 1e9  # visited by each edge
    at = _mean_over(edges, seconds, anchors.since_ns - origin, anchors.high_ns - origin)
    visited, lasting = np.diff(at), np.diff(anchors.time_ns) / 1e9
    joules = np.diff(anchors.energy_j)
    touched = visited > 0
    whole = visited >= lasting * (1 - 1e-9)  # within a visit from end to end: nothing to be told apart
    near = touched | np.append(touched[1:], False) | np.append(False, touched[:-1])
    near &= ~whole & (lasting > 0)
    most = min(GROUPS, len(starts) // MIN_VISITS, int(np.count_nonzero(near)) // MIN_UPDATES)
    fit = _groups(visited[near], lasting[near], joules[near], most)
    if fit is None:
        return None
    steps_j = 2 * traits.resolution * math.sqrt(len(joules))
    outside_j = float(joules[near].sum()) - fit.energy_j
    outside_s = max(float((lasting - visited)[near].sum()), 1e-9)
    inside_w, outside_w = fit.energy_j / float(visited[near].sum()), outside_j / outside_s
    doubt_w = abs(inside_w - outside_w) + MISDATED * abs(inside_w)
    late_j = doubt_w * len(starts) * traits.period_s / 2 * in_step(anchors, starts, traits.period_s)
    return Fit(fit.energy_j + float(joules[whole].sum()), fit.variance, fit.freedom, late_j + steps_j)


def _far_apart(anchors: Anchors) -> Anchors:
    """Return updates so far from one another that what their dates may be off by is a small share of the time between.

    A regression on lengths with larger errors is biased towards too little power. At no even distance: visits may have one, too.
    """
    spread = np.random.default_rng(0).uniform(0.7, 1.3, len(anchors))
    least_ns = APART * spread * (anchors.high_ns - anchors.since_ns)
    chosen = np.zeros(len(anchors), bool)
    due_ns, latest = -math.inf, 0.0
    for place, (at_ns, apart_ns) in enumerate(zip(anchors.time_ns.tolist(), least_ns.tolist(), strict=True)):
        if at_ns >= max(due_ns, latest + apart_ns) or not place:
            chosen[place], due_ns, latest = True, at_ns + apart_ns, at_ns
    return anchors.only(chosen)


def _groups(visited: Floats, lasting: Floats, joules: Floats, count: int) -> Fit | None:
    """Return the joules of the visited part of intervals between updates, from so many groups of them."""
    total_s = float(visited.sum())
    if count < MIN_GROUPS or not total_s > 0:
        return None
    share = np.cumsum(visited) / visited.sum()
    places = np.minimum((share * count * (1 - 1e-12)).astype(int), count - 1)
    watts, weights = [], []
    for group in range(count):
        mine = places == group
        power = _power_within(visited[mine], (lasting - visited)[mine], joules[mine])
        if power is None:
            return None
        watts.append(power)
        weights.append(float(visited[mine].sum()))
    share = np.array(weights) / sum(weights)
    mean = float(share @ np.array(watts))
    variance = float(share**2 @ (np.array(watts) - mean) ** 2) * count / (count - 1)
    return Fit(mean * total_s, variance * total_s**2, count - 1)


def _power_within(inside: Floats, outside: Floats, joules: Floats) -> float | None:
    """Return the power (W) within visits by least squares; None where nothing tells it from that outside."""
    if len(joules) < 3:
        return None
    a, b, c = float(inside @ inside), float(inside @ outside), float(outside @ outside)
    if not c > 0:
        return float(inside @ joules) / a if a > 0 else None
    determinant = a * c - b * b
    if determinant <= 1e-9 * a * c:
        return None
    return float(c * (inside @ joules) - b * (outside @ joules)) / determinant


def _mean_over(edges: Floats, values: Floats, since: NDArray[np.int64], until: NDArray[np.int64]) -> Floats:
    """Return the mean, over each stretch from ``since`` to ``until``, of what grows in straight lines between edges."""
    area = np.append(0.0, np.cumsum(np.diff(edges) * (values[1:] + values[:-1]) / 2))

    def integral(at: Floats) -> Floats:
        place = np.clip(np.searchsorted(edges, at, "right") - 1, 0, len(edges) - 1)
        reached = np.interp(at, edges, values)
        part = (at - edges[place]) * (values[place] + reached) / 2
        found: Floats = area[place] + np.where(at < edges[0], 0.0, part)
        return found

    low, high = since.astype(np.float64), until.astype(np.float64)
    width = high - low
    spread = np.where(width > 0, width, 1.0)
    return np.where(width > 0, (integral(high) - integral(low)) / spread, np.interp(high, edges, values))
