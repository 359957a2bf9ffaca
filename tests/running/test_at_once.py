"""`--at-once` from the command line to the table, on two GPUs that this machine need not have."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

import inferometer
from fakes import BACKENDS, flags_of
from inferometer.cli import invoke
from inferometer.planning.request import RunRequest, from_builtins, to_builtins
from inferometer.running.progress.observer import SilentObserver
from inferometer.storage.run_directory import read_run
from two_gpus import __file__ as SCRIPT
from two_gpus import arguments, pretend


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))
    monkeypatch.chdir(tmp_path)
    pretend(tmp_path, monkeypatch.setattr, monkeypatch.setitem)
    return tmp_path


def test_a_run_at_once_says_so_in_the_plan_the_run_every_record_and_the_table(here, capsys):
    assert invoke([*arguments("fake"), "--at-once", "--dry-run"]) == 0
    plan = capsys.readouterr().out
    assert "cuda:0, cuda:1 are measured at once, 4 CPU threads for each worker" in plan
    assert invoke([*arguments("fake"), "--at-once", "--out", "run"]) == 0
    shown = capsys.readouterr()
    run = read_run(here / "run")
    assert {(r.cell.device, r.status, r.actual.threads) for r in run.records} == {
        ("cuda:0", "ok", 4),
        ("cuda:1", "ok", 4),
    }
    assert run.info.request["at_once"] is True
    assert run.info.protocol.threads == 4
    assert run.info.notes[0].startswith("cuda:0, cuda:1 are measured at once")
    assert "cuda:0, cuda:1: measured at once" in shown.err
    firsts = {r.cell.device: r for r in run.records if r.cell.batch_size == 2}
    beside = flags_of(firsts["cuda:0"])[0]
    assert (beside.kind, beside.values["device"], beside.values["framework"]) == ("beside", "cuda:1", "fake")
    assert "cuda:1 was measuring too: sharing the host may have slowed both: fake at 2" in shown.out
    assert "fake ran" not in shown.out
    assert re.search(r"2 +cuda:1 +fake ▲", shown.out)


def test_in_turn_is_the_default_and_gives_each_worker_all_cores(here, capsys):
    assert invoke([*arguments("fake"), "--out", "run"]) == 0
    run = read_run(here / "run")
    assert {(r.actual.threads, flags_of(r)) for r in run.records} == {(8, ())}
    assert run.info.request["at_once"] is False and run.info.notes == ()
    assert "at once" not in capsys.readouterr().err


def test_given_threads_are_not_shared_out(here):
    assert invoke([*arguments("fake"), "--at-once", "--threads", "3", "--out", "run"]) == 0
    assert {r.actual.threads for r in read_run(here / "run").records} == {3}


def test_in_python(here):
    result = inferometer.run(
        frameworks="fake", device="cuda:0,cuda:1", at_once=True, batch_sizes=[2], images=8, loops=2, rounds=1,
        python={"fake": sys.executable}, observer=SilentObserver(),
    )  # fmt: skip
    assert {r.cell.device for r in result.run.records} == {"cuda:0", "cuda:1"}
    assert result.run.info.request["at_once"] is True


@pytest.mark.parametrize("devices", ["cuda:0", "cuda,cuda:0"])
def test_one_device_at_once_is_one_line(here, capsys, devices):
    assert invoke([*arguments("fake"), "--device", devices, "--at-once", "--out", "run"]) == 2
    error = capsys.readouterr().err.strip()
    assert re.fullmatch(r".*there is one \(cuda:0\): give for example --device cuda:0,cuda:1, or .*", error)
    assert not (here / "run").exists()


def test_at_once_is_kept_for_resume():
    request = RunRequest(at_once=True)
    assert from_builtins(to_builtins(request)) == request
    older = {name: value for name, value in to_builtins(request).items() if name != "at_once"}
    assert from_builtins(older).at_once is False


def test_the_plan_counts_the_slower_device_only(here, capsys):
    assert invoke([*arguments("fake"), "--dry-run"]) == 0
    in_turn = _seconds(capsys.readouterr().out)
    assert invoke([*arguments("fake"), "--at-once", "--dry-run"]) == 0
    assert _seconds(capsys.readouterr().out) == pytest.approx(in_turn / 2, rel=0.02)


def _seconds(plan):
    return float(re.search(r"skipped; about ([\d.]+) s,", plan)[1])


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_stop_tells_its_signal_and_resume_goes_on_at_once(number, status, here, capsys):
    command = [sys.executable, SCRIPT, *arguments("hanging"), "--at-once", "--out", "run"]
    environment = {**os.environ, "INFEROMETER_TEST_FOLDER": str(here)}
    process = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    cells = here / "run" / "cells.jsonl"
    deadline = time.monotonic() + 60
    while not cells.exists() or cells.read_bytes().count(b"\n") < 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert "--resume run" in err and "Traceback" not in err
    assert "images/s" in out
    ended = sorted((r.cell.device, r.status) for r in read_run(here / "run").records)
    assert ended == [(device, status) for device in ("cuda:0", "cuda:1") for status in ("interrupted", "ok")]
    from inferometer.frameworks.catalogue import FRAMEWORKS

    FRAMEWORKS["hanging"] = FRAMEWORKS["fake"]  # it hangs no more; undone with the fixture
    assert invoke(["run", "--resume", "run"]) == 0
    run = read_run(here / "run")
    assert run.missing == ()
    assert "cuda:0, cuda:1: measured at once" in capsys.readouterr().err
