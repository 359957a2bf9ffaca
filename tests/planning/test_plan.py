from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from inferometer.cli.frameworks import _state
from inferometer.errors import UsageError
from inferometer.frameworks.catalogue import FRAMEWORKS, parse_choice
from inferometer.host.gpus import Lack
from inferometer.models.contract import ModelRequest
from inferometer.planning.plan import check_given_pythons
from inferometer.precisions import stored_as
from inferometer.records import Machine
from plans_of import A2, WITH_GPUS, make_plan, request

HERE = Machine(logical_cores=2)


LACK = Lack("no NVIDIA driver")


def test_every_framework_is_a_cell_or_a_reason():
    plan = make_plan(request(), HERE, LACK)
    usual = {name for name, framework in FRAMEWORKS.items() if not framework.named_only}
    assert {c.framework for c in plan.cells} | {s.cell.framework for s in plan.skips} == usual
    slow = set(FRAMEWORKS) - usual
    assert slow == {"executorch", "torch-aot"}
    named = make_plan(msgspec.structs.replace(request(), frameworks=tuple(slow)), HERE, LACK)
    assert {c.framework for c in named.cells} == slow
    assert {c.framework for c in plan.cells} >= {
        "tf",
        "tfxla",
        "keras",
        "kerasxla",
        "torch",
        "torch-compile",
        "onnxrt",
        "openvino",
        "jax",
    }
    assert all(s.reason for s in plan.skips)
    assert any(
        "needs an NVIDIA GPU: no NVIDIA driver" in s.reason
        for s in plan.skips
        if s.cell.framework == "tensorrt"
    )


def test_two_versions_of_one_framework_are_two_rows_with_environments_of_their_own():
    plan = make_plan(request("onnxrt@1.30.0", "onnxrt"), HERE)
    assert [c.framework for c in plan.cells] == ["onnxrt@1.30.0", "onnxrt@1.30.0", "onnxrt", "onnxrt"]
    old, new = (plan.rows[label, "cpu"].requirements for label in ("onnxrt@1.30.0", "onnxrt"))
    assert "onnxruntime==1.30.0" in old.lines and "onnxruntime==1.30.0" not in new.lines
    assert len(old.lines) == len(new.lines)


def test_the_same_framework_twice_is_one_row():
    assert len(make_plan(request("onnxrt", "onnxrt"), HERE).cells) == 2


def test_int8_is_for_the_builders_that_take_quantised_files():
    given = {"tensorrt": Path("/bin/sh"), "tensorrt-rtx": Path("/bin/sh")}
    names = ("tensorrt", "tensorrt-rtx", "torch", "onnxrt")
    plan = make_plan(request(*names, devices=("cuda:0",), precisions=("int8",), python=given), WITH_GPUS)
    assert {c.framework for c in plan.cells} == set(given)
    assert all(s.reason.endswith("not int8") for s in plan.skips)
    weights = make_plan(
        request(*names, devices=("cuda:0",), precisions=("int8-weights",), python=given), WITH_GPUS
    )
    assert not weights.cells and {s.cell.framework for s in weights.skips} == set(names)


def test_tensorrt_inside_onnxrt_takes_an_interpreter_of_its_own_name_only():
    devices = {"devices": ("cuda:0",)}
    for python in ({}, {"onnxrt": Path("/bin/sh")}):
        (reason,) = {
            s.reason for s in make_plan(request("onnxrt-tensorrt", python=python, **devices), WITH_GPUS).skips
        }
        assert reason == (
            "onnxrt-tensorrt has no requirement set, since the package registry has no TensorRT libraries; give an "
            "interpreter that has both: --python onnxrt-tensorrt=PATH"
        )
    given = request("onnxrt-tensorrt", "onnxrt", python={"onnxrt-tensorrt": Path("/bin/sh")}, **devices)
    rows = make_plan(given, WITH_GPUS).rows
    assert rows["onnxrt-tensorrt", "cuda:0"].python and rows["onnxrt", "cuda:0"].requirements
    assert _state(FRAMEWORKS["onnxrt-tensorrt"], A2, "")[1].startswith(
        "no: onnxrt-tensorrt has no requirement set"
    )


def test_a_precision_that_a_framework_has_not_is_skipped():
    plan = make_plan(request("onnxrt", precisions=("fp32", "bf16")), HERE)
    assert {c.precision for c in plan.cells} == {"fp32"}
    assert all("not bf16" in s.reason for s in plan.skips)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"devices": ("cuda:0",)}, "device cuda:0 does not exist: no NVIDIA driver"),
        ({"devices": ("gpu",)}, "unknown device 'gpu'"),
        ({"precisions": ("fp33",)}, "unknown precision 'fp33'"),
        ({"modes": ("hots",)}, "unknown mode 'hots'"),
        ({"frameworks": ("onxrt",)}, "did you mean 'onnxrt'"),
        ({"frameworks": ()}, "at least one framework"),
        ({"batch_sizes": ()}, "at least one batch size"),
        ({"devices": ()}, "at least one device"),
        ({"precisions": ()}, "at least one precision"),
        ({"modes": ()}, "at least one mode"),
        ({"accelerator": "cuda11"}, "unknown accelerator 'cuda11'"),
        (
            {"accelerator": "cuda12"},
            "--accelerator cuda12 is for GPUs, and the only device is the CPU: leave it out",
        ),
        ({"model": ModelRequest("mobilenet_v3_lage")}, "did you mean 'mobilenet_v3_large'"),
    ],
)
def test_what_cannot_be_met_is_one_line(fields, text):
    with pytest.raises(UsageError, match=text) as caught:
        make_plan(msgspec.structs.replace(request(), **fields), HERE, LACK)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a b", "onnxrt@", "onnxrt:", "@1"])
