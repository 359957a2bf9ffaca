"""One meter sampled for a while without a thread, and what it told of that time."""

from __future__ import annotations

import threading

from inferometer.energy.integration.joules import Joules
from inferometer.energy.readings import Meter, read_value
from inferometer.energy.session import Session

IDLE_ITERATION_S = 0.001
_NEVER = threading.Event()


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
    """Return the mean power (W) that the session's one meter tells of a span; None where it knows that roughly only."""
    joules = energy_between(session, start_s, end_s)
    return None if joules.energy_j is None or joules.width else joules.energy_j / (end_s - start_s)
