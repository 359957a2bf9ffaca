"""Instances of one row: workers of a worker, each pinned to cores of its own, asked over pipes as this one is.

They are processes, since the number of threads of torch, TensorFlow, XLA and others is a process' own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.failures import Misplaced, Relayed
from inferometer.worker.protocol import (
    EVENTS,
    AnswerBatch,
    Failed,
    Phase,
    Request,
    encode_request,
)
from inferometer.worker.scenarios.responses import EncodedRows
from inferometer.worker.system.cores import disjoint_cores, strays

_ENTRY = Path(__file__).parents[1] / "__main__.py"
_LEAVES_S = 10.0
_PHASE, _FAILED = EVENTS[Phase], EVENTS[Failed]


class Instance:
    """One of several workers that load the same; where it dies this process dies likewise, since a test cannot go on."""

    def __init__(self, name: str, cores: Sequence[int]) -> None:
        self.name, self.cores = name, list(cores)
        requests, self._requests = os.pipe()
        answers, to_answer = os.pipe()
        command = [sys.executable, str(_ENTRY), str(requests), str(to_answer), str(os.getpid())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env=_environment(len(cores)),
            pass_fds=(requests, to_answer),
        )
        os.sched_setaffinity(self._process.pid, self.cores)  # its threads will inherit it: it has none yet
        os.close(requests)
        os.close(to_answer)
        self._answers = os.fdopen(answers, "rb")

    @property
    def pid(self) -> int:
        """Return its process."""
        return self._process.pid

    def send(self, request: Request) -> None:
        """Write a request; that it has gone is found when its answer is read."""
        view = memoryview(encode_request(request))
        with contextlib.suppress(BrokenPipeError):
            while view:
                view = view[os.write(self._requests, view) :]

    def receive(self, report: Callable[[str], None] = lambda phase: None) -> dict[str, Any]:
        """Return its answer as fields; Relayed where it failed."""
        while True:
            line = self._answers.readline()
            if not line.endswith(b"\n"):
                self._die_likewise()
            answer: dict[str, Any] = json.loads(line)
            event = answer.pop("event")
            if event == _FAILED:
                answer["cause"] = f"{self.name}: {answer['cause']}"
                raise Relayed(Failed(**answer))
            if event != _PHASE:
                return answer
            report(answer["phase"])

    def infer(self, numbers: list[int], size: int, keeps: bool) -> EncodedRows:
        """Let it answer a batch; return the answers' bytes, none where they are not wanted."""
        self.send(AnswerBatch(numbers, size, keeps))
        rows = self.receive()["rows"]
        return EncodedRows(np.frombuffer(bytes.fromhex(row), np.uint8) for row in rows if keeps)

    def check_place(self) -> None:
        """Raise Misplaced if a thread of it may run elsewhere than on its cores."""
        if elsewhere := strays(self._process.pid, self.cores):
            places = ", ".join(map(str, sorted(elsewhere)))
            own = ", ".join(map(str, self.cores))
            raise Misplaced(
                f"{self.name} was pinned to CPU {own}, and the framework lets threads run on CPU {places}"
            )

    def _die_likewise(self) -> None:
        try:
            status = self._process.wait(_LEAVES_S)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        sys.stderr.write(f"{self.name} ended by {how}\n")
        sys.stderr.flush()
        if status < 0:
            os.kill(os.getpid(), -status)
        os._exit(max(status, 1))


class Instances:
    """All of them, asked at once."""

    def __init__(self, count: int, threads: int) -> None:
        """Start ``count`` that share ``threads``; ValueError where those are too few."""
        cores = disjoint_cores(count, threads // count)
        self.all = [Instance(f"instance {n} of {count}", own) for n, own in enumerate(cores, 1)]

    def ask(
        self, requests: Sequence[Request], report: Callable[[str], None] = lambda phase: None
    ) -> list[dict[str, Any]]:
        """Send each its request and return their answers; ``report`` is told the phases of the first."""
        for instance, request in zip(self.all, requests):
            instance.send(request)
        answers, failures = [], []
        for instance in self.all:
            try:
                answers.append(instance.receive(report if instance is self.all[0] else lambda phase: None))
            except Relayed as failure:  # the others' answers are on their way
                failures.append(failure)
        if failures:
            raise failures[0]
        return answers

    def facts(self) -> list[dict[str, Any]]:
        """Return the cores of each, for the record."""
        return [{"cores": instance.cores} for instance in self.all]


def _environment(threads: int) -> dict[str, str]:
    """Return this process' variables, with the numbers of threads of one instance."""
    return {k: str(threads) if k.endswith("_NUM_THREADS") else v for k, v in os.environ.items()}
