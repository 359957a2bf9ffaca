"""Of many options the pairs are asked whose first can be the least under limits on figures, and no others."""

import numpy as np

import simulated_runs as simulated
from inferometer.recommendation import portable
from inferometer.recommendation.told import leading
from inferometer.results.summary import summarise
from inferometer.storage.run_directory import read_run


def test_an_option_leads_unless_a_better_one_keeps_every_limit_that_it_keeps():
    figures = np.random.default_rng(1).integers(0, 4, size=(60, 3)).astype(float)
    order = list(range(60))
    found: list[int] = []
    for i in order:
        if not any((figures[better] <= figures[i]).all() for better in found):
            found.append(i)
    assert leading(order, figures) == found != order
    alike = dict.fromkeys(order, 1.0)
    assert leading(order, figures, alike) == order  # none is better, so that each may come first


def test_far_fewer_pairs_are_asked_of_many_options(tmp_path, monkeypatch):
    frameworks = tuple(f"framework-{number}" for number in range(40))
    path = simulated.write_run(
        tmp_path / "run",
        simulated.BOARDS[2],
        frameworks=frameworks,
        precisions=("fp32",),
        batch_sizes=(8, 16),
        failures=False,
    )
    results = summarise([read_run(path)])
    monkeypatch.setattr(portable, "MOST_OPTIONS", 200)
    (whole,) = portable.portable(results)
    monkeypatch.setattr(portable, "MOST_OPTIONS", 10)
    (few,) = portable.portable(results)
    for name in ("energy_told", "latency_told"):
        assert few[name].items() < whole[name].items()
        assert 3 * len(few[name]) < len(whole[name])
