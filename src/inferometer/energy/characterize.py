"""Measure how a meter behaves: update period, cost of a read, averaging window, idle power, and what it misses.

The same questions as Yang, Adamek and Armour, "Part-time power measurements" (arXiv 2312.02741), answered for the meter
at hand: a load that is on for half of every period, with periods near the meter's own and several phases, draws one mean
power whatever the phase. A meter that says otherwise sees a part of the time only.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inferometer.energy.joules import Joules
from inferometer.energy.loading import Load
from inferometer.energy.readings import Meter
from inferometer.energy.sampler import Clock, SystemClock, read_value
from inferometer.energy.session import Session

DUTY_PERIODS_S = (0.090, 0.100, 0.110)
DUTY_PHASES = (0.0, 0.25, 0.5, 0.75)
SPREAD_LIMIT = 0.10  # largest part by which the counter's mean power may depend on the load's phase
WATCH_S = 3.0
IDLE_ITERATION_S = 0.001
_NEVER = threading.Event()

Say = Callable[[str], None]


@dataclass(frozen=True)
class Trace:
    """Polls of a meter: when each began and ended (s, CLOCK_MONOTONIC) and what it said; arrays [n]."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    values: NDArray[np.float64]
    cpu_s: float = 0.0  # processor time of all reads


@dataclass(frozen=True)
class Plan:
    """How long each part takes, in seconds."""

    idle_s: float = 15.0
    watch_s: float = WATCH_S
    duty_s: float = 3.0
    settle_s: float = 1.5


def poll(meter: Meter, clock: Clock, seconds: float, pause_s: float = 0.001) -> Trace:
    """Read the meter as often as ``pause_s`` between reads allows."""
    starts, ends, values = [], [], []
    cpu_ns = 0
    end_ns = clock.now_ns() + round(seconds * 1e9)
    while (now_ns := clock.now_ns()) < end_ns:
        cpu_before = clock.cpu_ns()
        values.append(read_value(meter))
        cpu_ns += clock.cpu_ns() - cpu_before
        starts.append(now_ns)
        ends.append(clock.now_ns())
        clock.wait(clock.now_ns() + round(pause_s * 1e9), _NEVER)
    return Trace(np.array(starts) / 1e9, np.array(ends) / 1e9, np.array(values), cpu_ns / 1e9)


def updates_of(trace: Trace) -> dict[str, float]:
    """Return a meter's update period and its jitter (s) from polls, and what a read takes (s: wall, processor)."""
    changed = np.flatnonzero(np.diff(trace.values) != 0) + 1
    moments = (trace.start_s[changed - 1] + trace.end_s[changed]) / 2
    periods = np.diff(moments)
    facts = {
        "reads": float(len(trace.values)),
        "read_s": float(np.median(trace.end_s - trace.start_s)),
        "read_p99_s": float(np.quantile(trace.end_s - trace.start_s, 0.99)),
        "read_cpu_s": trace.cpu_s / len(trace.values),
        "updates": float(len(moments)),
    }
    if len(periods) >= 3:
        facts["period_s"] = float(np.median(periods))
        facts["jitter_s"] = float(np.std(periods))
    return facts


def window_of(trace: Trace, step_s: float) -> float | None:
    """Return how long a power reading averages (s), from its answer to a step of the load at ``step_s``; None: no step.

    A mean over a window w climbs linearly within w: from 10 % to 90 % of the step in 0.8 w.
    """
    before = trace.values[trace.start_s < step_s]
    after = trace.values[trace.start_s > trace.start_s[-1] - 0.5]
    if not len(before) or not len(after):
        return None
    low, high = float(np.median(before)), float(np.median(after))
    noise = float(np.std(before)) + float(np.std(after))
    if high - low < 5 * noise + 1e-9:
        return None
    share = (trace.values - low) / (high - low)
    late = trace.start_s >= step_s
    reach = [trace.start_s[late & (share >= level)] for level in (0.1, 0.9)]
    return float((reach[1][0] - reach[0][0]) / 0.8) if len(reach[1]) else None


