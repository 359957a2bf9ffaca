"""How a worker is started: its interpreter, and variables that pin threads and devices before any import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from inferometer.frameworks.environments import Environment
from inferometer.records import Gpu
from inferometer.running.processes.child import child_environment

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Launch:
    """How to start the worker of one row: interpreter and its whole set of environment variables."""

    python: Path
    environment: Mapping[str, str]


def launch_worker(
    environment: Environment, gpu: Gpu | None, threads: int, *, fetches: bool = False
) -> Launch:
    """Return the launch of a worker that sees one GPU (or none) and uses ``threads`` CPU threads.

    ``fetches``: it may download, so it gets the user's proxies and certificates.
    """
    variables = {name: str(threads) for name in _THREAD_VARIABLES}
    variables["CUDA_VISIBLE_DEVICES"] = gpu.uuid if gpu else ""
    if not environment.given:
        folder = str(environment.python.parent)
        variables["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        if gpu and environment.library_paths():
            variables["LD_LIBRARY_PATH"] = os.pathsep.join(environment.library_paths())
    return Launch(environment.python, child_environment(variables, environment.given, fetches))
