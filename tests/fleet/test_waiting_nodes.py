"""Runs over pretended nodes that another job holds, that answer late, or of which more are there than measure at a time."""

import threading
from dataclasses import replace

import pytest

from fleet_watcher import Watcher
from inferometer.errors import UsageError
from inferometer.fleet import fleet as fleets
from inferometer.fleet import who_measures
from inferometer.fleet.cluster import Seen
from inferometer.fleet.fleet import Fleet
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.gate import Gate
from inferometer.fleet.measurement import NOT_BEGUN
from inferometer.fleet.nodes import Node, Selection
from inferometer.fleet.plans import ViewPlan
from inferometer.host.gpus import Lack
from inferometer.planning.request import make_request
from inferometer.records import Machine
from processes import wait_for


def node(name, **more):
    machine = Machine(hostname=name, cpu="CPU A", logical_cores=8, usable_cores=8)
    return Node(name, 8, 0, machine, **more)


class Agent:
    """A node whose run ends well at once, once it was asked for often enough: at once, or long after patience ends."""

    def __init__(self, busy, measure):
        self._busy, self._measure = 1000 * busy, measure

    def is_there(self, within_s):
        self._busy -= 1
        return self._busy < 0

    def call(self, method, *arguments):
        if method == "poll":
            self._measure()
            return {"status": 0, "info": b"", "info_at": 0, "lines": {}, "files": [], "event": {}, "more": False}  # fmt: skip
        return {"lacking": [], "files": {"files": [], "left_out": [], "next": None}}.get(method)

    def release(self):
        pass


class Cluster:
    """Nodes, of which those in ``busy`` are another job's, and those in ``late`` answer when they were asked so often."""

    def __init__(self, nodes, busy=(), late=None, measure=lambda: None):
        self.gate, self._nodes, self._busy = Gate(), nodes, busy
        self._late, self._measure = late or {}, measure
        self.awaited, self.held, self.kept, self.waits = [], [], [], []

    def seen(self):
        return [Seen(each.id, each.name, each.cpus, each.gpus) for each in self._nodes]

    def greet(self, seen, name):
        pass

    def ask(self, seen, name, say, *waits):
        asked = [each.id for each in seen]
        self.waits.append(waits)
        self._late = {id: number - (id in asked) for id, number in self._late.items()}
        self.awaited = [each for each in seen if self._late.get(each.id, 0) > 0]
        late = [each.id for each in self.awaited]
        return [each for each in self._nodes if each.id in asked and each.id not in late]

    def let_go(self, kept):
        self.kept.append([*kept])

    def hold(self, node, name, slug):
        self.held.append(node.id)
        return Agent(node.id in self._busy, self._measure)


