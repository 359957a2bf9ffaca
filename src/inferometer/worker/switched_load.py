"""A load that can be switched, in a process of its own: run by path in any interpreter, with torch for a GPU or numpy.

Standard input takes a line a command: `idle`, `steady`, `duty PERIOD_S PHASE` (on for the first half of every period of
CLOCK_MONOTONIC, shifted by PHASE periods). Standard output answers `ready NAME` once, then `ok` to each command.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# run by path, its folder comes first, whose modules are none of Python's (-P does this from Python 3.11 on)
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

CHUNK_S = 0.001  # one piece of work; the load switches no finer
FOREVER_S = 3600.0


class Switch:
    """What the load is to do now; set by the reader of the commands."""

    def __init__(self) -> None:
        self.period_s = 0.0
        self.phase = 0.0
        self.steady = False
        self.changed = threading.Event()
        self.done = False

    def obey(self, line: str) -> None:
        """Take one command."""
        words = line.split()
        self.steady = words == ["steady"]
        self.period_s, self.phase = (float(words[1]), float(words[2])) if words[0] == "duty" else (0.0, 0.0)
        self.changed.set()

    def rest_s(self, now_s: float) -> float:
        """Return how long to rest from now; 0: work."""
        if self.steady:
            return 0.0
        if not self.period_s:
            return FOREVER_S
        part = (now_s / self.period_s - self.phase) % 1.0
        return 0.0 if part < 0.5 else (1.0 - part) * self.period_s


def cuda_work(index: int) -> tuple[Callable[[], None], str]:
    """Return a function that keeps a GPU busy for about `CHUNK_S`, and what it is."""
    import torch

    device = torch.device("cuda", index)
    left = torch.randn(4096, 4096, device=device, dtype=torch.float16)
    right = torch.randn(4096, 4096, device=device, dtype=torch.float16)
    result = torch.empty_like(left)

    def work(count: int = 1) -> None:
        for _ in range(count):
            torch.mm(left, right, out=result)
        torch.cuda.synchronize(device)

    for _ in range(3):
        work()
    begin = time.monotonic()
    work(20)
    count = max(round(CHUNK_S / ((time.monotonic() - begin) / 20)), 1)
    name = f"torch {torch.__version__} fp16 matrix products on {torch.cuda.get_device_name(index)}"
    return lambda: work(count), name


def cpu_work() -> tuple[Callable[[], None], str]:
    """Return a function that keeps the processor busy for about `CHUNK_S`, and what it is."""
    import numpy as np

    left = np.random.default_rng(0).standard_normal((256, 256), np.float32)
    result = np.empty_like(left)
    begin = time.monotonic()
    for _ in range(20):
        np.matmul(left, left, out=result)
    count = max(round(CHUNK_S / ((time.monotonic() - begin) / 20)), 1)

    def work() -> None:
        for _ in range(count):
            np.matmul(left, left, out=result)

    return work, f"numpy {np.__version__} fp32 matrix products"


def listen(switch: Switch) -> None:
    """Obey commands until standard input ends."""
    for line in sys.stdin:
        if line.strip():
            switch.obey(line)
            _answer("ok")
    switch.done = True
    switch.changed.set()


def _answer(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(device: str) -> None:
    """Work and rest as commanded."""
    family, _, index = device.partition(":")
    work, name = cuda_work(int(index or 0)) if family == "cuda" else cpu_work()
    switch = Switch()
    threading.Thread(target=listen, args=(switch,), daemon=True).start()
    _answer(f"ready {name}")
    while not switch.done:
        rest_s = switch.rest_s(time.monotonic())
        if rest_s:
            switch.changed.wait(rest_s)
            switch.changed.clear()
        else:
            work()


if __name__ == "__main__":
    main(sys.argv[1])
