"""What a request means here: machine, devices and model, each looked up once for a whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from inferometer.models.sources import Source, forms_reachable, resolve
from inferometer.planning.devices import check_accelerator, resolve_devices
from inferometer.planning.request import RunRequest
from inferometer.records import Machine


@dataclass(frozen=True)
class Situation:
    """What everything that plans or runs looks at, so that no two of them can see different things."""

    machine: Machine
    devices: tuple[str, ...]
    source: Source
    gpu_reason: str = ""  # why the machine has no GPU, for the skips

    @cached_property
    def reachable(self) -> Mapping[str, list[str] | str]:
        """Return for each form of the model the environments on its way, or why nothing exact leads there."""
        return forms_reachable(self.source)


def look_up(request: RunRequest, machine: Machine, gpu_reason: str = "") -> Situation:
    """Return what a request means on this machine; UsageError where it means nothing."""
    request.check()
    devices = resolve_devices(request.devices, machine, gpu_reason)
    check_accelerator(request, devices)
    return Situation(machine, devices, resolve(request.model), gpu_reason)
