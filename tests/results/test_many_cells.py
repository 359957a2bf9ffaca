"""What is computed of many cells at once is what one after the other would give, to the last digit."""

import numpy as np

import simulated_runs as simulated
from inferometer.results import drift, stats
from inferometer.results.estimates import Series, estimate
from inferometer.results.estimates.speed import full_batches


def test_mean_and_variance_are_numpys():
    rng = np.random.default_rng(3)
    for count in (2, 3, 7, 8, 9, 40, 129, 1000):
        values = rng.lognormal(0, 3, count)
        assert stats.mean_of(values) == np.mean(values)
        assert stats.variance_of(values) == np.var(values, ddof=1)


def test_percentiles_of_rounds_with_other_numbers_of_batches():
    cell = simulated.cell()
    records = [
        simulated.record(cell, number, 1000.0 + 7 * number, loops=loops, noise=0.1, seed=number)
        for number, loops in enumerate((4, 9, 4, 2))
    ]
    good = [((0, record.round), record) for record in records]
    found = estimate(good, cell)["series"]
    for place, record in enumerate(records):
        batches = full_batches(record)
        assert found["latency_batch"].logs[place] == np.log(batches.mean())
        for level in (50, 90, 99):
            assert found[f"p{level}"].logs[place] == np.log(np.percentile(batches, level))


def test_noise_of_cells_that_miss_rounds():
    rng = np.random.default_rng(4)
    series, frameworks = {}, {}
    for number in range(40):
        rounds = [r for r in range(6) if number % 7 or r != number % 6]
        series[f"c{number}"] = Series(tuple((0, r) for r in rounds), tuple(rng.normal(0, 0.01, len(rounds))))
        frameworks[f"c{number}"] = f"f{number % 12}"  # of half of them all cells have all rounds
    found = drift.estimate(series, frameworks)
    effects, share = _effects(series, frameworks)
    assert list(found.variances) == list(series)
    for cell, one in series.items():
        rest = np.array([x - effects[key] for key, x in zip(one.keys, one.logs, strict=True)])
        assert found.variances[cell] == (rest.var(ddof=1) / share, len(rest) - 1)


def _effects(series, frameworks):
    """Return the rounds' common effects, framework by framework and round by round."""
    centred = {}
    for cell, one in series.items():
        rounds = centred.setdefault(frameworks[cell], {})
        for key, x in zip(one.keys, one.logs, strict=True):
            rounds.setdefault(key, []).append(x - np.mean(one.logs))
    means = {name: {key: np.mean(v) for key, v in rounds.items()} for name, rounds in centred.items()}
    keys = {key for rounds in means.values() for key in rounds}
    return {
        key: np.mean([rounds[key] for rounds in means.values() if key in rounds]) for key in keys
    }, 1 - 1 / len(means)
