"""Many visits as one measurement: joint bounds, regression at random phases, and visits that keep step with the meter."""

import dataclasses

import numpy as np
import pytest

from inferometer.energy.integration.anchors import Anchors
from inferometer.energy.integration.joules import Joules
from inferometer.energy.integration.phases import in_step
from inferometer.energy.integration.visits import Fit, VisitsEnergy, together, visits_energy
from inferometer.energy.meters.simulated import PowerCurve
from inferometer.energy.readings import Reading, Traits
from inferometer.energy.track import Track
from simulation import S

COUNTER = Traits("counter", 0.1, resolution=1e-3)


def drawn(starts, length_s, high_w=400, low_w=60):
    """A program that draws much in its visits and little between them."""
    edges = np.stack((starts, starts + length_s), axis=1).ravel()
    times = np.concatenate(([0.0], edges, [edges[-1] + 2]))
    return PowerCurve(times, np.where(np.arange(len(times) - 1) % 2, high_w, low_w))


def metered(curve, traits, phase_s=0.0):
    """Two reads close around each update, as the sampler makes them."""
    track = Track(traits)
    for update in np.arange(phase_s + traits.period_s, curve.times_s[-1], traits.period_s):
        for at_s in (update - 0.002, update + 0.002):
            shown = update if at_s > update else update - traits.period_s
            track.append(Reading(round(at_s * S), round(at_s * S), float(curve.energy_j(shown))))
    return track


def reckon(track, starts, length_s):
    visits = [(round(s * S), round((s + length_s) * S), round(length_s * S)) for s in starts]
    window = track.window(visits[0][0], visits[-1][1])
    return visits_energy(window, track.traits, visits)


def test_many_visits_at_random_phases_are_known_though_none_of_them_is():
    starts = 1 + np.cumsum(np.random.default_rng(2).uniform(0.03, 0.09, 600))
    found = reckon(metered(drawn(starts, 0.005), COUNTER), starts, 0.005)
    joules, truth = found.joules(), 600 * 0.005 * 400
    assert joules.source == "estimated" and joules.low_j <= truth <= joules.high_j
    assert joules.half_width < 0.4
    assert found.bounded.low_j <= truth <= found.bounded.high_j
    assert found.bounded.half_width > 3 and found.bounded.energy_j < 0.5 * truth  # by the power around them


def test_chance_alone_does_not_move_the_estimate_from_that_of_even_power():
    errors = []
    for seed in range(20):
        starts = 1 + np.cumsum(np.random.default_rng(seed).uniform(0.007, 0.015, 300))
        curve = PowerCurve.cycles(200, 20, 0.03, 0.5, starts[-1] + 2)  # nothing to do with the visits
        truth = sum(curve.span_j(start, start + 0.005) for start in starts)
        errors.append(abs(reckon(metered(curve, COUNTER), starts, 0.005).joules().energy_j / truth - 1))
    assert max(errors) < 0.06


@pytest.mark.parametrize("phase_s", [0.0, 0.03, 0.097])
def test_visits_in_step_with_the_updates_are_not_taken_for_random(phase_s):
    starts = 1 + np.arange(300) * 0.1
    track = metered(drawn(starts, 0.005), COUNTER, phase_s)
    joules = reckon(track, starts, 0.005).joules()
    assert joules.low_j <= 300 * 0.005 * 400 <= joules.high_j


def test_visits_between_the_same_updates_share_what_these_counted():
    starts = 1 + np.arange(40) * 0.01  # ten between two updates
    found = reckon(metered(PowerCurve.steady(200, 4), COUNTER), starts, 0.005)
    assert found.bounded.high_j <= 200 * 0.65  # each by itself may have had all: 40 x 20 J
    assert found.bounded.low_j <= 200 * 0.2 <= found.bounded.high_j


def test_back_to_back_visits_are_one_stretch():
    starts = 1 + np.arange(100) * 0.02
    joules = reckon(metered(PowerCurve.steady(200, 5), COUNTER), starts, 0.02).joules()
    assert joules.source == "counter" and joules.energy_j == pytest.approx(400, rel=0.01)
    assert joules.half_width < 0.06


def test_too_few_visits_have_bounds_alone():
    starts = 1 + np.cumsum(np.random.default_rng(1).uniform(0.2, 0.4, 10))
    found = reckon(metered(drawn(starts, 0.005), COUNTER), starts, 0.005)
    assert found.fit is None and found.joules() == found.bounded


def test_a_period_that_is_not_known_tells_no_phases():
    unknown = dataclasses.replace(COUNTER, period_known=False)
    starts = 1 + np.cumsum(np.random.default_rng(2).uniform(0.03, 0.09, 600))
    found = reckon(metered(drawn(starts, 0.005), unknown), starts, 0.005)
    assert found.fit is None and found.bounded.low_j <= 1200 <= found.bounded.high_j


def test_sets_of_visits_add_up():
    one = VisitsEnergy(Joules("counter", 10.0, 0.0, 40.0), Fit(12.0, 1.0, 7.0, 0.5))
    both = together([one, one])
    assert (both.bounded.energy_j, both.bounded.high_j) == (20.0, 80.0)
    assert both.fit == Fit(24.0, 2.0, pytest.approx(14.0), 1.0)
    without = together([one, VisitsEnergy(Joules("counter", 5.0, 4.0, 6.0))])
    assert without.fit is None and without.joules().low_j == 4.0


def anchors(times_s, width_s):
    high = np.round((np.asarray(times_s) + width_s / 2) * S).astype(np.int64)
    low = high - round(width_s * S)
    return Anchors(low, high, np.arange(len(high), dtype=float), low)


@pytest.mark.parametrize("width_s", [0.004, 0.1])
def test_keeping_step(width_s):
    random = np.random.default_rng(4)
    updates = anchors(np.arange(0, 60, 0.1), width_s)
    regular = np.round((1 + np.arange(400) * 0.1) * S).astype(np.int64)
    chance = np.sort(np.round(random.uniform(1, 59, 400) * S).astype(np.int64))
    assert in_step(updates, regular, 0.1) > 0.9
    assert in_step(updates, chance, 0.1) < 0.1


def test_power_sampled_within_many_visits():
    traits = Traits("power", 0.0, resolution=1e-3, max_power_w=1000)
    starts = 1 + np.arange(50) * 0.3
    curve, track, random = drawn(starts, 0.1), Track(traits), np.random.default_rng(3)
    for at_s in np.cumsum(random.uniform(0.01, 0.03, 800)):
        watts = curve.span_j(at_s, at_s + 1e-4) / 1e-4
        track.append(Reading(round(at_s * S), round(at_s * S), watts))
    joules = reckon(track, starts, 0.1).joules()
    assert joules.source == "sampled" and joules.energy_j == pytest.approx(50 * 0.1 * 400, rel=0.03)
    short = reckon(track, starts[:2], 0.001).joules()
    assert short.low_j == 0.0 and short.high_j == pytest.approx(2 * 0.001 * 1000) and short.energy_j > 0