def test_a_choice_that_is_none(text):
    with pytest.raises(UsageError):
        parse_choice(text)


def test_unknown_variants_name_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'predict'"):
        parse_choice("keras:predct")


def test_given_interpreters_are_checked(tmp_path):
    with pytest.raises(UsageError, match="no such interpreter"):
        check_given_pythons(request(python={"onnxrt": tmp_path / "none"}))
    with pytest.raises(UsageError, match="did you mean 'onnxrt'"):
        check_given_pythons(request(python={"onxrt": Path(__file__)}))


def test_a_given_interpreter_serves_every_framework_of_its_environment():
    plan = make_plan(request("tf", "tfxla", python={"tf": Path("python")}), HERE)
    assert {row.python for row in plan.rows.values()} == {Path("python")}
    assert all(row.requirements is None for row in plan.rows.values())


def test_the_reports_names_mean_a_framework_at_one_precision():
    plan = make_plan(
        request("tftrtfp16", "TFTRTFP32", devices=("cuda:0",), python={"tftrt": Path("/bin/sh")}), WITH_GPUS
    )
    assert {(c.framework, c.precision) for c in plan.cells} == {("tftrt", "fp16"), ("tftrt", "fp32")}
    assert len(plan.cells) == 4
    assert len(plan.rows) == 1


def test_a_cell_that_is_named_twice_is_planned_once():
    given = {"python": {"tftrt": Path("/bin/sh")}, "devices": ("cuda:0",), "precisions": ("fp16",)}
    plan = make_plan(request("tftrt", "tftrtfp16", **given), WITH_GPUS)
    assert [(c.precision, c.batch_size) for c in plan.cells] == [("fp16", 1), ("fp16", 8)]
    without = make_plan(request("tftrt", "tftrtfp16", devices=("cuda:0",), precisions=("fp16",)), WITH_GPUS)
    assert len(without.skips) == 2


def test_an_interpreter_given_by_a_name_for_one_precision_is_the_frameworks():
    given = {"tftrtfp16": Path("/bin/sh")}
    check_given_pythons(request(python=given))
    plan = make_plan(request("tftrtfp16", "tftrtfp32", devices=("cuda:0",), python=given), WITH_GPUS)
    assert plan.rows["tftrt", "cuda:0"].python == Path("/bin/sh") and not plan.skips
    with pytest.raises(UsageError, match="tftrt has the interpreter /bin/sh already"):
        check_given_pythons(request(python={**given, "tftrt": Path("/bin/ls")}))


QUANTISED = stored_as("int8", {"int8": 9})


@pytest.mark.parametrize("precisions", [("fp32",), ("int8",), ("fp32", "int8")])
def test_a_file_that_is_quantised_already_is_one_precision_whichever_is_asked(tmp_path, precisions):
    file = tmp_path / "model.onnx"
    file.touch()
    asked = request("onnxrt", "openvino", model=ModelRequest(str(file)), precisions=precisions)
    plan = make_plan(asked, HERE, LACK, QUANTISED)
    assert [(c.framework, c.precision, c.batch_size) for c in plan.cells] == [
        (name, "stored-int8", size) for name in ("onnxrt", "openvino") for size in (1, 8)
    ]
    assert set(plan.forms.values()) == {"onnx"} and not plan.skips


def test_half_precision_of_a_quantised_file_is_a_skip_that_says_what_it_holds(tmp_path):
    file = tmp_path / "model.onnx"
    file.touch()
    asked = request("openvino", model=ModelRequest(str(file)), precisions=("bf16",))
    plan = make_plan(asked, HERE, LACK, QUANTISED)
    assert not plan.cells
    reason = plan.skips[0].reason
    assert "int8 weights and activations in 9 of 9" in reason and "for bf16 give the model in fp32" in reason


def test_a_flatbuffer_asked_for_int8_is_opened_since_it_may_be_quantised_already(tmp_path):
    file = tmp_path / "model.tflite"
    file.touch()
    asked = request("litert", model=ModelRequest(str(file)), precisions=("int8",))
    assert {cell.precision for cell in make_plan(asked, HERE, LACK).cells} == {"int8"}
    found = make_plan(asked, HERE, LACK, QUANTISED)
    assert {(cell.precision, found.forms[cell]) for cell in found.cells} == {("stored-int8", "tflite")}


def test_a_registration_whose_form_is_none_is_told_the_nearest(monkeypatch):
    mine = replace(FRAMEWORKS["onnxrt"], name="mine", form="onyx")
    monkeypatch.setitem(FRAMEWORKS, "mine", mine)
    with pytest.raises(UsageError, match="unknown form of framework mine 'onyx'; did you mean 'onnx'"):
        make_plan(request("mine"), HERE)
