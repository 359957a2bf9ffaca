"""What rounds can tell apart."""

import math
from pathlib import Path

import numpy as np
import pytest

from inferometer.resolution import MOST_ROUNDS, resolution_text, rounds_for, smallest_difference
from inferometer.runs import read_runs
from inferometer.summary import summarise

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(("noise", "rounds"), [(0.01, 5), (0.02, 12), (0.05, 8)])
def test_the_smallest_difference_is_found_in_nine_of_ten_cases(noise, rounds):
    from scipy.stats import ttest_ind

    random = np.random.default_rng(0)
    gap = math.log1p(smallest_difference(noise, rounds))
    first = random.normal(0, noise, (4000, rounds))
    second = random.normal(gap, noise, (4000, rounds))
    assert np.mean(ttest_ind(first, second, axis=1).pvalue < 0.05) == pytest.approx(0.90, abs=0.02)


def test_more_noise_takes_more_rounds():
    assert [rounds_for(0.03, noise) for noise in (0.001, 0.005, 0.01, 0.02, 0.08)] == [2, 2, 4, 11, 155]
    assert rounds_for(0.03, 10.0) == MOST_ROUNDS


def test_a_run_says_what_its_rounds_can_tell():
    three_rounds = summarise(read_runs([EXAMPLES / "quick-2-cores"]))
    text = resolution_text(three_rounds)
    assert (
        text.startswith("noise between rounds ")
        and "(median of 20 cells): 3 rounds tell differences of" in text
    )
    assert "3 % would take --rounds " in text
    assert resolution_text(three_rounds, difference=1.0).endswith(" %")
    assert resolution_text(three_rounds, difference=0.001).endswith("more than 50 rounds: a quieter machine")
    one_round = summarise(read_runs([EXAMPLES / "report-2-cores"]))
    assert resolution_text(one_round) == ""
