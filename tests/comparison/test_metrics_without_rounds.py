"""What `compare` says of metrics that are exact, known round by round, or by their intervals alone."""

import numpy as np
import pytest
from msgspec.structs import replace

from evaluated_runs import evaluated_run
from inferometer.comparison.compare import compare
from inferometer.comparison.wording import incomparable, unsure
from inferometer.records import Parity, Prepare
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from simulated_runs import cell, record, rounds_of, run


def agreeing(top1, path):
    parity = Parity(True, 1e-6, 1e-6, 1.0, top1, 1e-3, 64)
    return summarise([run([record(cell(), parity=parity)], path)])


@pytest.mark.parametrize(("second", "verdict"), [(1.0, "tie"), (0.999, "worse"), (0.0, "worse")])
def test_an_exact_metric_differs_where_it_is_not_equal(second, verdict):
    (change,) = compare(agreeing(1.0, "a"), agreeing(second, "b"), METRICS["agreement"]).changes
    assert (change.verdict, change.basis) == (verdict, "exact")


def ready_after(seconds, path):
    records = [record(cell(), n, prepare=Prepare(s, 0.0, 0.0)) for n, s in enumerate(seconds)]
    return summarise([run(records, path)])


@pytest.mark.parametrize(
    ("second", "verdict"), [((10.5, 9.5, 11.5), "tie"), ((20.0, 20.4, 19.6), "worse"), ((5.0, 5.1, 4.9), "better")]
)  # fmt: skip
def test_times_to_ready_are_judged_by_their_rounds(second, verdict):
    found = compare(ready_after((9.0, 10.0, 11.0), "a"), ready_after(second, "b"), METRICS["prepare_time"])
    (change,) = found.changes
    assert (change.verdict, change.basis) == (verdict, "3 and 3 rounds")
    assert change.low < change.ratio < change.high


def test_two_cells_of_three_rounds_do_not_differ_in_noise_by_chance():
    quiet = summarise([run(rounds_of(cell(), [999.0, 1000.0, 1001.0]), "a")])
    loud = summarise([run(rounds_of(cell(), [997.0, 1000.0, 1003.0]), "b")])
    (change,) = compare(quiet, loud, METRICS["process_noise"]).changes
    assert change.basis == "the intervals of both"
    assert change.ratio == pytest.approx(3, rel=0.01) and change.verdict == "tie"


def answered(path, lost):
    right = np.zeros(1000, dtype=int)
    given = right.copy()
    given[:lost] = 1
    return summarise([evaluated_run(path, right, {("onnxrt", "fp32"): right, ("onnxrt", "int8"): given})])


def test_a_loss_of_nothing_has_no_ratio_and_says_what_to_compare_instead(tmp_path):
    none, much = answered(tmp_path / "a", 0), answered(tmp_path / "b", 200)
    reason = "accuracy_loss is 0 or less in {}, of which a ratio says nothing (compare --metric accuracy)"
    assert incomparable(compare(none, much, METRICS["accuracy_loss"])) == [
        f"not comparable, {reason.format('A and B')}: onnxrt fp32 8",
        f"not comparable, {reason.format('A')}: onnxrt int8 8",
    ]
    found = compare(none, much, METRICS["accuracy"])
    assert [change.verdict for change in found.changes] == ["tie", "worse"]


@pytest.mark.parametrize(
    ("sides", "missing"), [(((10.0,), ()), "B"), (((), (10.0,)), "A"), (((), ()), "A and B")]
)
def test_the_side_without_a_figure_is_named(sides, missing):
    first, second = (
        ready_after(side, path) if side else summarise([run([record(cell(), prepare=None)], path)])
        for side, path in zip(sides, "ab", strict=True)
    )
    (change,) = compare(first, second, METRICS["prepare_time"]).changes
    assert change.reason == f"no prepare_time in {missing}"


def test_no_number_of_rounds_gives_a_phase_an_interval():
    first, second = (summarise([run(rounds_of(cell(), [999.0, 1000.0, 1001.0]), path)]) for path in "ab")
    assert unsure(compare(first, second, METRICS["copy_in"])) == [
        "not judged: no interval is known of it: onnxrt fp32 8"
    ]


def test_energy_that_is_known_roughly_is_not_called_published():
    def roughly(path):
        records = rounds_of(cell(), [999.0, 1000.0, 1001.0], power_w=100.0)
        devices = [
            replace(d, low_j=0.2 * d.energy_j, high_j=3 * d.energy_j)
            for r in records
            for d in r.energy.devices
        ]
        return summarise(
            [
                run(
                    [
                        replace(r, energy=replace(r.energy, devices=(d,)))
                        for r, d in zip(records, devices, strict=True)
                    ],
                    path,
                )
            ]
        )

    assert unsure(compare(roughly("a"), roughly("b"), METRICS["energy"])) == [
        "not judged: it is not known round by round: onnxrt fp32 8"
    ]
