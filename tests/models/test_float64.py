"""PyTorch models of float64, measured in fp32, in their real environments."""

import subprocess

import pytest

import inferometer
from inferometer.errors import ModelError
from steprunner import interpreter
from taken_home import assert_answers_as_it_did

pytestmark = pytest.mark.environment

MODEL = """
import torch
from torch import nn


class Doubling(nn.Linear):
    def forward(self, x):
        return super().forward(x.double() + torch.arange(8, dtype=torch.float64))


def build():
    return Doubling(8, 4).double(), torch.randn(2, 8)
"""
EXPORT = """
import torch, net
module, rows = net.build()
free = ({0: torch.export.Dim("rows", min=1)},)
torch.export.save(torch.export.export(module.eval(), (rows.double(),), dynamic_shapes=free), "double.pt2")
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with a module's code, net.py, and the program that torch.export makes of it, double.pt2."""
    folder = tmp_path_factory.mktemp("double")
    (folder / "net.py").write_text(MODEL)
    python = interpreter("torch-models", folder / "environment.log")
    subprocess.run([python, "-c", EXPORT], cwd=folder, check=True, capture_output=True)
    return folder


def test_a_program_is_narrowed_and_says_so(files, tmp_path):
    result = inferometer.run(
        files / "double.pt2", frameworks="torch,onnxrt", batch_sizes=2, preset="quick", rounds=1, threads=1,
        out=tmp_path / "run",
    )  # fmt: skip
    assert [(r.status, r.cause) for r in result.run.records] == [("ok", "")] * 2
    model = result.run.info.model
    assert [fact["dtype"] for fact in model.inputs] == ["float32"]
    assert "its weights are float64" in model.conversions["exported"]["notes"][0]
    assert_answers_as_it_did(result.run.path, "torch/fp32/2", tmp_path / "deploy")


def test_code_that_asks_for_float64_itself_is_refused_with_a_way_on(files, reach):
    with pytest.raises(ModelError, match=r"narrowed to float32 it fails .*or as a .pt2 of torch.export"):
        reach(f"{files / 'net.py'}:build", "exported", trust_model=True)
