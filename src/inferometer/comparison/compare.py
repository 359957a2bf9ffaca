"""Two sets of runs cell by cell: ratio with interval, and faster, slower, tie or why they cannot be compared (pure)."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from inferometer.comparison.comparability import difference, other_meter
from inferometer.comparison.pairing import Name, NameParts, label_of, named, planned, without_framework
from inferometer.records import Machine, Protocol
from inferometer.results import drift, stats
from inferometer.results.cells import CellSummary, Results
from inferometer.results.estimates import PUBLISHED, WITHIN_ONE_PROCESS
from inferometer.results.metrics import THROUGHPUT, Metric
from inferometer.results.ranking import UNKNOWN_NOISE, differences, spread_by_intervals
from inferometer.storage.run_directory import StoredRun

Verdict = Literal["better", "worse", "tie", "broken", "repaired", "not comparable"]


@dataclass(frozen=True)
class Change:
    """One cell in A and B."""

    name: str
    first: CellSummary | None
    second: CellSummary | None
    verdict: Verdict
    ratio: float | None = None  # B / A
    low: float | None = None
    high: float | None = None
    p: float | None = None  # adjusted for the number of cells (Benjamini and Hochberg)
    basis: str = ""  # what the interval rests on
    reason: str = ""  # of "not comparable", "broken" and "repaired"


@dataclass(frozen=True)
class Comparison:
    """All cells of two sets of runs."""

    metric: Metric
    changes: tuple[Change, ...]
    of_two_frameworks: bool = False  # one of A against another of B
    protocols: tuple[tuple[Protocol, ...], tuple[Protocol, ...]] = ((), ())  # of A's and B's runs

    @functools.cached_property
    def model(self) -> str:
        """Return the model of all cells; "" where there are several."""
        models = {s.cell.model for c in self.changes for s in (c.first, c.second) if s}
        return models.pop() if len(models) == 1 else ""

    @property
    def counts(self) -> Counter[str]:
        """Return how many cells got each verdict."""
        return Counter(change.verdict for change in self.changes)

    @property
    def unjudged(self) -> tuple[Change, ...]:
        """Return the cells that ended well in A and are not compared."""
        found = (c for c in self.changes if c.verdict == "not comparable")
        return tuple(c for c in found if c.first and c.first.measured)

    def worse_by(self, share: float) -> tuple[Change, ...]:
        """Return the cells that are surely worse and measured worse by ``share`` or more, and the broken ones."""
        return tuple(
            c
            for c in self.changes
            if c.verdict == "broken" or (c.verdict == "worse" and _loss(c, self.metric) >= share)
        )


def _loss(change: Change, metric: Metric) -> float:
    """Return by what share B is worse than A."""
    assert change.ratio is not None
    return 1 - change.ratio if metric.higher_is_better else change.ratio - 1


def compare(
    first: Results,
    second: Results,
    metric: Metric = THROUGHPUT,
    frameworks: tuple[str, str] | None = None,
) -> Comparison:
    """Compare the cells of two results by name.

    ``frameworks``: compare this framework of A with that one of B (two rows of one run, then paired by round).
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
    judge = _Judge(metric, pairs, first.summaries if _share_runs(first, second) else (), expected)
    changes = [judge.change(name, a, b, _machines(first, second, a, b)) for name, a, b in pairs]
    matched = _match_precisions(changes, [name for name, _, _ in pairs])
    changes = _adjust(matched, metric, _level((*first.runs, *second.runs)))
    protocols = [tuple(run.info.protocol for run in side.runs) for side in (first, second)]
    return Comparison(metric, tuple(changes), frameworks is not None, (protocols[0], protocols[1]))


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
    ) -> None:
        self.metric, self.shared_run, self.expected = metric, shared_run, expected
        firsts, seconds = [a for _, a, _ in pairs if a], [b for _, _, b in pairs if b]
        self.first, self.second = self._noise(firsts), self._noise(seconds)
        self.prior = drift.prior(self.first, self.second)
        # a difference of two cells has twice the variance; every framework of the run tells about it
        self.paired_prior = drift.prior(self._noise(shared_run), factor=2.0) if shared_run else stats.NO_PRIOR

    def _noise(self, summaries: Sequence[CellSummary]) -> drift.Noise:
        series = {s.key: found for s in summaries if s.ranked and (found := self.metric.series(s))}
        return drift.estimate(series, {s.key: f"{s.cell.framework}/{s.cell.precision}" for s in summaries})

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
        if ours is None or theirs is None or min(ours.value, theirs.value) <= 0:
            reason = f"no {self.metric.name} in {'A' if ours is None else 'B'}"
            return Change(label, a, b, "not comparable", reason=reason)
        if self.metric.metered and (reason := other_meter(a, b)):
            return Change(label, a, b, "not comparable", reason=reason)
        ratio = theirs.value / ours.value
        spread, basis = self._spread(a, b, math.log(ratio))
        if spread is None:
            return self._without_noise(label, a, b, ratio, basis)
        centred = replace(spread, log_ratio=math.log(ratio))
        low, high = centred.interval()
        return Change(label, a, b, "tie", ratio, low, high, spread.p, basis)

    def _spread(self, a: CellSummary, b: CellSummary, log_ratio: float) -> tuple[stats.Spread | None, str]:
        first, second = self.metric.series(a), self.metric.series(b)
        if first is None or second is None:
            claimed = spread_by_intervals(self.metric.of(a), self.metric.of(b))
            return claimed, "the intervals of both" if claimed else PUBLISHED
        if self.shared_run and (delta := differences(first, second)) is not None:
            return stats.paired(delta, self.paired_prior), f"{len(delta)} paired rounds"
        known = (self.first.variances.get(a.key), self.second.variances.get(b.key))
        counts = [first.processes, second.processes]
        added = drift.between(self.first, self.second, counts)
        spread = drift.unpaired(first, second, known, self.prior, added)
        return spread, _basis(known, counts) if spread else WITHIN_ONE_PROCESS

    def _without_noise(self, label: str, a: CellSummary, b: CellSummary, ratio: float, basis: str) -> Change:
        """Judge where nothing is known of the noise between processes: only a difference beyond it counts."""
        if self.metric.exact:
            p = 1.0 if ratio == 1 else 0.0
            return Change(label, a, b, "tie", ratio, p=p, basis="without noise: any difference counts")
        p = 1.0 if abs(math.log(ratio)) < math.log1p(UNKNOWN_NOISE) else 0.0
        basis = f"{basis}: differences below {100 * UNKNOWN_NOISE:.0f} % count as ties"
        return Change(label, a, b, "tie", ratio, p=p, basis=basis)


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


def _adjust(changes: list[Change], metric: Metric, level: float) -> list[Change]:
    """Adjust the p-values for the number of cells, and give each its verdict."""
    tested = [i for i, c in enumerate(changes) if c.p is not None]
    adjusted = stats.false_discovery([changes[i].p or 0.0 for i in tested])
    for index, p in zip(tested, adjusted, strict=True):
        change = changes[index]
        verdict: Verdict = "tie"
        if p <= level and change.ratio is not None:
            verdict = "better" if metric.better(change.ratio, 1.0) else "worse"
        changes[index] = replace(change, p=p, verdict=verdict)
    return changes
