"""OpenCV's importer takes a gate for an activation of the gate's own input; the backend keeps the two apart."""

import subprocess
from pathlib import Path

import pytest

import inferometer
from inferometer.frameworks import environments, requirements


@pytest.mark.environment
def test_a_gate_multiplies_what_it_gates(tmp_path):
    own = environments.ensure(requirements.read("opencv", "cpu"), tmp_path / "log", lambda text: None)
    trial = Path(__file__).with_name("opencv_gates_trial.py")
    command = [own.python, trial, Path(inferometer.__file__).parents[1], tmp_path]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "as wanted" in done.stdout
