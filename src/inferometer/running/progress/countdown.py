"""How far a run is, what it is at and how cells ended, in words."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from inferometer import units
from inferometer.records import Cell, Record
from inferometer.running.progress.time_left import TimeLeft

NOTHING_MISSING = "nothing is missing: every cell of this run has ended"


class Countdown:
    """Which cells are still to come, and how long they will take: in turn, or device beside device."""

    def __init__(
        self,
        cells: Sequence[Cell] = (),
        nominal_s: Mapping[Cell, float] | None = None,
        at_once: bool = False,
        limit_s: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``cells``: one for each of its rounds; ``limit_s``: after which no round begins, from now on."""
        self.total = len(cells)
        self._left = TimeLeft(nominal_s or {})
        self._remaining = Counter(cells)
        self._at_once = at_once
        self._clock, self._end_s = clock, clock() + limit_s

    @property
    def done(self) -> int:
        """Return how many cells have ended."""
        return self.total - self._remaining.total()

    def end(self, record: Record) -> None:
        """Count an ended cell."""
        self._remaining[record.cell] -= 1
        self._left.add(record)

    def text(self) -> str:
        """Return the time left."""
        return f"about {units.duration(self._left_s())} left"

    def _left_s(self) -> float:
        every = self._of(self._remaining.elements())
        until_limit = self._end_s - self._clock()
        return every if every <= until_limit else max(until_limit, self._of(self._round()))

    def _round(self) -> list[Cell]:
        """Return what the round that has begun still lacks: it ends whole, whatever the limit."""
        most = max(self._remaining.values(), default=0)
        return [cell for cell, count in self._remaining.items() if count == most > 0]

    def _of(self, cells: Iterable[Cell]) -> float:
        by_device: dict[str, list[Cell]] = {}
        for cell in cells:
            by_device.setdefault(cell.device if self._at_once else "", []).append(cell)
        return max((self._left.of(cells) for cells in by_device.values()), default=0.0)


def cell_and_round(cell: Cell, round_number: int) -> str:
    """Return a cell's name for people."""
    extras = "".join(
        f" {value}" for value, usual in ((cell.precision, "fp32"), (cell.mode, "host")) if value != usual
    )
    return (
        f"round {round_number + 1}, {cell.framework}{extras} on {cell.device}, batch size {cell.batch_size}"
    )


def ending(record: Record) -> str:
    """Return how a cell ended, for people."""
    if record.status != "ok":
        return f"{record.status}: {record.cause}"
    seconds = sum(loop.elapsed_s for loop in record.loops)
    images = len(record.loops) * record.images
    return f"{units.significant(images / seconds)} images/s" if seconds else "ok"
