"""Outputs of integers: near ties may turn as they turn in the reference itself, and a wrong model is still found."""

import numpy as np
import pytest

from inferometer.exporting.kept_rows import limits
from inferometer.exporting.located import Located
from inferometer.models.contract import Artifact, Checks, TensorSpec
from inferometer.worker.parity import Ambiguity, compare

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(8, 21, 64, 64)).astype(np.float32)
LABELS = LOGITS.argmax(1)  # 32,768 pixels
TOP = np.stack([RANDOM.permutation(300) for _ in range(64)])
FEW = RANDOM.integers(0, 10, (64, 1))


def changed(labels, count):
    found = labels.copy()
    places = np.linspace(0, found.size - 1, count).astype(int)
    found.flat[places] = (found.flat[places] + 1) % 21
    return found


def judge(output, reference, precision="fp32", **options):
    return compare([output], [reference], precision, **options)


def recorded(labels, count, kind="moved"):
    return Ambiguity([labels], {kind: [changed(labels, count)]})


def test_a_pixel_of_two_classes_that_nearly_tie_is_no_fault():
    other = (LOGITS * (1 + 3e-7 * RANDOM.normal(size=LOGITS.shape))).astype(np.float32)
    assert judge(other.argmax(1), LABELS)["passed"]
    assert judge(changed(LABELS, 3), LABELS)["passed"]
    found = judge(changed(LABELS, 4), LABELS)
    assert found["cause"] == "4 of 32,768 integers differ, the limit is 3"


def test_neighbours_among_the_largest_may_swap_once():
    swapped = TOP.copy()
    swapped[0, [5, 6]] = TOP[0, [6, 5]]
    assert judge(swapped, TOP)["passed"]
    swapped[1, [5, 6]] = TOP[1, [6, 5]]
    assert not judge(swapped, TOP)["passed"]


def test_a_few_integers_are_exact_unless_the_reference_itself_differs_there():
    assert judge(changed(FEW, 1), FEW)["cause"] == "1 of 64 integers differ, the limit is 0"
    assert judge(changed(FEW, 1), FEW, ambiguity=recorded(FEW, 1))["passed"]
    assert not judge(changed(FEW, 3), FEW, ambiguity=recorded(FEW, 1))[
        "passed"
    ]  # 2.5 times what was recorded
    assert not judge(changed(FEW, 1), FEW, ambiguity=recorded(FEW, 9, "fp16"))[
        "passed"
    ]  # of no concern at fp32


def test_a_reference_that_differs_much_allows_no_more_than_the_coarsest_precision():
    assert not judge(changed(LABELS, 3300), LABELS, ambiguity=recorded(LABELS, 20_000))["passed"]
    assert judge(changed(LABELS, 3200), LABELS, ambiguity=recorded(LABELS, 20_000))["passed"]


def test_a_row_that_is_wrong_as_a_whole_is_no_tie():
    many = RANDOM.integers(0, 10, (20_000, 1))
    late = many.copy()
    late[-1] += 1
    assert not judge(late, many)["passed"]


def test_a_detector_with_wrong_classes_fails():
    classes = RANDOM.integers(0, 80, (16, 100))
    for wrong in (
        np.roll(classes, 1, axis=0),
        np.roll(classes, 1, axis=1),
        np.minimum(classes, 78),
        changed(classes, 3),
    ):
        assert not judge(wrong, classes)["passed"]


@pytest.mark.parametrize("share", [1e-5, 1e-4])
def test_a_constant_never_passes_for_a_small_object(share):
    mask = np.zeros((8, 256, 256), np.int64)
    mask.flat[:: int(1 / share)] = 1
    assert not judge(np.zeros_like(mask), mask)["passed"]
    assert not judge(np.roll(mask, 1, axis=2), mask, ambiguity=recorded(mask, mask.size // 10))["passed"]


def test_the_users_tolerance_is_of_integers_too():
    wrong = changed(LABELS, 300)
    assert not judge(wrong, LABELS)["passed"]
    assert judge(wrong, LABELS, tolerance=0.01)["passed"]
    assert not judge(wrong, LABELS, tolerance=0.005)["passed"]


@pytest.mark.parametrize(("tolerance", "most"), [(None, 3), (0.01, 327)])
def test_what_is_taken_home_allows_as_many(tmp_path, tolerance, most):
    reference = tmp_path / "reference.npz"
    np.savez(reference, LABELS)
    spec = TensorSpec("labels", (None, 64, 64), "int64")
    artifact = Artifact("onnx", tmp_path, (), (spec,), "", "", {})
    found = limits(Located(artifact, tmp_path, reference, Checks(None, None, None), ""), "fp32", tolerance)
    assert found["outputs"][0]["error"] == most / LABELS.size
