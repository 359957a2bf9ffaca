"""Published means, for what has no raw samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from inferometer.results.estimates.quantity import PUBLISHED, Estimate, Good, Series, round_series

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


def means(good: Good, fields: dict[str, Any], series: dict[str, Series]) -> dict[str, Any]:
    """Return published figures for what has no raw samples: of several rounds with their interval, and added to ``series``."""
    if not any(record.published for _, record in good):
        return {}
    found: dict[str, Any] = {}
    for name, (target, unit) in _TARGETS.items():
        values = [(key, r.published[name]) for key, r in good if name in r.published]
        if not values or fields.get(target) is not None:
            continue
        rounds = round_series(values)
        if len(rounds.keys) == len(values) > 1 and name != "accuracy":
            found[target] = rounds.estimate(unit, PUBLISHED)
            series["throughput" if name == "latency" else target] = rounds.scaled(
                -1 if name == "latency" else 1
            )
        else:
            mean = float(np.mean([value for _, value in values]))
            found[target] = Estimate(mean, None, None, unit, PUBLISHED, len(values))
    throughput, latency = found.get("throughput"), found.get("latency_image")
    if throughput and not latency:
        found["latency_image"] = throughput.inverse("s")
    if latency and not throughput and not fields.get("throughput"):
        found["throughput"] = latency.inverse("images/s")
    if (
        "throughput" in found
    ):  # whose loops are not known: it stands for the study's too, whose own is published
        found["throughput_study"] = found["throughput"]
        if "throughput" in series:
            series["throughput_study"] = series["throughput"]
    return found
