"""Slices and their scales, the reference's ambiguity, agreement, and what a user tolerates."""

import msgspec
import numpy as np
import pytest

from inferometer.records import Parity
from inferometer.worker.parity import Ambiguity, SpreadError, check_steady, compare
from inferometer.worker.parity.agreement import no_scores, swap_cause
from inferometer.worker.parity.limits import coarser
from inferometer.worker.parity.slices import Cut, cuts

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.normal(size=(64, 20))
DETECTOR = np.concatenate([640 * RANDOM.uniform(size=(16, 4, 50)), RANDOM.uniform(size=(16, 6, 50))], axis=1)


def judge(output, reference=SCORES, precision="fp16", **options):
    return Parity(**compare([output], [reference], precision, **options))


def noise(size, shape=SCORES.shape, seed=1):
    return size * np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(
    ("shape", "rows", "wanted"),
    [
        ((64, 1000), 64, [(None, 1), (0, 1), (1, 2)]),
        ((4, 1000), 4, [(None, 1), (0, 1), (1, 32)]),
        ((4, 10), 4, [(None, 1), (0, 4)]),
        (
            (16, 84, 8400),
            16,
            [(None, 1), (0, 1), (1, 1)],
        ),  # 8,400 places are too many to be judged one by one
        ((64, 104, 1), 64, [(None, 1), (0, 2), (1, 2)]),
        ((8,), 8, [(None, 1), (0, 8)]),
        ((), 1, [(None, 1)]),
    ],
)
def test_an_output_is_cut_along_its_axes_of_few_entries(shape, rows, wanted):
    assert [(cut.axis, cut.step) for cut in cuts(shape, rows)] == wanted


def test_a_cut_takes_neighbours_together_and_names_them():
    values = np.arange(2 * 5, dtype=float).reshape(2, 5)
    assert Cut(1, 2).means(values).tolist() == [3.0, 5.0, 6.5]
    assert Cut(0).means(values).tolist() == [2.0, 7.0]
    assert Cut().means(values).tolist() == [4.5]
    assert Cut(1, 2).name(3, 2, 5) == "output 3[:, 4]"
    assert Cut(2, 2).name(0, 0, 5) == "output 0[:, :, 0:2]"
    assert Cut(0, 3).name(1, 1, 5) == "output 1, row 3:5"


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize(
    "wrong", [lambda s: 0 * s, lambda s: s[:, ::-1], lambda s: s[::-1], lambda s: 0 * s + s.mean()]
)
def test_scores_are_judged_apart_from_boxes_in_pixels(wrong, precision):
    output = DETECTOR.copy()
    output[:, 4:] = wrong(DETECTOR[:, 4:])
    parity = judge(output, DETECTOR, precision)
    assert not parity.passed and parity.max_rel < 0.01
    assert parity.worst_slice.startswith("output 0[:, ") and parity.worst_slice in parity.cause
    assert judge(
        DETECTOR + noise(0.2, (16, 4, 50)).repeat(3, axis=1)[:, :10] * (np.arange(10) < 4)[:, None], DETECTOR
    ).passed


def test_what_is_the_same_for_every_input_may_be_off_by_units_in_the_last_place_only():
    anchors = np.concatenate([SCORES, np.full((64, 20), 320.0)], axis=1)
    stored = anchors * np.where(np.arange(40) < 20, 1, 1 + 2.0**-11)
    assert judge(stored, anchors).passed
    parity = judge(anchors + np.where(np.arange(40) < 20, 0, 1.5), anchors)
    assert not parity.passed and "where the reference is the same for every input" in parity.cause


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_a_slope_is_an_error_however_small_each_value_is(precision):
    parity = judge(SCORES * 1.03, precision=precision)
    assert not parity.passed and "times 1.0300" in parity.cause


@pytest.mark.parametrize(("size", "passed"), [(0.01, False), (0.3, True)])
def test_top_classes_swap_where_errors_explain_it(size, passed):
    close = SCORES.copy()
    order, rows = np.argsort(close, axis=1), np.arange(64)
    close[rows, order[:, -2]] = close[rows, order[:, -1]] - 0.1
    output = close + noise(size)
    if not passed:
        output[rows, order[:, -1]], output[rows, order[:, -2]] = (
            close[rows, order[:, -2]],
            close[rows, order[:, -1]],
        )
    cause = swap_cause([output], [close], 2.0**-11)
    assert ("the top class differs for 64 of 64 inputs" in cause) is not passed


def ambiguous(**kinds):
    return Ambiguity(
        [SCORES[:16]], {kind: [SCORES[:16] + noise(size, (16, 20))] for kind, size in kinds.items()}
    )


