from pathlib import Path

import msgspec
import pytest

from inferometer.cli.frameworks import _state
from inferometer.errors import UsageError
from inferometer.frameworks.catalogue import FRAMEWORKS, parse_choice
from inferometer.models.contract import ModelRequest
from inferometer.planning import plan as planning
from inferometer.planning.devices import accelerator_for, driver_accelerator
from inferometer.planning.plan import check_given_pythons
from inferometer.planning.request import RunRequest
from inferometer.planning.situation import look_up
from inferometer.precisions import stored_as
from inferometer.records import Gpu, Machine, Protocol

HERE = Machine(logical_cores=2)
A2 = Gpu(0, "GPU-a2", "NVIDIA A2", driver="550", cuda="12.4", compute_capability="8.6")
H100 = Gpu(1, "GPU-h100", "NVIDIA H100", driver="580", cuda="13.0", compute_capability="9.0")
WITH_GPUS = Machine(logical_cores=2, gpus=(A2, H100))
V100 = Gpu(0, "GPU-v100", "Tesla V100", driver="580", cuda="13.0", compute_capability="7.0")
TITAN = Gpu(1, "GPU-titan", "TITAN X (Pascal)", driver="580", cuda="13.0", compute_capability="6.1")
WITH_OLD_GPUS = Machine(logical_cores=2, gpus=(V100, TITAN))
REASON = "no NVIDIA driver"


def request(*frameworks, **fields):
    return RunRequest(
        frameworks=frameworks or ("all",), batch_sizes=(1, 8), protocol=Protocol(images=8), **fields
    )


def make_plan(asked, machine, gpu_reason="", stored=None):
    return planning.make_plan(asked, look_up(asked, machine, gpu_reason), stored)


def test_every_framework_is_a_cell_or_a_reason():
    plan = make_plan(request(), HERE, REASON)
    usual = {name for name, framework in FRAMEWORKS.items() if not framework.named_only}
    assert {c.framework for c in plan.cells} | {s.cell.framework for s in plan.skips} == usual
    slow = set(FRAMEWORKS) - usual
    assert slow == {"executorch", "torch-aot"}
    named = make_plan(msgspec.structs.replace(request(), frameworks=tuple(slow)), HERE, REASON)
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


def test_a_gpu_hidden_from_this_process_is_refused_by_name(monkeypatch):
    def refusal(value, device):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        with pytest.raises(UsageError) as caught:
            make_plan(request("onnxrt", devices=(device,)), WITH_GPUS)
        return str(caught.value)

    assert refusal("1", "cuda:0") == (
        "device cuda:0 is hidden: CUDA_VISIBLE_DEVICES=1 leaves cuda:1; give one of these or auto, or unset the variable"
    )
    assert refusal("", "cuda:0").startswith("device cuda:0 is hidden: CUDA_VISIBLE_DEVICES='' leaves no GPU")
    assert refusal("-1", "cuda").startswith("CUDA_VISIBLE_DEVICES='-1' leaves no GPU; give --device cpu")
    mig = "CUDA_VISIBLE_DEVICES=MIG-1c2d names a MIG instance, which cannot be measured on its own yet: memory, "
    for device in ("auto", "cuda"):
        assert refusal("MIG-1c2d", device).startswith(mig)
    assert f"hidden: {mig}" in refusal("MIG-1c2d", "cuda:1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1c2d")
    assert make_plan(request("onnxrt", devices=("cpu",)), WITH_GPUS).cells
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert {c.device for c in make_plan(request("onnxrt", devices=("cuda:0", "cuda")), WITH_GPUS).cells} == {
        "cuda:0",
        "cuda:1",
    }


def test_an_accelerator_must_suit_a_device():
    for devices in (("cuda:0",), ("cpu", "cuda:0"), ("auto",)):
        with pytest.raises(UsageError, match=r"--accelerator cpu has no code for cuda:0: .*--device cpu"):
            make_plan(request("onnxrt", devices=devices, accelerator="cpu"), WITH_GPUS)
    plan = make_plan(request("onnxrt", devices=("cpu", "cuda:1"), accelerator="cuda12"), WITH_GPUS)
    assert {device: row.requirements.accelerator for (_, device), row in plan.rows.items()} == {
        "cpu": "cpu",
        "cuda:1": "cuda12",
    }


def test_the_driver_chooses_the_requirements():
    assert accelerator_for("cpu", request(), WITH_GPUS) == "cpu"
    assert accelerator_for("cuda:0", request(), WITH_GPUS) == "cuda12"
    assert accelerator_for("cuda:1", request(), WITH_GPUS) == "cuda13"
    assert accelerator_for("cuda:1", request(accelerator="cuda12"), WITH_GPUS) == "cuda12"


def test_a_gpu_that_cuda_13_dropped_takes_the_cuda_12_set_whatever_its_driver_runs():
    assert driver_accelerator(V100) == driver_accelerator(TITAN) == "cuda12"
    assert driver_accelerator(msgspec.structs.replace(V100, compute_capability="7.5")) == "cuda13"
    assert driver_accelerator(msgspec.structs.replace(V100, compute_capability="")) == "cuda13"
    plan = make_plan(request("torch", devices=("cuda:0",), accelerator="cuda13"), WITH_OLD_GPUS)
    assert {s.reason for s in plan.skips} == {
        "CUDA 13, which torch 2.15.0 takes here, has no code for compute capability 7.0 (Tesla V100), only for 7.5 and "
        "newer; leave out --accelerator cuda13"
    }


