"""What rounds can tell apart."""

import math
from pathlib import Path

import numpy as np
import pytest

from inferometer.resolution import (
    MOST_ROUNDS,
    resolution_text,
    rounds_for,
    second_stage,
    smallest_difference,
)
from inferometer.runs import read_runs
from inferometer.summary import summarise
from simulated_runs import cell, rounds_of, run

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
    assert [rounds_for(0.03, noise) for noise in (0.001, 0.005, 0.01, 0.02, 0.08)] == [2, 3, 5, 17, 251]
    assert rounds_for(0.03, 10.0) == MOST_ROUNDS


def test_a_run_says_what_its_rounds_can_tell():
    three_rounds = summarise(read_runs([EXAMPLES / "quick-2-cores"]))
    text = resolution_text(three_rounds)
    assert (
        text.startswith("noise between rounds ")
        and "(median of 20 cells): 3 rounds tell differences of" in text
    )
    assert text.endswith("3 % would take more than 50 rounds: a quieter machine")
    assert "; 5 % would take --rounds " in resolution_text(three_rounds, difference=0.05)
    assert resolution_text(three_rounds, difference=1.0).endswith(" %")
    one_round = summarise(read_runs([EXAMPLES / "report-2-cores"]))
    assert resolution_text(one_round) == ""


def noisy(noise, frameworks=6, rounds=3):
    """Return a run whose rates scatter by ``noise`` between rounds."""
    random = np.random.default_rng(4)
    scatter = np.exp(noise * random.standard_normal((frameworks, rounds)))
    records = [r for f in range(frameworks) for r in rounds_of(cell(f"f{f}"), 1000 * scatter[f])]
    return summarise([run(records)])


def test_a_second_stage_asks_for_as_many_rounds_as_the_noise_takes():
    assert second_stage(noisy(0.001), 3, 16) is None
    stage = second_stage(noisy(0.014), 3, 16)
    assert stage is not None and 3 < stage.rounds <= 16
    assert f"going on to {stage.rounds}" in stage.text and stage.text.startswith("noise between rounds 1.")
    assert second_stage(noisy(0.014), 3, stage.rounds - 1).rounds == stage.rounds - 1


def test_no_second_stage_where_rounds_are_no_remedy_or_nothing_is_known():
    assert second_stage(noisy(0.1), 3, 16) is None
    assert second_stage(noisy(0.01, rounds=1), 1, 16) is None
    assert second_stage(noisy(0.01, rounds=8), 8, 4) is None
