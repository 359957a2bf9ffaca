"""A row under load as a deployer sees it: what it keeps, and what a request costs there (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from inferometer.recommendation.objectives import Prices, cost_per_million
from inferometer.records import STILL_MISSING, LoadTest
from inferometer.results.under_load import LoadSummary, joules_a_request, meter_of, watts
from inferometer.units import duration, significant


@dataclass(frozen=True)
class LoadOption:
    """A row that keeps the promise, and the test whose figures are shown: at its highest rate, or next above the wanted one."""

    summary: LoadSummary
    test: LoadTest
    highest_rate: float  # requests/s at which it kept the promise in every round
    cost: float | None = None  # of a million requests
    currency: str = ""

    @property
    def rate(self) -> float:
        """Return the requests/s of the test whose figures are shown."""
        return _rate_of(self.test)

    @property
    def joules(self) -> float | None:
        """Return the energy a request at that rate, what the device takes at rest in it."""
        return joules_a_request(self.test)

    @property
    def meter(self) -> str:
        """Return whose joules those are, "" where they are not known."""
        return meter_of(self.test)

    def priced(self, prices: Prices, rate: float | None) -> LoadOption:
        """Return it with its cost at ``rate`` (requests/s), or at its highest."""
        cost = cost_per_million(rate or self.highest_rate, self.joules, prices)
        return replace(self, cost=cost, currency=prices.currency)

    @property
    def words(self) -> str:
        """Return it in one line."""
        name = f"{self.summary.percentile:g}"
        most, rate = (f"{significant(found)} requests/s" for found in (self.highest_rate, self.rate))
        latency = f"p{name} {duration(self.test.latency_s[name])}"
        said = f"{most}, {latency}" if most == rate else f"up to {most}; at {rate}: {latency}"
        parts = [f"{self.summary.row}, batches {self.summary.batching.words}: {said}"]
        if self.joules is not None:
            parts.append(f"{significant(1e3 * self.joules)} mJ a request")
        if (power := watts(self.test)) is not None:
            parts.append(f"{significant(power)} W")
        if self.cost is not None:
            parts.append(f"{significant(self.cost)} {self.currency} a million requests")
        return ", ".join(parts)


def metered_alike(options: Iterable[LoadOption]) -> bool:
    """Return whether one meter has the energy of all, so that their joules may be compared; there is one at least."""
    meters = {option.meter for option in options}
    return len(meters) == 1 and "" not in meters


def option_under_load(summary: LoadSummary, limit_s: float) -> LoadOption | None:
    """Return what a row can promise: of every round's highest rate within the limit the lowest; None where a round has none, or failed."""
    if summary.failed:
        return None
    bests = []
    for result in summary.results:
        if result.status in STILL_MISSING:
            continue
        held = [test for test in result.tests if _keeps(test, summary, limit_s)]
        if not held:
            return None
        bests.append(max(held, key=_rate_of))
    if not bests:
        return None
    lowest = min(bests, key=_rate_of)
    return LoadOption(summary, lowest, _rate_of(lowest))


def _rate_of(test: LoadTest) -> float:
    return test.target_rate or 0.0


def _keeps(test: LoadTest, summary: LoadSummary, limit_s: float) -> bool:
    latency_s = test.latency_s.get(f"{summary.percentile:g}")
    return bool(test.valid and test.target_rate and latency_s is not None and latency_s <= limit_s)


def at_rate(option: LoadOption, limit_s: float, rate: float) -> LoadOption:
    """Return the option by its test at the lowest rate that is enough, whose energy is nearest to what will be used."""
    tests = [
        test
        for result in option.summary.results
        for test in result.tests
        if _keeps(test, option.summary, limit_s) and rate <= _rate_of(test) <= option.highest_rate
    ]
    metered = [test for test in tests if joules_a_request(test) is not None] or tests
    return replace(option, test=min(metered, key=_rate_of))
