"""What a meter may be off by is the same in every round: no number of rounds averages it out."""

import math

import msgspec
import numpy as np
import pytest

from inferometer.flags import words
from inferometer.quantiles import CONFIDENCE, t_quantile
from inferometer.results.estimates import round_series
from inferometer.results.summary import summarise
from simulated_runs import cell, metered, record, run

ROUNDS = 10
DRAWS = 2000


def test_intervals_of_ten_rounds_hold_the_truth_though_the_meter_is_off_by_as_much_as_they_scatter():
    random = np.random.default_rng(11)
    scatter = 0.01
    claimed = t_quantile(CONFIDENCE, ROUNDS - 1) * scatter / math.sqrt(ROUNDS)
    held = 0
    for _ in range(DRAWS):
        common = random.normal(0, claimed / t_quantile(CONFIDENCE, math.inf))
        logs = common + random.normal(0, scatter, ROUNDS)
        series = round_series(((0, i), math.exp(log)) for i, log in enumerate(logs))
        found = series.estimate("J", "rounds", claimed=claimed)
        held += found.low <= 1.0 <= found.high
    assert held / DRAWS >= 0.945  # the wider of the two holds 0.88


def figures(error):
    """Return the summary of three rounds whose joules scatter by 1 %, by a meter that is sure to ``error``."""
    records = []
    for number, joules in enumerate((12.9, 12.8, 13.0)):
        energy = metered(joules, 0.256, 256)
        device = msgspec.structs.replace(
            energy.devices[0], low_j=joules * math.exp(-error), high_j=joules * math.exp(error)
        )
        records.append(
            record(cell(), number, 1000.0, energy=msgspec.structs.replace(energy, devices=(device,)))
        )
    return summarise([run(records)]).summaries[0]


def reach(estimate):
    return math.log(estimate.high / estimate.value)


@pytest.mark.parametrize("name", ["power", "energy_image", "energy_time", "images_per_watt"])
def test_the_meters_error_is_added_once_and_in_quadrature(name):
    scatter, whole = reach(getattr(figures(1e-9), name)), reach(getattr(figures(0.02), name))
    assert whole == pytest.approx(math.hypot(scatter, 0.02), rel=1e-6)


def test_a_figure_whose_interval_is_wide_is_shown_with_it_and_compared_with_nothing():
    energy = metered(12.8, 0.256, 256)
    device = msgspec.structs.replace(energy.devices[0], low_j=0.0, high_j=38.4, reason="too short")
    known = msgspec.structs.replace(energy, devices=(device,))
    summary = summarise([run([record(cell(), 0, 1000.0, energy=known)])]).summaries[0]
    found = summary.energy_image
    assert (found.value, found.low, found.high) == pytest.approx((0.05, 0.0, 0.15))
    assert found.remark.kind == "wide-energy" and "±200 %" in words(found.remark)
    assert "energy_image" not in summary.series and "power" not in summary.series
    assert summary.images_per_joule.value == pytest.approx(20)
    narrow = record(cell(), 1, 1000.0, energy=energy)
    mixed = summarise([run([record(cell(), 0, 1000.0, energy=known), narrow])]).summaries[0]
    assert mixed.energy_image.remark is None and mixed.energy_image.n == 1
