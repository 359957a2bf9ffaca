"""What may be said of two cells of a machine: the one place that sentences ask, be they verdicts, advice or findings (pure).

`tie_test.TieTest` is the rule of the tables. A sentence says no more than it, and where a sentence is picked out of several that
might have been written, only what holds after a correction for that number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from numpy.typing import NDArray

from inferometer.results import stats, tie_test
from inferometer.results.cells import CellSummary, Results
from inferometer.results.many_pairs import NOT_JUDGED, STANDINGS, TOLD, UNCLEAR, ManyPairs
from inferometer.results.metrics import Metric
from inferometer.results.tie_test import Standing, TieTest

# Of throughput, of energy and of how they change with the batch size something may be said of every machine: a reader who is told
# of any difference where there is none was told wrong, so that each has a third of the 5 % (benchmarks/no_difference.py).
SUBJECTS = 3
MANY = 100_000  # more sentences than anyone picks from
NEARLY = 0.03  # without a second process, cells this close are as good as each other


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What the data say of two cells at a metric, and the adjusted p-value behind it (1.0: not judged)."""

    metric: str
    best: str  # the cells' keys
    other: str
    standing: Standing
    p: float

    @property
    def told(self) -> bool:
        """Return whether a sentence may name the difference."""
        return self.standing == "told"

    @property
    def open(self) -> bool:
        """Return whether the data leave it open which of the two is better, though they were repeated."""
        return self.standing in ("tie", "unclear")


class Judge:
    """All cells that compete at a metric, and what may be said of any two of them."""

    @classmethod
    def of(cls, results: Results, metric: Metric) -> Judge:
        """Return the judge of some results at a metric; the same one to all who ask, since telling cells apart takes time."""
        judges = _JUDGES.setdefault(results, {})
        if metric not in judges:
            judges[metric] = cls(results.summaries, metric)
        return judges[metric]

    def __init__(self, summaries: Sequence[CellSummary], metric: Metric) -> None:
        self.metric = metric
        self._judged: dict[tuple[str, str], tie_test.Judgement] = {}
        self._rule = TieTest(summaries, metric)
        self._known = {cell.key for members in self._rule.groups.values() for cell in members}

    def knows(self, cell: CellSummary) -> bool:
        """Return whether a cell has the metric."""
        return cell.key in self._known

    def value(self, cell: CellSummary) -> float:
        """Return the metric of a cell that has it."""
        return self._rule.value(cell)

    def ranked(self, cells: Iterable[CellSummary]) -> list[CellSummary]:
        """Return those of the cells that have the metric, best first."""
        known = [cell for cell in cells if self.knows(cell)]
        return sorted(known, key=self.value, reverse=self.metric.higher_is_better)

    def judge(self, best: CellSummary, other: CellSummary, claims: int = 1) -> Judgement:
        """Return what the data say of two cells; ``claims``: of how many sentences this one is picked."""
        found = self._rule_says(best, other)
        return Judgement(self.metric.name, best.key, other.key, self._standing(found, claims), found.p)

    def among(self, cells: Sequence[CellSummary]) -> Among:
        """Return what may be said of any of some cells that have the metric and many others of them."""
        return Among(self, self._rule, cells)

    def _standing(self, found: tie_test.Judgement, claims: int) -> Standing:
        if found.standing != "told" or self.metric.exact:
            return found.standing
        return "told" if found.p * claims * SUBJECTS <= stats.ALPHA else "unclear"

    def prepare(self, best: CellSummary, others: Sequence[CellSummary]) -> None:
        """Compute at once what will be asked of one cell and many others."""
        self._rule.prepare(best, others)

    def _rule_says(self, best: CellSummary, other: CellSummary) -> tie_test.Judgement:
        pair = (best.key, other.key)
        if pair not in self._judged:
            self._judged[pair] = self._rule.judge(best, other)
        return self._judged[pair]

    def judges(self, best: CellSummary, other: CellSummary) -> bool:
        """Return whether there is anything to judge the distance of two cells by."""
        return self._rule_says(best, other).standing != "not judged"

    def as_good(self, best: CellSummary, other: CellSummary, claims: int = 1) -> bool:
        """Return whether a chooser may take ``other`` for ``best``: not told apart, and near it where that is all there is."""
        standing = self.judge(best, other, claims).standing
        return self.near(best, other) if standing == "not judged" else standing != "told"

    def near(self, best: CellSummary, other: CellSummary) -> bool:
        """Return whether two cells are as good as each other where nothing is known to judge them by."""
        return _distance(self.value(best), self.value(other)) < math.log1p(NEARLY)


