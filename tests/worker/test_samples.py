"""Batches made of single samples: which rows, which filling, and one buffer a size."""

import numpy as np
import pytest

from inferometer.worker.data import ImageStack
from inferometer.worker.scenarios.samples import Samples


def samples(row=(3,), count=8, threads=1):
    rows = np.arange(4 * int(np.prod(row)), dtype=np.float32).reshape(4, *row)
    stack = ImageStack((rows, rows + 1), (rows,), count)
    return rows, Samples(stack.hold(), threads)


def test_one_is_a_view_of_the_stack():
    rows, found = samples()
    batch = found.batch([5], 1)
    assert len(found) == 8 and batch[0].shape == (1, 3)
    np.testing.assert_array_equal(batch[0][0], rows[1])
    assert found.batch([5], 1)[0] is batch[0]


@pytest.mark.parametrize(("row", "threads"), [((3,), 1), ((700_000,), 1), ((700_000,), 4)])
def test_rows_are_those_asked_for_and_the_last_fills_up(row, threads):
    rows, found = samples(row, threads=threads)
    first, second = found.batch([2, 7, 0], 4)
    np.testing.assert_array_equal(first, rows[[2, 3, 0, 0]])
    np.testing.assert_array_equal(second, rows[[2, 3, 0, 0]] + 1)
    again, _ = found.batch([1, 1, 1, 3], 4)
    assert again is first, "every batch of a size overwrites the one before"
    np.testing.assert_array_equal(again, rows[[1, 1, 1, 3]])
