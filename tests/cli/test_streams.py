"""What commands do where their output, their input or their home cannot be had."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from inferometer.cli import invoke
from inferometer.errors import StoreError
from inferometer.storage.cache import cache_folder
from simulated_runs import BOARDS, write_run
from unprivileged import PROGRAM, bound_by_permissions

READING = (["show"], ["show", "--format", "csv"], ["machine"])  # through rich, csv and click


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("streams") / "run"
    write_run(path, BOARDS[0], frameworks=("onnxrt", "torch"), precisions=("fp32",), batch_sizes=(8,))
    return path


@pytest.fixture
def partly_closed(run, tmp_path):
    """A folder with a run in it, and another that is closed to everyone."""
    (tmp_path / "open").symlink_to(run)
    closed = tmp_path / "closed"
    (closed / "run").mkdir(parents=True)
    closed.chmod(0)
    yield tmp_path
    closed.chmod(0o700)


def command(words, run):
    return [*PROGRAM, *words, *([] if words == ["machine"] else [run])]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_failure(words, run):
    process = subprocess.Popen(command(words, run), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), error) == (0, "")


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_a_full_disk_is_one_line(words, run):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(words, run), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "inferometer: cannot write: No space left on device\n"


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("ascii", ["show"]),
        ("ascii", ["table", "throughput"]),
        ("latin-1", ["table", "throughput", "--format", "md"]),
    ],
)
def test_an_encoding_that_knows_few_characters_gets_plain_ones(words, encoding, run):
    done = subprocess.run(
        [*PROGRAM, *words, run],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"+-" if encoding == "ascii" else "±".encode(encoding)) in done.stdout


def test_a_closed_folder_below_is_left_out_with_a_notice(partly_closed):
    done = subprocess.run(
        [*bound_by_permissions(), *PROGRAM, "table", "throughput", partly_closed],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "NVIDIA A2" in done.stdout
    assert (
        done.stderr
        == f"inferometer: {partly_closed / 'closed'} cannot be read and is left out: Permission denied\n"
    )


def test_the_live_report_names_a_closed_folder(partly_closed):
    code = (
        "import sys; from pathlib import Path; from inferometer.report.page.live import LiveFolder\n"
        "print(LiveFolder(Path(sys.argv[1])).snapshot().body.decode())"
    )
    done = subprocess.run(
        [*bound_by_permissions(), sys.executable, "-c", code, partly_closed],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "cannot be read and is left out" in done.stdout and "NVIDIA A2" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["table", "throughput", "closed/run"],
        ["import", "closed/run"],
        ["run", "closed/net.onnx"],
        ["run", "--out", "closed/new", "--dry-run", "--python", "onnxrt=closed/python"],
        ["measure", "--csv", "closed/rows.csv", "--", "touch", "ran"],
    ],
    ids=" ".join,
)
def test_what_lies_in_a_closed_folder_is_one_line(words, partly_closed):
    done = subprocess.run(
        [*bound_by_permissions(), *PROGRAM, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=partly_closed,
    )
    assert done.returncode in (1, 2) and done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("inferometer: ") and "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr and not (partly_closed / "ran").exists()


def test_a_file_that_cannot_take_the_rows_is_refused_before_the_measurement(tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    marker = tmp_path / "ran"
    for target in (tmp_path / "nowhere" / "x.csv", tmp_path / "file" / "x.csv"):
        (tmp_path / "file").write_text("")
        assert invoke(["measure", "--csv", str(target), "--", "touch", str(marker)]) == 2
        assert f"cannot write {target}" in capsys.readouterr().err
    assert not marker.exists()
    kept = tmp_path / "kept.csv"
    kept.write_text("mine")
    assert invoke(["measure", "--csv", str(kept), "--", "no-such-command"]) == 2
    assert kept.read_text() == "mine"
    assert invoke(["measure", "--csv", str(tmp_path / "new.csv"), "--", "no-such-command"]) == 2
    assert not (tmp_path / "new.csv").exists()


def test_a_target_that_fills_up_is_one_line_after_the_result(capsys):
    assert invoke(["measure", "--csv", "/dev/full", "--", "true"]) == 1
    error = capsys.readouterr().err
    assert "time " in error and error.endswith("inferometer: cannot write: No space left on device\n")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    def nobody_knows(uid):
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("INFEROMETER_CACHE", raising=False)
    monkeypatch.setattr(
        pwd, "getpwuid", nobody_knows
    )  # as in a container that is given any number as its user
    with pytest.raises(StoreError, match="no home folder; set INFEROMETER_CACHE"):
        cache_folder("models")


def test_a_long_value_does_not_bury_the_remedy(capsys):
    assert invoke(["table", "x" * 5000, "missing"]) == 2
    line = capsys.readouterr().err
    assert len(line) < 2000 and " ... " in line


def test_memory_that_runs_out_is_one_line(monkeypatch, capsys):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("inferometer.cli._call", full)
    assert invoke(["show", "run"]) == 1
    assert capsys.readouterr().err == (
        "inferometer: this takes more memory than there is; give less at once, fewer runs for instance\n"
    )
