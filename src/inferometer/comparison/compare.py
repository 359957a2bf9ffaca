"""Two sets of runs cell by cell: ratio with interval, and faster, slower, tie or why they cannot be compared (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from inferometer.comparison.changes import NO_INTERVAL, NO_ROUNDS, ONE_ROUND, TO_ZERO, Change, Comparison
from inferometer.comparison.comparability import difference, no_ratio, other_measure
from inferometer.comparison.pairing import Name, NameParts, label_of, named, planned, without_framework
from inferometer.records import Machine
from inferometer.results import drift, stats
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import PUBLISHED, Estimate
from inferometer.results.floor import floor_of, under_floor
from inferometer.results.metrics import THROUGHPUT, Metric, no_series
from inferometer.results.tie_test import differences, spread_by_intervals
from inferometer.storage.run_directory import StoredRun


def compare(
    first: Results,
    second: Results,
    metric: Metric = THROUGHPUT,
    frameworks: tuple[str, str] | None = None,
    noise: float | None = None,
    *,
    looks: int = 1,
) -> Comparison:
    """Compare the cells of two results by name.

    ``noise``: the relative standard deviation between processes that the caller knows, for cells of which the runs say
    nothing of it; they are not judged otherwise.
    ``frameworks``: compare this framework of A with that one of B (two rows of one run, then paired by round).
    ``looks``: among how many comparisons this one is shown; they share the level, so that all of them together seldom err.
    A version in a framework's name (``onnxrt@1.30.0``) is left out where the rest of the name is unique. Machines and
    devices tell cells apart where a side has several. UsageError for an unknown framework and a cell held twice.
    """
    name_parts = NameParts.of(first, second)
    ours = named(first, "A", name_parts, frameworks and frameworks[0])
    theirs = named(second, "B", name_parts, frameworks and frameworks[1])
    if frameworks:
        ours, theirs = without_framework(ours), without_framework(theirs)
    pairs = [(name, ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs])]
    expected = planned(second, name_parts, frameworks and frameworks[1])
    shared = first.summaries if _share_runs(first, second) else ()
    judge = _Judge(metric, pairs, shared, expected, noise)
    changes = [judge.change(name, a, b, _machines(first, second, a, b)) for name, a, b in pairs]
    matched = _match_precisions(changes, [name for name, _, _ in pairs])
    changes = _adjust(matched, metric, _level((*first.runs, *second.runs)) / looks, looks)
    protocols = [tuple(run.info.protocol for run in side.runs) for side in (first, second)]
    machines = {(a.machine, b.machine): _machines(first, second, a, b) for _, a, b in pairs if a and b}
    return Comparison(
        metric,
        tuple(changes),
        frameworks is not None,
        (protocols[0], protocols[1]),
        tuple(pair for pair in machines.values() if pair),
    )


def _level(runs: Iterable[StoredRun]) -> float:
    """Return the level of the verdicts: stricter where the noise of a first stage chose a run's number of rounds."""
    return stats.ALPHA_TWO_STAGES if any(run.info.protocol.most_rounds for run in runs) else stats.ALPHA


def _share_runs(first: Results, second: Results) -> bool:
    """Return whether both sides are the very same runs, so that rounds pair."""
    return [run.path.resolve() for run in first.runs] == [run.path.resolve() for run in second.runs]


def _machines(
    first: Results, second: Results, a: CellSummary | None, b: CellSummary | None
) -> tuple[Machine, Machine] | None:
    return (first.machines[a.machine], second.machines[b.machine]) if a and b else None


