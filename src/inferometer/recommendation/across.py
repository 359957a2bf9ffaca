"""Which of several machines: their choices in order of the objective, those that cannot be told apart together (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inferometer.recommendation.decision import Decision
from inferometer.recommendation.objectives import Objective, batch_latency
from inferometer.recommendation.options import Option, score
from inferometer.results.estimates import Estimate
from inferometer.results.judging import NEARLY
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
    """Return a sentence for each model and mode that several machines have a choice for: their order, or why there is none."""
    groups: dict[tuple[str, str], list[Decision]] = {}
    for decision in found:
        if decision.choice and decision.choice.figure(decision.objective) is not None:
            groups.setdefault((decision.model, decision.mode), []).append(decision)
    several = len(groups) > 1
    return [
        (f"{model}, {mode} mode: " if several else "") + _sentence(group)
        for (model, mode), group in groups.items()
        if len(group) > 1
    ] + _of_other_models(groups)


def _of_other_models(groups: Mapping[tuple[str, str], Sequence[Decision]]) -> list[str]:
    """Return which models of one name are of different content, so that their machines have no order."""
    labels: dict[tuple[str, str], dict[str, set[str]]] = {}  # by name and mode: the machines of each label
    for (label, mode), group in groups.items():
        machines = labels.setdefault((_choice(group[0]).summary.cell.model, mode), {})
        machines.setdefault(label, set()).update(decision.machine for decision in group)
    return [
        f"no order of machines across {listed(list(machines))}: one name, but different models"
        for machines in labels.values()
        if len(set(map(frozenset, machines.values()))) > 1
    ]


def _sentence(decisions: Sequence[Decision]) -> str:
    objective = decisions[0].objective
    if meters := _several_meters(decisions):
        each = ", ".join(map(_named, decisions))
        return (
            f"no order of these machines, whose energies are of different meters ({listed(meters)}): {each}"
        )
    first, *later = _told_apart(sorted(decisions, key=lambda d: -score(_choice(d), objective)))
    said = f"of these machines {_SUPERLATIVES[objective]}: {_either(first)}"
    if len(first) > 1:
        said += " (their figures do not tell them apart)"
    if later:
        said += f"; then {', '.join(map(_either, later))}"
    return said + _unsure(decisions)


def _told_apart(ordered: Sequence[Decision]) -> list[list[Decision]]:
    """Return the machines, the best first, together with those that one of them cannot be told from."""
    groups: list[list[Decision]] = []
    for decision in ordered:
        if groups and any(_alike(before, decision) for before in groups[-1]):
            groups[-1].append(decision)
        else:
            groups.append([decision])
    return groups


def _either(decisions: Sequence[Decision]) -> str:
    return " or ".join(map(_named, decisions))


def _alike(first: Decision, second: Decision) -> bool:
    """Return whether the intervals of two overlap, or the figures differ by no more than two runs on two days do."""
    pair = [(_choice(d), d.objective) for d in (first, second)]
    values = [choice.figure(objective) or 0.0 for choice, objective in pair]
    if max(values) <= (1 + NEARLY) * min(values):
        return True
    ours, theirs = (_reach(choice, objective) for choice, objective in pair)
    return bool(ours and theirs and ours[0] <= theirs[1] and theirs[0] <= ours[1])


def _unsure(decisions: Sequence[Decision]) -> str:
    """Return why the order is not sure; "" where nothing speaks against it."""
    by_latency = decisions[0].objective == "latency"
    bare = [d.machine for d in decisions if _reach(_choice(d), d.objective) is None]
    rough = [d.machine for d in decisions if by_latency and _is_rough(_choice(d))]
    weak = [d.machine for d in decisions if d.grade == "none"]
    why = []
    if by_latency and len({_choice(d).summary.p99 is None for d in decisions}) > 1:
        why.append("not all have a p99, and a mean lies below one")
    if bare:
        why.append(f"no interval over processes is known of {listed(bare)} (more rounds give one)")
    if rough:
        why.append(f"the p99 of {listed(rough)} is rough (more loops or rounds firm it up)")
    if weak:
        why.append(f"the data do not carry the choice on {listed(weak)}")
    return f"; the order is not sure: {'; '.join(why)}" if why else ""


def _is_rough(choice: Option) -> bool:
    return batch_latency(choice.summary)[0].remark is not None


def _several_meters(decisions: Sequence[Decision]) -> list[str]:
    """Return the meters behind what the objective judges by, where they differ: they see different parts of a machine."""
    objective = decisions[0].objective
    if objective not in _METERED or (objective == "cost" and not any(d.prices.per_kwh for d in decisions)):
        return []
    meters = dict.fromkeys(meter for d in decisions if (meter := _choice(d).summary.meter))
    return list(meters) if len(meters) > 1 else []


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
    value, halves = choice.figure(objective), [_half(part) for part in _parts(choice, objective)]
    if value is None or any(half is None for half in halves):
        return None
    half = sum(half for half in halves if half is not None)
    return value * (1 - half), value * (1 + half)


def _parts(choice: Option, objective: Objective) -> list[Estimate | None]:
    """Return the estimates that an option's figure is made of."""
    summary = choice.summary
    if objective == "latency":  # a mean may follow from the throughput alone
        return [summary.p99 or summary.latency_batch or summary.throughput]
    if objective == "throughput":
        return [summary.throughput]
    if objective == "energy":
        return [summary.energy_image]
    return [summary.throughput, *([summary.energy_image] if choice.energy_j is not None else [])]


def _half(estimate: Estimate | None) -> float | None:
    """Return the half width; None where the interval says nothing of another process."""
    return None if estimate is None or estimate.within_one_process else estimate.half_width


def _choice(decision: Decision) -> Option:
    assert decision.choice
    return decision.choice
