"""What a file that is measured as it is is called, and to whom it is an answer."""

import pytest

from inferometer.frameworks.catalogue import parse_choice
from inferometer.precisions import is_stored, stored_as


@pytest.mark.parametrize(
    ("coarsest", "holds", "label", "words"),
    [
        ("int8", {"int8": 3}, "stored-int8", "int8 weights and activations in 3 of 3 operators with weights"),
        (
            "int8",
            {"fp32": 2, "int8": 52},
            "stored-int8",
            "int8 weights and activations in 52 of 54 operators with weights, fp32 in 2",
        ),
        (
            "int8",
            {"int8-weights": 1},
            "stored-int8-weights",
            "int8 weights only in 1 of 1 operator with weights",
        ),
        (
            "int8",
            {"fp32": 1, "int8": 1},
            "stored-mixed",
            "int8 weights and activations in 1 of 2 operators with weights, fp32 in 1",
        ),
        ("int8", {"fp32": 4}, "stored-mixed", "fp32 in 4 of 4 operators with weights, int8 elsewhere"),
        ("fp16", {"fp16": 4}, "stored-fp16", "fp16 in 4 of 4 operators with weights"),
        ("int8", {}, "stored-int8", "int8, in no operator with weights"),
    ],
)
def test_a_file_is_called_by_what_most_of_its_operators_hold(coarsest, holds, label, words):
    stored = stored_as(coarsest, holds)
    assert (stored.label, stored.words) == (label, words)
    assert is_stored(label) and not is_stored(coarsest)


def test_it_answers_fp32_and_int8_and_its_own():
    quantised, half = stored_as("int8", {"int8": 1}), stored_as("fp16", {"fp16": 1})
    assert [p for p in ("fp32", "tf32", "fp16", "bf16", "int8") if quantised.answers(p)] == ["fp32", "int8"]
    assert stored_as("int8", {"int8-weights": 1}).answers("int8-weights") and not quantised.answers(
        "int8-weights"
    )
    assert [p for p in ("fp32", "fp16", "bf16") if half.answers(p)] == ["fp32", "fp16"]
    assert "stored-int8" in quantised.refusal("bf16") and "for bf16 give" in quantised.refusal("bf16")


@pytest.mark.parametrize(
    ("framework", "kind", "precision", "asked"),
    [
        ("onnxrt", "cpu", "stored-int8", "fp32"),
        ("onnxrt", "cpu", "int8", "int8"),
        ("onnxrt", "cpu", "int8-weights", "int8-weights"),
        ("tensorrt", "cuda", "stored-int8", "int8"),
        ("tensorrt", "cuda", "stored-mixed", "int8"),
        ("tensorrt", "cuda", "stored-fp16", "fp32"),
        ("torch", "cuda", "stored-int8", "fp32"),
    ],
)
def test_what_a_backend_is_asked_for_to_measure_it(framework, kind, precision, asked):
    assert parse_choice(framework).framework.opened_at(precision, kind) == asked
