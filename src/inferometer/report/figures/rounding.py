"""Numbers at the five digits that a picture can show."""

from __future__ import annotations

import math
from collections.abc import Iterable


def numbers(values: Iterable[float | None]) -> list[float | None]:
    """Return values to five significant digits; None where one is no number."""
    return [float(f"{value:.5g}") if value is not None and math.isfinite(value) else None for value in values]


def rounded(value: float | None) -> float | None:
    """Return ``value`` to five significant digits; None where it is no number."""
    return numbers((value,))[0]
