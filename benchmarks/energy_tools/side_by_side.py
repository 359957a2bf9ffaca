"""Runs energy tools side by side on one fake powercap tree, and holds what each tells against what was drawn.

    sudo python benchmarks/energy_tools/side_by_side.py OUT --python zeus=VENV/bin/python --ema FOLDER ...

Tools that are not given are left out, and it is said how to get them; inferometer runs always. All run at once, on the same
files, each over its own schedule of regions (same kinds, other pauses). Tools that know no other folder than /sys/class/powercap
get the tree there in a mount namespace of their own, for which one must be root. OUT gets a file a case; the tables that
docs/results/energy-tools.md quotes are printed (with --table-only from what lies in OUT).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from against_truth import tables
from fake_powercap import LOADS, make_tree

HERE = Path(__file__).resolve().parent
UPDATES_S = (0.001, 0.010)
# (seconds, visits, how many of them)
REGIONS = (
    (0.1, 1, 20),
    (0.3, 1, 20),
    (1.0, 1, 12),
    (5.0, 1, 5),
    (0.005, 300, 3),
)
WRAPPING_REGIONS = ((1.0, 1, 8), (5.0, 1, 5))
MOUNTED = """
if [ -d /sys/class/powercap ]; then mount --bind "$1" /sys/class/powercap
else mount -t tmpfs none /sys/class && mkdir /sys/class/powercap && mount --bind "$1" /sys/class/powercap; fi || exit 1
shift; exec "$@"
"""
HOW_TO_GET = {
    "EMA": "git clone https://github.com/SerhiiYahdzhyiev/EMA; cmake -S EMA -B EMA/build -DCMAKE_DISABLE_FIND_PACKAGE_CUDAToolkit=ON; make -C EMA/build EMA; build "
    "bindings/python with EMA_LIB and EMA_INCLUDE_DIR set; --ema FOLDER that holds the module EMA*.so",
    "zeus": "pip install zeus into a venv; --python zeus=VENV/bin/python",
    "pyRAPL": "pip install pyRAPL into a venv; --python pyRAPL=VENV/bin/python",
    "codecarbon": "pip install codecarbon into a venv; --python codecarbon=VENV/bin/python",
}


@dataclass(frozen=True)
class Tool:
    """How one tool is started: its interpreter, more environment, and whether it must see the tree at /sys/class/powercap."""

    name: str
    python: str = sys.executable
    modules: str = ""  # a folder for PYTHONPATH
    mounted: bool = True

    def command(self, tree: Path) -> list[str]:
        """Return the command that runs it on a tree; the schedule and the output file are to be added."""
        run = [self.python, str(HERE / "one_tool.py"), self.name]
        return ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", str(tree), *run] if self.mounted else run

    def environment(self, tree: Path) -> dict[str, str]:
        """Return its environment: inferometer gets the tree by its own variable."""
        own = {} if self.mounted else {"INFEROMETER_POWERCAP": str(tree)}
        return {**os.environ, **own, **({"PYTHONPATH": self.modules} if self.modules else {})}


OURS = (Tool("inferometer", mounted=False), Tool("inferometer.ema", mounted=False))


@contextlib.contextmanager
def counting(tree: Path, load: str, update_s: float, origin_ns: int, log: Path) -> Iterator[None]:
    """Let a process of its own move the tree's counters meanwhile."""
    options = ["--load", load, "--update", str(update_s), "--origin-ns", str(origin_ns), "--log", str(log)]
    writer = subprocess.Popen([sys.executable, str(HERE / "fake_powercap.py"), str(tree), *options])
    try:
        time.sleep(0.3)
        yield
    finally:
        writer.send_signal(signal.SIGTERM)
        writer.wait(30)


def schedule(regions: Sequence[tuple[float, int, int]], seed: str) -> dict[str, Any]:
    """Return the regions in random order: one a repetition."""
    keys = [
        [f"{seconds}x{visits}#{i}", seconds, visits]
        for seconds, visits, count in regions
        for i in range(count)
    ]
    random.Random(seed).shuffle(keys)
    return {"seed": seed, "regions": keys}


