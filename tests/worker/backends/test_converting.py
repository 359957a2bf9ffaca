"""Frameworks that convert an ONNX file themselves: shapes, types, refusals, in their real environments."""

import subprocess
from pathlib import Path

import pytest

import inferometer
from inferometer.frameworks import environments, requirements

pytestmark = pytest.mark.environment

HERE = Path(__file__).parent
TRIED = {  # a file that is refused, in which words, and one that can be run
    "mnn": ("odd.onnx", "MNN's converter does not know ONNX::Frobnicate", "maps.onnx"),
    "ncnn": ("maps.onnx", "ncnn has no layer for ArgMax", "means.onnx"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    onnxrt = environments.ensure(requirements.read("onnxrt", "cpu"), folder / "log", lambda text: None)
    script = HERE.parents[1] / "support" / "odd_onnx.py"
    subprocess.run([onnxrt.python, script, folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("backend", TRIED)
def test_every_kind_of_output_comes_out_and_unknown_operators_are_named(files, tmp_path, backend):
    own = environments.ensure(requirements.read(backend, "cpu"), tmp_path / "log", lambda text: None)
    source = Path(inferometer.__file__).parents[1]
    command = [own.python, HERE / "converting_trial.py", source, backend, files, *TRIED[backend]]
    (tmp_path / ".__convert_external_data.bin").write_text(
        "mine"
    )  # a name that MNN's converter writes where it runs
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "as wanted" in done.stdout
    assert {item.name for item in tmp_path.iterdir()} <= {"log", ".__convert_external_data.bin"}
    assert (tmp_path / ".__convert_external_data.bin").read_text() == "mine"
