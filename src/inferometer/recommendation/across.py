"""Which of several machines: their choices in order of the objective, those that intervals cannot tell apart together (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from inferometer.recommendation.decision import Decision
from inferometer.recommendation.objectives import Objective
from inferometer.recommendation.options import Option, score
from inferometer.results.estimates import Estimate
from inferometer.results.metrics import ENERGY
from inferometer.units import duration, listed, significant

_METERED: tuple[Objective, ...] = ("energy", "cost", "carbon")
_SUPERLATIVES: dict[Objective, str] = {
    "throughput": "fastest",
    "latency": "soonest",
    "energy": "least energy",
    "cost": "cheapest",
    "carbon": "least carbon",
}


def across_machines(found: Sequence[Decision]) -> list[str]:
    """Return a sentence for each model and mode that several machines have a choice for."""
    groups: dict[tuple[str, str], list[Decision]] = {}
    for decision in found:
        if decision.choice and decision.choice.figure(decision.objective) is not None:
            groups.setdefault((decision.model, decision.mode), []).append(decision)
    several = len(groups) > 1
    return [
        (f"{model}, {mode} mode: " if several else "") + _sentence(group)
        for (model, mode), group in groups.items()
        if len(group) > 1
    ]


def _sentence(decisions: Sequence[Decision]) -> str:
    objective = decisions[0].objective
    ordered = sorted(decisions, key=lambda d: -score(_choice(d), objective))
    best = _reach(_choice(ordered[0]), objective)
    alike = [d for d in ordered if d is ordered[0] or _overlap(best, _reach(_choice(d), objective))]
    others = [d for d in ordered if d not in alike]
    named = " or ".join(_named(d) for d in alike)
    said = f"of these machines {_SUPERLATIVES[objective]}: {named}"
    if len(alike) > 1:
        said += " (their intervals do not tell them apart)"
    if others:
        said += f"; then {', '.join(_named(d) for d in others)}"
    return said + _without_interval(ordered, objective) + _of_several_meters(decisions, objective)


def _without_interval(decisions: Sequence[Decision], objective: Objective) -> str:
    names = [d.machine for d in decisions if _reach(_choice(d), objective) is None]
    if not names:
        return ""
    return f"; the order is not sure: no interval over processes is known of {listed(names)} (more rounds give one)"


def _of_several_meters(decisions: Sequence[Decision], objective: Objective) -> str:
    meters = {_choice(d).summary.meter for d in decisions} if objective in _METERED else set()
    if objective == "cost" and not any(d.prices.per_kwh for d in decisions):
        return ""
    return "; their energies are of different meters, which see different parts" if len(meters) > 1 else ""


def _named(decision: Decision) -> str:
    choice = _choice(decision)
    return f"{decision.machine} ({choice.name}, {_figure(choice, decision.objective)})"


def _figure(choice: Option, objective: Objective) -> str:
    value = choice.figure(objective)
    assert value is not None
    if objective == "throughput":
        return f"{significant(value, 4)} images/s"
    if objective == "latency":
        return duration(value)
    if objective == "energy":
        return f"{ENERGY.show(value)} {ENERGY.per}"
    unit = choice.currency if objective == "cost" else "g CO2e"
    return f"{significant(value, 3)} {unit} a million images"


def _reach(choice: Option, objective: Objective) -> tuple[float, float] | None:
    """Return the interval of an option's figure; None where a part of it has none.

    Of what is made of throughput and energy the relative half widths add up: more than 95 % of it lies within.
    """
    value, summary = choice.figure(objective), choice.summary
    if objective == "latency":
        parts = [summary.latency_batch or summary.throughput]
    elif objective == "throughput":
        parts = [summary.throughput]
    elif objective == "energy":
        parts = [summary.energy_image]
    else:
        parts = [summary.throughput, *([summary.energy_image] if choice.energy_j is not None else [])]
    halves = [_half(part) for part in parts]
    if value is None or any(half is None for half in halves):
        return None
    half = sum(half for half in halves if half is not None)
    return value * (1 - half), value * (1 + half)


def _half(estimate: Estimate | None) -> float | None:
    """Return the half width; None where the interval says nothing of another process."""
    return None if estimate is None or estimate.within_one_process else estimate.half_width


def _overlap(first: tuple[float, float] | None, second: tuple[float, float] | None) -> bool:
    return bool(first and second and first[0] <= second[1] and second[0] <= first[1])


def _choice(decision: Decision) -> Option:
    assert decision.choice
    return decision.choice