def watch(
    session: Session, power: Meter | None, seconds: float, pace_s: float = 0.02
) -> tuple[float, float, list[float]]:
    """Sample the session's meter (and ``power`` at a fixed pace) for so long; return start, end (s) and the watts polled."""
    clock = session.sampler.clock
    start_ns = clock.now_ns()
    end_ns, poll_ns = start_ns + round(seconds * 1e9), start_ns
    watts: list[float] = []
    while clock.now_ns() < end_ns:
        due_ns = min(session.sampler.next_ns, poll_ns if power else end_ns, end_ns)
        clock.wait(due_ns, _NEVER)
        if session.sampler.next_ns <= clock.now_ns():
            session.sampler.step()
        if power is not None and poll_ns <= clock.now_ns():
            watts.append(read_value(power))
            poll_ns += round(pace_s * 1e9)
    return start_ns / 1e9, clock.now_ns() / 1e9, watts


def energy_between(session: Session, start_s: float, end_s: float) -> Joules:
    """Return what the session's one meter tells of a span with no iterations to speak of."""
    (uid,) = session.sampler.channels
    return session.steady(uid, round(start_s * 1e9), round(end_s * 1e9), IDLE_ITERATION_S)


def mean_power(session: Session, start_s: float, end_s: float) -> float | None:
    """Return the mean power (W) that the session's one meter tells of a span."""
    joules = energy_between(session, start_s, end_s)
    return None if joules.energy_j is None else joules.energy_j / (end_s - start_s)


def idle_of(session: Session, seconds: float) -> dict[str, float | None]:
    """Return idle power (W) and its drift (W a minute, give or take) between the halves of a stretch without load."""
    start_s, end_s, _ = watch(session, None, seconds)
    half_s = (end_s - start_s) / 2
    halves = [
        energy_between(session, start_s, start_s + half_s),
        energy_between(session, start_s + half_s, end_s),
    ]
    drift = error = None
    if all(j.energy_j is not None and j.high_j is not None for j in halves):
        first, last = (float(j.energy_j or 0) for j in halves)
        widths = [((j.high_j or 0) - (j.low_j or 0)) / 2 for j in halves]
        drift, error = (last - first) / half_s**2 * 60, math.hypot(*widths) / half_s**2 * 60
    return {
        "power_w": mean_power(session, start_s, end_s),
        "drift_w_per_min": drift,
        "drift_error_w_per_min": error,
        "seconds": end_s - start_s,
    }


def idle_text(idle: dict[str, float | None]) -> str:
    """Return idle power and drift for people."""
    drift, error = idle["drift_w_per_min"], idle["drift_error_w_per_min"]
    if drift is None or error is None:
        return f"{_watts(idle['power_w'])}, drift unresolved"
    sure = abs(drift) > error
    return f"{_watts(idle['power_w'])}, drift " + (
        f"{drift:.1f} ± {error:.1f} W a minute" if sure else f"within ± {error:.1f} W a minute"
    )


def duty_of(
    session: Session, power: Meter | None, load: Load, plan: Plan, say: Say
) -> list[dict[str, float | None]]:
    """Return, for each period and phase of a half-time load, the counter's mean power and that of the polled power (W)."""
    rows = []
    for period_s in DUTY_PERIODS_S:
        for phase in DUTY_PHASES:
            load.set(f"duty {period_s} {phase}")
            watch(session, None, min(plan.settle_s, 0.5))
            start_s, end_s, watts = watch(session, power, plan.duty_s)
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


