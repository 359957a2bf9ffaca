"""A GPU that does not answer: the others keep their numbers, it is refused by name, and the CPU is no silent stand-in."""

import sys

import msgspec
import pytest

from fakes import BACKENDS
from inferometer.cli import invoke
from inferometer.errors import UsageError
from inferometer.host.gpus import Lack
from inferometer.planning.devices import gpu_of
from inferometer.planning.situation import look_up
from inferometer.records import Gpu, Machine
from inferometer.running import run
from plans_of import A2, H100, make_plan, request
from two_gpus import pretend

TOLD = "cuda:1 does not answer (GPU is lost): reset it, or restart the machine"
LOST = Lack(TOLD, fault=True, silent=(1,))
LAST = msgspec.structs.replace(H100, index=2)
MACHINE = Machine(logical_cores=2, gpus=(A2, LAST))
ALL_TOLD = "cuda:0 does not answer (GPU is lost): reset it, or restart the machine"
ALL_LOST = Lack(ALL_TOLD, fault=True, silent=(0,))


def devices(*names, machine=MACHINE, lack=LOST, setting=None):
    return look_up(request("onnxrt", devices=names), machine, lack, setting).devices


def refusal(*names, **where):
    with pytest.raises(UsageError) as caught:
        devices(*names, **where)
    return str(caught.value)


def test_the_others_keep_their_numbers():
    assert devices("cuda:2", "cuda:0") == ("cuda:2", "cuda:0")
    assert devices("auto", setting="2,0") == devices("cuda", setting="2,0") == ("cuda:2",)
    assert gpu_of("cuda:2", MACHINE) == LAST


def test_the_lost_one_is_refused_by_name():
    assert refusal("cuda:1") == f"device {TOLD}; give --device cpu or auto"
    assert refusal("cuda:3").startswith("device cuda:3 does not exist: this machine has 2")
    assert (
        refusal("cuda:0", machine=Machine(), lack=ALL_LOST) == f"device {ALL_TOLD}; give --device cpu or auto"
    )
    assert TOLD in refusal("cuda", setting="1")


@pytest.mark.parametrize(
    ("machine", "lack", "setting", "told"),
    [
        (Machine(), ALL_LOST, None, True),
        (Machine(), Lack("the NVIDIA driver answers with an error (Unknown Error)", fault=True), None, True),
        (MACHINE, LOST, "1", True),
        (MACHINE, LOST, None, False),  # another is taken
        (MACHINE, LOST, "", False),  # hidden on purpose
        (Machine(), Lack("no NVIDIA driver (NVML Shared Library Not Found)"), None, False),
        (Machine(), Lack("the NVIDIA driver lists no GPU"), None, False),
    ],
)
def test_auto_says_why_it_takes_the_cpu_where_there_are_gpus(machine, lack, setting, told):
    situation = look_up(request("onnxrt", devices=("auto",)), machine, lack, setting)
    text = f"no GPU can be used, so the CPU is measured: {lack.reason}"
    assert situation.notice == (text if told else "")
    assert look_up(request("onnxrt", devices=("cpu",)), machine, lack, setting).notice == ""


def test_a_lost_gpu_is_no_reason_where_the_cpu_was_asked_for():
    (skip, *_) = make_plan(request("tensorrt", devices=("cpu",)), MACHINE, LOST).skips
    assert skip.reason == "needs an NVIDIA GPU: the device asked for is the CPU"


def test_the_notice_is_said_before_a_plan_and_before_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    pretend(tmp_path, monkeypatch.setattr, monkeypatch.setitem)
    machine = msgspec.structs.replace(run.describe_machine(()), gpus=())
    monkeypatch.setattr(run, "describe_machine", lambda gpus: machine)
    monkeypatch.setattr(run, "find_gpus", lambda: ((), ALL_LOST))
    words = ["run", "--frameworks", "fake", "--batch-sizes", "2", "--images", "4", "--loops", "1"]
    words += ["--warmup", "1", "--rounds", "1", "--python", f"fake={sys.executable}"]
    for end in (["--dry-run"], ["--out", str(tmp_path / "run")]):
        assert invoke([*words, *end]) == 0
        assert f"no GPU can be used, so the CPU is measured: {ALL_TOLD}" in capsys.readouterr().err


def test_a_machine_says_which_of_its_gpus_do_not_answer(monkeypatch, capsys):
    gpus = (Gpu(0, "GPU-a2", "NVIDIA A2", 16 * 2**30),)
    monkeypatch.setattr("inferometer.cli.frameworks.find_gpus", lambda: (gpus, LOST))
    assert invoke(["machine"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("GPUs:")]
    assert line.startswith("GPUs:        NVIDIA A2") and line.endswith(f"; {TOLD}")
