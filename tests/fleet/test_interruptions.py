"""Ctrl-C while nodes measure: the first asks them to end, a second waits for nobody, whenever it comes."""

import contextlib
import threading
from types import SimpleNamespace

import pytest

from fleet_watcher import Watcher
from inferometer.cli import invoke
from inferometer.fleet.fleet import Fleet
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.nodes import Selection
from inferometer.planning.request import make_request

TOLD = "interrupted: waiting for the nodes to end what they are at"


class InterruptedWatcher(Watcher):
    """Is interrupted once more while it says that the first Ctrl-C came."""

    def say(self, text):
        super().say(text)
        raise KeyboardInterrupt


class InterruptedFleet(Fleet):
    """Has one node, which measures until ``ending`` is set, and is interrupted."""

    ending: threading.Event

    def _begin(self, threads):
        return [threads.submit(self.ending.wait, 30)]

    def _convert(self):
        raise KeyboardInterrupt


def fleet(folder, watcher):
    return InterruptedFleet(
        None, make_request("model.onnx"), Selection.parse(None), FleetFolder(folder), {"nodes": {}}, watcher
    )


def test_a_second_ctrl_c_while_the_first_is_told_waits_for_nobody(tmp_path):
    watcher = InterruptedWatcher()
    interrupted = fleet(tmp_path, watcher)
    interrupted.ending = threading.Event()
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted._measure_all()
        assert [each.name for each in threading.enumerate() if each.name.startswith("ThreadPoolExecutor")]
        assert watcher.told == [TOLD] and interrupted._stopping.is_set()
    finally:
        interrupted.ending.set()


def test_a_first_ctrl_c_waits_for_the_nodes_which_are_asked_to_end(tmp_path):
    watcher = Watcher()
    interrupted = fleet(tmp_path, watcher)
    interrupted.ending = interrupted._stopping  # as a node ends once it is asked to
    with pytest.raises(KeyboardInterrupt):
        interrupted._measure_all()
    assert not [each.name for each in threading.enumerate() if each.name.startswith("ThreadPoolExecutor")]
    assert watcher.told == [TOLD]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Return the exit status of a run over a cluster that is interrupted as it is left, and while it measures if it has ``begun``."""

    @contextlib.contextmanager
    def connected(address):
        yield None
        raise KeyboardInterrupt

    def run(begun):
        folder = FleetFolder(tmp_path / "fleet")

        def measure():
            if begun:
                folder.write({})
            raise KeyboardInterrupt

        made = SimpleNamespace(folder=folder, jobs=[], missing=[], run=measure, facts={})
        monkeypatch.setattr("inferometer.cli.fleet.connected", connected)
        monkeypatch.setattr("inferometer.cli.fleet.begin", lambda *given: made)
        return invoke(["run", "--cluster", "HEAD:1", "mobilenet_v3_large", "--out", str(folder.path)])

    return run


def test_a_ctrl_c_while_the_cluster_is_left_ends_with_how_to_go_on(command, tmp_path, capsys):
    assert command(begun=True) == 130
    told = capsys.readouterr()
    go_on = f"inferometer run --cluster HEAD:1 --resume {tmp_path / 'fleet'}"
    assert told.err.splitlines()[-1] == f"inferometer: interrupted; go on with: {go_on}"
    assert f"fleet: {tmp_path / 'fleet'}" in told.out


def test_nothing_is_gone_on_with_where_nothing_was_begun(command, capsys):
    assert command(begun=False) == 130
    assert capsys.readouterr().err == "inferometer: interrupted before anything was measured\n"