def characterize(
    meter: Meter,
    open_load: Callable[[], AbstractContextManager[Load]],
    *,
    powers: dict[str, Meter] | None = None,
    clock: Clock | None = None,
    plan: Plan | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Measure one device's meter with the help of a load; return the facts that are stored and quoted later.

    ``open_load`` starts the load (once the device has been seen without it). ``powers``: power readings of the same device
    by name ('instant', 'average'), to be compared with its counter.
    """
    clock, plan, powers = clock or SystemClock(), plan or Plan(), dict(powers or {})
    session = Session([meter], clock=clock)
    facts: dict[str, Any] = {
        "uid": meter.device.uid,
        "name": meter.device.name,
        "type": meter.device.type,
        "meter": meter.device.meter,
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **getattr(meter, "facts", dict)(),
        "idle": idle_of(session, plan.idle_s),
    }
    say("idle: " + idle_text(facts["idle"]))
    with open_load() as load:
        facts["load"] = load.name
        load.set("idle")
        clock.wait(clock.now_ns() + round(plan.settle_s * 1e9), _NEVER)
        facts["idle_with_load_process"] = idle_of(session, plan.idle_s / 2)
        kind = meter.traits.kind
        for name, one in {kind: meter, **powers}.items():
            known = _behaviour(one, load, clock, plan)
            if one is meter:
                facts[name] = known
            else:
                facts.setdefault("powers", {})[name] = known
            say(f"{name}: " + _behaviour_text(known))
        polled = powers.get("instant") or next(iter(powers.values()), None)
        facts["duty"] = duty_of(session, polled, load, plan, say)
    spread = spread_of(facts["duty"], "counter_w")
    facts["phase_spread"] = {"meter": spread, "polled": spread_of(facts["duty"], "polled_w")}
    facts[kind]["integrates"] = None if spread is None else spread <= SPREAD_LIMIT
    say(verdict(facts))
    return facts


def verdict(facts: dict[str, Any]) -> str:
    """Return what the half-time load showed, as one line."""
    spread, polled = facts["phase_spread"]["meter"], facts["phase_spread"]["polled"]
    aside = "" if polled is None else f" (polled power: {polled:.0%})"
    if spread is None:
        return "whether the meter misses part of a half-time load: unresolved"
    answer = "misses no part" if spread <= SPREAD_LIMIT else "misses a part"
    return (
        f"the meter {answer} of a half-time load: its phase changes the result by up to {spread:.1%}{aside}"
    )


def _behaviour(meter: Meter, load: Load, clock: Clock, plan: Plan) -> dict[str, Any]:
    """Return updates and, for power, the averaging window, from polls across a step from idle to full load."""
    load.set("idle")
    clock.wait(clock.now_ns() + round(plan.settle_s * 1e9), _NEVER)
    idle = poll(meter, clock, 0.5)
    load.set("steady")
    step_s = clock.now_ns() / 1e9
    busy = poll(meter, clock, plan.watch_s)
    load.set("idle")
    facts: dict[str, Any] = updates_of(busy)
    if meter.traits.kind == "power":
        both = Trace(
            np.concatenate((idle.start_s, busy.start_s)),
            np.concatenate((idle.end_s, busy.end_s)),
            np.concatenate((idle.values, busy.values)),
        )
        facts["window_s"] = window_of(both, step_s)
        facts["load_w"] = float(np.median(busy.values[len(busy.values) // 2 :]))
    else:
        facts["load_w"] = _mean_between_updates(busy)
    return facts


def _mean_between_updates(trace: Trace) -> float | None:
    """Return a counter's mean power (W) over the second half of its updates; None where too few are seen."""
    changed = np.flatnonzero(np.diff(trace.values) != 0) + 1
    chosen = changed[len(changed) // 2 :]
    if len(chosen) < 2:
        return None
    first, last = chosen[0], chosen[-1]
    return float((trace.values[last] - trace.values[first]) / (trace.end_s[last] - trace.end_s[first]))


def _behaviour_text(facts: dict[str, Any]) -> str:
    period, window = facts.get("period_s"), facts.get("window_s")
    parts = [
        f"update every {period * 1e3:.1f} ms" if period else "no regular update seen",
        f"a read takes {facts['read_s'] * 1e6:,.0f} µs ({facts['read_cpu_s'] * 1e6:,.0f} µs of processor)",
    ]
    parts += [f"averages over {window * 1e3:.0f} ms"] if window is not None else []
    return ", ".join(parts) + f", {_watts(facts['load_w'])} under load"


def _row_text(row: dict[str, float | None]) -> str:
    polled = "" if row["polled_w"] is None else f", polled power {row['polled_w']:.1f} W"
    return f"counter {_watts(row['counter_w'])}{polled}"


def _watts(value: float | None) -> str:
    return "unresolved" if value is None else f"{value:.2f} W"
