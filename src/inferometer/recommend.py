"""Which framework, precision and batch size to deploy: the best cell a machine that meets every constraint (pure)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inferometer import stats
from inferometer.metrics import METRICS
from inferometer.ranking import chance
from inferometer.summary import CellSummary, Results

Objective = Literal["throughput", "latency", "energy", "cost"]
_JOULES_A_KWH = 3.6e6
_MILLION = 1e6


@dataclass(frozen=True)
class Constraints:
    """What a deployment allows; None: anything."""

    max_latency_s: float | None = None  # of a batch, p99 where known
    max_power_w: float | None = None
    max_energy_j: float | None = None  # an image
    max_memory_bytes: float | None = None
    min_agreement: float | None = None  # share of images with the reference's top-1 class
    batch_sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Prices:
    """What running costs."""

    per_kwh: float = 0.30
    per_hour: float = 0.0  # of the machine itself


@dataclass(frozen=True)
class Option:
    """A cell as a deployer sees it."""

    summary: CellSummary
    throughput: float  # images/s
    latency_s: float  # of a batch
    latency_kind: str  # which latency that is
    power_w: float | None
    energy_j: float | None  # an image
    cost: float | None  # a million images; None where the energy is not known

    @property
    def name(self) -> str:
        """Return framework (and precision) and batch size."""
        return f"{self.summary.row} at batch size {self.summary.cell.batch_size}"


@dataclass(frozen=True)
class Advice:
    """The choice for one machine, model and mode."""

    machine: str
    model: str
    mode: str
    objective: Objective
    choice: Option | None  # None: nothing meets the constraints
    runner_up: Option | None  # the best of another framework or precision
    tie: bool  # the data cannot tell the runner-up from the choice
    front: tuple[Option, ...]  # nothing else is better in throughput, latency and energy at once
    refused: tuple[tuple[str, int], ...]  # why cells were left out, and how many
    nearest: str  # where there is no choice: what came closest


def recommend(
    results: Results,
    constraints: Constraints = Constraints(),  # frozen
    objective: Objective = "throughput",
    prices: Prices = Prices(),  # frozen
) -> tuple[Advice, ...]:
    """Return the advice for every machine, model and mode in ``results``."""
    groups: dict[tuple[str, str, str], list[CellSummary]] = defaultdict(list)
    for summary in results.summaries:
        groups[summary.machine, summary.model, summary.cell.mode].append(summary)
    return tuple(_advise(key, found, constraints, objective, prices) for key, found in groups.items())


def option(summary: CellSummary, prices: Prices = Prices()) -> Option | None:  # frozen
    """Return a ranked cell as an option; None for one that did not end well."""
    if not summary.ranked or summary.throughput is None:
        return None
    throughput = summary.throughput.value
    latency, kind = batch_latency(summary)
    energy = summary.energy_image.value if summary.energy_image else None
    cost = None if energy is None else cost_per_million(throughput, energy, prices)
    power = summary.power.value if summary.power else None
    return Option(summary, throughput, latency, kind, power, energy, cost)


def cost_per_million(throughput: float, energy_j: float, prices: Prices) -> float:
    """Return what a million images cost: electricity, and the machine's hours."""
    return _MILLION * (energy_j / _JOULES_A_KWH * prices.per_kwh + prices.per_hour / 3600 / throughput)


def batch_latency(summary: CellSummary) -> tuple[float, str]:
    """Return seconds from a batch handed in to its results, and which figure that is."""
    if summary.p99:
        return summary.p99.value, "p99 of a batch"
    if summary.latency_batch:
        return summary.latency_batch.value, "mean of a batch"
    assert summary.throughput
    return summary.cell.batch_size / summary.throughput.value, "batch size / throughput"


def _advise(
    key: tuple[str, str, str],
    summaries: Sequence[CellSummary],
    constraints: Constraints,
    objective: Objective,
    prices: Prices,
) -> Advice:
    refused: Counter[str] = Counter()
    options, near = [], []
    for summary in summaries:
        found = option(summary, prices)
        if found is None:
            refused[summary.status] += 1
            continue
        reasons = violations(found, constraints, objective)
        if reasons:
            refused.update(reasons)
            near.append((_excess(found, constraints, objective), found))
        else:
            options.append(found)
    options.sort(key=lambda o: _score(o, objective), reverse=True)
    choice = options[0] if options else None
    rivals = [o for o in options if choice and o.summary.row != choice.summary.row]
    runner_up = rivals[0] if rivals else None
    tie = choice is not None and runner_up is not None and _tie(choice, runner_up, objective)
    closest = min(near, key=lambda n: n[0], default=None) if choice is None else None
    nearest = (
        f"{closest[1].name}: {'; '.join(_exactly(closest[1], constraints, objective))}" if closest else ""
    )
    return Advice(
        *key, objective, choice, runner_up, tie, pareto(options), tuple(refused.most_common()), nearest
    )


