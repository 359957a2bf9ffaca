"""Run directories of strangers, with a pipe or a device where a file belongs: one line, and no waiting."""

import os

import pytest

import simulated_runs as simulated
from inferometer.cli import invoke
from inferometer.results import summary_cache
from inferometer.results.opening import open_results
from inferometer.storage.evaluations import EVALUATIONS_FILE
from inferometer.storage.run_directory import CELLS_FILE, RUN_FILE
from inferometer.storage.scenarios import SCENARIOS_FILE

NAMES = (RUN_FILE, CELLS_FILE, EVALUATIONS_FILE, SCENARIOS_FILE)


@pytest.fixture
def run(tmp_path):
    return simulated.write_run(tmp_path / "runs" / "run", simulated.BOARDS[0], batch_sizes=(8,))


def replaced(path, kind):
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_is_refused_in_a_line(run, name, kind, capsys):
    replaced(run / name, kind)
    for command in ("show", "repair"):
        assert invoke([command, str(run)]) == 1
        err = capsys.readouterr().err
        assert "no regular file" in err and name in err and err.count("\n") == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_cache_that_is_no_file_is_none(run, kind, monkeypatch):
    monkeypatch.setattr(summary_cache, "WORTH_BYTES", 0)
    replaced(run / summary_cache.CACHE_FILE, kind)
    assert open_results([run]).summaries
