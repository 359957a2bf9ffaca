"""Arrays that begin at a multiple of 64 bytes."""

import numpy as np
import pytest

from inferometer.worker.aligned import aligned_empty, aligned_like, is_aligned


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int64, np.float16, "<U5"])
def test_an_empty_array_is_aligned(dtype):
    arrays = [aligned_empty((3, 5), dtype) for _ in range(8)]
    assert all(is_aligned(array) and array.shape == (3, 5) and array.dtype == dtype for array in arrays)
    assert not any(np.shares_memory(arrays[0], array) for array in arrays[1:])


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((2, 3, 4, 5), np.float32),
        np.zeros((2, 4, 5, 3), np.float32).transpose(0, 3, 1, 2),
        np.zeros((2, 1, 5, 1), np.float32),
        np.zeros((2, 7)),
        np.zeros(2, np.int64),
    ],
)
def test_rows_like_others_lie_in_memory_as_those_do(rows):
    held = aligned_like(rows, 6)
    assert is_aligned(held) and held.dtype == rows.dtype
    assert held.strides == np.empty_like(rows, shape=(6, *rows.shape[1:])).strides
