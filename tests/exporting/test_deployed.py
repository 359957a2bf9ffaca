"""A measured row taken home: with real frameworks in the environments that measured it, and one in a fresh one."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from inferometer.cli import invoke
from inferometer.frameworks import installer
from inferometer.storage.run_directory import read_run
from short_run import SHORT
from taken_home import infer, python_of

pytestmark = pytest.mark.environment

FRAMEWORKS = ("onnxrt", "openvino", "torch-compile", "litert", "tf")


@pytest.fixture(scope="module")
def measured(tiny_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("measured") / "run"
    names = ",".join(FRAMEWORKS)
    assert invoke(["run", str(tiny_model), "--frameworks", names, *SHORT, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def deployed(measured, tmp_path_factory):
    """Return the folder of a framework's row, exported once."""
    folder, made = tmp_path_factory.mktemp("deployed"), {}

    def export(framework):
        if framework not in made:
            made[framework] = folder / framework
            assert (
                invoke(["export", str(measured), f"{framework}/fp32/2", "--out", str(made[framework])]) == 0
            )
        return made[framework]

    return export


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_its_outputs_are_those_that_were_measured(deployed, framework):
    done = infer(deployed(framework), framework, "--check")
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"error \d\.\de[-+]\d\d \(1\.0e-04\), cosine 1\.000000 \(0\.999990\)", done.stdout)
    assert "note:" not in done.stderr


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_measures_itself_beside_what_was_measured(deployed, framework):
    folder = deployed(framework)
    done = infer(folder, framework, "--bench")
    assert done.returncode == 0, done.stderr[-2000:]
    own, then = re.match(r"([\d.]+) images/s; measured: ([\d.]+) images/s", done.stdout).groups()
    proof = json.loads((folder / "proof.json").read_text())
    assert float(own) > 0 and float(then) == pytest.approx(proof["figures"]["throughput"]["value"], abs=0.06)


def test_the_folder_says_what_was_measured(deployed, measured):
    folder, run = deployed("onnxrt"), read_run(measured)
    proof = json.loads((folder / "proof.json").read_text())
    facts = run.info.environments["onnxrt on cpu"]
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert lines[: len(facts["pins"])] == facts["pins"] == proof["environment"]["pins"]
    assert dict(line.split("==") for line in lines) == facts["installed"] and "protobuf" in facts["installed"]
    assert proof["command"] == run.info.command and proof["machine"]["cpu"] == run.info.machine.cpu
    assert proof["row"]["threads"] == 1 and proof["model"]["hash"] == run.info.model.hash
    assert proof["parity"]["passed"] and proof["energy"]["meter"] == "" and proof["energy"]["reason"]
    assert set(proof["files"]) == {"model.onnx", "rows.npz"} and set(proof["code"]) == {
        "infer.py",
        "requirements.txt",
    }
    readme = (folder / "README.md").read_text()
    for command in ("-m venv .venv", "infer.py --check", "infer.py --bench"):
        assert command in readme
    assert not list(folder.parent.glob(".*partial*"))


def changed_copy(folder, tmp_path):
    target = tmp_path / "changed"
    shutil.copytree(folder, target)
    return target


SCALED = """
import sys, onnx, onnx.numpy_helper as helper
model = onnx.load(sys.argv[1])
weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
weights.raw_data = (helper.to_array(weights) * 1.01).tobytes()
onnx.save(model, sys.argv[1])
"""


def test_other_weights_are_seen_by_the_hash_and_by_the_outputs(deployed, tmp_path):
    folder = changed_copy(deployed("onnxrt"), tmp_path)
    subprocess.run([python_of("onnxrt"), "-c", SCALED, folder / "model.onnx"], check=True)
    done = infer(folder, "onnxrt", "--check")
    assert done.returncode == 1 and "2 of what was measured cannot be had here" in done.stderr
    assert "wrong: model.onnx was changed" in done.stdout
    assert re.search(r"^wrong: output_0: error", done.stdout, re.M)


def test_other_rows_than_were_kept_fail(deployed, tmp_path):
    import numpy as np

    folder = changed_copy(deployed("onnxrt"), tmp_path)
    with np.load(folder / "rows.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["output_0"] = arrays["output_0"] * 1.01
    np.savez(folder / "rows.npz", **arrays)
    done = infer(folder, "onnxrt", "--check")
    assert done.returncode == 1 and "wrong: output_0: error 1.0e-02 (1.0e-04)" in done.stdout


def test_other_threads_are_told(deployed, tmp_path):
    folder = changed_copy(deployed("onnxrt"), tmp_path)
    code = (folder / "infer.py").read_text()
    (folder / "infer.py").write_text(code.replace("\nTHREADS = 1\n", "\nTHREADS = 2\n"))
    done = infer(folder, "onnxrt", "--check")
    assert done.returncode == 0 and "note: 2 threads on" in done.stderr and "measured with 1" in done.stderr


def test_another_batch_size_is_prepared_when_it_comes(deployed):
    folder = deployed("openvino")
    python = python_of("openvino")
    script = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import infer, numpy as np;"
        "rows, (wanted,) = infer.kept('input'), infer.kept('output');"
        "(found,) = infer.Model().run(tuple(a[:3] for a in rows)); print(np.abs(found - wanted[:3]).max())"
    )
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1e-5


def test_a_model_that_left_the_cache_is_made_again(measured, deployed, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    shutil.copytree(measured, run)
    facts = json.loads((run / "run.json").read_text())
    for conversion in facts["model"]["conversions"].values():
        conversion["key"] = "gone"
    facts["request"]["devices"] = ["cuda:7"]  # measured elsewhere
    facts["request"]["protocol"]["threads"] = 4096
    (run / "run.json").write_text(json.dumps(facts))
    assert invoke(["export", str(run), "litert/fp32/2", "--out", str(tmp_path / "new")]) == 0
    assert "gone through again" in capsys.readouterr().err
    made, kept = (json.loads((f / "proof.json").read_text()) for f in (tmp_path / "new", deployed("litert")))
    assert made["files"] == kept["files"] and made["model"]["made_again"] is False


def test_a_fresh_environment_by_the_readme_alone(deployed, tmp_path):
    """The first command of README.md, by uv where it says pip: the packages come from the cache."""
    folder = changed_copy(deployed("litert"), tmp_path)
    readme = (folder / "README.md").read_text()
    assert re.search(
        r"^python3\.\d+ -m venv \.venv && \.venv/bin/python -m pip install --no-deps --ignore-requires-python -r requirements\.txt$",
        readme,
        re.M,
    )
    uv = installer.uv_path()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / ".venv"], check=True)
    python = folder / ".venv/bin/python"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--python", python, "-r", folder / "requirements.txt"],
        check=True,
    )
    done = infer(folder, "litert", "--check", python)
    assert done.returncode == 0, done.stderr[-2000:]
