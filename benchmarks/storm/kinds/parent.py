"""The command itself is ended at a random moment; what was recorded stays, and resuming completes the run."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from trial import Trial, measured, records_in
from world import CELLS, SHORT, World

import processes

LONGER = (*SHORT, "--images", "32", "--loops", "300")  # cells long enough to be hit, between them and within
_AGAIN = 0.3  # of these faults: resuming is interrupted as well
_LONGEST_S = 3.0  # of a whole run on a quiet machine, about


def sigint(trial: Trial, world: World, chance: random.Random) -> None:
    _ended_by(signal.SIGINT, trial, world, chance)


def sigterm(trial: Trial, world: World, chance: random.Random) -> None:
    _ended_by(signal.SIGTERM, trial, world, chance)


def sighup(trial: Trial, world: World, chance: random.Random) -> None:
    _ended_by(signal.SIGHUP, trial, world, chance)


def sigkill(trial: Trial, world: World, chance: random.Random) -> None:
    _ended_by(signal.SIGKILL, trial, world, chance)


def several_signals(trial: Trial, world: World, chance: random.Random) -> None:
    numbers = [
        chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)) for _ in range(chance.randint(2, 5))
    ]
    _ended_by(numbers[0], trial, world, chance, more=numbers[1:])


def _ended_by(number: int, trial: Trial, world: World, chance: random.Random, more=()) -> None:
    out = world.folder() / "run"
    moment = chance.choice((_any_time, _with_a_worker, _after_a_cell, _after_a_cell))

    def meanwhile(pid: int) -> None:
        moment(pid, out, chance)
        for each in (number, *more):
            _kill(pid, each)
            time.sleep(chance.uniform(0, 0.1))

    words = ["run", world.model, *LONGER, "--out", out]
    # where the signal came before we were there to hear it, it is Python or the kernel who ends
    allowed = [0, *(status for each in (number, *more) for status in (128 + each, -each))]
    done = trial.ended(processes.run(words, meanwhile=meanwhile), statuses=allowed)
    before = records_in(out)
    trial.became = f"status {done.status}, {measured(before)}"
    if (out / "run.json").exists() and chance.random() < _AGAIN:
        trial.ended(processes.run(["run", "--resume", out], meanwhile=meanwhile), statuses=allowed)
        trial.kept(before, out, whole=False)
        before = records_in(out)
        trial.became = "interrupted again while it was resumed"
    resumed(trial, world, out, before)


def _any_time(pid: int, out: Path, chance: random.Random) -> None:
    time.sleep(chance.uniform(0.1, _LONGEST_S))


def _with_a_worker(pid: int, out: Path, chance: random.Random) -> None:
    """Wait until there is a run and a process that works for it."""
    _wait(pid, lambda: (out / "run.json").exists() and processes.workers_of(pid))
    time.sleep(chance.uniform(0, 0.5))


def _after_a_cell(pid: int, out: Path, chance: random.Random) -> None:
    """Wait until some cells are recorded."""
    count, cells = chance.randint(1, CELLS), out / "cells.jsonl"
    _wait(pid, lambda: cells.exists() and cells.read_bytes().count(b"\n") >= count)
    time.sleep(chance.choice((0, chance.uniform(0, 0.3))))


def _wait(pid: int, condition) -> None:
    deadline = time.monotonic() + processes.MOST_S
    while processes.is_running(pid) and not condition() and time.monotonic() < deadline:
        time.sleep(0.003)


def _kill(pid: int, number: int) -> None:
    if processes.is_running(pid):
        os.kill(pid, number)


def resumed(trial: Trial, world: World, out: Path, before) -> None:
    """Go on with a run, or begin it where there is none yet; all that was recorded must be there, and nothing missing."""
    words = (
        ["run", "--resume", out]
        if (out / "run.json").exists()
        else ["run", world.model, *SHORT, "--out", out]
    )
    trial.ended(processes.command(*words), statuses=(0,))
    trial.kept(before, out)
