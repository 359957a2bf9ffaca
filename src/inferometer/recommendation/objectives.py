"""What a deployment can be chosen by: throughput, latency of a batch, energy, cost, carbon; each as a metric of a cell (pure)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from inferometer.errors import UsageError
from inferometer.quantiles import SURE_TO_ONE_SIDE
from inferometer.results.carbon import JOULES_A_KWH, CarbonFactors
from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate, Repeated, Series, round_series
from inferometer.results.metrics import ENERGY, P99, THROUGHPUT, Metric, Words
from inferometer.results.metrics.quantities import Quantity
from inferometer.units import significant

Objective = Literal["throughput", "latency", "energy", "cost", "carbon"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
_MILLION = 1e6
_HIGHEST_PRICE = 1e9  # so that nothing that is computed of it is infinite
_LONGEST_CURRENCY = 8  # characters


@dataclass(frozen=True)
class Prices:
    """What running costs: money, and carbon where its factors are given."""

    per_kwh: float = 0.30
    per_hour: float = 0.0  # of the machine itself
    currency: str = "EUR"  # of both, as it is to be shown
    carbon: CarbonFactors | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for a price that is none, or a currency that is no word."""
        for price, of in ((self.per_kwh, "a kWh"), (self.per_hour, "an hour")):
            if not 0 <= price <= _HIGHEST_PRICE:
                raise UsageError(
                    f"the price of {of} is {price:g}: a price is a number of at least 0, {_HIGHEST_PRICE:g} at most"
                )
        if not (self.currency.isprintable() and 0 < len(self.currency.strip()) <= _LONGEST_CURRENCY):
            raise UsageError(
                f"the currency is {self.currency!r}: give a code or a sign of at most {_LONGEST_CURRENCY} characters, as EUR"
            )


USUAL_PRICES = Prices()


def cost_per_million(throughput: float, energy_j: float | None, prices: Prices) -> float | None:
    """Return what a million images cost: electricity, and the machine's hours; None where a part is not known.

    ``energy_j`` (an image) is not needed where electricity costs nothing. Without any price there is no cost.
    """
    if not (prices.per_kwh or prices.per_hour) or (prices.per_kwh and energy_j is None):
        return None
    electricity = (energy_j or 0.0) / JOULES_A_KWH * prices.per_kwh
    return _MILLION * (electricity + prices.per_hour / 3600 / throughput)


def carbon_per_million(throughput: float, energy_j: float | None, prices: Prices) -> float | None:
    """Return grams of CO2e of a million images (SCI's (E x I) + M); None without factors or without the energy."""
    if prices.carbon is None or energy_j is None:
        return None
    return _MILLION * (prices.carbon.operational_g(energy_j) + prices.carbon.embodied_g(1 / throughput))


def batch_latency(summary: CellSummary) -> tuple[Estimate, str]:
    """Return the time from a batch handed in to its results, and which figure that is."""
    if summary.p99:
        return summary.p99, "rough p99" if summary.p99.remark else "p99 of a batch"
    if summary.latency_batch:
        return summary.latency_batch, "mean of a batch"
    mean = _mean_latency(summary)
    assert mean
    return mean, "batch size / throughput"


def latency_to_limit(summary: CellSummary, *, p99_known: bool) -> tuple[float | None, str]:
    """Return the seconds that a limit on the latency is held against, and what they are; None: not known.

    The p99's upper confidence bound; where the batches are too few for one, the longest of them, or the bound by how the rounds'
    p99 scatter where that is more. A mean only where no rival has a p99 (``p99_known``), since a limit that some meet by their p99 is not met by another's mean.
    """
    p99 = summary.p99
    if p99 and p99.upper is not None:
        if math.isfinite(p99.upper):
            return p99.upper, "p99 with 95 % confidence"
        between, longest = _between_rounds(p99, summary), summary.longest_batch_s
        if between is not None and (longest is None or between > longest):
            return between, "bound of a rough p99"
        return longest, "longest of few batches"
    if p99 or not p99_known:
        estimate, kind = batch_latency(summary)
        return estimate.value, kind
    return None, "p99"


