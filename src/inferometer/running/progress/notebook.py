"""Progress in a notebook: one output, updated in place, drawn only between measurements."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from inferometer.records import Cell, Record
from inferometer.running.progress.countdown import NOTHING_MISSING, Countdown, cell_and_round, ending


@dataclass(frozen=True)
class Shown:
    """What the output says at one moment, as text and as HTML."""

    text: str
    markup: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.markup


class Output(Protocol):
    """An output of a notebook cell that can be replaced."""

    def update(self, shown: Shown) -> object:
        """Replace what it says."""


def new_output(shown: Shown) -> Output:
    """Return a new output of the cell that is being run."""
    from IPython.display import display

    output: Output = display(shown, display_id=True)
    return output


class NotebookObserver:
    """A bar, what goes on now and the time left; below it what failed. Leaves one line and the failures when it ends."""

    def __init__(self, create: Callable[[Shown], Output] = new_output) -> None:
        self._create = create
        self._output: Output | None = None
        self._countdown = Countdown()
        self._limit_s = math.inf
        self._devices: tuple[str, ...] = ()  # measured at once
        self._now: dict[str, str] = {}  # what each of them is at
        self._failures: list[str] = []

    def preparing(self, text: str) -> None:
        """Say it until something else is to be said."""
        self._say(text)

    def at_once(self, devices: Sequence[str]) -> None:
        """Show from now on what each device is at."""
        self._devices = tuple(devices)

    def time_limit(self, left_s: float) -> None:
        """Count down to it at most."""
        self._limit_s = left_s

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Begin the bar."""
        self._countdown = Countdown(cells, nominal_s, bool(self._devices), self._limit_s)
        self._say("measuring" if cells else NOTHING_MISSING)

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Say it, before the phase begins to count."""
        text = f"{cell_and_round(cell, round_number)}: {phase}"
        if self._devices:
            self._now[cell.device] = text
            text = "; ".join(self._now[device] for device in self._devices if device in self._now)
        self._say(text)

    def cell_ended(self, record: Record) -> None:
        """Advance, and keep a failure."""
        self._countdown.end(record)
        text = f"{cell_and_round(record.cell, record.round)}: {ending(record)}"
        self._now[record.cell.device] = text
        if record.status != "ok":
            self._failures.append(text)

    def close(self) -> None:
        """Replace the bar by what has been done."""
        if self._output is not None:
            done, total = self._countdown.done, self._countdown.total
            self._draw(f"{done} of {total} cells ended" if total else "nothing was measured", bar="")

    def _say(self, text: str) -> None:
        done, total = self._countdown.done, self._countdown.total
        if total:
            bar = f'<progress max="{total}" value="{done}"></progress> '
            self._draw(f"{done}/{total}, {self._countdown.text()}; {text}", bar)
        else:
            self._draw(text, "<progress></progress> ")

    def _draw(self, text: str, bar: str) -> None:
        items = "".join(f"<li>{html.escape(failure)}</li>" for failure in self._failures)
        markup = f"<div>{bar}{html.escape(text)}</div>" + (f"<ul>{items}</ul>" if items else "")
        shown = Shown("\n".join((text, *self._failures)), markup)
        if self._output is None:
            self._output = self._create(shown)
        else:
            self._output.update(shown)
