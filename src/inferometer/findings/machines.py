"""Findings about newer against older machines."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inferometer.findings.finding import ONE_PROCESS, Finding
from inferometer.host.gpu_years import launch_year
from inferometer.results import drift, stats
from inferometer.results.cells import CellSummary, Results
from inferometer.results.collecting import hardware_name
from inferometer.results.estimates import Series
from inferometer.results.judging import NEARLY, Judgement
from inferometer.results.metrics import Metric, Place, metrics_in
from inferometer.units import listed, significant

_ENOUGH_ROWS = 3  # whose scatter tells how far their mean may be off

_Pair = tuple[CellSummary, CellSummary]  # of the newer machine, of the older


def machines(results: Results) -> list[Finding]:
    """Compare newer with older GPUs over the cells both have: geometric means where the data tell them apart."""
    dated = [(year, m) for m in results.machines if (year := _year(results, m))]
    ordered = sorted(dated, reverse=True)
    pairs = [(n, o) for i, n in enumerate(ordered) for o in ordered[i + 1 :] if o[0] != n[0]]
    found = []
    for (year, newer), (older_year, older) in pairs:
        said, tests = _against(results, newer, older, len(pairs))
        if said:
            head = f"{newer} ({year}) against {older} ({older_year})"
            found.append(Finding("machines", f"{head}: {said}.", tests=tests))
    return found


def _year(results: Results, machine: str) -> int | None:
    """Return the year of the GPU that did the work; None where none did, whatever GPUs the host has."""
    devices = {s.cell.device for s in results.summaries if s.machine == machine} - {"cpu"}
    names = (machine, *(hardware_name(results.machines[machine], device) for device in sorted(devices)))
    return next((year for name in names if devices and (year := launch_year(name))), None)


def _against(results: Results, newer: str, older: str, pairs: int) -> tuple[str, tuple[Judgement, ...]]:
    metrics = metrics_in(Place.MACHINES)
    ratios = [(m, r) for m in metrics if (r := _ratio(results, newer, older, m, pairs * len(metrics)))]
    told = [r.words(m) for m, r in ratios if r.judgement.told]
    unsure = [m.noun for m, r in ratios if r.judgement.open]
    alone = [m.noun for m, r in ratios if r.judgement.standing == "not judged"]
    if unsure:
        told.append(f"no clear difference in {listed(unsure)}")
    if alone:
        told.append(f"not judged, since {ONE_PROCESS}: {listed(alone)}")
    return ", ".join(told), tuple(r.judgement for _, r in ratios if r.judgement.told)


@dataclass(frozen=True)
class _Ratio:
    """The geometric mean of newer / older over common cells, in how many the newer is better, and what the data say of it."""

    mean: float
    better: int
    cells: int
    interval: tuple[float, float] | None
    judgement: Judgement

    def words(self, metric: Metric) -> str:
        """Return it with its interval."""
        between = (
            f"{significant(self.interval[0], 3)} to {significant(self.interval[1], 3)}; "
            if self.interval
            else ""
        )
        share = f"{between}better in {self.better} of {self.cells} common cells"
        return f"{significant(self.mean, 3)} x the {metric.noun} ({share})"


def _ratio(results: Results, newer: str, older: str, metric: Metric, claims: int) -> _Ratio | None:
    pairs = _common(results, newer, older, metric)
    if not pairs:
        return None
    rows: dict[str, list[float]] = defaultdict(list)
    for new, old in pairs:
        rows[new.row].append(math.log(_value(new, metric) / _value(old, metric)))
    logs = [log for found in rows.values() for log in found]
    mean, better = float(np.mean(logs)), sum(metric.better(math.exp(log), 1.0) for log in logs)
    spread = _spread(list(rows.values()), pairs, metric)
    if spread is None:
        judgement = Judgement(metric.name, newer, older, "not judged", 1.0)
        return _Ratio(math.exp(mean), better, len(logs), None, judgement)
    p = min(1.0, spread.p * claims)
    apart = p <= stats.ALPHA and abs(mean) > math.log1p(
        NEARLY
    )  # two runs on two days differ by a little anyway
    judgement = Judgement(metric.name, newer, older, "told" if apart else "tie", p)
    interval = stats.Spread(mean, spread.error, spread.dof).interval()
    return _Ratio(math.exp(mean), better, len(logs), interval, judgement)


def _value(cell: CellSummary, metric: Metric) -> float:
    estimate = metric.of(cell)
    assert estimate
    return estimate.value


def _common(results: Results, newer: str, older: str, metric: Metric) -> list[_Pair]:
    """Return the cells that both machines have a positive, finite figure of; of joules, by one meter."""
    cells: dict[tuple[str, str, str, int], dict[str, CellSummary]] = defaultdict(dict)
    for s in results.summaries:
        estimate = metric.of(s) if s.measured else None
        if estimate and 0 < estimate.value < math.inf:
            cells[s.model, s.cell.mode, s.row, s.cell.batch_size][s.machine] = s
    pairs = [(found[newer], found[older]) for found in cells.values() if newer in found and older in found]
    return [
        pair
        for pair in pairs
        if not (metric.metered and all(s.meter for s in pair) and pair[0].meter != pair[1].meter)
    ]


def _spread(rows: Sequence[Sequence[float]], pairs: Sequence[_Pair], metric: Metric) -> stats.Spread | None:
    """Return how far the mean ratio may be off: by the rows' scatter, else by the rounds'; None where neither is known.

    Cells of a row share its processes, so a row counts once; so does a round, over all common cells.
    """
    if len(rows) >= _ENOUGH_ROWS:
        means = np.array([np.mean(row) for row in rows])
        error = float(means.std(ddof=1)) / math.sqrt(len(means))
        return stats.Spread(float(means.mean()), error, len(means) - 1)
    new, old = (_rounds([metric.series(pair[side]) for pair in pairs]) for side in (0, 1))
    if new is None or old is None or min(len(new.values), len(old.values)) < 2:
        return None
    return drift.unpaired(old, new, [(side.variance, len(side.values) - 1.0) for side in (old, new)])


def _rounds(series: Sequence[Series | None]) -> stats.Units | None:
    """Return the mean logarithm of each round that all cells have; None where one of them has but one."""
    known = [dict(zip(s.keys, s.logs, strict=True)) for s in series if s and s.processes > 1]
    if not known or len(known) < len(series):
        return None
    shared = sorted(set.intersection(*(set(one) for one in known)))
    means = [float(np.mean([one[key] for one in known])) for key in shared]
    return stats.units(means, [run for run, _ in shared])
