"""Energy of a span with its interval, sums of such, and how long to measure: arithmetic that needs no readings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inferometer.energy.readings import Traits
from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.records import EnergySource
from inferometer.records.energy import WIDE, half_width, width_text

SWING = 0.5  # how far power may deviate from its mean within an iteration, as a share of the mean


@dataclass(frozen=True)
class Joules:
    """Energy of a span: estimate, 95 % interval and where it comes from; None where nothing is known."""

    source: EnergySource
    energy_j: float | None = None
    low_j: float | None = None
    high_j: float | None = None
    reason: str = ""  # what went wrong with the meter, or why there is no estimate

    @property
    def half_width(self) -> float:
        """Return the larger half of the interval as a share of the estimate; infinity where either is not known."""
        return half_width(self.energy_j, self.low_j, self.high_j)

    @property
    def width(self) -> str:
        """Return how wide the interval is ("±120 %") where it is wide; else an empty text."""
        return width_text(self.energy_j, self.low_j, self.high_j)

    def part(self, share: float) -> Joules:
        """Return what a share of the time took: no less than nothing and no more than all, whatever the rest drew."""
        if share >= 1:
            return self
        energy = None if self.energy_j is None else self.energy_j * share
        return Joules(self.source, energy, 0.0, self.high_j, self.reason)

    def scaled(self, factor: float) -> Joules:
        """Return this energy times ``factor``."""
        low, mid, high = (None if v is None else v * factor for v in (self.low_j, self.energy_j, self.high_j))
        return Joules(self.source, mid, low, high, self.reason)


def explained(joules: Joules, traits: Traits, seconds: float) -> Joules:
    """Return the energy with the reason why its interval is wide, if it is and nothing else is told."""
    of_a_step = not joules.energy_j and (joules.high_j or math.inf) <= 2 * traits.resolution
    if joules.reason or joules.half_width <= WIDE or of_a_step:
        return joules
    update = f"{traits.period_s * 1e3:.3g} ms" if traits.period_s else "each read"
    typical = "" if traits.period_known else ", as is typical"
    return replace(
        joules, reason=f"{seconds * 1e3:.3g} ms is too short for this meter (update: {update}{typical})"
    )


def combine(parts: Sequence[Joules]) -> Joules:
    """Return the energy of several spans together: bounds add up, and one part without an estimate leaves none to the sum."""
    if len(parts) == 1:
        return parts[0]
    lows = [p.low_j for p in parts]
    highs = [p.high_j for p in parts]
    low = sum(v for v in lows if v is not None)
    high = None if any(v is None for v in highs) else sum(v for v in highs if v is not None)
    bad = next((p for p in parts if p.energy_j is None), None)
    if bad is not None:
        return Joules("unresolved", None, low, high, bad.reason)
    sources = {p.source for p in parts}
    source: EnergySource = next((s for s in ("sampled", "estimated") if s in sources), "counter")
    reason = next((p.reason for p in parts if p.reason), "")
    return Joules(source, sum(p.energy_j or 0.0 for p in parts), low, high, reason)


def merge_spans(spans: Sequence[tuple[int, int]], gap_ns: int) -> list[tuple[int, int]]:
    """Return the spans in order, those joined that overlap or lie at most ``gap_ns`` apart."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start - merged[-1][1] <= gap_ns:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def without_pauses(whole: Joules, seconds: float, pause_s: float, idle_w: float) -> Joules:
    """Return the energy of the work in a stretch of ``seconds``, of which ``pause_s`` were pauses.

    A pause draws at least the device's idle power and at most what the work draws; the middle is taken, and the interval
    holds both ends.
    """
    if not 0 < pause_s < seconds:
        return whole
    idle_j, share = idle_w * pause_s, pause_s / seconds

    def least(joules: float | None) -> float | None:
        return None if joules is None else joules * (1 - share)

    def most(joules: float | None) -> float | None:
        return None if joules is None else joules - min(idle_j, joules * share)

    energy = None
    if whole.energy_j is not None:
        energy = whole.energy_j - (min(idle_j, whole.energy_j * share) + whole.energy_j * share) / 2
    return Joules(whole.source, energy, least(whole.low_j), most(whole.high_j), whole.reason)


def needed_window_s(traits: Traits, target: float, edge_s: float) -> float:
    """Return how long back-to-back loops must be metered for a 95 % interval of ± ``target``, by the same terms as above.

    ``edge_s``: how well an update's time is known. Where the counter is not known to integrate, a scatter of 3 % between
    updates is taken; for sampled power 10 % between readings.
    """
    if traits.kind == "power":
        spacing = max(traits.period_s, traits.window_s, 0.05)
        return float((t_quantile(CONFIDENCE, 100) * 0.10 / target) ** 2 * spacing)
    ends = math.sqrt(2 * edge_s**2 / 12 + 2 * (SWING * traits.period_s / 2) ** 2 / 3)
    window = t_quantile(CONFIDENCE, 20) * ends / target
    if not traits.integrates:
        window = math.hypot(window, (t_quantile(CONFIDENCE, math.inf) * 0.03 / target) ** 2 * traits.period_s)
    return window
