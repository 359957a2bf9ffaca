"""Ray with a node for each GPU of one machine: what a run over it costs beside a plain one, and one run over all nodes.

    python benchmarks/device/gpu_fleet.py MODEL --out FOLDER [--gpus 0,1] [--together] [--cpu-node] [--pairs 8] --options OPTIONS

For docs/fleet.md. Each node sees one GPU (CUDA_VISIBLE_DEVICES); --together: one node sees them all; --cpu-node adds one that sees none.
OPTIONS are those of both runs (../fleet_cost.py). FOLDER: cost.txt, the fleet's folder, and what was printed. Nodes of one machine measure
in turn, so what they are held against is a plain run for each GPU, one after the other. --pairs 0: only the run over all nodes.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "benchmarks")]


def told(command: list[str], file: Path) -> int:
    """Run a command, print what it prints, and keep that in a file; return its status."""
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    with (
        file.open("w") as kept,
        subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            kept.write(line)
            kept.flush()  # also where the time for all of it runs out
            print(line, end="", flush=True)
    return process.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="as `inferometer run` takes it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gpus", default="0", help="their numbers, a node each")
    parser.add_argument("--together", action="store_true", help="one node of all of them")
    parser.add_argument(
        "--cpu-node", action="store_true", help="another node, without a GPU, in the run over all"
    )
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--options", required=True, help="of both runs, but for their device")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    from fleet_cost import compiled

    from inferometer.frameworks.environments import environments_folder
    from ray_nodes import ray_cluster

    gpus = given.gpus.split(",")
    cost = [sys.executable, str(ROOT / "benchmarks/fleet_cost.py"), given.model, "--options", given.options]
    devices = [f"--device cuda:{gpu}" for gpu in gpus]
    if given.together:
        together = "--device " + ",".join(f"cuda:{gpu}" for gpu in gpus)
        nodes, devices, every = {"gpus": {"gpu": given.gpus}}, [together], together
    else:  # each node's own, by the option that is the default
        nodes, every = {f"gpu-{gpu}": {"gpu": gpu} for gpu in gpus}, "--device auto"
    every += " --nodes all"
    with compiled(), ray_cluster(environments_folder(), nodes) as cluster:
        address = f"127.0.0.1:{cluster.port}"
        statuses = []
        if given.pairs:
            cost += ["--cluster", address, f"--fleet={every}", *(f"--plain={each}" for each in devices)]
            statuses.append(told([*cost, "--pairs", str(given.pairs)], given.out / "cost.txt"))
        if given.cpu_node:
            cluster.start_node("cpu")
        run = [sys.executable, "-m", "inferometer", "run", given.model, *shlex.split(given.options)]
        run += ["--cluster", address, *shlex.split(every), "--out", str(given.out / "fleet")]
        statuses.append(told(run, given.out / "fleet.txt"))
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
