import dataclasses
import math

import msgspec
import numpy as np
import pytest

from inferometer import tables
from inferometer.flags import flag, words
from inferometer.records import Energy, Gpu, Loop, Machine, Memory, Parity, Prepare, Record, Skip
from inferometer.results.metrics import METRICS, PHASES
from inferometer.results.ranking import rank_cells
from inferometer.results.summary import summarise
from inferometer.results.tie_test import TieTest
from inferometer.tables import overview
from inferometer.tables.notes import notes
from simulated_runs import GPU_MACHINE, cell, metered, record, rounds_of, run


def only(records, **more):
    (summary,) = summarise([run(records, **more)]).summaries
    return summary


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


def test_one_round_each_is_not_judged():
    """Neither by their loops nor by what a meter claims: the next process may order them otherwise."""
    results = summarise([run([record(cell("a"), rate=1000.0, power_w=50.0), record(cell("b"), rate=500.0)])])
    places = list(rank_cells(results.summaries, METRICS["throughput"]).values())
    assert [place.best for place in places] == [True, False]
    assert not any(place.judged or place.tie for place in places)
    assert not any(summary.judged for summary in results.summaries)


def test_nobody_leads_by_less_than_a_clock_can_tell():
    """Differences without any noise, below the floor and above it."""
    for lead, standing in ((1.0005, "tie"), (1.01, "told")):
        records = [*rounds_of(cell("a"), [1000.0 * lead] * 3), *rounds_of(cell("b"), [1000.0] * 3)]
        results = summarise([run(records)])
        assert [p.standing for p in rank_cells(results.summaries, METRICS["throughput"]).values()] == [
            standing
        ] * 2
    fast = [
        Record(cell(name), n, "ok", images=1, loops=(Loop(seconds),) * 3)
        for name, seconds in (("a", 1e-6), ("b", 1.01e-6))
        for n in range(3)
    ]
    places = rank_cells(summarise([run(fast)]).summaries, METRICS["throughput"])
    assert {place.standing for place in places.values()} == {"tie"}


def test_a_tie_for_the_number_of_pairs_alone_is_called_unclear():

    def judged(slower):
        rates = {"a": [1000.0, 1004.0, 1008.0], "b": [999.0 - slower, 1007.0 - slower, 1004.0 - slower]}
        results = summarise([run([r for f, found in rates.items() for r in rounds_of(cell(f), found)])])
        return TieTest(results.summaries, METRICS["throughput"]), *results.summaries

    shifts = (0.1 * step for step in range(1000))
    slower = next(s for s in shifts if (t := judged(s))[0].judge(*t[1:]).p <= 0.05)
    test, best, other = judged(slower)
    assert test.judge(best, other).standing == "told"
    more = rounds_of(cell("c"), [600.0, 600.0, 600.0])  # three pairs where there was one
    crowd = summarise([run([*best.records, *other.records, *more])])
    test = TieTest(crowd.summaries, METRICS["throughput"])
    found = test.judge(*crowd.summaries[:2])
    assert found.standing == "unclear" and found.p > 0.05


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
    assert summary.batch_latencies_s().tolist() == [0.010, 0.030]


def test_energy_by_hand():
    summary = only(rounds_of(cell(), [1000.0, 1000.0], power_w=50.0))
    assert summary.power.value == pytest.approx(50.0)
    assert summary.energy_image.value == pytest.approx(0.05)
    assert summary.images_per_joule.value == pytest.approx(20.0)
    assert summary.images_per_watt.value == pytest.approx(20.0)
    assert summary.energy_time.value == pytest.approx(0.05 / 1000)
    assert summary.power.source == "nvml counter"
    assert summary.power.high == pytest.approx(50.5, rel=1e-3)  # the meter's own 1 %
    assert summary.energy_time.high == pytest.approx(0.05 / 1000 * 1.01, rel=1e-3)


