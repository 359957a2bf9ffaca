"""What the command line does with wrong or missing words."""

import contextlib
import io
import shlex
import subprocess
import sys

import pytest

from inferometer.cli import COMMANDS, invoke
from inferometer.cli.run import _finish
from inferometer.host.machine import describe_machine
from inferometer.storage.run_directory import read_run
from simulated_runs import BOARDS, write_run


@pytest.mark.parametrize("words", [[], ["env"]])
def test_a_command_of_commands_alone_prints_its_help(words, capsys):
    assert invoke(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("Usage: inferometer") and len(error.splitlines()) > 5


def test_every_command_has_help(capsys):
    for name in COMMANDS:
        assert invoke([name, "--help"]) == 0
    assert capsys.readouterr().out.count("Usage: inferometer") == len(COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ["tabel"], ["table"], ["table", "throughput"], ["table", "speed", "x"], ["table", "throughput", "nowhere"], ["show", "nowhere"],
        ["report"], ["report", "nowhere"], ["compare", "nowhere"], ["compare", "nowhere", "nowhere"], ["merge", "nowhere"],
        ["recommend", "nowhere"], ["import", "nowhere"], ["serve", "nowhere"], ["table", "throughput", "x", "--format", "pdf"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_word_is_one_line(words, capsys):
    assert invoke(words) in (1, 2)
    written = capsys.readouterr()
    assert written.out == "" and written.err.startswith("inferometer: ") and written.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("meters nosuch", "unknown command of meters 'nosuch' (known: characterize, publish, serve)"),
        ("meters serv", "unknown command of meters 'serv'; did you mean 'serve'?"),
        ("cache nosuch", "unknown command of cache 'nosuch' (known: list, prune, verify)"),
        ("env nosuch", "unknown command of env 'nosuch' (known: build, list, lock, remove)"),
        ("nosuch", "unknown command 'nosuch' (known: "),
    ],
)
def test_a_wrong_command_is_told_with_those_that_there_are(words, told, capsys):
    assert invoke(words.split()) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_show_of_a_folder_of_runs_says_which_there_are(tmp_path, capsys):
    for number in range(2):
        write_run(
            tmp_path / f"r{number}", BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,)
        )
    assert invoke(["show", str(tmp_path)]) == 2
    assert f"holds 2 runs: show one, {tmp_path / 'r0'}" in capsys.readouterr().err
    (tmp_path / "r1" / "run.json").unlink()
    assert invoke(["show", str(tmp_path)]) == 0
    assert "NVIDIA A2" in capsys.readouterr().out


def test_a_run_looks_at_the_machine_once_and_leaves_the_users_files_alone(tmp_path, monkeypatch, capsys):
    looked = []

    def describe(gpus):
        looked.append(1)
        return describe_machine(gpus)

    monkeypatch.setattr("inferometer.running.run.describe_machine", describe)
    (tmp_path / "mine" / "logs").mkdir(parents=True)
    (tmp_path / "mine" / "logs" / "train.log").write_text("mine")
    words = [
        "run",
        "--frameworks",
        "openvino",
        "--python",
        f"openvino={sys.executable}",
        "--device",
        "cpu",
        "--out",
    ]
    assert invoke([*words, str(tmp_path / "new")]) == 2
    assert "has no module openvino" in capsys.readouterr().err
    assert looked == [1] and not (tmp_path / "new").exists()
    assert invoke([*words, str(tmp_path / "mine")]) == 2
    assert "is not empty (it holds logs)" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["logs", "train.log"]


def test_a_folder_of_powercap_that_is_not_there_is_refused_before_anything_is_made(tmp_path, capsys):
    words = ["run", "--frameworks", "onnxrt", "--device", "cpu", "--powercap", "/nosuch"]
    assert invoke([*words, "--out", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert "--powercap /nosuch: there is no such folder" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_before_there_is_a_run_speaks_of_none(tmp_path, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("inferometer.cli.run.execute_prepared", stopped)
    assert invoke(["run", "--frameworks", "onnxrt", "--device", "cpu", "--out", str(tmp_path / "new")]) == 130
    error = capsys.readouterr().err
    assert "interrupted before anything was measured" in error and "--resume" not in error


@pytest.mark.parametrize("at_the_table", [False, True])
def test_the_last_line_of_an_interrupted_run_says_how_to_go_on(at_the_table, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    write_run(run, BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,))
    if at_the_table:
        monkeypatch.setattr("inferometer.cli.run._print_table", stopped)
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        assert _finish(run, (lambda _: read_run(run)) if at_the_table else stopped, report=False) == 130
    assert at_the_table or f"run directory: {run}" in told.getvalue()
    assert told.getvalue().splitlines()[-1] == (
        f"inferometer: interrupted; go on with: inferometer run --resume {run}"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--frameworks", "onnxrt", "--out", "{}/o\udcff"],
        ["show", "{}/o\udcff"],
        ["report", "{}", "--title", "a\udce9"],
    ],
)
def test_a_word_that_is_not_utf_8_is_refused(words, tmp_path, capsys):
    assert invoke([word.format(tmp_path) for word in words]) == 2
    error = capsys.readouterr().err
    assert r"\x" in error and "is not UTF-8; rename" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "closed"),
    [("show {run}", ">&-"), ("--version", ">&-"), ("report {run} --out {run}/report.html", "<&- >&- 2>&-")],
)
def test_a_closed_output_is_no_output(command, closed, tmp_path):
    write_run(tmp_path / "r", BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,))
    words = command.format(run=shlex.quote(str(tmp_path / "r")))
    done = subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -m inferometer {words} {closed}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "--out" not in command or (tmp_path / "r" / "report.html").stat().st_size > 1000


