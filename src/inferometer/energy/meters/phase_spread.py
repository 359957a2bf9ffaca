"""What it shows of a counter that a half-time load's phase changes its answer, by so much of itself."""

from __future__ import annotations

NO_SPREAD = 0.02  # though the counter sees all: chance
SPREAD_LIMIT = 0.10  # by more it does only where the counter misses a part


def integrates(spread: float | None) -> bool | None:
    """Tell by that spread whether the counter sees all of the time; None where it shows neither."""
    if spread is None or NO_SPREAD < spread <= SPREAD_LIMIT:
        return None
    return spread <= NO_SPREAD
