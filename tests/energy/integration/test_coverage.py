"""How often intervals hold the truth, over many simulated spans."""

import dataclasses

import numpy as np

from inferometer.energy.integration.integrate import span_energy, steady_energy
from inferometer.energy.meters.simulated import (
    Faults,
    PowerCurve,
    simulate_updates,
)
from inferometer.energy.readings import Reading, Traits
from inferometer.energy.sampling.pacing import STEADY
from inferometer.energy.track import Track
from simulation import GPU_COUNTER, GPU_FAULTS, RAPL_COUNTER, S, loops, simulate

SEEDS = 1000


def random_curve(random, length_s):
    """Power that wanders, with bursts: steps of 5 to 60 ms between 40 and 400 W on a slow swell."""
    times = np.concatenate(([0.0], np.cumsum(random.uniform(0.005, 0.060, int(length_s / 0.02)))))
    swell = 1 + 0.3 * np.sin(times[:-1] * random.uniform(0.5, 5) + random.uniform(0, 6))
    return PowerCurve(times, random.uniform(40, 400, len(swell)) * swell)


def readings_around_updates(updates_s, shown, random, latency_s=0.004, margin_s=0.002):
    """What a tracker gives: two reads around each update, in one vectorised step; arrays [2 n]."""
    before = updates_s - margin_s - latency_s + random.uniform(-0.001, 0.001, len(updates_s))
    after = updates_s + margin_s + random.uniform(-0.001, 0.001, len(updates_s))
    starts = np.stack((before, after), axis=1).ravel()
    moments = starts + latency_s * random.uniform(0, 1, len(starts))
    values = shown[np.maximum(np.searchsorted(updates_s, moments, "right") - 1, 0)]
    return starts, starts + latency_s, values


def filled_track(traits, starts, ends, values):
    track = Track(traits)
    for start, end, value in zip(starts, ends, values, strict=True):
        if start >= 0:
            track.append(Reading(round(start * S), round(end * S), float(value)))
    return track


def coverage(reckon, make_curve, traits, faults, span_s, poll=None):
    """Return the share of seeds whose interval holds the truth, the mean half-width over the truth, and the count."""
    held, widths = 0, []
    for seed in range(SEEDS):
        random = np.random.default_rng(seed)
        curve = make_curve(random)
        updates, shown = simulate_updates(curve, traits, faults, 0.0, random)
        keep = updates >= 0.01
        if poll is None:
            track = filled_track(traits, *readings_around_updates(updates[keep], shown[keep], random))
        else:
            track = filled_track(traits, *poll(updates, shown, random, float(curve.times_s[-1])))
        start_s = random.uniform(0.6, 1.2)
        start, end = round(start_s * S), round((start_s + span_s) * S)
        joules = reckon(track.window(start, end), traits, start, end)
        truth = curve.span_j(start / S, end / S)
        assert joules.low_j is not None and joules.high_j is not None, joules
        held += joules.low_j <= truth <= joules.high_j
        widths.append((joules.high_j - joules.low_j) / 2 / truth)
    return held / SEEDS, float(np.mean(widths))


def poll_irregularly(updates, shown, random, length_s):
    starts = np.cumsum(random.uniform(0.025, 0.075, int(length_s / 0.05)))
    starts = starts[starts < length_s - 0.1]
    values = shown[np.maximum(np.searchsorted(updates, starts, "right") - 1, 0)]
    return starts, starts + 1e-5, values


def poll_steadily(updates, shown, random, length_s):
    starts = random.uniform(0, 0.05) + np.arange(int(length_s / 0.05) - 2) * 0.05
    values = shown[np.maximum(np.searchsorted(updates, starts + 1e-5, "right") - 1, 0)]
    return starts, starts + 2e-5, values


def work_with_loops(random, period_s=0.023):
    return PowerCurve.cycles(
        random.uniform(150, 500), random.uniform(50, 150), period_s, random.uniform(0.2, 0.8), 5
    )


def test_intervals_of_any_span_hold_the_truth():
    held, width = coverage(
        span_energy, lambda r: random_curve(r, 3.6), GPU_COUNTER, Faults(jitter_s=0.0005), 2.0
    )
    assert held >= 0.93
    assert width < 0.08


def test_intervals_of_steady_loops_hold_the_truth():
    held, width = coverage(
        lambda *a: steady_energy(*a, iteration_s=0.023),
        work_with_loops,
        GPU_COUNTER,
        Faults(jitter_s=0.0005),
        3.0,
    )
    assert held >= 0.93
    assert width < 0.012


def test_intervals_of_steady_loops_hold_the_truth_though_the_counter_sees_a_quarter_of_the_time():
    traits = dataclasses.replace(GPU_COUNTER, integrates=False)
    held, width = coverage(
        lambda *a: steady_energy(*a, iteration_s=0.061),
        lambda r: work_with_loops(r, 0.061),
        traits,
        Faults(jitter_s=0.0005, duty=0.25),
        3.0,
    )
    assert held >= 0.93
    assert width < 0.15


def test_a_run_reads_seldom_and_its_intervals_hold_the_truth():
    held, widths, reads, seeds = 0, [], [], 200
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        period_s = random.uniform(0.011, 0.06)
        curve, count = noisy_cycles(random, period_s), int(4.5 / period_s)
        own = dataclasses.replace(GPU_FAULTS, seed=seed)
        session, _ = simulate(curve, GPU_COUNTER, own, 8.0, pacing=STEADY)
        reads.append(next(iter(session.sampler.channels.values())).cost.reads / 8)
        spans = loops(3.0, period_s, count)
        device, truth = session.energy(spans).devices[0], curve.span_j(3.0, spans[-1][1] / S)
        held += device.low_j <= truth <= device.high_j
        widths.append((device.high_j - device.low_j) / 2 / truth)
    assert held / seeds >= 0.93
    assert np.mean(widths) < 0.007
    assert np.mean(reads) < 9  # a second; each update twice would be 20


def noisy_cycles(random, period_s):
    """9 s of batches whose power, 10 % more or less each, falls within a batch."""
    count = int(9 / period_s)
    starts = np.arange(count + 1) * period_s
    times = np.stack((starts, starts + random.uniform(0.3, 0.8) * period_s), axis=1).ravel()[:-1]
    high = random.uniform(300, 600) * (1 + 0.1 * random.normal(size=count))
    return PowerCurve(times, np.stack((high, np.full(count, random.uniform(80, 250))), axis=1).ravel())


def test_intervals_from_rapl_hold_the_truth():
    held, width = coverage(
        span_energy, lambda r: random_curve(r, 2.5), RAPL_COUNTER, Faults(jitter_s=5e-5), 1.0, poll_steadily
    )
    assert held >= 0.93
    assert width < 0.08


def test_intervals_from_sampled_power_hold_the_truth():
    traits = Traits("power", 0.02, resolution=1e-3, integrates=False)
    held, width = coverage(span_energy, lambda r: random_curve(r, 5), traits, Faults(), 3.0, poll_irregularly)
    assert held >= 0.93
    assert width < 0.25
