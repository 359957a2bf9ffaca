"""Proves that a report of a million samples takes at most 10 s, 1 GB and 12 MB, for docs/report.md's claim on size.

    python benchmarks/report_scale.py [--keep FOLDER]

2,016 cells with 500 batch latencies each are simulated (tests/support/simulated_runs.py) and written first; then a fresh process reads, summarises and renders
them. Printed: the wall time, its peak resident memory, the size of the file; exit status 1 if one is over its limit.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/support"))

LIMITS = {"seconds": 10.0, "peak_bytes": 1e9, "file_bytes": 12e6}
FRAMEWORKS = tuple(f"framework-{number:02}" for number in range(24))
ROUNDS, LOOPS, BATCHES = 2, 5, 50  # 500 samples a cell


def write_runs(folder: Path) -> tuple[int, int]:
    """Write a run a machine and return (cells, samples)."""
    import simulated_runs as simulated

    for number, board in enumerate(simulated.BOARDS):
        simulated.write_run(
            folder / f"run-{number}", board, frameworks=FRAMEWORKS, rounds=ROUNDS, loops=LOOPS, batches=BATCHES,
            failures=False,
        )  # fmt: skip
    cells = len(simulated.BOARDS) * len(FRAMEWORKS) * len(simulated.PRECISIONS) * len(simulated.BATCH_SIZES)
    return cells, cells * ROUNDS * LOOPS * BATCHES


def measure(folder: Path, out: Path) -> dict[str, float]:
    """Write the report in this process and return what it took, imports included."""
    began = time.perf_counter()
    from inferometer.report.page.html import write_report
    from inferometer.results.summary import summarise
    from inferometer.storage.find import read_runs

    results = summarise(read_runs([folder]))
    read = time.perf_counter()
    write_report(results, out)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": time.perf_counter() - began,
        "of_which_reading_s": read - began,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_bytes": used.ru_maxrss * 1024,
        "file_bytes": out.stat().st_size,
        "cells": len(results.summaries),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="write runs and report here and keep them")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        cells, samples = write_runs(folder / "runs")
        command = [sys.executable, __file__, "--measure", str(folder / "runs"), str(folder / "report.html")]
        began = time.perf_counter()
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        figures = json.loads(answer) | {"seconds": time.perf_counter() - began}
    print(f"{cells:,} cells, {samples:,} samples")
    print(
        f"{figures['seconds']:.2f} s, start of the process included ({figures['of_which_reading_s']:.2f} s to read and summarise)"
    )
    print(f"{figures['cpu_s']:.2f} s of processor time (what counts on a machine busy with other things)")
    print(f"{figures['peak_bytes'] / 1e6:,.0f} MB peak resident memory")
    print(f"{figures['file_bytes'] / 1e6:.2f} MB HTML")
    over = [name for name, limit in LIMITS.items() if figures[name] > limit]
    print(f"over the limit: {', '.join(over)}" if over else "within all limits (10 s, 1 GB, 12 MB)")
    return 1 if over or figures["cells"] != cells else 0


if __name__ == "__main__":
    sys.exit(main())
