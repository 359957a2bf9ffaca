from pathlib import Path

import msgspec
import pytest

from inferometer.cli.frameworks import _state
from inferometer.errors import UsageError
from inferometer.frameworks import FRAMEWORKS, parse_choice
from inferometer.models.contract import ModelRequest
from inferometer.plan import accelerator_for, check_given_pythons, make_plan
from inferometer.records import Gpu, Machine, Protocol
from inferometer.request import RunRequest

HERE = Machine(logical_cores=2)
A2 = Gpu(0, "GPU-a2", "NVIDIA A2", driver="550", cuda="12.4", compute_capability="8.6")
H100 = Gpu(1, "GPU-h100", "NVIDIA H100", driver="580", cuda="13.0", compute_capability="9.0")
WITH_GPUS = Machine(logical_cores=2, gpus=(A2, H100))
REASON = "no NVIDIA driver"


def request(*frameworks, **fields):
    return RunRequest(
        frameworks=frameworks or ("all",), batch_sizes=(1, 8), protocol=Protocol(images=8), **fields
    )


def test_every_framework_is_a_cell_or_a_reason():
    plan = make_plan(request(), HERE, REASON)
    assert {c.framework for c in plan.cells} | {s.cell.framework for s in plan.skips} == set(FRAMEWORKS)
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


def test_devices():
    plan = make_plan(request("onnxrt", "openvino", devices=("cpu", "cuda:1")), WITH_GPUS)
    assert {(c.framework, c.device) for c in plan.cells} >= {("onnxrt", "cpu"), ("openvino", "cpu")}
    assert any(s.cell.device == "cuda:1" and "openvino runs on cpu only" in s.reason for s in plan.skips)
    auto = make_plan(request("onnxrt"), WITH_GPUS)
    assert {c.device for c in auto.cells} | {s.cell.device for s in auto.skips} == {"cuda:0"}


def test_visible_gpus_are_honoured(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-h100")
    plan = make_plan(request("onnxrt"), WITH_GPUS)
    assert {c.device for c in plan.cells} | {s.cell.device for s in plan.skips} == {"cuda:1"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert {c.device for c in make_plan(request("onnxrt"), WITH_GPUS).cells} == {"cpu"}


def test_the_driver_chooses_the_requirements():
    assert accelerator_for("cpu", request(), WITH_GPUS) == "cpu"
    assert accelerator_for("cuda:0", request(), WITH_GPUS) == "cuda12"
    assert accelerator_for("cuda:1", request(), WITH_GPUS) == "cuda13"
    assert accelerator_for("cuda:1", request(accelerator="cuda12"), WITH_GPUS) == "cuda12"


def test_a_precision_that_a_framework_has_not_is_skipped():
    plan = make_plan(request("onnxrt", precisions=("fp32", "int8")), HERE)
    assert {c.precision for c in plan.cells} == {"fp32"}
    assert all("not int8" in s.reason for s in plan.skips)


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
        ({"model": ModelRequest("mobilenet_v3_lage")}, "did you mean 'mobilenet_v3_large'"),
    ],
)
def test_what_cannot_be_met_is_one_line(fields, text):
    with pytest.raises(UsageError, match=text) as caught:
        make_plan(msgspec.structs.replace(request(), **fields), HERE, REASON)
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


def test_a_gpu_that_a_framework_has_no_code_for_is_named():
    given = {"tensorrt-rtx": Path("/bin/sh")}
    plan = make_plan(request("tensorrt-rtx", devices=("cuda:0", "cuda:1"), python=given), WITH_GPUS)
    assert {c.device for c in plan.cells} == {"cuda:0"}
    assert plan.skips[0].reason == (
        "tensorrt-rtx runs on compute capability 7.5, 8.0, 8.6, 8.9, 12.0, 12.1, not 9.0 (NVIDIA H100)"
    )


def test_a_version_replaces_the_package_of_that_accelerator():
    both = ("onnxrt@1.30.0", "tf@2.20.0")
    plan = make_plan(request(*both, devices=("cpu", "cuda:1")), WITH_GPUS)
    lines = {key: row.requirements.lines for key, row in plan.rows.items()}
    assert lines[both[0], "cpu"][0] == "onnxruntime==1.30.0"
    assert lines[both[0], "cuda:1"][0] == "onnxruntime-gpu[cuda,cudnn]==1.30.0"
    assert lines[both[1], "cpu"][0] == "tensorflow-cpu==2.20.0"
    assert lines[both[1], "cuda:1"][0] == "tensorflow[and-cuda]==2.20.0"
    parts = make_plan(request("tensorrt@11.3.0.99", devices=("cuda:1",)), WITH_GPUS)
    assert parts.rows["tensorrt@11.3.0.99", "cuda:1"].requirements.lines[:4] == (
        "tensorrt-cu13==11.3.0.99",
        "tensorrt-cu13-libs==11.3.0.99",
        "tensorrt-cu13-bindings==11.3.0.99",
        "cuda-bindings==13.5.0",
    )


def test_the_list_of_frameworks_names_a_gpu_that_one_has_no_code_for():
    version, state = _state(FRAMEWORKS["tensorrt-rtx"], H100, "")
    assert version == "" and state.startswith("no: tensorrt-rtx runs on compute capability 7.5,")
    assert state.endswith("not 9.0 (NVIDIA H100)")
    assert _state(FRAMEWORKS["tensorrt-rtx"], A2, "")[1].startswith("yes")
