"""Live progress in a terminal, drawn only between measurements; one output in a notebook, plain lines elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from inferometer.countdown import Countdown, describe, ending
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
    if console.is_jupyter:
        from inferometer.notebook import NotebookObserver

        with contextlib.closing(NotebookObserver()) as observer:
            yield observer
        return
    if not console.is_terminal:
        yield LineObserver(console)
        return
    # no refresh thread: it would take CPU from the worker that is being measured
    with Progress(*_COLUMNS, console=console, auto_refresh=False, transient=True) as progress:
        yield BarObserver(progress)


class LineObserver:
    """One line for each thing prepared and each cell ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._countdown = Countdown()

    def preparing(self, text: str) -> None:
        """Print it."""
        self._print(text)

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Print how many cells there are."""
        self._countdown = Countdown(cells, nominal_s)
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
        self._countdown = Countdown()
        self._progress.refresh()

    def preparing(self, text: str) -> None:
        """Print it above the bar."""
        self._progress.console.print(text, markup=False, highlight=False)

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Begin the bar."""
        self._countdown = Countdown(cells, nominal_s)
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
