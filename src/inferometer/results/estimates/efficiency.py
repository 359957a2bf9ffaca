"""What follows from throughput, power and energy together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from inferometer.results.estimates.quantity import Estimate, Repeated, Series, product
from inferometer.results.estimates.together import Steps


def derived(fields: dict[str, Any], series: dict[str, Series]) -> Steps[dict[str, Any]]:
    """Find images per watt and per joule, and energy x time; energy itself where only power was known."""
    throughput, power, energy = (fields.get(k) for k in ("throughput", "power", "energy_image"))
    found: dict[str, Any] = {}
    if throughput and power:
        joined = product(series, (("throughput", 1), ("power", -1)))
        found["images_per_watt"] = yield from _of(series, throughput, power, "images/s/W", joined)
        if energy is None:
            inverse = joined and joined.scaled(-1)
            energy = yield from _of(series, power, throughput, "J", inverse)
            found["energy_image"] = energy
            if inverse:
                series["energy_image"] = inverse
    if energy:
        found["images_per_joule"] = energy.inverse("images/J")
        if throughput:
            joined = product(series, (("energy_image", 1), ("throughput", -1)))
            found["energy_time"] = yield from _of(series, energy, throughput, "J s", joined)
    return found


def _of(
    series: Mapping[str, Series],
    first: Estimate,
    second: Estimate,
    unit: str,
    joined: Series | None,
) -> Steps[Estimate]:
    """Find the first figure over the second: of the rounds that have both, or of two published means.

    It is no surer than the meter that one of them is from.
    """
    metered = first if first.unit in ("W", "J") else second
    name = "power" if metered.unit == "W" else "energy_image"
    remark = first.remark or second.remark
    if joined is None:
        low, high = (None, None)
        return Estimate(
            first.value / second.value, low, high, unit, first.source, min(first.n, second.n), remark
        )
    reaches = [r for r in (_reach(first), _reach(second)) if r is not None]
    within = math.hypot(*reaches) if len(reaches) == 2 else None
    rounds, own = Repeated(joined), Repeated(series[name]) if name in series else None
    yield [one for one in (rounds, own) if one]
    claimed = _common(metered, own) if len(joined.keys) > 1 else None
    return replace(rounds.estimate(unit, metered.source, claimed=claimed, within=within), remark=remark)


def _common(metered: Estimate, rounds: Repeated | None) -> float | None:
    """Return what of an interval (log) the scatter of the rounds does not explain: the meter's error, common to all of them."""
    whole, scatter = _reach(metered), rounds.reach() if rounds else None
    if whole is None or scatter is None:
        return whole
    return math.sqrt(max(whole**2 - scatter**2, 0.0))


def _reach(estimate: Estimate) -> float | None:
    if not estimate.high or estimate.value <= 0:
        return None
    return math.log(estimate.high / estimate.value)
