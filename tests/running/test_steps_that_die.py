"""A step that dies says by what, and what it said last."""

import sys

import pytest

from inferometer.errors import ModelError
from inferometer.frameworks.environments import Environment
from inferometer.planning.plan import Plan
from inferometer.planning.request import RunRequest
from inferometer.running import ready_environments
from inferometer.running.ready_environments import ReadyEnvironments

DIES = """
import os, signal, sys
def run(request):
    print(request["says"], file=sys.stderr, flush=True)
    if request["how"] == "exit":
        os._exit(7)
    os.kill(os.getpid(), getattr(signal, request["how"]))
"""


@pytest.fixture
def step(tmp_path, monkeypatch):
    """Run the step `dies`, in this interpreter."""
    (tmp_path / "dies.py").write_text(DIES)
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(tmp_path))
    ready = ReadyEnvironments(RunRequest(), Plan({}, (), (), {}), tmp_path / "logs", lambda text: None)
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
