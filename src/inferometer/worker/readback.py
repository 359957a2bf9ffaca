"""Whether a cell ran where and how it was asked to, by what the framework told (`Backend.actual`)."""

from __future__ import annotations

from typing import Any

from inferometer.worker.backend import Opening
from inferometer.worker.flags import Flag, flag
from inferometer.worker.precisions import QUANTISED


def check_readback(actual: dict[str, Any], opening: Opening) -> tuple[str, str]:
    """Return the status ("ok", "wrong-device", "wrong-precision") and cause for what the framework read back."""
    device = str(actual.get("device", "")).partition(":")[0].lower()
    if device != opening.device:
        return "wrong-device", f"asked for {opening.device}, ran on {device or 'an unknown device'}"
    precision = actual.get("precision")
    asked_of_floats = opening.quantised and opening.precision not in QUANTISED  # of a file as it is
    as_stored = asked_of_floats and precision in QUANTISED
    if precision != opening.precision and not as_stored:
        return (
            "wrong-precision",
            f"asked for {opening.precision}, computed in {precision or 'an unknown precision'}",
        )
    return "ok", ""


def thread_flags(actual: dict[str, Any], opening: Opening) -> list[Flag]:
    """Return a flag where the framework read back another number of threads than was asked for; 0 or none: it does not tell."""
    threads = actual.get("threads")
    if not threads or threads == opening.threads:
        return []
    return [flag("other-threads", threads=threads, asked=opening.threads)]
