"""Measures what a run over a cluster costs beside the same run plainly, in seconds and in throughput.

    python benchmarks/fleet_cost.py MODEL [--pairs 4] [--cluster ADDRESS] [--plain OPTIONS] [--fleet OPTIONS] [--options OPTIONS]

Each pair is both commands one after the other, the order turned with each pair; one of each before them is not counted (it sends the model).
Without --cluster a head and a node are started on this machine, outside of what is timed. --plain several times: plain runs one after the
other, each with its options, as many as the cluster has nodes of one machine, which measure in turn (device/gpu_fleet.py). Python keeps
its compiled files, as where it is installed. Run it on a quiet machine. Exit status 1 where the median is over 2 s, or 1 % of the throughput is lost for certain.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scipy import stats

from inferometer.results.opening import open_results

ROOT = Path(__file__).resolve().parents[1]
AIM_S, AIM_LOST = 2.0, 0.01
OPTIONS = "--frameworks onnxrt --batch-sizes 1,8 --images 64 --rounds 3 --budget 2"
Rates = dict[tuple[str, ...], float]


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """Yield the address of a cluster that was started on this machine for so long."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    from inferometer.frameworks.environments import environments_folder
    from ray_nodes import ray_cluster

    with ray_cluster(environments_folder(), {"node": {}}) as started:
        yield f"127.0.0.1:{started.port}"


@contextlib.contextmanager
def compiled() -> Iterator[None]:
    """Let Python keep what it compiles, also where nothing may be written beside its sources; the first pair makes it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("PYTHONPYCACHEPREFIX", folder)
        yield


def measured(out: Path, *runs: list[str]) -> tuple[float, Rates]:
    """Run commands one after the other; return the seconds that they took, and each cell's images/s, the mean of its devices and nodes."""
    took_s, folders = 0.0, []
    for number, words in enumerate(runs):
        folder = out / str(number)
        command = [sys.executable, "-m", "inferometer", "run", *words, "--out", str(folder)]
        began = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        took_s += time.perf_counter() - began
        if done.returncode:
            said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
            raise SystemExit(
                f"`inferometer run {shlex.join(words)}` left with status {done.returncode}: {said}"
            )
        folders.append(folder / "nodes" if (folder / "nodes").exists() else folder)
    rates: dict[tuple[str, ...], list[float]] = {}
    for each in open_results(folders).summaries:
        if each.throughput:
            cell = each.cell
            key = (cell.framework, cell.precision, cell.mode, str(cell.batch_size))
            rates.setdefault(key, []).append(each.throughput.value)
    return took_s, {key: statistics.fmean(found) for key, found in rates.items()}


def gained(plain: Rates, fleet: Rates) -> float:
    """Return the mean logarithm of how the fleet's throughput differs; it ends where a cell of either is not in the other."""
    if alone := sorted(plain.keys() ^ fleet.keys()):
        told = ", ".join(f"{' '.join(key)} ({'plain' if key in plain else 'fleet'} only)" for key in alone)
        raise SystemExit(f"not both measured: {told}")
    if not plain:
        raise SystemExit("neither run measured anything")
    return statistics.fmean(math.log(fleet[key] / rate) for key, rate in plain.items())


def compared(folder: Path, pairs: int, plain: list[list[str]], fleet: list[str]) -> list[tuple[float, float]]:
    """Return each pair's further seconds, and the mean logarithm of how its throughput differs."""
    found = []
    for number in range(pairs + 1):
        both = {}
        for name in ("plain", "fleet")[:: 1 if number % 2 else -1]:
            both[name] = measured(folder / f"{name}-{number}", *(plain if name == "plain" else [fleet]))
        (plain_s, plain_rates), (fleet_s, fleet_rates) = both["plain"], both["fleet"]
        ratio = gained(plain_rates, fleet_rates)
        print(
            f"{'not counted' if not number else f'pair {number}'}: plain {plain_s:.2f} s, fleet {fleet_s:.2f} s, "
            f"throughput {100 * math.expm1(ratio):+.2f} %",
            flush=True,
        )
        found.append((fleet_s - plain_s, ratio))
    return found[1:]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="as `inferometer run` takes it")
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--cluster", help="of one that runs; else one is started here")
    parser.add_argument("--options", default=OPTIONS, help="of both runs")
    parser.add_argument("--plain", action="append", help="of the plain run besides; several times: several")
    parser.add_argument("--fleet", default="", help="of the run over the cluster besides")
    given = parser.parse_args()
    common = [given.model, *shlex.split(given.options)]
    there = contextlib.nullcontext(given.cluster) if given.cluster else cluster()
    with tempfile.TemporaryDirectory() as temporary, compiled(), there as address:
        pairs = compared(
            Path(temporary), given.pairs, [[*common, *shlex.split(words)] for words in given.plain or [""]],
            [*common, *shlex.split(given.fleet), "--cluster", str(address)],
        )  # fmt: skip
    seconds, ratios = zip(*pairs, strict=True)
    median_s, mean = statistics.median(seconds), statistics.fmean(ratios)
    half = float(stats.t.ppf(0.975, len(pairs) - 1)) * statistics.stdev(ratios) / math.sqrt(len(pairs))
    print(
        f"a fleet takes {median_s:.2f} s more (median of {len(pairs)} pairs, {min(seconds):.2f} to {max(seconds):.2f}); "
        f"throughput {100 * math.expm1(mean):+.2f} %, 95 % interval {100 * math.expm1(mean - half):+.2f} to {100 * math.expm1(mean + half):+.2f} %"
    )
    return int(median_s > AIM_S or math.exp(mean + half) < 1 - AIM_LOST)


if __name__ == "__main__":
    sys.exit(main())
