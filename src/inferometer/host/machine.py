"""What this host is: CPU, memory, operating system, GPUs, and what else it is busy with."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
from pathlib import Path

import psutil

from inferometer.host.cpu_names import cpu_name, cpu_revision
from inferometer.host.gpus import find_gpus
from inferometer.host.instructions import int8_unit
from inferometer.host.scheduler import cpus_given
from inferometer.records import Gpu, Machine
from inferometer.worker.system.quota import Quota


def describe_machine(gpus: tuple[Gpu, ...] | None = None) -> Machine:
    """Return the facts of this host; what cannot be told is empty or 0, never guessed.

    ``gpus``: those of `find_gpus`, where the caller has asked the driver already.
    """
    cpuinfo = _cpuinfo()
    return Machine(
        hostname=socket.gethostname(),
        cpu=cpu_name(cpuinfo, platform.machine()) if cpuinfo else platform.processor() or platform.machine(),
        cpu_revision=cpu_revision(cpuinfo),
        int8=int8_unit(cpuinfo),
        physical_cores=psutil.cpu_count(logical=False) or 0,
        logical_cores=psutil.cpu_count() or 0,
        usable_cores=usable_cores(),
        governor=_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        memory_bytes=int(psutil.virtual_memory().total),
        os=_os_name(),
        kernel=platform.release(),
        python=platform.python_version(),
        virtualization=_virtualization(),
        load_1m=os.getloadavg()[0],
        gpus=find_gpus()[0] if gpus is None else gpus,
    )


def usable_cores() -> int:
    """Return how many CPUs this process may use, by affinity, by its control groups' quota and by its Slurm job."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, given = Quota().cores(), cpus_given(os.environ)
    limits = [allowed, *([] if quota is None else [max(1, int(quota))]), *([] if given is None else [given])]
    return min(limits)


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _virtualization() -> str:
    tool = shutil.which("systemd-detect-virt")
    if tool:
        answer = subprocess.run(
            [tool], capture_output=True, text=True, timeout=10, check=False
        ).stdout.strip()
        return "" if answer == "none" else answer
    return "hypervisor" if " hypervisor" in _cpuinfo() else ""


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().splitlines()[0].strip()
    except (OSError, IndexError):
        return ""
