"""What rounds and loops show of themselves."""

import numpy as np
import pytest

from inferometer.flags import words
from inferometer.records import Loop, Record
from inferometer.results import doubts
from simulated_runs import cell, rounds_of


def test_a_stop_of_the_process_is_flagged():
    steady = [Loop(0.25 + 0.001 * n, images=64) for n in range(10)]
    assert doubts.held_up([Record(cell(), 0, "ok", loops=tuple(steady))]) == []
    stopped = (*steady[:4], Loop(20.25, images=64), *steady[5:])
    (flag,) = doubts.held_up([Record(cell(), 0, "ok", loops=stopped), *rounds_of(cell(), [1000.0] * 2)])
    assert flag.values == {"held": 1, "loops": 18, "lost_s": pytest.approx(20.0, abs=0.1)}
    assert words(flag).startswith("1 loop took far longer than the others (20.0 s in all)")


def test_a_stop_within_a_long_loop_is_flagged_by_its_batch():
    def loop(worst):
        return Loop(30.0 + worst, (0.05,) * 599 + (worst,), images=600 * 8)

    (flag,) = doubts.held_up([Record(cell(), 0, "ok", loops=(loop(0.05), loop(20.0), loop(0.06)))])
    assert flag.values == {"held": 1, "loops": 3, "lost_s": pytest.approx(20.0)}
    assert doubts.held_up([Record(cell(), 0, "ok", loops=(loop(0.3), loop(0.4)))]) == []


def test_two_kinds_of_process_are_seen_where_both_came():
    noise = 0.01 * np.random.default_rng(1).normal(size=10)
    noise[3] -= 0.105
    (flag,) = doubts.two_kinds(noise)
    assert words(flag).startswith("1 of 10 rounds were 1") and "--rounds 20" in words(flag)
    assert doubts.two_kinds(noise[:4]) == []  # too few to say


def test_rounds_of_one_kind_are_seldom_taken_for_two():
    draws = 0.03 * np.random.default_rng(2).normal(size=(2000, 5))
    assert np.mean([bool(doubts.two_kinds(d)) for d in draws]) < 0.05


def test_a_stop_of_long_loops_without_batch_times_is_told():
    """In device mode loops of 6 s and one of 26 s passed as ok."""

    def held(*seconds):
        return doubts.held_up(
            [Record(cell(), 0, "ok", images=64, loops=tuple(Loop(s, images=64) for s in seconds))]
        )

    (flag,) = held(6.0, 6.01, 26.0, 5.99, 6.0)
    assert flag.values["held"] == 1 and flag.values["lost_s"] == pytest.approx(20.0, abs=0.1)
    assert held(2.0, 2.01, 1.99, 7.0)
    assert not held(6.0, 8.0, 5.0, 7.0, 9.0)  # loops that scatter
    assert not held(2.0, 2.01, 1.99, 3.5)  # a little
