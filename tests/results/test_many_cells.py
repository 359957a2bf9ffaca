"""What is computed of many cells at once is what one after the other would give, to the last digit."""

import numpy as np

import simulated_runs as simulated
from inferometer.results import drift, stats
from inferometer.results.estimates import Repeated, Series, estimate, estimate_all, full_batches


def test_mean_and_variance_are_numpys():
    rng = np.random.default_rng(3)
    for count in (2, 3, 7, 8, 9, 40, 129, 1000):
        values = rng.lognormal(0, 3, count)
        assert stats.mean_of(values) == np.mean(values)
        assert stats.variance_of(values) == np.var(values, ddof=1)


def test_moments_of_many_series_are_those_of_each():
    rng = np.random.default_rng(5)
    for count in (1, 2, 7, 10, 40):
        keys = tuple((0, number) for number in range(count))
        several = [Series(keys, tuple(rng.normal(3, 0.01, count))) for _ in range(33)]
        pooled = Series(tuple((number % 2, number) for number in range(count)), several[0].logs)
        repeated = [Repeated(series) for series in (*several, pooled)]
        Repeated.compute(repeated)
        for one in repeated:
            assert one.estimate("s", "rounds") == one.series.estimate("s", "rounds")
            assert one.mean == one.series.units.mean


def test_cells_estimated_together_are_those_estimated_alone():
    goods = []
    for number in range(9):
        cell = simulated.cell(f"framework-{number}", batch_size=8 * (1 + number % 3))
        rounds = range(0 if number == 8 else 2 + number % 4)
        records = [
            simulated.record(cell, at, 900.0 + at, loops=2 + at % 2, noise=0.05, seed=at) for at in rounds
        ]
        goods.append(([((0, record.round), record) for record in records], cell))
    assert estimate_all(goods) == [estimate(*one) for one in goods]


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
