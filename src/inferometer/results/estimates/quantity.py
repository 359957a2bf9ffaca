"""An estimate with its interval, and the values a round that stand behind it."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from inferometer.flags import Flag
from inferometer.quantiles import CONFIDENCE
from inferometer.records import Record
from inferometer.results import stats

Key = tuple[int, int]  # (number of the run, round): a fresh process
Good = Sequence[tuple[Key, Record]]  # those that ended well

WITHIN_ONE_PROCESS = "within one process"
PUBLISHED = "published"


class Estimate(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A value with its 95 % interval (None: not known), SI unit, what it comes from, and how many rounds stand behind."""

    value: float
    low: float | None
    high: float | None
    unit: str
    source: str
    n: int
    remark: Flag | None = None  # what a reader of this very number must know
    upper: float | None = (
        None  # what a limit is held against, where that is not the value; infinity: not shown
    )

    @property
    def half_width(self) -> float | None:
        """Return the larger half of the interval as a share of the value: 0.1 for "±10 %"; None where it is not known."""
        if self.low is None or self.high is None or self.value <= 0:
            return None
        return max(self.high - self.value, self.value - self.low) / self.value

    @property
    def within_one_process(self) -> bool:
        """Return whether its interval comes from one process, and so says nothing of the next one."""
        return self.low is not None and self.n == 1

    def inverse(self, unit: str) -> Estimate:
        """Return the estimate of 1/value."""
        low, high = _invert(self.high), _invert(self.low)
        return Estimate(1 / self.value, low, high, unit, self.source, self.n, self.remark)

    def times(self, factor: float, unit: str) -> Estimate:
        """Return the estimate times a positive number that is taken as exact."""
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return Estimate(self.value * factor, low, high, unit, self.source, self.n, self.remark)

    def plus(self, other: Estimate) -> Estimate:
        """Return the sum of two of one unit: the intervals' ends add up, which holds whatever their errors have in common."""
        low = None if self.low is None or other.low is None else self.low + other.low
        high = None if self.high is None or other.high is None else self.high + other.high
        source = ", ".join(dict.fromkeys((self.source, other.source)))
        value, count = self.value + other.value, min(self.n, other.n)
        return Estimate(value, low, high, self.unit, source, count, self.remark or other.remark)


def _invert(value: float | None) -> float | None:
    return 1 / value if value else None


class Series(msgspec.Struct, frozen=True, gc=False):
    """Natural logarithms of one quantity, one a round, keyed so that two cells can be paired by round."""

    keys: tuple[Key, ...]
    logs: tuple[float, ...]

    @property
    def processes(self) -> int:
        """Return how many fresh processes stand behind it."""
        return len(self.keys)

    @property
    def runs(self) -> int:
        """Return over how many runs its rounds are spread."""
        return len(runs_of(self.keys))

    @property
    def repeats(self) -> int:
        """Return how many values `units` has."""
        return self.runs if self.runs > 1 else len(self.keys)

    @property
    def units(self) -> stats.Units:
        """Return what is repeated at the highest level: the runs' means where several were pooled, else the rounds.

        Rounds of one run share what that run happened to get, as loops share their process (Kalibera and Jones, Rigorous
        Benchmarking in Reasonable Time, 2013, section 6).
        """
        runs = runs_of(self.keys)
        return stats.units(self.logs, [run for run, _ in self.keys] if len(runs) > 1 else runs)

    def by_run(self) -> Series:
        """Return one value a run, the mean of its rounds."""
        runs: dict[int, list[float]] = {}
        for (run, _), log in zip(self.keys, self.logs, strict=True):
            runs.setdefault(run, []).append(log)
        return Series(tuple((run, 0) for run in runs), tuple(sum(v) / len(v) for v in runs.values()))

    def scaled(self, sign: int) -> Series:
        """Return the series of the quantity to the power ``sign``."""
        return self if sign == 1 else Series(self.keys, tuple(sign * x for x in self.logs))

    def plus(self, other: Series) -> Series:
        """Return the series of the product, over the rounds both have."""
        if self.keys == other.keys:
            return Series(self.keys, tuple(map(operator.add, self.logs, other.logs)))
        theirs = dict(zip(other.keys, other.logs, strict=True))
        pairs = [(k, x + theirs[k]) for k, x in zip(self.keys, self.logs, strict=True) if k in theirs]
        return Series(tuple(k for k, _ in pairs), tuple(x for _, x in pairs))

    def estimate(
        self, unit: str, source: str, *, claimed: float | None = None, within: float | None = None
    ) -> Estimate:
        """Return `Repeated.estimate`, of this series alone."""
        return Repeated(self).estimate(unit, source, claimed=claimed, within=within)


