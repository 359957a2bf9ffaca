"""Measures which way of sending batches keeps jax's pipeline full, for docs/results/h100.md's claim that two ahead by XLA does.

    PYTHONPATH=src JAX_PYTHON benchmarks/jax_sending.py MODEL.keras [--device cuda] [--batch-size 512] [--batches 128]
                                                        [--spinners 0,12] [--rounds 3]

The ways differ in who sends (threads of inferometer or of XLA) and in how many batches are sent ahead.
Run by an interpreter of the jax environment. All ways take turns in one process, on the machine as it is and beside
processes that do nothing but compute: a crowded machine is where they differ. Each line gives images/s, the share of
the processors' time that the hypervisor took, and the host's milliseconds a batch to send, to launch and to deliver.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from inferometer.worker.backend import Batch, Opening
from inferometer.worker.backends.jax import Runtime
from inferometer.worker.backends.parts.copier import cut
from inferometer.worker.backends.parts.jax_pipeline import PiecewisePipeline
from inferometer.worker.backends.parts.jax_transfer import Pieces, Piecewise
from inferometer.worker.system.contention import CpuAccounting

DEPTH = 8
PIECES = 8
BATCHES_KEPT = 8


class Pooled(Piecewise):
    """Each piece put by a thread of inferometer's, all waited for."""

    def __init__(self, jax: Any, device: Any, threads: int) -> None:
        super().__init__(jax, device, threads)
        self._pool = ThreadPoolExecutor(self._most_pieces)

    def pieces(self, batch: Batch) -> Pieces:
        return [list(self._pool.map(self._put, cut(array, self._most_pieces))) for array in batch]

    def _put(self, rows: np.ndarray[Any, Any]) -> Any:
        return self._jax.device_put(rows, self._device)


class Timed:
    """A callable and the seconds spent in it."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return self._call(*arguments)
        finally:
            self.seconds += time.perf_counter() - start


class Way:
    """One pipeline, and where its host time goes."""

    def __init__(self, name: str, pipeline: PiecewisePipeline) -> None:
        self.name = name
        self._pipeline = pipeline
        self._send = pipeline._sender.pieces = Timed(pipeline._sender.pieces)
        self._launch = pipeline._launch = Timed(pipeline._launch)
        self._deliver = pipeline._deliver = Timed(pipeline._deliver)

    def loop(self, batches: list[Batch], count: int) -> str:
        """Return one line about a loop over so many batches."""
        timers = self._send, self._launch, self._deliver
        for timer in timers:
            timer.seconds = 0.0
        accounts = CpuAccounting()
        before, start = accounts.now(), time.perf_counter()
        for number in range(count):
            self._pipeline.submit(batches[number % len(batches)])
        self._pipeline.drain()
        elapsed_s = time.perf_counter() - start
        found = accounts.since(before)  # None: too short a loop to tell
        stolen = f"{found.facts()['stolen_share']:.4f}" if found else "?"
        spent = " + ".join(f"{1e3 * timer.seconds / count:.2f}" for timer in timers)
        rate = len(batches[0][0]) * count / elapsed_s
        return f"{self.name:<20} {rate:>9,.0f} images/s  stolen {stolen}  {spent} ms"


@contextmanager
def crowd(spinners: int) -> Iterator[None]:
    """Let processes compute beside us."""
    children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(spinners)]
    time.sleep(0.3)
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, metavar="MODEL.keras")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--precision", default="fp16")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--batches", type=int, default=128, help="a loop")
    parser.add_argument("--spinners", default="0,12")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    opening = Opening(
        form="keras",
        path=asked.model,
        layout="NHWC",
        input_names=(),
        output_names=(),
        precision=asked.precision,
        device=asked.device,
        threads=PIECES,
        mode="host-pipelined",
    )
    runtime = Runtime(opening)
    shape = asked.batch_size, asked.size, asked.size, 3
    numbers = np.random.default_rng(0)
    batches = [(numbers.integers(0, 256, shape, dtype=np.uint8),) for _ in range(BATCHES_KEPT)]
    infer = runtime.infer_pieces()
    jax, device = runtime._jax, runtime._device
    ways = [
        Way("threads of inferometer", PiecewisePipeline(Pooled(jax, device, PIECES), infer, DEPTH, 1))
    ] + [
        Way(
            f"of XLA's, {ahead} ahead", PiecewisePipeline(Piecewise(jax, device, PIECES), infer, DEPTH, ahead)
        )
        for ahead in (1, 2, 3)
    ]
    for way in ways:
        way.loop(batches, DEPTH + 4)
    for round_number in range(1, asked.rounds + 1):
        for spinners in map(int, asked.spinners.split(",")):
            print(f"round {round_number}, beside {spinners} spinning processes")
            with crowd(spinners):
                for way in ways:
                    way.loop(batches, DEPTH)
                    print(" ", way.loop(batches, asked.batches), flush=True)


if __name__ == "__main__":
    main()
