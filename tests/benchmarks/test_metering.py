"""What metering takes: blocks of stretches with the sampler on and off, and the estimates over them."""

from pathlib import Path

import numpy as np
import pytest

MS = 1_000_000


@pytest.fixture
def metering(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import metering

    return metering


def load(metering, slower):
    """Loops of 2 ms, longer by a share while ``slower`` says so; all of it processor time."""
    spans, now = [], 0
    while now < 30_000 * MS:
        length = round(2 * MS * (1 + slower(now)))
        spans.append((now, now + length, 1, length))
        now += length
    return metering.Rates(spans)


def blocks(count):
    """Stretches of 250 ms in turn on, off, off, on, from 1 s on."""
    starts = [1000 * MS + place * 270 * MS for place in range(4 * count)]
    stretches = [(place % 4 in (0, 3), at, at + 250 * MS) for place, at in enumerate(starts)]
    return [stretches[place : place + 4] for place in range(0, len(stretches), 4)]


def test_a_loss_is_found_and_a_drift_is_not(metering):
    made = blocks(25)

    def slower(now):
        metered = any(on and start <= now < end for block in made for on, start, end in block)
        return 0.01 * metered + 1e-12 * now

    by_clock, by_processor = metering.losses([load(metering, slower)] * 2, made)
    assert len(by_clock) == 25
    assert np.mean(by_clock) == pytest.approx(0.0099, abs=0.0005) == np.mean(by_processor)
    assert max(by_clock) - min(by_clock) < 0.005


def test_blocks_in_which_the_load_did_not_run_are_left_out(metering):
    made = blocks(3)
    short = metering.Rates([(start, start + 2 * MS, 1, MS) for start in range(1000 * MS, 2500 * MS, 2 * MS)])
    assert len(metering.losses([short], made)[0]) == 1


def test_a_block_in_which_another_program_ran_moves_the_middle_little(metering):
    values = np.random.default_rng(1).normal(0.001, 0.01, 200)
    middle, low, high = metering.by_signed_ranks([*values, 0.9, 0.9, -0.6])
    assert low < 0.001 < high and high - low < 0.004
    assert abs(middle - metering.by_signed_ranks(values)[0]) < 0.0005
    mean, mean_low, mean_high = metering.by_mean([*values, 0.9, 0.9, -0.6])
    assert mean_low < mean < mean_high and mean_high - mean_low > 2 * (high - low)


def test_it_runs_on_a_cpu_without_a_meter(metering, monkeypatch, tmp_path):
    monkeypatch.setenv("INFEROMETER_METERS", str(tmp_path))
    found = metering.run("cpu", 0.0, stretch_s=0.1)
    # on a busy machine the load begins after the first block, or ends before the last
    assert 4 <= found["blocks"] <= 8 and found["loss_low"] <= found["loss"] <= found["loss_high"]
    assert found["parent_cpu_share_of_a_core"] < 0.2 and "%" in metering.told(found, "processor_loss")
