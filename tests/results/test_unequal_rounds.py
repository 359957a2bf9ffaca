"""Runs of unequal numbers of rounds, without a difference: how often they are told apart all the same."""

import numpy as np
import pytest

from inferometer.results import drift
from inferometer.results.estimates import Series


def side(rng, rounds, between, first):
    """Return runs of so many rounds each, with 2 % between rounds."""
    runs = enumerate(rounds, first)
    values = [
        ((run, n), effect + 0.02 * rng.normal())
        for run, count in runs
        for effect in [between * rng.normal()]
        for n in range(count)
    ]
    keys, logs = zip(*values, strict=True)
    return Series(keys, logs)


@pytest.mark.parametrize("between", [0.0, 0.02])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([10] * 5, [1]),
        ([20] * 5, [3]),
        ([10, 10, 10, 1], [1]),
        ([20, 20], [3]),
        ([3] * 5, [20]),
        ([1] * 5, [1]),
        ([10, 10, 1], [10, 10, 1]),
        ([10] * 3, [1] * 3),
    ],
)
def test_equal_cells_are_told_apart_once_in_twenty(ours, theirs, between):
    rng = np.random.default_rng(7)
    told = 0
    for _ in range(500):
        sides = side(rng, ours, between, 0), side(rng, theirs, between, 100)
        ps = [drift.between_pools(*pair).p for pair in (sides, sides[::-1])]
        assert ps[0] == pytest.approx(ps[1])
        told += ps[0] < 0.05
    assert told <= 40  # three standard errors above 5 %


def test_runs_that_agree_by_luck_do_not_hide_the_noise_of_rounds():
    known = Series(((0, 0), (0, 1), (1, 0), (1, 1)), (-0.02, 0.02, 0.02, -0.02))
    low, high = drift.between_pools(known, Series(((2, 0),), (0.04,))).interval()
    assert low < 1 < high
