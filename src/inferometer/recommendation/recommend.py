"""Which framework, precision and batch size to deploy: one decision a machine, the same for every output (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inferometer.errors import UsageError
from inferometer.flags import words
from inferometer.recommendation.choosing import Judges, as_good, choose
from inferometer.recommendation.constraints import (
    ANYTHING,
    Constraints,
    broken_limits,
    excess,
    lacking,
    violations,
)
from inferometer.recommendation.decision import Decision, Reason, Step
from inferometer.recommendation.grading import (
    by_gravity,
    choice_by_latency,
    grade_of,
    nothing_to_choose,
    of_the_cells,
    of_the_choice,
    without_figure,
)
from inferometer.recommendation.objectives import (
    MEAN_LATENCY,
    USUAL_PRICES,
    Objective,
    Prices,
    batch_latency,
    metric_of,
)
from inferometer.recommendation.options import Option, option, pareto, score
from inferometer.recommendation.price_list import PriceList
from inferometer.results.cells import CellSummary, Results
from inferometer.results.completeness import gaps
from inferometer.results.judging import Judge, Judgement, Lead, lead
from inferometer.results.metrics import ENERGY
from inferometer.results.ranking import of_one_meter
from inferometer.units import duration


@dataclass(frozen=True)
class _Question:
    """What is asked of every machine, and the judges of it, who know the noise of all cells as the tables do."""

    constraints: Constraints
    objective: Objective
    prices: Prices
    judges: Judges

    @classmethod
    def of(
        cls, results: Results, constraints: Constraints, objective: Objective, prices: Prices
    ) -> _Question:
        judges = {MEAN_LATENCY.name: Judge.of(results, MEAN_LATENCY)}
        for name in _figures(objective):
            judges[name] = Judge.of(results, metric_of(name, prices))
        return cls(constraints, objective, prices, judges)

    @property
    def judge(self) -> Judge:
        return self.judges[self.objective]

    @property
    def by_latency(self) -> bool:
        return choice_by_latency(self.objective, self.constraints.max_latency_s)


def _figures(objective: Objective) -> tuple[Objective, ...]:
    """Return the objectives by which two options are held against each other."""
    return ("throughput", "latency", "energy", *((objective,) if objective in ("cost", "carbon") else ()))


def recommend(
    results: Results,
    constraints: Constraints = ANYTHING,
    objective: Objective = "throughput",
    prices: Prices | PriceList = USUAL_PRICES,
) -> tuple[Decision, ...]:
    """Return the decision for every machine, model and mode in ``results``; UsageError for a cost or carbon without what it is made of.

    Where no energy was metered at all, cost is that of the machine's hours, and a doubt says so. A price list prices each
    machine by its name.
    """
    price_list = prices if isinstance(prices, PriceList) else PriceList(prices)
    price_list.check({machine for machine, _, _ in results.scopes})
    questions: dict[Prices, _Question] = {}
    found = []
    for key, cells in results.scopes.items():
        own = price_list.of(key[0])
        _check_prices(objective, own)
        hours_only = bool(own.per_kwh and own.per_hour) and not any(
            s.energy_image for s in cells if s.measured
        )
        if hours_only:
            own = replace(own, per_kwh=0.0)
        if own not in questions:
            questions[own] = _Question.of(results, constraints, objective, own)
        open_ = of_the_cells(cells, gaps(results, cells), results.runs)
        found.append(_decide(key, cells, questions[own], open_, hours_only=hours_only))
    return tuple(found)


def _check_prices(objective: Objective, prices: Prices) -> None:
    if objective == "cost" and not (prices.per_kwh or prices.per_hour):
        raise UsageError("the objective cost needs a price: both that of a kWh and that of an hour are 0")
    if objective == "carbon":
        _check_carbon(prices)


def _check_carbon(prices: Prices) -> None:
    if prices.carbon is None:
        raise UsageError("the objective carbon needs the grid's intensity and the PUE (--intensity, --pue)")
    if not prices.carbon.intensity.value and not prices.carbon.embodied_g(1.0):
        raise UsageError(
            "the objective carbon has nothing to choose by: intensity and embodied emissions are 0"
        )


def _decide(
    key: tuple[str, str, str],
    cells: Sequence[CellSummary],
    asked: _Question,
    open_: list[Reason],  # what the cells leave open whatever is chosen
    *,
    hours_only: bool,
) -> Decision:
    sifted = _sift(cells, asked)
    refused, front = tuple(sifted.refused.most_common()), pareto(sifted.options)
    if not sifted.options:
        reasons = by_gravity([*open_, *nothing_to_choose(met_nothing=bool(sifted.near), cells=cells)])
        return Decision(
            *key, asked.objective, None, None, (), (), None, None, (), "none", reasons, front, refused,
            _nearest(sifted.near, asked), (), asked.prices,
        )  # fmt: skip
    candidates = as_good(sifted.options, asked.objective, asked.judge)
    ahead = lead(asked.judge.ranked(o.summary for o in sifted.options), asked.judge)
    open_ = [*open_, *without_figure(sifted.unknown)]
    choice, steps, reasons = _settle(candidates, ahead, asked, open_)
    leader, ties = candidates[0], tuple(o for o in candidates if o is not choice)
    runner_up = _runner_up(choice, ties, sifted.options, asked.objective)
    return Decision(
        *key,
        asked.objective,
        choice,
        leader,
        ties,
        steps,
        runner_up,
        ahead,
        _changes(choice, runner_up, asked),
        grade_of(reasons),
        reasons,
        front,
        refused,
        nearest="",
        doubts=_doubts(choice, asked, hours_only=hours_only),
        prices=asked.prices,
        limited=sifted.limited,
        unknown=sifted.unknown.total(),
    )


def _settle(
    candidates: Sequence[Option], ahead: Lead | None, asked: _Question, open_: list[Reason]
) -> tuple[Option, tuple[Step, ...], tuple[Reason, ...]]:
    """Return the choice, the steps to it and what it leaves open; of data that carry no choice the best figure."""
    leader, chosen = candidates[0], choose(candidates, asked.objective, asked.judges)
    reasons: tuple[Reason, ...] = ()
    for choice, steps in (chosen, (leader, ())):
        ties = [o for o in candidates if o is not choice]
        found = of_the_choice(choice, leader, ahead, ties, asked.judge.metric, by_latency=asked.by_latency)
        reasons = by_gravity([*open_, *found])
        if grade_of(reasons) != "none":
            return choice, steps, reasons
    return leader, (), reasons


def _runner_up(
    choice: Option, ties: Sequence[Option], options: Sequence[Option], objective: Objective
) -> Option | None:
    """Return the best option of another framework or precision, one that ties before all others."""
    ranked = sorted(options, key=lambda o: score(o, objective), reverse=True)
    return next((o for o in (*ties, *ranked) if o.summary.row != choice.summary.row), None)


def _changes(choice: Option, other: Option | None, asked: _Question) -> tuple[Judgement, ...]:
    """Return what the data say of the runner-up in place of the choice, at each figure that both have."""
    if other is None:
        return ()
    pair = (choice, other)
    names = _figures(asked.objective)
    judges = [
        asked.judges[name]
        for name in names
        if all(asked.judges[name].knows(o.summary) and o.figure(name) is not None for o in pair)
        and not (name == "latency" and len({o.summary.p99 is None for o in pair}) > 1)
    ]
    return tuple(judge.judge(choice.summary, other.summary, claims=len(judges)) for judge in judges)


def options_of(cells: Sequence[CellSummary], prices: Prices) -> list[Option]:
    """Return the cells of a machine, model and mode that may be chosen; energy counts where the meter is that of most."""
    alike, p99_known = set(of_one_meter(cells, ENERGY)), any(s.p99 for s in cells if s.measured)
    options = [one for cell in cells if (one := option(cell, prices, p99_known=p99_known))]
    return [
        replace(one, energy_j=None, carbon=None, cost=None if prices.per_kwh else one.cost)
        if one.summary.meter and one.summary not in alike
        else one
        for one in options
    ]


@dataclass
class _Sifted:
    """A machine's cells by whether they may be chosen."""

    options: list[Option] = field(default_factory=list)
    near: list[Option] = field(default_factory=list)  # measured, but they break a constraint or lack a figure
    limited: bool = False  # some break a constraint
    unknown: Counter[str] = field(default_factory=Counter)  # why others have no figure of the objective
    refused: Counter[str] = field(default_factory=Counter)  # why cells are no options, and how many


