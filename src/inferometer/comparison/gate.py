"""Whether a comparison lets a change pass: yes, no, or the data cannot say (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inferometer.comparison.changes import Change, Comparison, lost
from inferometer.results.metrics import Metric

Outcome = Literal[
    "pass",  # every cell that was compared is shown to lose less than the limit
    "fail",  # one is surely worse, and by the limit or more, or broke
    "inconclusive",  # neither: the data do not exclude a loss of the limit
    "nothing",  # no cell can be compared
]
LIMIT = 0.03  # the loss that a gate without a limit of its own looks for


@dataclass(frozen=True)
class Gate:
    """What a comparison says to a limit on the loss."""

    outcome: Outcome
    worse: tuple[Change, ...]  # what fails
    open: tuple[Change, ...]  # cells of which a loss of the limit is not excluded, nor shown


def gate(found: Comparison, limit: float) -> Gate:
    """Return whether ``found`` excludes that a cell got worse by the share ``limit`` or more.

    A cell passes if its 95 % interval ends before the limit, and fails by `Comparison.worse_by`.
    """
    worse = found.worse_by(limit)
    left = tuple(c for c in found.compared if c not in worse and not _excludes(c, found.metric, limit))
    if not found.compared:
        return Gate("nothing", (), ())
    return Gate("fail" if worse else "inconclusive" if left else "pass", worse, left)


def _excludes(change: Change, metric: Metric, limit: float) -> bool:
    """Return whether the data exclude that the cell lost ``limit`` or more."""
    if change.verdict == "repaired":
        return True
    end = change.low if metric.higher_is_better else change.high
    if end is None and metric.exact:
        end = change.ratio
    if end is None:
        return False
    return lost(end, metric) < limit
