"""Proves that `import inferometer.energy` costs at most 0.15 s over a bare Python and pulls in no framework.

    python benchmarks/import_time.py [--times 20] [--out FILE.json]

For each import: wall and processor time, and what it pulls in. Each import runs in a fresh process; the processes take turns with `python -c pass`, in an order that changes every turn.
Medians are told, and the difference to the bare interpreter's median. Exits with 1 if the energy part costs more than
0.15 s of wall time or pulls in a framework. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMIT_S = 0.15
LIMITED = "inferometer.energy"
BARE = "pass"
STATEMENTS = (BARE, "import inferometer", "import inferometer.energy", "import inferometer.ema")
FRAMEWORKS = {"torch", "tensorflow", "jax", "keras", "onnxruntime", "openvino", "tensorrt"}
LIST = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def timed(statement: str) -> tuple[float, float]:
    """Return the wall and processor seconds of a fresh interpreter that runs the statement."""
    start = time.monotonic()
    child = subprocess.Popen([sys.executable, "-c", statement])
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"'{statement}' fails in {sys.executable}")
    return wall_s, usage.ru_utime + usage.ru_stime


def modules(statement: str) -> set[str]:
    """Return the names of all modules that are loaded after the statement."""
    command = [sys.executable, "-c", f"{statement}\n{LIST}"]
    return set(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))


def pulled_in(statement: str) -> dict[str, object]:
    """Return what the statement loads beyond a bare interpreter: how many modules, and the packages that are not Python's."""
    new = modules(statement) - modules(BARE)
    tops = {name.partition(".")[0] for name in new}
    foreign = sorted(
        top
        for top in tops
        if top not in sys.stdlib_module_names and top != "inferometer" and not top.startswith("_")
    )
    return {"modules": len(new), "packages": foreign, "own": sum(n.startswith("inferometer") for n in new)}


def measure(times: int) -> list[dict[str, object]]:
    """Return, for each statement, its medians (s), what it costs over the bare interpreter, and what it pulls in."""
    found: dict[str, list[tuple[float, float]]] = {statement: [] for statement in STATEMENTS}
    for statement in STATEMENTS:
        timed(statement)  # files into the page cache
    for turn in range(times):
        for statement in random.Random(turn).sample(STATEMENTS, len(STATEMENTS)):
            found[statement].append(timed(statement))
    rows = []
    for statement, runs in found.items():
        wall_s, cpu_s = (statistics.median(values) for values in zip(*runs, strict=True))
        bare_wall_s, bare_cpu_s = (statistics.median(values) for values in zip(*found[BARE], strict=True))
        rows.append(
            {
                "statement": statement,
                "wall_s": wall_s,
                "cpu_s": cpu_s,
                "wall_over_bare_s": wall_s - bare_wall_s,
                "cpu_over_bare_s": cpu_s - bare_cpu_s,
                "wall_runs_s": [wall for wall, _ in runs],
                **pulled_in(statement),
            }
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = measure(arguments.times)
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{'':28}{'wall':>10}{'processor':>12}{'over bare: wall':>18}{'processor':>12}  pulls in")
    for row in rows:
        times = f"{row['wall_s'] * 1e3:7.0f} ms{row['cpu_s'] * 1e3:9.0f} ms"
        over = f"{row['wall_over_bare_s'] * 1e3:15.0f} ms{row['cpu_over_bare_s'] * 1e3:9.0f} ms"
        pulls = (
            f"{row['modules']} modules, {row['own']} of them its own; packages: {', '.join(row['packages'])}"
        )
        print(f"{row['statement']:28}{times}{over}  {pulls if row['modules'] else ''}")
    limited = next(row for row in rows if row["statement"] == f"import {LIMITED}")
    frameworks = FRAMEWORKS & set(limited["packages"])
    met = limited["wall_over_bare_s"] <= LIMIT_S and not frameworks
    print(f"{LIMITED}: {'within' if met else 'NOT within'} {LIMIT_S} s over a bare interpreter, no framework")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
