"""Scenarios as they are asked for: bounds, policies, sizes, and how many queries a verdict needs."""

import os

import pytest

from inferometer.cli import invoke
from inferometer.errors import UsageError
from inferometer.planning.load_request import SCENARIO_PRESETS, LoadRequest, check_instances, sizes_of
from inferometer.planning.request import from_builtins, make_request, to_builtins
from inferometer.records import Batching


def test_policies_are_every_batch_with_every_wait_and_streams_have_none():
    load = LoadRequest(("server",), max_batch=(1, 8), max_wait_s=(0.0, 0.002))
    assert load.policies("server") == (Batching(1), Batching(8), Batching(8, 0.002))
    assert load.policies("offline") == (Batching(1), Batching(8))
    assert load.policies("single-stream") == (Batching(1),)
    assert LoadRequest(bounds_s=(0.01, 0.02)).promises("server") == (0.01, 0.02)
    assert LoadRequest(bounds_s=(0.01,)).promises("offline") == (None,)


def test_instances_are_tried_like_batchings_but_for_a_single_stream():
    load = LoadRequest(("server",), max_batch=(1, 8), instances=(1, 2))
    several = Batching(8, instances=2)
    assert load.policies("server") == (Batching(1), Batching(8), Batching(1, instances=2), several)
    assert load.policies("single-stream") == (Batching(1),)
    assert several.words == "up to 8, 2 instances" and Batching(1, instances=2).words == "single, 2 instances"


@pytest.mark.parametrize(
    ("instances", "threads", "devices", "said"),
    [
        ((4,), 2, {"cpu"}, "--instances 4 is more than the 2 CPU threads to share out: give 2 at most"),
        ((1, 2), 8, {"cpu", "cuda:0"}, "leave it out for cuda:0, or give --device cpu"),
        ((1, 2), 2, {"cpu"}, ""),
        ((1,), 1, {"cuda:0"}, ""),
        ((1, 2), 5, {"cpu"}, ""),  # two each
        ((2, 3), 6, {"cpu"}, "gives each thread a CPU, and 4 CPUs may be used here: give --threads 4"),
    ],
)
def test_instances_are_refused_where_they_make_no_sense(instances, threads, devices, said, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    load = LoadRequest(("offline",), instances=instances)
    if not said:
        check_instances(load, threads, devices)
        return
    with pytest.raises(UsageError, match=said) as error:
        check_instances(load, threads, devices)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("padding", "most", "sizes"),
    [
        ("powers", 8, (1, 2, 4, 8)), ("powers", 6, (1, 2, 4, 6)), ("fours", 64, (1, 4, 16, 64)), ("fours", 8, (1, 4, 8)),
        ("largest", 8, (1, 8)), ("none", 3, (1, 2, 3)), ("powers", 1, (1,)),
    ],
)  # fmt: skip
def test_sizes_are_those_that_batches_are_filled_up_to(padding, most, sizes):
    assert sizes_of(Batching(most, padding=padding)) == sizes
    assert sizes_of(Batching(most, padding=padding), fixed=5) == (5,)


