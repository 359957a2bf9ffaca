"""False alarms and power of comparisons, by simulation through the real code (fixed seeds, so never by chance)."""

import importlib.util
import sys
from pathlib import Path

import pytest

from inferometer.planning.presets import PRESETS
from inferometer.results.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def power():
    return script("compare_power")


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        ("lognormal", "throughput"),
        ("autocorrelated", "throughput"),
        ("drifting", "throughput"),
        ("heavy-tailed", "throughput"),
        ("lognormal", "prepare_time"),
    ],
)
def test_intervals_hold_the_truth_and_equal_cells_get_no_verdict(kind, metric):
    kinds = script("noise_kinds")
    coverage, changed, told, _ = kinds.measure(kinds.Scene(kind, 3), METRICS[metric], 100)
    assert coverage >= 0.93 and changed <= 0.05 and told <= 0.05


def test_pooled_runs_hold_the_truth_of_the_next_run():
    kinds = script("noise_kinds")
    coverage, changed, told, _ = kinds.measure(
        kinds.Scene("lognormal", 3, runs=2), METRICS["throughput"], 40, seed=5
    )
    assert coverage >= 0.93 and changed <= 0.05 and told <= 0.05


def test_a_short_run_is_not_called_changed_for_its_few_rounds(power):
    scene = power.Scene(frameworks=3, batch_sizes=1, rounds=1, noise=0.02)
    assert power.measure("5 older runs of 10 rounds", scene, 50, 0.0, seed=16)[0] <= 0.08


@pytest.mark.parametrize("method", ["two runs", "paired in one run", "ties in one run"])
@pytest.mark.parametrize("drift", ["none", "walk:1", "ramp:5"])
def test_few_false_alarms_with_noise_between_processes_and_drift(power, method, drift):
    scene = power.Scene(frameworks=6, batch_sizes=1, rounds=3, noise=0.01, drift=drift)
    alarm, _ = power.measure(method, scene, 200, 0.0, seed=11)
    assert alarm <= 0.05


def test_three_percent_is_found_within_one_run_whatever_the_drift(power):
    scene = power.Scene(frameworks=6, batch_sizes=2, rounds=3, noise=0.005, drift="walk:1")
    assert power.measure("paired in one run", scene, 30, 0.03, seed=12)[1] >= 0.9


def test_three_percent_is_found_between_two_quiet_runs(power):
    scene = power.Scene(frameworks=6, batch_sizes=2, rounds=3, noise=0.005)
    assert power.measure("two runs", scene, 30, 0.03, seed=13)[1] >= 0.9


def test_three_percent_is_found_on_a_noisy_machine_by_the_rounds_that_a_run_adds(power):
    scene = power.Scene(
        frameworks=8, batch_sizes=3, rounds=3, noise=0.023, most=PRESETS["standard"].protocol.most_rounds
    )
    alarm, _ = power.measure("paired in one run", scene, 60, 0.0, seed=14)
    assert alarm <= 0.05
    assert power.measure("paired in one run", scene, 60, 0.03, seed=15)[1] >= 0.9
