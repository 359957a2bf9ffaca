"""What is compared after the loops: batches that no backend has seen, and a sample of what the loops returned."""

import numpy as np
import pytest

from inferometer.worker.answers import Answers, together
from inferometer.worker.checks import Aftermath, Judge
from inferometer.worker.data import ImageStack
from inferometer.worker.modes import HostMode
from inferometer.worker.timed_sample import MOST_LOOPS, MOST_ROWS, TimedSample

KNOWN = np.random.default_rng(0).normal(size=(4, 20)).astype(np.float32)
UNSEEN = np.random.default_rng(1).normal(size=(60, 20)).astype(np.float32)


class Backend:
    """Doubles rows; remembers what it was given."""

    def __init__(self, wrong=None):
        self.given, self.wrong = [], wrong

    def run(self, batch):
        self.given.append(batch[0].copy())
        return [self.wrong(batch[0]) if self.wrong else batch[0] * 2]


def stack_of(rows, images=8):
    return ImageStack((rows,), (rows * 2,), images)


def known_answers():
    return Answers([KNOWN * 2], [KNOWN * 2], 4)


def after(unseen=UNSEEN, precision="fp32"):
    more = stack_of(unseen) if unseen is not None else None
    return Aftermath(Judge(precision), stack_of(KNOWN), more, np.random.default_rng(0))


def check(backend, sample=None, size=8, limit_s=0.0, unseen=UNSEEN):
    empty = TimedSample(size, 1, np.random.default_rng(0))
    return after(unseen).check(
        HostMode(backend), size, known_answers(), empty if sample is None else sample, limit_s
    )


@pytest.mark.parametrize("size", [1, 7, 8, 64, 200])
def test_every_unseen_row_is_run_once_before_any_other(size):
    backend = Backend()
    found = check(backend, size=size)
    assert found["passed"] and (found["agree_k"], found["agree_n"]) == (64, 64)
    given = np.concatenate(backend.given)
    assert {row.tobytes() for row in given[:60]} == {row.tobytes() for row in UNSEEN}
    assert found["unseen"] == len(given) and {len(batch) for batch in backend.given} == {size}
    assert len(backend.given) >= 2


def test_one_buffer_serves_every_batch():
    places = set()

    def note(batch):
        places.add(batch.__array_interface__["data"][0])
        return batch * 2

    assert check(Backend(note))["passed"]
    assert len(places) == 1


def test_without_other_rows_known_ones_come_in_a_new_order():
    backend = Backend()
    found = check(backend, unseen=None)
    assert found["passed"] and found["unseen"] == 16 and found["agree_n"] == 4
    assert any(not np.array_equal(batch, np.tile(KNOWN, (2, 1))) for batch in backend.given)


def test_a_budget_ends_it_after_two_batches():
    backend = Backend()
    assert check(backend, size=4, limit_s=1e-9)["agree_n"] == 4 + 8
    assert len(backend.given) == 2


def test_a_wrong_answer_to_a_new_batch_is_told_as_that():
    old = np.tile(KNOWN, (2, 1)) * 2
    found = check(Backend(lambda batch: old))
    assert not found["passed"] and found["cause"].startswith("batches that it had not seen: ")


def test_outputs_of_another_shape_are_told_as_that():
    found = check(Backend(lambda batch: batch[:, :-1]))
    assert "batches that it had not seen: output 0 has shape" in found["cause"]


def test_a_wrong_timed_output_is_told_as_that():
    sample = TimedSample(8, 4, np.random.default_rng(0))
    sample.add(1, [np.tile(KNOWN, (2, 1)) * 2])
    assert check(Backend(), sample)["timed"] == 1
    sample.add(2, [np.tile(KNOWN[::-1], (2, 1)) * 2])
    found = check(Backend(), sample)
    assert found["cause"].startswith("what the timed loops returned: ") and found["timed"] == 2


def test_a_sample_is_of_all_loops_and_small():
    seen = set()
    for seed in range(40):
        sample = TimedSample(100, 5, np.random.default_rng(seed))
        assert {sample.wanted() for _ in range(50)} == set(range(5))
        for loop in range(20):
            sample.add(loop, [np.full((100, 2), loop)])
        assert len(sample) == MOST_LOOPS and {len(o[0]) for o in sample.outputs()} == {MOST_ROWS}
        for places, outputs in zip(sample.places(), sample.outputs(), strict=True):
            assert np.array_equal(places // 100, outputs[0][:, 0])
        seen |= {int(outputs[0][0, 0]) for outputs in sample.outputs()}
    assert seen == set(range(20))


def test_distinct_rows_come_first_when_parts_are_put_together():
    parts = [Answers([KNOWN[:3]], [KNOWN[:3]], 2), Answers([UNSEEN[:3]], [UNSEEN[:3]], 1)]
    whole = together(parts)
    assert whole.distinct == 3
    wanted = [*KNOWN[:2], UNSEEN[0], KNOWN[2], *UNSEEN[1:3]]
    assert np.array_equal(whole.outputs[0], wanted) and np.array_equal(whole.expected[0], wanted)


def test_large_outputs_are_thinned_but_no_row_that_is_not_finite():
    output = np.tile(KNOWN, (25, 1))
    output[50, 3] = np.nan
    thin = Answers([output], [np.tile(KNOWN, (25, 1))], 4).thinned(most_values=20 * 20)
    assert len(thin.expected[0]) in (20, 21) and thin.distinct == 4
    assert np.array_equal(thin.outputs[0][:4], KNOWN)
    assert np.isnan(thin.outputs[0]).sum() == 1
    assert np.array_equal(thin.expected[0][-1], KNOWN[-1]), "the last row stays"


def test_of_many_large_distinct_rows_a_few_are_compared():
    thin = Answers([UNSEEN], [UNSEEN], 50).thinned(most_values=1)
    assert len(thin.expected[0]) == 8 and thin.distinct == 6
    few = known_answers()
    assert few.thinned() is few
    other = Answers([KNOWN[:, :3]], [KNOWN], 4)
    assert other.thinned(1) is other
