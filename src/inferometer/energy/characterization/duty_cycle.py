"""A load that is on for half of every period: whether a meter's answer depends on the load's phase."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from inferometer.energy.characterization.load_process import Load
from inferometer.energy.characterization.observe import mean_power, watch
from inferometer.energy.meters.phase_spread import integrates
from inferometer.energy.readings import Meter
from inferometer.energy.session import Session

PERIODS_S = (0.090, 0.100, 0.110)
PHASES = (0.0, 0.25, 0.5, 0.75)

Say = Callable[[str], None]


def duty_of(
    session: Session, power: Meter | None, load: Load, say: Say, *, settle_s: float, seconds: float
) -> list[dict[str, float | None]]:
    """Return, for each period and phase of a half-time load, the counter's mean power and that of the polled power (W).

    Each lasts ``seconds``, after half a second (or ``settle_s``, if less) that is not looked at.
    """
    rows = []
    for period_s in PERIODS_S:
        for phase in PHASES:
            load.set(f"duty {period_s} {phase}")
            watch(session, None, min(settle_s, 0.5))
            start_s, end_s, watts = watch(session, power, seconds)
            row = {
                "period_s": period_s,
                "phase": phase,
                "counter_w": mean_power(session, start_s, end_s),
                "polled_w": statistics.fmean(watts) if watts else None,
            }
            rows.append(row)
            say(f"half load, period {period_s * 1e3:.0f} ms, phase {phase}: " + _row_text(row))
    load.set("idle")
    return rows


def spread_of(rows: Sequence[dict[str, float | None]], key: str) -> float | None:
    """Return the largest difference between phases of one period, as a share of that period's mean; None if unknown."""
    spreads = []
    for period_s in sorted({row["period_s"] for row in rows if row["period_s"] is not None}):
        values = [row[key] for row in rows if row["period_s"] == period_s]
        known = [v for v in values if v is not None]
        if len(known) < 2 or len(known) < len(values):
            return None
        spreads.append((max(known) - min(known)) / statistics.fmean(known))
    return max(spreads, default=None)


def verdict(facts: dict[str, Any]) -> str:
    """Return what the half-time load showed, as one line."""
    spread, polled = facts["phase_spread"]["meter"], facts["phase_spread"]["polled"]
    aside = "" if polled is None else f" (polled power: {polled:.0%})"
    if spread is None:
        return "whether the meter misses part of a half-time load: unresolved"
    changes = f"its phase changes the result by up to {spread:.1%}{aside}"
    sees = integrates(spread)
    if sees is None:
        return f"whether the meter misses part of a half-time load is not shown: {changes}"
    return f"the meter {'misses no part' if sees else 'misses a part'} of a half-time load: {changes}"


def _row_text(row: dict[str, float | None]) -> str:
    polled = "" if row["polled_w"] is None else f", polled power {row['polled_w']:.1f} W"
    return f"counter {watts_text(row['counter_w'])}{polled}"


def watts_text(value: float | None) -> str:
    """Return a power for people."""
    return "unresolved" if value is None else f"{value:.2f} W"
