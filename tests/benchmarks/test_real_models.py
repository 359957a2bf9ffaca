"""The table of real models, from a run directory as `inferometer run` leaves it."""

import sys
from pathlib import Path

import pytest

from inferometer.flags import flag
from inferometer.records import Parity, Skip
from simulated_runs import cell, record, run

HERE = Path(__file__).resolve().parents[2] / "benchmarks" / "real_models"


@pytest.fixture
def modules(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import catalogue
    import table

    yield catalogue, table
    for name in ("catalogue", "table"):
        del sys.modules[name]


def test_every_model_has_a_package_at_a_version_and_a_command(modules, tmp_path):
    catalogue, _ = modules
    found = catalogue.models()
    assert len(found) >= 16 and len({model.name for model in found}) == len(found)
    for model in found:
        assert model.version or catalogue.pinned(model.package)
        assert bool(model.file) != bool(model.model) and model.kind
        assert all("{" not in word for word in model.command(tmp_path))
        assert str(tmp_path) not in model.told() and str(HERE) not in model.told()
        assert not model.made or model.made in catalogue.MAKERS


def test_rows_that_ran_and_rows_that_did_not(modules):
    _, table = modules
    litert = [cell("litert", size, device="cpu") for size in (1, 8)]
    records = [
        record(cell("onnxrt", 8, device="cpu"), rate=300.0),
        record(litert[0], rate=4000.0, flags=(flag("converted", via="onnx2tf"),)),
        record(
            cell("mnn", 8, device="cpu"), rate=1.0, status="parity-failed", cause="relative error 1.3 " * 40
        ),
    ]
    skips = (
        Skip(litert[1], "the model's batch size is fixed at 1"),
        Skip(cell("torch", 8, device="cpu"), "no | operator"),
        Skip(cell("jax", 8, device="cpu"), "no | operator"),
        Skip(cell("tensorrt", 8, device="cuda:0"), "needs an NVIDIA GPU"),
    )
    found = table.of_run(MODEL(modules), "1.2", run(records, skips=skips))
    assert [row.name for row in found.ranked] == ["litert", "onnxrt"]
    assert found.ranked[0].told() == "litert 4,000 at 1 (by way of onnx2tf)"
    reasons = dict(found.others)
    assert reasons["no | operator"] == ("torch", "jax")
    (refused,) = (reason for reason, names in reasons.items() if names == ("mnn",))
    assert refused.startswith("parity-failed: relative error") and len(refused) <= table.MOST_WORDS + 4
    assert not any("GPU" in reason for reason in reasons)
    line = table.markdown([found]).splitlines()[2]
    assert line.startswith(
        "| `net.onnx --shape a=1`<br>thing 1.2 | a net | 2 | litert 4,000 at 1 (by way of onnx2tf)<br>onnxrt 300 at 8 |"
    )
    assert line.count("|") == 7 and "torch, jax: no / operator" in line and line.endswith("| 1e-06 |")


def MODEL(modules):
    return modules[0].Model(
        "net", "a net", "thing", "1.2", file="folder/net.onnx", arguments=("--shape", "a=1")
    )


def test_the_largest_error_is_of_ranked_rows_only(modules):
    _, table = modules
    wrong = Parity(False, 1.0, 0.5, 1.0, 1.0, 1e-3, 8)
    records = [
        record(cell("onnxrt", 8, device="cpu"), rate=300.0),
        record(cell("mnn", 8, device="cpu"), rate=1.0, status="parity-failed", cause="off", parity=wrong),
    ]
    assert table.of_run(MODEL(modules), "", run(records)).worst_error == pytest.approx(1e-6)


def test_a_run_that_did_not_begin_says_why(modules, tmp_path):
    _, table = modules
    waiting = table.reached(MODEL(modules), "1", tmp_path / "net")
    assert "net.onnx" not in table.markdown([waiting])
    ran = table.of_run(MODEL(modules), "1", run([record(cell("onnxrt", 8, device="cpu"), rate=300.0)]))
    assert table.conclusion([ran, waiting]) == "1 model of 2 measured, on 1 to 1 rows. Not run yet: net."
    (tmp_path / "net.log").write_text("reading net\ninferometer: net.onnx is no ONNX model\n")
    found = table.reached(MODEL(modules), "1", tmp_path / "net")
    assert found.failure == "inferometer: net.onnx is no ONNX model"
    assert "| 0 |  | inferometer: net.onnx is no ONNX model |  |" in table.markdown([found])
    assert table.conclusion([found]) == "No model was measured."
