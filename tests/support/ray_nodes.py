"""A real Ray cluster on this machine: a head that gives no CPU, and nodes that pretend to be other hardware."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

# given ports: without them a node waits 15 s for its helpers to find some, which is short on a busy machine
_AGENTS = ("dashboard-agent-grpc", "dashboard-agent-listen", "metrics-export", "runtime-env-agent")
_WORKER = "worker/__main__.py"
_TRIES = 4  # Ray gives its own processes 30 s, which is short on a busy machine
_PRETENDED = Path(__file__).with_name("pretended")
_PYTHONPATH = os.pathsep.join([str(_PRETENDED), *filter(None, [os.environ.get("PYTHONPATH")])])
# a killed node is found dead in seconds; nothing is sent to anyone
_VARIABLES = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "3",
    "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "20",
    "RAY_AUTH_MODE": "disabled",  # whatever token lies in the home
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}


class RayCluster:
    """`ray start` several times; ends what it started, and nothing else."""

    def __init__(self, folder: Path, environments: Path) -> None:
        """``environments``: of built ones, which all nodes share."""
        self.folder, self._environments = folder, environments
        self.port, self.client_port = free_port(), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_head(self) -> None:
        """Start the head; its process for the first driver that comes by Ray's client dies at once."""
        died = {"PYTHONPATH": _PYTHONPATH, "PRETENDED_DEATH": str(self.folder / "died")}
        ports = [f"--port={self.port}", f"--ray-client-server-port={self.client_port}"]
        self._start(
            "head", ["--head", "--num-cpus=0", "--num-gpus=0", "--include-dashboard=false", *ports], died
        )

    def start_node(
        self, name: str, version: str = "", gpu: str = "", *, without: str = "", **pretended: object
    ) -> None:
        """Start a node of one CPU in Ray's eyes, which says that it is what ``pretended`` has, and wait until it is there.

        ``version``: of the inferometer that it says it has. ``gpu``: the numbers of those that it sees, with commas; "": none.
        ``without``: the environment that it lacks, and cannot fetch.
        """
        cache = self.folder / name
        cache.mkdir()
        if without:
            (cache / "environments").mkdir()
            for each in self._environments.iterdir():
                if not each.name.startswith(without):
                    (cache / "environments" / each.name).symlink_to(each)
        else:
            (cache / "environments").symlink_to(self._environments)
        unreachable = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(cache / "uv")} if without else {}
        machine = json.dumps({"hostname": name, **pretended})
        variables = {
            "PRETENDED_MACHINE": machine,
            "PYTHONPATH": _PYTHONPATH,
            "INFEROMETER_CACHE": str(cache),
            "PRETENDED_VERSION": version,
            "CUDA_VISIBLE_DEVICES": gpu,
            **unreachable,
        }
        seen = ["--num-cpus=1", f"--num-gpus={len(gpu.split(',')) if gpu else 0}"]
        self._start(name, [f"--address=127.0.0.1:{self.port}", *seen], variables)

    def measuring(self) -> list[int]:
        """Return the processes that measure on nodes, and their workers."""
        found = [each for process in self._processes.values() for each in _session(process.pid)]
        return [each.pid for each in found if _words(each) & {"inferometer.fleet.child", _WORKER}]

    def kill(self, name: str) -> None:
        """End a node as a power cut would."""
        process = self._processes.pop(name)
        for each in _session(process.pid):
            _kill(each)
        process.wait()

    def stop(self) -> None:
        for name in [name for name in self._processes if name != "head"] + ["head"]:
            if name in self._processes:
                self.kill(name)

    def _start(self, name: str, arguments: list[str], variables: dict[str, str]) -> None:
        command = [
            str(Path(sys.executable).with_name("ray")),
            "start",
            "--block",
            "--object-store-memory=100000000",
            *arguments,
            *(f"--{name}-port={free_port()}" for name in _AGENTS),
        ]
        if name == "head":
            command.append(f"--temp-dir={self.folder / 'ray'}")
        for _ in range(_TRIES):
            with (self.folder / f"{name}.log").open("wb") as log:
                process = self._processes[name] = subprocess.Popen(
                    command, stdout=log, stderr=log, env={**os.environ, **_VARIABLES, **variables}, start_new_session=True,
                    preexec_fn=_ignore_ctrl_c,
                )  # fmt: skip
            while process.poll() is None:
                if b"runtime started" in (self.folder / f"{name}.log").read_bytes():
                    return
                time.sleep(0.1)
            self.kill(name)  # what it left behind
        raise TimeoutError(f"Ray did not start {name}: {(self.folder / f'{name}.log').read_text()[-500:]}")


def _ignore_ctrl_c() -> None:
    """As in a script's background, where Slurm's way has Ray."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def ray_cluster(environments: Path, nodes: Mapping[str, Mapping[str, object]]) -> Iterator[RayCluster]:
    """Yield a cluster of a head and nodes, by name what each pretends to be; it is gone afterwards, with its folder."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # a short path: Ray puts sockets below it
    cluster = RayCluster(folder, environments)
    try:
        cluster.start_head()
        for name, pretended in nodes.items():
            cluster.start_node(name, **pretended)
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _session(leader: int) -> list[psutil.Process]:
    """Return the processes that a leader started, also those whose parents are gone."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == leader or leader in [each.pid for each in process.parents()]:
                found.append(process)
    return found


def _words(process: psutil.Process) -> set[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return {
            word.rpartition("inferometer/")[2] if word.endswith(_WORKER) else word
            for word in process.cmdline()
        }
    return set()


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