class Among:
    """What may be said of one of some cells and many others of them at once; each is known by its place."""

    def __init__(self, judge: Judge, rule: TieTest, cells: Sequence[CellSummary]) -> None:
        self._judge, self._cells = judge, cells
        self._pairs = ManyPairs(rule, cells)

    def standings(self, best: int, others: Sequence[int]) -> list[Standing]:
        """Return how one cell stands to each of others, in the one sentence about the two."""
        found, ps = self._pairs.judged(best, np.asarray(others, dtype=np.intp))
        if not self._judge.metric.exact:
            found[(found == TOLD) & (ps * SUBJECTS > stats.ALPHA)] = UNCLEAR
        return [STANDINGS[place] for place in found.tolist()]

    def claims_borne(self, best: int, others: Sequence[int], *, near_counts: bool = False) -> list[int]:
        """Return of each of others, of how many sentences one that tells the two apart may be picked and still hold; 0: of none, `MANY`: of any.

        ``near_counts``: cells that nothing is known of to judge them by are told apart where they are not near each other.
        """
        found, ps = self._pairs.judged(best, np.asarray(others, dtype=np.intp))
        borne = np.where(found == TOLD, MANY if self._judge.metric.exact else _borne(ps), 0)
        for at in np.flatnonzero(found == NOT_JUDGED).tolist() if near_counts else ():
            borne[at] = 0 if self._judge.near(self._cells[best], self._cells[others[at]]) else MANY
        counts: list[int] = borne.tolist()
        return counts


def _borne(ps: stats.Floats) -> NDArray[np.int64]:
    """Return of how many claims each p-value may be picked and still hold, `MANY` at most."""
    any_ = ps * MANY * SUBJECTS <= stats.ALPHA
    borne = (stats.ALPHA / np.where(any_, 1.0, ps) / SUBJECTS).astype(np.int64)
    borne += ps * (borne + 1) * SUBJECTS <= stats.ALPHA
    return np.where(any_, MANY, borne)


_JUDGES: WeakKeyDictionary[Results, dict[Metric, Judge]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Lead:
    """The best cell at a metric against the other frameworks and precisions of its machine."""

    best: CellSummary
    rival: CellSummary  # the first that cannot be told from it, else the next best
    ties: tuple[CellSummary, ...]  # of each framework and precision the best that cannot be told from it
    judgement: Judgement  # of the two


def lead(ranked: Sequence[CellSummary], judge: Judge, claims: int = 1) -> Lead | None:
    """Return how the first of ``ranked`` (best first) stands among the others; None where there is no other row.

    Against all cells of the others, not their nominal best alone: a noisy one may tie though it is behind. ``claims``: of how
    many sentences the one about it is picked.
    """
    rivals = [cell for cell in ranked[1:] if cell.row != ranked[0].row]
    if not rivals:
        return None
    ties: dict[str, CellSummary] = {}
    for rival in rivals:
        if rival.row not in ties and judge.judge(ranked[0], rival, claims).open:
            ties[rival.row] = rival
    nearest = next(iter(ties.values()), rivals[0])
    return Lead(ranked[0], nearest, tuple(ties.values()), judge.judge(ranked[0], nearest, claims))


def processes(cell: CellSummary, metric: Metric) -> int:
    """Return how many fresh processes stand behind a cell's metric; 0 where only a mean is known."""
    series = metric.series(cell)
    return series.processes if series else 0


def _distance(first: float, second: float) -> float:
    """Return how far apart two values are, as a logarithm."""
    if first == second:
        return 0.0
    return abs(math.log(second / first)) if first > 0 and second > 0 else math.inf
