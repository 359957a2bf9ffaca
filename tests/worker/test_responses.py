"""Rows as bytes, as LoadGen logs them, and back."""

import json

import numpy as np
import pytest

from inferometer.worker.scenarios.responses import bytes_of, compare_responses


class Stack:
    """Two inputs: a detector's boxes, of which the second has fewer, and a class."""

    reference = (np.array([[[1.0, 2], [3, 4]], [[5, 6], [0, 0]]], np.float32), np.array([7, 8]))
    ragged = (0,)

    def expected(self, numbers):
        return [array[numbers] for array in self.reference]


class Judge:
    """Says what it was given."""

    def compare(self, answers):
        return answers


def test_rows_of_sizes_of_their_own_are_found_again_whichever_batch_they_were_in(tmp_path):
    boxes, classes = Stack.reference
    alone = [boxes[1:, :1], classes[1:]]  # of itself the second input has one box
    both = [boxes, classes]
    logged = [(1, bytes_of(alone, 0)), (0, bytes_of(both, 0))]
    entries = [{"qsl_idx": number, "data": row.tobytes().hex()} for number, row in logged]
    (tmp_path / "mlperf_log_accuracy.json").write_text(json.dumps(entries))
    found = compare_responses(tmp_path, Stack(), Judge(), like=[boxes[:, :1], classes])
    assert found.distinct == 2
    for given, expected in zip(found.outputs, found.expected, strict=True):
        np.testing.assert_array_equal(given, expected)


def test_an_output_without_a_box_is_one_too():
    row = bytes_of([np.zeros((1, 0, 4), np.float32)], 0)
    assert row.tobytes() == np.array([0, 4], np.int64).tobytes()


def test_bytes_of_another_model_are_told(tmp_path):
    entries = [{"qsl_idx": 0, "data": bytes_of(list(Stack.reference), 0).tobytes().hex()}]
    (tmp_path / "mlperf_log_accuracy.json").write_text(json.dumps(entries))
    with pytest.raises(ValueError, match="bytes"):
        compare_responses(tmp_path, Stack(), Judge(), like=[Stack.reference[0]])
