"""Shows a fleet of four kinds on one machine, with everything going wrong in one run, and that nothing of it is lost.

    python benchmarks/fleet_faults.py MODEL

A real Ray cluster: a head and three nodes that pretend to be three kinds of hardware, and real runs of onnxrt and openvino. While the first measures
a node of a fourth kind comes late; the second is killed as it measures and another of its kind comes; the command is killed and
resumed, then interrupted and resumed. Exit status 1 unless all four kinds have every cell in the end, and every record that had
ever come is still there.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inferometer.frameworks.environments import environments_folder
from inferometer.storage.run_directory import read_run

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = "--frameworks onnxrt,openvino --batch-sizes 1,2 --images 4 --rounds 1 --loops 100000 --budget 3 --energy-window 3"
_WITHIN_S = 300.0


class Show:
    """The command, its folder, and what has come so far."""

    def __init__(self, out: Path, address: str) -> None:
        self._out, self._address = out, address
        self._began = time.monotonic()
        self.kept: set[str] = set()  # every record that was ever seen

    def say(self, text: str) -> None:
        """Print what happens, with the seconds since the beginning."""
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", flush=True)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start the command."""
        self.say(f"run --cluster{' --resume' * ('--resume' in words)}")
        with (self._out.parent / "told").open("ab") as log:
            command = [sys.executable, "-m", "inferometer", "run", "--cluster", self._address, *words]
            return subprocess.Popen(command, stdout=log, stderr=log)

    def lines(self, node: str) -> list[str]:
        """Return a node's records, and remember them."""
        path = self._out / "nodes" / node / "cells.jsonl"
        found = path.read_text().splitlines() if path.exists() else []
        self.kept |= set(found)
        return found

    def wait_for(self, node: str, count: int = 1) -> None:
        """Wait until a node has so many records."""
        self.wait(lambda: len(self.lines(node)) >= count, f"{count} records of {node}")

    def wait(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        end = time.monotonic() + _WITHIN_S
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"no {what}: {(self._out.parent / 'told').read_text()[-2000:]}")
            time.sleep(0.1)

    def nodes(self) -> list[str]:
        """Return the nodes of which something came."""
        return sorted(path.name for path in (self._out / "nodes").iterdir())


def happen(cluster: Any, show: Show, model: str, out: Path) -> int:
    """Let everything happen and return the last command's status."""
    driver = show.start(model, *OPTIONS.split(), "--out", str(out))
    show.wait_for("first")
    late = threading.Thread(target=cluster.start_node, args=("fourth",), kwargs={"cpu": "CPU D"})
    late.start()
    show.say("node fourth, of a fourth kind, comes late")
    show.wait_for("second")
    cluster.kill("second")
    show.say(f"node second is killed after {len(show.lines('second'))} of 4 records")
    late.join()
    cluster.start_node("fifth", cpu="CPU B")
    show.say("node fifth, of second's kind, comes")
    show.wait_for("third")
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    show.say("the command is killed")
    show.wait(lambda: not cluster.measuring(), "end of what measured")
    show.say("the nodes have stopped")
    seen = sum(len(show.lines(node)) for node in show.nodes())
    driver = show.start("--resume", str(out))
    show.wait(lambda: sum(len(show.lines(node)) for node in show.nodes()) > seen, "further record")
    driver.send_signal(signal.SIGINT)
    status = driver.wait()
    show.say(f"Ctrl-C: status {status}")
    return show.start("--resume", str(out)).wait()


def verdict(show: Show, out: Path, status: int) -> int:
    """Print what is there in the end and return 0 if that is everything."""
    kinds: dict[str, int] = {}
    for node in show.nodes():
        run = read_run(out / "nodes" / node)
        measured = {record.cell for record in run.records if record.status == "ok"}
        show.say(f"{run.info.machine.cpu}: {node}: {len(measured)} of 4 cells")
        kinds[run.info.machine.cpu] = max(kinds.get(run.info.machine.cpu, 0), len(measured))
    before = set(show.kept)
    lost = before - {line for node in show.nodes() for line in show.lines(node)}
    show.say(f"status {status}; {len(before)} records had come, {len(lost)} of them are lost")
    return int(
        sorted(kinds) != ["CPU A", "CPU B", "CPU C", "CPU D"] or set(kinds.values()) != {4} or bool(lost)
    )


def main() -> int:
    """Show it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="an ONNX file, as `inferometer run` takes it")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests/support"))
    from ray_nodes import ray_cluster

    kinds = {"first": {"cpu": "CPU A"}, "second": {"cpu": "CPU B"}, "third": {"cpu": "CPU C"}}
    with ray_cluster(environments_folder(), kinds) as cluster:
        out = cluster.folder / "fleet"
        show = Show(out, f"127.0.0.1:{cluster.port}")
        return verdict(show, out, happen(cluster, show, given.model, out))


if __name__ == "__main__":
    sys.exit(main())
