"""Measures what planning for, and merging of, a fleet of many nodes takes, for issue "A fleet".

    python benchmarks/fleet_scale.py [--nodes 1000] [--kinds 12] [--keep FOLDER]

The nodes are made up, of so many kinds, and so is what they measured: each has a run of 40 records (tests/support/simulated_runs.py), which
comes to the fleet's folder as from a node. Timed are the plan for every kind with the choice of nodes (`--nodes all`), and the merged view. Exit status 1 where both
together take over 30 s or 1 GB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.nodes import Node, Selection, by_kind, wanted
from inferometer.fleet.plans import plan_views
from inferometer.planning.request import make_request
from inferometer.records import Gpu, Machine
from inferometer.storage.find import FLEET_FILE, NODES_FOLDER
from inferometer.storage.run_directory import RunWriter, read_info

ROOT = Path(__file__).resolve().parents[1]
AIM_S, AIM_MB = 30.0, 1000.0


def made_up(nodes: int, kinds: int) -> list[Node]:
    """Return nodes of so many kinds, half of which have GPUs."""
    return [
        Node(f"{number:06x}", 16, number % 2, _machine(number, number % kinds)) for number in range(nodes)
    ]


def _machine(number: int, kind: int) -> Machine:
    gpus = tuple(
        Gpu(index, f"GPU-{number}-{index}", f"NVIDIA GPU {kind}", 24 << 30, "580.1", "13.0", "8.6")
        for index in range(kind % 2 * (1 + kind % 3))
    )
    return Machine(
        f"node-{number}",
        f"CPU {kind}",
        physical_cores=16,
        logical_cores=32,
        usable_cores=32,
        memory_bytes=2**36,
        gpus=gpus,
    )


def write_runs(folder: Path, nodes: list[Node]) -> None:
    """Write what each node measured into a fleet's folder, as it would have come."""
    sys.path.insert(0, str(ROOT / "tests/support"))
    import simulated_runs as simulated

    template = folder / "template"
    simulated.write_run(
        template, simulated.BOARDS[0], frameworks=("onnxrt", "torch"), precisions=("fp32",), batch_sizes=(8, 64), rounds=10,
        loops=2, batches=5, failures=False,
    )  # fmt: skip
    info, cells = read_info(template), (template / "cells.jsonl").read_bytes()
    for node in nodes:
        path = folder / "fleet" / NODES_FOLDER / node.name
        RunWriter.create(path, msgspec.structs.replace(info, machine=node.machine))
        (path / "cells.jsonl").write_bytes(cells.replace(b"2026-", f"{2000 + int(node.id, 16)}-".encode()))
    (folder / "fleet" / FLEET_FILE).write_text("{}")


def measure(folder: Path, nodes: list[Node], kinds: int) -> tuple[float, float, float]:
    """Return the seconds of planning and of merging, and the peak of memory (MB)."""
    began = time.perf_counter()
    request = make_request("mobilenet_v3_large", frameworks="all", precisions="fp32,fp16")
    chosen = wanted(nodes, Selection.parse("all"), {})
    plans = plan_views(request, nodes)
    planned = time.perf_counter()
    fleet = FleetFolder(folder / "fleet")
    merged = fleet.merge(fleet.runs())
    ended = time.perf_counter()
    assert len(chosen) == len(nodes) and len(by_kind(nodes)) == len(plans) == kinds == len(merged)
    return planned - began, ended - planned, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--kinds", type=int, default=12)
    parser.add_argument("--keep", type=Path, help="write the fleet here and keep it")
    given = parser.parse_args()
    nodes = made_up(given.nodes, given.kinds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        writing = multiprocessing.get_context("spawn").Process(target=write_runs, args=(folder, nodes))
        writing.start()  # in a process of its own, whose memory does not count
        writing.join()
        plan_s, merge_s, peak_mb = measure(folder, nodes, given.kinds)
    print(
        f"{given.nodes:,} nodes of {given.kinds} kinds: planned in {plan_s:.2f} s, merged in {merge_s:.2f} s, {peak_mb:,.0f} MB at most"
    )
    return int(plan_s + merge_s > AIM_S or peak_mb > AIM_MB)


if __name__ == "__main__":
    sys.exit(main())
