"""What a reference is made with for later checks: unseen rows, other ways to it, and what they tell."""

import numpy as np
import pytest

from inferometer.errors import ModelError
from inferometer.models import augmentation, images
from inferometer.models.contract import Checks
from inferometer.models.step_cache import check_judgeable, checks_in, read_arrays
from inferometer.models.steps import checks

WEIGHTS = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)


def rows(count, seed=0):
    return {"x": np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)}


def straight(given, chunk):
    return [given["x"] @ WEIGHTS]


def chaotic(given, chunk):
    """Sines of huge angles: any change of the input's last place is another answer."""
    return [np.sin(1e9 * (given["x"].astype(np.float64) @ WEIGHTS))]


def of_batch(given, chunk):
    """Deviations from the mean of the batch: a row alone gives zeros."""
    size = chunk or 8
    found = [given["x"][i : i + size] @ WEIGHTS for i in range(0, len(given["x"]), size)]
    return [np.concatenate([part - part.mean(axis=0) for part in found])]


def made(folder, compute, more=60, batch=None):
    timed = rows(4 if batch is None else batch)
    ways = {
        kind: lambda given, chunk, bits=bits: compute(checks.moved_rows(given, bits), chunk)
        for kind, bits in checks.BITS.items()
    }
    found = checks.Reference(
        timed, compute(timed, None), compute, batch, lambda count: rows(min(count, more), seed=1), ways
    ).write(folder)
    return found, checks_in(folder, {})


def test_a_reference_has_64_inputs_and_is_computed_in_other_ways(tmp_path):
    facts, found = made(tmp_path, straight)
    assert (facts["inputs"], facts["rows"]) == (64, 16)
    assert set(facts["ambiguity"]) == {"moved", "fp16", "bf16", "alone"}
    assert facts["ambiguity"]["alone"] < 1e-6 < facts["ambiguity"]["fp16"] < 1e-2
    assert facts["ambiguity"]["bf16"] / facts["ambiguity"]["fp16"] == pytest.approx(8, rel=0.1)
    unseen = read_arrays(found.unseen_inputs)[0]
    assert np.allclose(read_arrays(found.unseen_reference)[0], unseen @ WEIGHTS, rtol=1e-5, atol=1e-6)
    check_judgeable(straight(rows(4), None), found, "give x")


def test_without_more_rows_there_are_none_unseen(tmp_path):
    facts, found = made(tmp_path, straight, more=0)
    assert facts["inputs"] == 4 and found.unseen_inputs is None and found.ambiguity


def test_a_fixed_batch_is_never_cut(tmp_path):
    facts, found = made(tmp_path, straight, batch=7)
    assert facts["inputs"] == 63 and facts["rows"] == 14
    assert len(read_arrays(found.unseen_inputs)[0]) == 56 and "alone" not in facts["ambiguity"]


@pytest.mark.parametrize(("limit", "inputs", "repeated"), [("MOST_BYTES", 4 + 2, 6), ("MOST_S", 4, 1)])
def test_large_rows_and_slow_models_get_fewer(tmp_path, monkeypatch, limit, inputs, repeated):
    monkeypatch.setattr(checks, limit, {"MOST_BYTES": 2 * 4 * 11, "MOST_S": 1e-12}[limit])
    facts, _ = made(tmp_path, straight)
    assert (facts["inputs"], facts["rows"]) == (inputs, repeated)


def test_a_chaotic_reference_is_told_with_the_remedy(tmp_path):
    _, found = made(tmp_path, chaotic)
    with pytest.raises(
        ModelError, match=r"set-up: the reference answers chaotically at fp32: .*; give x"
    ) as error:
        check_judgeable(chaotic(rows(4), None), found, "give x")
    assert "\n" not in str(error.value)


def test_a_reference_that_depends_on_its_batch_is_told_as_that(tmp_path):
    _, found = made(tmp_path, of_batch)
    with pytest.raises(ModelError, match=r"set-up: the reference depends on the batch it is computed in"):
        check_judgeable(of_batch(rows(4), None), found, "give x")


def test_without_measured_ambiguity_only_the_spread_is_asked():
    check_judgeable(chaotic(rows(4), None), Checks(), "give x")


@pytest.mark.parametrize(
    ("dtype", "bits", "unit"), [("f4", 24, 2**-23), ("f4", 8, 2**-7), ("f2", 24, 2**-10)]
)
def test_floats_move_by_one_unit_in_the_last_place(dtype, bits, unit):
    ones = np.ones(1000, dtype)
    moved = checks.moved(ones, bits)
    assert moved.dtype == ones.dtype
    assert 400 < np.count_nonzero(moved > 1) < 600
    assert moved.max() - 1 == pytest.approx(unit)
    assert np.array_equal(checks.moved(np.arange(5), bits), np.arange(5))


def test_parts_of_photos_are_distinct_whole_numbers_and_the_same_every_time():
    files = images.default_photos()
    found = augmentation.parts_of(files, 32, 48, 9)
    assert found.shape == (9, 32, 48, 3) and found.dtype == np.float32
    assert len({part.tobytes() for part in found}) == 9
    assert found.min() >= 0 and found.max() <= 255 and np.array_equal(found, np.rint(found))
    assert np.array_equal(found, augmentation.parts_of(files, 32, 48, 9))
    assert augmentation.parts_of(files, 32, 48, 0).shape == (0, 32, 48, 3)
