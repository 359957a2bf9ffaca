"""A run that somebody else sent takes nothing from this machine, writes nowhere else, and sends the terminal nothing."""

import json

import msgspec
import pytest

from evaluated_runs import evaluated_run
from inferometer.cli import invoke
from inferometer.escapes import shown, shown_json
from inferometer.storage.run_directory import read_run
from loaded_runs import loaded_run, one_test, server

SIGNS = "a\r\b\f\x1b[2J\u202e\u2066\n\t\\r \\u202e \\ é \u2028"


def with_folder(path, name):
    """Return a run whose LoadGen says that it wrote its logs there."""
    path.mkdir(parents=True)
    return loaded_run(path, [server("a", [one_test(10, 0.01, folder=name)])]).path


def merged(run, out):
    return invoke(["merge", str(run), "--out", str(out)])


@pytest.mark.parametrize("name", ["{}/secret", "scenarios/../../../secret", "scenarios/away"])
def test_no_log_outside_of_a_run_is_merged(tmp_path, capsys, name):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "id").write_text("mine")
    run = with_folder(tmp_path / "made", name.format(tmp_path))
    (run / "scenarios").mkdir()
    (run / "scenarios" / "away").symlink_to(tmp_path / "secret")
    assert merged(run, tmp_path / "out") == 1
    assert "its records name a file outside of it" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_outside_of_a_merged_run(tmp_path, capsys):
    run = with_folder(tmp_path / "made", "scenarios/../../../beside")
    (tmp_path / "beside").mkdir()  # where it leads from the run, and from the new one
    assert merged(run, tmp_path / "new" / "out") == 1
    assert "outside of it" in capsys.readouterr().err
    assert not (tmp_path / "new" / "out").exists() and not (tmp_path / "new" / "beside").exists()


def test_links_among_logs_are_not_followed(tmp_path, capsys):
    (tmp_path / "secret").write_text("mine")
    run = with_folder(tmp_path / "made", "scenarios/s")
    (run / "scenarios" / "s").mkdir(parents=True)
    (run / "scenarios" / "s" / "detail.txt").write_text("log")
    (run / "scenarios" / "s" / "link.txt").symlink_to(tmp_path / "secret")
    assert merged(run, tmp_path / "out") == 0
    capsys.readouterr()
    assert [path.name for path in (tmp_path / "out").rglob("*.txt")] == ["detail.txt"]


def test_no_answers_outside_of_a_run_are_read(tmp_path, capsys):
    run = evaluated_run(tmp_path / "run", [1, 2, 3], {("onnxrt", "fp32"): [1, 2, 3]})
    lines = run.path / "accuracy.jsonl"
    (run.path / "accuracy" / "onnxrt-fp32.npz").rename(tmp_path / "mine.npz")
    lines.write_text(lines.read_text().replace('"accuracy/onnxrt-fp32.npz"', '"../mine.npz"'))
    for words in (["show", str(run.path)], ["merge", str(run.path), "--out", str(tmp_path / "out")]):
        assert invoke(words) == 1
        assert "its records name a file outside of it, ../mine.npz" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ascii_only", [True, False])
def test_json_shows_what_text_shows(ascii_only):
    data = json.dumps({SIGNS: SIGNS}, ensure_ascii=ascii_only).encode()
    assert json.loads(shown_json(data)) == {shown(SIGNS): shown(SIGNS)}
    assert json.loads(shown_json(data.replace(b"202e", b"202E"))) is not None


def test_signs_in_results_under_load_are_shown_not_sent(tmp_path, capfd):
    run = read_run(with_folder(tmp_path / "made", "scenarios/s"))
    (result,) = run.scenarios
    cell = msgspec.structs.replace(result.cell, framework="a\x1b[2J\u202e\r")
    line = msgspec.json.encode(msgspec.structs.replace(result, cell=cell))
    (run.path / "scenarios.jsonl").write_bytes(line + b"\n")
    for words in (["load"], ["show"], ["show", "--format", "csv"]):
        assert invoke([*words, str(run.path)]) == 0
    told = capfd.readouterr().out
    assert not set("\x1b\u202e\r") & set(told) and r"a\x1b[2J\u202e\x0d" in told
