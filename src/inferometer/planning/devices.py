"""Which devices a request means on this machine, and which set of requirements each takes."""

from __future__ import annotations

from collections.abc import Iterable

from inferometer.device import Device
from inferometer.errors import UsageError
from inferometer.host.gpus import Lack, hidden_reason, is_older, names_mig_instance, visible_gpus
from inferometer.planning.request import RunRequest
from inferometer.records import Gpu, Machine

# CUDA 13 dropped Maxwell, Pascal and Volta from its compilers and libraries; its driver still runs CUDA 12's there
CUDA13_CAPABILITY = "7.5"


def resolve_devices(
    names: Iterable[str], machine: Machine, lack: Lack, setting: str | None
) -> tuple[str, ...]:
    """Return the devices that ``names`` mean on a machine; UsageError for none.

    ``setting``: CUDA_VISIBLE_DEVICES there, None where it is not set.
    """
    return tuple(dict.fromkeys(_device(name, machine, lack, setting) for name in names))


def _device(name: str, machine: Machine, lack: Lack, setting: str | None) -> str:
    if name == "cpu":
        return name
    if name in ("auto", "cuda"):
        return _first_visible(name, machine, lack, setting)
    device = _numbered(name)
    if machine.gpu_at(device.index) is None:
        what = f"{name} does not exist: {_found(machine, lack)}"
        raise UsageError(
            f"device {lack.reason if device.index in lack.silent else what}; give --device cpu or auto"
        )
    return _unhidden(device, machine, setting)


def _numbered(name: str) -> Device:
    """Return the GPU that a name such as "cuda:1" means; UsageError for any other name."""
    kind, _, number = name.partition(":")
    if kind != "cuda" or not number.isdigit():
        raise UsageError(f"unknown device '{name}' (known: cpu, cuda:0, cuda:1, ..., auto)")
    return Device.parse(name)


def _first_visible(name: str, machine: Machine, lack: Lack, setting: str | None) -> str:
    gpus = visible_gpus(machine.gpus, setting)
    if gpus:
        return str(Device("cuda", gpus[0].index))
    if machine.gpus and lack.reason and name == "cuda":
        raise UsageError(f"{hidden_reason(setting)} ({lack.reason}); give --device cpu, or another GPU")
    if machine.gpus and (name == "cuda" or names_mig_instance(setting)):
        raise UsageError(
            f"{hidden_reason(setting)}; give --device cpu, or unset the variable for a whole GPU"
        )
    if name == "cuda":
        raise UsageError(f"device cuda does not exist: {_found(machine, lack)}; give --device cpu or auto")
    return "cpu"


def fallback_notice(names: Iterable[str], devices: Iterable[str], lack: Lack, setting: str | None) -> str:
    """Return that "auto" means the CPU for GPUs that do not work, "" where it does not, or they were hidden on purpose."""
    if "auto" not in names or "cpu" not in devices or not lack.fault or setting in ("", "-1"):
        return ""
    return f"no GPU can be used, so the CPU is measured: {lack.reason}"


def _unhidden(device: Device, machine: Machine, setting: str | None) -> str:
    """Return the device's name; UsageError if CUDA_VISIBLE_DEVICES hides it."""
    visible = [str(Device("cuda", gpu.index)) for gpu in visible_gpus(machine.gpus, setting)]
    name = str(device)
    if name in visible:
        return name
    if not visible:
        raise UsageError(
            f"device {name} is hidden: {hidden_reason(setting)}; unset the variable, or give --device cpu"
        )
    raise UsageError(
        f"device {name} is hidden: CUDA_VISIBLE_DEVICES={setting} leaves "
        f"{', '.join(visible)}; give one of these or auto, or unset the variable"
    )


def _found(machine: Machine, lack: Lack) -> str:
    if machine.gpus:
        return f"this machine has {len(machine.gpus)}"
    return lack.reason or "this machine has no GPU"


def gpu_of(device: str, machine: Machine) -> Gpu | None:
    """Return the GPU that a device names, or None for the CPU."""
    named = Device.parse(device)
    return machine.gpu_at(named.index) if named.is_gpu else None


def check_accelerator(request: RunRequest, devices: Iterable[str]) -> None:
    """Raise UsageError for an --accelerator that serves none of the devices, or has no code for one."""
    gpus = [device for device in devices if Device.parse(device).is_gpu]
    if request.accelerator == "cpu" and gpus:
        raise UsageError(
            f"--accelerator cpu has no code for {', '.join(gpus)}: leave it out, or give --device cpu"
        )
    if request.accelerator.startswith("cuda") and not gpus:
        raise UsageError(
            f"--accelerator {request.accelerator} is for GPUs, and the only device is the CPU: "
            "leave it out, or give a --device such as cuda:0"
        )


def accelerator_for(device: str, request: RunRequest, machine: Machine) -> str:
    """Return which set of requirements a device needs: by driver and GPU, unless the request says."""
    gpu = gpu_of(device, machine)
    if gpu is None:
        return "cpu"
    return request.accelerator or driver_accelerator(gpu)


def driver_accelerator(gpu: Gpu | None) -> str:
    """Return the newest set of CUDA requirements that a GPU's driver runs and that has code for the GPU."""
    newest = gpu and gpu.cuda and int(gpu.cuda.partition(".")[0]) >= 13
    return "cuda13" if newest and not is_older(gpu, CUDA13_CAPABILITY) else "cuda12"
