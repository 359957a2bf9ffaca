"""Which cell is meant, and what is said where none is."""

from pathlib import Path

import msgspec
import pytest

from inferometer.cli import invoke
from inferometer.errors import UsageError
from inferometer.exporting import chosen
from inferometer.records import Record
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import RunWriter
from simulated_runs import cell, rounds_of, run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RATES = [1000.0, 1001.0, 999.0]


def results(*more):
    found = [
        *rounds_of(cell("onnxrt", 8, device="cpu"), RATES),
        *rounds_of(cell("onnxrt", 16, device="cpu"), [2000.0, 2001.0, 1999.0]),
        *rounds_of(cell("openvino", 8, device="cpu"), RATES),
        *rounds_of(cell("openvino", 8, device="cpu", mode="device"), RATES),
        Record(cell("tf", 8, device="cpu"), 0, "crashed", cause="SIGSEGV at 0"),
    ]
    return summarise([run([*found, *more])])


@pytest.mark.parametrize(
    "text", ["onnxrt/fp32/16", "mobilenet/onnxrt/fp32/16/cpu/host", "ONNXRT/fp32/16/cpu"]
)
def test_a_cell_by_its_name(text):
    assert chosen.named(text, results()).cell.batch_size == 16


def test_the_host_cell_where_a_name_leaves_the_mode_open():
    assert chosen.named("openvino/fp32/8", results()).cell.mode == "host"
    assert chosen.named("openvino/fp32/8/cpu/device", results()).cell.mode == "device"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("onnxr/fp32/8", "did you mean 'onnxrt/fp32/8'"),
        ("onnxrt/fp16/8", "unknown cell 'onnxrt/fp16/8'"),
        ("", "unknown cell ''"),
        ("onnxrt", "give more of its name"),
        ("tf/fp32/8", "ended as crashed: SIGSEGV at 0"),
    ],
)
def test_a_name_that_means_no_cell_says_why(text, told):
    with pytest.raises(UsageError, match=told):
        chosen.named(text, results())


def test_the_recommended_cell():
    assert chosen.recommended(results()).cell == cell("onnxrt", 16, device="cpu")


def test_no_cell_is_taken_where_the_data_carry_none():
    only = summarise([run(rounds_of(cell("onnxrt", 8, device="cpu"), [1000.0]))])
    with pytest.raises(UsageError, match=r"nothing is recommended.*onnxrt/fp32/8; name a cell"):
        chosen.recommended(only)


def test_two_recommendations_are_not_chosen_from():
    other = rounds_of(cell("onnxrt", 8, device="cpu", model="resnet"), RATES)
    with pytest.raises(UsageError, match="2 recommendations"):
        chosen.recommended(results(*other))


def refused(capsys, *arguments):
    assert invoke(["export", *map(str, arguments)]) in (1, 2)
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


def test_a_folder_that_holds_something_is_left_alone(tmp_path, capsys):
    (tmp_path / "kept.txt").write_text("mine")
    told = refused(capsys, EXAMPLES / "quick-2-cores", "onnxrt/fp32/8", "--out", tmp_path)
    assert "is not empty (it holds kept.txt)" in told
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    assert "is a file" in refused(
        capsys, EXAMPLES / "quick-2-cores", "onnxrt/fp32/8", "--out", tmp_path / "kept.txt"
    )


def test_both_a_cell_and_the_recommended_one_are_too_much(tmp_path, capsys):
    arguments = (EXAMPLES / "quick-2-cores", "onnxrt/fp32/8", "--recommended", "--out", tmp_path / "new")
    assert "exclude each other" in refused(capsys, *arguments)


def test_a_gpu_row_of_an_example_is_refused_in_a_line(tmp_path, capsys):
    told = refused(
        capsys, EXAMPLES / "h100/best", "torch-compile:channels_last/fp16", "--out", tmp_path / "new"
    )
    assert "mode 'device'" in told and "name a cell of mode host" in told


def test_a_run_whose_model_is_gone_says_how_to_measure_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    ended = rounds_of(cell("onnxrt", 8, device="cpu"), RATES)
    stored = run(ended)
    request = {
        "model": {"model": str(tmp_path / "gone.onnx")},
        "devices": ["cpu"],
        "frameworks": ["onnxrt"],
        "batch_sizes": [8],
    }
    model = msgspec.structs.replace(stored.info.model, conversions={"onnx": {"file_hash": "1", "key": "2"}})
    info = msgspec.structs.replace(
        stored.info, request=request, model=model, source="measured", command="inferometer run gone.onnx"
    )
    writer = RunWriter.create(tmp_path / "run", info)
    for record in ended:
        writer.append(record)
    assert invoke(["export", str(tmp_path / "run"), "onnxrt/fp32/8", "--out", str(tmp_path / "new")]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert "the figures are of another machine" in told[0]
    assert "is gone from the cache and cannot be made again" in told[-1]
    assert told[-1].endswith("measure again: inferometer run gone.onnx")
    assert not (tmp_path / "new").exists()
