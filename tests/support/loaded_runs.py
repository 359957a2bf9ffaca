"""Runs of fake frameworks with results under load that are known, as LoadGen would have told them."""

from __future__ import annotations

import msgspec

from fakes import fake_framework, run_fakes
from inferometer.records import Batching, Cell, DeviceEnergy, Energy, LoadTest, ScenarioResult
from inferometer.storage.run_directory import read_run
from inferometer.storage.scenarios import append_scenario


def one_test(rate, p99_s, *, valid=True, watts=None, elapsed_s=5.0, idle_w=20.0, **fields):
    """Return a test at a rate (requests/s), with energy where ``watts`` are given."""
    rows = round(rate * elapsed_s)
    energy = None
    if watts is not None:
        device = DeviceEnergy(
            "u", "device", "cpu", "rapl", "counter", elapsed_s, rows, watts * elapsed_s, idle_w=idle_w
        )
        energy = Energy((device,), "u", idle_w={"loaded": idle_w})
    latencies = {"mean": p99_s / 3, "50": p99_s / 4, "90": p99_s / 2, "99": p99_s}
    usual = {
        "purpose": "search", "folder": f"scenarios/s/{rate:g}", "valid": valid, "rate": rate, "queries": rows,
        "invalid_reasons": () if valid else ("latency beyond the bound",), "latency_s": latencies,
        "elapsed_s": elapsed_s, "rows": rows, "batches": {"1": rows}, "loadgen": "6.0.17", "energy": energy,
        "target_rate": rate,
    }  # fmt: skip
    return LoadTest(**{**usual, **fields})


def server(framework, tests, *, number=0, bound_s=0.02, max_batch=8, **fields):
    """Return a server's result in one round; the highest valid rate is chosen."""
    valid = [place for place, test in enumerate(tests) if test.valid]
    chosen = max(valid, key=lambda place: tests[place].target_rate, default=None)
    cell = Cell("fake", framework, "fp32", max_batch, "cpu")
    usual = {"status": "ok", "preset": "quick", "bound_s": bound_s, "tests": tuple(tests), "chosen": chosen}
    return ScenarioResult(
        cell, number, "server", Batching(max_batch), started_at=f"{framework}{number}", **{**usual, **fields}
    )


def loaded_run(folder, results, frameworks=("a", "b", "c")):
    """Return a stored run of fakes with these results under load."""
    run = run_fakes(folder, *(fake_framework(name) for name in frameworks))
    for result in results:
        append_scenario(run.path, result)
    return read_run(run.path)


def renamed(result, **fields):
    """Return a result with other fields."""
    return msgspec.structs.replace(result, **fields)
