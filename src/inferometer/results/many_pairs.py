"""One cell and many others judged at once, as arrays: what `TieTest.judge` says of each pair, to the last digit (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inferometer.results import stats
from inferometer.results.cells import CellSummary
from inferometer.results.floor import under_floor
from inferometer.results.stats import Floats
from inferometer.results.tie_test import Group, Judgement, Standing, TieTest

STANDINGS: tuple[Standing, ...] = ("told", "tie", "unclear", "not judged")
TOLD, TIE, UNCLEAR, NOT_JUDGED = range(len(STANDINGS))
Places = NDArray[np.intp]
_DOUBTFUL = 1e-9  # of a logarithm: nearer to the floor, two libraries might not agree


class ManyPairs:
    """Cells that compete at a metric, by their place in the order given: others are judged as to be behind the best."""

    def __init__(self, rule: TieTest, cells: Sequence[CellSummary]) -> None:
        self._rule, self._cells = rule, cells
        rivals = [rule.rival(cell) for cell in cells]
        self._values: Floats = np.array([rival.value for rival in rivals])
        self._floors: Floats = np.array([rival.floor for rival in rivals])
        groups: dict[Group, int] = {}
        numbers = [groups.setdefault(rival.group, len(groups)) for rival in rivals]
        self._groups: Places = np.array(numbers, dtype=np.intp)
        self._blocks: dict[int, tuple[Places, Floats]] = {}

    def judged(self, best: int, others: Places) -> tuple[NDArray[np.int8], Floats]:
        """Return of each of others a place in `STANDINGS`, and the adjusted p-value behind it."""
        standings = np.full(len(others), TIE, dtype=np.int8)
        ps = np.ones(len(others))
        ratios = self._ratios(best, others)
        rows, logs = self._rounds_of(best)
        open_ = ~self._under_floor(ratios, best, others)
        alike = open_ & (rows[others] >= 0)
        if alike.any():
            found = logs[rows[others[alike]]] - logs[rows[best]]
            standings[alike], ps[alike] = self._of_rounds(best, others[alike], ratios[alike], found)
        for at in np.flatnonzero(open_ & ~alike).tolist():
            one = self._rule.judge(self._cells[best], self._cells[others[at]])
            standings[at], ps[at] = STANDINGS.index(one.standing), one.p
        return standings, ps

    def judgements(self, best: int, others: Sequence[int]) -> list[Judgement]:
        """Return `TieTest.judge` of one and each of others."""
        standings, ps = self.judged(best, np.asarray(others, dtype=np.intp))
        return [Judgement(STANDINGS[at], p) for at, p in zip(standings.tolist(), ps.tolist(), strict=True)]

    def _ratios(self, best: int, others: Places) -> Floats:
        values, first = self._values[others], self._values[best]
        ratios: Floats = values / first if first else (values == 0).astype(np.float64)
        return ratios

    def _under_floor(self, ratios: Floats, best: int, others: Places) -> NDArray[np.bool_]:
        """Return `under_floor` of each ratio."""
        floors = np.maximum(self._floors[others], self._floors[best])
        distances = np.abs(np.log(np.where(ratios > 0, ratios, np.inf)))
        limits = np.log1p(floors)
        under: NDArray[np.bool_] = (ratios == 1.0) | (distances < limits)
        for at in np.flatnonzero(np.abs(distances - limits) < _DOUBTFUL).tolist():
            under[at] = under_floor(float(ratios[at]), float(floors[at]))
        return under

    def _rounds_of(self, best: int) -> tuple[Places, Floats]:
        """Return where the rounds' values of each cell are that has the same rounds as one, below 0 for others, and those values."""
        block = self._rule.block_of(self._cells[best])
        if block is None:
            return np.full(len(self._cells), -1, dtype=np.intp), np.empty((0, 0))
        places, logs = block
        if id(logs) not in self._blocks:
            rows = np.array([places.get(cell.key, -1) for cell in self._cells], dtype=np.intp)
            self._blocks[id(logs)] = rows, logs
        return self._blocks[id(logs)]

    def _of_rounds(
        self, best: int, others: Places, ratios: Floats, differences: Floats
    ) -> tuple[NDArray[np.int8], Floats]:
        """Return standings and p-values of cells by their differences from the best, round by round."""
        cell = self._cells[best]
        spreads = self._rule.levels_of(cell).paired_rows(differences)
        alone = spreads.ps
        one_size, across = self._rule.comparisons_of(cell)
        ps = np.minimum(1.0, np.where(self._groups[others] == self._groups[best], one_size, across) * alone)
        far = ps > stats.ALPHA
        standings = np.where(alone > stats.ALPHA, TIE, UNCLEAR)
        # the rounds that both have may say otherwise than all
        agrees = spreads.log_ratios * (ratios - 1) > 0
        standings = np.where(far, standings, np.where(agrees, TOLD, UNCLEAR))
        return standings.astype(np.int8), np.where(far | agrees, ps, 1.0)
