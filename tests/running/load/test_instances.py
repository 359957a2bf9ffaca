"""Several instances of a row answer one queue: real workers of workers, pinned, under the real LoadGen."""

import threading
import time

import numpy as np
import psutil
import pytest

from fakes import fake_framework, fake_request
from inferometer.planning.load_request import LoadRequest
from inferometer.results.summary import summarise
from inferometer.results.under_load import summarise_load
from inferometer.running.load.stage import missing_tasks, run_stage
from inferometer.running.progress.observer import SilentObserver
from inferometer.storage.run_directory import read_run
from inferometer.tables.under_load import load_markdown, load_rows
from load_stage import at_one_rate, load_context, shortened, under_load

SERVICE_S = (0.003, 0.001)  # a batch, and each of its rows
MOST = 4 / 0.007  # rows/s that one instance can answer in batches of 4, since no sleep is too short


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    shortened(monkeypatch, 0.5, 50)


def timed(**options):
    return fake_framework(service_s=SERVICE_S, **options)


def two(scenarios, **fields):
    return LoadRequest(scenarios, **{"max_batch": (4,), "instances": (2,), **fields})


def request():
    return fake_request(budget_s=0.2, threads=2)


def test_two_instances_answer_more_than_one_can_on_cores_of_their_own(tmp_path):
    load = two(("multi-stream", "offline"), instances=(1, 2))
    run = under_load(tmp_path, timed(), load=load, request=request())
    assert [r.status for r in run.scenarios] == ["ok"] * 4
    found = {(r.scenario, r.batching.instances): r for r in run.scenarios}
    one, both = found["offline", 1], found["offline", 2]
    assert one.result.rate < MOST < both.result.rate < 2 * MOST
    assert both.tests[0].purpose == "accuracy" and both.parity.passed and both.tests[0].parity.passed
    cores = [set(each["cores"]) for each in both.actual.details["instances"]]
    assert [len(own) for own in cores] == [1, 1] and not cores[0] & cores[1]
    assert both.actual.threads == 1, "of an instance"
    assert found["multi-stream", 2].result.latency_s["50"] < 0.014, "four samples each, at once"
    assert found["multi-stream", 1].result.latency_s["50"] >= 0.014
    told = summarise_load(summarise([run]))
    assert "up to 4, 2 instances" in load_markdown(told)
    assert {row["instances"] for row in load_rows(told)} == {1, 2}


def test_a_server_of_two_keeps_a_rate_that_one_cannot(tmp_path):
    load = two(("server",), bounds_s=(0.5,), percentile=90, padding="none")
    run = at_one_rate(load_context(tmp_path, [timed()], load, request=request()), 750.0)
    _, test = run.scenarios[0].tests
    assert test.valid and test.rate > MOST
    with np.load(run.path / test.folder / "queries.npz") as file:
        batches, instance, arrived = file["batches"], file["instance"], file["arrived_ns"]
    assert batches[:, 2].sum() == len(arrived) == test.rows
    assert 0.2 < np.mean(instance) < 0.8 and np.all(np.diff(batches[:, 0]) >= 0)
    for number in (0, 1):  # one batch at a time each
        own = batches[instance == number]
        assert np.all(own[1:, 0] >= own[:-1, 1])


class KillsAnInstance(SilentObserver):
    """Kills one of the workers of a worker while the next test runs, once."""

    killed = None

    def preparing(self, text):
        if "VALID" in text and self.killed is None:
            instances = [p for child in psutil.Process().children() for p in child.children()]
            assert len(instances) == 2
            self.killed = instances[1]
            threading.Timer(0.2, self.killed.kill).start()


def test_a_killed_instance_costs_its_scenario_and_it_is_run_again(tmp_path):
    load, observer = two(("offline", "multi-stream")), KillsAnInstance()
    context = load_context(tmp_path, [timed()], load, observer=observer, request=request())
    run_stage(context, read_run(context.runner.writer.path))
    run = read_run(context.runner.writer.path)
    whole, failed = run.scenarios
    assert (whole.status, failed.status) == ("ok", "killed")
    assert failed.cause.endswith("last words: instance 2 of 2 ended by signal SIGKILL")
    assert [task.scenario for task in missing_tasks(run, load)] == ["multi-stream"]
    run_stage(load_context(tmp_path, [timed()], load, create=False, measure=False, request=request()), run)
    assert read_run(run.path).scenarios[-1].status == "ok"


class Interrupts(SilentObserver):
    """Presses Ctrl-C after the first test."""

    def __init__(self):
        self.instances = []

    def preparing(self, text):
        if "VALID" in text:
            self.instances = [p for child in psutil.Process().children() for p in child.children()]
            raise KeyboardInterrupt


def test_ctrl_c_leaves_no_instance_behind(tmp_path):
    load, observer = two(("server",), bounds_s=(0.1,)), Interrupts()
    context = load_context(tmp_path, [timed()], load, observer=observer, request=request())
    path = context.runner.writer.path
    with pytest.raises(KeyboardInterrupt):
        run_stage(context, read_run(path))
    (found,) = read_run(path).scenarios
    assert (found.status, len(found.tests)) == ("interrupted", 2)
    assert len(observer.instances) == 2
    until = time.monotonic() + 30
    while any(p.is_running() for p in observer.instances) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(p.is_running() for p in observer.instances)


@pytest.mark.parametrize(
    ("options", "status", "cause"),
    [
        ({"open": "raise"}, "failed", "instance 1 of 2: ValueError: the model is odd"),
        ({"open": "segfault"}, "crashed", "instance 1 of 2 ended by signal SIGSEGV"),
        ({"spreads": True}, "wrong-device", "instance 1 of 2 was pinned to CPU"),
    ],
)
def test_an_instance_that_cannot_be_says_which_and_why(tmp_path, options, status, cause):
    load = two(("offline",))
    context = load_context(tmp_path, [timed()], load, request=request())
    other = load_context(tmp_path, [timed(**options)], load, create=False, measure=False, request=request())
    run_stage(other, read_run(context.runner.writer.path))
    (found,) = read_run(context.runner.writer.path).scenarios
    assert found.status == status and cause in found.cause
