import numpy as np
import pytest

from inferometer.records import Parity
from inferometer.worker.parity import LIMITS, SpreadError, check_judgeable, compare

REFERENCE = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)


def judge(output, precision="fp32", reference=REFERENCE):
    return Parity(**compare([output], [reference], precision))


def test_identical_outputs_pass_with_exact_figures():
    parity = judge(REFERENCE.copy())
    assert (parity.passed, parity.max_abs, parity.max_rel, parity.top1) == (True, 0.0, 0.0, 1.0)
    assert parity.cosine == pytest.approx(1.0)
    assert (parity.images, parity.limit_rel, parity.cause) == (4, LIMITS["fp32"].max_rel, "")


def test_relative_error_is_over_the_largest_reference_value():
    reference = np.array([[4.0, 1.0], [0.0, -2.0]], np.float32)
    off = reference.copy()
    off[1, 0] += 0.5
    parity = judge(off, reference=reference)
    assert parity.max_abs == 0.5
    assert parity.max_rel == 0.125
    assert not parity.passed
    assert "1.25e-01 is above the limit 1e-04" in parity.cause


@pytest.mark.parametrize("precision", LIMITS)
def test_errors_pass_below_and_fail_above_the_limit(precision):
    random = np.random.default_rng(1)
    reference = random.normal(size=(64, 32))
    error = LIMITS[precision].slice_rel * random.choice([-1, 1], size=reference.shape)
    assert judge(reference + 0.6 * error, precision, reference).passed
    parity = judge(reference + 1.5 * error, precision, reference)
    assert not parity.passed and "of its spread between inputs" in parity.cause
    assert parity.slice_limit == pytest.approx(LIMITS[precision].slice_rel)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("precision", LIMITS)
def test_nan_and_infinity_never_pass(bad, precision):
    output = REFERENCE.copy()
    output[2, 3] = bad
    parity = judge(output, precision)
    assert not parity.passed
    assert "1 of 40 values NaN or infinite" in parity.cause


@pytest.mark.parametrize("shape", [(4, 9), (3, 10), (4, 10, 1), (40,), ()])
def test_a_wrong_shape_never_passes(shape):
    parity = judge(np.zeros(shape, np.float32))
    assert not parity.passed
    assert "shape" in parity.cause


def test_a_missing_output_never_passes():
    parity = Parity(**compare([], [REFERENCE], "fp32"))
    assert not parity.passed
    assert parity.cause == "0 outputs, the reference has 1"


def test_outputs_that_are_no_numbers_never_pass():
    assert not judge(np.full((4, 10), "x")).passed


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_swapped_rows_and_wrong_sign_fail(precision):
    assert not judge(REFERENCE[::-1], precision).passed
    assert not judge(-REFERENCE, precision).passed


def test_a_small_row_with_the_wrong_direction_fails_by_its_cosine():
    reference = np.array([[1000.0, -1000.0], [0.01, 0.02]], np.float32)
    output = np.array([[1000.0, -1000.0], [0.02, -0.01]], np.float32)
    parity = judge(output, reference=reference)
    assert parity.max_rel < LIMITS["fp32"].max_rel
    assert parity.cosine == pytest.approx(0.0, abs=1e-6)
    assert not parity.passed
    assert "cosine" in parity.cause


def test_several_outputs_report_the_worst():
    worse = REFERENCE + np.float32(0.01)
    parity = Parity(**compare([REFERENCE, worse], [REFERENCE, REFERENCE], "fp32"))
    assert not parity.passed
    assert parity.max_abs == pytest.approx(0.01, rel=1e-3)


def test_top1_counts_rows():
    output = REFERENCE.copy()
    output[0] = np.roll(output[0], 1)
    assert judge(output).top1 == 0.75


def test_top1_is_one_where_outputs_are_no_scores():
    image = np.random.default_rng(1).normal(size=(2, 3, 4))
    assert judge(-image, reference=image).top1 == 1.0


def test_integer_outputs_must_agree():
    labels = np.array([[1], [998]])
    assert judge(labels.copy(), reference=labels).passed
    parity = judge(np.array([[1], [999]]), reference=labels)
    assert not parity.passed
    assert parity.top1 == 0.5


def test_half_precision_arrays_are_compared_in_double():
    assert judge(REFERENCE.astype(np.float16), "fp16").passed
    assert not judge(REFERENCE.astype(np.float16), "fp32").passed


@pytest.mark.parametrize(
    ("reference", "cause"),
    [
        (REFERENCE * 1e-10, "below 1e-06"),
        (np.zeros((4, 10)), "below 1e-06"),
        (np.full((4, 10), 0.1), "of one constant"),
        (np.full((4, 10), 0.001) + REFERENCE * 1e-9, "of one constant"),
        (np.tile(REFERENCE[:1], (4, 1)), "of one answer"),
        (np.where(REFERENCE > 1, np.nan, REFERENCE), "NaN"),
        (np.zeros((0, 10)), "empty"),
        (np.zeros((4, 1), np.int64), "every integer output is the same"),
    ],
)
def test_a_comparison_that_cannot_fail_is_an_error_of_the_setup(reference, cause):
    with pytest.raises(SpreadError, match=cause):
        compare([reference], [reference], "fp32")


def test_one_row_cannot_be_told_from_one_answer_but_is_judged():
    check_judgeable([REFERENCE[:1]])


def test_a_coarse_precision_needs_more_spread():
    reference = 1 + 0.01 * REFERENCE
    check_judgeable([reference], "fp32")
    with pytest.raises(SpreadError):
        check_judgeable([reference], "bf16")


def test_one_judgeable_output_of_several_is_enough():
    assert compare([REFERENCE, np.ones(4)], [REFERENCE, np.ones(4)], "fp32")["passed"]


def test_unknown_precision_names_the_known():
    with pytest.raises(ValueError, match="fp32"):
        compare([REFERENCE], [REFERENCE], "fp8")
