"""Statistics of the samples of one process, of which those in a row are alike: percentiles and their bounds (pure)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from inferometer.quantiles import CONFIDENCE
from inferometer.results import stats
from inferometer.results.stats import Floats

QUANTILES = (5, 25, 50, 75, 95, 99)  # percentiles by which a cell's latencies are drawn


def effective_count(values: Sequence[float] | Floats) -> float:
    """Return how many independent values tell as much: n (1 - r) / (1 + r) of n with lag-1 autocorrelation r >= 0.

    Of a first-order autoregression; Wilks, Statistical Methods in the Atmospheric Sciences, 2011, section 5.2.4.
    """
    return effective_counts(np.asarray(values, dtype=np.float64)[None, :])[0]


def effective_counts(rows: Floats) -> list[float]:
    """Return `effective_count` of each row of values."""
    count = rows.shape[1]
    if count < 3:
        return [float(count)] * len(rows)
    with np.errstate(over="ignore", invalid="ignore"):  # of damaged records: as good as one value
        centred = rows - np.add.reduce(rows, axis=1, keepdims=True) / count
        sizes = np.add.reduce(np.abs(rows), axis=1) / count
        squares, lagged = stats.dots(centred, centred), stats.dots(centred[:, 1:], centred[:, :-1])
        varies = squares > (1e-9 * sizes) ** 2 * count
        correlations = np.minimum(np.maximum(lagged / np.where(varies, squares, np.inf), 0.0), 0.99)
        worth: list[float] = np.fmax(1.0, count * (1 - correlations) / (1 + correlations)).tolist()
    return worth


def percentiles(rows: Floats, levels: Sequence[float]) -> list[Floats]:
    """Return each level's percentile of every row as `np.percentile` does, without what takes most of its time."""
    return percentiles_of_ordered(np.sort(rows, axis=1), levels)


def percentiles_of_ordered(ordered: Floats, levels: Sequence[float]) -> list[Floats]:
    """Return `percentiles` of rows whose values are in order."""
    below, above, shares = _between(tuple(levels), ordered.shape[1])
    low, high = ordered[:, below], ordered[:, above]
    with np.errstate(invalid="ignore"):  # beside what is infinite
        step = high - low
        found = np.where(shares >= 0.5, high - step * (1 - shares), low + step * shares)
    found = np.where(np.isnan(found), np.where(shares > 0, high, low), found)
    return list(found.T)


@functools.lru_cache(maxsize=1024)
def _between(levels: tuple[float, ...], count: int) -> tuple[list[int], list[int], Floats]:
    """Return between which two of ``count`` values in order each level's percentile lies, and how far from the first to the second."""
    places = [level / 100 * (count - 1) for level in levels]
    below = [math.floor(at) for at in places]
    shares = np.array([at - first for at, first in zip(places, below, strict=True)])
    shares.flags.writeable = False  # shared by all that have as many
    return below, [min(first + 1, count - 1) for first in below], shares


def enough_for(quantile: float) -> int:
    """Return how many values a quantile above the median takes: so many that ten of them lie beyond it."""
    return math.ceil(round(10 / (1 - quantile), 6))


def place_of_bound(number: int, quantile: float, worth: float, confidence: float = CONFIDENCE) -> int | None:
    """Return at which place of so many samples in order the value is that a quantile does not exceed; None for too few.

    With one-sided ``confidence``, by order statistics (Hahn and Meeker, Statistical Intervals, 1991, section 5.2), as MLPerf Inference
    stops early: a p99 takes 299 samples at 95 %, and 459 at 99 %. ``worth``: how many independent samples they tell as much as
    (`effective_count`); the samples beyond the bound are taken to come in bunches accordingly.
    """
    count = int(min(worth, number))
    allowed = _allowed_beyond(count, quantile, confidence)
    return None if allowed is None else number - 1 - math.floor(allowed * number / max(count, 1))


@functools.lru_cache(maxsize=4096)
def _allowed_beyond(count: int, quantile: float, confidence: float) -> int | None:
    """Return how many of ``count`` independent samples may lie above a bound on the quantile; None where not even none may."""
    from scipy.special import bdtr

    beyond = np.arange(max(1, math.ceil(count * (1 - quantile))) + 1)
    chance = bdtr(beyond, count, 1 - quantile)  # that so many or fewer are above the true quantile
    allowed = beyond[chance <= 1 - confidence]
    return int(allowed[-1]) if len(allowed) else None
