"""Execution providers of packages of their own: found and given the model, or refused in one line."""

import types

import pytest

from inferometer.cli import invoke
from inferometer.storage.run_directory import read_run
from inferometer.worker.backends.parts.onnx_plugin import Plugin
from inferometer.worker.failures import Misplaced
from inferometer.worker.flags import flag
from short_run import SHORT
from taken_home import assert_answers_as_it_did

MINE = Plugin("OpenVINOExecutionProvider", "1.8", [], {})
NODES = {"CPUExecutionProvider": [("a", "Conv"), ("b", "Relu")]}


def test_a_provider_that_took_nothing_is_the_wrong_device():
    with pytest.raises(Misplaced, match="took none of the model's 2 nodes; they ran in CPUExecutionProvider"):
        MINE.check(NODES)
    MINE.check({**NODES, MINE.provider: [("c", "Add")]})
    MINE.check({})  # this version of ONNX Runtime does not tell


def test_what_it_left_to_others_is_told():
    both = {**NODES, MINE.provider: [("c", "Add")]}
    told = flag("left-to-onnxruntime", count=2, total=3, provider=MINE.provider)
    assert MINE.flags(both) == [told]
    assert MINE.flags({MINE.provider: [("c", "Add")]}) == []


def test_devices_are_added_with_their_settings():
    calls = []
    options = types.SimpleNamespace(add_provider_for_devices=lambda *given: calls.append(given))
    Plugin("Mine", "1", ["device"], {"threads": "2"}).add_to(options)
    assert calls == [(["device"], {"threads": "2"})]


@pytest.mark.environment
def test_openvino_is_registered_and_runs_or_says_which_processor_it_wants(tiny_model, tmp_path):
    names = ["--frameworks", "onnxrt:ep=openvino,onnxrt"]
    assert invoke(["run", str(tiny_model), *names, *SHORT, "--out", str(tmp_path / "run")]) == 0
    run = read_run(tmp_path / "run")
    (record,) = [each for each in run.records if each.cell.framework == "onnxrt:ep=openvino"]
    if record.status == "unsupported":  # its makers let it see Intel's processors only
        assert (
            "OpenVINOExecutionProvider offers no CPU on this machine (ONNX Runtime sees: CPU of"
            in record.cause
        )
        return
    assert record.status == "ok" and record.parity.passed
    assert record.actual.details["nodes"]["OpenVINOExecutionProvider"] > 0
    assert_answers_as_it_did(tmp_path / "run", "onnxrt:ep=openvino/fp32/2", tmp_path / "deploy")
