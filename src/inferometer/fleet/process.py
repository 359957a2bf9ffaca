"""The process that measures on a node, as whoever started it sees it: it tells what the node is, then waits for its folder."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

_GPUS = "CUDA_VISIBLE_DEVICES"


class Process:
    """A process of `fleet.child`; it ends when this is gone."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes] | None = None) -> None:
        self._process, self._errors = process, errors

    @classmethod
    def started(cls, name: str, gpus: int) -> Process:
        """Start one for a fleet's run, on a node of which Ray has so many GPUs; this process is one of Ray's."""
        niceness = os.getpriority(os.PRIO_PROCESS, os.getppid())  # Ray's own
        errors = tempfile.TemporaryFile()  # noqa: SIM115  # until its folder is known
        return cls(
            subprocess.Popen(
                [sys.executable, "-m", "inferometer.fleet.child", name, str(niceness)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=variables(gpus),
            ),
            errors,
        )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return what it tells of its node; OSError with its last words where it ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError(f"what is to measure does not start: {self.last_words()}")
        return dict(json.loads(line))

    def last_words(self) -> str:
        """Return the last line that it said of errors before it had its folder."""
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return (self._errors.read().decode(errors="replace").splitlines() or [""])[-1]

    def measure(self, folder: Path) -> None:
        """Let it measure what a folder asks for; BrokenPipeError where it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{folder}\n".encode())
        self._process.stdin.flush()

    def status(self) -> int | None:
        """Return its exit status, None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Let it end what it is at."""
        if self.status() is None:
            self._process.send_signal(signal.SIGINT)

    def await_end(self, within_s: float) -> None:
        """Sleep until it ends, or so long; nothing wakes a node that measures."""
        if self.status() is not None or not within_s:
            return
        try:
            ending = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):  # kernels before 5.3, and sandboxes, have no such call
            time.sleep(within_s)
            return
        try:
            poller = select.poll()
            poller.register(ending)
            poller.poll(1000 * within_s)
        finally:
            os.close(ending)


def variables(gpus: int) -> dict[str, str]:
    """Return its environment: of this one's GPUs the first ``gpus``, as Ray itself gives them out, and all threads, of which Ray sets a
    number of its own."""
    found = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    listed = found[_GPUS].split(",") if _GPUS in found else map(str, range(gpus))
    return {**found, _GPUS: ",".join([*listed][:gpus])}
