"""What can be said of cells that one process measured."""

import numpy as np
import pytest

from compared import results, verdicts
from inferometer.comparison.compare import compare
from inferometer.records import Record
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from simulated_runs import cell, record, run


def test_a_single_round_is_judged_by_the_noise_of_the_other_side():
    ours = results({cell(): [1000.0, 800.0, 1200.0], cell("tf"): [500.0, 501.0, 499.0]})
    theirs = results({cell(): [900.0], cell("tf"): [450.0]}, "b")
    found = compare(ours, theirs)
    assert verdicts(found) == {"mobilenet onnxrt fp32 8": "tie", "mobilenet tf fp32 8": "worse"}
    change = found.changes[0]
    assert change.low < 0.7 and change.high > 1.2 and change.basis == "3 and 1 rounds, A's noise for both"
    assert compare(theirs, ours).changes[0].basis == "1 and 3 rounds, B's noise for both"


def test_a_single_round_on_both_sides_is_judged_by_the_noise_of_other_cells():
    noisy = {cell(f"f{n}"): [1000.0, 800.0 + n, 1200.0] for n in range(4)}
    found = compare(results({**noisy, cell(): [1000.0]}), results({**noisy, cell(): [900.0]}, "b"))
    change = next(c for c in found.changes if c.name == "mobilenet onnxrt fp32 8")
    assert (change.verdict, change.basis) == ("tie", "1 and 1 rounds, the noise of other cells for both")
    assert change.low < 0.9 < change.high


def single(rate, path, **more):
    return summarise([run([record(cell(), rate=rate, noise=0.001, **more)], path)])


def test_what_one_process_measured_is_not_judged_whatever_its_loops_say():
    for metric in ("throughput", "p99", "prepare_time", "memory"):
        (change,) = compare(single(1000.0, "a"), single(500.0, "b"), METRICS[metric]).changes
        assert (change.verdict, change.reason, change.p) == ("not judged", "one round", None)
    energies = (single(1000.0, name, power_w=watts) for name, watts in (("a", 50.0), ("b", 99.0)))
    assert compare(*energies, METRICS["energy"]).changes[0].verdict == "not judged"


def test_a_noise_that_the_user_knows_judges_one_process():
    def verdict(noise):
        return compare(single(1000.0, "a"), single(900.0, "b"), noise=noise).changes[0]

    assert (verdict(0.01).verdict, verdict(0.10).verdict) == ("worse", "tie")
    assert verdict(0.01).basis == "1 and 1 rounds, noise of 1 % as given"
    assert verdict(0.01).high == pytest.approx(verdict(0.01).ratio * np.exp(1.96 * 0.01 * 2**0.5), rel=1e-3)


def test_published_means_are_not_judged():
    def published(rate, path):
        return summarise([run([Record(cell(), 0, "ok", published={"throughput": rate})], path)])

    (change,) = compare(published(1000.0, "a"), published(900.0, "b")).changes
    assert (change.verdict, change.reason) == ("not judged", "published")