def at_rest(energy, idle_w):
    """Return the energy with its devices' power at rest known."""
    devices = tuple(msgspec.structs.replace(device, idle_w=idle_w) for device in energy.devices)
    return msgspec.structs.replace(energy, devices=devices)


def test_energy_net_of_what_the_device_takes_at_rest():
    (gross,) = rounds_of(cell(), [1000.0], power_w=50.0)
    summary = only([msgspec.structs.replace(gross, energy=at_rest(gross.energy, 20.0))])
    assert METRICS["idle_power"].of(summary).value == 20.0
    assert summary.energy_net.value == pytest.approx(0.03)
    width = summary.energy_image.high - summary.energy_image.value
    assert summary.energy_net.high == pytest.approx(0.03 + width)
    assert only([gross]).energy_net is None  # at rest: not known
    all_of_it = msgspec.structs.replace(gross, energy=at_rest(gross.energy, 50.0))
    assert only([all_of_it]).energy_net is None


def test_phases_are_means_over_rounds_without_an_interval():
    phases = ({"copy_in": 0.001, "compute": 0.004}, {"copy_in": 0.003, "compute": 0.006}, {})
    counts = (10, 5, 0)
    rounds = [
        msgspec.structs.replace(one, phases=found, phase_batches=count)
        for one, found, count in zip(rounds_of(cell(), [1000.0] * 3), phases, counts, strict=True)
    ]
    summary = only(rounds)
    assert summary.phases["copy_in"].value == pytest.approx(0.002)
    compute = METRICS["compute"].of(summary)
    assert (compute.low, compute.high, compute.unit) == (None, None, "s")
    assert (compute.source, compute.n) == ("mean of 15 batches in 2 rounds", 2)
    assert METRICS["copy_out"].of(summary) is None
    older = only([msgspec.structs.replace(one, phase_batches=0) for one in rounds])
    assert older.phases["compute"].source == "mean over 2 rounds"


def test_nobody_is_best_at_a_phase():
    fast, slow = record(cell("tf"), rate=2000.0), record(cell("onnxrt"), rate=1000.0)
    results = summarise([run([fast, slow])])
    places = rank_cells(results.summaries, METRICS["copy_in"])
    assert sorted(place.value for place in places.values()) == pytest.approx([0.0012, 0.0024])
    assert not any(place.best or place.tie or place.best_overall for place in places.values())


def test_flat_rows_hold_phases_in_seconds_and_where_they_are_from():
    known, pipelined = overview.flat_rows(
        summarise([run([record(cell(), rate=1000.0), record(cell(mode="host-pipelined"))])])
    )
    assert known["copy_in_s"] == pytest.approx(0.0024)
    assert known["enqueue_s"] < known["compute_s"]
    assert known["phases_source"] == "mean of 10 batches in 1 round"
    assert "copy_in_low" not in known and "copy_in" not in known
    assert [pipelined[f"{name}_s"] for name in PHASES] == [None] * 4
    assert pipelined["phases_source"] == ""


def test_energy_of_another_device_is_not_that_of_the_work():
    (other,) = rounds_of(cell(), [1000.0], power_w=50.0)
    absent = msgspec.structs.replace(other.energy, primary="", reason="no meter: nvml: no driver")
    summary = only([msgspec.structs.replace(other, energy=absent)])
    assert (summary.power, summary.energy_image) == (None, None)
    assert summary.energy_reason == "no meter: nvml: no driver"


def told_of(results):
    return [note.words for note in notes(results)]


def by(meter, kind, joules_an_image, round_=0, framework="onnxrt"):
    """Return a record whose energy a meter of this kind told."""
    energy = metered(joules_an_image * 256, 0.256, 256)
    device = msgspec.structs.replace(energy.devices[0], meter=meter, device_type=kind)
    return record(cell(framework), round_, energy=msgspec.structs.replace(energy, devices=(device,)))


