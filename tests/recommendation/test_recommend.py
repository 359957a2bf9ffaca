import json
import math

import msgspec
import pytest

from advised import advise, sample
from inferometer.errors import UsageError
from inferometer.recommendation import render, wording
from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.objectives import Prices, carbon_per_million, cost_per_million, metric_of
from inferometer.recommendation.options import option, pareto
from inferometer.recommendation.recommend import recommend
from inferometer.report.page.verdict import verdicts
from inferometer.results.carbon import CarbonFactors, Embodied, Factor
from inferometer.results.summary import summarise
from simulated_runs import cell, rounds_of, run


def test_the_fastest_and_the_best_of_another_framework():
    found = advise()
    assert found.choice.name == "fast at batch size 64"
    assert found.runner_up.name == "frugal at batch size 64" and not found.tie
    assert ("crashed", 1) in found.refused


def test_every_objective():
    assert advise("latency").choice.name == "fast at batch size 8"
    assert advise("energy").choice.name == "frugal at batch size 64"
    assert advise("cost", prices=Prices(0.3, per_hour=1000.0)).choice.name == "fast at batch size 64"


def test_the_front_is_not_dominated():
    assert [o.name for o in advise().front] == [
        "fast at batch size 64",
        "frugal at batch size 64",
        "fast at batch size 8",
    ]
    options = [option(s) for s in sample().summaries if s.ranked]
    assert {o.name for o in pareto(options)} == {o.name for o in advise().front}


def test_cost_by_hand():
    # 0.36 J an image: 1e6 images are 0.36 MJ = 0.1 kWh; 1e6 images at 1000/s are 1000 s of an hour
    assert cost_per_million(1000.0, 0.36, Prices(0.30)) == pytest.approx(0.03)
    assert cost_per_million(1000.0, 0.36, Prices(0.30, 3.6)) == pytest.approx(0.03 + 1.0)


FACTORS = CarbonFactors(Factor(360.0, "the grid", "2024"), Factor(1.0, "no facility", "2024"))


def test_carbon_by_hand():
    # 0.36 J an image: 1e6 images are 0.1 kWh, 36 g; and 1,000 s of hardware made for 1 kg a year
    prices = Prices(carbon=FACTORS)
    assert carbon_per_million(1000.0, 0.36, prices) == pytest.approx(36.0)
    made = Embodied(Factor(1.0, "the maker", "2024"), 1.0, 1.0)
    with_made = Prices(carbon=CarbonFactors(FACTORS.intensity, FACTORS.pue, made))
    assert carbon_per_million(1000.0, 0.36, with_made) == pytest.approx(36 + 1e6 / (365.25 * 86400))
    assert carbon_per_million(1000.0, None, prices) is None


def test_the_objective_carbon():
    found = advise("carbon", prices=Prices(carbon=FACTORS))
    assert found.choice.name == "frugal at batch size 64"
    assert found.choice.carbon == pytest.approx(0.02 / 3.6e6 * 1e6 * 360, rel=1e-3)
    assert "carbon: energy of the metered device x PUE 1 (no facility, 2024)" in render.to_markdown([found])
    (row,) = json.loads(render.to_json([found]))
    assert row["carbon"]["intensity"] == {"value": 360.0, "source": "the grid", "date": "2024"}
    # where hardware that was dear to make is kept busy the longer way, the faster one has less
    made = Embodied(Factor(1e6, "the maker", "2024"), 1.0, 1.0)
    dear = Prices(carbon=CarbonFactors(FACTORS.intensity, FACTORS.pue, made))
    assert advise("carbon", prices=dear).choice.name == "fast at batch size 64"


def test_carbon_without_factors_is_refused():
    with pytest.raises(UsageError, match="--intensity"):
        advise("carbon")
    nothing = CarbonFactors(Factor(0.0, "all wind", "2024"), FACTORS.pue)
    with pytest.raises(UsageError, match="are 0"):
        advise("carbon", prices=Prices(carbon=nothing))


def unmetered():
    return summarise(
        [run([r for f, rate in (("a", 1000.0), ("b", 500.0)) for r in rounds_of(cell(f), [rate] * 3)])]
    )


def in_part(meter=None):
    """Return results of a, metered, of b, twice as fast and not metered or by another meter, and of c, half as fast."""
    records = [
        r for f, rate in (("a", 1000.0), ("c", 500.0)) for r in rounds_of(cell(f), [rate] * 3, power_w=90.0)
    ]
    rival = rounds_of(cell("b"), [2000.0] * 3, power_w=meter and 90.0)
    return summarise([run([*records, *(by_meter(one, meter) if meter else one for one in rival)])])


