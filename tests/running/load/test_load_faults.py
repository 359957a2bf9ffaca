"""What can go wrong under load is a result with its cause, and loses nothing that was measured."""

import pytest

from fakes import fake_framework, fake_runner
from inferometer.planning.load_request import LoadRequest
from inferometer.running.load.stage import missing_tasks, run_stage
from inferometer.running.progress.observer import SilentObserver
from inferometer.storage.run_directory import read_run
from load_stage import at_one_rate, load_context, shortened, under_load

STREAMS = LoadRequest(("single-stream", "offline"), max_batch=(4,))


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    shortened(monkeypatch, 0.4, 100)


def timed(**options):
    return fake_framework(service_s=(0.003, 0.001), **options)


def test_requests_that_come_faster_than_they_are_answered_end_the_test_early(tmp_path):
    load = LoadRequest(("server",), bounds_s=(0.02,), max_batch=(1,))
    run = at_one_rate(load_context(tmp_path, [timed()], load), 2000.0)
    _, test = run.scenarios[0].tests
    assert not test.valid and test.ended_early and test.elapsed_s < 2
    assert test.queries < 0.4 * 2000 and test.latency_s["99"] > 0.02


def test_where_no_rate_keeps_the_bound_there_is_none_and_it_is_said(tmp_path):
    load = LoadRequest(("server",), bounds_s=(0.002,), max_batch=(2,))  # one alone takes 4 ms
    (found,) = under_load(tmp_path, timed(), load=load).scenarios
    assert found.status == "ok" and found.chosen is None and found.result is None
    assert found.cause.startswith("no rate keeps the bound") and found.tests
    assert not any(test.valid for test in found.tests if test.purpose == "search")


@pytest.mark.parametrize(
    ("dies", "status"), [("kill", "killed"), ("segfault", "crashed"), ("raise", "failed")]
)
def test_a_worker_that_dies_in_a_scenario_costs_that_scenario(tmp_path, dies, status):
    died = tmp_path / "died"
    framework = timed(dies=dies, dies_after=100, dies_once=str(died))
    run = under_load(tmp_path, framework, load=STREAMS)
    assert died.exists()
    statuses = {r.scenario: r.status for r in run.scenarios}
    assert statuses == {"single-stream": status, "offline": "ok"} or statuses == {
        "single-stream": "ok",
        "offline": status,
    }
    (failed,) = [r for r in run.scenarios if r.status != "ok"]
    assert failed.cause and "\n" not in failed.cause and failed.parity.passed
    missing = missing_tasks(run, STREAMS)
    assert len(missing) == (1 if status == "killed" else 0), "killed from outside says nothing of the row"


def test_where_memory_is_short_smaller_batches_are_tried_all_the_same(tmp_path):
    load = LoadRequest(("single-stream", "offline"), max_batch=(2, 8))
    found = under_load(tmp_path, timed(open="", behaviour="memory", at=8), load=load).scenarios
    told = {(r.scenario, r.batching.max_batch): r.status for r in found}
    assert told == {("single-stream", 1): "ok", ("offline", 2): "ok", ("offline", 8): "out-of-memory"}


def test_outputs_without_rows_end_the_test_instead_of_hanging(tmp_path):
    load = LoadRequest(("single-stream",))
    (found,) = under_load(tmp_path, timed(behaviour="no rows under load"), load=load).scenarios
    assert found.status == "failed" and "IndexError" in found.cause


class InterruptsAt(SilentObserver):
    """Presses Ctrl-C once so many tests have ended."""

    def __init__(self, count):
        self.left = count

    def preparing(self, text):
        if "VALID" in text:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


def test_an_interrupted_search_keeps_what_it_tried_and_goes_on(tmp_path):
    load = LoadRequest(("single-stream", "server"), bounds_s=(0.05,), percentile=50)
    context = load_context(tmp_path, [timed()], load, observer=InterruptsAt(3))
    path = context.runner.writer.path
    with pytest.raises(KeyboardInterrupt):
        run_stage(context, read_run(path))
    single, server = read_run(path).scenarios
    assert single.status == "ok" and (server.status, server.cause) == ("interrupted", "stopped by the user")
    assert [t.purpose for t in server.tests] == ["accuracy", "search", "search"] and all(
        (path / test.folder).is_dir() for test in server.tests
    )
    run_stage(load_context(tmp_path, [timed()], load, create=False, measure=False), read_run(path))
    run = read_run(path)
    assert [(r.scenario, r.status) for r in run.scenarios[2:]] == [("server", "ok")]
    assert len({test.folder for r in run.scenarios for test in r.tests}) == sum(
        len(r.tests) for r in run.scenarios
    )
    assert missing_tasks(run, load) == []


def test_wrong_answers_are_not_put_under_load(tmp_path):
    context = load_context(tmp_path, [timed()], STREAMS)
    run = read_run(context.runner.writer.path)
    other = tmp_path / "other"
    other.mkdir()
    wrong = fake_runner(other, [timed(precision="bf16")], request=context.runner.request)
    run_stage(load_context_of(context, wrong), run)
    found = read_run(wrong.writer.path).scenarios
    assert [r.status for r in found] == ["wrong-precision"] * 2 and not any(r.tests for r in found)


def load_context_of(context, runner):
    from dataclasses import replace

    return replace(context, runner=runner)


def test_without_loadgen_the_remedy_is_said(tmp_path):
    from dataclasses import replace

    context = load_context(tmp_path, [timed()], LoadRequest(("offline",)))
    run_stage(replace(context, loadgen=lambda cell: ""), read_run(context.runner.writer.path))
    (found,) = read_run(context.runner.writer.path).scenarios
    assert found.status == "unsupported" and "pip install mlcommons-loadgen" in found.cause
