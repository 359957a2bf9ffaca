"""Whether a cell ran where and how it was asked to."""

from __future__ import annotations

from typing import Any

from inferometer.worker.backend import Opening


def check_actual(actual: dict[str, Any], opening: Opening) -> tuple[str, str]:
    """Return the status ("ok", "wrong-device", "wrong-precision") and cause for what the framework read back."""
    device = str(actual.get("device", "")).partition(":")[0].lower()
    if device != opening.device:
        return "wrong-device", f"asked for {opening.device}, ran on {device or 'an unknown device'}"
    precision = actual.get("precision")
    as_stored = opening.quantised and precision == "int8"  # what is in floats beside it was asked for
    if precision != opening.precision and not as_stored:
        return (
            "wrong-precision",
            f"asked for {opening.precision}, computed in {precision or 'an unknown precision'}",
        )
    return "ok", ""
