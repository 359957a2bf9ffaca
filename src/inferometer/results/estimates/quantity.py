"""An estimate with its interval, and the values a round that stand behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inferometer.flags import Flag
from inferometer.records import Record

Key = tuple[int, int]  # (number of the run, round): a fresh process
Good = Sequence[tuple[Key, Record]]  # those that ended well

WITHIN_ONE_PROCESS = "within one process"
PUBLISHED = "published"


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval (None: not known), SI unit, what it comes from, and how many rounds stand behind."""

    value: float
    low: float | None
    high: float | None
    unit: str
    source: str
    n: int
    remark: Flag | None = None  # what a reader of this very number must know

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


def _invert(value: float | None) -> float | None:
    return 1 / value if value else None


@dataclass(frozen=True)
class Series:
    """Natural logarithms of one quantity, one a round, keyed so that two cells can be paired by round.

    ``within``: they are loops of a single process instead, which say nothing about the next process.
    """

    keys: tuple[Key, ...]
    logs: tuple[float, ...]
    within: bool = False

    @property
    def processes(self) -> int:
        """Return how many fresh processes stand behind it."""
        return len(set(self.keys))

    def scaled(self, sign: int) -> Series:
        """Return the series of the quantity to the power ``sign``."""
        return self if sign == 1 else Series(self.keys, tuple(sign * x for x in self.logs), self.within)

    def plus(self, other: Series) -> Series:
        """Return the series of the product, over the rounds both have."""
        theirs = dict(zip(other.keys, other.logs, strict=True))
        pairs = [(k, x + theirs[k]) for k, x in zip(self.keys, self.logs, strict=True) if k in theirs]
        return Series(tuple(k for k, _ in pairs), tuple(x for _, x in pairs), self.within or other.within)


@dataclass(frozen=True)
class PrepareEstimate:
    """Seconds from nothing to ready, and of what: means over rounds (those with a cold compile cache, if any)."""

    total: Estimate
    load_s: float
    compile_s: float
    first_run_s: float


def round_series(values: Iterable[tuple[Key, float]]) -> Series:
    """Return the series of positive, finite values, one a round."""
    pairs = [(key, math.log(value)) for key, value in values if value > 0 and math.isfinite(value)]
    return Series(tuple(k for k, _ in pairs), tuple(x for _, x in pairs))
