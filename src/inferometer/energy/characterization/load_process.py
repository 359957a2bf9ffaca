"""Start and command the switchable load (`worker/switched_load.py`) in another interpreter."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Protocol

from inferometer.errors import MeterError
from inferometer.storage.temporary import TemporaryFolder

START_S = 120.0  # importing torch on a cold disk
LAST_WORDS_S = 2.0  # for what a dead child wrote; a process of its own may hold the pipe open
ANSWER_S = 30.0


class Load(Protocol):
    """Something that can be made to draw power."""

    @property
    def name(self) -> str:
        """Return what it is."""

    def set(self, command: str) -> None:
        """Switch to 'idle', 'steady' or 'duty PERIOD_S PHASE'."""


class LoadProcess:
    """The load as a child process; a context manager."""

    def __init__(self, device: str, python: str = sys.executable, gpu: str = "") -> None:
        """Start it and wait until it can work; MeterError with its last line if it cannot.

        ``gpu``: the UUID of the card to load, since CUDA may count in another order than the driver.
        """
        script = Path(__file__).parents[2] / "worker" / "switched_load.py"
        self._temporary = TemporaryFolder()
        card = {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        try:
            self._child = subprocess.Popen(
                [python, str(script), "cuda:0" if gpu else device],
                env={**os.environ, **self._temporary.variables(), **card},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            self._temporary.remove()
            raise MeterError(
                f"cannot start {python}: {error.strerror}; name an interpreter with --python"
            ) from error
        self._lines: queue.Queue[str] = queue.Queue()
        self._errors: list[str] = []
        self._threads = [
            threading.Thread(target=self._pump_answers, daemon=True),
            threading.Thread(target=self._pump_errors, daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self.name = self._answer(START_S, device).removeprefix("ready ")

    def __enter__(self) -> LoadProcess:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def set(self, command: str) -> None:
        """Switch to 'idle', 'steady' or 'duty PERIOD_S PHASE'."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(f"{command}\n")
            self._child.stdin.flush()
        except OSError as error:
            raise MeterError(f"the load has died: {self._last_error()}") from error
        self._answer(ANSWER_S, command)

    def close(self) -> None:
        """End the child."""
        for pipe in (self._child.stdin,):
            if pipe is not None:
                pipe.close()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for thread in self._threads:
            thread.join()
        self._temporary.remove()

    def _answer(self, limit_s: float, what: str) -> str:
        try:
            line = self._lines.get(timeout=limit_s)
        except queue.Empty:
            line = ""
        if not line:
            reason = (
                self._last_error() if self._child.poll() is not None else f"no answer within {limit_s:.0f} s"
            )
            self.close()
            raise MeterError(
                f"the load for '{what}' cannot run: {reason}; name an interpreter with torch by --python"
            )
        return line

    def _pump_answers(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as pipe:
            for line in pipe:
                self._lines.put(line.strip())
        self._child.wait()
        self._lines.put("")

    def _pump_errors(self) -> None:
        assert self._child.stderr is not None
        with self._child.stderr as pipe:
            for line in pipe:
                self._errors = [*self._errors[-20:], line.strip()]

    def _last_error(self) -> str:
        if self._child.poll() is not None:
            self._threads[1].join(LAST_WORDS_S)  # what it wrote may not have been read whole yet
        return next((line for line in reversed(self._errors) if line), "it ended without a word")
