"""One cell among those that the data cannot tell from the best: least energy, then latency, then memory, then name (pure).

One that is hardly known cannot be told from anything, so those that are known better come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inferometer.recommendation.decision import Criterion, Step
from inferometer.recommendation.objectives import MEAN_LATENCY, Objective
from inferometer.recommendation.options import Option, score
from inferometer.results.cells import CellSummary
from inferometer.results.judging import NEARLY, Judge
from inferometer.results.metrics import Metric

WIDEST = 0.5  # an interval's half width, as a share of its value, from which on a figure decides nothing

Judges = Mapping[str, Judge]  # of the objectives by their names, and the mean latency


def as_good(options: Sequence[Option], objective: Objective, judge: Judge) -> list[Option]:
    """Return the options that the data cannot tell from the best of the objective, the best first."""
    ranked = sorted(options, key=lambda o: score(o, objective), reverse=True)
    best = ranked[0]
    judge.prepare(best.summary, [o.summary for o in ranked[1:]])
    return [o for o in ranked if o is best or judge.as_good(best.summary, o.summary)]


def too_wide(cell: CellSummary, metric: Metric) -> bool:
    """Return whether a cell's metric is known too badly to decide anything."""
    found = metric.of(cell)
    width = found.half_width if found else None
    return width is not None and width > WIDEST


def choose(
    candidates: Sequence[Option], objective: Objective, judges: Judges
) -> tuple[Option, tuple[Step, ...]]:
    """Return one of ``candidates``, and the steps that led to it: those alone that left fewer than there were."""
    left, steps = list(candidates), list[Step]()
    known = [o for o in left if not too_wide(o.summary, judges[objective].metric)]
    if known and len(known) < len(left):
        left = known
        steps.append(Step("interval", len(left)))
    criteria: tuple[Criterion, ...] = ("energy", "latency", "memory", "name")
    for criterion in criteria:
        if len(left) > 1 and len(kept := _keep(left, criterion, judges)) < len(left):
            left = kept
            steps.append(Step(criterion, len(left)))
    return left[0], tuple(steps)


def _keep(options: Sequence[Option], criterion: Criterion, judges: Judges) -> list[Option]:
    if criterion == "energy":
        return _least_energy(options, judges["energy"])
    if criterion == "latency":
        return _least_latency(options, judges[MEAN_LATENCY.name])
    if criterion == "memory":
        return _least_memory(options)
    return [min(options, key=lambda o: (o.summary.row, o.summary.cell.batch_size))]


def _least_energy(options: Sequence[Option], judge: Judge) -> list[Option]:
    """Return those that the data cannot tell from the least energy; all, where some were not metered or not alike."""
    if len({o.summary.meter for o in options}) > 1 or any(o.energy_j is None for o in options):
        return list(options)
    (least, *others) = judge.ranked(o.summary for o in options)
    worse = {o.key for o in others if judge.judge(least, o, claims=len(others)).told}
    return [o for o in options if o.summary.key not in worse]


def _least_latency(options: Sequence[Option], judge: Judge) -> list[Option]:
    """Return those whose mean latency of a batch is as good as the shortest."""
    (least, *others) = judge.ranked(o.summary for o in options)
    worse = {o.key for o in others if not judge.as_good(least, o, claims=len(others))}
    return [o for o in options if o.summary.key not in worse]


def _least_memory(options: Sequence[Option]) -> list[Option]:
    """Return those of nearly the least memory; all, where some have no figure or not of the same source."""
    known = [o.summary.memory for o in options if o.summary.memory]
    if len(known) < len(options) or len({found.source for found in known}) > 1:
        return list(options)
    least = min(found.value for found in known)
    return [o for o, found in zip(options, known, strict=True) if found.value <= least * (1 + NEARLY)]
