"""Who is best at a metric, and which rows the data cannot tell from the best (pure).

Rivals are the cells of one machine, model, mode and batch size, for energies of one meter too. Rounds of one run are
paired, since its frameworks are interleaved; the variance of every comparison borrows from all comparisons on the
machine; p-values are multiplied by the number of pairs, because the best is chosen by looking. `TieTest` is the one rule
of this, for tables, verdicts and recommendations alike. See docs/statistics.md.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from inferometer.results import drift, stats
from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate, Series
from inferometer.results.metrics import Metric

# Without a second process, or with published means only, nothing is known of the noise between processes:
# smaller differences are called ties.
UNKNOWN_NOISE = 0.03

Scope = tuple[str, str, str, str]  # machine, model, mode, meter ("" where the metric is not metered)
Group = tuple[str, str, str, str, int]  # scope, batch size


@dataclass(frozen=True)
class Rank:
    """Where a cell stands at one metric among the rivals of its batch size."""

    value: float
    place: int  # 1: best
    best: bool
    tie: bool  # one of two or more that cannot be told from the best (the best included)
    best_overall: bool  # best of its machine, model and mode over all batch sizes
    ratio: float  # to the best of its batch size, >= 1 where better is more, <= 1 otherwise
    p: float  # adjusted chance of seeing such a distance from the best where there is none; 1.0 for the best


def group_of(summary: CellSummary, metric: Metric) -> Group:
    """Return what a cell competes within."""
    meter = summary.meter if metric.metered else ""
    return summary.machine, summary.model, summary.cell.mode, meter, summary.cell.batch_size


def of_one_meter(summaries: Sequence[CellSummary], metric: Metric) -> list[CellSummary]:
    """Return the cells that may be compared across batch sizes: for energies those of the meter that most have."""
    meters = Counter(s.meter for s in summaries if s.measured and s.meter) if metric.metered else Counter()
    most = next(iter(meters.most_common(1)), ("", 0))[0]
    return [s for s in summaries if len(meters) < 2 or s.meter == most]


def rank_cells(summaries: Sequence[CellSummary], metric: Metric) -> dict[str, Rank]:
    """Return the rank of every measured cell that has the metric, by the summary's key."""
    test = TieTest(summaries, metric)
    overall: dict[Scope, float] = {}
    for group, members in test.groups.items():
        members.sort(key=test.value, reverse=metric.higher_is_better)
        top = test.value(members[0])
        if group[:4] not in overall or metric.better(top, overall[group[:4]]):
            overall[group[:4]] = top
    found: dict[str, Rank] = {}
    for group, members in test.groups.items():
        found |= _place(members, test, overall[group[:4]])
    if not metric.competes:
        return {key: replace(at, best=False, tie=False, best_overall=False) for key, at in found.items()}
    return found


def _place(members: list[CellSummary], test: TieTest, overall: float) -> dict[str, Rank]:
    best, top = members[0], test.value(members[0])
    ps = [1.0] + [test.p(best, other) for other in members[1:]]
    ties = sum(p > stats.ALPHA for p in ps)
    return {
        summary.key: Rank(
            value := test.value(summary),
            place,
            place == 1,
            ties > 1 and ps[place - 1] > stats.ALPHA,
            place == 1 and value == overall,
            value / top if top else 1.0,
            ps[place - 1],
        )
        for place, summary in enumerate(members, 1)
    }


