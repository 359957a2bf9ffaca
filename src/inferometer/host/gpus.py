"""NVIDIA GPUs as the driver lists them (PCI order, as nvidia-smi)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inferometer.device import Device
from inferometer.records import Gpu

_ERROR = "the NVIDIA driver answers with an error"


@dataclass(frozen=True)
class Lack:
    """Why a host has no GPU, or fewer than its driver lists."""

    reason: str = ""  # with the remedy; "": nothing is lacking
    fault: bool = False  # GPUs, or a driver, are there and do not work
    silent: tuple[int, ...] = ()  # the numbers of GPUs that do not answer


NO_LACK = Lack()


def find_gpus() -> tuple[tuple[Gpu, ...], Lack]:
    """Return the GPUs of this host that answer, and why others do not, or why there are none.

    Each keeps the number that the driver gives it, whatever became of those before it.
    """
    try:
        import pynvml
    except ImportError:
        return (), Lack("nvidia-ml-py is not installed (pip install nvidia-ml-py)")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value in (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
            return (), Lack(f"no NVIDIA driver ({error})")
        return (), Lack(f"{_ERROR} ({error})", fault=True)
    gpus, silent = [], {}
    try:
        driver = _text(pynvml.nvmlSystemGetDriverVersion())
        cuda = _cuda_version(pynvml)
        for index in range(pynvml.nvmlDeviceGetCount()):
            try:
                gpus.append(_describe(pynvml, index, driver, cuda))
            except pynvml.NVMLError as error:
                silent[index] = error
    except pynvml.NVMLError as error:
        return (), Lack(f"{_ERROR} ({error})", fault=True)
    finally:
        pynvml.nvmlShutdown()
    if silent:
        return tuple(gpus), _silence(pynvml, silent)
    return tuple(gpus), Lack("" if gpus else "the NVIDIA driver lists no GPU")


def silence(nvml: Any, index: int, error: Exception) -> tuple[str, str]:
    """Return that a GPU which the driver lists does not answer, and the remedy."""
    forbidden = getattr(error, "value", None) == nvml.NVML_ERROR_NO_PERMISSION
    remedy = "join the group that owns /dev/nvidia*" if forbidden else "reset it, or restart the machine"
    return f"{Device('cuda', index)} does not answer ({error})", remedy


def _silence(nvml: Any, errors: dict[int, Exception]) -> Lack:
    told = [silence(nvml, index, error) for index, error in errors.items()]
    remedies = dict.fromkeys(remedy for _, remedy in told)
    reason = f"{', '.join(reason for reason, _ in told)}: {'; '.join(remedies)}"
    return Lack(reason, fault=True, silent=tuple(errors))


def visibility() -> str | None:
    """Return what CUDA_VISIBLE_DEVICES says to this process, None where it is not set."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def visible_gpus(gpus: tuple[Gpu, ...], setting: str | None) -> tuple[Gpu, ...]:
    """Return those that a setting of CUDA_VISIBLE_DEVICES leaves visible (indices or UUIDs, in its order)."""
    known = {gpu.index: gpu for gpu in gpus}
    uuids = [known[index].uuid if index in known else "" for index in range(max(known, default=-1) + 1)]
    return tuple(known[index] for index in visible(setting, uuids) if index in known)


def visible(setting: str | None, uuids: Sequence[str]) -> list[int]:
    """Return the positions that CUDA_VISIBLE_DEVICES leaves, in its order; "" stands for a GPU that does not answer.

    Like CUDA, up to the first entry that names no GPU, more than one, or one that was named before.
    """
    if setting is None:
        return list(range(len(uuids)))
    chosen: list[int] = []
    for entry in _entries(setting):
        if entry.isdigit():
            matches = [int(entry)] if int(entry) < len(uuids) else []
        else:
            matches = [i for i, uuid in enumerate(uuids) if entry and uuid.startswith(entry)]
        if len(matches) != 1 or matches[0] in chosen:
            break
        chosen += matches
    return chosen


