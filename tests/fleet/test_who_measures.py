"""Which nodes begin, of those that are there, with what earlier sessions and other nodes have left."""

import threading
from dataclasses import replace

import pytest

from fleet_watcher import Watcher
from inferometer.errors import StoreError
from inferometer.fleet.measurement import Job, Measurement
from inferometer.fleet.node_run import lack
from inferometer.fleet.nodes import Node, Selection
from inferometer.fleet.plans import ViewPlan
from inferometer.fleet.who_measures import Roster
from inferometer.planning.request import make_request
from inferometer.records import Machine, RunInfo, Skip
from inferometer.storage.run_directory import RunWriter, read_run
from simulated_runs import cell, record


def node(id, cpu="CPU A"):
    machine = Machine(hostname=id, cpu=cpu, logical_cores=8, usable_cores=8)
    return Node(id, 8, 0, machine)


def roster(nodes, parts=(), held=(), asked=None):
    """Return one of which these nodes answered; ``parts``: slug -> (node, whether it is done); ``held``: id -> slug."""
    known = {
        slug: {"hostname": of.name, "kind": of.kind.title} | ({"state": "done"} if done else {})
        for slug, (of, done) in dict(parts).items()
    }
    finished = {slug: of.kind.title for slug, (of, done) in dict(parts).items() if done}
    found = Roster(Selection.parse(asked), known, finished, held=dict(held))
    found.meet(nodes, {each.view: ViewPlan(object()) for each in nodes})
    return found


def begun(roster):
    return [each.id for each in roster.next()]


def ended(roster, one, state, **more):
    job = roster.add(one, ())
    job.state = state
    for name, value in more.items():
        setattr(job, name, value)
    return job


def test_a_part_left_unfinished_is_not_gone_on_with_where_an_equal_node_has_finished():
    parts = {"a": (node("a"), False), "b": (node("b"), True)}
    resumed = roster([node("a")], parts, held={"a": "a"})
    assert begun(resumed) == [] and resumed.is_whole
    everywhere = roster([node("a")], parts, held={"a": "a"}, asked="all")
    assert begun(everywhere) == ["a"] and not everywhere.is_whole


def test_a_kind_that_is_not_done_is_missing_though_another_is():
    parts = {"a": (node("a"), True), "b": (node("b", "CPU B"), False)}
    resumed = roster([node("a")], parts)
    assert begun(resumed) == [] and not resumed.is_whole


def test_a_finished_node_that_is_looked_at_again_stays_finished():
    resumed = roster([node("a"), node("b")], {"a": (node("a"), True)}, held={"a": "a"})
    assert begun(resumed) == ["a"]
    ended(resumed, node("a"), "lost")
    assert resumed.parts["a"]["state"] == "done"
    assert begun(resumed) == []  # its copy is here, so that b measures nothing


@pytest.mark.parametrize(("unkept", "next_one"), [(False, ["b"]), (True, [])])
def test_what_cannot_be_written_here_is_not_measured_by_another_node(unkept, next_one):
    running = roster([node("a"), node("b")])
    ended(running, node("a"), "failed", unkept=unkept)
    assert begun(running) == next_one


def test_a_node_that_died_and_comes_back_goes_on_in_any_session():
    resumed = roster([node("a")], {"a": (node("a"), False)}, held={"a": "a"})
    ended(resumed, node("a"), "lost")
    back = replace(node("a"), id="a2", parts={"a": {"nodes": {"a": node("a").facts}}})
    resumed.meet([back], {})
    assert begun(resumed) == ["a2"] and resumed.add(back, ()).slug == "a"


def test_a_busy_node_is_given_up_for_an_equal_one_and_taken_again_where_all_are_busy():
    found = roster([node("a"), node("b"), node("c", "CPU C")])
    first, _ = found.begin(list)
    assert first.slug == "a"
    assert not found.give_up(first, 9.0) and found.give_up(first, 11.0)
    (second,) = found.begin(list)
    assert second.slug == "b" and [*found.parts] == ["c", "b"]
    assert not found.give_up(second, 11.0)  # a was waited for
    assert found.give_up(second, 301.0)
    (third,) = found.begin(list)
    assert third.slug == "a" and [*found.parts] == ["c", "a"]
    third.state = "lost"
    assert begun(found) == ["b"]


@pytest.mark.parametrize(("asked", "given_up"), [("2", [True, False]), ("all", [False, False])])
def test_no_more_nodes_are_given_up_than_equal_ones_are_free(asked, given_up):
    found = roster([node("a"), node("b"), node("c")], asked=asked)
    jobs = found.begin(list)[:2]
    assert [found.give_up(job, 11.0) for job in jobs] == given_up
    assert [job.slug for job in found.begin(list)] == ["c"] * sum(given_up)


def test_a_busy_node_that_has_a_part_is_given_up_as_any_other():
    resumed = roster([node("a"), node("b")], {"a": (node("a"), False)}, held={"a": "a"})
    (job,) = resumed.begin(list)
    assert resumed.give_up(job, 11.0)
    assert [each.slug for each in resumed.begin(list)] == ["b"] and [*resumed.parts] == ["a", "b"]


class Agent:
    """A node whose run has ended well, and whose logs cannot be had."""

    def __init__(self):
        self.released = False

    def is_there(self, within_s):
        return True

    def call(self, method, *arguments):
        if method == "lacking":
            return []
        if method == "files":
            raise StoreError("the log is gone")
        return {"event": {"done": 2, "total": 2}, "status": 0, "more": False}

    def release(self):
        self.released = True


class Mirror:
    """A copy, on a disk that may be full."""

    position = (0, {})

    def __init__(self, full):
        self.full = full

    def take(self, answer):
        if self.full:
            raise StoreError("cannot write here")


@pytest.mark.parametrize(("full", "state"), [(False, "done"), (True, "failed")])
def test_a_run_whose_records_are_all_here_is_done_whatever_comes_of_its_logs(full, state):
    agent, watcher, job = Agent(), Watcher(), Job(node("a"), "a")

    class Cluster:
        def hold(self, *arguments):
            return agent

    measurement = Measurement(
        Cluster(), job, watcher, threading.Event(), threading.Lock(), give_up=lambda job, waited_s: False
    )
    measurement.run({"name": "f", "files": {}}, make_request("model.onnx"), lambda within_s: [], Mirror(full))
    assert (job.state, job.unkept, agent.released) == (state, full, True)
    assert any("some of its logs did not come" in text for text in watcher.told) == (not full)


def test_a_node_of_which_nothing_came_says_why_by_cause(tmp_path):
    refused = [Skip(cell("onnxrt", size), "no network") for size in (1, 8)]
    run = tmp_path / "run"
    writer = RunWriter.create(run, RunInfo(skips=(*refused, Skip(cell("torch"), "no network"))))
    assert lack(read_run(run)) == "onnxrt, torch: no network"
    writer.append(record(cell("tf"), 0, status="crashed", cause="it died"))
    assert lack(read_run(run)) == "onnxrt, torch: no network; tf: it died"
    assert not read_run(run).has_figures
    writer.append(record(cell("tf"), 1))
    assert read_run(run).has_figures