class _Judge:
    """Knows the noise of both sides, and judges one cell after another."""

    def __init__(
        self,
        metric: Metric,
        pairs: Sequence[tuple[Name, CellSummary | None, CellSummary | None]],
        shared_run: Sequence[CellSummary],  # everything in the one run that both sides are; empty: two runs
        expected: frozenset[Name],  # what B was to measure
        noise: float | None,  # between processes, as the caller knows it
    ) -> None:
        self.metric, self.shared_run, self.expected, self.noise = metric, shared_run, expected, noise
        firsts, seconds = [a for _, a, _ in pairs if a], [b for _, _, b in pairs if b]
        self.first, self.second = self._levels(firsts).rounds, self._levels(seconds).rounds
        self.prior = drift.prior(self.first, self.second)
        self.shared = self._levels(shared_run)  # every framework of the run tells about its noise

    def _levels(self, summaries: Sequence[CellSummary]) -> drift.Levels:
        series = {s.key: found for s in summaries if s.ranked and (found := self.metric.series(s))}
        return drift.Levels.of(series, {s.key: f"{s.cell.framework}/{s.cell.precision}" for s in summaries})

    def change(
        self,
        name: Name,
        a: CellSummary | None,
        b: CellSummary | None,
        machines: tuple[Machine, Machine] | None,
    ) -> Change:
        label = label_of(name)
        if a is None or b is None or machines is None:
            return self._alone(name, a, b)
        if reason := difference(a, b, *machines):
            return Change(label, a, b, "not comparable", reason=reason)
        if not (a.measured and b.measured):
            return _mishap(label, a, b)
        return self._both(label, a, b)

    def _alone(self, name: Name, a: CellSummary | None, b: CellSummary | None) -> Change:
        label = label_of(name)
        if a and a.measured and name in self.expected:
            return Change(
                label, a, b, "broken", reason="B was to measure it and has no result (interrupted?)"
            )
        return Change(label, a, b, "not comparable", reason="only in A" if a else "only in B")

    def _both(self, label: str, a: CellSummary, b: CellSummary) -> Change:
        ours, theirs = self.metric.of(a), self.metric.of(b)
        reason = no_ratio(self.metric, a, b) or other_measure(self.metric, a, b)
        if reason or ours is None or theirs is None:
            return Change(label, a, b, "not comparable", reason=reason)
        ratio = theirs.value / ours.value
        equal = under_floor(ratio, floor_of(self.metric, a, b))
        if self.metric.exact:
            return Change(label, a, b, "tie", ratio, p=float(equal), basis="exact")
        spread, basis = self._spread(a, b)
        if spread is None and self.noise is not None:
            spread, basis = self._as_told(a, b, math.log(ratio))
        if spread is None:
            return Change(label, a, b, "not judged", ratio, basis=basis, reason=basis)
        low, high = spread.interval()
        told = math.exp(spread.log_ratio), low, high
        if spread.log_ratio * (ratio - 1) < 0 and spread.p <= stats.ALPHA and not equal:
            return Change(label, a, b, "unclear", *told, 1.0, basis, _CONTRARY)
        return Change(label, a, b, "tie", *told, 1.0 if equal else spread.p, basis)

    def _spread(self, a: CellSummary, b: CellSummary) -> tuple[stats.Spread | None, str]:
        first, second = self.metric.series(a), self.metric.series(b)
        figures = [found for s in (a, b) if (found := self.metric.of(s))]
        if self.metric.series is no_series:
            spread = spread_by_intervals(self.metric.of(a), self.metric.of(b))
            return spread, "the intervals of both" if spread else _why_no_spread(figures)
        if not (first and second and first.logs and second.logs):
            return None, PUBLISHED if PUBLISHED in [found.source for found in figures] else NO_ROUNDS
        if self.shared_run and (delta := differences(first, second)):
            of_runs = f" of {delta.runs} runs" if delta.runs > 1 else ""
            return self.shared.paired(delta), f"{len(delta.keys)} paired rounds{of_runs}"
        if max(first.runs, second.runs) > 1:
            return drift.between_pools(first, second), f"{first.runs} and {second.runs} runs"
        known = (self.first.variances.get(a.key), self.second.variances.get(b.key))
        counts = [first.processes, second.processes]
        added = drift.between(self.first, self.second, counts)
        spread = drift.unpaired(first.units, second.units, known, self.prior, added)
        return spread, _basis(known, counts) if spread else ONE_ROUND

    def _as_told(self, a: CellSummary, b: CellSummary, log_ratio: float) -> tuple[stats.Spread, str]:
        """Judge by the noise between processes that the caller knows."""
        assert self.noise is not None
        counts = [max(1, found.processes if (found := self.metric.series(s)) else 1) for s in (a, b)]
        error = self.noise * math.sqrt(sum(1 / count for count in counts))
        basis = f"{counts[0]} and {counts[1]} rounds, noise of {100 * self.noise:g} % as given"
        return stats.Spread(log_ratio, error, math.inf), basis


