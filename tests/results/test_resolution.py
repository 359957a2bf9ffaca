"""What rounds can tell apart."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from inferometer.results.resolution import (
    MOST_ROUNDS,
    noise_between_rounds,
    resolution,
    rounds_for,
    second_stage,
    smallest_difference,
)
from inferometer.results.summary import summarise
from inferometer.storage.find import read_runs
from simulated_runs import cell, rounds_of, run

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(("noise", "rounds"), [(0.01, 5), (0.02, 12), (0.05, 8)])
def test_the_smallest_difference_is_found_in_nine_of_ten_cases(noise, rounds):
    from scipy.stats import ttest_ind

    random = np.random.default_rng(0)
    gap = math.log1p(smallest_difference(noise, rounds))
    first = random.normal(0, noise, (4000, rounds))
    second = random.normal(gap, noise, (4000, rounds))
    assert np.mean(ttest_ind(first, second, axis=1).pvalue < 0.05) == pytest.approx(0.90, abs=0.02)


def test_more_noise_takes_more_rounds():
    assert [rounds_for(0.03, noise) for noise in (0.001, 0.005, 0.01, 0.02, 0.08)] == [2, 3, 5, 14, 203]
    assert rounds_for(0.03, 10.0) == MOST_ROUNDS


def test_a_run_says_what_its_rounds_can_tell():
    three_rounds = summarise(read_runs([EXAMPLES / "quick-2-cores"]))
    found = resolution(three_rounds)
    assert re.fullmatch(
        r"cells less than about \d+ % apart may not be told apart by 3 rounds; to tell 3 %: measure on a quieter machine",
        found.words,
    )
    assert "median of 20 cells" in found.details[0] and "3 rounds find a difference of" in found.details[1]
    assert found.details[2] == "3 % would take more than 50 rounds"
    fewer = resolution(three_rounds, difference=0.05)
    (rounds,) = re.findall(r"; to tell 5 %: --rounds (\d+)$", fewer.words)
    assert fewer.details[2] == f"5 % would take {rounds} rounds"
    enough = resolution(three_rounds, difference=1.0)
    assert enough.words.endswith(" apart may not be told apart by 3 rounds") and len(enough.details) == 2
    one_round = summarise(read_runs([EXAMPLES / "report-2-cores"]))
    assert resolution(one_round) is None


def test_noise_beyond_a_factor_of_two_is_told_as_a_multiple():
    words = resolution(noisy(0.8)).words
    assert re.match(
        r"these 3 rounds tell only cells apart of which one is some [\d,.]+ times as fast; to tell 3 %: ",
        words,
    )
    assert "%" not in words.partition(";")[0]
    assert resolution(noisy(0.8)).details[1].startswith("at that noise 3 rounds find a factor of ")


def test_longer_loops_are_a_remedy_where_they_are_short():
    remedy = "let loops last longer (--energy-window 1), or measure on a quieter machine"
    assert resolution(noisy(0.1, rate=1e6)).words.endswith(remedy)
    assert resolution(noisy(0.1)).words.endswith(": measure on a quieter machine")


def noisy(noise, frameworks=6, rounds=3, rate=1000, **devices):
    """Return a run whose rates scatter by ``noise`` between rounds; ``devices``: others and their noise."""
    random = np.random.default_rng(4)
    records = []
    for device, share in {"cuda:0": noise, **devices}.items():
        scatter = np.exp(share * random.standard_normal((frameworks, rounds)))
        for f in range(frameworks):
            records += rounds_of(cell(f"f{f}", device=device), rate * scatter[f])
    return summarise([run(records)])


def test_three_rounds_do_not_make_a_machine_look_quieter_than_it_is():
    assert noise_between_rounds(noisy(0.02, frameworks=400)).middle == pytest.approx(0.02, rel=0.08)


def test_a_second_stage_asks_for_as_many_rounds_as_the_noise_takes():
    assert second_stage(noisy(0.001), 3, 16) is None
    stage = second_stage(noisy(0.01), 3, 16)
    assert stage is not None and 3 < stage.rounds <= 16
    assert f"going on to {stage.rounds} rounds" in stage.text and stage.text.startswith(
        "cells less than about "
    )
    assert second_stage(noisy(0.01), 3, stage.rounds - 1).rounds == stage.rounds - 1


def test_no_second_stage_where_rounds_are_no_remedy_or_nothing_is_known():
    assert second_stage(noisy(0.1), 3, 16) is None
    assert second_stage(noisy(0.01, rounds=1), 1, 16) is None
    assert second_stage(noisy(0.01, rounds=8), 8, 4) is None


def test_what_rounds_already_tell_needs_no_more():
    almost = noisy(0.005)
    found = resolution(almost)
    assert "less than about 2." in found.words and "to tell" not in found.words
    assert not any("would take" in detail for detail in found.details)
    assert second_stage(almost, 3, 16) is None


def test_the_device_that_needs_most_decides_unless_nothing_helps_it():
    assert "on cpu " in second_stage(noisy(0.001, cpu=0.01), 3, 16).text
    assert "on cuda:0 " in second_stage(noisy(0.014, cpu=0.3), 3, 16).text