def run_case(
    tools: Sequence[Tool], load: str, update_s: float, regions: Sequence[tuple[float, int, int]]
) -> dict[str, Any]:
    """Run the tools at once on one tree; returns what each told and when, and the writer's log."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as name:
        folder = Path(name)
        tree = make_tree(folder / "powercap", LOADS[load])
        origin_ns = time.monotonic_ns()
        with counting(tree, load, update_s, origin_ns, folder / "log"):
            told = _run_at_once(tools, tree, folder, regions)
        return {
            "load": load,
            "update_s": update_s,
            "origin_ns": origin_ns,
            "tools": told,
            "log": (folder / "log").read_bytes(),
        }


def keep(case: dict[str, Any], folder: Path) -> None:
    """Write a case where `against_truth` reads it."""
    name = f"{case['load']}-{case['update_s'] * 1e3:g}ms"
    (folder / f"{name}.log").write_bytes(case["log"])
    (folder / f"{name}.json").write_text(json.dumps({key: case[key] for key in case if key != "log"}))


def _run_at_once(
    tools: Sequence[Tool], tree: Path, folder: Path, regions: Sequence[tuple[float, int, int]]
) -> dict[str, Any]:
    running: dict[str, tuple[Any, Path]] = {}
    try:
        for tool in tools:  # one after another, since imports of several at once would hold each other up
            running[tool.name] = _start(tool, tree, folder, regions)
        for process, _ in running.values():
            process.stdin.write("\n")
            process.stdin.flush()
        return {name: _finish(name, process, out) for name, (process, out) in running.items()}
    finally:
        for process, _ in running.values():
            process.kill()
            process.wait()


def _start(
    tool: Tool, tree: Path, folder: Path, regions: Sequence[tuple[float, int, int]]
) -> tuple[Any, Path]:
    own = folder / tool.name
    own.mkdir()
    plan, out = own / "schedule.json", own / "out.json"
    plan.write_text(json.dumps(schedule(regions, f"{tool.name} {tree}")))
    process = subprocess.Popen(
        [*tool.command(tree), str(plan), str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=own,
        env=tool.environment(tree),
    )
    while (line := process.stdout.readline()) and line != "ready\n":
        pass
    if not line:
        sys.exit(f"{tool.name} did not start (exit status {process.wait()}); its own message is above")
    return process, out


def _finish(name: str, process: Any, out: Path) -> dict[str, Any]:
    process.communicate()
    if process.returncode or not out.exists():
        sys.exit(f"{name} failed (exit status {process.returncode}); its own message is above")
    return json.loads(out.read_text())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument(
        "--python", action="append", default=[], metavar="TOOL=PYTHON", help="the interpreter that has it"
    )
    parser.add_argument("--ema", type=Path, metavar="FOLDER", help="that holds EMA's Python module")
    parser.add_argument("--load", choices=LOADS, action="append", help="default: all")
    parser.add_argument(
        "--update", type=float, action="append", metavar="SECONDS", help="default: 0.001 and 0.01"
    )
    parser.add_argument("--table-only", action="store_true", help="run nothing, print the tables of OUT")
    return parser.parse_args()


def _tools(arguments: argparse.Namespace) -> list[Tool]:
    given = dict(pair.partition("=")[::2] for pair in arguments.python)
    tools = [*OURS]
    if arguments.ema:
        tools.append(Tool("EMA", given.get("EMA", sys.executable), str(arguments.ema)))
    tools += [Tool(name, given[name]) for name in HOW_TO_GET if name in given]
    for name in HOW_TO_GET.keys() - {tool.name for tool in tools}:
        print(f"{name} is left out. To have it: {HOW_TO_GET[name]}", file=sys.stderr)
    return tools


def main() -> None:
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not arguments.table_only:
        tools = _tools(arguments)
        for update_s in arguments.update or UPDATES_S:
            for load in arguments.load or LOADS:
                regions = WRAPPING_REGIONS if load == "wrapping" else REGIONS
                keep(run_case(tools, load, update_s, regions), arguments.out)
    print(tables(arguments.out))


if __name__ == "__main__":
    main()
