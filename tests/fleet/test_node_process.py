"""The process that measures on a node, and what starts it."""

import json
import os
import signal
import subprocess
import sys
import tempfile

import pytest

from inferometer.fleet.envoy import Envoy
from inferometer.fleet.process import Process, variables
from inferometer.version import __version__


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))


def as_ray_has_it():
    """Without SIGINT, and less urgent."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.nice(3)


def started():
    return subprocess.Popen(
        [sys.executable, "-m", "inferometer.fleet.child", "fleet", str(os.nice(0))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=as_ray_has_it,
    )  # fmt: skip


def test_an_interruption_that_came_before_it_was_heard_is_one(tmp_path):
    with started() as child:
        child.send_signal(signal.SIGINT)
        Process(child).measure(tmp_path)
        assert child.wait(timeout=60) == 130
        assert child.stderr.read() == b"" and (tmp_path / "child.log").read_bytes() == b""
    event = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert event == {"at": "interrupted", "interrupted": True}


def test_it_tells_what_the_node_is_and_ends_where_nothing_is_to_be_measured(tmp_path):
    kept = tmp_path / "cache" / "fleet" / "fleet" / "node"
    kept.mkdir(parents=True)
    (kept / "fleet.json").write_text('{"name": "fleet"}')
    with started() as child:
        facts = Process(child).facts()
        assert facts["machine"]["cpu"] and facts["free_bytes"]
        assert facts["parts"] == {"node": {"name": "fleet"}}
        child.stdin.close()
        assert child.wait(timeout=60) == 0 and child.stderr.read() == b""


def test_it_is_as_urgent_as_ray_where_it_may_be_and_tells_by_how_much_it_is_not():
    with started() as child:
        gives_way = Process(child).facts()["gives_way"]
        assert gives_way == os.getpriority(os.PRIO_PROCESS, child.pid) - os.nice(0)
        assert gives_way in ((0,) if os.geteuid() == 0 else (0, 3))
        child.stdin.close()


def test_why_it_does_not_start_is_told():
    words = [sys.executable, "-c", "import sys; sys.exit('no such module')"]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors) as child,
        pytest.raises(OSError, match="does not start: no such module"),
    ):
        Process(child, errors).facts()


@pytest.mark.parametrize(
    "of_the_node, gpus, left",
    [(None, 0, ""), (None, 2, "0,1"), ("4,5,7", 2, "4,5"), ("GPU-a", 1, "GPU-a"), ("4,5", 0, "")],
)
def test_it_has_the_gpus_that_ray_has_of_the_node_and_all_threads(monkeypatch, of_the_node, gpus, left):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if of_the_node:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", of_the_node)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = variables(gpus)
    assert found["CUDA_VISIBLE_DEVICES"] == left and "OMP_NUM_THREADS" not in found


def test_a_node_of_another_version_is_asked_for_that_only():
    envoy = Envoy()
    assert envoy.meet("0.0.9", "fleet", 0) == {"version": __version__}
    assert envoy._process is None
