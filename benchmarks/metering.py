"""Measures what metering takes from the throughput it meters, for docs/method.md's claim of -0.08 % on an H100.

    python benchmarks/metering.py [--device cuda:0|cpu] [--pairs 12] [--seconds 2] [--work runs|regions] [--out FILE.json]

One steady load, metered and not, in the order A B B A, as many pairs as asked. The load runs in a child process (MobileNetV3-Large by torch on a GPU, matrix products by numpy on a CPU) while this
process waits on a pipe, as the runner does; metered means that the session's sampler thread runs here. Prints the loss
of throughput with its 95 % interval and the sampler's own processor time. With no meter on this machine (a virtual
machine, say) a powercap tree of real files in a temporary folder is read instead, and the result says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BATCH = 256


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
        start = time.monotonic_ns()
        until = start + round(float(seconds) * 1e9)
        while start < until:
            for _ in range(int(batches)):
                batch()
            end = time.monotonic_ns()
            spans.append((start, end, images * int(batches)))
            start = end
        print(json.dumps(spans), flush=True)


class Worker:
    """The load's process; a context manager."""

    def __init__(self, device: str, python: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [python, __file__, "--child", device], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
        """Run loops for so long; this process blocks meanwhile."""
        self.process.stdin.write(f"{seconds} {batches}\n")
        self.process.stdin.flush()
        return [tuple(span) for span in json.loads(self.process.stdout.readline())]


def throughput(spans: list[tuple[int, int, int]]) -> float:
    """Return images a second over all loops."""
    return sum(s[2] for s in spans) / ((spans[-1][1] - spans[0][0]) / 1e9)


def compare(
    worker: Worker, open_metered: Callable[[], object], pairs: int, seconds: float
) -> dict[str, object]:
    """Measure pairs in the order metered, not, not, metered, ...; return throughputs, loss and its interval."""
    metered, plain, cpu_shares = [], [], []
    for number in range(pairs):
        for with_meters in (True, False) if number % 2 == 0 else (False, True):
            if not with_meters:
                plain.append(throughput(worker.loops(seconds, 4)))
                continue
            with open_metered():
                time.sleep(0.05)
                before, begin = time.process_time(), time.monotonic()
                metered.append(throughput(worker.loops(seconds, 4)))
                cpu_shares.append((time.process_time() - before) / (time.monotonic() - begin))
    ratios = [1 - a / b for a, b in zip(metered, plain, strict=True)]
    mean, error = statistics.fmean(ratios), statistics.stdev(ratios) / len(ratios) ** 0.5
    from inferometer.quantiles import CONFIDENCE, t_quantile

    half = t_quantile(CONFIDENCE, len(ratios) - 1) * error
    return {
        "pairs": pairs,
        "seconds_each": seconds,
        "metered_images_per_s": metered,
        "unmetered_images_per_s": plain,
        "loss": mean,
        "loss_low": mean - half,
        "loss_high": mean + half,
        "parent_cpu_share_of_a_core": statistics.fmean(cpu_shares),
    }


@contextlib.contextmanager
def stand_in_tree():
    """Yield a folder with two powercap zones of real files whose counters stand still."""
    with tempfile.TemporaryDirectory() as folder:
        for path, name in (("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "dram")):
            zone = Path(folder) / path
            zone.mkdir()
            for file, text in (
                ("name", name),
                ("max_energy_range_uj", "262143328850"),
                ("energy_uj", "1000000"),
            ):
                (zone / file).write_text(f"{text}\n")
        yield folder


def run(device: str, pairs: int, seconds: float, work: str = "runs") -> dict[str, object]:
    """Return the comparison on a device, with the meters that were read at the pace of ``work`` ("runs", "regions")."""
    from inferometer.energy import open_session
    from inferometer.energy.sampling.pacing import REGIONS, STEADY

    pacing = STEADY if work == "runs" else REGIONS

    with contextlib.ExitStack() as stack:
        session = open_session(device)
        powercap, stand_in = None, not session.meters
        if stand_in:
            powercap = stack.enter_context(stand_in_tree())
            session = open_session(device, ["rapl"], powercap=powercap)
        uids = [meter.device.uid for meter in session.meters]
        session.close()
        terms = [f"uid={uid}" for uid in uids]
        worker = stack.enter_context(Worker(device))
        worker.loops(2 * seconds, 4)
        result = compare(
            worker, lambda: open_session(device, terms, powercap=powercap, pacing=pacing), pairs, seconds
        )
    return {"device": device, "work": work, "meters": uids, "stand_in_files": stand_in, **result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--work", choices=("runs", "regions"), default="runs", help="whose pace of reading")
    parser.add_argument("--out")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    result = run(arguments.device, arguments.pairs, arguments.seconds, arguments.work)
    if arguments.out:
        Path(arguments.out).write_text(json.dumps(result, indent=1) + "\n")
    note = " (stand-in files)" if result["stand_in_files"] else ""
    print(
        f"{result['device']}, {', '.join(result['meters'])}{note}: metering for {result['work']} loses {result['loss']:.2%} "
        f"[{result['loss_low']:.2%}, {result['loss_high']:.2%}] of throughput ({result['pairs']} pairs); "
        f"this process uses {result['parent_cpu_share_of_a_core']:.2%} of a core"
    )


if __name__ == "__main__":
    main()
