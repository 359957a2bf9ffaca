"""Backends that are wrong in one way, none of which may be ranked, and right ones, none of which may be refused.

Real worker processes, from opening to the record; batches of 16 of 4 timed rows, with 60 rows that no backend has seen.
"""

import dataclasses
import sys

import msgspec
import numpy as np
import pytest

from fakes import BACKENDS, fake_framework, fake_request, fake_runner
from inferometer.flags import words
from inferometer.models.contract import Artifact, Checks, PreparedModel, TensorSpec
from inferometer.models.steps import checks
from inferometer.records import ModelInfo
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run

sys.path.insert(0, str(BACKENDS))
import faulty

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8")
WRONG = {  # what, and the output or slice that the cause must name
    "swapped rows": ", row ",
    "stale": ", row ",
    "first row only": ", row ",
    "offset": "output 0",
    "scaled": "output 0",
    "zeroed slice": "output 2[:, ",
    "constant slice": "output 2[:, ",
    "permuted heads": "output 2[:, ",
    "reversed scores": "output 2[:, ",
    "batch-dependent": "output 0",
    "overflow in a rare channel": "output 2[:, ",
    "argmax flips": "output 0",
    "truncated": "output 2 has shape",
    "last output missing": "2 outputs, the reference has 3",
    "infinite": "output 2 has 1 of",
    "right at first": ", row ",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The model prepared as `models` does: reference, unseen rows, and how far it differs from itself."""
    folder = tmp_path_factory.mktemp("faulty")
    random = np.random.default_rng(3)
    timed, more = (random.normal(size=(n, faulty.FEATURES)).astype(np.float32) for n in (4, 60))

    def compute(rows, chunk):
        return [array.astype(np.float32) for array in faulty.reference(rows["x"])]

    def moving(bits):
        def moved(rows, chunk):
            kept = faulty.WEIGHTS, faulty.PLACES
            faulty.WEIGHTS, faulty.PLACES = (checks.moved(w, bits, 1) for w in kept)
            try:
                return compute(checks.moved_rows(rows, bits), chunk)
            finally:
                faulty.WEIGHTS, faulty.PLACES = kept

        return moved

    outputs = compute({"x": timed}, None)
    made = checks.Reference(
        {"x": timed}, outputs, compute, None, lambda count: {"x": more[:count]},
        {kind: moving(bits) for kind, bits in checks.BITS.items()},
    )  # fmt: skip
    facts = made.write(folder)
    assert facts["inputs"] == 64
    np.savez(folder / "inputs.npz", x=timed)
    np.savez(folder / "reference.npz", *outputs)
    names = ("ambiguity", "unseen_inputs", "unseen_reference")
    spec = TensorSpec("x", (None, faulty.FEATURES), "float32")
    artifact = Artifact("fake", folder / "model", (spec,), (), "", "hash", {})
    paths = folder / "inputs.npz", folder / "reference.npz"
    return PreparedModel(
        ModelInfo("faulty"),
        {"fake": artifact},
        {},
        *paths,
        Checks(*(folder / f"{name}.npz" for name in names)),
    )


@pytest.fixture
def run(model, tmp_path, monkeypatch):
    """Return a function that measures one behaviour at one precision and returns the run."""
    monkeypatch.setenv("INFEROMETER_BACKENDS", str(BACKENDS))

    def measured(behaviour, precision, mode="host", **request):
        framework = dataclasses.replace(fake_framework(behaviour=behaviour), backend="faulty")
        asked = msgspec.structs.replace(
            fake_request(images=64, loops=20, warmup=5), batch_sizes=(16,), **request
        )
        runner = dataclasses.replace(
            fake_runner(tmp_path, [framework], request=asked, mode=mode, precision=precision), model=model
        )
        runner.run(read_run(runner.writer.path).missing)
        return read_run(runner.writer.path)

    return measured


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("behaviour", WRONG)
def test_no_wrong_backend_is_ranked(run, behaviour, precision):
    stored = run(behaviour, precision)
    (record,) = stored.records
    assert record.status == "parity-failed", record.parity
    assert WRONG[behaviour] in record.cause or (behaviour == "scaled" and "times 1.03" in record.cause)
    assert not any(summary.ranked for summary in summarise([stored]).summaries)


@pytest.mark.parametrize("mode", ["host", "device"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_right_backend_is_refused(run, precision, mode):
    (record,) = run("", precision, mode).records
    assert record.status == "ok", record.cause
    assert record.parity.agree_n == 64 and record.parity.agree_k >= 56
    assert record.parity.unseen == 64 and record.parity.timed == (3 if mode == "host" else 1)


def test_another_order_of_summation_is_right(run):
    (record,) = run("other order", "fp32").records
    assert record.status == "ok" and record.parity.max_rel > 0, record.cause


@pytest.mark.parametrize("mode", ["host", "device"])
def test_right_at_first_is_told_as_wrong_afterwards(run, mode):
    (record,) = run("right at first", "fp32", mode).records
    assert record.status == "parity-failed"
    assert record.cause.startswith("batches that it had not seen: ")
    assert record.loops, "what was measured stays, unranked"


def test_a_tolerance_replaces_the_limits_and_is_told(run):
    (record,) = run("scaled", "fp32", tolerance=0.2).records
    assert record.status == "ok" and record.parity.tolerance == 0.2
    assert any("0.2 from the reference (--tolerance)" in words(flag) for flag in record.flags)
    assert record.parity.limit_rel == 0.2
