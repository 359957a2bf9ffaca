"""Models quantised after training: what is made of them, what that costs, and that it runs in integers."""

import json

import numpy as np
import pytest

import inferometer
from inferometer.cli import invoke
from inferometer.errors import ModelError, UsageError
from inferometer.models.contract import Checks
from inferometer.models.images import default_photos
from inferometer.models.quantisation import loss_of
from inferometer.models.step_cache import judge, read_arrays
from inferometer.models.steps.tensors import numbered, write_npz

pytestmark = pytest.mark.environment


def test_an_onnx_file_is_quantised_and_what_that_costs_is_known(reach, onnx):
    prepared = reach(onnx / "image.onnx", "onnx", "onnx-int8", images=default_photos())
    made = prepared.artifacts["onnx-int8"]
    assert made.parity["passed"]
    assert made.own.checks.stored == "int8"
    assert 0.001 < made.own.loss["error"] < 0.3
    assert made.own.loss["rows"] == 64
    exact, quantised = read_arrays(prepared.reference)[0], read_arrays(made.own.reference)[0]
    assert exact.shape == quantised.shape
    assert 0 < np.abs(exact - quantised).max() < 0.3 * np.abs(exact).max()
    assert prepared.info.conversions["onnx-int8"]["loss"] == made.own.loss
    assert "ranges of 64 rows" in prepared.info.conversions["onnx-int8"]["notes"][0]


def test_few_rows_to_calibrate_by_cost_more(reach, onnx, tmp_path):
    narrow = 0.05 * np.random.default_rng(0).normal(size=(2, 3, 16, 12)).astype("f")
    np.savez(tmp_path / "narrow.npz", image=narrow)
    own = (
        reach(onnx / "image.onnx", "onnx-int8", calibration=tmp_path / "narrow.npz")
        .artifacts["onnx-int8"]
        .own
    )
    usual = reach(onnx / "image.onnx", "onnx-int8").artifacts["onnx-int8"].own
    assert own.loss["error"] > 3 * usual.loss["error"]


def test_rows_to_calibrate_by_that_do_not_fit_are_one_line(reach, onnx, tmp_path):
    np.savez(tmp_path / "other.npz", picture=np.zeros((2, 3, 16, 12), "f"))
    with pytest.raises(UsageError, match=r"--calibration: .*lacks image; has unknown picture"):
        reach(onnx / "image.onnx", "onnx-int8", calibration=tmp_path / "other.npz")


def test_a_file_that_is_quantised_already_is_not_quantised_again(reach, onnx):
    assert "quantised already" in reach(onnx / "quantised.onnx", "onnx-int8").missing["onnx-int8"]


def test_a_model_that_tells_its_inputs_apart_no_more_is_refused(tmp_path):
    original = np.random.default_rng(0).normal(size=(8, 20)).astype("f")
    for name, rows in {"source": original, "made": np.repeat(original[:1], 8, axis=0)}.items():
        (tmp_path / name).mkdir()
        write_npz(str(tmp_path / name / "reference.npz"), numbered([rows]))
    with pytest.raises(ModelError, match="tells its inputs apart no more"):
        loss_of(tmp_path / "made", tmp_path / "source")


def test_answers_that_cannot_be_judged_are_no_traceback(tmp_path):
    rows = np.repeat(np.random.default_rng(0).normal(size=(1, 20)).astype("f"), 8, axis=0)
    write_npz(str(tmp_path / "check.npz"), numbered([rows]))
    with pytest.raises(ModelError, match="its outputs cannot be judged: "):
        judge(tmp_path, [rows], Checks())


def test_openvino_has_its_own(reach, onnx):
    prepared = reach(onnx / "image.onnx", "openvino-int8", images=default_photos())
    own = prepared.artifacts["openvino-int8"].own
    assert 0.001 < own.loss["error"] < 0.3
    assert "quantised already" in reach(onnx / "quantised.onnx", "openvino-int8").missing["openvino-int8"]


