"""The one rule by which two cells of a machine are told apart at a metric (pure): see `inferometer.results.ranking`."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.results import drift, stats
from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate, Key, Series
from inferometer.results.floor import floor_of, under_floor
from inferometer.results.metrics import Metric, no_series

Standing = Literal[
    "told",  # the data tell the two apart
    "tie",  # they do not
    "unclear",  # they would, were this pair the only one looked at
    "not judged",  # one process each: nothing is known of the next
]
Scope = tuple[str, str, str, str]  # machine, model, mode, and what measured it: `Metric.measure`
Group = tuple[str, str, str, str, int]  # scope, batch size
Block = tuple[dict[str, int], stats.Floats]  # where each cell's values are, by its key, and a row a cell


def group_of(summary: CellSummary, metric: Metric) -> Group:
    """Return what a cell competes within."""
    return (
        summary.machine, summary.model, summary.cell.mode, metric.measure(summary), summary.cell.batch_size,
    )  # fmt: skip


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """Whether the data tell two cells apart, and the adjusted chance of seeing such a distance where there is none."""

    standing: Standing
    p: float


class Rival(msgspec.Struct, frozen=True, gc=False):
    """What is asked of a cell again and again."""

    group: Group
    value: float
    floor: float  # the relative difference below which it equals another


def _ratio(first: Rival, second: Rival) -> float:
    return second.value / first.value if first.value else float(second.value == 0)


_TIE = Judgement("tie", 1.0)


class TieTest:
    """All cells that compete at a metric, and the one rule by which two of a machine are told apart."""

    def __init__(self, summaries: Sequence[CellSummary], metric: Metric) -> None:
        self.metric = metric
        self.groups: dict[Group, list[CellSummary]] = defaultdict(list)
        self._rows: dict[Scope, set[str]] = defaultdict(set)
        self._rivals: dict[str, Rival] = {}
        groups: dict[Group, Group] = {}  # each known by one object, which is found equal at once
        for summary in summaries:
            estimate = metric.of(summary)
            if summary.measured and estimate is not None and math.isfinite(estimate.value):
                group = group_of(summary, metric)
                group = groups.setdefault(group, group)
                self.groups[group].append(summary)
                self._rivals[summary.key] = Rival(group, estimate.value, floor_of(metric, summary))
        for group, members in self.groups.items():
            self._rows[group[:4]].update([member.row for member in members])
        self._series = {s.key: metric.series(s) for members in self.groups.values() for s in members}
        self._noise = _noise(self.groups, self._series)
        self._spreads: dict[tuple[str, str], stats.Spread | None] = {}

    def rival(self, summary: CellSummary) -> Rival:
        """Return what is asked of a cell that has the metric."""
        return self._rivals[summary.key]

    def value(self, summary: CellSummary) -> float:
        """Return the metric of a cell that has it."""
        return self._rivals[summary.key].value

    def prepare(self, best: CellSummary, others: Sequence[CellSummary]) -> None:
        """Compute at once, and keep, what `judge` will need of one cell and many others."""
        known = self._spreads
        alike, found = self._alike(best, [other for other in others if (best.key, other.key) not in known])
        if found is not None:
            columns = (found.log_ratios.tolist(), found.errors.tolist(), found.ps.tolist())
            for other, distance, error, p in zip(alike, *columns, strict=True):
                known[best.key, other.key] = stats.Spread(distance, error, found.dof, p)

    def _alike(
        self, best: CellSummary, others: Sequence[CellSummary]
    ) -> tuple[list[CellSummary], stats.Spreads | None]:
        """Return those of others that have the same rounds of one run as one cell, and how far each is from it; None where none has."""
        places, logs = self.block_of(best) or ({}, None)
        alike = [other for other in others if other.key in places]
        if logs is None or not alike:
            return [], None
        rows = logs[[places[other.key] for other in alike]] - logs[places[best.key]]
        return alike, self.levels_of(best).paired_rows(rows)

    def block_of(self, best: CellSummary) -> Block | None:
        """Return the rounds' values of all cells that have the same rounds of one run as one; None where it has no such rounds."""
        first = self._series[best.key]
        if first is None or len(first.keys) < 2 or first.runs > 1 or self.metric.exact:
            return None
        return self._blocks[first.keys]

    def levels_of(self, summary: CellSummary) -> drift.Levels:
        """Return the noise of the machine of a cell."""
        return self._noise[summary.machine]

    @functools.cached_property
    def _blocks(self) -> dict[tuple[Key, ...], Block]:
        """Return the rounds' values of all cells that have the same rounds."""
        alike: dict[tuple[Key, ...], dict[str, tuple[float, ...]]] = defaultdict(dict)
        for key, series in self._series.items():
            if series is not None:
                alike[series.keys][key] = series.logs
        return {
            keys: ({key: place for place, key in enumerate(found)}, np.array(list(found.values())))
            for keys, found in alike.items()
        }

    def judge(self, best: CellSummary, other: CellSummary) -> Judgement:
        """Return what the data say of two cells of a machine.

        The p-value is multiplied by the number of pairs that compete: of the cells of a batch size, and then for the number of
        batch sizes; of the rows, for cells of two batch sizes.
        """
        first, second = self._rivals[best.key], self._rivals[other.key]
        ratio = _ratio(first, second)
        if under_floor(ratio, max(first.floor, second.floor)):
            return _TIE
        if self.metric.exact:
            return Judgement("told", 0.0)
        spread = self._spread(best, other)
        if spread is None:
            return Judgement("not judged", 1.0)
        one_size, alone = first.group is second.group or first.group == second.group, spread.p
        p = min(1.0, self.comparisons_of(best)[0 if one_size else 1] * alone)
        if p > stats.ALPHA:
            return Judgement("tie" if alone > stats.ALPHA else "unclear", p)
        # the rounds that both have may say otherwise than all
        return Judgement("told", p) if spread.log_ratio * (ratio - 1) > 0 else Judgement("unclear", 1.0)

    def comparisons_of(self, best: CellSummary) -> tuple[float, float]:
        """Return by what the p-value of a cell and another is multiplied: of one batch size, and of two."""
        group = self._rivals[best.key].group
        of_cells, of_rows = self._pairs
        return of_cells[group] * self._chosen.get(group[:4], 1.0), of_rows[group]

    @functools.cached_property
    def _pairs(self) -> tuple[dict[Group, int], dict[Group, int]]:
        """Return, by group, how many pairs its cells make, and how many the rows of its machine, model and mode."""
        counts = (
            {g: len(members) for g, members in self.groups.items()},
            {g: len(self._rows[g[:4]]) for g in self.groups},
        )
        of_cells, of_rows = ({g: max(1, math.comb(n, 2)) for g, n in found.items()} for found in counts)
        return of_cells, of_rows

    @functools.cached_property
    def _chosen(self) -> dict[Scope, float]:
        """Return, per machine, model and mode, how many batch sizes there are for each that has a clear difference.

        So a run without differences tells any at most once in twenty, and one with many is judged size by size (Benjamini and
        Bogomolov, Selective Inference on Multiple Families of Hypotheses, J. R. Statist. Soc. B 76, 2014).
        """
        clearest: dict[Scope, list[float]] = defaultdict(list)
        for group, members in self.groups.items():
            best = (max if self.metric.higher_is_better else min)(members, key=self.value)
            others = [other for other in members if other is not best]
            if (least := self._least_p(best, others)) is not None:
                clearest[group[:4]].append(min(1.0, math.comb(len(members), 2) * least))
        return {scope: stats.families(ps) for scope, ps in clearest.items()}

    def _least_p(self, best: CellSummary, others: Sequence[CellSummary]) -> float | None:
        """Return the least p-value of one cell and others; None where nothing is known of the noise of any."""
        alike, found = self._alike(best, others)
        at_once = {other.key for other in alike}
        spreads = [self._spread(best, other) for other in others if other.key not in at_once]
        ps = [spread.p for spread in spreads if spread]
        return min(ps if found is None else [float(found.ps.min()), *ps], default=None)

    def _spread(self, best: CellSummary, other: CellSummary) -> stats.Spread | None:
        """Return how far apart two cells are by their rounds; None where nothing is known of the noise of either."""
        pair = best.key, other.key
        if pair not in self._spreads:
            self._spreads[pair] = self._computed_spread(best, other)
        return self._spreads[pair]

    def _computed_spread(self, best: CellSummary, other: CellSummary) -> stats.Spread | None:
        first, second = self._series[best.key], self._series[other.key]
        if self.metric.series is no_series:
            return spread_by_intervals(self.metric.of(best), self.metric.of(other))
        if not (first and second and first.logs and second.logs):
            return None
        noise = self._noise[best.machine]
        if delta := differences(first, second):
            return noise.paired(delta)
        if max(first.runs, second.runs) > 1:
            return drift.between_pools(first, second)
        known = (noise.rounds.variances.get(best.key), noise.rounds.variances.get(other.key))
        apart = {run for run, _ in first.keys}.isdisjoint(run for run, _ in second.keys)
        counts = [first.processes, second.processes]
        added = drift.between(noise.rounds, noise.rounds, counts) if apart else ()
        return drift.unpaired(first.units, second.units, known, noise.prior, added)