def _sift(summaries: Sequence[CellSummary], asked: _Question) -> _Sifted:
    sifted = _Sifted()
    options = {found.summary.key: found for found in options_of(summaries, asked.prices)}
    comparable = set(of_one_meter(summaries, asked.judge.metric))
    for summary in summaries:
        found = options.get(summary.key)
        if found is None:
            sifted.refused["throughput not known" if summary.measured else summary.status] += 1
            continue
        broken, missing = violations(found, asked.constraints), lacking(found, asked.objective)
        other_meter = bool(summary.meter) and summary not in comparable
        if other_meter:
            missing = f"energy by another meter, {summary.meter}"
        sifted.limited |= bool(broken)
        if missing and not broken:
            sifted.unknown[missing] += 1
        reasons = list(dict.fromkeys(filter(None, (*broken, missing))))
        sifted.refused.update([missing] if other_meter else reasons)
        if not other_meter:
            (sifted.near if reasons else sifted.options).append(found)
    return sifted


def _nearest(near: Sequence[Option], asked: _Question) -> str:
    """Return which option comes closest to the constraints, and what it breaks; "" where there is none."""
    if not near:
        return ""
    closest = min(near, key=lambda o: excess(o, asked.constraints, asked.objective))
    told = (*broken_limits(closest, asked.constraints), lacking(closest, asked.objective))
    return f"{closest.name}: {'; '.join(dict.fromkeys(filter(None, told)))}"


def _doubts(choice: Option, asked: _Question, *, hours_only: bool) -> tuple[str, ...]:
    found = []
    latency = batch_latency(choice.summary)[0]
    if latency.remark and asked.by_latency:
        found.append(f"its latency is a {words(latency.remark)}")
        if asked.constraints.max_latency_s is not None and choice.latency_to_limit_s is not None:
            held = f"{duration(choice.latency_to_limit_s)}, the {choice.to_limit_kind}"
            found.append(f"what was held against the limit on the latency is {held}")
    found += [words(flag) for flag in choice.summary.flags if flag.kind == "tolerance"]
    if choice.cost is not None and hours_only:
        found.append("no energy was metered: electricity is not in the cost")
    return tuple(found)
