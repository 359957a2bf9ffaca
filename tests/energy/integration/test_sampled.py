"""Sampled power that tells nothing of a part of the span: the reason, and bounds that hold."""

import numpy as np
import pytest

from inferometer.energy.integration.integrate import span_energy
from inferometer.energy.integration.visits import visits_energy
from inferometer.energy.readings import Reading, Traits
from inferometer.energy.track import Track
from simulation import S

INSTANT = Traits("power", 0.1, resolution=1e-3, integrates=False, max_power_w=2100.0)
AVERAGED = Traits("power", 1.0, 1.0, resolution=1e-3, integrates=False, max_power_w=2100.0)
BEFORE_W, AFTER_W = 100.0, 600.0
SPAN = (0, 10 * S)


def read(told, traits=INSTANT, every_s=0.1):
    """Return the record of readings made while ``told`` says so, until 12.5 s; the device's power steps up at 3 s."""
    track, random = Track(traits), np.random.default_rng(3)
    for number in range(round(14.5 / every_s)):
        at_s = -2 + number * every_s + random.uniform(0, every_s / 10)
        if told(at_s):
            watts = (BEFORE_W if at_s < 3 else AFTER_W) + random.normal()
            track.append(Reading(round((at_s + 3) * S), round((at_s + 3) * S) + 1000, watts))
    return track


def energies(track):
    """Return the energy of the ten seconds, as one span and as visits with a second between them (5 s in all)."""
    start_ns = 3 * S  # of the span: no time is below zero
    window = track.window(start_ns, start_ns + SPAN[1])
    visits = [(start_ns + at * S, start_ns + (at + 1) * S, S) for at in range(0, 10, 2)]
    whole = span_energy(window, track.traits, start_ns, start_ns + SPAN[1])
    return (whole, 3 * BEFORE_W + 7 * AFTER_W), (
        visits_energy(window, track.traits, visits).joules(),
        2 * BEFORE_W + 3 * AFTER_W,
    )


@pytest.mark.parametrize(
    ("told", "silent_s"),
    [
        (lambda at_s: at_s < 3 or at_s > 12, 7.0),
        (lambda at_s: at_s < 3, 7.0),
        (lambda at_s: at_s < 0 or at_s > 4, 4.0),
        (lambda at_s: at_s > 4, 4.0),
        (lambda at_s: at_s < 2 or at_s > 8, 6.0),
    ],
    ids=["until the end", "for good", "at the beginning", "not begun", "within"],
)
def test_power_that_falls_silent_says_so_and_bounds_what_it_did_not_see(told, silent_s):
    for joules, truth in energies(read(told)):
        assert joules.reason.startswith("no reading for ")
        assert float(joules.reason.split()[3]) == pytest.approx(silent_s, abs=1.2)
        assert joules.low_j <= truth <= joules.high_j
        assert joules.high_j >= 2100 * 5


@pytest.mark.parametrize(
    ("traits", "every_s"), [(INSTANT, 0.1), (INSTANT, 0.7), (AVERAGED, 0.1), (AVERAGED, 1.0)]
)
def test_power_that_is_read_as_usual_has_no_such_reason(traits, every_s):
    for joules, _ in energies(read(lambda at_s: True, traits, every_s)):
        assert joules.reason == ""


def test_the_readings_next_to_the_ends_may_be_as_far_away_as_others():
    track = read(lambda at_s: 0.9 < at_s < 9.1, every_s=0.9)
    assert energies(track)[0][0].reason == ""
