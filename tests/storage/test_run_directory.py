import subprocess
import sys

import msgspec
import pytest

from inferometer.errors import StoreError, UsageError
from inferometer.records import SCHEMA, Cell, Loop, Protocol, Record, RunInfo
from inferometer.storage.run_directory import RunWriter, alone_in, read_run

CELL = Cell("m", "onnxrt", "fp32", 8, "cpu")


def info(rounds=2):
    return RunInfo(protocol=Protocol(rounds=rounds), cells=(CELL,))


def test_round_trip(tmp_path):
    writer = RunWriter.create(tmp_path / "run", info())
    record = Record(CELL, 0, "ok", loops=(Loop(1.5, (0.5, 1.0)),), images=16)
    writer.append(record)
    stored = read_run(tmp_path / "run")
    assert stored.records == (record,)
    assert stored.info == info()
    assert stored.missing == ((CELL, 1),)


def test_torn_last_line_is_ignored_and_cut_before_the_next_record(tmp_path):
    writer = RunWriter.create(tmp_path, info())
    writer.append(Record(CELL, 0, "ok"))
    with (tmp_path / "cells.jsonl").open("ab") as file:
        file.write(b'{"cell": {"model"')
    assert [r.round for r in read_run(tmp_path).records] == [0]
    writer.append(Record(CELL, 1, "ok"))
    assert [r.round for r in read_run(tmp_path).records] == [0, 1]


def test_damage_in_the_middle_names_the_line(tmp_path):
    writer = RunWriter.create(tmp_path, info())
    with (tmp_path / "cells.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    writer.append(Record(CELL, 0, "ok"))
    with pytest.raises(StoreError, match=r"cells.jsonl:1: damaged"):
        read_run(tmp_path)


def test_newer_schema_says_upgrade(tmp_path):
    RunWriter.create(tmp_path, info())
    (tmp_path / "run.json").write_bytes(msgspec.json.encode({"schema": SCHEMA + 1}))
    with pytest.raises(StoreError, match="upgrade"):
        read_run(tmp_path)


def test_rounds_added_later_are_for_cells_that_were_measured(tmp_path):
    other = msgspec.structs.replace(CELL, framework="torch")
    begun = RunInfo(protocol=Protocol(rounds=4), cells=(CELL, other), request={"protocol": {"rounds": 2}})
    writer = RunWriter.create(tmp_path, begun)
    for number in (0, 1):
        writer.append(Record(CELL, number, "ok"))
        writer.append(Record(other, number, "hung", "no answer for 900 s"))
    assert read_run(tmp_path).missing == ((CELL, 2), (CELL, 3))
    assert begun.first_rounds == 2 and info().first_rounds == 2


def test_existing_run_is_not_overwritten(tmp_path):
    RunWriter.create(tmp_path, info())
    with pytest.raises(UsageError, match="--resume"):
        RunWriter.create(tmp_path, info())


def test_no_run_directory_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="no run directory"):
        read_run(tmp_path)


def test_a_second_process_may_not_measure_into_the_same_directory(tmp_path):
    import subprocess
    import sys

    other = (
        "import sys; from pathlib import Path; from inferometer.storage.run_directory import alone_in\n"
        "try:\n with alone_in(Path(sys.argv[1])): print('held')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    command = [sys.executable, "-c", other, str(tmp_path)]
    with alone_in(tmp_path):
        refused = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert refused.startswith("StoreError another process is measuring into")
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "held\n"


def test_interrupted_cells_are_missing(tmp_path):
    writer = RunWriter.create(tmp_path, info(rounds=1))
    writer.append(Record(CELL, 0, "interrupted"))
    assert read_run(tmp_path).missing == ((CELL, 0),)


def test_a_record_without_its_newline_is_not_ended_since_the_next_append_cuts_it(tmp_path):
    writer = RunWriter.create(tmp_path / "run", info())
    cell = info().cells[0]
    writer.append(Record(cell, 0, "ok"))
    cells = tmp_path / "run" / "cells.jsonl"
    cells.write_bytes(cells.read_bytes().rstrip(b"\n"))
    assert read_run(tmp_path / "run").records == ()


def test_a_run_without_records_can_be_withdrawn_and_leaves_what_is_not_its_own(tmp_path):
    RunWriter.create(tmp_path / "run", RunInfo()).withdraw()
    assert not (tmp_path / "run").exists()
    writer = RunWriter.create(tmp_path / "run", RunInfo())
    (tmp_path / "run" / "mine.txt").write_text("kept")
    writer.withdraw()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]
    writer = RunWriter.create(tmp_path / "other", RunInfo())
    record = Record(CELL, 0, "ok")
    writer.append(record)
    writer.withdraw()
    assert read_run(tmp_path / "other").records == (record,)


def test_a_folder_with_other_files_in_it_is_no_place_for_a_run(tmp_path):
    project = tmp_path / "project"
    (project / "logs").mkdir(parents=True)
    (project / "logs" / "train.log").write_text("mine")
    with pytest.raises(UsageError, match=r"is not empty \(it holds logs\).*another --out"):
        RunWriter.create(project, RunInfo())
    assert (project / "logs" / "train.log").read_text() == "mine"
    with pytest.raises(StoreError, match="cannot write"):
        RunWriter.create(project / "logs" / "train.log", RunInfo())


def test_of_a_run_that_cannot_be_written_nothing_is_left(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        RunWriter.create(tmp_path / "run", RunInfo(command="a\udcff"))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_of_the_user_outlives_a_withdrawn_run(tmp_path):
    (tmp_path / "mine").mkdir()
    RunWriter.create(tmp_path / "mine", RunInfo()).withdraw()
    assert list((tmp_path / "mine").iterdir()) == []


def test_what_a_run_that_was_killed_as_it_began_left_is_no_obstacle(tmp_path):
    (tmp_path / "run" / "logs").mkdir(parents=True)
    (tmp_path / "run" / "run.tmp").write_text("{")
    RunWriter.create(tmp_path / "run", RunInfo())
    assert read_run(tmp_path / "run").records == ()
    with pytest.raises(UsageError, match="already holds a run"):
        RunWriter.create(tmp_path / "run", RunInfo())


def test_a_run_that_cannot_begin_leaves_its_place_as_it_was(tmp_path):
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))"
    code = f"""{limited}
import sys; from pathlib import Path
from inferometer.records import RunInfo
from inferometer.storage.run_directory import RunWriter
RunWriter.create(Path(sys.argv[1]), RunInfo())"""
    (tmp_path / "mine").mkdir()
    for name in ("mine", "new"):
        done = subprocess.run([sys.executable, "-c", code, tmp_path / name], capture_output=True, text=True)
        assert "StoreError: cannot write" in done.stderr and "File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"] and not any((tmp_path / "mine").iterdir())