def test_packages_without_code_for_a_gpu_are_skipped_with_the_remedy():
    plan = make_plan(request("torch-compile", "keras", "onnxrt", devices=("cuda:1",)), WITH_OLD_GPUS)
    assert {c.framework for c in plan.cells} == {"onnxrt"}
    reasons = {s.cell.framework: s.reason for s in plan.skips}
    assert reasons["torch-compile"] == (
        "torch 2.10.0 has no code for compute capability 6.1 (TITAN X (Pascal)), only for 7.0 and newer; the build for "
        "CUDA 12.6 on torch's own index (cu126) has: --python torch=PATH"
    )
    assert reasons["keras"] == (
        "cuDNN 9.28, which tf 2.21.0 takes here, has no code for compute capability 6.1 (TITAN X (Pascal)), only for "
        "7.5 and newer; an older one may: --python tf=PATH"
    )
    assert make_plan(request("torch", devices=("cuda:0",)), WITH_OLD_GPUS).cells
    assert _state(FRAMEWORKS["torch"], TITAN, "") == ("", f"no: {reasons['torch-compile']}")


def test_a_version_or_interpreter_of_the_users_is_not_judged_by_the_pins():
    given = {"tf": Path("/bin/sh")}
    plan = make_plan(request("torch@2.7.1", "tf", devices=("cuda:1",), python=given), WITH_OLD_GPUS)
    assert {c.framework for c in plan.cells} == {"torch@2.7.1", "tf"}


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_a_precision_that_the_card_has_no_arithmetic_for_is_skipped(precision):
    precisions = (precision, "fp16")
    plan = make_plan(request("torch", devices=("cuda:0",), precisions=precisions), WITH_OLD_GPUS)
    assert {c.precision for c in plan.cells} == {"fp16"}
    reason = f"{precision} needs compute capability 8.0 or newer, Tesla V100 has 7.0"
    assert {s.reason for s in plan.skips} == {reason}
    unknown = Machine(logical_cores=2, gpus=(msgspec.structs.replace(V100, compute_capability=""),))
    for machine in (WITH_GPUS, unknown):
        assert not make_plan(request("torch", devices=("cuda:0",), precisions=precisions), machine).skips


def test_int8_is_for_the_builders_that_take_quantised_files():
    given = {"tensorrt": Path("/bin/sh"), "tensorrt-rtx": Path("/bin/sh")}
    names = ("tensorrt", "tensorrt-rtx", "torch", "onnxrt")
    plan = make_plan(request(*names, devices=("cuda:0",), precisions=("int8",), python=given), WITH_GPUS)
    assert {c.framework for c in plan.cells} == set(given)
    assert all(s.reason.endswith("not int8") for s in plan.skips)


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


def test_alike_gpus_are_named_once_with_their_number():
    machine = Machine(gpus=(Gpu(0, "a", "NVIDIA A2"), Gpu(1, "b", "NVIDIA A2"), Gpu(2, "c", "Tesla V100")))
    assert machine.gpu_names == ("2 x NVIDIA A2", "Tesla V100")
    assert Machine().gpu_names == ()


QUANTISED = stored_as("int8", {"int8": 9})


@pytest.mark.parametrize("precisions", [("fp32",), ("int8",), ("fp32", "int8")])
def test_a_file_that_is_quantised_already_is_one_precision_whichever_is_asked(tmp_path, precisions):
    file = tmp_path / "model.onnx"
    file.touch()
    asked = request("onnxrt", "openvino", model=ModelRequest(str(file)), precisions=precisions)
    plan = make_plan(asked, HERE, REASON, QUANTISED)
    assert [(c.framework, c.precision, c.batch_size) for c in plan.cells] == [
        (name, "stored-int8", size) for name in ("onnxrt", "openvino") for size in (1, 8)
    ]
    assert set(plan.forms.values()) == {"onnx"} and not plan.skips


def test_half_precision_of_a_quantised_file_is_a_skip_that_says_what_it_holds(tmp_path):
    file = tmp_path / "model.onnx"
    file.touch()
    asked = request("openvino", model=ModelRequest(str(file)), precisions=("bf16",))
    plan = make_plan(asked, HERE, REASON, QUANTISED)
    assert not plan.cells
    reason = plan.skips[0].reason
    assert "int8 weights and activations in 9 of 9" in reason and "for bf16 give the model in fp32" in reason


def test_a_flatbuffer_asked_for_int8_is_opened_since_it_may_be_quantised_already(tmp_path):
    file = tmp_path / "model.tflite"
    file.touch()
    asked = request("litert", model=ModelRequest(str(file)), precisions=("int8",))
    assert {cell.precision for cell in make_plan(asked, HERE, REASON).cells} == {"int8"}
    found = make_plan(asked, HERE, REASON, QUANTISED)
    assert {(cell.precision, found.forms[cell]) for cell in found.cells} == {("stored-int8", "tflite")}
