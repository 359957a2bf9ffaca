import pytest

from inferometer.worker.stopping import StoppingRule


def loops_until_finished(rule, elapsed_s):
    count = 0
    while not rule.is_finished():
        rule.add_loop(elapsed_s)
        count += 1
        assert count < 1000
    return count


@pytest.mark.parametrize(
    ("arguments", "elapsed_s", "count"),
    [
        ({"loops": 10}, 0.1, 10),
        ({"loops": 10, "window_s": 5.0}, 0.1, 50),
        ({"loops": 10, "budget_s": 0.5}, 0.1, 5),
        ({"loops": 10, "budget_s": 0.5}, 60.0, 3),
        ({"loops": 10, "budget_s": 0.5, "least": 1}, 60.0, 1),
        ({"loops": 2, "budget_s": 0.5}, 60.0, 2),
        ({"loops": 1}, 0.1, 1),
    ],
)
def test_loops(arguments, elapsed_s, count):
    assert loops_until_finished(StoppingRule(**arguments), elapsed_s) == pytest.approx(count, abs=1)
    if "window_s" not in arguments and "budget_s" not in arguments:
        assert loops_until_finished(StoppingRule(**arguments), elapsed_s) == count


def test_the_window_outlasts_the_loops_but_not_the_budget():
    assert loops_until_finished(StoppingRule(3, window_s=2.0, budget_s=1.0), 0.5) == 3
    assert loops_until_finished(StoppingRule(3, window_s=2.0, budget_s=4.0), 0.5) == 4
