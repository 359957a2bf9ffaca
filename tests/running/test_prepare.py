"""Machine, devices and model are looked up once for a run, however many parts of it ask."""

import sys
from collections import Counter

import pytest

from inferometer.cli import invoke
from two_gpus import pretend

LOOKED_UP = (
    ("inferometer.host.gpus", "find_gpus"),
    ("inferometer.planning.devices", "resolve_devices"),
    ("inferometer.models.sources", "resolve"),
    ("inferometer.models.routes", "forms_reachable"),
)


@pytest.fixture
def calls(monkeypatch):
    """Count the calls of every module that has one of the functions by name."""
    counted = Counter()

    def counting(name, function):
        def call(*arguments, **options):
            counted[name] += 1
            return function(*arguments, **options)

        return call

    for home, name in LOOKED_UP:
        function = getattr(sys.modules[home], name)
        for module in list(sys.modules.values()):
            if (
                getattr(module, "__name__", "").startswith("inferometer")
                and vars(module).get(name) is function
            ):
                monkeypatch.setattr(module, name, counting(name, function))
    return counted


ONCE = {"find_gpus": 1, "resolve_devices": 1, "resolve": 1, "forms_reachable": 1}


def test_a_plan_looks_once(calls, capsys):
    assert invoke(["run", "--frameworks", "onnxrt,tf,torch", "--device", "cpu", "--dry-run"]) == 0
    assert calls == ONCE


def test_a_run_looks_once(calls, tmp_path, monkeypatch, capsys):
    from fakes import BACKENDS

    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))
    pretend(tmp_path, monkeypatch.setattr, monkeypatch.setitem)
    calls.clear()  # the pretence describes this machine itself
    words = ["run", "--frameworks", "fake", "--device", "cuda:1", "--batch-sizes", "2", "--images", "4"]
    numbers = ["--loops", "1", "--warmup", "1", "--rounds", "1", "--python", f"fake={sys.executable}"]
    assert invoke([*words, *numbers, "--out", str(tmp_path / "run")]) == 0
    assert calls == ONCE