def by_meter(one, meter):
    replace = msgspec.structs.replace
    devices = tuple(replace(device, meter=meter) for device in one.energy.devices)
    return replace(one, energy=replace(one.energy, devices=devices))


@pytest.mark.parametrize(
    ("objective", "prices", "figure"),
    [
        ("energy", Prices(), "least energy an image"),
        ("cost", Prices(0.3, 2.0), "least cost"),
        ("carbon", Prices(carbon=FACTORS), "least carbon"),
    ],
)
@pytest.mark.parametrize(
    ("meter", "missing"), [(None, "energy not known"), ("ipmi", "energy by another meter, ipmi (gpu)")]
)
def test_a_rival_without_the_figure_is_neither_beaten_nor_beyond_a_limit(
    objective, prices, figure, meter, missing
):
    (found,) = recommend(in_part(meter), objective=objective, prices=prices)
    assert found.choice.summary.row == "a" and not found.limited
    assert wording.why(found) == f"It has the {figure} of those that have such a figure."
    assert wording.grade_sentence(found).startswith(f"weak: 1 cell has no such figure ({missing})")
    assert found.refused == ((missing, 1),)
    (found,) = recommend(in_part(meter), Constraints(frameworks=("a", "c")), objective, prices)
    assert found.grade == "firm" and found.limited  # what breaks a limit is no rival
    (found,) = recommend(in_part(meter), Constraints(max_latency_s=0.01), objective, prices)
    assert wording.why(found) == f"It has the {figure} of those within the limits that have such a figure."


def test_a_price_that_was_given_is_not_asked_for():
    (found,) = recommend(in_part(), objective="cost", prices=Prices(0.3))
    assert found.refused == (("energy not known, and no --price-per-hour", 1),)


def test_cost_without_a_meter_is_that_of_the_hours_and_says_so():
    (found,) = recommend(unmetered(), objective="cost", prices=Prices(0.0, 3.6))
    assert found.choice.cost == pytest.approx(1.0) and found.doubts == ()
    (found,) = recommend(unmetered(), objective="cost", prices=Prices(0.3, 3.6))
    assert found.choice.name == "a at batch size 8" and found.choice.cost == pytest.approx(1.0)
    assert found.doubts == ("no energy was metered: electricity is not in the cost",)
    (found,) = recommend(unmetered(), objective="cost", prices=Prices(0.3))
    assert found.choice is None and found.refused == (("energy not known, and no --price-per-hour", 2),)
    assert found.nearest == "a at batch size 8: energy not known, and no --price-per-hour"
    (found,) = recommend(unmetered(), objective="cost", prices=Prices(0.3, 3.6))
    assert render.cost_notes([found]) == ["cost: 3.6 EUR an hour for the machine"]
    with pytest.raises(UsageError, match="needs a price"):
        recommend(unmetered(), objective="cost", prices=Prices(0.0))


def test_energies_of_two_meters_do_not_compete():
    wall = rounds_of(cell("a"), [1000.0] * 2, power_w=10.0)
    (device,) = wall[0].energy.devices
    other = msgspec.structs.replace(device, meter="mqtt", device_type="external")
    energy = msgspec.structs.replace(wall[0].energy, devices=(other,))
    wall = [msgspec.structs.replace(r, energy=energy) for r in wall]
    inside = [r for f in ("b", "c") for r in rounds_of(cell(f), [900.0] * 2, power_w=50.0)]
    results = summarise([run([*wall, *inside])])
    (found,) = recommend(results, objective="energy")
    assert found.choice.summary.row == "b"
    assert found.refused == (("energy by another meter, mqtt (external)", 1),)
    assert verdicts(results, "mobilenet", "host")[0].efficient.summary.row == "b"
    (fastest,) = recommend(results)
    assert (fastest.choice.summary.row, fastest.choice.energy_j, fastest.choice.cost) == ("a", None, None)
    unmetered_too = summarise([run([*wall, *inside, *rounds_of(cell("d"), [800.0] * 2)])])
    (found,) = recommend(unmetered_too, objective="energy")
    assert ("energy not known", 1) in found.refused


def test_cost_is_the_mean_of_the_rounds_costs_that_decide():
    records = rounds_of(cell("a"), [1000.0, 500.0, 900.0], power_w=50.0)
    (summary,) = summarise([run(records)]).summaries
    prices = Prices(per_kwh=0.3, per_hour=1.0)
    metric = metric_of("cost", prices)
    decided = math.exp(sum(metric.series(summary).logs) / 3)
    assert metric.of(summary).value == pytest.approx(decided)
    assert option(summary, prices).cost == pytest.approx(decided)
