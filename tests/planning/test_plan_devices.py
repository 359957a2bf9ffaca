"""Devices, accelerators and cards in a plan."""

from pathlib import Path

import msgspec
import pytest

from inferometer.cli.frameworks import _state
from inferometer.errors import UsageError
from inferometer.frameworks.catalogue import FRAMEWORKS
from inferometer.planning.devices import accelerator_for, driver_accelerator
from inferometer.records import Gpu, Machine
from plans_of import A2, H100, WITH_GPUS, make_plan, request

V100 = Gpu(0, "GPU-v100", "Tesla V100", driver="580", cuda="13.0", compute_capability="7.0")


TITAN = Gpu(1, "GPU-titan", "TITAN X (Pascal)", driver="580", cuda="13.0", compute_capability="6.1")


WITH_OLD_GPUS = Machine(logical_cores=2, gpus=(V100, TITAN))


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
