"""A cell as an option of a deployer, and which options nothing beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from inferometer.recommendation.objectives import (
    USUAL_PRICES,
    Objective,
    Prices,
    batch_latency,
    latency_to_limit,
    metric_of,
)
from inferometer.results.cells import CellSummary

_PRICED: tuple[Objective, ...] = ("cost", "carbon")


@dataclass(frozen=True)
class Option:
    """A cell as a deployer sees it."""

    summary: CellSummary
    throughput: float  # images/s
    latency_s: float  # of a batch
    latency_kind: str  # which latency that is
    power_w: float | None
    energy_j: float | None  # an image
    cost: float | None  # a million images; None where a part of it is not known
    carbon: float | None  # g CO2e of a million images; None without factors
    latency_to_limit_s: float | None = None  # what a limit on the latency is held against
    to_limit_kind: str = ""  # which latency that is
    currency: str = ""  # of the cost
    priced_by_hour: bool = False  # the cost has a price of the machine's hours

    @property
    def name(self) -> str:
        """Return framework (and precision) and batch size."""
        return self.summary.name

    def figure(self, objective: Objective) -> float | None:
        """Return what an objective judges it by; None where that is not known."""
        figures: dict[Objective, float | None] = {
            "throughput": self.throughput,
            "latency": self.latency_s,
            "energy": self.energy_j,
            "cost": self.cost,
            "carbon": self.carbon,
        }
        return figures[objective]


def option(summary: CellSummary, prices: Prices = USUAL_PRICES, *, p99_known: bool = False) -> Option | None:
    """Return a cell as an option; None for one that did not end well or has no throughput.

    ``p99_known``: some rival has a p99, so that no mean stands for one.
    """
    if not summary.ranked or summary.throughput is None:
        return None
    throughput = summary.throughput.value
    latency, kind = batch_latency(summary)
    energy = summary.energy_image.value if summary.energy_image else None
    cost, carbon = (metric_of(name, prices).of(summary) for name in _PRICED)
    power = summary.power.value if summary.power else None
    to_limit = latency_to_limit(summary, p99_known=p99_known)
    return Option(
        summary,
        throughput,
        latency.value,
        kind,
        power,
        energy,
        cost.value if cost else None,
        carbon.value if carbon else None,
        *to_limit,
        prices.currency,
        bool(prices.per_hour),
    )


def score(found: Option, objective: Objective) -> float:
    """Return what is to be as large as possible."""
    value = found.figure(objective)
    if value is None:
        return -math.inf
    return value if objective == "throughput" else -value


def pareto(options: Sequence[Option]) -> tuple[Option, ...]:
    """Return the options that no other beats in throughput, batch latency and energy at once, fastest first.

    Energy counts where at least one option has it; an option without it is then as bad as can be there.
    """
    points = [
        (o, (-o.throughput, o.latency_s, math.inf if o.energy_j is None else o.energy_j)) for o in options
    ]
    undominated = _undominated({point for _, point in points})
    front = [o for o, point in points if point in undominated]
    return tuple(sorted(front, key=lambda o: -o.throughput))


def _undominated(points: set[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """Return the points that no other dominates. What dominates one comes before it in order, so the best so far suffice."""
    ordered = sorted(point for point in points if not any(map(math.isnan, point)))
    found: list[tuple[float, ...]] = []
    for point in ordered:
        if not any(_dominates(better, point) for better in found):
            found.append(point)
    return {*found, *(points - set(ordered))}


def _dominates(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))
