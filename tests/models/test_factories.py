"""What a FILE.py:FACTORY loads besides is a part of the model: nothing of it is answered from before it was changed."""

import shutil
import subprocess

import pytest

from inferometer.models.contract import ModelRequest
from inferometer.models.prepare import prepare
from inferometer.models.sources import resolve
from inferometer.models.step_cache import read_arrays
from steprunner import interpreter

pytestmark = pytest.mark.environment

OWN = """
import pathlib

import numpy
import torch

import own_layers

def make():
    module = own_layers.Scaled(torch.nn.Linear(8, 4))
    module.load_state_dict(torch.load(pathlib.Path(__file__).with_name("weights.pth")))
    module.drawn = torch.from_numpy(numpy.random.rand(4).astype("float32"))
    return module, torch.ones(2, 8)
"""
LAYERS = """
import torch

class Scaled(torch.nn.Module):
    def __init__(self, dense):
        super().__init__()
        self.dense = dense

    def forward(self, x):
        return self.dense(x) * {scale} + self.drawn
"""
WEIGHTS = """
import sys, torch
torch.manual_seed(int(sys.argv[2]))
torch.save({"dense.weight": torch.randn(4, 8), "dense.bias": torch.randn(4)}, sys.argv[1])
"""


@pytest.fixture
def own(tmp_path):
    """Return a folder with FILE.py, the module beside it and its weights."""
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "own_layers.py").write_text(LAYERS.format(scale=1.0))
    train(tmp_path, 1)
    return tmp_path


def train(folder, seed):
    python = interpreter("torch-models", folder / "environment.log")
    subprocess.run([python, "-c", WEIGHTS, folder / "weights.pth", str(seed)], check=True)


def test_what_a_factory_loads_is_looked_at_each_time(reach, steps, own):
    def outputs():
        return read_arrays(reach(f"{own / 'own.py'}:make", "exported", trust_model=True).reference)[0]

    first = outputs()
    assert (outputs() == first).all()
    assert steps.calls[-1] == "factory_content"  # nothing else was done anew
    (own / "own_layers.py").write_text(LAYERS.format(scale=10.0))
    edited = outputs()
    assert abs(edited - first).max() > 1
    train(own, 2)
    assert abs(outputs() - edited).max() > 1


def test_a_file_that_came_from_elsewhere_is_the_model_that_came_with_it(
    reach, model_cache, own, tmp_path, monkeypatch
):
    def elsewhere(environment, module, request):
        raise AssertionError(module)

    made = [reach(f"{own / 'own.py'}:make", "exported", trust_model=True)]
    train(own, 2)
    made.append(reach(f"{own / 'own.py'}:make", "exported", trust_model=True))
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "cache/bundled/0123/own.py"
    file.parent.mkdir(parents=True)
    shutil.copyfile(own / "own.py", file)
    request = ModelRequest(f"{file}:make", trust_model=True)
    found = prepare(
        request, resolve(request), {"exported"}, elsewhere, model_cache, progress=lambda text: None
    )
    assert found.info.hash == made[1].info.hash != made[0].info.hash
