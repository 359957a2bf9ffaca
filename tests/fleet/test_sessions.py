"""Runs over a cluster of which only the nodes are pretended: what they leave, and what the command says of it."""

import contextlib
import shutil
from dataclasses import replace

import pytest

from fleet_watcher import Watcher
from inferometer.cli import invoke
from inferometer.fleet import fleet as fleets
from inferometer.fleet.cluster import Cluster as RayNodes
from inferometer.fleet.fleet import Fleet
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.gate import Gate
from inferometer.fleet.nodes import Node, Selection
from inferometer.fleet.remote import UnreachedError
from inferometer.planning.request import make_request, to_builtins
from inferometer.records import Machine
from inferometer.storage.find import find_runs
from inferometer.storage.run_directory import read_run
from parts import needed
from processes import wait_for
from simulated_runs import BOARDS, write_run
from steprunner import write_onnx


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
        self.gate, self._run, self._each, self.awaited = Gate(), run, each, ()
        self.looks, self.away = 0, ()  # how often it was asked for its nodes, and when it does not answer
        self.nodes = [Node("1", 8, 0, Machine(hostname="a", cpu="CPU A", logical_cores=8, usable_cores=8))]

    def seen(self):
        self.looks += 1
        if self.looks in self.away:
            raise UnreachedError("the cluster does not answer (broken)")
        return self.nodes

    def greet(self, seen, name):
        pass

    def ask(self, seen, name, say, *waits):
        return list(seen)

    def let_go(self, kept):
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
    monkeypatch.setattr(fleets, "_SHOW_S", 0.01)
    monkeypatch.setattr(fleets, "_LOOK_EVERY_S", 0.01)
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


def test_a_cluster_that_does_not_answer_for_a_moment_is_told_once_and_ends_nothing(
    measured, request_, tmp_path
):
    watcher = Watcher()
    cluster = Cluster(measured, lambda number: wait_for(lambda: not number or cluster.looks > 6))
    cluster.away = (3, 4, 5)  # it is asked twice before anything begins
    found = fleet(cluster, request_, tmp_path / "fleet", watcher)
    found.run()
    assert [job.state for job in found.jobs] == ["done"]
    about = [text for text in watcher.told if text.startswith("the cluster")]
    assert about == [
        "the cluster does not answer (broken); it is asked again, and what is measured goes on",
        "the cluster answers again",
    ]


@pytest.fixture
def command(measured, request_, tmp_path, monkeypatch):
    """Return the exit status of `run --cluster` with more words, on a cluster where ``each`` is called before each record, and whose
    node keeps ``parts``."""

    def run(*words, each=lambda number: None, parts=None):
        @contextlib.contextmanager
        def connected(address):
            cluster = Cluster(measured, each)
            cluster.nodes = [replace(node, parts=parts or {}) for node in cluster.nodes]
            yield cluster

        monkeypatch.setattr("inferometer.cli.fleet.connected", connected)
        return invoke(["run", "--cluster", "HEAD:1", *map(str, words)])

    new = [request_.model.model, "--frameworks", "onnxrt", "--batch-sizes", "1,8"]
    return lambda *words, **more: run(*([] if "--resume" in words else new), *words, **more)


def test_an_error_here_shows_what_had_come_and_how_to_go_on(command, tmp_path, capsys):
    out = tmp_path / "fleet"

    def break_disk(number):
        (out / "fleet.tmp").mkdir(exist_ok=True)  # where fleet.json is written

    assert command("--out", out, each=break_disk) == 1
    told = capsys.readouterr()
    assert f"cannot write {out}" in told.err
    assert "image" in told.out and "a: CPU A" in told.out
    assert told.err.splitlines()[-1] == (
        f"inferometer: ended by an error; go on with: inferometer run --cluster HEAD:1 --resume {out}"
    )


def test_an_error_before_anything_is_begun_is_one_line(command, tmp_path, capsys):
    out = tmp_path / "fleet"
    assert command("--nodes", "gpu=H100", "--out", out) == 2
    assert "none is of a kind that --nodes asks for" in capsys.readouterr().err.splitlines()[-1]


