"""The host and its GPUs as found when a run began."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec


class Gpu(msgspec.Struct, frozen=True):
    """One GPU as the driver describes it."""

    index: int
    uuid: str
    name: str
    memory_bytes: int = 0
    driver: str = ""
    cuda: str = ""
    compute_capability: str = ""
    power_limit_w: float | None = None
    details: dict[str, Any] = {}  # ECC, persistence, MIG, clocks, temperature at the start of the run


def names_of(gpus: Iterable[Gpu]) -> tuple[str, ...]:
    """Return GPUs' names, alike ones once with their number: "2 x NVIDIA A2"."""
    counts = Counter(gpu.name for gpu in gpus)
    return tuple(name if count == 1 else f"{count} x {name}" for name, count in counts.items())


def is_named(text: str, name: str) -> bool:
    """Return whether a text means hardware of a name: whole words of it, in any case, so that A10 is no A100 and L4 no L40S."""
    words = re.escape(text.casefold())
    return bool(text) and bool(re.search(rf"(?<![a-z0-9]){words}(?![a-z0-9])", name.casefold()))


class Machine(msgspec.Struct, frozen=True):
    """The host as found when the run began."""

    hostname: str = ""
    cpu: str = ""
    cpu_revision: str = ""  # family, model, stepping and microcode: CPUs of one name differ in them
    int8: str = ""  # its best instructions for products of 8-bit integers: AMX, AVX-512 VNNI, ...
    physical_cores: int = 0
    logical_cores: int = 0
    usable_cores: int = 0  # by affinity and cgroup quota
    governor: str = ""
    memory_bytes: int = 0
    os: str = ""
    kernel: str = ""
    python: str = ""
    virtualization: str = ""  # "" for bare metal as far as can be told
    load_1m: float = 0.0
    gpus: tuple[Gpu, ...] = ()
    name: str = ""  # a given name (import --gpu, --machine-name); shown instead of the hardware's

    def gpu_at(self, index: int) -> Gpu | None:
        """Return the GPU of a number, by which the driver knows it; None if there is none, or it did not answer."""
        return next((gpu for gpu in self.gpus if gpu.index == index), None)

    @property
    def gpu_names(self) -> tuple[str, ...]:
        """Return the GPUs' names (`names_of`)."""
        return names_of(self.gpus)

    @property
    def fingerprint(self) -> str:
        """Return what makes two hosts the same hardware for pooling: CPU, cores, memory (GiB), GPU names."""
        return "|".join(self._hardware.values())

    def differences(self, here: Machine) -> str:
        """Return, for people, by what this machine is other hardware than the one at hand."""
        facts = zip(self._hardware.items(), here._hardware.values(), strict=True)
        return "; ".join(
            f"{what}: {there or 'none'}, here {now or 'none'}" for (what, there), now in facts if there != now
        )

    @property
    def _hardware(self) -> dict[str, str]:
        return {
            "name": self.name,
            "CPU": self.cpu,
            "physical cores": str(self.physical_cores),
            "memory (GiB)": str(round(self.memory_bytes / 2**30)),
            "GPUs": ",".join(gpu.name for gpu in self.gpus),
        }
