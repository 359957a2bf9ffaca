"""Real workers under the real LoadGen, with a backend of known time of service."""

import importlib
import itertools
from pathlib import Path

import numpy as np
import pytest

from fakes import fake_framework
from inferometer.planning.load_request import LoadRequest
from inferometer.results.under_load import AUDIT_PASSED, audit_words
from inferometer.running.load.queueing import replay
from inferometer.running.load.stage import missing_tasks
from inferometer.storage.run_directory import read_run
from load_stage import at_one_rate, load_context, loadgen_folder, shortened, under_load

SERVICE_S = (0.003, 0.001)  # a batch, and each of its rows


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    shortened(monkeypatch, 0.5, 100)


def timed(name="fake", **options):
    return fake_framework(name, **{"service_s": SERVICE_S, **options})


def test_streams_and_offline_have_loadgens_verdict_and_logs(tmp_path):
    load = LoadRequest(("single-stream", "multi-stream", "offline"), max_batch=(4,))
    run = under_load(tmp_path, timed(), load=load)
    single, multi, offline = run.scenarios
    assert [r.status for r in run.scenarios] == ["ok"] * 3
    assert all(r.parity.passed and r.actual.version == "1.0" for r in run.scenarios)
    assert not any(r.is_mlperf_length for r in run.scenarios)
    test = single.result
    assert test.valid and test.loadgen.startswith("6.") and test.queries >= 64
    assert test.latency_s["90"] >= 0.004 and test.early_stopping_s["90"] >= test.latency_s["50"]
    assert test.batches == {"1": test.queries} and test.padded == 0
    assert multi.result.latency_s["99"] >= 2 * 0.007, "eight samples are two batches of four"
    assert set(multi.result.batches) == {"4"} and multi.result.rows == 8 * multi.result.queries
    assert multi.result.rate == pytest.approx(8 / multi.result.latency_s["mean"])  # LoadGen logs none
    assert offline.result.rate < 4 / 0.007 and offline.result.rows >= 100
    log = run.path / test.folder / "mlperf_log_detail.txt"
    assert "result_validity" in log.read_text()
    assert read_run(run.path).scenarios == run.scenarios


def test_offline_is_asked_for_more_where_it_ends_too_soon_for_a_verdict(tmp_path):
    """As a GPU does that clocks up: LoadGen draws its samples by what was measured before."""
    load = LoadRequest(("offline",), max_batch=(4,))
    (found,) = under_load(tmp_path, timed(service_s=(0.012, 0.004), speeds_up=4), load=load).scenarios
    first, second = [test for test in found.tests if test.purpose == "measure"]
    assert not first.valid and second.valid and found.result == second
    assert first.target_rate is None and second.rows > 2 * first.rows


def test_a_server_finds_the_highest_valid_rate_and_keeps_what_it_tried(tmp_path):
    load = LoadRequest(("server",), bounds_s=(0.04,), percentile=90, max_batch=(8,))
    run = under_load(tmp_path, timed(), load=load)
    (found,) = run.scenarios
    assert (found.status, found.percentile, found.bound_s) == ("ok", 90, 0.04)
    assert found.tests[0].purpose == "accuracy"
    assert 2 <= len(found.tests[1:]) <= 8 and {test.purpose for test in found.tests[1:]} == {"search"}
    best = found.result
    assert best.valid and best.latency_s["90"] <= 0.04
    assert best.target_rate == max(test.target_rate for test in found.tests[1:] if test.valid)
    assert 0.7 * best.target_rate < best.rate < 8 / 0.011
    assert len({test.folder for test in found.tests}) == len(found.tests)


def served(run, test):
    """Return arrivals (s), and begin, end, requests and size of each batch, of a server test."""
    with np.load(run.path / test.folder / "queries.npz") as file:
        return file["arrived_ns"] / 1e9, file["batches"]


@pytest.mark.parametrize(("max_batch", "rate"), [(1, 150.0), (8, 350.0)])
def test_latencies_are_those_of_a_queue_with_these_arrivals_and_times(tmp_path, max_batch, rate, theory):
    load = LoadRequest(("server",), bounds_s=(0.06,), max_batch=(max_batch,), padding="none")
    found = []
    for attempt in range(8):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        run = at_one_rate(load_context(folder, [timed()], load), rate)
        _, test = run.scenarios[0].tests
        arrived, batches = served(run, test)
        took = itertools.chain(theory.busy_s(arrived * 1e9, batches), itertools.repeat(max(SERVICE_S)))
        service = lambda count, took=took: next(took)  # noqa: E731
        expected = replay(arrived.tolist(), service, max_batch)
        expected += lateness_s(theory, run.path / test.folder, arrived)
        answered = np.repeat(batches[:, 1] / 1e9, batches[:, 2]) - arrived
        assert np.all(answered >= 0.9 * min(SERVICE_S[0] + SERVICE_S[1] * batches[:, 2]))
        found.append(
            [test.latency_s[name] / np.percentile(expected, float(name)) for name in ("50", "90", "99")]
        )
        if is_near(closest(found)):
            break
    assert is_near(closest(found))


@pytest.fixture
def theory(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[3] / "benchmarks"))
    return importlib.import_module("queueing_theory")


