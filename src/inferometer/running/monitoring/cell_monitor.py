"""What looks at cells from the parent's side: energy meters, the GPU's other users."""

from __future__ import annotations

from typing import Protocol

from inferometer.records import Cell, Record


class CellMonitor(Protocol):
    """Called between measurements, never during one; each `end` may add facts and flags, or change an "ok"."""

    def begin_run(self) -> None:
        """Nothing has been measured yet; no worker is alive."""

    def begin_worker(self, cell: Cell) -> None:
        """A worker is about to be started for this cell's device, on which none is alive."""

    def begin(self, cell: Cell, pid: int) -> None:
        """The worker ``pid`` has its artifact loaded and is about to be asked for the cell."""

    def end(self, record: Record) -> Record:
        """The cell has ended; if its answer came, its worker is alive and idle. Return the record with what was seen."""
        ...

    def end_run(self) -> None:
        """The last worker has gone (also after an interrupt)."""
