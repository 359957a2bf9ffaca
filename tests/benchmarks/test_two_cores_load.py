"""The page of rows under load on two cores is written from what there is, and orders what LoadGen calls VALID only."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from fakes import BACKENDS
from inferometer.results.summary import summarise
from inferometer.results.under_load import summarise_load
from loaded_runs import loaded_run, one_test, renamed, server

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "two_cores_load.py"


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("two_cores_load", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_model_that_no_time_is_left_for_costs_no_section_of_others(tmp_path, script, monkeypatch):
    run = loaded_run(tmp_path, [server("a", [one_test(100, 0.01)])])
    shutil.move(run.path, tmp_path / "mobilenet")
    page = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path), "--minutes", "0", "--write", str(page)])
    assert script.main() == 0
    text = page.read_text()
    assert "## mobilenet" in text and "| server p99 ≤ 20.0 ms | a |" in text
    assert "## bert\n\nNot measured: no time was left." in text


def offline(framework, rate, *, valid):
    test = one_test(rate, 0.1, target_rate=None, purpose="measure", valid=valid)
    return renamed(server(framework, [], bound_s=None), scenario="offline", tests=(test,), chosen=0)


def test_a_rate_that_is_not_valid_has_no_place_in_the_order(tmp_path, script):
    results = summarise(
        [loaded_run(tmp_path, [offline("a", 900, valid=False), offline("b", 50, valid=True)])]
    )
    merits = {s.row: script.merit_of(s) for s in summarise_load(results)}
    assert merits == {"a": None, "b": pytest.approx(50)}
