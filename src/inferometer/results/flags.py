"""What a record's flags say, for the parts that write them and those that read them."""

from __future__ import annotations

from inferometer import units

_AT_ONCE = "measured at once with "


def concurrency_flag(device: str, seconds: dict[str, float], share: float | None) -> str:
    """Return that workers of ``device`` ran beside a cell: how long each framework's, and during which share of its loops."""
    ran = ", ".join(f"{framework} for {units.duration(s)}" for framework, s in seconds.items())
    loops = "" if share is None else f"; during {share:.0%} of its loops"
    return f"{_AT_ONCE}{device}: {ran}{loops}"


def in_short(flag: str) -> str:
    """Return a flag without what differs from round to round of one cell, for tables; others as they are."""
    return flag.partition(": ")[0] if flag.startswith(_AT_ONCE) else flag


_CROWDED = (
    _AT_ONCE,
    "other processes",
    "another process",
    "the hypervisor took",
    "a quota held",
    "this GPU was",
)


def tells_of_others(flag: str) -> bool:
    """Return whether a flag says that something else had its share of the processors or the GPU."""
    return any(start in flag for start in _CROWDED)
