"""What follows from throughput, power and energy together."""

from __future__ import annotations

import math
from typing import Any

from inferometer.results import stats
from inferometer.results.estimates.quantity import WITHIN_ONE_PROCESS, Estimate, Series


def derived(fields: dict[str, Any], series: dict[str, Series]) -> dict[str, Any]:
    """Return images per watt and per joule, and energy x time; energy itself where only power was known."""
    throughput, power, energy = (fields.get(k) for k in ("throughput", "power", "energy_image"))
    found: dict[str, Any] = {}
    if throughput and power:
        joined = _joined(series, (("throughput", 1), ("power", -1)))
        found["images_per_watt"] = _ratio(throughput, power, "images/s/W", joined, metered=power)
        if energy is None:
            energy = _ratio(power, throughput, "J", joined and joined.scaled(-1), metered=power)
            found["energy_image"] = energy
            if joined:
                series["energy_image"] = joined.scaled(-1)
    if energy:
        found["images_per_joule"] = energy.inverse("images/J")
        if throughput:
            joined = _joined(series, (("energy_image", 1), ("throughput", -1)))
            found["energy_time"] = _ratio(energy, throughput, "J s", joined, metered=energy)
    return found


def _joined(series: dict[str, Series], terms: tuple[tuple[str, int], ...]) -> Series | None:
    parts = [series[name].scaled(sign) for name, sign in terms if name in series]
    if len(parts) != len(terms) or any(part.within for part in parts):
        return None
    joined = parts[0].plus(parts[1])
    return joined if len(joined.keys) > 1 else None


def _ratio(
    top: Estimate, bottom: Estimate, unit: str, joined: Series | None, *, metered: Estimate
) -> Estimate:
    """Return top/bottom; its interval from the rounds' own ratios, or the sum in quadrature of the two intervals.

    It cannot be surer than the side that was ``metered``.
    """
    value = top.value / bottom.value
    reaches = [r for r in (_reach(top), _reach(bottom)) if r is not None]
    reach = stats.reach_of_mean(joined.logs) if joined else None
    if reach is not None:
        reach = max(reach, _reach(metered) or 0.0)
    elif len(reaches) == 2:
        reach = math.hypot(*reaches)
    low, high = stats.around(value, reach)
    source = bottom.source if top.source in ("rounds", WITHIN_ONE_PROCESS) else top.source
    remark = top.remark or bottom.remark
    return Estimate(value, low, high, unit, source, min(top.n, bottom.n), remark)


def _reach(estimate: Estimate) -> float | None:
    if not estimate.high or estimate.value <= 0:
        return None
    return math.log(estimate.high / estimate.value)
