"""The fault storm sees what it is for, and a few of its faults pass."""

import subprocess
import sys
from pathlib import Path

import pytest

STORM = Path(__file__).parents[2] / "benchmarks" / "storm"
LEAVES = """
import sys
sys.path.insert(0, sys.argv[1])
import processes, os, subprocess, time
from trial import Trial
processes.adopt_orphans()
processes._GRACE_S, processes.MOST_S = 0.2, 0.5

def orphan():
    subprocess.Popen(["sleep", "60"], start_new_session=True)

def hang():
    time.sleep(60)

def traceback():
    raise ValueError(__import__("inferometer").__file__)

for call in (orphan, hang, traceback):
    trial = Trial("kind", 0)
    trial.ended(processes.forked(call))
    print(trial.orphans, trial.hangs, trial.tracebacks, trial.is_fine)
"""


def test_orphans_hangs_and_tracebacks_are_seen():
    done = subprocess.run(
        [sys.executable, "-c", LEAVES, str(STORM)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["1 0 0 False", "0 1 0 False", "0 0 1 False"]


LOSES = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from trial import Trial, records_in
from simulated_runs import BOARDS, write_run
path = write_run(Path(sys.argv[3]), BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8, 16), failures=False)
before = records_in(path)
cells = path / "cells.jsonl"
cells.write_bytes(b"".join(cells.read_bytes().splitlines(keepends=True)[:-1]))
trial = Trial("kind", 0)
trial.kept(before, path)
print(trial.lost)
(path / "run.json").write_bytes(b"{")
trial.kept(before, path)
print(trial.lost, trial.is_fine)
"""


def test_lost_records_are_counted(tmp_path):
    command = [
        sys.executable,
        "-c",
        LOSES,
        str(STORM),
        str(STORM.parents[1] / "tests/support"),
        str(tmp_path / "run"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # one record of six, which is also a cell that resuming would have to measure; then all six
    assert done.stdout.splitlines() == ["2", "8 False"]


@pytest.mark.environment
def test_some_faults_lose_nothing():
    kinds = [
        "a torn record",
        "a worker ended while measuring",
        "bits of cached inputs and references",
        "clients of serve",
    ]
    done = subprocess.run(
        [sys.executable, STORM, "--count", "1", "--kinds", *kinds], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "| all | 4 | 0 | 0 | 0 | 0 | 0 |" in done.stdout