@pytest.mark.parametrize(
    ("precision", "kind", "reach"),
    [
        ("fp32", "moved", 2.5),
        ("fp32", "optimised", 2.5),
        ("fp16", "fp16", 1.5),
        ("bf16", "bf16", 1.5),
        ("int8", "moved", 4),
    ],
)
def test_a_model_that_differs_from_itself_allows_its_frameworks_as_much(precision, kind, reach):
    doubt = ambiguous(**{kind: 0.15})
    assert judge(SCORES + noise(0.1 * reach, seed=2), precision=precision, ambiguity=doubt).passed
    assert not judge(SCORES + noise(0.1 * reach, seed=2), precision=precision).passed
    assert not judge(SCORES + noise(0.25 * reach, seed=2), precision=precision, ambiguity=doubt).passed


def test_what_concerns_another_precision_allows_nothing():
    assert not judge(SCORES + noise(0.01), precision="fp32", ambiguity=ambiguous(fp16=0.2, bf16=0.3)).passed
    assert not judge(SCORES + noise(0.4), precision="int8", ambiguity=ambiguous(optimised=0.3)).passed


def test_however_ambiguous_a_constant_never_passes():
    for precision in ("fp32", "fp16", "bf16", "int8"):
        kinds = ambiguous(moved=0.3, fp16=0.3, bf16=0.3)
        assert not judge(np.tile(SCORES.mean(axis=0), (64, 1)), precision=precision, ambiguity=kinds).passed
        zeroed = SCORES * (np.arange(20) > 3)
        assert not judge(zeroed, precision=precision, ambiguity=kinds).passed


def test_a_reference_that_is_chaotic_at_a_precision_cannot_judge_it():
    with pytest.raises(
        SpreadError,
        match=r"chaotically at bf16: with inputs and weights moved .* of bf16 it differs by 0\.\d\d",
    ):
        judge(SCORES, precision="bf16", ambiguity=ambiguous(bf16=0.6))
    check_steady(ambiguous(bf16=0.6))
    with pytest.raises(SpreadError, match="chaotically at fp32"):
        check_steady(ambiguous(moved=0.6))


def test_the_precision_inside_the_file_is_what_is_judged():
    output = SCORES + noise(0.005)
    assert not judge(output, precision="fp32").passed
    assert judge(output, precision="fp32", stored="fp16").passed
    assert (
        judge(output, precision="bf16", stored="fp16").limit_rel == judge(output, precision="bf16").limit_rel
    )
    assert (coarser("fp32", ""), coarser("fp16", "int8"), coarser("bf16", "fp16")) == ("fp32", "int8", "bf16")


def test_a_tolerance_replaces_every_limit_but_shapes_and_finite_values():
    output = SCORES * 1.03 + noise(0.05)
    assert not judge(output, precision="fp32").passed
    parity = judge(output, precision="fp32", tolerance=0.2)
    assert parity.passed and (parity.tolerance, parity.limit_rel, parity.slice_limit) == (0.2, 0.2, 0.2)
    assert not judge(output, precision="fp32", tolerance=0.02).passed
    assert not judge(np.where(SCORES > 2, np.inf, SCORES), tolerance=0.9).passed
    assert not judge(SCORES[:, :-1], tolerance=0.9).passed


UNIT = SCORES / np.linalg.norm(SCORES, axis=1, keepdims=True)
SOFTMAX = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (SCORES, ""),
        (SOFTMAX, ""),
        (1 / (1 + np.exp(-SCORES)), ""),
        (SCORES[:, :, None, None], ""),
        (np.arange(64), ""),
        (np.arange(64).reshape(64, 1), ""),
        (UNIT, "embedding"),
        (np.maximum(SCORES, 0) * 3, "features"),
        (SCORES[:, :1], "one value"),
        (DETECTOR, "shape"),
        (np.arange(640).reshape(64, 10), "integers"),
        (SCORES + 100 * (np.arange(20) == 3), "same for every input"),
    ],
)
def test_whether_outputs_are_class_scores_is_decided_by_what_they_are(output, reason):
    found = no_scores(output)
    assert bool(found) is bool(reason) and reason in found


def test_agreement_counts_distinct_inputs():
    output = np.concatenate([SCORES, SCORES[:8]])
    output[2] = -output[2]
    parity = judge(output, np.concatenate([SCORES, SCORES[:8]]), "bf16", distinct=64)
    assert (parity.agree_k, parity.agree_n, parity.agreement) == (63, 64, "")
    parity = judge(DETECTOR, DETECTOR)
    assert (parity.agree_k, parity.agree_n) == (None, None) and parity.agreement.startswith(
        "does not apply: output 0"
    )


def test_old_records_are_read():
    old = b'{"passed":true,"max_abs":0.1,"max_rel":0.01,"cosine":1.0,"top1":0.5,"limit_rel":0.04,"images":4}'
    parity = msgspec.json.decode(old, type=Parity)
    assert (parity.agree_n, parity.worst_slice, parity.tolerance, parity.unseen) == (None, "", None, 0)
