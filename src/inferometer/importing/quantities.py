"""What a number of a long table measures, and its unit: by the column's name, or by `value`, `metric` and `unit`."""

from __future__ import annotations

QUANTITIES: dict[str, str] = {  # -> SI unit
    "throughput": "images/s",
    "latency": "s",
    "latency_batch": "s",
    "power": "W",
    "energy": "J",
    "memory": "bytes",
    "accuracy": "share",
    "elapsed": "s",
    "p50": "s",
    "p90": "s",
    "p99": "s",
}

_SCALES: dict[str, tuple[str, float]] = {  # unit -> (SI unit, factor)
    "images/s": ("images/s", 1.0), "images_per_s": ("images/s", 1.0), "img/s": ("images/s", 1.0), "fps": ("images/s", 1.0),
    "images_per_second": ("images/s", 1.0), "imgs_per_s": ("images/s", 1.0),
    "s": ("s", 1.0), "sec": ("s", 1.0), "seconds": ("s", 1.0), "ms": ("s", 1e-3), "us": ("s", 1e-6), "µs": ("s", 1e-6),
    "w": ("W", 1.0), "watt": ("W", 1.0), "watts": ("W", 1.0), "kw": ("W", 1e3),
    "j": ("J", 1.0), "joule": ("J", 1.0), "joules": ("J", 1.0), "uj": ("J", 1e-6), "µj": ("J", 1e-6), "kj": ("J", 1e3), "wh": ("J", 3600.0),
    "b": ("bytes", 1.0), "bytes": ("bytes", 1.0), "kib": ("bytes", 2.0**10), "mib": ("bytes", 2.0**20), "gib": ("bytes", 2.0**30),
    "kb": ("bytes", 1e3), "gb": ("bytes", 1e9), "share": ("share", 1.0), "%": ("share", 0.01), "percent": ("share", 0.01),
}  # fmt: skip
_MILLI = {"mw": ("W", 1e-3), "mj": ("J", 1e-3), "mb": ("bytes", 1e6)}  # read as milli (SI), but MB of memory
_OF_UNIT = {"images/s": "throughput", "bytes": "memory", "share": "accuracy"}  # units of one quantity alone


def scale(unit: str) -> tuple[str, float] | None:
    """Return a unit's SI unit and the factor to it; None for an unknown one."""
    lower = unit.strip().lower()
    return _SCALES.get(lower) or _MILLI.get(lower)


def readable(metric: str) -> str:
    """Return the quantity that a metric's name means; ValueError for one that does not read back."""
    name = metric.strip().lower().replace("-", "_")
    if name not in QUANTITIES or name == "elapsed":  # a row of a loop is no row of a metric
        raise ValueError(f"metric is {metric[:40]!r}: not one that reads back")
    return name


def of_value(metric: str, unit: str) -> tuple[str, float]:
    """Return which quantity a value of ``unit`` is, and the factor to SI; ValueError where it cannot be told.

    Seconds, watts and joules are units of several metrics, so without ``metric`` ("") they say too little.
    """
    known = scale(unit)
    if known is None:
        raise ValueError(f"unit is {unit[:20]!r}: not known, so value cannot be read")
    si, factor = known
    name = metric or _OF_UNIT.get(si)
    if name is None:
        targets = ", ".join(n for n, of in QUANTITIES.items() if of == si and n != "elapsed")
        raise ValueError(
            f"value is in {si}, but of which metric? add a metric column, or --map TARGET=value, TARGET one of {targets}"
        )
    if QUANTITIES[name] != si:
        raise ValueError(f"unit is {unit[:20]!r}, but {name} is in {QUANTITIES[name]}")
    return name, factor
