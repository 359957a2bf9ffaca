"""Measures how long the commands that read runs take, and how much memory, against the size of the run, for issue "At size".

    python benchmarks/scale.py [--sides 1,2,5,10] [--commands show,table,...] [--keep FOLDER] [--out FOLDER]

A run of side s has 10 s frameworks at s batch sizes in 5 precisions and 2 modes, each cell in 10 rounds of 2 loops of 5 batches: 100 s² cells, ten times the records
and a hundred times the samples, so that side 10 has 10,000 cells, 100,000 records and 1,000,000 samples. They are simulated (tests/support/simulated_runs.py), and
each command is a process of its own, whose modules are compiled before, as those of an installed package are. Printed, and written to OUT as scale.csv and scale.png: wall time, processor time (what counts on a machine busy with
other things) and peak resident memory of the command with its children, and how each grew where the cells grew fourfold.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
# of which "show" is the first on a run and keeps its summaries, and "compare" the first on the second run; those that follow find them,
# but for "report first"
COMMANDS = ("show", "show again", "table", "recommend", "compare", "compare again", "report", "report first")
AIMS_S = {  # at 10,000 cells
    "show": 5, "show again": 5, "table": 5, "recommend": 5, "compare": 8, "compare again": 8, "report": 15,
    "report first": 15,
}  # fmt: skip
KEPT = ".summaries.parquet"
PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")


def write_run(path: Path, side: int, seed: int) -> None:
    """Write a run of a side, if it is not there yet."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    import simulated_runs as simulated

    if not path.exists():
        simulated.write_run(
            path, simulated.BOARDS[2], frameworks=tuple(f"framework-{i:03}" for i in range(10 * side)), precisions=PRECISIONS,
            batch_sizes=tuple(8 * (i + 1) for i in range(side)), rounds=10, loops=2, batches=5, modes=("host", "device"), failures=False,
            seed=seed,
        )  # fmt: skip


def arguments_of(command: str, first: Path, second: Path) -> list[str]:
    """Return the words after `inferometer`."""
    more = {
        "table": ["throughput", str(first)],
        "compare": [str(first), str(second)],
        "report": [str(first), "--out", str(first.parent / "report.html")],
    }
    name = command.split(maxsplit=1)[0]
    return [name, *more.get(name, [str(first)])]


def measure(arguments: list[str], bytecode: Path) -> dict[str, float]:
    """Run inferometer once in a process of its own, whose compiled modules are kept in a folder, and return what it took."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(bytecode.resolve())}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "inferometer", *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with ThreadPoolExecutor(1) as threads:
        memory = threads.submit(peak_bytes, child.pid)
        _, status, used = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"inferometer {' '.join(arguments)}: exit status {child.returncode}")
    peak_mb = max(memory.result() / 1e6, used.ru_maxrss * 1024 / 1e6)
    return {"wall_s": wall_s, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": peak_mb}


def peak_bytes(pid: int) -> int:
    """Return the most that a process and its children held together until it ended, looked at every 10 ms; what they share counts for each."""
    most = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        while process.status() != psutil.STATUS_ZOMBIE:
            most = max(most, sum(held_bytes(one) for one in (process, *process.children())))
            time.sleep(0.01)
    return most


def held_bytes(process: psutil.Process) -> int:
    """Return what a process holds; 0 of one that ended."""
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def measured(folder: Path, sides: list[int], commands: list[str]) -> list[dict[str, float | str]]:
    """Measure every command at every size, and print each as it ends."""
    rows: list[dict[str, float | str]] = []
    bytecode = folder / "bytecode"
    for number, side in enumerate([sides[0], *sides]):  # the first time for the modules alone
        first, second = folder / f"side-{side}-a", folder / f"side-{side}-b"
        write_run(first, side, 1)
        write_run(second, side, 2)
        for run in (first, second):
            (run / KEPT).unlink(missing_ok=True)
        for command in commands:
            if command == "report first":
                (first / KEPT).unlink(missing_ok=True)
            figures = measure(arguments_of(command, first, second), bytecode)
            if not number:
                continue
            rows.append({"cells": 100 * side**2, "command": command, **figures})
            print(
                f"{100 * side**2:>7,} cells  {command:<13} {figures['wall_s']:7.1f} s  {figures['cpu_s']:7.1f} s of processor  "
                f"{figures['peak_mb']:6,.0f} MB",
                flush=True,
            )
    return rows


def growth(rows: list[dict[str, float | str]]) -> list[str]:
    """Return how each command's processor time grew from one size to the next, as a power of the number of cells and fourfold."""
    lines = []
    for command in dict.fromkeys(row["command"] for row in rows):
        own = [row for row in rows if row["command"] == command]
        for small, large in itertools.pairwise(own):
            times = float(large["cells"]) / float(small["cells"])
            ratio = float(large["cpu_s"]) / float(small["cpu_s"])
            fourfold = 4 ** _exponent(ratio, times)
            lines.append(
                f"{command}: {small['cells']:,} to {large['cells']:,} cells {ratio:.1f} times; four times the cells {fourfold:.1f} times"
            )
    return lines


def _exponent(ratio: float, times: float) -> float:
    import math

    return math.log(ratio) / math.log(times)


def plot(rows: list[dict[str, float | str]], out: Path) -> None:
    """Draw processor time and memory against the number of cells."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4))
    for axis, (name, title) in zip(
        axes, (("cpu_s", "processor time [s]"), ("peak_mb", "peak memory [MB]")), strict=True
    ):
        for command in dict.fromkeys(str(row["command"]) for row in rows):
            own = [row for row in rows if row["command"] == command]
            axis.plot([row["cells"] for row in own], [row[name] for row in own], marker="o", label=command)
        axis.set(xscale="log", yscale="log", xlabel="cells", ylabel=title)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(out, dpi=120)


def main() -> int:
    """Measure, print, write; exit status 1 if a command is over its aim at 10,000 cells, or took 1 GB."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", default="1,2,5,10")
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--keep", type=Path, help="write the runs here and keep them")
    parser.add_argument("--out", type=Path, default=Path(), help="folder of scale.csv and scale.png")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        rows = measured(folder, [int(side) for side in given.sides.split(",")], given.commands.split(","))
    print("\n".join(growth(rows)))
    given.out.mkdir(parents=True, exist_ok=True)
    with (given.out / "scale.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    plot(rows, given.out / "scale.png")
    over = [
        f"{row['command']} ({row['wall_s']:.1f} s, {row['peak_mb']:,.0f} MB)"
        for row in rows
        if row["cells"] == 10_000
        and (float(row["wall_s"]) > AIMS_S[str(row["command"])] or float(row["peak_mb"]) > 1000)
    ]
    print(f"over its aim: {', '.join(over)}" if over else "all within their aims")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