@pytest.mark.parametrize(
    "words",
    [
        ["recommend", ""], ["report", ""], ["show", ""], ["table", "throughput", ""], ["merge", "", "--out", "x"],
        ["compare", "x", ""], ["import", ""], ["serve", ""], ["report", "x", "--md", ""], ["measure", "--csv", "", "true"],
        *(["run", option, ""] for option in ("--image", "--input", "--out", "--resume", "--powercap", "--weights")),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_empty_path_is_not_the_current_folder(words, tmp_path, monkeypatch, capsys):
    write_run(tmp_path, BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,))
    monkeypatch.chdir(tmp_path)
    assert invoke(words) == 2
    written = capsys.readouterr()
    assert written.out == "" and "is empty; give" in written.err and written.err.count("\n") == 1


def test_names_and_all_exclude_each_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path))
    for name in ("tf-cpu-0123", "torch-cpu-0123"):
        (tmp_path / "environments" / name).mkdir(parents=True)
        (tmp_path / "environments" / name / "inferometer.json").write_text('{"requirements": []}')
    assert invoke(["env", "remove", "tf", "--all"]) == 2
    assert "tf and --all" in capsys.readouterr().err
    assert len(list((tmp_path / "environments").iterdir())) == 2


def test_an_empty_host_is_not_every_interface(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("inferometer.report.page.serve.open_server", lambda *_: pytest.fail("bound"))
    assert invoke(["serve", str(tmp_path), "--host", ""]) == 2
    assert "--host is empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ('echo "$@"', "python is no Python interpreter; give the python of"),
        (
            "echo inferometer-python; exit 9",
            "cannot be used: step worker.probe in environment 'onnxrt' left with exit status 9; last words: inferometer-python",
        ),
    ],
)
def test_an_interpreter_that_cannot_be_used_leaves_no_directory(program, told, tmp_path, capsys):
    (tmp_path / "python").write_text(f"#!/bin/sh\n{program}\n")
    (tmp_path / "python").chmod(0o755)
    words = ["run", "--frameworks", "onnxrt", "--device", "cpu", "--python", f"onnxrt={tmp_path / 'python'}"]
    assert invoke([*words, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert told in error and "log:" not in error
    assert not (tmp_path / "run").exists()


def test_a_program_that_cannot_be_started_is_no_interpreter(tmp_path, capsys):
    (tmp_path / "python").write_text("no program")
    words = ["run", "--frameworks", "onnxrt", "--device", "cpu", "--dry-run", "--python"]
    assert invoke([*words, f"onnxrt={tmp_path / 'python'}"]) == 2
    assert "cannot be started: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    "outputs", [["--out", "u", "--xlsx", "u"], ["--md", "a", "--out", "./a"], ["--static", "s", "--md", "s"]]
)
def test_two_outputs_of_one_name_are_refused(outputs, tmp_path, monkeypatch, capsys):
    write_run(tmp_path / "r", BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,))
    monkeypatch.chdir(tmp_path)
    assert invoke(["report", "r", *outputs]) == 2
    assert "give each a name of its own" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["recommend", "r", "--max-latency-ms", "inf"],
            "--max-latency-ms is inf: give a finite number above 0",
        ),
        (
            ["report", "r", "--out", "file/x.html"],
            "cannot write file/x.html: file is a file, not a directory",
        ),
        (["report", "r", "--static", "file"], "cannot write file: it is a file, not a directory"),
        (["run", "--dry-run", "--frameworks", "onnxrt", "--out", "r"], "r already holds a run"),
        (["env", "remove", "onnxrt"], "unknown built environment 'onnxrt': there is none"),
    ],
)
def test_what_is_wrong_is_called_by_its_name(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    write_run(tmp_path / "r", BOARDS[0], frameworks=("onnxrt",), precisions=("fp32",), batch_sizes=(8,))
    assert invoke(words) in (1, 2)
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_a_plan_of_one_cell_and_round(capsys):
    words = ["run", "--dry-run", "--frameworks", "onnxrt", "--device", "cpu", "--batch-sizes", "1"]
    assert invoke([*words, "--rounds", "1"]) == 0
    assert "1 cell x 1 round, 0 skipped" in capsys.readouterr().out
