"""Which framework, precision and batch size to deploy: the best cell a machine that meets every constraint (pure)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inferometer.errors import UsageError
from inferometer.flags import words
from inferometer.recommendation.constraints import ANYTHING, Constraints, broken_limits, excess, violations
from inferometer.recommendation.objectives import (
    USUAL_PRICES,
    Objective,
    Prices,
    batch_latency,
    metric_of,
)
from inferometer.recommendation.options import Option, option, pareto, score
from inferometer.results.cells import CellSummary, Results
from inferometer.results.completeness import unfinished
from inferometer.results.metrics import ENERGY
from inferometer.results.ranking import TieTest, of_one_meter

NOT_JUDGED = "its lead is not judged: one round says nothing of the next process; more rounds tell"


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
    constraints: Constraints = ANYTHING,
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
    rule = TieTest(everyone, metric_of(objective, prices))
    sifted = _sift(summaries, rule, constraints, objective, prices)
    options = sorted(sifted.options, key=lambda o: score(o, objective), reverse=True)
    choice = options[0] if options else None
    rivals = [o for o in options if choice and o.summary.row != choice.summary.row]
    ties = _ties(choice, rivals, rule) if choice else ()
    unjudged = any(choice and not rule.judged(choice.summary, rival.summary) for rival in rivals)
    return Advice(
        *key,
        objective,
        choice,
        runner_up=next(iter((*ties, *rivals)), None),
        ties=ties,
        front=pareto(options),
        refused=tuple(sifted.refused.most_common()),
        nearest="" if choice else _nearest(sifted.near, constraints, objective),
        doubts=(
            *incomplete,
            *_doubts(choice, constraints, objective, unmetered),
            *([NOT_JUDGED] if unjudged else []),
        ),
        prices=prices,
    )


@dataclass
class _Sifted:
    """A machine's cells by whether they may be chosen."""

    options: list[Option] = field(default_factory=list)
    near: list[Option] = field(default_factory=list)  # measured, but they break a constraint
    refused: Counter[str] = field(default_factory=Counter)  # why cells are no options, and how many


def _sift(
    summaries: Sequence[CellSummary],
    rule: TieTest,
    constraints: Constraints,
    objective: Objective,
    prices: Prices,
) -> _Sifted:
    sifted = _Sifted()
    metered_alike = of_one_meter(summaries, ENERGY)
    p99_known = any(s.p99 for s in summaries if s.measured)
    for summary in summaries:
        found = option(summary, prices, p99_known=p99_known)
        if found is None:
            sifted.refused["throughput not known" if summary.measured else summary.status] += 1
            continue
        if summary.meter and summary not in metered_alike:
            if rule.metric.metered:
                sifted.refused[f"energy by another meter, {summary.meter}"] += 1
                continue
            found = replace(found, energy_j=None, cost=None if prices.per_kwh else found.cost)
        reasons = violations(found, constraints, objective)
        sifted.refused.update(reasons)
        (sifted.near if reasons else sifted.options).append(found)
    return sifted


def _nearest(near: Sequence[Option], constraints: Constraints, objective: Objective) -> str:
    """Return which option comes closest to the constraints, and what it breaks; "" where there is none."""
    if not near:
        return ""
    closest = min(near, key=lambda o: excess(o, constraints, objective))
    return f"{closest.name}: {'; '.join(broken_limits(closest, constraints, objective))}"


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
        found.append(f"its latency is a {words(latency.remark)}")
    if choice and choice.cost is not None and unmetered:
        found.append("no energy was metered: electricity is not in the cost")
    return tuple(found)
