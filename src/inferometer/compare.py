"""Two sets of runs cell by cell: ratio with interval, and faster, slower, tie or why they cannot be compared (pure)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from inferometer import drift, stats
from inferometer.comparable import difference
from inferometer.errors import UsageError, unknown
from inferometer.estimates import PUBLISHED, WITHIN_ONE_PROCESS, Series
from inferometer.metrics import METRICS, Metric
from inferometer.ranking import UNKNOWN_NOISE, differences
from inferometer.records import Machine
from inferometer.store import StoredRun
from inferometer.summary import CellSummary, Results

Verdict = Literal["better", "worse", "tie", "broken", "repaired", "not comparable"]

# machine ("": the only one), model, framework, precision, batch size, mode, device ("": the only one)
_Name = tuple[str, str, str, str, int, str, str]


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

    @property
    def counts(self) -> Counter[str]:
        """Return how many cells got each verdict."""
        return Counter(change.verdict for change in self.changes)

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
    metric: Metric = METRICS["throughput"],
    frameworks: tuple[str, str] | None = None,
) -> Comparison:
    """Compare the cells of two results by name.

    ``frameworks``: compare this framework of A with that one of B (two rows of one run, then paired by round).
    A version in a framework's name (``onnxrt@1.30.0``) is left out where the rest of the name is unique. Machines and
    devices tell cells apart where a side has several. UsageError for an unknown framework and a cell held twice.
    """
    apart = _Apart.of(first, second)
    ours = _named(first, "A", apart, frameworks and frameworks[0])
    theirs = _named(second, "B", apart, frameworks and frameworks[1])
    if frameworks:
        ours, theirs = _unframed(ours), _unframed(theirs)
    pairs = [(name, ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs])]
    judge = _Judge(metric, pairs, first.summaries if _share_runs(first, second) else ())
    changes = [judge.change(name, a, b, _machines(first, second, a, b)) for name, a, b in pairs]
    matched = _match_precisions(changes, [name for name, _, _ in pairs])
    changes = _adjust(matched, metric, _level((*first.runs, *second.runs)))
    return Comparison(metric, tuple(changes), frameworks is not None)


def _level(runs: Iterable[StoredRun]) -> float:
    """Return the level of the verdicts: stricter where the noise of a first stage chose a run's number of rounds."""
    return stats.ALPHA_TWO_STAGES if any(run.info.protocol.most_rounds for run in runs) else stats.ALPHA


@dataclass(frozen=True)
class _Apart:
    """Whether machines and devices are part of a cell's name."""

    machines: bool
    devices: bool

    @classmethod
    def of(cls, *sides: Results) -> _Apart:
        machines = [{m.fingerprint for m in side.machines.values()} for side in sides]
        devices = [{s.cell.device for s in side.summaries} for side in sides]
        return cls(max(map(len, machines)) > 1, max(map(len, devices)) > 1)


def _named(results: Results, side: str, apart: _Apart, framework: str | None) -> dict[_Name, CellSummary]:
    chosen = [s for s in results.summaries if framework is None or s.cell.framework == framework]
    if framework is not None and not chosen:
        raise unknown(f"framework in {side}", framework, {s.cell.framework for s in results.summaries})
    plain = Counter(_name(s, apart, short=True) for s in chosen)
    found: dict[_Name, CellSummary] = {}
    for summary in chosen:
        short = _name(summary, apart, short=True)
        name = short if plain[short] == 1 else _name(summary, apart, short=False)
        if name in found:
            rows = " and ".join(f"'{s.model}, {s.row}'" for s in (found[name], summary))
            raise UsageError(f"{side} holds {_label(name)} twice, as {rows}: give one of these runs alone")
        found[name] = summary
    return found


def _name(summary: CellSummary, apart: _Apart, *, short: bool) -> _Name:
    cell = summary.cell
    name, _, rest = cell.framework.partition("@")
    variant = rest.partition(":")[2]
    framework = (f"{name}:{variant}" if variant else name) if short else cell.framework
    machine = summary.machine if apart.machines else ""
    device = cell.device if apart.devices else ""
    return machine, cell.model, framework, cell.precision, cell.batch_size, cell.mode, device


