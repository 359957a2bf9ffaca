"""Where nothing differs, nothing is said to differ: findings, verdicts and recommendations of made-up results, by seeded draws.

200 draws here, so that it takes seconds; 3,000 in benchmarks/no_difference.py, whose figures are in docs/statistics.md.
"""

from __future__ import annotations

import pytest

from no_difference import KINDS, names_a_difference, results_of, told

DRAWS = 200


def test_no_more_than_one_report_in_twenty_names_a_difference_where_there_is_none():
    wrong = {}
    for seed in range(DRAWS):
        found = told(results_of(KINDS[seed % len(KINDS)], seed))
        if any(found.values()):
            wrong[KINDS[seed % len(KINDS)], seed] = found
    assert len(wrong) <= 0.05 * DRAWS, wrong


@pytest.mark.parametrize("kind", ["one round", "one framework"])
def test_what_cannot_be_judged_is_never_named(kind):
    """One process tells nothing of the next, and one framework has no rival: not 5 % of the draws, but none."""
    for seed in range(1000, 1015):
        found = told(results_of(kind, seed))
        assert not found["findings"] or kind == "one framework"
        assert kind == "one framework" or not (found["verdicts"] or found["recommend"])


@pytest.mark.parametrize(
    "text",
    [
        "On H100 b is fastest at batch size 8, 0.3 % ahead of a.",
        "2.6 times faster than the next, b at batch size 8.",
        "a needs the least energy: 50.0 mJ an image, 10.0 % less than b",
        "b (900.0 images/s): -10.0 % throughput, no difference told in energy",
        "95 % of a framework's best throughput is reached at batch size 16 (a)",
        "It has the highest throughput, and the data tell all others apart from it.",
        "Of the 2 cells that cannot be told from the highest throughput: least energy an image.",
    ],
)
def test_the_reader_of_these_tests_knows_a_difference_when_it_sees_one(text):
    assert names_a_difference(text)
