"""What the driver says of one GPU at one moment: memory, processes, settings, clocks. Reads only, changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# NVML_CLOCKS_EVENT_REASON_* (nvml.h), those that mean the card ran slower than it could
SLOWDOWNS = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "thermal slowdown (software)",
    0x40: "thermal slowdown (hardware)",
    0x80: "power brake",
}
# NVML_PERF_POLICY_* whose counters tell how long clocks were held down
_POLICIES = {0: "power cap", 1: "thermal slowdown", 3: "board limit", 5: "reliability"}
_SETTINGS: dict[str, str] = {
    "power limit": "nvmlDeviceGetPowerManagementLimit",
    "ECC": "nvmlDeviceGetEccMode",
    "MIG": "nvmlDeviceGetMigMode",
    "persistence mode": "nvmlDeviceGetPersistenceMode",
    "compute mode": "nvmlDeviceGetComputeMode",
}


@dataclass(frozen=True)
class GpuSnapshot:
    """One moment of one GPU; None or empty where the card or the container does not tell."""

    used_bytes: int
    free_bytes: int | None = None
    processes: Mapping[int, int | None] = field(default_factory=dict)  # pid -> bytes held
    active: frozenset[int] = frozenset()  # pids that computed since the snapshot before
    utilisation: int | None = None  # percent of the last second or less
    settings: Mapping[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()  # why clocks are held down at this moment
    throttled_ns: Mapping[str, int] = field(default_factory=dict)  # the same, cumulative
    sm_clock_hz: float | None = None
    memory_clock_hz: float | None = None
    temperature_c: int | None = None


def slowdowns(mask: int) -> tuple[str, ...]:
    """Return why clocks are held down, of the bits that NVML gives; idle and chosen clocks are no reason."""
    return tuple(text for bit, text in SLOWDOWNS.items() if mask & bit)


class NoAnswerError(Exception):
    """The driver does not answer about this GPU (any more)."""


class NvmlReader:
    """Takes snapshots through NVML, by UUID."""

    def __init__(self) -> None:
        import pynvml

        self._nvml = pynvml
        pynvml.nvmlInit()
        self._seen_us: dict[str, int] = {}  # per GPU: the latest process sample told

    def read(self, uuid: str) -> GpuSnapshot:
        """Return the GPU as it is now; takes about a millisecond. NoAnswerError if the GPU is gone."""
        try:
            return self._read(uuid)
        except self._nvml.NVMLError as error:
            raise NoAnswerError(str(error)) from error

    def _read(self, uuid: str) -> GpuSnapshot:
        nvml = self._nvml
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        utilisation = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        memory = self._memory(handle)
        return GpuSnapshot(
            used_bytes=int(memory.used),
            free_bytes=int(memory.free),
            processes=self._processes(handle),
            active=self._active(handle, uuid),
            utilisation=None if utilisation is None else int(utilisation.gpu),
            settings=self._settings(handle),
            reasons=self._reasons(handle),
            throttled_ns=self._throttled_ns(handle),
            sm_clock_hz=_hertz(self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM)),
            memory_clock_hz=_hertz(self._ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM)),
            temperature_c=self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
        )

    def close(self) -> None:
        """Let go of the driver."""
        self._nvml.nvmlShutdown()

    def _memory(self, handle: Any) -> Any:
        """Return the card's memory; what the driver reserves is used by nobody, and only the second version of the call says so."""
        version = getattr(self._nvml, "nvmlMemory_v2", None)
        apart = self._ask(self._nvml.nvmlDeviceGetMemoryInfo, handle, version) if version else None
        return apart or self._nvml.nvmlDeviceGetMemoryInfo(handle)

    def _processes(self, handle: Any) -> dict[int, int | None]:
        found = self._ask(self._nvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
        return {int(process.pid): process.usedGpuMemory for process in found}

    def _active(self, handle: Any, uuid: str) -> frozenset[int]:
        """Return who computed since the last call; needs a Maxwell or newer card."""
        since_us = self._seen_us.get(uuid, time.time_ns() // 1000)
        samples = self._ask(self._nvml.nvmlDeviceGetProcessUtilization, handle, since_us) or []
        busy = [sample for sample in samples if sample.smUtil and sample.timeStamp > since_us]
        self._seen_us[uuid] = max([since_us, *(int(sample.timeStamp) for sample in samples)])
        return frozenset(int(sample.pid) for sample in busy)

    def _settings(self, handle: Any) -> dict[str, Any]:
        values = {name: self._ask(getattr(self._nvml, call), handle) for name, call in _SETTINGS.items()}
        return {name: value[0] if isinstance(value, list) else value for name, value in values.items()}

    def _reasons(self, handle: Any) -> tuple[str, ...]:
        mask = self._ask(self._nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle) or 0
        return slowdowns(mask)

    def _throttled_ns(self, handle: Any) -> dict[str, int]:
        counters = {
            text: self._ask(self._nvml.nvmlDeviceGetViolationStatus, handle, policy)
            for policy, text in _POLICIES.items()
        }
        return {text: int(found.violationTime) for text, found in counters.items() if found is not None}

    def _ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._nvml.NVMLError:
            return None  # not supported on this card, or not in this container


def _hertz(megahertz: int | None) -> float | None:
    return None if megahertz is None else megahertz * 1e6
