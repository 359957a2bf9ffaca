"""Drive a session over simulated meters in simulated time."""

import itertools

from inferometer.energy.meters.simulated import Faults, SimulatedClock, SimulatedMeter
from inferometer.energy.readings import MeteredDevice, Reading, Traits
from inferometer.energy.sampling.pacing import REGIONS
from inferometer.energy.session import Session
from inferometer.energy.track import Track

S = 1_000_000_000

GPU_COUNTER = Traits("counter", 0.1, resolution=1e-3)  # what NVML shows on an H100
GPU_FAULTS = Faults(latency_s=0.004, latency_jitter_s=0.001, jitter_s=0.0005)
RAPL_COUNTER = Traits("counter", 0.001, resolution=1e-4, range_j=262143.0, max_power_w=2000)
RAPL_FAULTS = Faults(latency_s=2e-5, jitter_s=5e-5)


def simulate(
    curve,
    traits=GPU_COUNTER,
    faults=GPU_FAULTS,
    until_s=None,
    device="cuda:0",
    uid="sim:0",
    pacing=REGIONS,
    **options,
):
    clock = SimulatedClock()
    type_ = {"cuda:0": "gpu"}.get(device, "cpu")
    meter = SimulatedMeter(
        curve, clock, traits, faults, MeteredDevice(uid, "simulated", type_, "sim"), **options
    )
    session = Session([meter], device=device, clock=clock, pacing=pacing)
    run(session, clock, until_s or float(curve.times_s[-1]) - 0.5)
    return session, clock


def run(session, clock, until_s):
    while session.sampler.next_ns < until_s * S:
        clock.time_ns = max(clock.time_ns, session.sampler.next_ns)
        session.sampler.step()
    clock.time_ns = round(until_s * S)


def loops(start_s, length_s, count, images=64):
    edges = [round((start_s + i * length_s) * S) for i in range(count + 1)]
    return [(a, b, images) for a, b in itertools.pairwise(edges)]


class LivingClock(SimulatedClock):
    """Waiting reads the meters meanwhile, as the sampler's thread would."""

    session = None

    def wait(self, until_ns, wake):
        if self.session is not None and not self.stepping:
            self.stepping = True
            run(self.session, self, until_ns / S)
            self.stepping = False
        return super().wait(until_ns, wake)

    stepping = False


def record(traits, times_s, joules):
    """Return the record of a counter that showed these joules at these times."""
    track = Track(traits)
    for at_s, value in zip(times_s, joules, strict=True):
        track.append(Reading(round(at_s * S), round(at_s * S) + 1000, value))
    return track