def _between_rounds(p99: Estimate, summary: CellSummary) -> float | None:
    """Return what a p99 does not exceed by how those of the rounds scatter; None for fewer than two."""
    rounds = summary.series.get("p99")
    reach = Repeated(rounds).reach(SURE_TO_ONE_SIDE) if rounds else None
    return None if reach is None else p99.value * math.exp(min(reach, 700.0))


@functools.lru_cache(maxsize=64)  # asked of every cell; and one metric is judged once
def metric_of(objective: Objective, prices: Prices) -> Metric:
    """Return what an objective compares cells by, with the rounds' own values behind it."""
    if objective == "latency":
        return replace(P99, of=_latency, series=_latency_series)
    if objective == "cost":
        return Metric(
            "cost",
            "Cost of a million images",
            "cost",
            Quantity("", significant),
            higher_is_better=False,
            of=_priced(cost_per_million, prices, metered=prices.per_kwh > 0),
            series=_price_series(cost_per_million, prices, metered=prices.per_kwh > 0),
            words=Words("cheaper", "dearer"),
            metered=prices.per_kwh > 0,  # what electricity costs is an energy, so of one meter only
        )
    if objective == "carbon":
        return Metric(
            "carbon",
            "Carbon of a million images",
            "energy",
            Quantity("g CO2e", significant),
            higher_is_better=False,
            of=_priced(carbon_per_million, prices, metered=True),
            series=_price_series(carbon_per_million, prices, metered=True),
            words=Words("less carbon", "more carbon"),
            metered=True,
        )
    return ENERGY if objective == "energy" else THROUGHPUT


def _latency(summary: CellSummary) -> Estimate | None:
    return batch_latency(summary)[0] if summary.throughput else None


def _latency_series(summary: CellSummary) -> Series | None:
    return summary.series.get("p99") if summary.p99 else _mean_latency_series(summary)


def _mean_latency_series(summary: CellSummary) -> Series | None:
    """Return the mean latencies round by round; where whole loops were timed they follow from the throughput."""
    speeds = summary.series.get("throughput")
    return summary.series.get("latency_batch") or (speeds and speeds.scaled(-1))


def _mean_latency(summary: CellSummary) -> Estimate | None:
    if summary.latency_batch or not summary.throughput:
        return summary.latency_batch
    return Estimate(summary.cell.batch_size / summary.throughput.value, None, None, "s", "throughput", 0)


# to choose among equals: every cell has it, and it is steadier than a p99
MEAN_LATENCY = replace(
    P99,
    name="latency_batch",
    title="Latency per batch",
    of=_mean_latency,
    series=_mean_latency_series,
)


_Price = Callable[[float, float | None, Prices], float | None]  # of throughput and joules an image


def _priced(price: _Price, prices: Prices, *, metered: bool) -> Callable[[CellSummary], Estimate | None]:
    def of(summary: CellSummary) -> Estimate | None:
        if summary.throughput is None:
            return None
        energy = summary.energy_image.value if summary.energy_image else None
        value = price(summary.throughput.value, energy, prices)
        if value is None:
            return None
        rounds = series(summary)
        if rounds is None:
            return Estimate(value, None, None, "", "rounds", summary.rounds)
        return Estimate(math.exp(rounds.units.mean), None, None, "", "rounds", rounds.processes)

    series = _price_series(price, prices, metered=metered)
    return of


def _price_series(price: _Price, prices: Prices, *, metered: bool) -> Callable[[CellSummary], Series | None]:
    """Return the prices round by round: of the rounds that have what they ask for, the energy too where it is ``metered``."""

    def series(summary: CellSummary) -> Series | None:
        speeds, energies = summary.series.get("throughput"), summary.series.get("energy_image")
        if speeds is None or (metered and energies is None):
            return None
        joules = dict(zip(energies.keys, energies.logs, strict=True)) if energies and metered else {}
        pairs = []
        for key, log in zip(speeds.keys, speeds.logs, strict=True):
            energy = math.exp(joules[key]) if key in joules else None
            pairs.append((key, price(math.exp(log), energy, prices) or 0.0))
        found = round_series(pairs)
        return found if found.keys else None

    return series
