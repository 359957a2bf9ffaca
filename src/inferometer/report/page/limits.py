"""The limits that a reader can set on the page: the options of `recommend`, within what the cells have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inferometer.recommendation.objectives import Prices


@dataclass(frozen=True)
class Limit:
    """One slider. Values are the rule's own (s, W, J, bytes, shares) times ``scale``."""

    name: str  # the rule's
    option: str  # of `inferometer recommend`, without its dashes
    label: str
    unit: str
    scale: float
    low: float  # the smallest that any cell keeps, in ``unit``
    high: float  # all cells keep it


# name, figure of an option, option of `recommend`, label, unit, scale
_LIMITS = (
    ("latency", "latency", "max-latency-ms", "Latency", "ms", 1e3),
    ("power", "power", "max-power-w", "Power", "W", 1.0),
    ("energy", "energy", "max-energy-mj", "Energy", "mJ", 1e3),
    ("memory", "peak", "max-memory-gb", "Memory", "GB", 1e-9),
    ("loss", "loss", "max-accuracy-loss", "Accuracy loss", "%", 100.0),
    ("cost", "cost", "max-cost", "Cost / million", "", 1.0),
)


def limits(groups: Sequence[dict[str, Any]], prices: Prices) -> tuple[Limit, ...]:
    """Return the sliders that the options of `recommendation.portable` have figures for, two different ones at least."""
    options = [option for group in groups for option in group["options"]]
    found = []
    for name, figure, option, label, unit, scale in _LIMITS:
        values = sorted(v * scale for o in options if (v := o[figure]) is not None and math.isfinite(v))
        if values and values[0] < values[-1]:
            shown = prices.currency if name == "cost" else unit
            found.append(Limit(name, option, label, shown, scale, values[0], values[-1]))
    return tuple(found)
