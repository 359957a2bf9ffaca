"""Pure statistics of repeated measurements; no input, no output, no records.

Everything works on logarithms: relative noise is about the same for slow and fast cells, a ratio becomes a
difference, and an interval never reaches below zero. `docs/statistics.md` says why these methods.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from inferometer.quantiles import CONFIDENCE, t_cdf, t_cdfs, t_quantile

ALPHA = 0.05
ALPHA_TWO_STAGES = (
    0.04  # where the noise chose the number of rounds: 0.05 would be 0.06 then (docs/statistics.md)
)

Floats = NDArray[np.float64]


class Spread(msgspec.Struct, frozen=True, gc=False):
    """How far a log ratio may be off: its estimate, standard error and degrees of freedom."""

    log_ratio: float
    error: float
    dof: float
    known_p: float | None = None  # `p`, where it was computed with those of many others

    @property
    def p(self) -> float:
        """Return the two-sided p-value of "no difference" (Student's t)."""
        if self.known_p is not None:
            return self.known_p
        if not self.error > 0:
            return 1.0 if self.log_ratio == 0 else 0.0
        return 2.0 * t_cdf(-abs(self.log_ratio) / self.error, self.dof)

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the confidence interval of the ratio (not of its logarithm)."""
        reach = t_quantile(confidence, self.dof) * self.error
        return math.exp(self.log_ratio - reach), math.exp(self.log_ratio + reach)


def wider(first: Spread, second: Spread) -> Spread:
    """Return the one of two spreads of a difference that claims less: the wider interval, the larger p-value."""
    lows = [spread.interval()[0] for spread in (first, second)]
    chosen = first if lows[0] <= lows[1] else second
    return msgspec.structs.replace(chosen, known_p=max(first.p, second.p))


@dataclass(frozen=True)
class Prior:
    """What all cells together say about a cell's variance (Smyth 2004, section 3 and 6)."""

    variance: float
    dof: float  # 0: nothing known, ordinary t; infinity: all cells share one variance
    total_dof: float  # of all cells together: no test may claim more

    def moderate(self, variance: float, dof: float) -> tuple[float, float]:
        """Return a cell's moderated variance and its degrees of freedom."""
        if self.dof <= 0:
            return variance, dof
        if math.isinf(self.dof):
            return self.variance, max(self.total_dof, dof)
        mixed = (self.dof * self.variance + dof * variance) / (self.dof + dof)
        return mixed, max(min(self.dof + dof, self.total_dof), dof)

    @property
    def alone(self) -> tuple[float, float] | None:
        """Return variance and degrees of freedom of a cell of which nothing else is known; None: the cells say nothing."""
        return (self.variance, min(self.dof, self.total_dof)) if self.dof > 0 else None


NO_PRIOR = Prior(0.0, 0.0, 0.0)


class Moments(msgspec.Struct, frozen=True, gc=False):
    """What an interval of the mean of repeated values follows from."""

    mean: float
    variance: float | None  # of one value; None for fewer than two
    number: int  # of values
    count: float  # `Units.count`


class Units(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Repeated values (logarithms) and the weight of each in their mean."""

    values: Any  # Floats, which msgspec does not know
    weights: Any  # likewise; they add up to 1
    count: float  # how many equally weighted values would tell the mean as well

    @property
    def mean(self) -> float:
        """Return the weighted mean."""
        return float(self.values @ self.weights)

    @property
    def variance(self) -> float:
        """Return the variance of one value; two at least."""
        return variance_of(self.values)

    @property
    def moments(self) -> Moments:
        """Return mean and variance."""
        number = len(self.values)
        return Moments(self.mean, self.variance if number > 1 else None, number, self.count)


def moments_of_rows(rows: Floats) -> list[Moments]:
    """Return `Units.moments` of each row of rounds of one run, to the last bit."""
    number = rows.shape[1]
    weights, count = _equal_weights(number)
    rest = rows - np.add.reduce(rows, axis=1, keepdims=True) / number
    squares = np.add.reduce(rest * rest, axis=1)
    variances = (squares / (number - 1)).tolist() if number > 1 else [None] * len(rows)
    means = dots(rows, weights).tolist()
    return [Moments(mean, variance, number, count) for mean, variance in zip(means, variances, strict=True)]


def mean_of(values: Floats) -> float:
    """Return the mean as `np.mean` does, without what it takes to find out that the values are few floats (most of its time)."""
    return float(np.add.reduce(values) / len(values))


def variance_of(values: Floats) -> float:
    """Return the variance with ``ddof=1`` as `np.var` does, likewise; two values at least."""
    rest = values - np.add.reduce(values) / len(values)
    return float(np.add.reduce(rest * rest) / (len(values) - 1))


@functools.lru_cache(maxsize=256)
def _equal_weights(count: int) -> tuple[Floats, float]:
    weights = np.full(count, 1 / max(1, count))
    weights.flags.writeable = False  # shared by all that have as many
    return weights, _worth(weights) if count else 0.0


def _worth(weights: Floats) -> float:
    return 1 / float(weights @ weights)


def units(logs: Sequence[float] | Floats, runs: Sequence[int]) -> Units:
    """Return the means of the runs, weighted by their rounds; the rounds themselves where there is but one run."""
    values = np.asarray(logs, dtype=np.float64)
    if len(runs) < 2 or len(set(runs)) < 2:
        return Units(values, *_equal_weights(len(values)))
    _, place, counts = np.unique(runs, return_inverse=True, return_counts=True)
    weights = counts / len(values)
    return Units(np.bincount(place, values) / counts, weights, _worth(weights))


def reach_of_mean(found: Moments, confidence: float = CONFIDENCE) -> float | None:
    """Return the half width of the t interval of the mean; None for fewer than two values."""
    if found.variance is None:
        return None
    return t_quantile(confidence, found.number - 1) * math.sqrt(found.variance / found.count)


def around(value: float, reach: float | None) -> tuple[float | None, float | None]:
    """Return the interval of ``value`` whose logarithm is known to +- ``reach``."""
    if reach is None:
        return None, None
    return value * math.exp(-reach), value * math.exp(min(reach, 700.0))


def fit_prior(variances: Sequence[float], dofs: Sequence[float], total_dof: float | None = None) -> Prior:
    """Fit a scaled inverse chi-squared prior to the cells' sample variances (Smyth 2004, section 6.2).

    ``total_dof``: of independent processes, where several cells come from one process; default: all cells' together.
    With fewer than three cells there is nothing to borrow and the ordinary t test remains.
    """
    from scipy.special import digamma, polygamma

    keep = [(v, d) for v, d in zip(variances, dofs, strict=True) if d > 0 and math.isfinite(v)]
    if len(keep) < 3 or not any(v > 0 for v, _ in keep):
        return NO_PRIOR
    s2 = np.array([v for v, _ in keep])
    half = np.array([d for _, d in keep]) / 2
    s2 = np.maximum(s2, 1e-5 * np.median(s2[s2 > 0]))
    e = np.log(s2) - digamma(half) + np.log(half)
    excess = float(np.var(e, ddof=1) - np.mean(polygamma(1, half)))
    total = float(2 * half.sum()) if total_dof is None else total_dof
    if excess <= 0:
        return Prior(float(np.exp(np.mean(e))), math.inf, total)
    half_dof = _inverse_trigamma(excess)
    variance = math.exp(float(np.mean(e)) + float(digamma(half_dof)) - math.log(half_dof))
    return Prior(variance, 2 * half_dof, total)


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value by Newton's method (Smyth 2004, appendix)."""
    from scipy.special import polygamma

    if value > 1e7:
        return 1 / math.sqrt(value)
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return x


def paired(differences: Units, prior: Prior = NO_PRIOR) -> Spread:
    """Return the spread of a mean of paired log differences (one a round, or a run); needs at least two."""
    variance, dof = prior.moderate(differences.variance, len(differences.values) - 1)
    return Spread(differences.mean, math.sqrt(variance / differences.count), dof)


def dots(first: Floats, second: Floats) -> Floats:
    """Return the product of each row with a row, or with that of the same number, as `@` gives it of the two alone, to the last bit."""
    products: Floats = np.matmul(first[:, None, :], second[..., :, None])
    return products[:, 0, 0]


class Spreads(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Many spreads of as many degrees of freedom, as arrays."""

    log_ratios: Any  # Floats
    errors: Any
    dof: float
    ps: Any


def paired_rows(rows: Floats, prior: Prior = NO_PRIOR) -> Spreads:
    """Return `paired` of each row of differences, one a round of one run; two at least."""
    count = rows.shape[1]
    weights, worth = _equal_weights(count)
    rest = rows - np.add.reduce(rows, axis=1, keepdims=True) / count
    variances: Any = np.add.reduce(rest * rest, axis=1) / (count - 1)
    variance, dof = prior.moderate(variances, count - 1)
    errors = np.sqrt(np.broadcast_to(variance / worth, len(rows)))
    means = dots(rows, weights)
    known = errors > 0
    tails = 2.0 * t_cdfs(-np.abs(means) / np.where(known, errors, np.inf), dof)
    return Spreads(means, errors, dof, np.where(known, tails, np.where(means == 0, 1.0, 0.0)))


def false_discovery(ps: Sequence[float]) -> list[float]:
    """Return p-values adjusted after Benjamini and Hochberg 1995.

    Where nothing differs at all, the chance of any adjusted value below 0.05 is at most 5 %.
    """
    count = len(ps)
    order = sorted(range(count), key=lambda i: ps[i], reverse=True)
    adjusted = [1.0] * count
    smallest = 1.0
    for place, index in enumerate(order):
        smallest = min(smallest, ps[index] * count / (count - place))
        adjusted[index] = smallest
    return adjusted


def families(ps: Sequence[float]) -> float:
    """Return how many families of tests there are for each one that holds a finding (by its p-value; one at least counts).

    Their number among m by Benjamini and Hochberg's rule at `ALPHA`; with findings then judged at `ALPHA` divided by this
    ratio, the false ones stay below `ALPHA` in the families that were chosen (Benjamini and Bogomolov 2014, section 3).
    """
    ranked = sorted(ps)
    chosen = max((k for k, p in enumerate(ranked, 1) if p * len(ps) <= ALPHA * k), default=1)
    return len(ps) / chosen


@dataclass(frozen=True)
class Line:
    """A least-squares line y = intercept + slope * x and its coefficient of determination."""

    slope: float
    intercept: float
    r2: float
    n: int


_CONSTANT = 1e-9  # a relative spread below which values are one and the same


def regress(x: Sequence[float], y: Sequence[float]) -> Line | None:
    """Fit y on x by least squares; None for fewer than two distinct x, and for a constant y: there is nothing to explain."""
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(xs) < 2 or float(np.ptp(xs)) == 0 or float(np.ptp(ys)) <= _CONSTANT * float(np.abs(ys).max()):
        return None
    dx, dy = xs - xs.mean(), ys - ys.mean()
    slope = float(dx @ dy / (dx @ dx))
    r2 = float((dx @ dy) ** 2 / ((dx @ dx) * (dy @ dy)))
    return Line(slope, float(ys.mean() - slope * xs.mean()), r2, len(xs))
