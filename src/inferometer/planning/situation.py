"""What a request means here: machine, devices and model, each looked up once for a whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from inferometer.errors import unknown
from inferometer.frameworks.catalogue import Framework
from inferometer.host.gpus import NO_LACK, Lack
from inferometer.models.routes import forms_reachable, route_words, routes, strangers
from inferometer.models.sources import Source, resolve
from inferometer.planning.devices import check_accelerator, fallback_notice, resolve_devices
from inferometer.planning.request import RunRequest
from inferometer.records import Machine
from inferometer.worker.precisions import QUANTISED


@dataclass(frozen=True)
class Situation:
    """What everything that plans or runs looks at, so that no two of them can see different things."""

    machine: Machine
    devices: tuple[str, ...]
    source: Source
    lack: Lack = NO_LACK  # why the machine has no GPU, or fewer
    notice: str = ""  # what is to be said beforehand of the devices

    @cached_property
    def reachable(self) -> Mapping[str, list[str] | str]:
        """Return for each form of the model the environments on its way, or why nothing exact leads there."""
        return forms_reachable(self.source)

    def way(self, form: str) -> str:
        """Return in words the conversions by which the model is to reach a form; "" where it is there already."""
        route = next(iter(routes(self.source.form, form)), ())
        return route_words(self.source, route) if route else ""

    def unreachable(self, framework: Framework, precision: str) -> str:
        """Return why nothing exact leads to the form that a framework takes at a precision, "" where something does.

        A framework's own file may be quantised already, which is known once it is opened: nothing need lead to int8 then.
        """
        found = self.reachable[self.form_for(framework, precision)]
        if not isinstance(found, str) or (precision in QUANTISED and framework.form == self.source.form):
            return ""
        return found

    def form_for(self, framework: Framework, precision: str) -> str:
        """Return the form in which a framework takes the model: of those that it takes the first that no foreign converter makes.

        Where each needs one, the one that needs the fewest. UsageError for a form that there is none of.
        """
        taken = framework.forms_at(precision)
        if strange := next((form for form in taken if form not in self.reachable), ""):
            raise unknown(f"form of framework {framework.name}", strange, self.reachable)
        reached = [form for form in taken if not isinstance(self.reachable[form], str)]
        return min(reached, key=lambda form: strangers(self.source, form), default=taken[0])


def look_up(
    request: RunRequest, machine: Machine, lack: Lack = NO_LACK, setting: str | None = None
) -> Situation:
    """Return what a request means on a machine; UsageError where it means nothing.

    ``lack``: why the machine has no GPU, or fewer. ``setting``: CUDA_VISIBLE_DEVICES there, None where it is not set.
    """
    request.check()
    devices = resolve_devices(request.devices, machine, lack, setting)
    check_accelerator(request, devices)
    notice = fallback_notice(request.devices, devices, lack, setting)
    return Situation(machine, devices, resolve(request.model), lack, notice)
