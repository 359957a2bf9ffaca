"""Two sets of runs cell by cell: ratio with interval, and faster, slower, tie or why they cannot be compared (pure)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from inferometer import drift, stats
from inferometer.estimates import PUBLISHED, WITHIN_ONE_PROCESS, Series
from inferometer.metrics import METRICS, Metric
from inferometer.ranking import UNKNOWN_NOISE, differences
from inferometer.records import Machine
from inferometer.summary import CellSummary, Results

Verdict = Literal["better", "worse", "tie", "broken", "repaired", "not comparable"]

_Name = tuple[
    str, str, str, int, str, str
]  # model, framework, precision, batch size, mode, device ("": the only one)


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
    A version in a framework's name (``onnxrt@1.30.0``) is left out where the rest of the name is unique, and the device
    where each side has one.
    """
    apart = max(len({s.cell.device for s in side.summaries}) for side in (first, second)) > 1
    ours = _named(first, frameworks and frameworks[0], apart)
    theirs = _named(second, frameworks and frameworks[1], apart)
    if frameworks:
        ours, theirs = _unframed(ours), _unframed(theirs)
    pairs = [(name, ours.get(name), theirs.get(name)) for name in dict.fromkeys([*ours, *theirs])]
    judge = _Judge(metric, pairs, first.summaries if _share_runs(first, second) else ())
    changes = [judge.change(name, a, b, _machines(first, second, a, b)) for name, a, b in pairs]
    return Comparison(metric, tuple(_adjust(_match_precisions(changes), metric)))


def _named(results: Results, framework: str | None, apart: bool) -> dict[_Name, CellSummary]:
    chosen = [s for s in results.summaries if framework is None or s.cell.framework == framework]
    plain = Counter(_name(s, short=True, apart=apart) for s in chosen)
    return {_name(s, short=plain[_name(s, short=True, apart=apart)] == 1, apart=apart): s for s in chosen}


def _name(summary: CellSummary, *, short: bool, apart: bool) -> _Name:
    cell = summary.cell
    name, _, rest = cell.framework.partition("@")
    variant = rest.partition(":")[2]
    framework = (f"{name}:{variant}" if variant else name) if short else cell.framework
    return cell.model, framework, cell.precision, cell.batch_size, cell.mode, cell.device if apart else ""


def _unframed(found: dict[_Name, CellSummary]) -> dict[_Name, CellSummary]:
    return {(model, "", *rest): s for (model, _, *rest), s in found.items()}  # type: ignore[misc]


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
        if reason := other(a, b, *machines):
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
    model, framework, precision, size, mode, device = name
    where = f"on {device}" if device else ""
    parts = (model, framework, precision, str(size), "" if mode == "host" else mode, where)
    return " ".join(part for part in parts if part)


def other(a: CellSummary, b: CellSummary, first: Machine, second: Machine) -> str:
    """Return why two cells are of different things, or an empty text."""
    if first.name != second.name:
        return f"other machine: {first.name or 'unnamed'} / {second.name or 'unnamed'}"
    if a.cell.device.startswith("cuda") or b.cell.device.startswith("cuda"):
        ours, theirs = _gpu(first, a), _gpu(second, b)
        if ours != theirs:
            return f"other GPU: {ours} / {theirs}"
    if (first.cpu, first.physical_cores) != (second.cpu, second.physical_cores):
        return f"other CPU: {first.cpu}, {first.physical_cores} cores / {second.cpu}, {second.physical_cores} cores"
    if first.usable_cores != second.usable_cores:
        return f"other share of the CPU: {first.usable_cores} / {second.usable_cores} cores usable"
    return _other_model(a, b)


def _gpu(machine: Machine, summary: CellSummary) -> str:
    from inferometer.pooling import device_name

    return device_name(replace_name(machine), summary.cell.device)


def replace_name(machine: Machine) -> Machine:
    """Return the machine without its given name, so that its hardware shows."""
    import msgspec

    return msgspec.structs.replace(machine, name="")


def _other_model(a: CellSummary, b: CellSummary) -> str:
    if a.model_hash and b.model_hash and a.model_hash != b.model_hash:
        return f"other model: {a.model_hash[:8]} / {b.model_hash[:8]}"
    if a.actual and b.actual and a.actual.threads != b.actual.threads:
        return f"other number of threads: {a.actual.threads} / {b.actual.threads}"
    return ""


def _mishap(label: str, a: CellSummary, b: CellSummary) -> Change:
    if a.status == "ok":
        return Change(label, a, b, "broken", reason=f"B {b.status}: {b.cause}")
    if b.status == "ok":
        return Change(label, a, b, "repaired", reason=f"A was {a.status}: {a.cause}")
    return Change(label, a, b, "not comparable", reason=f"A {a.status}, B {b.status}")


def _match_precisions(changes: list[Change]) -> list[Change]:
    """Say of cells found on one side only when the other side has them in another precision."""
    lone = [c for c in changes if c.first is None or c.second is None]
    found = []
    for change in changes:
        cell = (change.first or change.second).cell if change in lone else None  # type: ignore[union-attr]
        rivals = [
            (o.first or o.second).cell.precision  # type: ignore[union-attr]
            for o in lone
            if cell and (o.first is None) != (change.first is None) and _but_precision(o, cell)
        ]
        if cell and rivals:
            sides = (cell.precision, rivals[0]) if change.first else (rivals[0], cell.precision)
            change = replace(change, reason=f"{change.reason}; other precision: {sides[0]} / {sides[1]}")  # noqa: PLW2901
        found.append(change)
    return found


def _but_precision(change: Change, cell: object) -> bool:
    other_cell = (change.first or change.second).cell  # type: ignore[union-attr]
    names = ("model", "framework", "batch_size", "mode")
    return all(getattr(other_cell, n) == getattr(cell, n) for n in names)


def _adjust(changes: list[Change], metric: Metric) -> list[Change]:
    """Adjust the p-values for the number of cells, and give each its verdict."""
    tested = [i for i, c in enumerate(changes) if c.p is not None]
    adjusted = stats.false_discovery([changes[i].p or 0.0 for i in tested])
    for index, p in zip(tested, adjusted, strict=True):
        change = changes[index]
        verdict: Verdict = "tie"
        if p <= stats.ALPHA and change.ratio is not None:
            verdict = "better" if metric.better(change.ratio, 1.0) else "worse"
        changes[index] = replace(change, p=p, verdict=verdict)
    return changes
