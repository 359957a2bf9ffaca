"""The table of precisions, from a run directory as `inferometer run` leaves it."""

import sys
from pathlib import Path

import pytest

from inferometer.flags import flag
from inferometer.records import Parity, Skip
from inferometer.results.summary import summarise
from simulated_runs import cell, record, run


@pytest.fixture
def precisions(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import precisions

    yield precisions
    del sys.modules["precisions"]


def test_a_row_says_what_its_precision_gives_and_costs(precisions):
    exact, quantised, half = (cell(device="cpu", precision=name) for name in ("fp32", "int8", "fp16"))
    lost = flag("quantised", rows=64, error=0.02, cosine=0.99, agree_k=63, agree_n=64, unit="AVX2")
    parity = Parity(True, 1e-6, 1e-6, 1.0, 1.0, 1e-3, 64, agree_k=64, agree_n=64)
    records = [record(exact, rate=100.0, parity=parity), record(quantised, rate=250.0, flags=(lost,))]
    skips = (Skip(half, "onnxrt computes in fp32, int8, not fp16"),)
    lines = precisions.section("net", summarise([run(records, skips=skips)])).splitlines()
    rows = [line for line in lines if line.startswith("| onnxrt")]
    assert [row.split(" | ")[0] for row in rows] == ["| onnxrt int8", "| onnxrt fp32"]
    assert " 2.50 | " in rows[0] and rows[0].endswith("2.0e-02 | 63 of 64 |")
    assert " 1.00 | " in rows[1] and rows[1].endswith("1.0e-06 | 64 of 64 |")
    assert sum("not fp16" in line for line in lines) == 1
