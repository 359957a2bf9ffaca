"""What a fleet costs: a run that fails, or measures something else, is one clear line."""

import importlib.util
import math
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("fleet_cost", ROOT / "benchmarks/fleet_cost.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_run_that_fails_is_told_with_its_own_words(script, tmp_path):
    with pytest.raises(
        SystemExit, match=r"^`inferometer run nosuch\.onnx` left with status 2: .*does not exist.*$"
    ):
        script.measured(tmp_path / "out", ["nosuch.onnx"])


def test_a_cell_that_one_of_both_lacks_is_told(script):
    plain = {("onnxrt", "fp32", "host", "1"): 100.0, ("onnxrt", "fp32", "host", "8"): 200.0}
    fleet = {("onnxrt", "fp32", "host", "1"): 200.0}
    assert script.gained({("a",): 100.0}, {("a",): 200.0}) == pytest.approx(math.log(2))
    with pytest.raises(SystemExit, match=r"^not both measured: onnxrt fp32 host 8 \(plain only\)$"):
        script.gained(plain, fleet)
    with pytest.raises(SystemExit, match="neither run measured anything"):
        script.gained({}, {})