def test_energies_of_two_meters_have_no_mean():
    first = run([by("rapl", "cpu", 0.5, n) for n in range(2)], "a")
    second = run([by("mqtt", "external", 2.0)], "b")
    results = summarise([first, second])
    (summary,) = results.summaries
    assert summary.energy_image.value == pytest.approx(0.5) and summary.meter == "rapl (cpu)"
    remark = flag("one-meter", meter="rapl (cpu)", others="1 round by mqtt (external)")
    assert summary.energy_image.remark == summary.power.remark == summary.images_per_joule.remark == remark
    assert f"{words(remark)}: onnxrt at 8" in told_of(results)
    assert summary.rounds == 3  # their speeds are of one thing


def test_one_socket_is_another_meter_than_both():
    whole = by("rapl", "cpu", 1.0)
    (device,) = whole.energy.devices
    both = msgspec.structs.replace(device, device_uid="rapl:package-0+rapl:package-1")
    whole = msgspec.structs.replace(whole, energy=Energy((both,), both.device_uid))
    assert only([whole]).meter == "rapl (cpu, 2 packages)"
    assert only([by("rapl", "cpu", 0.5)]).meter == "rapl (cpu)"


def test_cells_of_two_meters_are_not_rivals_in_energy():
    runs = [run([by("rapl", "cpu", 0.5)], "a"), run([by("mqtt", "external", 2.0, framework="tf")], "b")]
    results = summarise(runs)
    places = rank_cells(results.summaries, METRICS["energy"])
    assert [place.best for place in places.values()] == [True, True]
    assert sum(place.best for place in rank_cells(results.summaries, METRICS["throughput"]).values()) == 1
    (table,) = tables.build(results, METRICS["energy"])
    assert [note.partition(":")[0] for note in table.notes] == [
        "energy by rapl (cpu)",
        "energy by mqtt (external)",
    ]


def test_no_energy_says_why():
    summary = only([record(cell(), energy=Energy(reason="no meter: no permission"))])
    assert summary.power is None
    assert summary.energy_reason == "no meter: no permission"


def test_published_means_stand_in_for_missing_loops():
    summary = only([Record(cell(), 0, "ok", published={"throughput": 200.0, "power": 50.0})])
    assert (summary.throughput.value, summary.throughput.low, summary.throughput.source) == (
        200.0,
        None,
        "published",
    )
    assert summary.energy_image.value == pytest.approx(0.25)
    assert summary.latency_image.value == pytest.approx(0.005)
    assert summary.rounds == 0


def test_runs_of_the_same_hardware_pool_and_others_do_not():
    first = run([record(cell(), rate=1000.0)], "a")
    second = run([record(cell(), rate=1020.0)], "b")
    other = run([record(cell())], "c", machine=Machine(cpu="CPU 9", gpus=(Gpu(0, "GPU-9", "A2"),)))
    results = summarise([first, second, other])
    assert [(s.machine, s.rounds) for s in results.summaries] == [("H100", 2), ("A2", 1)]
    assert len(results.summaries[0].paths) == 2


def test_two_versions_on_one_machine_stay_apart():
    def at(version):
        base = record(cell())
        return run([record(cell(), actual=type(base.actual)(version=version))], version)

    results = summarise([at("1.29"), at("1.30")])
    assert results.rows == ("onnxrt 1.29", "onnxrt 1.30")


def test_runs_with_other_threads_or_another_share_of_the_processors_stay_apart():
    def at(threads, rate, usable=4, status="ok"):
        machine = msgspec.structs.replace(GPU_MACHINE, usable_cores=usable)
        actual = msgspec.structs.replace(record(cell()).actual, threads=threads)
        return run([record(cell(), rate=rate, actual=actual, status=status)], machine=machine)

    results = summarise([at(2, 500.0), at(1, 260.0), at(2, 510.0)])
    assert [(s.row, s.rounds) for s in results.summaries] == [("onnxrt 2 threads", 2), ("onnxrt 1 thread", 1)]
    results = summarise([at(2, 500.0), at(2, 260.0, usable=2)])
    assert list(results.machines) == ["H100 (4 cores usable)", "H100 (2 cores usable)"]


