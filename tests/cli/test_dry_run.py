"""`run --dry-run` opens the model's file in its real environment, and builds nothing."""

import shlex
import sys

import numpy as np
import pytest

from inferometer.cli import invoke
from inferometer.frameworks import environments
from steprunner import interpreter, write_onnx

pytestmark = pytest.mark.environment


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = write_onnx(tmp_path_factory.mktemp("onnx"))
    (folder / "bad.onnx").write_bytes(b"no model at all")
    np.savez(folder / "rows.npz", x=np.ones((7, 600), np.float32))
    np.savez(folder / "few.npz", x=np.ones((2, 600), np.float32))
    np.savez(folder / "wide.npz", x=np.ones((3, 9), np.float32))
    np.savez(folder / "more.npz", x=np.ones((3, 600), np.float32), y=np.ones(3))
    return folder


@pytest.fixture
def plan(files, monkeypatch, capsys):
    """Return a function from the words after `run --dry-run` to the exit status, the plan and the errors."""
    monkeypatch.chdir(files)

    def planned(words):
        code = invoke(["run", "--dry-run", "--frameworks", "onnxrt", "--device", "cpu", *shlex.split(words)])
        written = capsys.readouterr()
        return code, written.out, written.err

    return planned


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("bad.onnx", "bad.onnx is no ONNX model"),
        ("two.onnx", "the model leaves dimensions open: seq; give --shape seq=N"),
        ("two.onnx --shape seqq=5 --shape seq=5", "dimensions that the model does not have: seqq"),
        ("two.onnx --shape seq=5 --input-range idx=0:5", "unknown inputs: idx (known: x, ids)"),
        ("two.onnx --shape seq=5 --image rows.npz", "cannot read image"),
        ("fixed.onnx --input wide.npz", "'x' has shape (3, 9), the model takes batchx600"),
        ("fixed.onnx --input few.npz", "few.npz has 2 rows; the model's batch is fixed to 3"),
        ("fixed.onnx --input more.npz", "more.npz has unknown y; the model's inputs are x"),
    ],
)
def test_what_will_not_do_is_one_line_with_the_status_of_a_bad_input(plan, words, told):
    code, out, error = plan(words)
    assert (code, out) == (2, "")
    assert error.startswith("inferometer: ") and error.count("\n") == 1
    assert told in error or "is not an image" in error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "--powercap /nosuch",
            "--powercap /nosuch: there is no such folder; give the one that holds intel-rapl:0",
        ),
        ("--out /proc/x", "cannot write /proc/x: No such file or directory; give another --out"),
        ("--out bad.onnx/x", "cannot write bad.onnx/x: Not a directory; give another --out"),
        ("--python onnxrt=/nosuch", "--python onnxrt=/nosuch: there is no such interpreter"),
        ("--python onnxrt={python}", "has no module onnxruntime; install onnxruntime there, or leave"),
    ],
)
def test_what_a_run_would_be_refused_for_its_plan_is_too(plan, words, told):
    code, out, error = plan(f"image.onnx --batch-sizes 1 {words.format(python=sys.executable)}")
    assert code != 0 and out == ""
    assert told in error and error.count("\n") == 1


def test_a_plan_leaves_nothing_where_the_run_is_to_be(plan, tmp_path):
    code, _, _ = plan(f"image.onnx --batch-sizes 1 --out {tmp_path / 'new' / 'run'}")
    assert code == 0 and list(tmp_path.iterdir()) == []


def test_the_plan_says_what_the_model_takes_and_how_large_it_is(plan):
    code, out, _ = plan("image.onnx --batch-sizes 1")
    assert code == 0
    assert "model: takes image float32 [batch, 3, 16, 12]; parameters: 135" in out
    assert "multiply-accumulates a row: 18.9 k" in out  # 14 x 10 places, 5 kernels of 3 x 3 x 3
    assert "scaled by the model's parameters and multiply-accumulates" in out


def test_precisions_that_a_row_has_not_for_one_reason_are_one_line(plan):
    code, out, _ = plan(
        "image.onnx --batch-sizes 1 --frameworks onnxrt,opencv --precisions fp32,tf32,bf16,int8"
    )
    lines = [" ".join(line.split()) for line in out.splitlines() if "skip:" in line]
    assert code == 0 and lines == [
        "onnxrt tf32, bf16 cpu host 1 skip: onnxrt on cpu computes in fp32, int8, int8-weights",
        "opencv tf32, bf16, int8 cpu host 1 skip: opencv on cpu computes in fp32",
    ]


def test_batch_sizes_that_a_file_does_not_take_are_skipped(plan):
    code, out, _ = plan("fixed.onnx --batch-sizes 1,3 --images 6 --input rows.npz")
    text = " ".join(out.split())
    assert code == 0
    assert "1 cell x" in text and "skip: the model's batch size is fixed at 3; give that one" in text
    assert "inputs: 6 of 7 rows: the last fill no batch of 3" in text
    code, out, error = plan("fixed.onnx --batch-sizes 1,2")
    assert code == 2 and "fixed at 3" in out
    assert (
        error == "inferometer: nothing can be measured: the model's batch size is fixed at 3; give that one\n"
    )


def test_without_its_environment_a_file_is_not_opened_and_nothing_is_built(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path))
    code, out, error = plan("bad.onnx --batch-sizes 1")
    assert (code, error) == (0, "")
    assert "model: not opened, since environment onnxrt is not built yet: inferometer env build onnxrt" in out
    assert "how large the model is, is not known" in out
    assert environments.list_installed() == []


def test_a_given_interpreter_opens_the_file(plan, tmp_path, monkeypatch):
    python = interpreter("onnxrt", tmp_path / "log")
    monkeypatch.setenv("INFEROMETER_CACHE", str(tmp_path))
    assert plan(f"bad.onnx --python onnxrt={python}")[0] == 2
