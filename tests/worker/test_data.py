"""The image stack: layouts, cycles, and stacks larger than the memory."""

import numpy as np
import pytest

from inferometer.worker.data import ImageStack
from inferometer.worker.failures import Unsupported


def stack_of(rows, images, free_bytes=1 << 40):
    return ImageStack((rows,), (rows,), images, lambda: free_bytes)


ROWS = np.arange(3 * 4, dtype=np.float32).reshape(3, 4)


def contents(batches):
    return [batch[0][:, 0].tolist() for batch in batches]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 10])
def test_a_stack_that_does_not_fit_gives_the_same_batches_as_one_that_does(size):
    whole = stack_of(ROWS, 10)
    tight = stack_of(ROWS, 10, free_bytes=10 * 16)  # room for the rows, but not four times over
    assert contents(tight.batches(size)) == contents(whole.batches(size))
    assert len(tight._held[0][0]) == min(10, size + 2)


def test_a_whole_stack_has_every_batch_in_memory_of_its_own():
    batches = stack_of(ROWS, 9).batches(3)
    assert len({batch[0].__array_interface__["data"][0] for batch in batches}) == 3


def test_repeated_views_of_a_tight_stack_are_one_batch():
    batches = stack_of(ROWS, 12, free_bytes=12 * 16).batches(3)
    assert len({id(batch) for batch in batches}) == 1


def test_a_batch_larger_than_the_memory_is_a_memory_error_with_bytes():
    with pytest.raises(MemoryError, match=r"1664 bytes of host memory.*1000 bytes are free"):
        stack_of(ROWS, 104, free_bytes=1000).batches(102)


def test_layouts_turn_the_axes_and_leave_the_memory_where_wanted(tmp_path):
    images = np.arange(2 * 4 * 5 * 3, dtype=np.float32).reshape(2, 4, 5, 3)
    np.savez(tmp_path / "x.npz", x=images)
    plain = ImageStack.load(tmp_path / "x.npz", tmp_path / "x.npz", "NHWC", "NCHW", images=4).batches(4)[0][0]
    assert plain.shape == (4, 3, 4, 5) and plain.flags.c_contiguous
    last = ImageStack.load(
        tmp_path / "x.npz", tmp_path / "x.npz", "NHWC", "NCHW", images=4, memory_layout="NHWC"
    ).batches(4)[0][0]
    assert np.array_equal(last, plain)
    assert last.transpose(0, 2, 3, 1).flags.c_contiguous


def test_pixels_keep_the_order_in_memory(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.full((2, 4, 5, 3), 200, np.float32))
    stack = ImageStack.load(
        tmp_path / "x.npz", tmp_path / "x.npz", "NHWC", "NCHW", images=2, memory_layout="NHWC"
    ).as_pixels()
    batch = stack.batches(2)[0][0]
    assert batch.dtype == np.uint8 and batch.shape == (2, 3, 4, 5)
    assert batch.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0])
def test_values_that_are_no_pixels_are_refused(value):
    with pytest.raises(Unsupported, match="whole numbers"):
        stack_of(np.array([[value, 1.0]], np.float32), 2).as_pixels()
