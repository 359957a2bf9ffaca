"""Measures what metering takes from the throughput that it meters, for docs/energy.md, docs/method.md and docs/results/h100.md.

    python benchmarks/metering.py [--device cuda:0|cpu] [--minutes 2] [--work runs|regions] [--python PYTHON] [--out FILE.json]

A load runs without a pause in child processes (MobileNetV3-Large by torch on a GPU; on a CPU matrix products by numpy, a process of one thread
a core), while this process switches the sampler's thread on (A) and off (B), in blocks of A B B A or B A A B, drawn at random: what
drifts evenly within a block of a second cancels in it, and other programs' work falls on either alike. A block's loss is one less
the ratio of its throughputs, each over a quarter of a second that begins 20 ms after the switch. The middle of the
blocks is told by Hodges and Lehmann's estimate with the interval of Wilcoxon's signed ranks, which blocks in which another program ran do not
move far; the mean with Student's interval is told beside it. On a CPU the same is told by processor time, which other programs
disturb less: what the load needs more of it an image (caches), and what the sampler uses itself. With no meter on this machine (a virtual
machine, say) a powercap tree of real files that another process moves is read instead, and the result says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from block_losses import Block, Rates, Span, by_mean, by_signed_ranks, losses

if TYPE_CHECKING:  # the load's interpreter may not have it
    from inferometer.energy import Session

STRETCH_S = 0.25
SETTLED_S = 0.02  # after a switch
WARM_UP_S = 2.0
LEAST_BLOCKS = 8


BATCH = 256
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def gpu_batch() -> tuple[Callable[[], None], int]:
    """Return one batch of MobileNetV3-Large on cuda:0, input resident, and its images."""
    import torch
    import torchvision

    torch.manual_seed(0)
    model = torchvision.models.mobilenet_v3_large(weights=None).eval().cuda()
    images = torch.randn(BATCH, 3, 224, 224, device="cuda")

    def batch() -> None:
        with torch.inference_mode():
            model(images)
        torch.cuda.synchronize()

    return batch, BATCH


def cpu_batch() -> tuple[Callable[[], None], int]:
    """Return about 10 ms of matrix products."""
    matrix = np.random.default_rng(0).standard_normal((512, 512), np.float32)
    result = np.empty_like(matrix)

    def batch() -> None:
        for _ in range(4):
            np.matmul(matrix, matrix, out=result)

    return batch, 1


def child(device: str) -> None:
    """Answer each line `SECONDS BATCHES` with the loops run for so long, of so many batches each, as JSON."""
    batch, images = gpu_batch() if device.startswith("cuda") else cpu_batch()
    for _ in range(20):
        batch()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, batches = line.split()
        spans = []
        start, used = time.monotonic_ns(), time.process_time_ns()
        until = start + round(float(seconds) * 1e9)
        while start < until:
            for _ in range(int(batches)):
                batch()
            end, so_far = time.monotonic_ns(), time.process_time_ns()
            spans.append((start, end, images * int(batches), so_far - used))
            start, used = end, so_far
        print(json.dumps(spans), flush=True)


class Worker:
    """The load's process; a context manager."""

    def __init__(self, device: str, python: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [python, __file__, "--child", device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD},
        )
        answer = self.process.stdout.readline().strip()
        if answer != "ready":
            raise SystemExit(f"the load on {device} cannot run (it said {answer!r})")

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def loops(self, seconds: float, batches: int) -> list[tuple[int, int, int]]:
        """Run loops for so long, and return start, end (ns) and images of each; this process blocks meanwhile."""
        self.begin(seconds, batches)
        return [span[:3] for span in self.end()]

    def begin(self, seconds: float, batches: int) -> None:
        """Let loops run for so long from now on."""
        self.process.stdin.write(f"{seconds} {batches}\n")
        self.process.stdin.flush()

    def end(self) -> list[Span]:
        """Wait for the loops that were begun, and return them."""
        return [tuple(span) for span in json.loads(self.process.stdout.readline())]


@contextlib.contextmanager
def sampling(session: Session) -> Iterator[None]:
    """Let the session's thread read its meters meanwhile."""
    session.start()
    try:
        yield
    finally:
        session.stop()


