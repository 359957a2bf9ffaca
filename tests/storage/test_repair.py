"""One damaged byte costs what it hit, no more."""

import json
import random
import shutil

import pytest

from evaluated_runs import evaluated_run
from inferometer.cli import invoke
from inferometer.errors import StoreError
from inferometer.records import RunInfo
from inferometer.results.summary import summarise
from inferometer.storage.repair import repair
from inferometer.storage.run_directory import alone_in, read_run
from simulated_runs import BOARDS, write_run


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "run"
    write_run(path, BOARDS[0], frameworks=("onnxrt", "torch"), precisions=("fp32",), batch_sizes=(8, 16))
    return path


@pytest.fixture
def run(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "runs" / "run")


def test_a_damaged_record_is_set_aside_and_the_others_stay(run, capsys):
    before = read_run(run)
    lines = (run / "cells.jsonl").read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"', b"\xe9", 1)
    (run / "cells.jsonl").write_bytes(b"\n".join(lines))
    assert invoke(["show", str(run)]) == 1
    assert f"inferometer repair {run}" in capsys.readouterr().err
    assert invoke(["repair", str(run)]) == 0
    said = capsys.readouterr().out
    assert "lost: cells.jsonl:2: " in said and f"kept: {len(before.records) - 1} records" in said
    after = read_run(run)
    assert after.info == before.info
    assert after.records == before.records[:1] + before.records[2:]
    assert (run / "cells.jsonl.damaged-1").read_bytes() == b"\n".join(lines)
    assert invoke(["repair", str(run)]) == 0
    assert "sound: nothing was changed" in capsys.readouterr().out


def test_a_lost_end_of_line_loses_nothing(run):
    before = read_run(run)
    data = (run / "cells.jsonl").read_bytes()
    (run / "cells.jsonl").write_bytes(data.replace(b"\n", b"\x8a", 1)[:-1])
    assert repair(run).lost == []
    assert read_run(run).records == before.records


@pytest.mark.parametrize("name", ["machine", "cells", "protocol", "model", "notes"])
def test_a_damaged_fact_is_told_and_the_others_stay(run, name, capsys):
    before = read_run(run)
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace(f'\n "{name}": ', f'\n "{name}": x', 1))
    with pytest.raises(StoreError, match="inferometer repair"):
        read_run(run)
    (lost,) = repair(run).lost
    assert lost.startswith(f"run.json: {name}")
    after = read_run(run)
    same = [field for field in RunInfo.__struct_fields__ if field not in (name, "notes")]
    assert {field: getattr(after.info, field) for field in same} == {
        field: getattr(before.info, field) for field in same
    }
    assert after.records == before.records and f"damaged, {name} lost" in after.info.notes[-1]
    assert name != "cells" or set(after.info.cells) == {record.cell for record in before.records}
    assert invoke(["show", str(run)]) == 0
    assert " 0 threads" not in capsys.readouterr().out


def test_without_run_json_the_records_stay(run):
    (run / "run.json").unlink()
    before = len((run / "cells.jsonl").read_bytes().splitlines())
    assert len(repair(run).lost) == len(RunInfo.__struct_fields__)
    assert len(read_run(run).records) == before and invoke(["show", str(run)]) == 0


@pytest.mark.parametrize("seed", range(60))
def test_any_byte_anywhere_costs_a_record_or_a_fact(run, seed):
    before = read_run(run)
    chance = random.Random(seed)
    file = run / chance.choice(["run.json", "cells.jsonl"])
    data = bytearray(file.read_bytes())
    at = chance.randrange(len(data))
    data[at] = chance.choice([0x00, 0xE9, 0x0A, 0x22, 0x7B, data[at] ^ 1 << chance.randrange(8)])
    file.write_bytes(data)
    try:
        read_run(run)
    except StoreError:
        assert repair(run).aside
        after = read_run(run)
        assert len(after.records) >= len(before.records) - 1
        changed = [
            name
            for name in RunInfo.__struct_fields__
            if getattr(after.info, name) != getattr(before.info, name)
        ]
        assert len(set(changed) - {"notes"}) <= 2
    assert repair(run).aside == []


def test_a_damaged_file_of_answers_is_lost_with_its_line(tmp_path):
    run = evaluated_run(tmp_path / "run", [1, 2], {("torch", "fp32"): [1, 2], ("onnxrt", "fp32"): [1, 1]})
    file = run.path / run.evaluations[0].file
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert [line.partition(":")[0] for line in repair(run.path).lost] == ["accuracy.jsonl"]
    assert read_run(run.path).evaluations == run.evaluations[1:]


def test_what_is_measured_into_is_not_repaired(run):
    with alone_in(run), pytest.raises(StoreError, match="another process is measuring"):
        repair(run)


