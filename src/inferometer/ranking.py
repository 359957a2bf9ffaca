"""Who is best at a metric, and which rows the data cannot tell from the best (pure).

Rivals are the cells of one machine, model, mode and batch size. Rounds of one run are paired, since its frameworks
are interleaved; the variance of every comparison borrows from all comparisons on the machine; p-values are multiplied
by the number of pairs, because the best is chosen by looking. See docs/statistics.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inferometer import drift, stats
from inferometer.estimates import Series
from inferometer.metrics import Metric

if TYPE_CHECKING:
    from inferometer.summary import CellSummary

# Without a second process, or with published means only, nothing is known of the noise between processes:
# smaller differences are called ties.
UNKNOWN_NOISE = 0.03

Group = tuple[str, str, str, int]  # machine, model, mode, batch size


@dataclass(frozen=True)
class Standing:
    """Where a cell stands at one metric among the rivals of its batch size."""

    value: float
    place: int  # 1: best
    best: bool
    tie: bool  # one of two or more that cannot be told from the best (the best included)
    best_overall: bool  # best of its machine, model and mode over all batch sizes
    ratio: float  # to the best of its batch size, >= 1 where better is more, <= 1 otherwise
    p: float  # adjusted chance of seeing such a distance from the best where there is none; 1.0 for the best


def group_of(summary: CellSummary) -> Group:
    """Return what a cell competes within."""
    return summary.machine, summary.model, summary.cell.mode, summary.cell.batch_size


def standings(summaries: Sequence[CellSummary], metric: Metric) -> dict[str, Standing]:
    """Return the standing of every ranked cell that has the metric, by the summary's key."""
    groups: dict[Group, list[tuple[CellSummary, float]]] = defaultdict(list)
    for summary in summaries:
        estimate = metric.of(summary)
        if summary.ranked and estimate is not None and math.isfinite(estimate.value):
            groups[group_of(summary)].append((summary, estimate.value))
    overall: dict[tuple[str, str, str], float] = {}
    for group, members in groups.items():
        members.sort(key=lambda pair: pair[1], reverse=metric.higher_is_better)
        top = members[0][1]
        if group[:3] not in overall or metric.better(top, overall[group[:3]]):
            overall[group[:3]] = top
    priors = _priors(groups, metric)
    found: dict[str, Standing] = {}
    for group, members in groups.items():
        found |= _place(members, metric, priors[group[0]], overall[group[:3]])
    if not metric.competes:
        return {key: replace(at, best=False, tie=False, best_overall=False) for key, at in found.items()}
    return found


def _place(
    members: list[tuple[CellSummary, float]], metric: Metric, prior: stats.Prior, overall: float
) -> dict[str, Standing]:
    best, top = members[0]
    pairs = len(members) * (len(members) - 1) // 2
    ps = [1.0] + [min(1.0, pairs * chance(best, other, metric, prior)) for other, _ in members[1:]]
    ties = sum(p > stats.ALPHA for p in ps)
    return {
        summary.key: Standing(
            value,
            place,
            place == 1,
            ties > 1 and ps[place - 1] > stats.ALPHA,
            place == 1 and value == overall,
            value / top if top else 1.0,
            ps[place - 1],
        )
        for place, (summary, value) in enumerate(members, 1)
    }


def differences(first: Series, second: Series) -> stats.Floats | None:
    """Return second - first, round by round, over the rounds that both have; None for fewer than two."""
    if first.within or second.within:
        return None
    if first.keys == second.keys:
        return np.subtract(second.logs, first.logs) if len(first.keys) > 1 else None
    ours = dict(zip(first.keys, first.logs, strict=True))
    shared = [log - ours[key] for key, log in zip(second.keys, second.logs, strict=True) if key in ours]
    return np.array(shared) if len(shared) > 1 else None


def _priors(
    groups: dict[Group, list[tuple[CellSummary, float]]], metric: Metric
) -> defaultdict[str, stats.Prior]:
    """Return, per machine, what all its cells say about the variance of a difference of two of them in one round."""
    cells: dict[str, dict[str, Series]] = defaultdict(dict)
    processes: dict[str, str] = {}
    for group, members in groups.items():
        for summary, _ in members:
            series = metric.series(summary)
            if series is not None:
                cells[group[0]][summary.key] = series
                processes[summary.key] = f"{summary.cell.framework}/{summary.cell.precision}"
    priors: defaultdict[str, stats.Prior] = defaultdict(lambda: stats.NO_PRIOR)
    priors.update(
        {m: drift.prior(drift.estimate(found, processes), factor=2.0) for m, found in cells.items()}
    )
    return priors


def chance(
    best: CellSummary, other: CellSummary, metric: Metric, prior: stats.Prior = stats.NO_PRIOR
) -> float:
    """Return the p-value of "no difference" between two cells, before any adjustment for multiplicity.

    Where the noise between processes is unknown, a difference below `UNKNOWN_NOISE` has p = 1.
    """
    first, second = metric.series(best), metric.series(other)
    values = metric.of(best), metric.of(other)
    assert values[0] and values[1]
    if values[0].value == values[1].value:
        return 1.0
    if first and second:
        spread = _spread(first, second, prior)
        if spread is not None:
            return spread.p
    if not metric.exact and _within_unknown_noise(values[0].value, values[1].value):
        return 1.0
    if first and second and min(len(first.logs), len(second.logs)) > 1:
        return stats.welch(first.logs, second.logs).p
    return 0.0


def _spread(first: Series, second: Series, prior: stats.Prior) -> stats.Spread | None:
    """Return how far apart two cells are by their rounds; None where one of them has a single process."""
    delta = differences(first, second)
    if delta is not None:
        return stats.paired(delta, prior)
    if first.within or second.within or min(len(first.logs), len(second.logs)) < 2:
        return None
    return stats.welch(first.logs, second.logs)


def _within_unknown_noise(first: float, second: float) -> bool:
    return first > 0 and second > 0 and abs(math.log(second / first)) < math.log1p(UNKNOWN_NOISE)