class TieTest:
    """All cells that compete at a metric, and the one rule by which two of a machine are told apart."""

    def __init__(self, summaries: Sequence[CellSummary], metric: Metric) -> None:
        self.metric = metric
        self.groups: dict[Group, list[CellSummary]] = defaultdict(list)
        self._rows: dict[Scope, set[str]] = defaultdict(set)
        for summary in summaries:
            estimate = metric.of(summary)
            if summary.measured and estimate is not None and math.isfinite(estimate.value):
                group = group_of(summary, metric)
                self.groups[group].append(summary)
                self._rows[group[:4]].add(summary.row)
        self._noise = _noise(self.groups, metric)

    def value(self, summary: CellSummary) -> float:
        """Return the metric of a cell that has it."""
        estimate = self.metric.of(summary)
        assert estimate is not None
        return estimate.value

    def p(self, best: CellSummary, other: CellSummary) -> float:
        """Return the chance of seeing such a distance between two cells of a machine where there is none.

        Times the number of pairs that compete: of the cells of a batch size; of the rows, for cells of two batch sizes.
        """
        group = group_of(best, self.metric)
        one_size = group == group_of(other, self.metric)
        count = len(self.groups[group]) if one_size else len(self._rows[group[:4]])
        return min(1.0, max(1, count * (count - 1) // 2) * self._chance(best, other))

    def tied(self, best: CellSummary, other: CellSummary) -> bool:
        """Return whether the data cannot tell two cells of a machine apart."""
        return self.p(best, other) > stats.ALPHA

    def ties(
        self, best: CellSummary, others: Iterable[CellSummary], name: Callable[[CellSummary], str]
    ) -> list[CellSummary]:
        """Return the first of each name among ``others`` that cannot be told from ``best``.

        Of all cells, not of each name's nominal best: a noisy one may tie though it is behind.
        """
        tied: dict[str, CellSummary] = {}
        for other in others:
            if name(other) not in tied and self.tied(best, other):
                tied[name(other)] = other
        return list(tied.values())

    def _chance(self, best: CellSummary, other: CellSummary) -> float:
        """Return the p-value of "no difference", before the adjustment for the number of pairs.

        Where the noise between processes is unknown, a difference below `UNKNOWN_NOISE` has p = 1.
        """
        values = self.value(best), self.value(other)
        if values[0] == values[1]:
            return 1.0
        spread = self._spread(best, other)
        if spread is not None:
            return spread.p
        if not self.metric.exact and _within_unknown_noise(*values):
            return 1.0
        first, second = self.metric.series(best), self.metric.series(other)
        if (
            first and second and min(len(first.logs), len(second.logs)) > 1
        ):  # loops: the least that noise can be
            return stats.welch(first.logs, second.logs).p
        claimed = spread_by_intervals(self.metric.of(best), self.metric.of(other))
        return claimed.p if claimed else 0.0

    def _spread(self, best: CellSummary, other: CellSummary) -> stats.Spread | None:
        """Return how far apart two cells are by their rounds; None where neither has a second process."""
        first, second = self.metric.series(best), self.metric.series(other)
        if not (first and second and first.logs and second.logs):
            return None
        noise = self._noise[best.machine]
        delta = differences(first, second)
        if delta is not None:
            return stats.paired(delta, drift.prior(noise, factor=2.0))
        if min(first.processes, second.processes) > 1:
            return stats.welch(first.logs, second.logs)
        known = (noise.variances.get(best.key), noise.variances.get(other.key))
        return drift.unpaired(first, second, known, drift.prior(noise)) if any(known) else None


def spread_by_intervals(first: Estimate | None, second: Estimate | None) -> stats.Spread | None:
    """Return how far apart two estimates are by their own intervals; None where one has none."""
    known = [(e.value, e.low, e.high) for e in (first, second) if e and e.low and e.high and e.low > 0]
    if len(known) < 2:
        return None
    normal = stats.t_quantile(stats.CONFIDENCE, math.inf)
    errors = [math.log(high / low) / 2 / normal for _, low, high in known]
    distance = math.log(known[1][0] / known[0][0])
    return stats.Spread(distance, math.hypot(*errors), math.inf)


def differences(first: Series, second: Series) -> stats.Floats | None:
    """Return second - first, round by round, over the rounds that both have; None for fewer than two."""
    if first.within or second.within:
        return None
    if first.keys == second.keys:
        return np.subtract(second.logs, first.logs) if len(first.keys) > 1 else None
    ours = dict(zip(first.keys, first.logs, strict=True))
    shared = [log - ours[key] for key, log in zip(second.keys, second.logs, strict=True) if key in ours]
    return np.array(shared) if len(shared) > 1 else None


def _noise(groups: dict[Group, list[CellSummary]], metric: Metric) -> defaultdict[str, drift.Noise]:
    """Return, per machine, the noise of its cells from round to round."""
    cells: dict[str, dict[str, Series]] = defaultdict(dict)
    processes: dict[str, str] = {}
    for group, members in groups.items():
        for summary in members:
            series = metric.series(summary)
            if series is not None:
                cells[group[0]][summary.key] = series
                processes[summary.key] = f"{summary.cell.framework}/{summary.cell.precision}"
    noise: defaultdict[str, drift.Noise] = defaultdict(lambda: drift.NOTHING)
    noise.update({machine: drift.estimate(found, processes) for machine, found in cells.items()})
    return noise


def _within_unknown_noise(first: float, second: float) -> bool:
    return first > 0 and second > 0 and abs(math.log(second / first)) < math.log1p(UNKNOWN_NOISE)