def switch(session: Session, blocks: int, stretch_s: float) -> tuple[list[Block], float]:
    """Switch the sampler on and off; return the blocks, and how much of a core it used while on."""
    done, used_s, on_s = [], 0.0, 0.0
    for _ in range(blocks):
        block = []
        first = random.random() < 0.5
        for on in (first, not first, not first, first):
            with sampling(session) if on else contextlib.nullcontext():
                time.sleep(SETTLED_S)
                start_ns, processor = time.monotonic_ns(), time.process_time()
                time.sleep(stretch_s)
                end_ns = time.monotonic_ns()
                if on:
                    used_s += time.process_time() - processor
                    on_s += (end_ns - start_ns) / 1e9
            block.append((on, start_ns, end_ns))
        done.append(block)
    return done, used_s / on_s


@contextlib.contextmanager
def stand_in_tree() -> Iterator[str]:
    """Yield a folder with powercap zones of real files, which another process moves every 10 ms."""
    from region_cost import counting

    with counting() as folder:
        yield str(folder)


def open_meters(stack: contextlib.ExitStack, device: str, work: str = "regions") -> tuple[Session, bool]:
    """Return the meters for ``work`` ("runs", "regions") on a device, until the stack ends, and whether they are a stand-in's."""
    from inferometer.energy import open_session
    from inferometer.energy.sampling.pacing import REGIONS, STEADY

    pacing = STEADY if work == "runs" else REGIONS
    session = open_session(device, pacing=pacing)
    stand_in = not session.meters
    if stand_in:
        powercap = stack.enter_context(stand_in_tree())
        session = open_session(device, ["rapl"], powercap=powercap, pacing=pacing)
    stack.callback(session.close)
    return session, stand_in


def measured(
    session: Session, workers: list[Worker], blocks: int, stretch_s: float
) -> tuple[list[float], list[float], float]:
    """Return each block's loss by the clock and by processor time, and how much of a core the sampler used."""
    with sampling(session):  # learns how often the meters are updated
        time.sleep(0.2)
    for worker in workers:
        worker.begin(WARM_UP_S, 1)
    for worker in workers:
        worker.end()
    for worker in workers:
        worker.begin(blocks * 4 * (stretch_s + SETTLED_S) * 1.05 + 1.0, 1)
    done, share = switch(session, blocks, stretch_s)
    return *losses([Rates(worker.end()) for worker in workers], done), share


def run(
    device: str,
    minutes: float,
    work: str = "runs",
    python: str = sys.executable,
    stretch_s: float = STRETCH_S,
) -> dict[str, object]:
    """Return the comparison on a device, with the meters that were read at the pace of ``work`` ("runs", "regions")."""
    blocks = max(round(minutes * 60 / (4 * (stretch_s + SETTLED_S))), LEAST_BLOCKS)
    on_gpu = device.startswith("cuda")
    count = 1 if on_gpu else os.cpu_count() or 1
    with contextlib.ExitStack() as stack:
        session, stand_in = open_meters(stack, device, work)
        workers = [stack.enter_context(Worker(device, python)) for _ in range(count)]
        by_clock, by_processor, share = measured(session, workers, blocks, stretch_s)
    result = {
        "device": device,
        "work": work,
        "meters": [meter.device.uid for meter in session.meters],
        "stand_in_files": stand_in,
        "blocks": len(by_clock),
        "stretch_s": stretch_s,
        "losses": by_clock,
        "parent_cpu_share_of_a_core": share,
        **named("loss", by_signed_ranks(by_clock)),
        **named("mean_loss", by_mean(by_clock)),
    }
    if not on_gpu:
        own = share / count
        result |= {
            "losses_by_processor": by_processor,
            **named("processor_loss", tuple(value + own for value in by_signed_ranks(by_processor))),
        }
    return result


def named(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    """Return an estimate and the ends of its interval by their names."""
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def told(result: dict[str, object], name: str) -> str:
    """Return an estimate with its interval as text."""
    return f"{result[name]:.2%} [{result[f'{name}_low']:.2%}, {result[f'{name}_high']:.2%}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--work", choices=("runs", "regions"), default="runs", help="whose pace of reading")
    parser.add_argument("--out")
    parser.add_argument(
        "--python", default=sys.executable, help="an interpreter with torch and torchvision, for a GPU's load"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    result = run(arguments.device, arguments.minutes, arguments.work, arguments.python)
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(result, indent=1) + "\n")
    note = " (stand-in files)" if result["stand_in_files"] else ""
    processor = f"; by processor time {told(result, 'processor_loss')}" if "processor_loss" in result else ""
    print(
        f"{result['device']}, {', '.join(result['meters'])}{note}: metering for {result['work']} loses {told(result, 'loss')} "
        f"of throughput ({result['blocks']} blocks; mean {told(result, 'mean_loss')}){processor}; "
        f"this process uses {result['parent_cpu_share_of_a_core']:.2%} of a core"
    )


if __name__ == "__main__":
    main()
