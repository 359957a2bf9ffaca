"""What a resumed run keeps of its beginning."""

from pathlib import Path

import msgspec
import pytest

from inferometer.cli import invoke
from inferometer.errors import StoreError, UsageError
from inferometer.host.machine import describe_machine
from inferometer.planning.request import RunRequest, to_builtins
from inferometer.records import Cell, DatasetInfo, Gpu, Machine, ModelInfo, Protocol, RunInfo
from inferometer.running.progress.observer import SilentObserver
from inferometer.running.run import prepare_run, resume
from inferometer.running.run_info import as_begun
from inferometer.storage.run_directory import RunWriter

BEGUN = RunInfo(created_at="then", command="inferometer run m.onnx", model=ModelInfo("m", hash="a"))


def test_when_and_how_it_was_begun_stays():
    now = RunInfo(
        created_at="now", command="inferometer run --resume d", model=ModelInfo("m", hash="a"), notes=("n",)
    )
    kept = as_begun(now, BEGUN, Path("d"))
    assert (kept.created_at, kept.command, kept.notes) == ("then", "inferometer run m.onnx", ("n",))


def test_rounds_that_a_second_stage_added_stay():
    begun = msgspec.structs.replace(BEGUN, protocol=Protocol(rounds=9, most_rounds=16))
    kept = as_begun(
        msgspec.structs.replace(begun, protocol=Protocol(rounds=3, most_rounds=16)), begun, Path("d")
    )
    assert kept.protocol.rounds == 9


def test_records_of_two_models_are_not_mixed():
    with pytest.raises(StoreError, match="another content of m"):
        as_begun(RunInfo(model=ModelInfo("m", hash="b")), BEGUN, Path("d"))
    assert as_begun(RunInfo(model=ModelInfo("m", hash="b")), RunInfo(), Path("d")).model.hash == "b"


def test_records_of_two_versions_are_not_mixed():
    rows = {"torch on cpu": {"pins": ["torch==1"]}, "onnxrt on cpu": {"pins": []}}
    begun = msgspec.structs.replace(BEGUN, environments=rows)
    now = msgspec.structs.replace(BEGUN, environments={**rows, "torch on cpu": {"pins": ["torch==2"]}})
    with pytest.raises(StoreError, match=r"other versions for torch on cpu \(torch==1\), now torch==2"):
        as_begun(now, begun, Path("d"))
    assert as_begun(begun, begun, Path("d")).environments == rows


def test_records_of_two_cards_of_one_kind_are_not_mixed():
    def on(uuid):
        machine = Machine(gpus=(Gpu(0, "GPU-other", "A2"), Gpu(1, uuid, "A2")))
        return msgspec.structs.replace(
            BEGUN, machine=machine, cells=(Cell("m", "torch", "fp32", 8, "cuda:1"),)
        )

    with pytest.raises(StoreError, match="begun on another cuda:1, A2 GPU-a, now GPU-b"):
        as_begun(on("GPU-b"), on("GPU-a"), Path("d"))
    assert as_begun(on("GPU-a"), on("GPU-a"), Path("d")).machine.gpus[1].uuid == "GPU-a"


def test_answers_to_two_data_sets_are_not_mixed():
    begun = msgspec.structs.replace(BEGUN, dataset=DatasetInfo("/d", hash="1", rows=4))
    same = msgspec.structs.replace(begun, dataset=DatasetInfo("/elsewhere", hash="1", rows=4))
    assert as_begun(same, begun, Path("d")).dataset.path == "/elsewhere"
    for other in (DatasetInfo("/d", hash="2"), DatasetInfo("/d", hash="1", preprocessing={"crop": 1.0})):
        now = msgspec.structs.replace(begun, dataset=other)
        with pytest.raises(StoreError, match="another content of the data set /d, other labels or another"):
            as_begun(now, begun, Path("d"))


def test_a_run_of_another_inferometer_is_not_continued(tmp_path):
    info = RunInfo(
        tool="0.0.9", machine=describe_machine(), request=to_builtins(RunRequest(devices=("cpu",)))
    )
    RunWriter.create(tmp_path / "run", info)
    with pytest.raises(StoreError, match=r"begun by inferometer 0\.0\.9"):
        resume(tmp_path / "run", SilentObserver())


def test_the_devices_of_the_beginning_stay(monkeypatch):
    gpus = tuple(Gpu(index=index, uuid=f"GPU-{index}", name="a GPU", cuda="13.0") for index in (0, 1))
    monkeypatch.setattr(
        "inferometer.running.run.describe_machine", lambda found: Machine(gpus=gpus, logical_cores=8)
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    request = prepare_run(RunRequest(frameworks=("torch",), protocol=Protocol(threads=1))).request
    assert request.devices == ("cuda:1",)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert prepare_run(request).request.devices == ("cuda:1",)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UsageError, match="cuda:1 is hidden: CUDA_VISIBLE_DEVICES=0 leaves cuda:0"):
        prepare_run(request)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--dry-run"], "--dry-run"),
        (["--rounds", "5", "--frameworks", "torch"], "--frameworks, --rounds"),
        (["resnet50"], "MODEL"),
    ],
)
def test_other_options_beside_resume_are_refused_not_ignored(arguments, named, capsys):
    assert invoke(["run", "--resume", "there", *arguments]) == 2
    assert f"leave out {named}, or start a new run" in capsys.readouterr().err


def test_what_makes_it_other_hardware_is_named():
    """A virtual machine grows its memory as it is used."""
    then = Machine(cpu="Xeon", physical_cores=4, memory_bytes=31 * 2**30, gpus=(Gpu(0, "GPU-1", "A2"),))
    grown = msgspec.structs.replace(then, memory_bytes=252 * 2**30)
    assert then.differences(grown) == "memory (GiB): 31, here 252"
    assert then.differences(msgspec.structs.replace(then, cpu="EPYC", gpus=())) == (
        "CPU: Xeon, here EPYC; GPUs: A2, here none"
    )
    assert then.differences(then) == "" and then.fingerprint == "|Xeon|4|31|A2"
