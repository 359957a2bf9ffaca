"""What a run tells whoever watches it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from inferometer.records import Cell, Record


class Observer(Protocol):
    """What a run tells while it goes on; called between measurements, never during one."""

    def preparing(self, text: str) -> None:
        """Say what is being built or converted."""

    def at_once(self, devices: Sequence[str]) -> None:
        """Say, before `started`, that these devices are measured at once; never told where they take turns."""

    def time_limit(self, left_s: float) -> None:
        """Say, before `started`, how long rounds may still take (s); never told where there is no limit."""

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Say what is to be measured (a cell once a round), and a rough time for each."""

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Say that a cell entered a phase: load, prepare, check, warm-up, loops."""

    def cell_ended(self, record: Record) -> None:
        """Say how a cell ended."""


class SilentObserver:
    """Watches nothing; the base of observers that care for some events only."""

    def preparing(self, text: str) -> None:
        """Ignore it."""

    def at_once(self, devices: Sequence[str]) -> None:
        """Ignore it."""

    def time_limit(self, left_s: float) -> None:
        """Ignore it."""

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Ignore it."""

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Ignore it."""

    def cell_ended(self, record: Record) -> None:
        """Ignore it."""


class OneAtATime:
    """Passes on to one observer what several threads tell."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._lock = threading.Lock()

    def preparing(self, text: str) -> None:
        """Pass it on."""
        with self._lock:
            self._observer.preparing(text)

    def at_once(self, devices: Sequence[str]) -> None:
        """Pass it on."""
        with self._lock:
            self._observer.at_once(devices)

    def time_limit(self, left_s: float) -> None:
        """Pass it on."""
        with self._lock:
            self._observer.time_limit(left_s)

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Pass it on."""
        with self._lock:
            self._observer.started(cells, nominal_s)

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Pass it on."""
        with self._lock:
            self._observer.cell_phase(cell, round_number, phase)

    def cell_ended(self, record: Record) -> None:
        """Pass it on."""
        with self._lock:
            self._observer.cell_ended(record)
