"""Boxes in pixels beside scores whose precision a half cannot hold: one scale for both would let the scores vanish.

The model of ../shared/cases/detector_head.py in numpy: scores of 0 to 1 are computed as a sum with 4096, which fp16 (steps
of 4 there) and bf16 (of 32) round away, so that all become 0.5; boxes are right to a thousandth of 640 pixels.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from inferometer.cli import invoke
from inferometer.frameworks import environments, requirements
from inferometer.records import Parity
from inferometer.storage.run_directory import read_run
from inferometer.worker.parity import Ambiguity, compare

CASES = Path(os.environ.get("INFEROMETER_CASES", Path(__file__).parents[2].parent / "shared" / "cases"))
SHARED = CASES / "detector_head.py"
BITS = {"fp32": 24, "fp16": 11, "bf16": 8}
BOXES, SCORES = 24, 80
RANDOM = np.random.default_rng(0)
TO_BOXES = RANDOM.normal(size=(16, BOXES))
TO_SCORES = RANDOM.normal(scale=0.25, size=(16, SCORES))


def stored(values, bits):
    """Return values as a type of so many significant bits holds them."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 2.0**bits) / 2.0**bits, exponent)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def head(x, precision="", to_boxes=TO_BOXES, to_scores=TO_SCORES):
    """Return (N, 104, 1): boxes, then scores; every step is stored in ``precision`` ("": in double)."""

    def kept(values):
        return stored(values, BITS[precision]) if precision else values

    x = kept(x)
    boxes = kept(640 * kept(sigmoid(kept(x @ kept(to_boxes)))))
    scores = kept(sigmoid(kept(np.maximum(kept(kept(x @ kept(to_scores)) + 4096), 0) - 4096)))
    return np.concatenate([boxes, scores], axis=1)[..., None]


def moved(array, bits):
    signs = np.random.default_rng(5).choice([-1, 1], size=array.shape)
    return array * (1 + signs * 2.0 ** (1 - bits))


@pytest.fixture(scope="module")
def ambiguity():
    x = np.random.default_rng(2).normal(size=(16, 16))
    kinds = {"moved": 24, "fp16": 11, "bf16": 8}
    found = {
        kind: [head(moved(x, bits), "fp32", moved(TO_BOXES, bits), moved(TO_SCORES, bits))]
        for kind, bits in kinds.items()
    }
    return Ambiguity([head(x, "fp32")], found)


@pytest.mark.parametrize("rows", [4, 64])
@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_scores_that_vanish_fail_beside_boxes_in_pixels(ambiguity, precision, measured, rows):
    x = np.random.default_rng(1).normal(size=(rows, 16))
    wanted, found = head(x, "fp32"), head(x, precision)
    assert np.ptp(found[:, BOXES:]) < 0.05 * np.ptp(wanted[:, BOXES:]) or precision == "fp16"
    assert np.abs(found - wanted).max() / np.abs(wanted).max() < 0.04, "one scale for all sees nothing"
    parity = Parity(**compare([found], [wanted], precision, ambiguity=ambiguity if measured else None))
    assert not parity.passed
    assert parity.worst_slice.startswith("output 0[:, ")
    assert int(parity.worst_slice[13:-1].split(":")[-1]) > BOXES, "a slice with scores in it"
    boxes = wanted.copy()
    boxes[:, :BOXES] = found[:, :BOXES]
    assert compare([boxes], [wanted], precision, ambiguity=ambiguity)["passed"], "boxes alone are right"


def test_fp32_is_right(ambiguity):
    x = np.random.default_rng(1).normal(size=(64, 16))
    assert compare([head(x, "fp32")], [head(x)], "fp32", ambiguity=ambiguity)["passed"]


@pytest.mark.environment
@pytest.mark.skipif(not SHARED.exists(), reason="the shared cases are not here: set INFEROMETER_CASES")
def test_the_shared_model_passes_at_fp32_only(tmp_path):
    tf = environments.ensure(requirements.read("tf", "cpu"), tmp_path / "log", lambda text: None)
    subprocess.run([tf.python, SHARED], cwd=tmp_path, check=True, capture_output=True)
    options = "--frameworks keras,torch --precisions fp32,fp16,bf16 --batch-sizes 4 --images 8 --loops 3 --warmup 1 --rounds 1"
    assert (
        invoke(
            ["run", str(tmp_path / "detector_head.keras"), *options.split(), "--out", str(tmp_path / "run")]
        )
        == 0
    )
    for record in read_run(tmp_path / "run").records:
        wanted = "ok" if record.cell.precision == "fp32" else "parity-failed"
        assert record.status == wanted, (record.cell.key, record.cause, record.parity)
