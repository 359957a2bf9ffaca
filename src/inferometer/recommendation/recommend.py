"""Which framework, precision and batch size to deploy: the best cell a machine that meets every constraint (pure)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inferometer.errors import UsageError
from inferometer.recommendation.objectives import (
    USUAL_PRICES,
    Objective,
    Prices,
    batch_latency,
    cost_per_million,
    latency_to_limit,
    metric_of,
)
from inferometer.results.cells import CellSummary, Results
from inferometer.results.completeness import unfinished
from inferometer.results.metrics import METRICS
from inferometer.results.ranking import TieTest, of_one_meter

NOT_JUDGED = "its lead is not judged: one round says nothing of the next process; more rounds tell"


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
class Option:
    """A cell as a deployer sees it."""

    summary: CellSummary
    throughput: float  # images/s
    latency_s: float  # of a batch
    latency_kind: str  # which latency that is
    power_w: float | None
    energy_j: float | None  # an image
    cost: float | None  # a million images; None where a part of it is not known
    latency_to_limit_s: float | None = None  # what a limit on the latency is held against
    to_limit_kind: str = ""  # which latency that is

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
    runner_up: Option | None  # the first of the ties, else the best of another framework or precision
    ties: tuple[Option, ...]  # of each framework and precision the best that cannot be told from the choice
    front: tuple[Option, ...]  # nothing else is better in throughput, latency and energy at once
    refused: tuple[tuple[str, int], ...]  # why cells were left out, and how many
    nearest: str  # where there is no choice: what came closest
    doubts: tuple[str, ...] = ()  # what the choice, or that there is none, rests on that may not hold
    prices: Prices = USUAL_PRICES  # that its cost is made of

    @property
    def tie(self) -> bool:
        """Return whether the data cannot tell the runner-up from the choice."""
        return bool(self.ties)


def recommend(
    results: Results,
    constraints: Constraints = Constraints(),  # frozen
    objective: Objective = "throughput",
    prices: Prices = USUAL_PRICES,
) -> tuple[Advice, ...]:
    """Return the advice for every machine, model and mode in ``results``; UsageError for a cost without any price.

    Where no energy was metered at all, cost is that of the machine's hours, and a doubt says so.
    """
    if objective == "cost" and not (prices.per_kwh or prices.per_hour):
        raise UsageError("the objective cost needs a price: both that of a kWh and that of an hour are 0")
    groups: dict[tuple[str, str, str], list[CellSummary]] = defaultdict(list)
    for summary in results.summaries:
        groups[summary.machine, summary.model, summary.cell.mode].append(summary)
    return tuple(
        _advise(
            key,
            found,
            everyone=results.summaries,
            incomplete=unfinished(results, found),
            constraints=constraints,
            objective=objective,
            prices=prices,
        )
        for key, found in groups.items()
    )


def option(summary: CellSummary, prices: Prices = USUAL_PRICES, *, p99_known: bool = False) -> Option | None:
    """Return a cell as an option; None for one that did not end well or has no throughput.

    ``p99_known``: some rival has a p99, so that no mean stands for one.
    """
    if not summary.ranked or summary.throughput is None:
        return None
    throughput = summary.throughput.value
    latency, kind = batch_latency(summary)
    energy = summary.energy_image.value if summary.energy_image else None
    cost = cost_per_million(throughput, energy, prices)
    power = summary.power.value if summary.power else None
    to_limit = latency_to_limit(summary, p99_known=p99_known)
    return Option(summary, throughput, latency.value, kind, power, energy, cost, *to_limit)


def _advise(
    key: tuple[str, str, str],
    summaries: Sequence[CellSummary],
    *,
    everyone: Sequence[CellSummary],  # of all machines and modes, by whose noise the tables judge too
    incomplete: Sequence[str],
    constraints: Constraints,
    objective: Objective,
    prices: Prices,
) -> Advice:
    unmetered = bool(prices.per_kwh and prices.per_hour) and not any(
        s.energy_image for s in summaries if s.measured
    )
    if unmetered:
        prices = replace(prices, per_kwh=0.0)
    refused: Counter[str] = Counter()
    options, near = [], []
    rule = TieTest(everyone, metric_of(objective, prices))
    metered_alike = of_one_meter(summaries, METRICS["energy"])
    p99_known = any(s.p99 for s in summaries if s.measured)
    for summary in summaries:
        found = option(summary, prices, p99_known=p99_known)
        if found is None:
            refused["throughput not known" if summary.measured else summary.status] += 1
            continue
        if summary.meter and summary not in metered_alike:
            if rule.metric.is_energy:
                refused[f"energy by another meter, {summary.meter}"] += 1
                continue
            found = replace(found, energy_j=None, cost=None if prices.per_kwh else found.cost)
        reasons = violations(found, constraints, objective)
        if reasons:
            refused.update(reasons)
            near.append((_excess(found, constraints, objective), found))
        else:
            options.append(found)
    options.sort(key=lambda o: _score(o, objective), reverse=True)
    choice = options[0] if options else None
    rivals = [o for o in options if choice and o.summary.row != choice.summary.row]
    ties = _ties(choice, rivals, rule) if choice else ()
    runner_up = next(iter((*ties, *rivals)), None)
    closest = min(near, key=lambda n: n[0], default=None) if choice is None else None
    nearest = (
        f"{closest[1].name}: {'; '.join(_exactly(closest[1], constraints, objective))}" if closest else ""
    )
    unjudged = [o for o in rivals if choice and not rule.judged(choice.summary, o.summary)]
    doubts = (
        *incomplete,
        *_doubts(choice, constraints, objective, unmetered),
        *([NOT_JUDGED] if unjudged else []),
    )
    return Advice(
        *key,
        objective,
        choice,
        runner_up,
        ties,
        pareto(options),
        tuple(refused.most_common()),
        nearest,
        doubts,
        prices,
    )


def _ties(choice: Option, rivals: Sequence[Option], rule: TieTest) -> tuple[Option, ...]:
    """Return the best of each framework and precision that cannot be told from the choice."""
    options = {rival.summary.key: rival for rival in rivals}
    tied = rule.ties(choice.summary, (rival.summary for rival in rivals), lambda cell: cell.row)
    return tuple(options[cell.key] for cell in tied)


def _doubts(
    choice: Option | None, constraints: Constraints, objective: Objective, unmetered: bool
) -> tuple[str, ...]:
    found = []
    latency = batch_latency(choice.summary)[0] if choice else None
    if latency and latency.remark and (objective == "latency" or constraints.max_latency_s is not None):
        found.append(f"its latency is the {latency.remark}; more loops or rounds tell")
    if choice and choice.cost is not None and unmetered:
        found.append("no energy was metered: electricity is not in the cost")
    return tuple(found)


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

    upper(f"latency ({found.to_limit_kind})", found.latency_to_limit_s, constraints.max_latency_s, 1e-3, "ms")
    upper("power", found.power_w, constraints.max_power_w, 1.0, "W")
    upper("energy", found.energy_j, constraints.max_energy_j, 1e-3, "mJ an image")
    upper("memory", _peak(summary), constraints.max_memory_bytes, 1e9, "GB")
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
    if objective == "latency" and found.latency_to_limit_s is None and constraints.max_latency_s is None:
        limits.append(("latency (p99) not known", "latency (p99) not known", True))
    if objective == "energy" and found.energy_j is None:
        limits.append(("energy not known", "energy not known", True))
    if objective == "cost" and found.cost is None:
        words = "energy not known, and no --price-per-hour"
        limits.append((words, words, True))
    return limits


def _peak(summary: CellSummary) -> float | None:
    """Return the largest peak of any round: a limit must hold for all of them."""
    return (summary.memory.upper or summary.memory.value) if summary.memory else None


def violations(found: Option, constraints: Constraints, objective: Objective = "throughput") -> list[str]:
    """Return the constraints that an option breaks; a figure that is not known breaks its constraint."""
    return [name for name, _, violated in _limits(found, constraints, objective) if violated]


def _exactly(found: Option, constraints: Constraints, objective: Objective) -> list[str]:
    return [words for _, words, violated in _limits(found, constraints, objective) if violated]


def _excess(found: Option, constraints: Constraints, objective: Objective) -> tuple[float, ...]:
    """Return how far an option is from meeting the constraints (unknown figures first, then the size), then how good it is."""
    unknown = sum("not known" in words for words in _exactly(found, constraints, objective))
    pairs = (
        (found.latency_to_limit_s, constraints.max_latency_s),
        (found.power_w, constraints.max_power_w),
        (found.energy_j, constraints.max_energy_j),
        (_peak(found.summary), constraints.max_memory_bytes),
    )
    over = sum(max(0.0, math.log(value / limit)) for value, limit in pairs if value and limit)
    size = found.summary.cell.batch_size
    other_size = min((abs(math.log(size / asked)) for asked in constraints.batch_sizes), default=0.0)
    return unknown, other_size, over, -_score(found, objective), -found.throughput


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
