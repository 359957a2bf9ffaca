"""Live progress in a terminal, drawn only between measurements; one output in a notebook, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from inferometer.escapes import shown
from inferometer.records import Cell, Record
from inferometer.running.progress.countdown import NOTHING_MISSING, Countdown, cell_and_round, ending
from inferometer.running.progress.observer import Observer
from inferometer.units import counted

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
        from inferometer.running.progress.notebook import NotebookObserver

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
        self._at_once = False
        self._limit_s = math.inf

    def preparing(self, text: str) -> None:
        """Print it."""
        self._print(shown(text))

    def at_once(self, devices: Sequence[str]) -> None:
        """Print which devices."""
        self._at_once = True
        self._print(f"{', '.join(devices)}: measured at once")

    def time_limit(self, left_s: float) -> None:
        """Count down to it at most."""
        self._limit_s = left_s

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Print how many cells there are."""
        if not cells:
            self._print(NOTHING_MISSING)
            return
        self._countdown = Countdown(cells, nominal_s, self._at_once, self._limit_s)
        self._print(f"measuring {counted(len(cells), 'cell')}, {self._countdown.text()}")

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Stay silent: the line comes when the cell ends."""

    def cell_ended(self, record: Record) -> None:
        """Print how it ended."""
        self._countdown.end(record)
        count = f"[{self._countdown.done}/{self._countdown.total}]"
        self._print(
            f"{count} {cell_and_round(record.cell, record.round)}: {ending(record)}; {self._countdown.text()}"
        )

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class BarObserver:
    """A bar with the round, framework, batch size, phase and the time left; a bar a device where they are measured at once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bars = {"": _Bar(progress)}
        self._limit_s = math.inf
        self._progress.refresh()

    def preparing(self, text: str) -> None:
        """Print it above the bars."""
        self._progress.console.print(shown(text), markup=False, highlight=False)

    def at_once(self, devices: Sequence[str]) -> None:
        """Make a bar for each device."""
        for bar in self._bars.values():  # those of a first stage too
            bar.remove()
        self._bars = {device: _Bar(self._progress) for device in devices}

    def time_limit(self, left_s: float) -> None:
        """Count down to it at most."""
        self._limit_s = left_s

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Begin the bars."""
        if not cells:
            self.preparing(NOTHING_MISSING)
        for device, bar in self._bars.items():
            own = [cell for cell in cells if device in ("", cell.device)]
            bar.begin(Countdown(own, nominal_s, limit_s=self._limit_s))
        self._progress.refresh()

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Redraw, before the phase begins to count."""
        self._bar(cell).draw(f"{cell_and_round(cell, round_number)}: {phase}")
        self._progress.refresh()

    def cell_ended(self, record: Record) -> None:
        """Advance; say a failure above the bars, so that it stays."""
        text = f"{cell_and_round(record.cell, record.round)}: {ending(record)}"
        bar = self._bar(record.cell)
        bar.countdown.end(record)
        bar.draw(text)
        if record.status != "ok":
            self.preparing(text)

    def _bar(self, cell: Cell) -> _Bar:
        return self._bars[cell.device if cell.device in self._bars else ""]


class _Bar:
    """One line of the display."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("preparing", total=None, left="")
        self.countdown = Countdown()

    def begin(self, countdown: Countdown) -> None:
        """Start to count."""
        self.countdown = countdown
        self.draw("measuring")

    def draw(self, text: str) -> None:
        """Say what goes on, how far it is and how long it will take; shown at the next refresh."""
        self._progress.update(
            self._task,
            description=text,
            total=self.countdown.total,
            completed=self.countdown.done,
            left=self.countdown.text(),
        )

    def remove(self) -> None:
        """Take the line away."""
        self._progress.remove_task(self._task)
