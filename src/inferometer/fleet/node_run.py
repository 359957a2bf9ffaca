"""What measures on a node: the same run as ever, in a folder that says what is asked and takes what goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import filelock

from inferometer.errors import InferometerError
from inferometer.fleet.agent import EVENTS, INTERRUPTED, REQUEST
from inferometer.host.processes import children_heard
from inferometer.interruption import STOP_SIGNALS
from inferometer.planning.request import from_builtins
from inferometer.records import Cell, Record
from inferometer.running.progress.countdown import Countdown, cell_and_round
from inferometer.running.progress.observer import SilentObserver
from inferometer.running.run import execute, resume
from inferometer.storage.run_directory import LOCK_FILE, RUN_FILE, StoredRun
from inferometer.units import grouped

_MOST_WORDS = 2000  # of an event, which `agent` reads the end of a file for
_GRACE_S = 20.0  # for a worker to end and its records to be written


class EventWriter(SilentObserver):
    """Writes what goes on as lines of JSON, between measurements."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._countdown = Countdown()

    def preparing(self, text: str) -> None:
        """Write it."""
        self.write(at=text)

    def started(self, cells: Sequence[Cell], nominal_s: Mapping[Cell, float]) -> None:
        """Begin to count."""
        self._countdown = Countdown(cells, nominal_s)
        self._count(at="measuring")

    def cell_phase(self, cell: Cell, round_number: int, phase: str) -> None:
        """Write it, before the phase begins to count."""
        if phase == "load":
            self._count(at=cell_and_round(cell, round_number))

    def cell_ended(self, record: Record) -> None:
        """Write how far the run is."""
        self._countdown.end(record)
        self._count(at=f"{cell_and_round(record.cell, record.round)}: {record.status}")

    def write(self, **facts: Any) -> None:
        """Append one event; one that a full disk does not take is lost, and the run's own error counts."""
        with contextlib.suppress(OSError), self._path.open("a") as file:
            file.write(json.dumps(facts) + "\n")

    def _count(self, at: str) -> None:
        self.write(at=at, done=self._countdown.done, total=self._countdown.total, left=self._countdown.text())


def measure(folder: Path) -> int:
    """Measure, or go on with what the folder holds, and return the exit status; the error, if any, is the last event."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    observer, out = EventWriter(folder / EVENTS), folder / "run"
    try:
        _hear_interruptions()  # in here: one may be waiting
        with children_heard():
            if (out / RUN_FILE).exists():
                _await_predecessor(out)
                stored = resume(out, observer)
            else:
                stored = execute(from_builtins(json.loads((folder / REQUEST).read_text())), out, observer)
    except InferometerError as error:
        observer.write(at=f"failed: {error}", error=str(error))
        return error.exit_code
    except OSError as error:
        observer.write(at=f"failed: {error}", error=f"{error.filename or folder}: {error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        observer.write(at="interrupted", interrupted=True)
        return INTERRUPTED
    if not stored.has_figures:
        observer.write(at="failed", error=f"nothing was measured: {lack(stored)}"[:_MOST_WORDS])
        return 1
    return 0


def lack(stored: StoredRun) -> str:
    """Return why a run measured nothing: the causes of its cells, each with the frameworks that it holds for."""
    skipped = [(skip.reason, skip.cell.framework) for skip in stored.info.skips]
    causes = grouped([*skipped, *((record.cause, record.cell.framework) for record in stored.records)])
    return "; ".join(f"{', '.join(names)}: {cause}" for cause, names in causes.items()) or "no cell was left"


def _await_predecessor(out: Path) -> None:
    """Wait for the process of a driver that is gone to end, which it does within seconds."""
    with contextlib.suppress(filelock.Timeout), filelock.FileLock(out / LOCK_FILE, timeout=2 * _GRACE_S):
        pass


def _hear_interruptions() -> None:
    """Hear SIGINT, which Ray blocks where it runs an actor, and which the background of a script ignores; both are inherited."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, *STOP_SIGNALS})


def _end_with_parent() -> None:
    """Interrupt the run once whoever started it is gone: its node was given back, or its driver has died."""
    os.read(0, 1)  # nothing is ever sent
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_GRACE_S)
    os._exit(130)
