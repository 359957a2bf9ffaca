"""What became of each cell from A to B, and of all of them (pure)."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from inferometer.records import Machine, Protocol
from inferometer.results.cells import CellSummary
from inferometer.results.metrics import Metric

Verdict = Literal[
    "better",
    "worse",
    "tie",
    "unclear",  # it would be a change, were this cell the only one compared
    "not judged",  # nothing is known of the next process, as of one round on both sides
    "broken",
    "repaired",
    "not comparable",
]
ONE_ROUND = "one round"
NO_INTERVAL = "no interval is known of it"
TO_ZERO = "its interval reaches 0, of which a ratio says nothing"
NO_ROUNDS = "it is not known round by round"


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
    reason: str = ""  # of "not comparable", "not judged", "unclear", "broken" and "repaired"


@dataclass(frozen=True)
class Comparison:
    """All cells of two sets of runs."""

    metric: Metric
    changes: tuple[Change, ...]
    of_two_frameworks: bool = False  # one of A against another of B
    protocols: tuple[tuple[Protocol, ...], tuple[Protocol, ...]] = ((), ())  # of A's and B's runs
    machines: tuple[tuple[Machine, Machine], ...] = ()  # each pair that cells were compared on, of A and of B

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
    def compared(self) -> tuple[Change, ...]:
        """Return the cells that both sides have a figure of, or that one of them broke."""
        return tuple(change for change in self.changes if change.verdict != "not comparable")

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
    assert change.ratio is not None
    return lost(change.ratio, metric)


def lost(ratio: float, metric: Metric) -> float:
    """Return by what share B is worse than A, of the ratio B / A; below 0 where it is better."""
    return 1 - ratio if metric.higher_is_better else ratio - 1
