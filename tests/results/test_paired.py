"""What two models' answers to the same images say of each other, against simulated models of known accuracy."""

import math

import numpy as np
import pytest

from inferometer.results.paired import Paired

DRAWS = 4000
# of 4,000 draws, three standard errors of a coverage of 95 % are 1 %
SEEDED = np.random.default_rng(18)


def drawn(n, lost, won):
    """Yield what is seen of ``n`` images where a share ``lost`` is right in the reference only, ``won`` in the model only."""
    counts = SEEDED.multinomial(n, [lost, won, 1 - lost - won], size=DRAWS)
    seen, times = np.unique(counts[:, :2], axis=0, return_counts=True)
    for (b, c), count in zip(seen.tolist(), times.tolist(), strict=True):
        yield Paired(n, b, c), count


def coverage(n, lost, won):
    held = sum(
        count
        for pair, count in drawn(n, lost, won)
        if pair.interval[0] - 1e-12 <= lost - won <= pair.interval[1] + 1e-12
    )
    return held / DRAWS


@pytest.mark.parametrize("n", [50, 381, 899])
@pytest.mark.parametrize("discordant", [0.004, 0.02, 0.1, 0.4])
def test_of_two_equal_models_no_loss_is_within_the_interval(n, discordant):
    assert coverage(n, discordant / 2, discordant / 2) >= 0.94


@pytest.mark.parametrize("n", [50, 381, 899])
@pytest.mark.parametrize(
    ("lost", "won"), [(0.01, 0.0), (0.015, 0.005), (0.08, 0.03), (0.3, 0.1), (0.6, 0.05)]
)
def test_the_interval_holds_the_true_loss(n, lost, won):
    assert coverage(n, lost, won) >= 0.94


@pytest.mark.parametrize("n", [50, 899])
@pytest.mark.parametrize("discordant", [0.01, 0.1, 0.4])
def test_the_p_value_is_valid(n, discordant):
    found = list(drawn(n, discordant / 2, discordant / 2))
    for alpha in (0.01, 0.05, 0.2):
        share = sum(count for pair, count in found if pair.p <= alpha) / DRAWS
        assert share <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / DRAWS)


def test_an_interval_without_0_is_never_told_beside_a_p_value_above_5_percent():
    for b in range(40):
        for c in range(40):
            low, high = Paired(1000, b, c).interval
            assert low <= (b - c) / 1000 <= high
            if not low <= 0 <= high:
                assert Paired(1000, b, c).p <= 0.05


def test_known_values():
    # exact McNemar of 1 and 9: 2 * (1 + 10) / 2**10
    assert Paired(100, 1, 9).p == pytest.approx(22 / 1024)
    assert Paired(50, 0, 0).p == 1.0
    low, high = Paired(50, 0, 0).interval
    assert high == pytest.approx(
        1.959964**2 / (50 + 1.959964**2)
    )  # what no loss in 50 images leaves possible
    assert low == pytest.approx(-high)


def test_both_directions_mirror():
    assert Paired(200, 12, 3).interval == pytest.approx(
        tuple(-x for x in reversed(Paired(200, 3, 12).interval))
    )


def test_all_lost():
    low, high = Paired(20, 20, 0).interval
    assert 0.6 < low < 1 and high == pytest.approx(1.0)
    assert Paired(20, 20, 0).p == pytest.approx(2 / 2**20)


@pytest.mark.parametrize("counts", [(0, 0, 0), (10, -1, 0), (10, 6, 5)])
def test_what_are_no_counts(counts):
    with pytest.raises(ValueError, match="no counts of pairs"):
        Paired(*counts)
