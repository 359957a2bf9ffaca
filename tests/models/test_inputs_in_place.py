"""Models of PyTorch that change their inputs in place, which is the memory that a framework feeds call after call."""

import subprocess

import pytest

import inferometer
from steprunner import interpreter

pytestmark = pytest.mark.environment

OWN = """
import torch

class Normalising(torch.nn.Linear):
    def forward(self, x):
        x -= 0.5
        x /= 0.25
        return super().forward(x)

def make():
    torch.manual_seed(0)
    return Normalising(8, 4), torch.randn(2, 8)
"""
EXPORT = """
import sys, torch
sys.path.insert(0, sys.argv[1])
import own
module, row = own.make()
shapes = ({0: torch.export.Dim("batch", min=1)},)
torch.export.save(torch.export.export(module.eval(), (row,), dynamic_shapes=shapes), sys.argv[1] + "/own.pt2")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(OWN)
    python = interpreter("torch-models", folder / "environment.log")
    subprocess.run([python, "-c", EXPORT, folder], check=True)
    return folder


@pytest.mark.parametrize("name", ["own.py:make", "own.pt2"])
def test_each_call_gets_a_copy(folder, tmp_path, name):
    result = inferometer.run(
        f"{folder}/{name}", frameworks="torch", batch_sizes=2, preset="quick", rounds=1, threads=1, trust_model=True,
        out=tmp_path / "run",
    )  # fmt: skip
    (record,) = result.run.records
    assert (record.status, record.cause) == ("ok", "")
    (note,) = result.run.info.model.conversions["exported"]["notes"]
    assert note == "changes its inputs in place: each call gets a copy of them"