def _why_no_spread(figures: Sequence[Estimate]) -> str:
    return NO_INTERVAL if any(found.low is None for found in figures) else TO_ZERO


def _basis(known: Sequence[tuple[float, float] | None], counts: Sequence[int]) -> str:
    rounds = f"{counts[0]} and {counts[1]} rounds"
    if all(known):
        return rounds
    whose = "A's noise" if known[0] else "B's noise" if known[1] else "the noise of other cells"
    return f"{rounds}, {whose} for both"


def _mishap(label: str, a: CellSummary, b: CellSummary) -> Change:
    if a.measured:
        return Change(label, a, b, "broken", reason=f"B {b.status}: {b.cause}")
    if b.measured:
        return Change(label, a, b, "repaired", reason=f"A {a.status}: {a.cause}")
    return Change(label, a, b, "not comparable", reason=f"A {a.status}, B {b.status}")


def _match_precisions(changes: Sequence[Change], names: Sequence[Name]) -> list[Change]:
    """Say of cells found on one side only when the other side has them in another precision."""
    rivals: dict[tuple[object, ...], dict[bool, str]] = {}  # all of the name but the precision; in A or not
    for change, (*place, precision, size, mode, device) in zip(changes, names, strict=True):
        if change.first is None or change.second is None:
            rivals.setdefault((*place, size, mode, device), {}).setdefault(
                change.first is not None, precision
            )
    found = []
    for change, (*place, precision, size, mode, device) in zip(changes, names, strict=True):
        alone = change.first is None or change.second is None
        rival = rivals[*place, size, mode, device].get(change.first is None) if alone else None
        if rival:
            sides = (precision, rival) if change.first else (rival, precision)
            reason = f"{change.reason}; other precision: {sides[0]} / {sides[1]}"
            found.append(replace(change, reason=reason))
        else:
            found.append(change)
    return found


def _adjust(changes: list[Change], metric: Metric, level: float, looks: int) -> list[Change]:
    """Adjust the p-values for the number of cells, and give each its verdict."""
    tested = [i for i, c in enumerate(changes) if c.p is not None]
    adjusted = stats.false_discovery([changes[i].p or 0.0 for i in tested])
    for index, p in zip(tested, adjusted, strict=True):
        change = changes[index]
        verdict, reason = change.verdict, change.reason
        if p <= level and change.ratio is not None:
            verdict = "better" if metric.better(change.ratio, 1.0) else "worse"
        elif (change.p or 0.0) <= stats.ALPHA:
            verdict, reason = "unclear", _why_unclear(len(tested), level, looks)
        changes[index] = replace(change, p=p, verdict=verdict, reason=reason)
    return changes


_CONTRARY = "the rounds that both have say otherwise than all rounds; measure both again, in one run"


def _why_unclear(cells: int, level: float, looks: int) -> str:
    """Return why a change whose own interval excludes none is no verdict."""
    if looks > 1:
        return f"of {looks + 1} runs one may look changed as much by chance; more rounds tell"
    if cells > 1:
        return f"of {cells} cells one may look changed as much by chance; more rounds tell"
    return f"judged at {100 * level:g} %, since noise chose the number of rounds"
