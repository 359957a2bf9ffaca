import dataclasses
import math

import msgspec
import numpy as np
import pytest

from inferometer import tables
from inferometer.records import Loop, Memory, Parity, Prepare, Record
from inferometer.results.metrics import METRICS
from inferometer.results.summary import summarise
from simulated_runs import cell, record, rounds_of, run
from summaries_of import batch_latencies_s, only


def test_throughput_is_images_over_time_and_the_study_took_the_mean_of_its_loops():
    loops = (Loop(1.0), Loop(4.0))  # 512 and 128 images/s
    summary = only([Record(cell(), 0, "ok", images=512, loops=loops)])
    assert summary.throughput.value == pytest.approx(1024 / 5)
    assert summary.throughput_study.value == pytest.approx(320.0)
    assert summary.latency_image.value == pytest.approx(5 / 1024)
    assert summary.throughput.source == "within one process"
    assert tables.model.metric_named("throughput-total") is METRICS["throughput"]  # as it was called


def test_three_loops_of_which_two_did_nothing():
    """48 images in 0.436 s (../shared/cases/three_loops.csv), where the mean of loop rates says 6,600."""
    loops = tuple(Loop(seconds, images=16) for seconds in (0.00123, 0.43262, 0.00237))
    assert only([Record(cell(), 0, "ok", loops=loops)]).throughput.value == pytest.approx(110, abs=0.1)


def test_every_figure_is_the_mean_of_its_rounds_whatever_they_hold():
    """Rounds of 2, 2 and 30 loops: 109 is the mean of rounds, and 126.5 that of loops."""
    rounds = [record(cell(), n, rate, loops=k) for n, (rate, k) in enumerate(((100, 2), (100, 2), (130, 30)))]
    summary = only(rounds)
    mean = (100 * 100 * 130) ** (1 / 3)
    for figure in (summary.throughput, summary.throughput_study):
        assert figure.value == pytest.approx(mean) and figure.low < mean < figure.high
    for figure in (summary.latency_batch, summary.p50, summary.p99):
        assert figure.value == pytest.approx(8 / mean)


@pytest.mark.parametrize("name", METRICS)
def test_value_and_interval_come_from_the_series_that_decides(name):
    """Whatever a metric is compared by has the value that is shown in its middle."""
    prepares = [Prepare(load, 0.0, 0.5, 0.25) for load in (1.0, 2.0, 4.0)]
    peaks = [Memory(10**9, peak * 10**9) for peak in (2, 3, 3)]
    records = [
        msgspec.structs.replace(r, energy=at_rest(r.energy, 20.0 + r.round), prepare=prepare, memory=peak)
        for r, prepare, peak in zip(
            rounds_of(cell(), [1000.0, 900.0, 1100.0], power_w=50.0), prepares, peaks, strict=True
        )
    ]
    summary = only(records)
    metric = METRICS[name]
    series, figure = metric.series(summary), metric.of(summary)
    if series is None:
        assert (
            metric.exact or not metric.competes or name == "process_noise"
        )  # which is of all rounds together
        return
    assert figure.value == pytest.approx(math.exp(sum(series.logs) / len(series.logs)))
    assert math.sqrt(figure.low * figure.high) == pytest.approx(figure.value, rel=1e-2)
    reach = 4.302653 * np.std(series.logs, ddof=1) / math.sqrt(3)
    assert math.log(figure.high / figure.value) >= 0.99 * reach


def test_rounds_of_several_runs_repeat_as_runs():
    """A jump between runs is in the interval, however many rounds each of them has."""
    runs = [run(rounds_of(cell(), [rate] * 20), name) for rate, name in ((1000.0, "a"), (1010.0, "b"))]
    throughput = summarise(runs).summaries[0].throughput
    assert throughput.n == 40 and throughput.half_width > 0.05


def test_merged_runs_still_repeat_as_runs():
    records = [
        record(cell(), n, 1000.0 + 10 * (n // 20), log=f"/runs/{n // 20}/logs/x.log") for n in range(40)
    ]
    merged = run(records)
    merged = dataclasses.replace(merged, info=msgspec.structs.replace(merged.info, merged=True))
    assert summarise([merged]).summaries[0].throughput.half_width > 0.05


def test_interval_lets_rounds_count_not_loops():
    summary = only(rounds_of(cell(), [990.0, 1000.0, 1010.0], loops=50))
    spread = math.log(1010 / 990) / 2  # sd of three nearly even logs
    reach = 4.302653 * spread / math.sqrt(3)
    assert summary.throughput.n == 3
    assert summary.throughput.source == "rounds"
    assert math.log(summary.throughput.high / summary.throughput.value) == pytest.approx(reach, rel=1e-3)
    assert summary.throughput.low < 1000 < summary.throughput.high


def test_percentiles_leave_the_partial_batch_out():
    loop = Loop(1.0, (0.010, 0.030, 0.001), images=20)  # batches of 8, 8 and 4
    summary = only([Record(cell(batch_size=8), 0, "ok", images=20, loops=(loop,))])
    assert summary.p50.value == pytest.approx(0.020)
    assert summary.latency_batch.value == pytest.approx(0.020)
    assert batch_latencies_s(summary).tolist() == [0.010, 0.030]


def at_rest(energy, idle_w):
    """Return the energy with its devices' power at rest known."""
    devices = tuple(msgspec.structs.replace(device, idle_w=idle_w) for device in energy.devices)
    return msgspec.structs.replace(energy, devices=devices)


def with_share(energy):
    """Return the energy with a worker's share of it, as a host that others use has."""
    (whole,) = energy.devices
    share = msgspec.structs.replace(
        whole, device_uid=f"share:{whole.device_uid}", device_type="share", source="estimated"
    )
    return msgspec.structs.replace(energy, devices=(whole, share))


def test_every_metric_reads_a_full_summary():
    records = rounds_of(cell(), [1000.0, 1001.0], power_w=50.0)
    summary = only([msgspec.structs.replace(r, energy=with_share(at_rest(r.energy, 20.0))) for r in records])
    asked_for = {"accuracy", "top5", "accuracy_loss", "agreement_fp32", "squared_error", "cosine"}
    assert {name for name, metric in METRICS.items() if metric.asked_for} == asked_for
    for metric in METRICS.values():
        estimate = metric.of(summary)
        if metric.asked_for:  # without a data set
            assert estimate is None and metric.why_none(summary)[1] == "no data set: --dataset"
            continue
        assert estimate is not None and estimate.unit == metric.unit, metric.name
        assert metric.show(estimate.value)


def test_a_loop_of_zero_seconds_gives_no_throughput():
    summary = only([Record(cell(), 0, "ok", images=8, loops=(Loop(0.0),))])
    assert summary.throughput is None and not summary.ranked and not summary.best


def test_agreement_of_outputs_that_are_no_class_scores_says_so():
    parity = Parity(
        True, 0.0, 0.0, 1.0, None, 1e-4, 8, agreement="does not apply: outputs are no class scores"
    )
    summary = only([msgspec.structs.replace(record(cell()), parity=parity)])
    assert METRICS["agreement"].why_none(summary) == ("does not apply", parity.agreement)
