"""Hosts that are not as usual: a PID namespace, no shared memory, a clock that steps, a worker that is suspended."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from fakes import BACKENDS, fake_framework, fake_request, run_fakes
from inferometer.running import runner
from inferometer.running.progress.observer import SilentObserver
from processes import children_of

RUN = """
import sys
from pathlib import Path
from fakes import fake_framework, run_fakes
run = run_fakes(Path(sys.argv[1]), fake_framework(), fake_framework("other", behaviour="segfault", at=2))
print(sorted((r.cell.framework, r.cell.batch_size, r.status) for r in run.records))
"""
EXPECTED = "[('fake', 2, 'ok'), ('fake', 4, 'ok'), ('other', 2, 'crashed'), ('other', 4, 'ok')]\n"
FULL = 'mount -t tmpfs -o size=4k tmpfs /dev/shm && head -c 4096 /dev/zero > /dev/shm/full; exec "$@"'


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


@pytest.mark.parametrize(
    "place",
    [
        ("--pid", "--fork", "--kill-child"),
        ("--pid", "--fork", "--mount-proc"),
        ("--mount", "sh", "-c", FULL, "sh"),
    ],
    ids=["pid namespace", "pid namespace with its own /proc", "full /dev/shm"],
)
def test_a_run_in_namespaces_ends_as_anywhere(tmp_path, place):
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "--pid", "--mount", "--fork", "true"]).returncode:
        pytest.skip("this user may not make namespaces")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [unshare, *place, sys.executable, "-c", RUN, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == EXPECTED, done.stderr


def test_a_clock_that_steps_back_changes_no_duration(tmp_path, monkeypatch):
    class Stepping(datetime):
        steps = 0

        @classmethod
        def now(cls, tz=None):
            cls.steps += 1
            return datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=cls.steps)

    monkeypatch.setattr(runner, "datetime", Stepping)
    run = run_fakes(tmp_path, fake_framework())
    assert Stepping.steps >= 2 and [record.status for record in run.records] == ["ok", "ok"]
    assert run.records[0].started_at > run.records[1].started_at
    assert all(record.elapsed_s > 0 and record.overhead_s >= 0 for record in run.records)
    assert all(loop.elapsed_s > 0 for record in run.records for loop in record.loops)


class _Suspending(SilentObserver):
    """Stops the worker, once, as a scheduler that suspends a job does."""

    done = False

    def cell_phase(self, cell, round_number, phase):
        if phase == "prepare" and not self.done:
            self.done = True
            for pid in children_of(os.getpid()):
                os.kill(pid, signal.SIGSTOP)


def test_a_suspended_worker_is_hung_and_leaves_nothing(tmp_path):
    before = set(children_of(os.getpid()))
    request = fake_request(timeout_s=8.0)
    run = run_fakes(tmp_path, fake_framework(behaviour="spin", at=2), request=request, observer=_Suspending())
    assert [record.status for record in run.records] == ["hung", "ok"]
    assert set(children_of(os.getpid())) == before
