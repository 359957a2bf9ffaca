"""Ctrl-C while nodes measure: the first asks them to end, a second waits for nobody, whenever it comes."""

import threading

import pytest

from inferometer.fleet.fleet import Fleet
from inferometer.fleet.folder import FleetFolder
from inferometer.fleet.nodes import Selection
from inferometer.planning.request import make_request

TOLD = "interrupted: waiting for the nodes to end what they are at"


class Watcher:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def say(self, text):
        self.told.append(text)


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
