"""The search for the highest valid rate: few tests, close to the truth, and no sense lost over one unlucky verdict."""

import pytest

from inferometer.running.load.search import MOST_TESTS, RateSearch


def searched(first, truth, **kwargs):
    search = RateSearch(first, **kwargs)
    while (rate := search.next_rate()) is not None:
        search.add(rate, rate <= truth)
    return search


@pytest.mark.parametrize("factor", [0.3, 0.7, 0.95, 1.0, 1.05, 1.4, 3.0])
def test_it_comes_close_in_few_tests(factor):
    search = searched(100 * factor, 100)
    assert len(search.tried) <= MOST_TESTS
    assert 90 < search.best <= 100


def test_near_the_first_guess_few_tests_are_enough():
    search = searched(97, 100, step=1.06)
    assert len(search.tried) <= 4 and search.best > 97


def test_where_no_rate_is_valid_there_is_none():
    search = searched(100, 0)
    assert search.best is None and len(search.tried) == MOST_TESTS


def test_rates_that_no_test_can_judge_are_not_tried():
    search = searched(100, 0, least=50)
    assert search.best is None and search.tried[-1][0] == 50 and len(search.tried) <= 4
    assert searched(10, 1000, least=50).tried[0][0] == 50


def test_an_invalid_rate_below_a_valid_one_was_bad_luck():
    search = RateSearch(100)
    for rate, valid in ((100, False), (80, True), (90, False), (85, True), (110, True)):
        search.add(rate, valid)
    assert search.best == 110 and search.next_rate() > 110