@pytest.mark.parametrize("form", ["onnx-int8-weights", "openvino-int8-weights"])
def test_int8_weights_are_refused_where_few_layers_are_linear(reach, onnx, form):
    """And in one line: what a quantiser refuses is not asked again by way of foreign converters."""
    cause = reach(onnx / "image.onnx", form).missing[form]
    assert cause.endswith(
        "keeps int8 weights of linear layers alone, and they are 0 of this model's 1 operators with weights: most would run as in fp32"
    )
    assert "quantised already" in reach(onnx / "quantised.onnx", form).missing[form]


def test_litert_has_its_own(reach, tiny):
    own = reach(tiny("cnn"), "tflite-int8").artifacts["tflite-int8"].own
    assert 0.001 < own.loss["error"] < 0.5


INTEGERS = {
    "onnxrt": ("integers", [{"integer": {"QLinearConv": 1}, "float": {}}]),
    "openvino": ("operators", [{"u8": 1}, {"i8": 1}]),  # by the processor
    "litert": ("operators", [{"int8": 1}]),
}


@pytest.mark.parametrize("framework", INTEGERS)
def test_rows_at_int8_run_in_integers_and_say_what_it_costs(onnx, tmp_path, framework):
    result = inferometer.run(
        onnx / "image.onnx", frameworks=framework, precisions="fp32,int8", batch_sizes=2, preset="quick", rounds=1,
        threads=1, out=tmp_path / "run",
    )  # fmt: skip
    quantised = next(record for record in result.run.records if record.cell.precision == "int8")
    assert (quantised.status, quantised.cause) == ("ok", "")
    assert quantised.actual.precision == "int8"
    where, found = INTEGERS[framework]
    assert quantised.actual.details[where] in found
    told = next(flag.values for flag in quantised.flags if flag.kind == "quantised")
    assert told["error"] > 0
    assert told["unit"] == result.run.info.machine.int8 != ""


@pytest.mark.parametrize("precisions", ["fp32,int8,bf16", "int8"])
def test_a_file_that_is_quantised_already_is_one_row_called_by_what_is_inside(
    onnx, tmp_path, precisions, capsys
):
    result = measured(onnx / "quantised.onnx", "onnxrt", tmp_path, precisions)
    (record,) = result.run.records
    assert (record.status, record.cause, record.cell.precision) == ("ok", "", "stored-mixed")
    told = {flag.kind: flag.values for flag in record.flags}
    assert told["as-stored"] == {"holds": "fp32 in 1 of 1 operator with weights, int8 elsewhere"}
    assert told["partly-float"] == {"left": 1, "total": 1}
    assert {skip.cell.precision for skip in result.run.info.skips} == {"bf16"} & set(precisions.split(","))
    assert invoke(["show", str(result.run.path)]) == 0
    shown = capsys.readouterr().out
    assert "onnxrt stored-mixed" in shown and "measured as it is: fp32 in 1 of 1" in " ".join(shown.split())


def test_what_of_it_runs_in_integers_is_read_back(reach, onnx, tmp_path):
    whole = reach(onnx / "image.onnx", "onnx-int8").artifacts["onnx-int8"].path  # with nothing left in floats
    result = measured(whole, "onnxrt,openvino", tmp_path, "fp32")
    assert [record.cell.precision for record in result.run.records] == ["stored-int8"] * 2
    assert [record.actual.precision for record in result.run.records] == ["int8"] * 2
    assert result.run.records[1].status == "ok"  # ONNX Runtime's may overflow, without VNNI
    assert not {flag.kind for record in result.run.records for flag in record.flags} & {"partly-float"}
    exported = tmp_path / "deploy"
    assert invoke(["export", str(result.run.path), "openvino/stored-int8/2", "--out", str(exported)]) == 0
    assert json.loads((exported / "proof.json").read_text())["row"]["precision"] == "stored-int8"


def test_a_file_that_cannot_be_had_at_what_is_asked_is_one_line(onnx, tmp_path):
    with pytest.raises(UsageError, match=r"nothing can be measured: .*measured as it is \(stored-mixed\)"):
        measured(onnx / "quantised.onnx", "openvino", tmp_path, "bf16")
    assert not (tmp_path / "run").exists()


def measured(file, frameworks, tmp_path, precisions):
    return inferometer.run(
        file, frameworks=frameworks, precisions=precisions, batch_sizes=2, preset="quick", rounds=1,
        threads=1, out=tmp_path / "run",
    )  # fmt: skip
