"""How children ended is heard also where a wrapper has SIGCHLD ignored."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from fakes import BACKENDS
from inferometer.errors import UsageError
from inferometer.host.processes import children_heard, end_in_words

RUN_A_FAKE_THAT_IS_KILLED = """
import signal, sys
from pathlib import Path
from fakes import fake_framework, run_fakes
from inferometer.host.processes import children_heard
assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
with children_heard():
    run = run_fakes(Path(sys.argv[1]), fake_framework(behaviour="kill", at=2))
print([record.status for record in run.records], run.records[0].cause)
"""


def ignore_children():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def run_with_children_ignored(command, **environment):
    return subprocess.run(
        command, preexec_fn=ignore_children, env={**os.environ, **environment}, capture_output=True, text=True
    )


def test_a_build_that_fails_stores_nothing(tmp_path):
    offline = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple", "UV_HTTP_RETRIES": "0"}
    cache = {"UV_CACHE_DIR": str(tmp_path / "uv"), "INFEROMETER_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "inferometer", "env", "build", "onnxrt"]
    done = run_with_children_ignored(command, **offline, **cache)
    assert done.returncode == 1 and "registry cannot be reached" in done.stderr
    assert [path for path in (tmp_path / "cache" / "environments").iterdir() if path.is_dir()] == []


def test_a_killed_worker_reads_killed(tmp_path):
    support = os.pathsep.join(entry for entry in sys.path if entry)
    command = [sys.executable, "-c", RUN_A_FAKE_THAT_IS_KILLED, str(tmp_path)]
    done = run_with_children_ignored(command, PYTHONPATH=support, INFEROMETER_BACKENDS=str(BACKENDS))
    assert done.stdout.startswith("['killed', 'ok'] worker was killed from outside (SIGKILL)"), done.stderr


def test_a_handler_stays_and_an_ignored_one_is_ignored_again():
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with children_heard():
            assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
        own = lambda number, frame: None  # noqa: E731
        signal.signal(signal.SIGCHLD, own)
        with children_heard():
            assert signal.getsignal(signal.SIGCHLD) is own
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_another_thread_is_told_what_to_do():
    told = []

    def ask():
        with pytest.raises(UsageError, match=r"signal\.SIG_DFL"), children_heard():
            pass
        told.append(True)

    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert told


def test_ends_have_words():
    assert end_in_words(-9) == "died of SIGKILL" and end_in_words(3) == "left with exit status 3"
    assert end_in_words(-200) == "died of signal 200"
