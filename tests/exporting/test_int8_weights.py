"""A transformer's kind of model with int8 weights alone: read back in every runtime that has it, and taken home."""

import subprocess

import pytest

import inferometer
from steprunner import interpreter
from taken_home import assert_answers_as_it_did

pytestmark = pytest.mark.environment

LINEAR = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
keras.utils.set_random_seed(5)
layers = keras.layers
x = keras.Input((6, 64))
y = layers.LayerNormalization()(layers.Dense(64)(layers.Dense(96, activation="gelu")(x)))
keras.Model(x, layers.Dense(32)(layers.GlobalAveragePooling1D()(y))).save(sys.argv[1])
"""
FRAMEWORKS = ("onnxrt", "openvino", "litert")


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    python = interpreter("tf", folder / "environment.log")
    subprocess.run([python, "-c", LINEAR, folder / "linear.keras"], check=True, capture_output=True)
    return inferometer.run(
        folder / "linear.keras", frameworks=",".join(FRAMEWORKS), precisions="int8-weights", device="cpu",
        batch_sizes=2, preset="quick", rounds=1, threads=1, out=folder / "run",
    )  # fmt: skip


def test_three_layers_are_seen_to_have_int8_weights(result):
    rows = {record.cell.framework: record for record in result.run.records}
    assert {name: (row.status, row.cause) for name, row in rows.items()} == dict.fromkeys(
        FRAMEWORKS, ("ok", "")
    )
    assert {row.actual.precision for row in rows.values()} == {"int8-weights"}
    details = {name: row.actual.details for name, row in rows.items()}
    assert details["onnxrt"]["integers"] == {"integer": {}, "int8-weights": {"MatMulNBits": 3}, "float": {}}
    assert [details[name]["operators"] for name in ("openvino", "litert")] == [{"int8-weights": 3}] * 2
    for form in ("onnx-int8-weights", "openvino-int8-weights", "tflite-int8-weights"):
        loss = result.run.info.model.conversions[form]["loss"]
        assert 0.0005 < loss["error"] < 0.05 and loss["cosine"] > 0.999


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_is_taken_home_answers_as_the_row_did(result, framework, tmp_path):
    assert_answers_as_it_did(result.run.path, f"{framework}/int8-weights/2", tmp_path / "deploy")
