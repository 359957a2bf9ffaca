"""Ways from one form to another that few models had: encoders and ViTs in ONNX, LiteRT flatbuffers, what OpenVINO reads itself."""

import shutil
import subprocess
from pathlib import Path

import pytest

import inferometer
from parts import missing
from steprunner import interpreter

pytestmark = pytest.mark.environment


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder of small models."""
    folder = tmp_path_factory.mktemp("edges")
    for environment in ("torch", "tf"):
        python = interpreter(environment, folder / "environment.log")
        script = Path(__file__).with_name("edge_files.py")
        subprocess.run([python, script, folder, environment], check=True, capture_output=True)
    return folder


def batches(prepared):
    return {form: item.inputs[0].shape[0] for form, item in prepared.artifacts.items()}


def test_an_encoder_in_onnx_that_computes_sizes_reaches_torch_and_jax_with_a_free_batch(reach, files):
    prepared = reach(files / "encoder.onnx", "exported", "jaxexport")
    assert batches(prepared) == {"exported": None, "jaxexport": None}
    assert prepared.artifacts["jaxexport"].via == "onnx2torch, torchax"
    assert all(item.parity["passed"] for item in prepared.artifacts.values())


def test_a_vit_of_timm_comes_back_from_onnx(reach, tmp_path):
    """Its GELU is of opset 20, and every attention takes its sizes from shapes."""
    shutil.copy(reach("timm:test_vit", "onnx").artifacts["onnx"].path, tmp_path / "vit.onnx")
    prepared = reach(tmp_path / "vit.onnx", "exported")
    assert batches(prepared) == {"exported": None}, prepared.missing


def test_one_part_of_a_split_and_sums_forwards(reach, files):
    prepared = reach(files / "decoder.onnx", "exported")
    assert batches(prepared) == {"exported": None}, prepared.missing
    assert [item.shape[1] for item in prepared.artifacts["exported"].outputs] == [1, 3]


def test_a_flatbuffer_reaches_onnx_and_what_onnx_reaches(reach, files):
    prepared = reach(files / "pair.tflite", "onnx", "exported")
    assert batches(prepared) == {"onnx": None, "exported": None}, prepared.missing
    assert prepared.artifacts["onnx"].via == "tf2onnx"
    assert prepared.info.conversions["exported"]["route"] == ["tflite", "onnx", "exported"]


def test_a_quantised_flatbuffer_reaches_onnx(reach, files):
    prepared = reach(files / "quantised.tflite", "onnx")
    assert batches(prepared) == {"onnx": None}, prepared.missing
    assert prepared.checks.stored == "int8"
    assert prepared.stored.label == "stored-int8"
    assert prepared.info.conversions["tflite"]["holds"] == {"int8": 3}


def test_an_operator_that_tf2onnx_lacks_is_named(reach, files):
    prepared = reach(files / "bucketed.tflite", "onnx")
    assert "tf2onnx cannot convert it: it has no operator TFL_BUCKETIZE" in prepared.missing["onnx"]


@pytest.mark.parametrize("name", ["pair", "pair.tflite"])
def test_openvino_reads_tensorflows_files_itself(files, tmp_path, name):
    """Inputs and outputs by name: a SavedModel's come in the order of the alphabet."""
    try:
        interpreter("openvino", tmp_path / "log")
    except OSError as error:
        missing(str(error))
    result = inferometer.run(
        str(files / name), frameworks="openvino", batch_sizes=[2], images=4, loops=2, warmup=1, rounds=1, threads=1,
        out=tmp_path / "run",
    )  # fmt: skip
    (row,) = result.results.summaries
    assert row.status == "ok", row.cause
