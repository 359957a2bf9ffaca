"""NVIDIA GPUs through NVML: the energy counter (Volta and newer), else sampled power.

GPUs are known by UUID; CUDA_VISIBLE_DEVICES (indices, UUIDs and their beginnings) limits which are metered. A GPU in
MIG mode has one counter for all its instances, so it is reported as absent with that reason.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.readings import Meter, MeteredDevice, Traits
from inferometer.errors import MeterError
from inferometer.host.gpu_snapshot import slowdowns
from inferometer.host.gpus import silence, visible

COUNTER_PERIOD_S = 0.1  # measured on H100; shorter on older GPUs, which costs nothing but precision
POWER_PERIOD_S = 0.1
AVERAGE_S = 1.0  # what the power call averages over where no instant reading exists (Ampere and newer)


class NvmlMeter:
    """One GPU's counter (joules) or, where it has none or ``kind`` says so, its power (watts)."""

    read: Callable[[], float]

    def __init__(self, library: Any, handle: Any, kind: str = "") -> None:
        """Take what ``kind`` says: 'counter', 'instant', 'average' or, if empty, the first of these that is answered."""
        self._library, self._handle = library, handle
        uuid = _text(self._ask(library.nvmlDeviceGetUUID, handle))
        self.device = MeteredDevice(uuid, _text(self._ask(library.nvmlDeviceGetName, handle)), "gpu", "nvml")
        average_s = 0.0 if self._before_ampere() else AVERAGE_S
        ways: dict[str, tuple[Callable[[], float], Traits]] = {
            "counter": (
                self._read_counter,
                Traits("counter", COUNTER_PERIOD_S, resolution=1e-3, integrates=False),
            ),
            "instant": (self._read_instant, Traits("power", POWER_PERIOD_S, 0.0, 1e-3, integrates=False)),
            "average": (self._read_power, Traits("power", POWER_PERIOD_S, average_s, 1e-3, integrates=False)),
        }
        self.kind = next((way for way in ((kind,) if kind else ways) if self._answers(ways[way][0])), "")
        if not self.kind:
            raise MeterError(f"{self.device.name} reports neither energy nor power")
        self.read, traits = ways[self.kind]
        # by more than its limit a card exceeds it for less than a millisecond: see `PEAK` in docs/energy.md
        self.traits = traits.limited(self._power_limit_w())

    def powers(self) -> dict[str, Meter]:
        """Return this GPU's power readings by name, as far as it has them, for comparison with its counter."""
        found: dict[str, Meter] = {}
        for way in ("instant", "average"):
            try:
                found[way] = NvmlMeter(self._library, self._handle, way)
            except MeterError:
                continue
        return found

    def facts(self) -> dict[str, Any]:
        """Return what belongs to a characterization: driver and power limit (W)."""
        lib = self._library
        facts: dict[str, Any] = {"driver": _text(self._ask(lib.nvmlSystemGetDriverVersion))}
        with contextlib.suppress(lib.NVMLError):
            facts["power_limit_w"] = lib.nvmlDeviceGetEnforcedPowerLimit(self._handle) / 1e3
        return facts

    def conditions(self) -> dict[str, Any]:
        """Return clocks (Hz), temperature (degrees C), utilisation (share) and why the GPU slows down; what it answers."""
        lib, handle = self._library, self._handle
        calls: dict[str, Callable[[], Any]] = {
            "sm_clock_hz": lambda: lib.nvmlDeviceGetClockInfo(handle, lib.NVML_CLOCK_SM) * 1e6,
            "memory_clock_hz": lambda: lib.nvmlDeviceGetClockInfo(handle, lib.NVML_CLOCK_MEM) * 1e6,
            "temperature_c": lambda: lib.nvmlDeviceGetTemperature(handle, lib.NVML_TEMPERATURE_GPU),
            "utilisation": lambda: lib.nvmlDeviceGetUtilizationRates(handle).gpu / 100,
            "throttle": lambda: ", ".join(slowdowns(lib.nvmlDeviceGetCurrentClocksThrottleReasons(handle))),
        }
        facts = {}
        for key, call in calls.items():
            try:
                facts[key] = call()
            except lib.NVMLError:
                continue
        return facts

    def close(self) -> None:
        """Do nothing: NVML is shut down when the process ends."""

    def _read_counter(self) -> float:
        return float(self._ask(self._library.nvmlDeviceGetTotalEnergyConsumption, self._handle)) / 1e3

    def _read_power(self) -> float:
        return float(self._ask(self._library.nvmlDeviceGetPowerUsage, self._handle)) / 1e3

    def _read_instant(self) -> float:
        lib = self._library
        value = self._ask(lib.nvmlDeviceGetFieldValues, self._handle, [lib.NVML_FI_DEV_POWER_INSTANT])[0]
        if value.nvmlReturn != lib.NVML_SUCCESS:
            raise MeterError(f"instant power: NVML error {value.nvmlReturn}")
        return float(value.value.uiVal) / 1e3

    def _power_limit_w(self) -> float:
        """Return the largest power limit that this card can be given; 0 where it tells none."""
        lib = self._library
        limits_mw = [0.0]
        with contextlib.suppress(lib.NVMLError):
            limits_mw.append(lib.nvmlDeviceGetEnforcedPowerLimit(self._handle))
        with contextlib.suppress(lib.NVMLError):
            _, most_mw = lib.nvmlDeviceGetPowerManagementLimitConstraints(self._handle)
            limits_mw.append(most_mw)
        return max(limits_mw) / 1e3

    def _before_ampere(self) -> bool:
        try:
            major, _ = self._ask(self._library.nvmlDeviceGetCudaComputeCapability, self._handle)
        except MeterError:
            return False
        return int(major) < 8

    def _answers(self, read: Callable[[], float]) -> bool:
        try:
            read()
        except MeterError:
            return False
        return True

    def _ask(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._library.NVMLError as error:
            raise MeterError(f"NVML: {error}") from error


def find(environ: Mapping[str, str]) -> Found:
    """Return the visible GPUs' meters."""
    library = importlib.import_module("pynvml")
    try:
        library.nvmlInit()
        count = library.nvmlDeviceGetCount()
    except library.NVMLError as error:
        return Found(absences=(_no_driver(library, error),))
    cards = [_card(library, index) for index in range(count)]
    uuids = ["" if isinstance(card, Absence) else card[1] for card in cards]
    found = Found()
    for index in visible(environ.get("CUDA_VISIBLE_DEVICES"), uuids):
        card = cards[index]
        found += Found(absences=(card,)) if isinstance(card, Absence) else _meter(library, card[0])
    if not found.meters and not found.absences:
        reason = f"CUDA_VISIBLE_DEVICES={environ.get('CUDA_VISIBLE_DEVICES')} shows none of {count} GPUs"
        found += Found(absences=(Absence("nvml", "gpu", reason, "unset it or name a GPU"),))
    return found


def _card(library: Any, index: int) -> tuple[Any, str] | Absence:
    """Return a GPU's handle and UUID, or that it does not answer: then the others keep their numbers."""
    try:
        handle = library.nvmlDeviceGetHandleByIndex(index)
        return handle, _text(library.nvmlDeviceGetUUID(handle))
    except library.NVMLError as error:
        return Absence("nvml", "gpu", *silence(library, index, error))


def _meter(library: Any, handle: Any) -> Found:
    try:
        name = _text(library.nvmlDeviceGetName(handle))
    except library.NVMLError as error:
        return Found(absences=(Absence("nvml", "gpu", f"NVML: {error}"),))
    try:
        mig, _ = library.nvmlDeviceGetMigMode(handle)
    except library.NVMLError:
        mig = 0
    if mig:
        reason = "unsupported in MIG mode: the counter is of the whole GPU, not of an instance"
        return Found(absences=(Absence("nvml", "gpu", reason, "sudo nvidia-smi -mig 0", name),))
    try:
        meter: Meter = NvmlMeter(library, handle)
    except MeterError as error:
        return Found(absences=(Absence("nvml", "gpu", str(error), "", name),))
    return Found((meter,))


def _no_driver(library: Any, error: Exception) -> Absence:
    known = {
        library.NVML_ERROR_LIBRARY_NOT_FOUND: (
            "no NVIDIA driver is installed",
            "install it if there is an NVIDIA GPU",
        ),
        library.NVML_ERROR_DRIVER_NOT_LOADED: ("the NVIDIA driver is not loaded", "sudo modprobe nvidia"),
        library.NVML_ERROR_NO_PERMISSION: (
            "no permission for the NVIDIA device",
            "join the group that owns /dev/nvidia*",
        ),
        library.NVML_ERROR_LIB_RM_VERSION_MISMATCH: ("driver and library differ in version", "reboot"),
    }
    reason, remedy = known.get(getattr(error, "value", None), (f"NVML cannot start: {error}", ""))
    return Absence("nvml", "gpu", reason, remedy)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