def lateness_s(theory, folder, arrived):
    """Return by how much each query came later than it was due, from when LoadGen counts: a busy machine makes it late."""
    facts = theory.entries(folder)
    rate = float(facts["effective_target_qps"])
    due = theory.schedule(int(facts["effective_schedule_rng_seed"]), rate, len(arrived))
    return arrived - due - np.min(arrived - due)


def is_near(ratios):
    """Tell whether ratios of the median, 90th and 99th percentile are near 1; a busy machine wakes an idle server late."""
    return bool(np.all(np.abs(np.log(ratios)) < (0.05, 0.05, 0.2)))


def closest(found):
    """Return of each percentile the ratio that is nearest to 1, over the attempts."""
    ratios = np.array(found)
    return ratios[np.argmin(np.abs(np.log(ratios)), axis=0), np.arange(ratios.shape[1])]


def test_a_batch_is_all_that_waited(tmp_path):
    load = LoadRequest(("server",), bounds_s=(0.06,), max_batch=(8,), padding="none")
    run = at_one_rate(load_context(tmp_path, [timed()], load), 350.0)
    arrived, batches = served(run, run.scenarios[0].tests[1])
    begins, counts, sizes = batches[:, 0], batches[:, 2], batches[:, 3]
    waiting = np.searchsorted(arrived, begins / 1e9, side="right") - (np.cumsum(counts) - counts)
    assert np.all(counts == sizes) and 1 < counts.max() <= 8
    assert np.all(counts <= np.maximum(waiting, 1))
    left = (
        np.minimum(waiting, 8) - counts
    )  # come while it was formed: one now and then, more where others take the processor
    assert np.mean(left > 1) < 0.1


def test_a_longest_wait_makes_larger_batches(tmp_path):
    sizes = []
    for wait_s in (0.0, 0.02):
        (tmp_path / str(wait_s)).mkdir()
        load = LoadRequest(("server",), bounds_s=(0.1,), max_wait_s=(wait_s,))
        run = at_one_rate(load_context(tmp_path / str(wait_s), [timed()], load), 100.0)
        _, test = run.scenarios[0].tests
        sizes.append(test.rows / sum(test.batches.values()))
    assert sizes[1] > 1.5 * sizes[0]


def test_what_is_missing_is_run_once(tmp_path):
    load = LoadRequest(("single-stream",))
    run = under_load(tmp_path, timed(), timed("other"), load=load)
    assert sorted(r.cell.framework for r in run.scenarios) == ["fake", "other"]
    assert missing_tasks(run, load) == []
    more = LoadRequest(("single-stream", "offline"))
    assert [task.scenario for task in missing_tasks(run, more)] == ["offline"] * 2


def test_loadgen_is_there():
    assert list(loadgen_folder().glob("mlperf_loadgen*"))


def test_loadgens_accuracy_mode_is_held_against_the_reference(tmp_path):
    load = LoadRequest(("single-stream", "offline"), max_batch=(4,))
    run = under_load(tmp_path, timed(), load=load)
    for result in run.scenarios:
        first = result.tests[0]
        assert first.purpose == "accuracy" and first.parity.passed and first.rows == 4, "distinct inputs"
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    run = under_load(wrong, timed(behaviour="wrong under load"), load=load)
    assert [r.status for r in run.scenarios] == ["parity-failed"] * 2
    assert all(r.cause.startswith("LoadGen's accuracy run: ") and r.chosen is None for r in run.scenarios)


def test_an_audit_compares_performance_runs_and_finds_a_cache(tmp_path):
    load = LoadRequest(("single-stream", "server"), bounds_s=(0.05,), percentile=50, audit=True)
    run = under_load(tmp_path, timed(), load=load)
    audits = {r.scenario: [t for t in r.tests if t.purpose == "audit"] for r in run.scenarios}
    assert [t.audit for t in audits["single-stream"]] == ["accuracy", "same"]
    assert [t.audit for t in audits["server"]] == ["accuracy"]
    assert all(
        t.parity.passed and t.parity.timed >= 0 for ts in audits.values() for t in ts if t.audit == "accuracy"
    )
    assert audit_words(run.scenarios[0]) == AUDIT_PASSED
    cached = tmp_path / "cached"
    cached.mkdir()
    run = under_load(cached, timed(behaviour="caches"), load=LoadRequest(("single-stream",), audit=True))
    assert "times as fast with one input only" in audit_words(run.scenarios[0])


def test_what_a_change_of_the_batch_size_costs_is_measured_and_told(tmp_path):
    """ONNX Runtime on a GPU took a second for each: no rate kept the bound, and nothing said why."""
    for name in ("powers", "one"):
        (tmp_path / name).mkdir()
    load = LoadRequest(("server",), bounds_s=(0.1,), percentile=90, max_batch=(4,))
    (found,) = under_load(tmp_path / "powers", timed(switch_s=0.05), load=load).scenarios
    assert found.switch_s == pytest.approx(0.05, rel=0.3) and found.switches_dearly
    load = LoadRequest(("server",), bounds_s=(0.1,), percentile=90, max_batch=(4,), padding="one")
    (found,) = under_load(tmp_path / "one", timed(switch_s=0.05), load=load).scenarios
    assert found.switch_s == 0 and not found.switches_dearly
    assert set(found.service_s) == {"4"} and set(found.result.batches) == {"4"}