def test_the_same_model_with_other_shapes_stays_apart():
    def at(length, hash_, rate):
        found = run([record(cell(), rate=rate)], model_hash=hash_)
        inputs = ({"name": "ids", "shape": [None, length], "dtype": "int64"},)
        info = msgspec.structs.replace(
            found.info, model=msgspec.structs.replace(found.info.model, inputs=inputs)
        )
        return dataclasses.replace(found, info=info)

    results = summarise([at(64, "aaa", 900.0), at(2048, "bbb", 10.0)])
    assert [s.model for s in results.summaries] == ["mobilenet (64)", "mobilenet (2048)"]
    results = summarise([at(64, "aaa", 900.0), at(64, "bbb", 880.0)])
    assert [s.model for s in results.summaries] == ["mobilenet (aaa)", "mobilenet (bbb)"]


def test_two_gpus_of_one_name_stay_apart():
    gpus = (Gpu(0, "GPU-1", "H100"), Gpu(1, "GPU-2", "H100"))
    results = summarise(
        [run([record(cell()), record(cell(device="cuda:1"))], machine=Machine(hostname="box", gpus=gpus))]
    )
    assert list(results.machines) == ["H100 (cuda:0)", "H100 (cuda:1)"]


def test_precision_is_named_where_it_tells_rows_apart():
    results = summarise([run([record(cell("tf")), record(cell("torch", precision="fp16"))])])
    assert results.rows == ("tf", "torch fp16")


def test_a_condemned_round_is_never_ranked_and_an_unlucky_one_is_flagged():
    slow, odd = cell("tf"), cell("torch")
    records = [
        *rounds_of(cell(), [1000.0, 1001.0, 1002.0]),
        *rounds_of(slow, [9000.0, 9000.0]),
        Record(slow, 2, "parity-failed", cause="max_rel 0.3 above 0.001"),
        *rounds_of(odd, [900.0, 901.0]),
        Record(odd, 2, "crashed", cause="SIGSEGV"),
    ]
    good, bad, flagged = summarise([run(records)]).summaries
    assert good.best and not bad.best and not bad.ranked
    assert bad.status == "parity-failed" and "1 of 3 rounds" in bad.cause
    assert flagged.ranked and flagged.flags == (
        flag("rounds-failed", bad=1, ended=3, status="crashed", cause="SIGSEGV"),
    )


def test_skips_and_failures_carry_their_cause():
    skip = Skip(cell("tensorrt"), "no tensorrt package; install it")
    results = summarise([run([Record(cell("jax"), 0, "out-of-memory", cause="asked 9 GiB")], skips=[skip])])
    assert [(s.status, s.cause) for s in results.summaries] == [
        ("out-of-memory", "asked 9 GiB"),
        ("skipped", "no tensorrt package; install it"),
    ]


def test_a_failure_names_its_device_where_there_are_several():
    failed = Record(cell("jax"), 0, "out-of-memory", cause="asked 9 GiB")
    alone = summarise([run([failed, record(cell())])])
    assert overview.failures(alone) == ["jax at 8: out-of-memory: asked 9 GiB"]
    several = summarise([run([failed, record(cell(device="cuda:1"))])])
    assert overview.failures(several) == ["jax at 8 on cuda:0: out-of-memory: asked 9 GiB"]


def test_the_mark_of_the_best_says_among_whom():
    def meaning(*cells, skips=()):
        runs = [run([record(cell) for cell in cells], skips=skips)]
        return told_of(summarise(runs))[0].partition(";")[0]

    assert meaning(cell()) == "▲ highest throughput of its batch size"
    assert meaning(cell(), cell(mode="device")) == "▲ highest throughput of its batch size and mode"
    two = cell(device="cuda:0"), cell(device="cuda:1", mode="device")
    assert meaning(*two) == "▲ highest throughput of its batch size, mode and device"
    assert meaning(cell(), cell(model="other")) == "▲ highest throughput of its batch size and model"
    skipped = Skip(cell(mode="device"), "no such mode")
    assert meaning(cell(), skips=[skipped]) == "▲ highest throughput of its batch size"