def test_what_is_no_run_or_has_nothing_sound_is_one_line(tmp_path, run, capsys):
    assert invoke(["repair", str(tmp_path / "nothing")]) == 1
    assert "no run directory" in capsys.readouterr().err
    for name in ("run.json", "cells.jsonl"):
        (run / name).write_bytes(b"\x00" * 50)
    assert invoke(["repair", str(run)]) == 1
    assert "nothing in it is sound" in capsys.readouterr().err


def test_a_folder_is_reported_without_its_damaged_run(run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "runs" / "whole")
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts)[:-2])
    out = tmp_path / "report.html"
    assert invoke(["report", str(tmp_path / "runs"), "--out", str(out)]) == 0
    error = capsys.readouterr().err
    assert f"left out: {run / 'run.json'} is damaged" in error and error.count("\n") == 1
    assert invoke(["report", str(tmp_path / "runs"), str(run), "--out", str(out)]) == 1, "it was named"
    (tmp_path / "runs" / "whole" / "run.json").write_text("{")
    assert invoke(["table", "throughput", str(tmp_path / "runs")]) == 1, "none is left"


def test_an_evaluation_that_tells_another_number_of_rows_than_its_file_is_set_aside(tmp_path):
    right = [0, 1, 2, 3]
    path = evaluated_run(tmp_path / "run", right, {("onnxrt", "fp32"): right, ("torch", "fp32"): right}).path
    file = path / "accuracy.jsonl"
    first, second = file.read_text().splitlines()
    file.write_text(json.dumps({**json.loads(first), "rows": 0}) + f"\n{second}\n")
    assert repair(path).lost and len(read_run(path).evaluations) == 1
    assert summarise([read_run(path)]).summaries


@pytest.mark.parametrize(("field", "value"), [(10, b"\xff\x00"), (6, b"\xff\x00")], ids=["method", "version"])
def test_an_archive_of_another_kind_is_damage_like_any_other(tmp_path, field, value):
    path = evaluated_run(tmp_path / "run", [0, 1], {("onnxrt", "fp32"): [0, 1]}).path
    file = next(path.glob("accuracy/onnxrt*"))
    data = bytearray(file.read_bytes())
    at = data.index(b"PK\x01\x02") + field
    data[at : at + 2] = value
    file.write_bytes(data)
    with pytest.raises(StoreError, match="cannot read"):
        summarise([read_run(path)])


@pytest.mark.parametrize("change", [{"file": ""}, {"file": "accuracy"}, {"top1": 2**63}, {"file_hash": ""}])
def test_an_evaluation_that_ended_well_has_its_file_or_is_set_aside(tmp_path, change):
    right = [0, 1]
    path = evaluated_run(tmp_path / "run", right, {("onnxrt", "fp32"): right, ("torch", "fp32"): right}).path
    file = path / "accuracy.jsonl"
    first, second = file.read_text().splitlines()
    file.write_text(json.dumps({**json.loads(first), **change}) + f"\n{second}\n")
    is_sound = change == {"file_hash": ""}  # what it holds is looked at all the same
    assert bool(repair(path).lost) is not is_sound
    assert len(read_run(path).evaluations) == (2 if is_sound else 1)
    assert summarise([read_run(path)]).summaries


@pytest.mark.parametrize(("field", "inner"), [("environments", ""), ("model", "conversions")])
def test_facts_that_are_texts_where_tables_belong_are_damage(run, field, inner):
    facts = json.loads((run / "run.json").read_text())
    wrong = {"onnx": "a text"}
    facts[field] = {**facts[field], inner: wrong} if inner else wrong
    (run / "run.json").write_text(json.dumps(facts))
    with pytest.raises(StoreError, match=r"run\.json"):
        summarise([read_run(run)])
    assert repair(run).lost and summarise([read_run(run)]).summaries


def test_evaluations_whose_right_answers_are_damaged_are_set_aside(tmp_path):
    rows = {("onnxrt", "fp32"): [0, 1], ("onnxrt", "int8"): [1, 1]}
    path = evaluated_run(tmp_path / "run", [0, 1], rows).path
    next(path.glob("accuracy/answers-*")).write_bytes(b"no archive")
    with pytest.raises(StoreError, match="cannot read"):
        summarise([read_run(path)])
    assert repair(path).lost and summarise([read_run(path)]).summaries


@pytest.mark.parametrize("damage", [("", ""), ('"notes":', '"notes",')])
def test_a_run_of_a_newer_version_is_left_as_it_is(run, damage):
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace('"schema": 1', '"schema": 5', 1).replace(*damage, 1))
    with (run / "cells.jsonl").open("a") as file:
        file.write('{"of": "a later form"}\n')
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    with pytest.raises(StoreError, match=r"run\.json has schema 5, this inferometer reads up to 1: upgrade"):
        repair(run)
    assert before == {
        path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name in before
    }
    assert not list(run.glob("*.damaged-*"))
