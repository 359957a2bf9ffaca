"""The page of real photos, of answers that the test chooses."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluated_runs import evaluated_run

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def photos(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("photos", FOLDER / "photos.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("catalogue", None)  # another benchmark has one of that name


def test_each_row_has_its_counts_and_what_so_few_tell(photos, tmp_path):
    right = np.arange(20) % 10
    lost = right.copy()
    lost[0] = 5
    answers = {("onnxrt", "fp32"): right, ("onnxrt", "int8"): lost, ("openvino", "fp32"): lost}
    failed = (("openvino", "bf16"),)
    page = photos.page(evaluated_run(tmp_path / "run", right, answers, failed=failed), "inferometer run x")
    assert "| onnxrt int8 | 19 of 20 (76 to 99 %) |" in page and "1 lost, 0 won | 1 |" in page
    assert "The 2 rows at fp32 name the same class for 19 of 20 photos." in page
    assert "20 images tell a share to ±20 % at worst" in page
    assert "- openvino bf16: " in page
