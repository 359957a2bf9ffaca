"""The replayed queue against what queueing theory knows."""

import itertools

import numpy as np
import pytest

from inferometer.records import Batching
from inferometer.running.load.queueing import capacity, expected_rate, replay


def poisson(rate, count, seed=1):
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count)).tolist()


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_at_a_time_it_is_m_d_1(load):
    latencies = replay(poisson(load, 200_000), lambda count: 1.0)
    assert np.mean(latencies) == pytest.approx(1 + load / (2 * (1 - load)), rel=0.03), (
        "Pollaczek and Khinchine"
    )


@pytest.mark.parametrize("load", [0.5, 0.7])
def test_the_tail_is_that_of_m_d_1(load):
    latencies = replay(poisson(load, 400_000), lambda count: 1.0)
    # P(wait > t) falls as exp(-r t), where r > 0 solves load (exp(r) - 1) = r (Cramer and Lundberg)
    low, high = 1e-6, 20.0
    for _ in range(100):
        r = (low + high) / 2
        low, high = (r, high) if load * np.expm1(r) < r else (low, r)
    factor = (1 - load) / (load * np.exp(r) - 1)
    expected = 1 + np.log(factor / 0.01) / r
    assert np.percentile(latencies, 99) == pytest.approx(expected, rel=0.05)


def test_a_batch_is_what_is_there_when_the_server_is_free():
    service = lambda count: 10.0  # noqa: E731
    assert replay([0, 1, 2, 3, 30], service, max_batch=2) == [10, 19, 18, 27, 10]


def test_a_request_waits_for_others_no_longer_than_said():
    assert replay([0, 1, 100], lambda count: 1.0, max_batch=2, max_wait_s=5) == [2, 1, 6]
    assert replay([0, 7], lambda count: 1.0, max_batch=2, max_wait_s=5) == [6, 6]


def test_the_server_that_is_free_first_takes_what_is_next():
    service = lambda count: 1.0  # noqa: E731
    assert replay([0, 0, 0, 5], service, servers=2) == [1, 1, 2, 1]
    arrivals = poisson(1.5, 100_000)
    assert np.mean(replay(arrivals, service, servers=2)) < 3
    assert capacity({1: 0.1}, 2) == pytest.approx(2 * capacity({1: 0.1}))


def test_batches_of_any_size_answer_faster_under_load():
    arrivals = poisson(1.5, 20_000)
    times = {1: 1.0, 2: 1.2, 4: 1.6, 8: 2.4}
    latencies = replay(arrivals, lambda count: times[1 << (count - 1).bit_length()], max_batch=8)
    alone = replay(arrivals, lambda count: 1.0)
    assert np.percentile(latencies, 99) < 6 < np.percentile(alone, 50)


def test_the_expected_rate_keeps_the_bound_and_little_more_does_not():
    times = {1: 0.01, 2: 0.012, 4: 0.016}
    rate = expected_rate(times, Batching(4), 0.04, 99)
    assert 0 < rate < capacity(times) < 250
    service = lambda count: times[1 << (count - 1).bit_length()]  # noqa: E731
    p99 = [np.percentile(replay(poisson(r, 50_000, 5), service, 4), 99) for r in (0.9 * rate, 1.1 * rate)]
    assert p99[0] < 0.042 and p99[1] > 0.038 and p99[0] < p99[1]
    assert expected_rate(times, Batching(4), 0.005, 99) == pytest.approx(0, abs=0.1), "one alone takes longer"


def test_every_request_is_answered_once():
    arrivals = poisson(3.0, 5_000)
    for size, wait in itertools.product((1, 3, 8), (0.0, 0.5)):
        latencies = replay(arrivals, lambda count: 0.1, size, wait)
        assert len(latencies) == len(arrivals) and min(latencies) >= 0.0999