def spread_by_intervals(first: Estimate | None, second: Estimate | None) -> stats.Spread | None:
    """Return how far apart two figures are that are not known round by round, by their own intervals; None without both."""
    known = [(e.value, e.low, e.high) for e in (first, second) if e and e.low and e.high and e.low > 0]
    if len(known) < 2:
        return None
    normal = t_quantile(CONFIDENCE, math.inf)
    errors = [math.log(high / low) / 2 / normal for _, low, high in known]
    distance = math.log(known[1][0] / known[0][0])
    return stats.Spread(distance, math.hypot(*errors), math.inf)


def differences(first: Series, second: Series) -> Series | None:
    """Return second - first, round by round, over the rounds that both have; None for fewer than two."""
    if first.keys == second.keys:
        logs = tuple(y - x for x, y in zip(first.logs, second.logs, strict=True))
        return Series(first.keys, logs) if len(logs) > 1 else None
    shared = second.plus(first.scaled(-1))
    return shared if len(shared.keys) > 1 else None


def _noise(
    groups: dict[Group, list[CellSummary]], known: Mapping[str, Series | None]
) -> defaultdict[str, drift.Levels]:
    """Return, per machine, the noise of its cells from round to round."""
    cells: dict[str, dict[str, Series]] = defaultdict(dict)
    processes: dict[str, str] = {}
    for group, members in groups.items():
        for summary in members:
            series = known[summary.key]
            if series is not None:
                cells[group[0]][summary.key] = series
                processes[summary.key] = f"{summary.cell.framework}/{summary.cell.precision}"
    noise: defaultdict[str, drift.Levels] = defaultdict(drift.Levels)
    noise.update({machine: drift.Levels.of(found, processes) for machine, found in cells.items()})
    return noise
