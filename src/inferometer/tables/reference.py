"""The machine that others are held against in a table, and which of their cells are surely better (pure)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from inferometer.results.cells import CellSummary
from inferometer.results.estimates import Estimate
from inferometer.results.judging import NEARLY
from inferometer.results.metrics import Metric
from inferometer.results.ranking import Rank


def most_wins(summaries: Sequence[CellSummary], metric: Metric, places: Mapping[str, Rank]) -> str | None:
    """Return the machine that is best for most rows and batch sizes."""
    groups: dict[tuple[int, str], dict[str, float]] = defaultdict(dict)
    for summary in summaries:
        if summary.key in places:
            groups[summary.cell.batch_size, summary.row][summary.machine] = places[summary.key].value
    pick: Callable[..., str] = max if metric.higher_is_better else min
    wins = Counter(pick(found, key=found.__getitem__) for found in groups.values() if len(found) > 1)
    return wins.most_common(1)[0][0] if wins else None


def surely_better(summary: CellSummary, other: CellSummary | None, metric: Metric) -> bool:
    """Return whether a cell is better than the same cell on another machine: beyond both intervals, and by more than `NEARLY`.

    Never where an interval is not known or says nothing of the next process, nor of two models or two meters.
    """
    if other is None or other is summary or not _comparable(summary, other, metric):
        return False
    ours, theirs = metric.of(summary), metric.of(other)
    if ours is None or theirs is None or not metric.better(ours.value, theirs.value):
        return False
    if metric.exact:
        return _beyond(ours, theirs, metric)
    if ours.within_one_process or theirs.within_one_process or not _apart(ours.value, theirs.value):
        return False
    return None not in (ours.low, ours.high, theirs.low, theirs.high) and _beyond(ours, theirs, metric)


def _comparable(first: CellSummary, second: CellSummary, metric: Metric) -> bool:
    if not (first.measured and second.measured) or (metric.metered and first.meter != second.meter):
        return False
    return first.model_hash == second.model_hash or not (first.model_hash and second.model_hash)


def _apart(first: float, second: float) -> bool:
    """Return whether two figures differ by more than two runs on two days do anyway."""
    return min(first, second) <= 0 or abs(math.log(first / second)) > math.log1p(NEARLY)


def _beyond(ours: Estimate, theirs: Estimate, metric: Metric) -> bool:
    """Return whether the intervals lie apart; a figure without one is exact."""
    upper, lower = (ours, theirs) if metric.higher_is_better else (theirs, ours)
    near = upper.value if upper.low is None else upper.low
    far = lower.value if lower.high is None else lower.high
    return near > far