class Repeated:
    """A series with mean and variance of its `units`, that `compute` finds of many at once."""

    __slots__ = ("moments", "series")

    def __init__(self, series: Series) -> None:
        self.series = series
        self.moments: stats.Moments | None = None

    @classmethod
    def compute(cls, several: Sequence[Repeated]) -> None:
        """Compute the moments, those of series with as many rounds of one run at once."""
        alike: dict[int, list[Repeated]] = {}
        for one in several:
            if one.series.keys and one.series.runs < 2:
                alike.setdefault(len(one.series.keys), []).append(one)
        for same in alike.values():
            rows = np.array([one.series.logs for one in same])
            for one, found in zip(same, stats.moments_of_rows(rows), strict=True):
                one.moments = found

    @property
    def mean(self) -> float:
        """Return the mean logarithm."""
        return self._known.mean

    def reach(self, confidence: float = CONFIDENCE) -> float | None:
        """Return the half width of the interval of the mean (log); None for fewer than two."""
        return stats.reach_of_mean(self._known, confidence)

    def estimate(
        self, unit: str, source: str, *, claimed: float | None = None, within: float | None = None
    ) -> Estimate:
        """Return the geometric mean over rounds with its interval; of one round that ``within`` its process.

        ``claimed``: the half width (log) that a meter claims: an error common to all rounds, which no number of them averages
        out, so it is added in quadrature. ``within``: that of the loops of one process, None where it is not known.
        """
        known = self._known
        reach = stats.reach_of_mean(known)
        if reach is None:
            reach, source = within, WITHIN_ONE_PROCESS if source == "rounds" else source
        if claimed is not None:
            reach = math.hypot(reach or 0.0, claimed)
        value = float(f"{math.exp(known.mean):.14g}")  # what the logarithm added is no digit of the figure
        low, high = stats.around(value, reach)
        return Estimate(value, low, high, unit, source, len(self.series.keys))

    @property
    def _known(self) -> stats.Moments:
        if self.moments is None:
            self.moments = self.series.units.moments
        return self.moments


class PrepareEstimate(msgspec.Struct, frozen=True, gc=False):
    """Seconds from nothing to ready, and of what: means over rounds (those with a cold compile cache, if any)."""

    total: Estimate
    load_s: float
    compile_s: float
    first_run_s: float


@functools.lru_cache(maxsize=1024)
def runs_of(keys: tuple[Key, ...]) -> tuple[int, ...]:
    """Return the runs that rounds are of: most series of a run have the same rounds."""
    return tuple(dict.fromkeys(run for run, _ in keys))


def product(series: Mapping[str, Series], terms: Sequence[tuple[str, int]]) -> Series | None:
    """Return the product of some series, each to the power 1 or -1; None where one is missing or no round has all."""
    joined: Series | None = None
    for name, sign in terms:
        if name not in series:
            return None
        factor = series[name].scaled(sign)
        joined = factor if joined is None else joined.plus(factor)
    return joined if joined and joined.keys else None


def round_series(values: Iterable[tuple[Key, float]]) -> Series:
    """Return the series of positive, finite values, one a round."""
    pairs = list(values)
    return series_of(tuple([key for key, _ in pairs]), [value for _, value in pairs])


def series_of(keys: tuple[Key, ...], values: Sequence[float]) -> Series:
    """Return the series of the positive, finite ones of values, one a round."""
    if values and min(values) > 0 and sum(values) < math.inf:  # which no value that is not a number passes
        return Series(keys, tuple(map(math.log, values)))
    logs = tuple([math.log(value) for value in values if 0 < value < math.inf])
    if len(logs) < len(keys):
        keys = tuple([key for key, value in zip(keys, values, strict=True) if 0 < value < math.inf])
    return Series(keys, logs)