def test_what_ray_raises_where_a_connection_breaks_is_one_of_ours():
    needed("ray")
    import grpc

    channel = grpc.insecure_channel("127.0.0.1:9", [("grpc.enable_http_proxy", 0)])

    class Ray:
        exceptions = None

        def remote(self, **needs):
            return lambda made: made

        def nodes(self):
            return channel.unary_unary("/nodes")(b"")

    cluster = RayNodes(Ray(), by_client=True)
    with pytest.raises(UnreachedError, match=r"^the cluster does not answer \(failed to connect") as found:
        cluster.seen()
    assert "\n" not in str(found.value)
    channel.close()
    with pytest.raises(UnreachedError, match="closed channel"):
        cluster.seen()


@pytest.mark.parametrize(("nodes", "state", "status"), [("all", "", 1), ("1", "", 0), ("all", "done", 0)])
def test_a_part_whose_node_is_away_is_named_where_nothing_makes_up_for_it(
    command, tmp_path, capsys, nodes, state, status
):
    out = tmp_path / "fleet"
    assert command("--nodes", nodes, "--out", out) == 0
    folder = FleetFolder(out)
    facts = folder.read()
    facts["nodes"]["b"] = {**facts["nodes"]["a"], "hostname": "b", "state": state}
    folder.write(facts)
    shutil.copytree(out / "nodes" / "a", out / "nodes" / "b")
    capsys.readouterr()
    assert command("--resume", out) == status
    told = capsys.readouterr()
    assert ("b: CPU A, 8 CPUs: unfinished, no node of the cluster went on with it\n" in told.out) == status
    assert ("unfinished: b; go on with: inferometer run" in told.err) == status


def test_a_part_that_no_node_can_go_on_with_is_named(command, tmp_path, capsys):
    out = tmp_path / "fleet"
    assert command("--out", out) == 0
    folder = FleetFolder(out)
    facts = folder.read()
    away = {**facts["nodes"]["a"], "hostname": "b", "kind": "NVIDIA H100", "state": ""}
    folder.write({**facts, "selection": "gpu=H100", "nodes": {"b": away}})
    capsys.readouterr()
    assert command("--resume", out) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == "inferometer: unfinished: b; no node of the cluster can go on with it"


@pytest.mark.parametrize(
    ("harm", "cause"),
    [
        (lambda copy: (copy / "cells.jsonl").write_text("{\n"), "damaged record"),
        (lambda copy: (copy / "run.json").write_text("{"), "run.json is damaged"),
        (lambda copy: (copy / "cells.jsonl").unlink(), "its copy has no figures"),
        (shutil.rmtree, "is no run directory"),
        (lambda copy: None, ""),
    ],
)
def test_a_finished_part_whose_copy_gives_nothing_is_measured_again_or_told(
    command, tmp_path, capsys, harm, cause
):
    out = tmp_path / "fleet"
    assert command("--out", out) == 0
    folder = FleetFolder(out)
    facts = folder.read()
    shutil.copytree(out / "nodes" / "a", out / "nodes" / "b")
    facts["nodes"]["b"] = {**facts["nodes"]["a"], "hostname": "b", "kind": "CPU B, 8 CPUs"}
    folder.write(facts)
    capsys.readouterr()
    for slug in ("a", "b"):
        harm(out / "nodes" / slug)
    assert command("--resume", out, parts={"a": facts}) == bool(cause)
    told = capsys.readouterr()
    for slug in ("a", "b"):
        told_of = [line for line in told.err.splitlines() if f"{slug} does not count as measured: " in line]
        assert [cause in line for line in told_of] == [True] * bool(cause)
    assert read_run(out / "nodes" / "a").has_figures, "its node gave them again"
    assert ("b: CPU B, 8 CPUs: unfinished, no node of the cluster went on with it\n" in told.out) == bool(
        cause
    )


def test_a_name_of_no_run_is_a_wrong_path(command, capsys):
    assert command("--resume", "nowhere-12345678") == 2
    assert "no node of the cluster keeps a part of a run of that name" in capsys.readouterr().err
