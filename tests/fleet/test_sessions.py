"""Runs over a cluster of which only the nodes are pretended: what they leave, and what the command says of it."""

import pytest

from inferometer.fleet.fleet import Fleet
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.gate import Gate
from inferometer.fleet.nodes import Node, Selection
from inferometer.planning.request import make_request, to_builtins
from inferometer.records import Machine
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import read_run
from simulated_runs import BOARDS, write_run
from steprunner import write_onnx


class Watcher:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def say(self, text):
        self.told.append(text)

    def update(self, jobs):
        pass


class Agent:
    """A node that gives the records of a run one by one, ``each`` called before each."""

    def __init__(self, run, each):
        self._info = (run / "run.json").read_bytes()
        self._lines = (run / "cells.jsonl").read_bytes().splitlines(keepends=True)
        self._each, self._given, self._stopped = each, 0, False

    def is_there(self, within_s):
        return True

    def call(self, method, *arguments):
        if method == "poll":
            return self._poll()
        self._stopped |= method == "stop"
        return {"lacking": [], "files": {"files": [], "left_out": [], "next": None}}.get(method)

    def _poll(self):
        lines = b"".join(self._lines[self._given : self._given + 1])
        if lines:
            self._each(self._given)
        self._given += bool(lines)
        status = 130 if self._stopped else None if lines else 0
        event = {"done": self._given, "total": len(self._lines)}
        return {"status": status, "info": self._info, "info_at": 1, "lines": {"cells.jsonl": lines}, "files": [], "event": event, "more": False}  # fmt: skip

    def release(self):
        pass


class Cluster:
    """A cluster of one node, whose runs are ``run``'s."""

    def __init__(self, run, each=lambda number: None):
        self.gate, self._run, self._each = Gate(), run, each
        self.nodes = [Node("1", 8, 0, Machine(hostname="a", cpu="CPU A", logical_cores=8, usable_cores=8))]

    def seen(self):
        return self.nodes

    def greet(self, seen, name):
        pass

    def ask(self, seen, name, say):
        return list(seen)

    def let_go(self):
        pass

    def hold(self, node, name, slug):
        return Agent(self._run, self._each)


@pytest.fixture
def measured(tmp_path):
    """What a node measures."""
    write_run(
        tmp_path / "measured", BOARDS[2], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(1, 8), failures=False
    )  # fmt: skip
    return tmp_path / "measured"


@pytest.fixture
def request_(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    model = write_onnx(tmp_path) / "image.onnx"
    return make_request(str(model), frameworks="onnxrt", batch_sizes="1,8")


def fleet(cluster, request, folder, watcher=None):
    facts = {"name": "fleet", "tool": "", "selection": "", "request": to_builtins(request), "nodes": {}}
    return Fleet(cluster, request, Selection(), FleetFolder(folder), facts, watcher or Watcher())


def test_what_an_earlier_session_merged_hides_nothing_of_the_next(measured, request_, tmp_path):
    out, found = tmp_path / "fleet", []
    fleet(Cluster(measured), request_, out).run()
    FleetFolder(out).merge([read_run(measured)])
    assert find_runs(out) == (out / "merged",)
    fleet(Cluster(measured, lambda number: found.append(find_runs(out))), request_, out).run()
    assert found[0] == (out / "nodes" / "a",)
    assert find_runs(out) == (out / "nodes" / "a", out / "nodes" / "a-2")
