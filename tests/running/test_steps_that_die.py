"""A step that dies says by what, and what it said last."""

import sys

import pytest

from inferometer.errors import ModelError
from inferometer.frameworks.environments import Environment
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.records import Protocol
from inferometer.running import ready_environments
from inferometer.running.ready_environments import ReadyEnvironments

DIES = """
import os, signal, sys
def run(request):
    print(request["says"], file=sys.stderr, flush=True)
    if request["how"] == "loop":
        while True:
            pass
    if request["how"] == "grow":
        kept = []
        while True:
            kept.append(bytearray(64 * 2**20))
    if request["how"] == "exit":
        os._exit(7)
    os.kill(os.getpid(), getattr(signal, request["how"]))
"""


TIMEOUT_S = 5.0


@pytest.fixture
def step(tmp_path, monkeypatch):
    """Run the step `dies`, in this interpreter."""
    (tmp_path / "dies.py").write_text(DIES)
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(tmp_path))
    ready = ReadyEnvironments(
        RunRequest(protocol=Protocol(timeout_s=TIMEOUT_S)),
        Plan({}, (), (), {}),
        tmp_path / "logs",
        lambda text: None,
    )
    here = Environment("here", sys.executable, given=True)
    monkeypatch.setattr(ready_environments.ReadyEnvironments, "_conversion_environment", lambda *_: here)
    return lambda **request: ready.run_step("here", "worker.backends.dies", request)


@pytest.mark.parametrize(
    ("how", "words"),
    [("SIGKILL", "died of SIGKILL"), ("SIGSEGV", "died of SIGSEGV"), ("exit", "exit status 7")],
)
def test_its_signal_and_last_words_are_told(step, how, words):
    with pytest.raises(
        ModelError, match=rf"step worker\.backends\.dies .*{words}; last words: reading it \(log: "
    ):
        step(how=how, says="reading it")


def test_no_log_is_named_that_is_empty(step, tmp_path):
    with pytest.raises(ModelError, match=r"died of SIGKILL$"):
        step(how="SIGKILL", says="")


def test_one_that_loops_for_ever_is_stopped_by_the_time_limit(step):
    with pytest.raises(ModelError, match=r"no answer within 30 s \(6 times --timeout\)"):
        step(how="loop", says="")


def test_one_that_takes_memory_without_end_is_refused_it(step, monkeypatch):
    monkeypatch.setattr(ready_environments, "free_bytes", lambda: 0)
    monkeypatch.setattr(ready_environments, "_LEAST_BYTES", 2**30)
    with pytest.raises(ModelError, match=r"MemoryError.*a step may take 1\.00 GiB"):
        step(how="grow", says="")
