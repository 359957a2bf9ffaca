"""Update periods that are told, stored or served, and wrong: what a burst of reads shows counts, and intervals hold the truth."""

import dataclasses

import numpy as np
import pytest

from inferometer.energy.meters.built_in.served import ServedMeter
from inferometer.energy.meters.served_lines import FRESHEST_S, Offered
from inferometer.energy.meters.simulated import Faults, PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import Traits
from inferometer.energy.session import Session
from simulation import RAPL_COUNTER, S, run


def opened(told, true_s, curve, seed=0):
    """Return a session over a counter that is told to be as ``told`` and is updated every ``true_s``; and its clock."""
    clock = SimulatedClock()
    true = dataclasses.replace(told, period_s=true_s)
    meter = SimulatedMeter(curve, clock, true, Faults(latency_s=2e-5, seed=seed))
    meter.traits = told
    session = Session([meter], clock=clock)
    session.sampler.learn_periods()
    return session, clock


def spans(session, clock, random, count=8):
    """Yield spans of random lengths whose edges are read, as regions are."""
    for _ in range(count):
        run(session, clock, clock.time_ns / S + random.uniform(0.05, 0.3))
        session.sampler.read_fast()
        start = clock.now_ns()
        run(session, clock, clock.time_ns / S + random.uniform(0.01, 0.4))
        session.sampler.read_fast()
        yield start, clock.now_ns()


@pytest.mark.parametrize("told_s", [0.0, 0.001])
@pytest.mark.parametrize("true_s", [0.002, 0.01, 0.03, 0.1, 1.0])
def test_what_is_told_or_stored_of_a_period_is_looked_at(told_s, true_s):
    """A file that is written every second, told to be current at every read: 0 J where 30 were taken."""
    for seed in range(4):
        random = np.random.default_rng(seed)
        curve = PowerCurve.cycles(200, 20, random.uniform(0.02, 0.3), 0.5, 12)
        session, clock = opened(Traits("counter", told_s, resolution=1e-4), true_s, curve, seed)
        asked = list(spans(session, clock, random))
        run(session, clock, clock.time_ns / S + 2.5)
        (uid,) = session.channels
        for (start, end), found in zip(asked, session.parts(uid, asked), strict=True):
            truth_j = curve.span_j(start / S, end / S)
            assert found.low_j - 1e-6 <= truth_j <= found.high_j + 1e-6, (
                seed,
                start / S,
                end / S,
                truth_j,
                found,
            )


def test_a_stored_period_that_is_right_stays():
    session, _ = opened(
        dataclasses.replace(RAPL_COUNTER, period_s=0.00098), 0.00098, PowerCurve.steady(50, 2)
    )
    (meter,) = session.meters
    assert meter.traits.period_known and meter.traits.period_s == pytest.approx(0.00098, rel=0.3)


def test_a_counter_that_is_current_at_every_read_is_believed():
    session, _ = opened(Traits("counter", 0.0), 1e-6, PowerCurve.steady(50, 0.2))
    (meter,) = session.meters
    assert meter.traits.period_known and meter.traits.period_s == 0.0


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("true_s", [1e-4, 0.001, 0.008, 0.01, 0.1])
def test_what_is_served_is_as_old_as_the_counter_and_the_server_make_it_together(true_s, known, tmp_path):
    """A value read 10 ms ago of a counter that was updated 10 ms before: 12.5 ms were allowed for."""
    offered = Traits("counter", true_s, period_known=known)
    client = ServedMeter(Offered(None, offered), tmp_path)
    assert client.traits.late_s >= 1.25 * true_s + FRESHEST_S
    assert client.traits.late_s <= 1.25 * max(true_s, FRESHEST_S) + FRESHEST_S
    assert client.traits.period_known == known
