"""How many batches are in flight."""

import numpy as np
import pytest

from inferometer.worker.backends.parts.pipeline_depth import LEAST, MOST, pipeline_depth

MIB = 1 << 20


@pytest.mark.parametrize(
    ("inputs_mib", "batches"),
    [
        ((1,), MOST),
        ((128,), MOST),
        ((129,), 7),
        ((256,), 4),
        ((300,), LEAST),
        ((2048,), LEAST),
        ((64, 192), 4),
    ],
)
def test_a_gibibyte_of_batches_within_the_limits(inputs_mib, batches):
    row = np.zeros(1, np.uint8)
    batch = tuple(np.broadcast_to(row, (size, MIB)) for size in inputs_mib)  # takes no memory
    assert pipeline_depth(batch) == batches


def test_batches_of_nothing_have_a_depth_too():
    assert pipeline_depth((np.zeros((0, 3)),)) == MOST
