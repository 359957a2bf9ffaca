"""Frameworks that convert an ONNX file themselves: shapes, types, refusals, in their real environments."""

import subprocess
from pathlib import Path

import pytest

import inferometer
from inferometer.frameworks import environments, requirements

pytestmark = pytest.mark.environment

HERE = Path(__file__).parent
REFUSALS = {"mnn": "MNN's converter does not know ONNX::Frobnicate"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    onnxrt = environments.ensure(requirements.read("onnxrt", "cpu"), folder / "log", lambda text: None)
    script = HERE.parents[1] / "support" / "odd_onnx.py"
    subprocess.run([onnxrt.python, script, folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("backend", REFUSALS)
def test_maps_and_whole_numbers_come_out_and_unknown_operators_are_named(files, tmp_path, backend):
    own = environments.ensure(requirements.read(backend, "cpu"), tmp_path / "log", lambda text: None)
    source = Path(inferometer.__file__).parents[1]
    command = [own.python, HERE / "converting_trial.py", source, backend, files, REFUSALS[backend]]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "as wanted" in done.stdout