def test_a_percentile_of_too_few_batches_is_marked_and_one_of_enough_is_not():
    few, enough = (
        summarise([run([record(cell(batch_size=1), images=count, loops=1)])]) for count in (999, 1000)
    )
    assert few.summaries[0].p50.remark == few.summaries[0].p90.remark is None
    text = "rough p99: 999 batches timed where 1,000 are needed; more loops or rounds firm it up"
    assert few.summaries[0].p99.remark == flag("few-batches", level=99, batches=999, needed=1000)
    assert overview.flat_rows(few)[0]["p99_remark"] == text
    assert f"~ {text}" in told_of(few)
    assert enough.summaries[0].p99.remark is None
    assert overview.flat_rows(enough)[0]["p99_remark"] == ""
    assert not any(line.startswith("~") for line in told_of(enough))
    shown = {c.title: c.text for c in overview.columns(few)}["p99 ms"]
    assert shown(few.summaries[0]).startswith("~") and not shown(enough.summaries[0]).startswith("~")


def test_intervals_within_one_process_are_said_to_be():
    def line(results):
        return [note for note in told_of(results) if note.startswith("±95 %")]

    alone = [record(cell(), noise=0.01)]
    text = "±95 % is from a single process: another one may differ by more; add rounds to know"
    assert line(summarise([run(alone)])) == [text]
    pair = rounds_of(cell("tf"), [1.0, 2.0])
    assert line(summarise([run(pair)])) == []
    assert line(summarise([run([*alone, *pair])])) == [f"{text}: onnxrt at 8"]


def test_an_interruption_does_not_replace_a_result():
    summary = only([record(cell()), Record(cell(), 0, "interrupted")])
    assert summary.status == "ok" and summary.rounds == 1


def test_best_and_tie_by_paired_rounds_despite_drift():
    drift = [1.0, 0.9, 0.8]  # the machine slows down for everyone
    records = [
        *rounds_of(cell("a"), [1000 * d * e for d, e in zip(drift, (1, 1.001, 0.999), strict=True)]),
        *rounds_of(cell("b"), [1000 * d * e for d, e in zip(drift, (0.9995, 1, 1.0002), strict=True)]),
        *rounds_of(cell("c"), [900 * d * e for d, e in zip(drift, (1.001, 1, 0.999), strict=True)]),
    ]
    a, b, c = summarise([run(records)]).summaries
    assert a.tie and b.tie and a.best != b.best
    assert not c.tie and not c.best


def test_best_overall_is_one_cell_a_machine():
    records = [record(cell(batch_size=b), rate=r) for b, r in ((8, 1000.0), (16, 1500.0), (32, 1400.0))]
    results = summarise([run(records)])
    assert [s.cell.batch_size for s in results.summaries if s.best_overall] == [16]
    assert all(s.best for s in results.summaries)


def test_modes_are_never_ranked_against_each_other():
    results = summarise([run([record(cell(), rate=100.0), record(cell(mode="device"), rate=900.0)])])
    assert [s.best for s in results.summaries] == [True, True]
    assert results.sections == (("mobilenet", "host"), ("mobilenet", "device"))


def test_every_metric_has_a_name_of_its_own():
    from inferometer.results import metrics

    entries = [m.name for family in metrics._FAMILIES for m in family.METRICS]
    assert list(METRICS) == entries


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


def test_given_name_wins_over_hardware():
    named = Machine(name="my A2", gpus=GPU_MACHINE.gpus)
    assert only([record(cell())], machine=named).machine == "my A2"


def test_agreement_of_outputs_that_are_no_class_scores_says_so():
    parity = Parity(
        True, 0.0, 0.0, 1.0, None, 1e-4, 8, agreement="does not apply: outputs are no class scores"
    )
    summary = only([msgspec.structs.replace(record(cell()), parity=parity)])
    assert METRICS["agreement"].why_none(summary) == ("does not apply", parity.agreement)
