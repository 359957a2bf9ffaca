"""The whole product with real frameworks in their real environments, on a model small enough for seconds."""

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import msgspec
import pytest

import inferometer
from inferometer.cli import invoke
from inferometer.frameworks import environments, requirements
from inferometer.frameworks.catalogue import FRAMEWORKS
from inferometer.storage.run_directory import read_run

pytestmark = pytest.mark.environment

OPTIONS = (
    "--batch-sizes",
    "2,4",
    "--images",
    "8",
    "--loops",
    "3",
    "--warmup",
    "1",
    "--rounds",
    "2",
    "--threads",
    "1",
)
EVERYTHING = ",".join(name for name, framework in FRAMEWORKS.items() if "cpu" in framework.devices)


@pytest.fixture(scope="session")
def finished(tiny_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "everything"
    assert (
        invoke(["run", str(tiny_model), "--frameworks", EVERYTHING, *OPTIONS, "--out", str(out), "--report"])
        == 0
    )
    return out


def test_every_framework_measures_and_agrees(finished):
    run = read_run(finished)
    bad = [(r.cell.key, r.status, r.cause) for r in run.records if r.status != "ok"]
    assert not bad
    assert {r.cell.framework for r in run.records} == set(EVERYTHING.split(","))
    assert len(run.records) == len(EVERYTHING.split(",")) * 2 * 2
    assert run.missing == ()
    for record in run.records:
        assert record.parity.passed and record.parity.max_rel <= record.parity.limit_rel
        assert record.actual.device == "cpu" and record.actual.precision == "fp32"
        assert record.actual.threads == 1
        assert record.actual.version
        assert len(record.loops) == 3 and all(
            len(loop.batch_s) == 8 // record.cell.batch_size for loop in record.loops
        )
        assert record.prepare.load_s > 0 and record.memory.rss_peak_bytes > 10e6
        assert (finished / record.log).exists()


def test_versions_and_pins_are_recorded(finished):
    run = read_run(finished)
    assert "onnxruntime==1.32.0" in run.info.environments["onnxrt on cpu"]["pins"]
    assert {r.actual.version for r in run.records if r.cell.framework == "onnxrt"} == {"1.32.0"}
    assert run.info.model.hash and run.info.model.reference
    assert run.info.machine.cpu and run.info.protocol.threads == 1
    assert "torch_source" in run.info.environments["torch on cpu"]


def test_the_table_again_in_every_format(finished, capsys):
    assert invoke(["show", str(finished)]) == 0
    text = capsys.readouterr().out
    assert "images/s" in text and re.search(r"\s▲", text) and "torch-compile" in text
    assert invoke(["show", str(finished), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(EVERYTHING.split(",")) * 2 and all(row["throughput"] > 0 for row in rows)
    assert invoke(["show", str(finished), "--format", "csv"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["throughput"]) for row in table] == [row["throughput"] for row in rows]


def test_the_report_lies_beside_it(finished):
    assert "torch-compile" in (finished / "report.html").read_text()


def test_the_python_api_gives_the_same(finished):
    result = inferometer.load(finished)
    assert inferometer.load(finished / "run.json").path == result.path
    frame = result.to_pandas()
    assert len(frame) == len(EVERYTHING.split(",")) * 2 and set(frame.framework) == set(EVERYTHING.split(","))
    assert "<table" in result._repr_html_()


def test_a_finished_run_is_not_measured_again(finished, capsys):
    before, begun = (finished / "cells.jsonl").read_bytes(), read_run(finished).info
    assert invoke(["run", "--resume", str(finished)]) == 0
    assert (finished / "cells.jsonl").read_bytes() == before
    info = read_run(finished).info
    assert (info.created_at, info.command) == (begun.created_at, begun.command)
    assert any(meter.get("reason") or meter.get("uid") for meter in info.meters)


def test_ctrl_c_leaves_a_table_and_resume_finishes(tiny_model, tmp_path):
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "inferometer",
        "run",
        tiny_model.name,  # of the directory that it is begun in; it is resumed from another
        "--frameworks",
        "onnxrt,openvino",
        *OPTIONS,
    ]
    process = subprocess.Popen(
        [*command, "--rounds", "5", "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tiny_model.parent,
    )
    deadline = time.monotonic() + 120
    while not (out / "cells.jsonl").exists() or (out / "cells.jsonl").read_bytes().count(b"\n") < 3:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"--resume {out}" in stderr and "Traceback" not in stderr
    assert "images/s" in stdout
    assert len(read_run(out).missing) > 0
    assert invoke(["run", "--resume", str(out)]) == 0
    assert read_run(out).missing == ()


def test_two_versions_of_one_framework_in_one_run(tiny_model, tmp_path):
    out = tmp_path / "run"
    assert (
        invoke(["run", str(tiny_model), "--frameworks", "onnxrt@1.30.0,onnxrt", *OPTIONS, "--out", str(out)])
        == 0
    )
    versions = {r.cell.framework: r.actual.version for r in read_run(out).records}
    assert versions == {"onnxrt@1.30.0": "1.30.0", "onnxrt": "1.32.0"}


def test_a_given_interpreter_is_used(tiny_model, tmp_path):
    built = environments.ensure(requirements.read("onnxrt", "cpu"), tmp_path / "log", lambda text: None)
    out = tmp_path / "run"
    arguments = [
        "run",
        str(tiny_model),
        "--frameworks",
        "onnxrt",
        "--python",
        f"onnxrt={built.python}",
        *OPTIONS,
    ]
    assert invoke([*arguments, "--out", str(out)]) == 0
    assert read_run(out).info.environments["onnxrt on cpu"]["interpreter"] == "given"


def test_a_given_interpreter_without_the_framework_is_one_line(tiny_model, tmp_path, capsys):
    arguments = ["run", str(tiny_model), "--frameworks", "openvino", "--python", f"openvino={sys.executable}"]
    assert invoke([*arguments, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "has no module openvino" in error and "install openvino" in error
    assert not (tmp_path / "run").exists()  # nothing was measured, so the name is free again


def test_a_model_that_cannot_be_read_leaves_the_name_of_the_run_free(tmp_path, capsys):
    (tmp_path / "bad.onnx").write_text("no model")
    words = ["run", str(tmp_path / "bad.onnx"), "--frameworks", "onnxrt", "--out", str(tmp_path / "run")]
    for _ in range(2):
        assert invoke(words) == 2
        assert "bad.onnx" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_what_a_cell_costs_beyond_its_parts(finished):
    overheads = sorted(r.overhead_s for r in read_run(finished).records)
    assert overheads[len(overheads) // 2] < 5.0  # a gross mistake only; benchmarks/overhead.py measures it


def rewritten(run, folder, **facts):
    """Return a copy of a run directory with other facts in run.json, and those."""
    copy = folder / "copy"
    shutil.copytree(run, copy)
    info = msgspec.structs.replace(read_run(copy).info, **facts)
    (copy / "run.json").write_bytes(msgspec.json.encode(info))
    return copy, info


def test_resume_on_other_hardware_is_refused(finished, tmp_path, capsys):
    machine = msgspec.structs.replace(read_run(finished).info.machine, cpu="another CPU")
    copy, _ = rewritten(finished, tmp_path, machine=machine)
    assert invoke(["run", "--resume", str(copy)]) == 1
    assert "other hardware" in capsys.readouterr().err


def test_resume_with_another_model_is_refused(finished, tmp_path, capsys):
    model = msgspec.structs.replace(read_run(finished).info.model, hash="another")
    copy, other = rewritten(finished, tmp_path, model=model)
    assert invoke(["run", "--resume", str(copy)]) == 1
    assert "another content" in capsys.readouterr().err
    assert read_run(copy).info == other
