"""The slope of steady loops claims no more degrees of freedom than its updates have."""

import dataclasses

import numpy as np
import pytest

from inferometer.energy.integration.integrate import span_energy, steady_energy
from inferometer.energy.readings import Reading, Traits
from inferometer.energy.track import Track

S = 1_000_000_000
PARTIAL = Traits("counter", 0.1, resolution=1e-3, integrates=False)


def track_of(updates, well_dated):
    """A counter at 100 W, read around each update: closely around some of them, widely around the others."""
    track = Track(PARTIAL)
    for number in range(updates):
        at_s = 0.1 * (number + 1)
        margin_s = 0.001 if number in well_dated else 0.04
        for moment, joules in ((at_s - margin_s, 10.0 * number), (at_s + margin_s, 10.0 * (number + 1))):
            track.append(Reading(round(moment * S), round(moment * S), joules))
    return track


@pytest.mark.parametrize("well_dated", [(1, 5), (3, 4)])
def test_with_fewer_than_three_good_updates_there_is_no_slope(well_dated):
    """Two updates have no scatter and no freedom; one was given them, and an interval that told nothing."""
    window = track_of(8, well_dated).window(round(0.12 * S), round(0.72 * S))
    traits = dataclasses.replace(PARTIAL)
    steady = steady_energy(window, traits, round(0.12 * S), round(0.72 * S))
    assert steady == span_energy(window, traits, round(0.12 * S), round(0.72 * S))


def test_the_scatter_of_few_updates_is_not_called_smaller_than_it_is():
    """Of a counter that sees a part of the time, updates scatter by 20 %: five hold the truth as often as they say."""
    random, held, draws = np.random.default_rng(5), 0, 600
    for _ in range(draws):
        track, joules = Track(PARTIAL), 0.0
        for number in range(9):
            for offset, step in ((-0.001, 0.0), (0.001, 10 * (1 + 0.2 * random.normal()))):
                joules += step
                at_ns = round((0.1 * (number + 1) + offset) * S)
                track.append(Reading(at_ns, at_ns, joules))
        start, end = round(0.15 * S), round(0.65 * S)
        found = steady_energy(track.window(start, end), PARTIAL, start, end)
        held += found.low_j <= 50 <= found.high_j
    assert held / draws >= 0.94
