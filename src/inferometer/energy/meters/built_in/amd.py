"""AMD GPUs through amdsmi, where it is installed (it comes with ROCm).

No AMD GPU was at hand when this was written: the calls follow the library's documentation and are tested against a
stand-in. The accumulator counts in steps of `counter_resolution` microjoules.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from inferometer.energy.meters.found import Absence, Found
from inferometer.energy.readings import Meter, MeteredDevice, Traits
from inferometer.errors import MeterError

PERIOD_S = 0.001
LARGEST_CAP_W = 1e5  # what is more is in microwatts, as on bare metal; hosts of virtual machines tell watts
REMEDY = "install ROCm's amdsmi package into this environment"


class AmdMeter:
    """The energy accumulator of one GPU."""

    def __init__(self, library: Any, handle: Any) -> None:
        """Read the accumulator once; MeterError if the GPU has none."""
        self._library, self._handle = library, handle
        name = str(_ask(library, library.amdsmi_get_gpu_asic_info, handle).get("market_name") or "AMD GPU")
        uid = str(_ask(library, library.amdsmi_get_gpu_device_uuid, handle))
        self.device = MeteredDevice(uid, name, "gpu", "amd")
        self._step_j = 0.0
        self.read()
        traits = Traits("counter", PERIOD_S, resolution=self._step_j, integrates=False, period_known=False)
        self.traits = traits.limited(self._power_limit_w())

    def read(self) -> float:
        """Return joules; MeterError if the library cannot tell."""
        facts = _ask(self._library, self._library.amdsmi_get_energy_count, self._handle)
        count = facts.get("energy_accumulator", facts.get("power"))
        if count is None or not facts.get("counter_resolution"):
            raise MeterError("this GPU has no energy accumulator")
        self._step_j = float(facts["counter_resolution"]) / 1e6
        return float(count) * self._step_j

    def _power_limit_w(self) -> float:
        """Return the largest power cap that this GPU can be given; 0 where it tells none."""
        try:
            facts = _ask(self._library, self._library.amdsmi_get_power_cap_info, self._handle)
            cap = max(float(facts.get(name) or 0) for name in ("power_cap", "max_power_cap"))
        except (MeterError, AttributeError, TypeError, ValueError):
            return 0.0
        return cap / 1e6 if cap > LARGEST_CAP_W else cap

    def conditions(self) -> dict[str, Any]:
        """Return nothing yet."""
        return {}

    def close(self) -> None:
        """Do nothing: the library is shut down when the process ends."""


def find(environ: Mapping[str, str]) -> Found:
    """Return every AMD GPU that has an energy accumulator."""
    del environ
    try:
        library = importlib.import_module("amdsmi")
    except Exception:  # a broken ROCm raises other things than ImportError
        return Found(absences=(Absence("amd", "gpu", "amdsmi is not installed", REMEDY),))
    try:
        library.amdsmi_init()
        handles = library.amdsmi_get_processor_handles()
    except Exception as error:
        return Found(absences=(Absence("amd", "gpu", f"amdsmi cannot start: {error}"),))
    found = Found()
    for handle in handles:
        try:
            meter: Meter = AmdMeter(library, handle)
            found += Found((meter,))
        except MeterError as error:
            found += Found(absences=(Absence("amd", "gpu", str(error)),))
    return found


def _ask(library: Any, call: Any, handle: Any) -> Any:
    try:
        return call(handle)
    except library.AmdSmiException as error:
        raise MeterError(f"amdsmi: {error}") from error
