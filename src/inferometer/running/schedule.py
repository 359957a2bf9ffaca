"""Which worker measures what, and in which order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass

from inferometer.records import Cell


@dataclass(frozen=True)
class Assignment:
    """The cells of one framework, precision, device and mode in one round, batch sizes ascending: one worker's work."""

    round: int
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """Return a name for the log."""
        cell = self.cells[0]
        framework, device = cell.framework.replace(":", "_"), cell.device.replace(":", "")
        return f"{self.round}-{framework}-{cell.precision}-{device}-{cell.mode}"


def assign(missing: Iterable[tuple[Cell, int]], seed: int) -> list[Assignment]:
    """Group (cell, round) pairs into workers, round by round, in a seeded random order within each round."""
    ordered = sorted(missing, key=lambda pair: (*_worker(pair), pair[0].batch_size))
    groups = [
        Assignment(key[0], tuple(cell for cell, _ in pairs))
        for key, pairs in itertools.groupby(ordered, key=_worker)
    ]
    result: list[Assignment] = []
    for number, members in itertools.groupby(groups, key=lambda group: group.round):
        shuffled = list(members)
        random.Random(f"{seed}/{number}").shuffle(shuffled)
        result += shuffled
    return result


def _worker(pair: tuple[Cell, int]) -> tuple[int, str, str, str, str]:
    cell, number = pair
    return number, cell.framework, cell.precision, cell.device, cell.mode
