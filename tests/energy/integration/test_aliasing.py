"""A meter that sees a part of the time, in step with a load: biased as it is, unbiased by the worker's pauses."""

import dataclasses
import types

import numpy as np
import pytest

from inferometer.energy.meters.simulated import Faults, PowerCurve, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Traits
from inferometer.energy.sampling.pacing import STEADY
from inferometer.energy.session import Session
from inferometer.worker import loop as worker_loop
from inferometer.worker.loop import measure_loops
from inferometer.worker.phase_shift import PhaseShift
from inferometer.worker.stopping import StoppingRule
from simulation import S, run

IDLE_W, HIGH_W, LOW_W, DUTY = 60.0, 300.0, 100.0, 0.4
BEGIN_S, TAIL_S = 4.0, 1.5
SEEDS = range(8)

PARTIAL_COUNTER = (
    Traits("counter", 0.1, resolution=1e-3, integrates=False),
    Faults(duty=0.25, latency_s=1e-3),
)
INSTANT_POWER = (Traits("power", 0.1, resolution=1e-3, integrates=False), Faults(latency_s=1e-5))


class SimulatedExecution:
    """Batches that draw much power for the first part of their time and less for the rest; keeps the whole curve."""

    def __init__(self, batch_s):
        self.batch_s = batch_s
        self.now_ns = round(BEGIN_S * S)
        self.times, self.watts = [0.0, BEGIN_S], [IDLE_W]

    def timed_loop(self, placed):
        start_ns = self.now_ns
        for _ in placed:
            self._draw(HIGH_W, DUTY * self.batch_s)
            self._draw(LOW_W, (1 - DUTY) * self.batch_s)
        return start_ns, self.now_ns, []

    def sleep(self, seconds):
        self._draw(IDLE_W, seconds)

    def curve(self):
        self.sleep(TAIL_S)
        return PowerCurve(self.times, self.watts)

    def _draw(self, watts, seconds):
        self.now_ns += round(seconds * S)
        self.times.append(self.now_ns / S)
        self.watts.append(watts)


def looped(monkeypatch, batch_s, batches, updates_s):
    """Return the loops that a worker would do of such batches, and the power that they drew."""
    execution = SimulatedExecution(batch_s)
    monkeypatch.setattr(worker_loop, "time", types.SimpleNamespace(sleep=execution.sleep))
    rule = StoppingRule(10, window_s=4.5)
    shift = PhaseShift(updates_s, batches, rule.expected_loops)
    loops = measure_loops(execution, [None] * batches, rule, shift)
    spans = [(x["start_ns"], x["start_ns"] + round(x["elapsed_s"] * S), 64) for x in loops]
    return spans, execution.curve()


def metered(spans, curve, batches, meter, seed):
    """Return the metered energy over the true one, whether the interval holds the truth, and the flags."""
    traits, faults = meter
    clock = SimulatedClock()
    device = MeteredDevice("sim:0", "simulated", "gpu", "sim")
    shown = SimulatedMeter(curve, clock, traits, dataclasses.replace(faults, seed=seed), device)
    session = Session([shown], device="cuda:0", clock=clock, pacing=STEADY)
    run(session, clock, float(curve.times_s[-1]) - 0.3)
    session.mark_idle(1 * S, round((BEGIN_S - 0.5) * S), "loaded")
    (found,) = session.energy(spans).devices
    truth = sum(curve.span_j(start / S, end / S) for start, end, _ in spans)
    return found.energy_j / truth, found.low_j <= truth <= found.high_j, session.flags(spans, batches)


@pytest.mark.parametrize(("batch_s", "batches"), [(0.1, 1), (0.1, 5), (0.05, 4), (0.0999, 3), (0.2, 2)])
@pytest.mark.parametrize(
    ("meter", "limit"),
    [
        (PARTIAL_COUNTER, 0.03),
        (INSTANT_POWER, 0.12),
    ],  # of a power reading each 100 ms, 45 points are all there is
    ids=["partial counter", "instant power"],
)
def test_shifting_the_phases_takes_the_bias_away(monkeypatch, meter, limit, batch_s, batches):
    as_they_are = looped(monkeypatch, batch_s, batches, [])
    shifted = looped(monkeypatch, batch_s, batches, [0.1])
    before = [metered(*as_they_are, batches, meter, seed) for seed in SEEDS]
    after = [metered(*shifted, batches, meter, seed) for seed in SEEDS]
    assert max(abs(ratio - 1) for ratio, _, _ in before) > 2 * limit
    assert max(abs(ratio - 1) for ratio, _, _ in after) < limit
    assert not all(held for _, held, _ in before)
    assert all(held for _, held, _ in after)
    assert all(flags[0].kind == "aliasing" for _, _, flags in before)
    assert all(not flags for _, _, flags in after)


def test_pauses_cost_the_loops_nothing_and_their_energy_is_left_out(monkeypatch):
    meter = (Traits("counter", 0.1, resolution=1e-3), Faults(latency_s=1e-3))  # sees all of the time
    spans, curve = looped(monkeypatch, 0.1, 1, [0.1])
    lengths = np.array([end - start for start, end, _ in spans])
    assert (lengths == lengths[0]).all()
    for seed in SEEDS:
        ratio, held, flags = metered(spans, curve, 1, meter, seed)
        assert ratio == pytest.approx(1, abs=0.015)
        assert held and not flags