class BareFleet(Fleet):
    """Carries nothing, of a model that is none."""

    def _look_at_files(self):
        self.facts["files"] = {}

    def _convert(self):
        self._packed.set()


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(fleets, "_SHOW_S", 0.01)
    monkeypatch.setattr(fleets, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(who_measures, "PATIENCE_S", 0.0)
    monkeypatch.setattr(fleets, "plan_views", lambda request, nodes: {each.view: ViewPlan(object()) for each in nodes})  # fmt: skip


def fleet(folder, cluster, asked=None, of=BareFleet):
    facts = {"name": "fleet", "nodes": {}}
    return of(
        cluster, make_request("model.onnx"), Selection.parse(asked), FleetFolder(folder), facts, Watcher()
    )


def states(found):
    return {job.slug: job.state for job in found.jobs}


def test_an_equal_node_measures_where_another_job_has_the_first(tmp_path):
    cluster = Cluster([node("alpha"), node("beta")], busy=("alpha",))
    found = fleet(tmp_path / "fleet", cluster)
    found.run()
    assert cluster.held == ["alpha", "beta"] and states(found) == {"beta": "done"}
    assert "node alpha: another job may have its CPUs or GPUs; an equal node is taken instead" in found.watcher.told  # fmt: skip
    assert [*found.facts["nodes"]] == ["beta"] and not found.missing


def test_a_node_that_answers_late_delays_no_other_and_measures_all_the_same(tmp_path):
    cluster = Cluster([node("a"), node("b")], late={"b": 4})
    found = fleet(tmp_path / "fleet", cluster, "all")
    found.run()
    assert states(found) == {"a": "done", "b": "done"}
    assert cluster.waits[:2] == [(120.0, 10.0), (1.0, 1.0)]  # s; what measures is looked after meanwhile
    told = found.watcher.told
    assert "node b has not answered yet; the others begin" in told
    assert told.index("came late: b") > told.index("node b has not answered yet; the others begin")


def test_nodes_that_begin_are_not_let_go(tmp_path):
    cluster = Cluster([node("a"), node("b")])
    fleet(tmp_path / "fleet", cluster).run()
    assert cluster.kept[0] == ["a"]


def test_a_node_whose_driver_fails_says_so(tmp_path):
    lack = Lack("the NVIDIA driver answers with an error (Unknown Error)", fault=True)
    cluster = Cluster([node("a", lack=lack), node("b", lack=replace(lack, fault=False))])
    found = fleet(tmp_path / "fleet", cluster, "all")
    found.run()
    assert [text for text in found.watcher.told if "driver" in text] == [f"node a: {lack.reason}"]


def test_what_nodes_that_were_not_asked_for_lack_is_no_reason(tmp_path, monkeypatch):
    refused = ViewPlan(None, "cuda does not exist")
    monkeypatch.setattr(fleets, "plan_views", lambda request, nodes: {each.view: refused for each in nodes})
    with pytest.raises(UsageError, match="none is of a kind that --nodes asks for"):
        fleet(tmp_path / "fleet", Cluster([node("a")]), "gpu=H100").run()
    with pytest.raises(UsageError, match="cuda does not exist"):
        fleet(tmp_path / "fleet", Cluster([node("a")])).run()


def test_nodes_that_wait_for_their_turn_are_not_held_once_the_run_is_interrupted(tmp_path, monkeypatch):
    monkeypatch.setattr(fleets, "_AT_ONCE", 1)

    def interrupt():
        found._stopping.set()

    cluster = Cluster([node("a"), node("b")], measure=interrupt)
    found = fleet(tmp_path / "fleet", cluster, "all")
    found.run()
    assert cluster.held == ["a"] and states(found) == {"a": "done", "b": "failed"}
    assert found.jobs[1].at == NOT_BEGUN


class InterruptedWatcher(Watcher):
    """Is interrupted as soon as a node measures."""

    def __init__(self, measures):
        super().__init__()
        self._measures = measures

    def update(self, jobs):
        assert self._measures.wait(30)
        raise KeyboardInterrupt


class RecordingFleet(BareFleet):
    """Keeps what its threads are to do."""

    def _begin(self, threads):
        found = super()._begin(threads)
        self.futures = [*getattr(self, "futures", []), *found]
        return found


def test_nodes_whose_turn_never_came_are_shown_as_interrupted_without_a_line_each(tmp_path, monkeypatch):
    monkeypatch.setattr(fleets, "_AT_ONCE", 1)
    measures = threading.Event()

    def measure():
        measures.set()
        assert found._stopping.wait(30)
        wait_for(lambda: all(future.cancelled() for future in found.futures[1:]), 10)

    cluster = Cluster([node(name) for name in "abc"], measure=measure)
    found = fleet(tmp_path / "fleet", cluster, "all", of=RecordingFleet)
    found.watcher = InterruptedWatcher(measures)
    with pytest.raises(KeyboardInterrupt):
        found.run()
    assert cluster.held == ["a"] and states(found) == {"a": "done", "b": "failed", "c": "failed"}
    assert [job.at for job in found.jobs] == ["", NOT_BEGUN, NOT_BEGUN]
    assert not any(NOT_BEGUN in text for text in found.watcher.told)
