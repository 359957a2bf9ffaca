"""Measure how a meter behaves: update period, cost of a read, averaging window, idle power, and what it misses.

The same questions as Yang, Adamek and Armour, "Part-time power measurements" (arXiv 2312.02741), answered for the meter
at hand: a load that is on for half of every period, with periods near the meter's own and several phases, draws one mean
power whatever the phase. A meter that says otherwise sees a part of the time only.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from inferometer.energy.characterization.duty_cycle import (
    Say,
    duty_of,
    spread_of,
    verdict,
    watts_text,
)
from inferometer.energy.characterization.load_process import Load
from inferometer.energy.characterization.observe import energy_between, mean_power, watch
from inferometer.energy.characterization.polls import Trace, mean_between_updates, poll, updates_of, window_of
from inferometer.energy.meters.phase_spread import integrates
from inferometer.energy.readings import Meter
from inferometer.energy.sampling.clock import Clock, SystemClock
from inferometer.energy.session import Session

WATCH_S = 3.0
_NEVER = threading.Event()


@dataclass(frozen=True)
class LoadTimes:
    """How long each part takes, in seconds."""

    idle_s: float = 15.0
    watch_s: float = WATCH_S
    duty_s: float = 3.0
    settle_s: float = 1.5


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
        return f"{watts_text(idle['power_w'])}, drift unresolved"
    sure = abs(drift) > error
    return f"{watts_text(idle['power_w'])}, drift " + (
        f"{drift:.1f} ± {error:.1f} W a minute" if sure else f"within ± {error:.1f} W a minute"
    )


def characterize(
    meter: Meter,
    open_load: Callable[[], AbstractContextManager[Load]],
    *,
    powers: dict[str, Meter] | None = None,
    clock: Clock | None = None,
    plan: LoadTimes | None = None,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Measure one device's meter with the help of a load; return the facts that are stored and quoted later.

    ``open_load`` starts the load (once the device has been seen without it). ``powers``: power readings of the same device
    by name ('instant', 'average'), to be compared with its counter.
    """
    clock, plan, powers = clock or SystemClock(), plan or LoadTimes(), dict(powers or {})
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
        facts["duty"] = duty_of(session, polled, load, say, settle_s=plan.settle_s, seconds=plan.duty_s)
    spread = spread_of(facts["duty"], "counter_w")
    facts["phase_spread"] = {"meter": spread, "polled": spread_of(facts["duty"], "polled_w")}
    facts[kind]["integrates"] = integrates(spread)
    say(verdict(facts))
    return facts


def _behaviour(meter: Meter, load: Load, clock: Clock, plan: LoadTimes) -> dict[str, Any]:
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
        facts["load_w"] = mean_between_updates(busy)
    return facts


def _behaviour_text(facts: dict[str, Any]) -> str:
    period, window = facts.get("period_s"), facts.get("window_s")
    parts = [
        f"update every {period * 1e3:.1f} ms" if period else "no regular update seen",
        f"a read takes {facts['read_s'] * 1e6:,.0f} µs ({facts['read_cpu_s'] * 1e6:,.0f} µs of processor)",
    ]
    parts += [f"averages over {window * 1e3:.0f} ms"] if window is not None else []
    return ", ".join(parts) + f", {watts_text(facts['load_w'])} under load"
