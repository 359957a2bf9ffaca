"""Decisions under load for people and for other programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inferometer.recommendation import render
from inferometer.recommendation.decision import Decision
from inferometer.recommendation.load_option import LoadOption, metered_alike
from inferometer.recommendation.under_load import LoadDecision
from inferometer.results.under_load import watts
from inferometer.tables.markup import markdown_text
from inferometer.units import duration, significant


def lines(decision: LoadDecision) -> list[str]:
    """Return what to say about one machine and model, a line each."""
    wanted = decision.wanted
    rate = f", {significant(wanted.rate)} requests/s" if wanted.rate else ""
    promise = f"p{decision.percentile:g} of requests within {duration(wanted.limit_s)}"
    head = f"{decision.machine}: {decision.model}, {promise}{rate}"
    if decision.choice is None:
        said = [f"nothing keeps the promise: {'; '.join(decision.refused)}"]
    else:
        said = [f"take {decision.choice.words}", f"cheapest by {decision.by}"]
        said += [f"also: {other.words}" for other in decision.others[:3]]
        said += [f"left out: {reason}" for reason in decision.refused]
    return [head, *(f"  {line}" for line in said), *(f"  doubt: {doubt}" for doubt in decision.doubts)]


def to_text(found: Sequence[LoadDecision]) -> list[str]:
    """Return the lines for a terminal, with the order of several machines."""
    return [*(line for decision in found for line in lines(decision)), *across_machines(found)]


def to_markdown(found: Sequence[LoadDecision]) -> list[str]:
    """Return the same as lines of Markdown."""
    told = [line for decision in found for line in lines(decision)]
    items = [(line.strip(), "  - " if line.startswith(" ") else "- ") for line in told]
    items += [(sentence, "- ") for sentence in across_machines(found)]
    return [f"{sign}{markdown_text(text)}" for text, sign in items]


def to_json(found: Sequence[LoadDecision], closed: Sequence[Decision]) -> str:
    """Return as JSON the decisions under load, and those of machines and models with closed loops only."""
    told = {"under_load": [_data(d) for d in found], "closed_loops": render.data(closed)}
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _data(decision: LoadDecision) -> dict[str, Any]:
    return {
        "machine": decision.machine,
        "model": decision.model,
        "percentile": decision.percentile,
        "limit_s": decision.wanted.limit_s,
        "rate": decision.wanted.rate,
        "choice": _option_data(decision.choice) if decision.choice else None,
        "others": [_option_data(other) for other in decision.others],
        "by": decision.by,
        "refused": list(decision.refused),
        "doubts": list(decision.doubts),
    }


def across_machines(found: Sequence[LoadDecision]) -> list[str]:
    """Return a sentence for each model and percentile that several machines keep the promise of."""
    groups: dict[tuple[str, float], list[LoadDecision]] = {}
    for decision in found:
        if decision.choice:
            groups.setdefault((decision.model, decision.percentile), []).append(decision)
    several = len(groups) > 1
    return [
        (f"{model}, p{percentile:g}: " if several else "") + _sentence(group)
        for (model, percentile), group in groups.items()
        if len({decision.machine for decision in group}) > 1
    ]


@dataclass(frozen=True)
class _Merit:
    """By what machines are put in order, the least value first."""

    word: str
    value: Callable[[LoadOption], float]
    shown: Callable[[LoadOption], str]


_COST = _Merit(
    "cheapest",
    lambda option: option.cost or 0.0,
    lambda option: f"{significant(option.cost or 0.0)} {option.currency} a million requests",
)
_ENERGY = _Merit(
    "least energy a request",
    lambda option: option.joules or 0.0,
    lambda option: f"{significant(1e3 * (option.joules or 0.0))} mJ a request",
)
_RATE = _Merit(
    "most requests/s",
    lambda option: -option.highest_rate,
    lambda option: f"{significant(option.highest_rate)} requests/s",
)


def _sentence(group: Sequence[LoadDecision]) -> str:
    pairs = [(decision.machine, decision.choice) for decision in group if decision.choice]
    merit = _merit([option for _, option in pairs])
    first, *others = [
        f"{machine} ({option.summary.row}, {merit.shown(option)})"
        for machine, option in sorted(pairs, key=lambda pair: merit.value(pair[1]))
    ]
    said = f"of these machines {merit.word}: {first}; then {', '.join(others)}; how sure the order is, is not judged"
    if merit is _COST and len({decision.without_electricity for decision in group}) > 1:
        said += "; electricity is in some of the costs only"
    return said


def _merit(options: Sequence[LoadOption]) -> _Merit:
    if all(option.cost is not None for option in options):
        return _COST
    return _ENERGY if metered_alike(options) else _RATE


def _option_data(option: LoadOption) -> dict[str, Any]:
    cell, batching = option.summary.cell, option.summary.batching
    return {
        "framework": cell.framework,
        "precision": cell.precision,
        "device": cell.device,
        "max_batch": batching.max_batch,
        "max_wait_s": batching.max_wait_s,
        "padding": batching.padding,
        "instances": batching.instances,
        "rate": option.rate,
        "highest_rate": option.highest_rate,
        "latency_s": option.test.latency_s,
        "energy_request_j": option.joules,
        "meter": option.meter,
        "power_w": watts(option.test),
        "cost_per_million_requests": option.cost,
        "currency": option.currency,
    }
