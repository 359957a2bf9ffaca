"""The simulation behind docs/energy.md's table, small: every kind of region has a figure, and intervals hold the truth."""

import itertools
from pathlib import Path

import numpy as np
import pytest

TRIALS = 6


@pytest.fixture
def truth(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import energy_truth

    return energy_truth


@pytest.mark.parametrize("update_s", [0.001, 0.01, 0.1, 1.0])
def test_intervals_hold_the_truth(truth, update_s):
    held = []
    for load, region_s, visits in itertools.product(truth.LOADS, (0.005, 0.3), truth.VISITS):
        found = truth.run_case(truth.Case(update_s, load, region_s, visits), TRIALS, seed=7)
        held.append(found.held)
    assert np.mean(held) >= 0.97  # of 96; each combination by itself takes the benchmark's many trials


@pytest.mark.parametrize(("update_s", "load"), [(0.01, "own"), (0.1, "own"), (0.1, "constant")])
def test_many_short_visits_are_known_better_than_one(truth, update_s, load):
    """A single visit of 5 ms is known to several times itself; 300 at random phases are one measurement."""
    once, often = (
        truth.run_case(truth.Case(update_s, load, 0.005, visits), TRIALS, seed=3) for visits in (1, 300)
    )
    assert np.median(often.widths) < 0.25 * np.median(once.widths)
    assert np.median(np.abs(often.errors)) < np.median(np.abs(once.errors)) or load == "constant"


def test_the_table_has_a_line_a_combination(truth):
    case = truth.Case(0.1, "square", 0.3, 1)
    line = truth.row(case, truth.run_case(case, 2, 0))
    assert line.startswith("| 100 ms | square | 300 ms | once | 100.0% | ±")
    assert line.count("|") == truth.HEADER.splitlines()[0].count("|")


def test_the_documents_table_has_the_loads_side_by_side(truth):
    lines = [
        f"| 100 ms | {load} | 5 ms | {visits} | {held:.1%} | ±{width} | 0.1 |"
        for load, held in zip(truth.LOADS, (1, 0.98, 1, 0.96), strict=True)
        for visits, width in (("once", 5.73), ("repeated", 0.42))
    ]
    line = truth.condensed(lines).splitlines()[-1]
    assert line == "| 100 ms | 5 ms | 96 % |" + " ±573 % |" * 4 + " 96 % |" + " ±42.0 % |" * 4