def _unframed(found: dict[_Name, CellSummary]) -> dict[_Name, CellSummary]:
    return {(machine, model, "", *rest): s for (machine, model, _, *rest), s in found.items()}  # type: ignore[misc]


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
        pairs: Sequence[tuple[_Name, CellSummary | None, CellSummary | None]],
        shared_run: Sequence[CellSummary],  # everything in the one run that both sides are; empty: two runs
    ) -> None:
        self.metric, self.shared_run = metric, shared_run
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
        name: _Name,
        a: CellSummary | None,
        b: CellSummary | None,
        machines: tuple[Machine, Machine] | None,
    ) -> Change:
        label = _label(name)
        if a is None or b is None or machines is None:
            return Change(label, a, b, "not comparable", reason="only in A" if a else "only in B")
        if reason := difference(a, b, *machines):
            return Change(label, a, b, "not comparable", reason=reason)
        if a.status != "ok" or b.status != "ok":
            return _mishap(label, a, b)
        ours, theirs = self.metric.of(a), self.metric.of(b)
        if ours is None or theirs is None or min(ours.value, theirs.value) <= 0:
            return Change(
                label,
                a,
                b,
                "not comparable",
                reason=f"no {self.metric.name} in {'A' if ours is None else 'B'}",
            )
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
            return None, PUBLISHED
        if self.shared_run and (delta := differences(first, second)) is not None:
            return stats.paired(delta, self.paired_prior), f"{len(delta)} paired rounds"
        if first.within or second.within or min(len(first.logs), len(second.logs)) < 2:
            return None, WITHIN_ONE_PROCESS
        return self._unpaired(a.key, b.key, first, second), f"{len(first.logs)} and {len(second.logs)} rounds"

    def _unpaired(self, a: str, b: str, first: Series, second: Series) -> stats.Spread:
        parts = []
        for noise, key, series in ((self.first, a, first), (self.second, b, second)):
            variance, dof = self.prior.moderate(*noise.variances[key])
            parts.append((variance / len(series.logs), dof))
        parts += drift.between(self.first, self.second, [len(first.logs), len(second.logs)])
        total = sum(part for part, _ in parts)
        dof = total**2 / sum(part**2 / dof for part, dof in parts if part > 0) if total > 0 else 1.0
        mean = sum(second.logs) / len(second.logs) - sum(first.logs) / len(first.logs)
        return stats.Spread(mean, math.sqrt(total), dof)

    def _without_noise(self, label: str, a: CellSummary, b: CellSummary, ratio: float, basis: str) -> Change:
        """Judge where nothing is known of the noise between processes: only a difference beyond it counts."""
        p = 1.0 if abs(math.log(ratio)) < math.log1p(UNKNOWN_NOISE) and not self.metric.exact else 0.0
        return Change(
            label,
            a,
            b,
            "tie",
            ratio,
            p=p,
            basis=f"{basis}: differences below {100 * UNKNOWN_NOISE:.0f} % are ties",
        )


def _label(name: _Name) -> str:
    machine, model, framework, precision, size, mode, device = name
    where = f"on {device}" if device else ""
    parts = (model, framework, precision, str(size), "" if mode == "host" else mode, where)
    return (f"{machine}: " if machine else "") + " ".join(part for part in parts if part)


def _mishap(label: str, a: CellSummary, b: CellSummary) -> Change:
    if a.status == "ok":
        return Change(label, a, b, "broken", reason=f"B {b.status}: {b.cause}")
    if b.status == "ok":
        return Change(label, a, b, "repaired", reason=f"A was {a.status}: {a.cause}")
    return Change(label, a, b, "not comparable", reason=f"A {a.status}, B {b.status}")


def _match_precisions(changes: Sequence[Change], names: Sequence[_Name]) -> list[Change]:
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
