"""Live progress in a terminal or a notebook, drawn only between measurements; plain lines elsewhere."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from inferometer import units
from inferometer.estimate import TimeLeft
from inferometer.observer import Observer
from inferometer.records import Cell, Record

_COLUMNS = (
    BarColumn(bar_width=20),
    MofNCompleteColumn(),
    TextColumn("{task.fields[left]}", markup=False),
    TextColumn("{task.description}", markup=False),
)


@contextlib.contextmanager
def shown_progress(console: Console | None = None) -> Iterator[Observer]:
    """Yield an observer that shows what goes on; a line per event where the output is no terminal or notebook."""
    console = console or Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield LineObserver(console)
        return
    # no refresh thread: it would take CPU from the worker that is being measured
    with Progress(*_COLUMNS, console=console, auto_refresh=False, transient=True) as progress:
        yield BarObserver(progress)


class _Countdown:
    """Which cells are still to come, and how long they will take."""

    def __init__(self, cells: Sequence[Cell] = (), nominal_s: Mapping[Cell, float] | None = None) -> None:
        self.total = len(cells)
        self._left = TimeLeft(nominal_s or {})
        self._remaining = Counter(cells)

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
        return f"about {units.duration(self._left.of(self._remaining.elements()))} left"


class LineObserver:
    """One line for each thing prepared and each cell ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._countdown = _Countdown()

    def preparing(self, text: str) -> None:
        """Print it."""
        self._print(text)

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Print how many cells there are."""
        self._countdown = _Countdown(cells, nominal_s)
        self._print(f"measuring {len(cells)} cells, {self._countdown.text()}")

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Stay silent: the line comes when the cell ends."""

    def cell_ended(self, record: Record) -> None:
        """Print how it ended."""
        self._countdown.end(record)
        count = f"[{self._countdown.done}/{self._countdown.total}]"
        self._print(
            f"{count} {describe(record.cell, record.round)}: {ending(record)}; {self._countdown.text()}"
        )

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class BarObserver:
    """A bar with the round, framework, batch size, phase and the time left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("preparing", total=None, left="")
        self._countdown = _Countdown()
        self._progress.refresh()

    def preparing(self, text: str) -> None:
        """Print it above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Begin the bar."""
        self._countdown = _Countdown(cells, nominal_s)
        self._draw("measuring")

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Redraw, before the phase begins to count."""
        self._draw(f"{describe(cell, round_number)}: {phase}")

    def cell_ended(self, record: Record) -> None:
        """Advance; say a failure above the bar, so that it stays."""
        self._countdown.end(record)
        if record.status != "ok":
            self.preparing(f"{describe(record.cell, record.round)}: {ending(record)}")

    def _draw(self, text: str) -> None:
        countdown = self._countdown
        self._progress.update(
            self._task,
            description=text,
            total=countdown.total,
            completed=countdown.done,
            left=countdown.text(),
        )
        self._progress.refresh()


def describe(cell: Cell, round_number: int) -> str:
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
