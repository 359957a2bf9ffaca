"""When work keeps step with a meter, and the pauses that bring it out of step; time is counted, not passed."""

import itertools

import pytest

from inferometer.worker.flags import flag
from inferometer.worker.phase_shift import ALIASING_LIMIT, Aliasing, PhaseShift, find_aliasing, plan_trials
from inferometer.worker.stopping import StoppingRule

S = 1_000_000_000


def back_to_back(length_s, count):
    return [(i * length_s, length_s) for i in range(count)]


@pytest.mark.parametrize(
    ("piece_s", "period_s", "in_step"),
    [
        (0.1, 0.1, True),
        (0.05, 0.1, True),
        (0.1001, 0.1, True),
        (0.2001, 0.1, True),
        (0.0333, 0.1, True),
        (0.043, 0.1, False),
        (0.11, 0.1, False),
        (0.25, 0.1, False),
    ],
)
def test_pieces_that_divide_the_period_or_are_multiples_keep_step(piece_s, period_s, in_step):
    aliasing, count = Aliasing(piece_s, period_s), round(5 / piece_s)
    assert (aliasing.concentration(back_to_back(piece_s, count)) > ALIASING_LIMIT) is in_step
    assert (aliasing.expected_concentration(piece_s, count) > ALIASING_LIMIT) is in_step


def test_concentration_is_that_of_the_pieces_begins():
    aliasing = Aliasing(0.1, 0.1)
    assert aliasing.concentration([(0.0, 1.0)]) == pytest.approx(1)
    assert aliasing.concentration([(0.0, 1.0), (1.05, 1.0)]) == pytest.approx(0, abs=1e-9)
    assert aliasing.concentration([(0.0, 3.0), (3.05, 1.0)]) == pytest.approx(0.5)
    assert Aliasing(0.101, 0.1).concentration([(0.0, 10.1)]) == pytest.approx(0, abs=1e-9)  # one round
    assert aliasing.concentration([]) == 0.0


def test_what_is_far_shorter_or_longer_than_the_period_does_not_beat():
    assert find_aliasing(10.0, 1.0, (0.1,)) == []
    assert find_aliasing(0.001, 1.0, (0.1,)) == []
    assert find_aliasing(0.5, 5.0, (0.1, 0.02)) == [
        Aliasing(0.1, 0.1),
        Aliasing(0.5, 0.1),
        Aliasing(0.1, 0.02),
        Aliasing(0.5, 0.02),
    ]


def test_trials_are_as_many_phases_of_each_circle():
    loops_of_two_halves = find_aliasing(0.1, 2.0, (0.1,))
    aliasing, trials = plan_trials(loops_of_two_halves, 0.1, 50)
    assert aliasing.circle_s == pytest.approx(0.1)
    assert trials == 5  # not 10: these would be five phases of the half
    assert plan_trials(find_aliasing(0.043, 1.0, (0.1,)), 0.043, 100) is None
    assert plan_trials(find_aliasing(0.1, 1.0, (0.1,)), 0.1, 2) is None  # too few loops


def looped(loop_s, batches, period_s=0.1, *, loops=10, window_s=5.0, gap_s=0.0):
    """Return the loops (start, length; s), the pauses and the flags of a cell whose loops take so long each."""
    rule = StoppingRule(loops, window_s)
    shift = PhaseShift([period_s], batches, rule.expected_loops)
    now_ns, spans, pauses = 7 * S, [], []
    lengths = loop_s if hasattr(loop_s, "__next__") else itertools.repeat(loop_s)
    for length_s in lengths:
        start_ns, now_ns = now_ns, now_ns + round(length_s * S)
        spans.append((start_ns / S, length_s))
        rule.add_loop(length_s)
        if rule.is_finished():
            return spans, pauses, shift.flags()
        pauses.append(shift.pause_s(start_ns, now_ns))
        now_ns += round((pauses[-1] + gap_s) * S)


@pytest.mark.parametrize("batches", [1, 2, 5, 8, 16, 5.33])
@pytest.mark.parametrize("batch_s", [0.1, 0.0999, 0.05, 0.02502, 0.2, 0.3001, 0.01])
def test_pauses_spread_the_phases_of_batches_and_loops(batch_s, batches):
    loop_s = batch_s * batches
    spans, pauses, flags = looped(loop_s, batches)
    plan = plan_trials(find_aliasing(loop_s, batches, (0.1,)), loop_s, len(spans))
    for aliasing in find_aliasing(loop_s, batches, (0.1,)):
        assert aliasing.concentration(spans) <= ALIASING_LIMIT + 1e-6
    if plan is None:
        assert not any(pauses) and not flags
    else:
        assert sum(pauses) < 0.5
        trials = sum(p > 0 for p in pauses) + 1
        assert flags == [flag("phase-shifted", scope="energy", trials=trials, period_s=0.1)]


def test_loops_that_take_their_time_unevenly_are_spread_too():
    lengths = itertools.cycle((0.1, 0.1007, 0.0995, 0.1002, 0.0996))
    spans, _, flags = looped(lengths, 1)
    assert flags
    assert Aliasing(0.1, 0.1).concentration(spans) < ALIASING_LIMIT


def test_thousands_of_short_loops_are_looked_at_a_few_times(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "inferometer.worker.phase_shift.find_aliasing", lambda *a: asked.append(a) or find_aliasing(*a)
    )
    _, _, flags = looped(0.0025, 1)
    assert flags
    assert len(asked) < 30


@pytest.mark.parametrize(
    ("periods", "loops"), [((), 50), ((0.1,), 2)], ids=["meters that see all the time", "too few loops"]
)
def test_nothing_pauses_where_nothing_is_to_be_gained(periods, loops):
    rule = StoppingRule(loops)
    shift = PhaseShift(periods, 1.0, rule.expected_loops)
    pauses = [shift.pause_s(i * S // 10, (i + 1) * S // 10) for i in range(loops - 1)]
    assert not any(pauses)
    assert shift.flags() == []
