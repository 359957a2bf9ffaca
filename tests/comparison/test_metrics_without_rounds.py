"""What `compare` says of metrics that are exact, known round by round, or by their intervals alone."""

import pytest

from inferometer.comparison.compare import compare
from inferometer.records import Parity, Prepare
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from simulated_runs import cell, record, rounds_of, run


def agreeing(top1, path):
    parity = Parity(True, 1e-6, 1e-6, 1.0, top1, 1e-3, 64)
    return summarise([run([record(cell(), parity=parity)], path)])


@pytest.mark.parametrize(("second", "verdict"), [(1.0, "tie"), (0.999, "worse")])
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