def _score(found: Option, objective: Objective) -> float:
    """Return what is to be as large as possible."""
    if objective == "throughput":
        return found.throughput
    if objective == "latency":
        return -found.latency_s
    value = found.energy_j if objective == "energy" else found.cost
    return -math.inf if value is None else -value


def _limits(found: Option, constraints: Constraints, objective: Objective) -> list[tuple[str, str, bool]]:
    """Return (constraint, exact words, violated) of every constraint that was given."""
    summary, limits = found.summary, []

    def upper(name: str, value: float | None, limit: float | None, scale: float, unit: str) -> None:
        if limit is not None and value is None:
            limits.append((f"{name} not known", f"{name} not known", True))
        elif limit is not None and value is not None:
            words = f"{name} {value / scale:.4g} {unit}, limit {limit / scale:.4g} {unit}"
            limits.append((f"{name} above {limit / scale:.4g} {unit}", words, value > limit))

    upper("latency", found.latency_s, constraints.max_latency_s, 1e-3, "ms")
    upper("power", found.power_w, constraints.max_power_w, 1.0, "W")
    upper("energy", found.energy_j, constraints.max_energy_j, 1e-3, "mJ an image")
    upper("memory", summary.memory.value if summary.memory else None, constraints.max_memory_bytes, 1e9, "GB")
    if constraints.min_agreement is not None:
        agreement = summary.accuracy.value if summary.accuracy else None
        if agreement is None:
            limits.append(("agreement not known", "agreement not known", True))
        else:
            least = constraints.min_agreement
            words = f"agreement {100 * agreement:.6g} %, limit {100 * least:.6g} %"
            limits.append((f"agreement below {100 * least:.6g} %", words, agreement < least))
    if constraints.batch_sizes and summary.cell.batch_size not in constraints.batch_sizes:
        limits.append(("another batch size", f"batch size {summary.cell.batch_size}", True))
    if objective in ("energy", "cost") and found.energy_j is None:
        limits.append(("energy not known", "energy not known", True))
    return limits


def violations(found: Option, constraints: Constraints, objective: Objective = "throughput") -> list[str]:
    """Return the constraints that an option breaks; a figure that is not known breaks its constraint."""
    return [name for name, _, violated in _limits(found, constraints, objective) if violated]


def _exactly(found: Option, constraints: Constraints, objective: Objective) -> list[str]:
    return [words for _, words, violated in _limits(found, constraints, objective) if violated]


def _excess(found: Option, constraints: Constraints, objective: Objective) -> tuple[float, float]:
    """Return how far an option is from meeting the constraints (unknown figures first), then how good it is."""
    unknown = sum(words.endswith("not known") for words in _exactly(found, constraints, objective))
    pairs = (
        (found.latency_s, constraints.max_latency_s),
        (found.power_w, constraints.max_power_w),
        (found.energy_j, constraints.max_energy_j),
        (found.summary.memory.value if found.summary.memory else None, constraints.max_memory_bytes),
    )
    over = sum(max(0.0, math.log(value / limit)) for value, limit in pairs if value and limit)
    other_size = (
        bool(constraints.batch_sizes) and found.summary.cell.batch_size not in constraints.batch_sizes
    )
    return 1e6 * unknown + 1e3 * other_size + over, -_score(found, objective)


_METRIC = {"throughput": "throughput", "latency": "p99", "energy": "energy", "cost": "energy"}


def _tie(first: Option, second: Option, objective: Objective) -> bool:
    metric = METRICS[_METRIC[objective]]
    if metric.of(first.summary) is None or metric.of(second.summary) is None:
        return _score(first, objective) == _score(second, objective)
    return chance(first.summary, second.summary, metric) > stats.ALPHA


def pareto(options: Sequence[Option]) -> tuple[Option, ...]:
    """Return the options that no other beats in throughput, batch latency and energy at once, fastest first.

    Energy counts where at least one option has it; an option without it is then as bad as can be there.
    """
    points = [
        (o, (-o.throughput, o.latency_s, math.inf if o.energy_j is None else o.energy_j)) for o in options
    ]
    front = [o for o, point in points if not any(_dominates(other, point) for _, other in points)]
    return tuple(sorted(front, key=lambda o: -o.throughput))


def _dominates(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))