def order_caution(environ: Mapping[str, str]) -> str:
    """Return that the numbers of CUDA_VISIBLE_DEVICES may mean other cards to a program than to the driver; "" if they cannot.

    CUDA numbers cards of several kinds by speed, as it guesses that, unless it is told to go by the bus.
    """
    setting = environ.get("CUDA_VISIBLE_DEVICES")
    numbered = any(entry.isdigit() for entry in _entries(setting or ""))
    if setting is None or not numbered or environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return ""
    gpus, _ = find_gpus()
    if len({gpu.name for gpu in gpus}) < 2 or len(visible_gpus(gpus, setting)) == len(gpus):
        return ""
    return (
        f"CUDA_VISIBLE_DEVICES={setting} may mean other cards to CUDA than those metered, as they are of several kinds: "
        "set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name cards by UUID"
    )


def hidden_reason(setting: str | None) -> str:
    """Return why a setting of CUDA_VISIBLE_DEVICES leaves no GPU to be measured, for when `visible_gpus` is empty."""
    if names_mig_instance(setting):
        return (
            f"CUDA_VISIBLE_DEVICES={setting} names a MIG instance, which cannot be measured on its own yet: "
            "memory, neighbours, clocks and energy are read of whole GPUs"
        )
    return f"CUDA_VISIBLE_DEVICES='{setting or ''}' leaves no GPU"


def names_mig_instance(setting: str | None) -> bool:
    """Return whether a setting of CUDA_VISIBLE_DEVICES asks for a part of a GPU, which nothing here can look at."""
    return _entries(setting or "")[0].startswith("MIG-")


def is_older(gpu: Gpu | None, capability: str) -> bool:
    """Return whether a GPU's compute capability is known and below one such as "8.0"."""
    known = gpu.compute_capability if gpu else ""
    return bool(known and capability) and _numbers(known) < _numbers(capability)


def _numbers(capability: str) -> tuple[int, ...]:
    return tuple(int(part) for part in capability.split("."))


def _entries(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _describe(nvml: Any, index: int, driver: str, cuda: str) -> Gpu:
    """Return a GPU; NVMLError if it does not answer."""
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    capability = _ask(nvml.nvmlDeviceGetCudaComputeCapability, handle)
    limit = _ask(nvml.nvmlDeviceGetPowerManagementLimit, handle)
    memory = _ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    return Gpu(
        index=index,
        uuid=_text(nvml.nvmlDeviceGetUUID(handle)),
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=int(memory.total) if memory else 0,
        driver=driver,
        cuda=cuda,
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else "",
        power_limit_w=limit / 1000 if limit else None,
        details=_details(nvml, handle),
    )


def _details(nvml: Any, handle: Any) -> dict[str, Any]:
    """Return settings that explain a measurement; None where the card does not tell."""
    ecc = _ask(nvml.nvmlDeviceGetEccMode, handle)
    mig = _ask(nvml.nvmlDeviceGetMigMode, handle)
    return {
        "ecc": bool(ecc[0]) if ecc else None,
        "mig": bool(mig[0]) if mig else None,
        "persistence": _ask(nvml.nvmlDeviceGetPersistenceMode, handle),
        "sm_clock_hz": _hertz(_ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_SM)),
        "sm_clock_max_hz": _hertz(_ask(nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_SM)),
        "memory_clock_hz": _hertz(_ask(nvml.nvmlDeviceGetClockInfo, handle, nvml.NVML_CLOCK_MEM)),
        "temperature_c": _ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
    }


def _hertz(megahertz: int | None) -> float | None:
    return None if megahertz is None else megahertz * 1e6


def _ask(call: Any, *arguments: Any) -> Any:
    import pynvml

    try:
        return call(*arguments)
    except pynvml.NVMLError as error:
        if error.value == pynvml.NVML_ERROR_GPU_IS_LOST:
            raise
        return None  # not supported on this card


def _cuda_version(nvml: Any) -> str:
    number = int(nvml.nvmlSystemGetCudaDriverVersion())
    return f"{number // 1000}.{number % 1000 // 10}"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
