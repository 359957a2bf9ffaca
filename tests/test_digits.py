"""Accuracy where the truth is known: a CNN trained here on handwritten digits, judged on the half that it never saw."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import inferometer
from inferometer.cli import invoke
from inferometer.recommendation.constraints import Constraints
from inferometer.results.metrics import METRICS
from inferometer.results.paired import Paired
from inferometer.storage.evaluations import read_arrays
from steprunner import interpreter

pytestmark = pytest.mark.environment
SHORT = {"batch_sizes": 64, "images": 64, "loops": 2, "warmup": 1, "rounds": 1, "threads": 1, "device": "cpu"}


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """Return a folder with a trained digits.pt2, held-out test.npz, rows to feed, and a narrow calibration."""
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("digits")
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    x, y = (found.images / 16).astype("f")[order, None], found.target[order]
    np.savez(folder / "train.npz", x=x[:899], y=y[:899])
    np.savez(folder / "test.npz", x=x[899:], y=y[899:])
    np.savez(folder / "input.npz", input=x[:64])
    np.savez(folder / "narrow.npz", input=0.05 * x[:2])
    python = interpreter("torch-models", folder / "environment.log")
    script = Path(__file__).parent / "support" / "digits_cnn.py"
    subprocess.run([python, script, folder / "train.npz", folder / "digits.pt2"], check=True)
    return folder


@pytest.fixture(scope="session")
def result(digits, tmp_path_factory):
    return inferometer.run(
        digits / "digits.pt2", frameworks="onnxrt,torch", precisions="fp32,bf16,int8", inputs=digits / "input.npz",
        dataset=digits / "test.npz", out=tmp_path_factory.mktemp("runs") / "run", **SHORT,
    )  # fmt: skip


def of(result, framework, precision):
    return next(
        s for s in result.results.summaries if (s.cell.framework, s.cell.precision) == (framework, precision)
    )


def test_every_row_is_judged_on_the_held_out_half(result, digits):
    run = result.run
    rows = {(e.cell.framework, e.cell.precision) for e in run.evaluations}
    assert rows == {("onnxrt", "fp32"), ("onnxrt", "int8"), ("torch", "fp32"), ("torch", "bf16")}
    assert all((e.status, e.rows, e.dataset.classes) == ("ok", 898, 10) for e in run.evaluations)
    assert run.info.dataset.hash == run.evaluations[0].dataset.hash
    for evaluation in run.evaluations:  # what is stored of each image gives the counts
        first = read_arrays(run.path, evaluation.file, 898)["first"]
        with np.load(digits / "test.npz") as file:
            right = first == file["y"][:, None]
        assert (evaluation.top1, evaluation.top5) == (right[:, 0].sum(), right.any(axis=1).sum())
    for row in rows:
        assert 0.94 < of(result, *row).accuracy.value < 1


def test_frameworks_at_fp32_agree_on_every_image(result):
    answers = [
        read_arrays(result.path, e.file, 898)["first"][:, 0]
        for e in result.run.evaluations
        if e.cell.precision == "fp32"
    ]
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("row", [("onnxrt", "int8"), ("torch", "bf16")])
def test_what_a_precision_loses_is_paired_and_bounded(result, row):
    found = of(result, *row).evaluated
    assert found.reference.cell.framework == row[0]
    assert found.loss.low == Paired(898, found.paired.lost, found.paired.won).interval[0]
    assert found.loss.high < 0.03
    assert found.agreement.value > 0.97


def test_the_same_images_in_folders_give_the_same_answers(result, digits, tmp_path):
    with np.load(digits / "test.npz") as file:
        images, classes = (16 * file["x"][:, 0]).astype(np.uint8), file["y"]
    for number, (pixels, name) in enumerate(zip(images, classes, strict=True)):
        (tmp_path / "data" / str(name)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "data" / str(name) / f"{number:04d}.png")
    again = inferometer.run(
        digits / "digits.pt2", frameworks="onnxrt", inputs=digits / "input.npz", dataset=tmp_path / "data",
        preprocess={"scale": "1/16", "crop": 1}, out=tmp_path / "run", **SHORT,
    )  # fmt: skip
    (found,) = again.run.evaluations
    before = of(result, "onnxrt", "fp32").evaluated.evaluation
    assert (found.top1, found.top5) == (before.top1, before.top5)
    order = np.argsort(classes, kind="stable")
    np.testing.assert_array_equal(
        read_arrays(again.path, found.file, 898)["first"],
        read_arrays(result.path, before.file, 898)["first"][order],
    )


def test_nothing_is_left_of_the_shards(result):
    kept = {path.name for path in result.path.iterdir()} - {".lock"}
    assert kept == {"run.json", "cells.jsonl", "logs", "accuracy.jsonl", "accuracy"}


def test_commands_say_it(result, capsys):
    assert invoke(["show", str(result.path)]) == 0
    shown = capsys.readouterr().out
    assert "top-1" in shown and "accuracy on test.npz: 898 images tell a share to ±3.3 % at worst" in shown
    assert invoke(["table", "accuracy", str(result.path)]) == 0
    assert "Top-1 accuracy on the data set [%]" in capsys.readouterr().out
    assert invoke(["recommend", str(result.path), "--min-accuracy", "99.9%"]) == 1
    assert "limit 99.9 %" in capsys.readouterr().out


def test_a_run_goes_on_with_the_rows_that_were_not_evaluated(result, tmp_path):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(result.path, copy)
    lines = (copy / "accuracy.jsonl").read_text().splitlines(keepends=True)
    (copy / "accuracy.jsonl").write_text("".join(lines[:-1]))
    again = inferometer.resume(copy)
    assert len(again.run.records) == len(result.run.records)
    assert [e.cell for e in again.run.evaluations] == [e.cell for e in result.run.evaluations]
    assert again.run.evaluations[-1].top1 == result.run.evaluations[-1].top1


def test_a_bad_quantisation_is_seen_as_a_loss_and_refused(digits, tmp_path, capsys):
    bad = inferometer.run(
        digits / "digits.pt2", frameworks="onnxrt", precisions="int8", inputs=digits / "input.npz",
        calibration=digits / "narrow.npz", dataset=digits / "test.npz", out=tmp_path / "bad", **SHORT,
    )  # fmt: skip
    assert [(e.cell.precision, e.beside) for e in bad.run.evaluations] == [("fp32", True), ("int8", False)]
    found = of(bad, "onnxrt", "int8")
    assert found.measured  # its kernels compute what the file says: the loss is the file's
    assert found.evaluated.loss.low > 0.02 and found.evaluated.paired.p < 1e-6
    assert "right less often than onnxrt fp32" in found.evaluated.words()
    assert METRICS["accuracy_loss"].of(found).value == found.evaluated.loss.value
    (decision,) = bad.recommend(constraints=Constraints(max_accuracy_loss=0.01))
    assert decision.choice is None
    assert dict(decision.refused) == {"accuracy loss above 1 %": 1}
    assert invoke(["recommend", str(bad.path), "--max-accuracy-loss", "1%"]) == 1
    assert "accuracy loss" in capsys.readouterr().out