def test_a_lower_percentile_needs_fewer_queries():
    quick = SCENARIO_PRESETS["quick"]
    assert quick.queries_of("server") == 662 and 62 <= quick.queries_of("server", 90) <= 66
    assert quick.least_rate(99) == pytest.approx((662 + 3 * 662**0.5) / 60)
    assert SCENARIO_PRESETS["mlperf"].least_rate(99) == 0.0
    assert SCENARIO_PRESETS["mlperf"].is_mlperf_length and not quick.is_mlperf_length


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scenarios": "server"}, "needs the latency to promise: give --latency-bound"),
        ({"latency_bound": "20ms"}, "--latency-bound is for --scenarios server"),
        ({"scenarios": "offline", "latency_bound": "20ms"}, "--latency-bound is for --scenarios server"),
        ({"audit": True}, "--audit is for --scenarios"),
        ({"percentile": 90}, "--percentile is for --scenarios server"),
        ({"scenarios": "offline", "percentile": 90}, "--percentile is for --scenarios server: give that too"),
        ({"scenarios": "offline", "max_wait_ms": 2}, "--max-wait-ms is for --scenarios server"),
        ({"max_batch": 4}, "--max-batch is for --scenarios"),
        ({"padding": "one"}, "--padding is for --scenarios"),
        ({"scenario_preset": "mlperf"}, "--scenario-preset is for --scenarios"),
        ({"calibration": "rows.npz"}, "--calibration is for --precisions int8"),
        ({"calibration": "rows.npz", "precisions": "int8-weights"}, "--calibration is for --precisions int8"),
        ({"instances": 2}, "--instances is for the scenarios server"),
        ({"scenarios": "single-stream", "instances": "1,2"}, "--instances is for the scenarios server"),
        ({"scenarios": "offline", "instances": 0}, "--instances 0 is too small"),
        ({"scenarios": "offline", "instances": "some"}, "instances 'some' is no whole number"),
        ({"scenarios": "servers"}, "unknown scenario 'servers'"),
        ({"scenarios": "server", "latency_bound": "soon"}, "'soon' is no time: write 20ms"),
        ({"scenarios": "server", "latency_bound": "20"}, "--latency-bound 20 has no unit: write 20ms or 20s"),
        ({"scenarios": "server", "latency_bound": 0}, "--latency-bound 0 s is no time to keep"),
        ({"scenarios": "server", "latency_bound": "20ms", "percentile": 100}, "--percentile 100: give a percentile"),
        ({"scenarios": "offline", "max_batch": 0}, "--max-batch 0 is too small"),
        ({"scenarios": "offline", "max_wait_ms": -1}, "--max-wait-ms -1 is no time to wait"),
        ({"scenarios": "offline", "padding": "odd"}, "unknown padding 'odd'"),
        ({"scenarios": "offline", "scenario_preset": "long"}, "unknown scenario preset 'long'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_line(options, said):
    with pytest.raises(UsageError, match=said) as error:
        make_request("m.onnx", **options)
    assert "\n" not in str(error.value)


def test_a_stored_run_with_an_option_that_changes_nothing_is_resumed():
    load = LoadRequest(max_batch=(4,), percentile=90)
    load.check()
    with pytest.raises(UsageError, match="is for --scenarios"):
        load.check_used()  # as of a new run


def test_it_is_stored_with_the_run_and_runs_of_before_have_none():
    request = make_request("m.onnx", scenarios="server,offline", latency_bound="20ms,1.5s", max_wait_ms="0,2")
    assert request.load.bounds_s == (0.02, 1.5) and request.load.max_wait_s == (0.0, 0.002)
    data = to_builtins(request)
    assert from_builtins(data) == request
    del data["load"]
    assert from_builtins(data).load == LoadRequest()
    assert "server, offline, p99 within 20 ms, 1500 ms, 5 s a test" in request.load.words()


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ({"scenarios": ("offline",)}, 1, 1),
        ({"scenarios": ("server", "offline"), "bounds_s": (0.02,)}, 2, 9),
        ({"scenarios": ("server",), "bounds_s": (0.02, 0.05), "max_batch": (1, 8), "max_wait_s": (0.0, 0.001)}, 6, 48),
        ({"scenarios": ("single-stream", "offline"), "instances": (1, 2), "audit": True}, 9, 9),
    ],
)  # fmt: skip
def test_how_long_tests_take_goes_by_how_many_there_are(asked, least, most):
    load = LoadRequest(**asked)
    assert load.tests_s(2, 3) == (2 * 3 * 5.0 * least, 2 * 3 * 5.0 * most)
    longer = LoadRequest(**asked, preset="standard")
    assert longer.tests_s(1, 1) == (60.0 * least, 60.0 * most)


def test_a_dry_run_says_how_long_the_load_takes(capsys):
    words = ["--frameworks", "onnxrt", "--scenarios", "server", "--latency-bound", "20ms", "--rounds", "1"]
    assert invoke(["run", *words, "--device", "cpu", "--batch-sizes", "1", "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "under load: server, p99 within 20 ms, 5 s a test; that takes about 5.00 s to 40.0 s more" in told
