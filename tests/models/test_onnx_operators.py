"""Operators that onnx2torch lacks: each against ONNX Runtime, as a module and as an exported program."""

import json
import subprocess
from pathlib import Path

import pytest

import inferometer
from steprunner import interpreter, write_onnx

REFUSED = {
    "refused_gru": "GRU with its reset gate before the product",
    "refused_lstm": "LSTM with clipped cells",
}
NEAR = 1e-6  # of the largest value, for one operator in float32
OTHERWISE = {
    "qlinear_conv": 1 / 127,  # one unit of its integers, where a value lies in the middle of two
    "quantised_lstm": 2e-2,  # ONNX Runtime rounds what comes in as well
}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return what the script says of each file: the error of its answers, or why it is refused."""
    folder = write_onnx(tmp_path_factory.mktemp("operators"), "onnx_operator_files.py")
    script = Path(__file__).parents[1] / "support" / "onnx2torch_script.py"
    python = interpreter("torch-models", folder / "environment.log")
    package = Path(inferometer.__file__).parent
    done = subprocess.run(
        [str(python), str(script), str(package), str(folder)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def test_each_operator_answers_as_onnx_runtime(told):
    assert len(told) > 40
    wrong = {
        name: error for name, error in told.items() if name not in REFUSED and not _is_right(name, error)
    }
    assert wrong == {}


def _is_right(name, error):
    return isinstance(error, float) and error <= OTHERWISE.get(name, NEAR)


@pytest.mark.parametrize("name", REFUSED)
def test_a_layer_that_torch_has_not_is_refused_in_words(told, name):
    assert told[name] == f"onnx2torch cannot convert it: {REFUSED[name]}"
