"""ONNX files that ONNX Runtime takes and other readers stumble over, as mutation found them."""

import subprocess
import sys

import numpy as np
import pytest

from inferometer.errors import InputError
from inferometer.worker.parity.ambiguity import relative
from steprunner import interpreter

OTHER_DOMAIN = """
import onnx, sys
model = onnx.load(sys.argv[1])
model.opset_import[0].domain = "x"
onnx.save(model, sys.argv[2])
"""


@pytest.mark.environment
def test_a_file_whose_shapes_cannot_be_inferred_is_measured(reach, onnx, tmp_path):
    python = interpreter("onnxrt", tmp_path / "environment.log")
    subprocess.run([python, "-c", OTHER_DOMAIN, onnx / "half.onnx", tmp_path / "x.onnx"], check=True)
    assert set(reach(tmp_path / "x.onnx", "onnx").artifacts) == {"onnx"}


@pytest.mark.environment
def test_a_name_that_is_no_text_is_refused(reach, onnx, tmp_path):
    data = (onnx / "image.onnx").read_bytes()
    at = data.rindex(b"\x12\x01N") + 2
    (tmp_path / "x.onnx").write_bytes(data[:at] + b"\xff" + data[at + 1 :])
    with pytest.raises(InputError, match=r"ONNX Runtime refuses x\.onnx: 'utf-8' codec"):
        reach(tmp_path / "x.onnx", "onnx")


def test_infinite_outputs_raise_no_warning():
    outputs = np.array([[np.inf, 1.0], [np.nan, 1e300]])
    assert not relative(outputs, outputs) <= sys.float_info.max
