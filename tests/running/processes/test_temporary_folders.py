"""What workers write into their temporary folder is gone with them, however they end."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fakes import BACKENDS, fake_framework, fake_request, fake_runner, run_fakes
from inferometer.cli import invoke
from inferometer.running.processes.child import Child, child_environment
from inferometer.running.progress.observer import SilentObserver
from inferometer.storage.run_directory import read_run
from processes import children_of, is_alive, wait_for


@pytest.fixture
def place(monkeypatch):
    """A short path with a system's temporary folder of its own, seen by this process and by those it starts."""
    with tempfile.TemporaryDirectory(prefix="i") as name:
        folder = Path(name)
        (folder / "system").mkdir()
        monkeypatch.setenv("TMPDIR", str(folder / "system"))
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setenv("INFEROMETER_CACHE", str(folder / "cache"))
        monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))
        yield folder
    tempfile.tempdir = None


def littering(place, **options):
    return fake_framework(litters=str(place / "told"), **options)


def folders_used(place):
    return {Path(line) for line in (place / "told").read_text().splitlines()}


def assert_clean(place, workers=1):
    used = folders_used(place)
    assert len(used) == workers
    assert {folder.parent for folder in used} == {place / "run" / "tmp"}
    assert sorted(path.name for path in (place / "run").iterdir() if path.name != "compile-cache") == [
        "cells.jsonl",
        "logs",
        "run.json",
    ]
    assert list((place / "system").iterdir()) == []
    assert not (place / "cache" / "tmp").exists()


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [("", "ok"), ("raise", "failed"), ("segfault", "crashed"), ("kill", "killed"), ("hang", "hung")],
)
def test_a_worker_leaves_nothing(place, behaviour, status):
    framework = littering(place, behaviour=behaviour, at=4)
    run = run_fakes(place, framework, request=fake_request(timeout_s=4.0 if behaviour == "hang" else 20.0))
    assert [record.status for record in run.records] == ["ok", status]
    assert_clean(place)


def test_workers_of_a_run_have_a_folder_each(place):
    run_fakes(place, littering(place), request=fake_request(rounds=2))
    assert_clean(place, workers=2)


class _Interrupting(SilentObserver):
    def cell_phase(self, cell, round_number, phase):
        if phase == "loops":
            raise KeyboardInterrupt


def test_ctrl_c_leaves_nothing(place):
    with pytest.raises(KeyboardInterrupt):
        run_fakes(place, littering(place), observer=_Interrupting())
    assert [record.status for record in read_run(place / "run").records] == ["interrupted"]
    assert_clean(place)


def test_an_interpreter_that_does_not_exist_leaves_nothing(place):
    with pytest.raises(OSError, match="No such file"):
        Child(place / "no-python", child_environment({}), place / "log", temporary=place / "tmp")
    assert sorted(path.name for path in place.iterdir()) == ["cache", "log", "system"]


_PARENT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from fakes import fake_framework, run_fakes
run_fakes(Path({place!r}), fake_framework(litters={told!r}, behaviour="hang", at=2))
"""


def test_what_a_killed_parent_left_goes_when_its_run_goes_on(place):
    tests, told = str(Path(__file__).parents[2] / "support"), place / "told"
    script = _PARENT.format(tests=tests, place=str(place), told=str(told))
    parent = subprocess.Popen([sys.executable, "-c", script])
    wait_for(lambda: told.exists() and told.read_text().endswith("\n"))
    workers = children_of(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in workers))
    [left] = folders_used(place)
    assert left.exists()
    runner = fake_runner(place, [littering(place)], create=False)
    runner.run(read_run(place / "run").missing)
    assert_clean(place, workers=2)


def test_the_log_of_env_build_lies_in_the_cache(place, monkeypatch):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(place / "uv"))
    assert invoke(["env", "build", "onnxrt"]) != 0
    assert (place / "cache" / "logs" / "env-build.log").stat().st_size > 0
    assert list((place / "system").iterdir()) == []
    assert not (place / "cache" / "tmp").exists()


def test_the_log_of_env_build_follows_no_link(place, capsys):
    (place / "cache" / "logs").mkdir(parents=True)
    (place / "others").write_text("precious\n")
    (place / "cache" / "logs" / "env-build.log").symlink_to(place / "others")
    assert invoke(["env", "build", "onnxrt"]) != 0
    assert "cannot build environment 'onnxrt'" in capsys.readouterr().err
    assert (place / "others").read_text() == "precious\n"


@pytest.mark.environment
def test_frameworks_that_generate_code_leave_none_in_the_systems_temporary_folder(
    tiny_model, place, monkeypatch
):
    monkeypatch.delenv("INFEROMETER_CACHE")  # the built environments lie in the user's own
    monkeypatch.delenv("INFEROMETER_BACKENDS")
    options = ["--batch-sizes", "2", "--images", "4", "--loops", "1", "--warmup", "0", "--rounds", "1"]
    command = ["run", str(tiny_model), "--frameworks", "torch-compile,tf", *options, "--threads", "1"]
    assert invoke([*command, "--device", "cpu", "--out", str(place / "run")]) == 0
    assert [record.status for record in read_run(place / "run").records] == ["ok", "ok"]
    assert list((place / "system").iterdir()) == []
    assert not (place / "run" / "tmp").exists()
