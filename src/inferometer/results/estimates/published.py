"""Published means, for what has no raw samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.results.estimates.quantity import PUBLISHED, Estimate, Good

_TARGETS = {  # key of records.Record.published: (field, unit)
    "throughput": ("throughput", "images/s"),
    "power": ("power", "W"),
    "energy": ("energy_image", "J"),
    "memory": ("memory", "bytes"),
    "latency": ("latency_image", "s"),
    "latency_batch": ("latency_batch", "s"),
    "p50": ("p50", "s"),
    "p90": ("p90", "s"),
    "p99": ("p99", "s"),
    "accuracy": ("accuracy", "share"),
}


def means(good: Good, fields: dict[str, Any]) -> dict[str, Any]:
    """Return published means for what has no raw samples; a mean of means where several were published."""
    found: dict[str, Any] = {}
    for name, (target, unit) in _TARGETS.items():
        values = [r.published[name] for _, r in good if name in r.published]
        if values and fields.get(target) is None:
            found[target] = Estimate(float(np.mean(values)), None, None, unit, PUBLISHED, len(values))
    throughput, latency = found.get("throughput"), found.get("latency_image")
    if throughput and not latency:
        found["latency_image"] = throughput.inverse("s")
    if latency and not throughput and not fields.get("throughput"):
        found["throughput"] = latency.inverse("images/s")
    return found
