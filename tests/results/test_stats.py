import math

import numpy as np
import pytest

from inferometer.quantiles import t_quantile
from inferometer.results import drift, stats
from inferometer.results.samples import effective_count, effective_counts, percentiles, place_of_bound


def rounds(logs):
    return stats.units(logs, [0] * len(logs))


def test_t_interval_by_hand():
    assert t_quantile(0.95, 2) == pytest.approx(4.302653)
    assert t_quantile(0.95, 1) == pytest.approx(12.706, abs=1e-3)
    with pytest.raises(ValueError, match="0 degrees of freedom"):
        t_quantile(0.95, 0)
    assert stats.reach_of_mean(rounds([1.0, 2.0, 3.0]).moments) == pytest.approx(4.302653 / math.sqrt(3))
    assert stats.reach_of_mean(rounds([1.0]).moments) is None
    assert stats.around(10.0, None) == (None, None)


def test_welch_against_scipy():
    from scipy.stats import ttest_ind

    random = np.random.default_rng(1)
    a, b = random.normal(size=5), random.normal(1, 3, size=8)
    known = [(np.var(x, ddof=1), len(x) - 1) for x in (a, b)]
    spread = drift.unpaired(rounds(a), rounds(b), known)
    assert spread.p == pytest.approx(ttest_ind(a, b, equal_var=False).pvalue)


def test_paired_against_scipy():
    from scipy.stats import ttest_1samp

    values = [0.1, 0.2, -0.05, 0.3]
    assert stats.paired(rounds(values)).p == pytest.approx(ttest_1samp(values, 0).pvalue)


def test_false_discovery_against_scipy():
    from scipy.stats import false_discovery_control

    ps = [0.01, 0.8, 0.03, 0.04, 0.5]
    assert stats.false_discovery(ps) == pytest.approx(false_discovery_control(ps).tolist())
    assert stats.false_discovery([]) == []


def test_prior_finds_the_common_variance():
    random = np.random.default_rng(2)
    variances = 4.0 * random.chisquare(2, size=2000) / 2  # all cells share the variance 4
    prior = stats.fit_prior(variances, [2.0] * 2000)
    assert prior.variance == pytest.approx(4.0, rel=0.1)
    assert prior.moderate(0.01, 2)[0] == pytest.approx(4.0, rel=0.3)


def test_prior_lets_different_cells_differ():
    random = np.random.default_rng(3)
    variances = np.exp(2 * random.normal(size=500)) * random.chisquare(4, size=500) / 4
    prior = stats.fit_prior(variances, [4.0] * 500)
    assert 0 < prior.dof < 5
    variance, dof = prior.moderate(9.0, 4)
    assert prior.variance < variance < 9.0 and dof == pytest.approx(4 + prior.dof)


def test_prior_needs_three_cells_and_never_claims_more_than_there_is():
    assert stats.fit_prior([1.0, 1.0], [2, 2]) == stats.NO_PRIOR
    assert stats.NO_PRIOR.moderate(3.0, 2) == (3.0, 2)
    prior = stats.fit_prior([1.0, 1.1, 0.9, 1.0], [2.0] * 4, total_dof=2)
    assert prior.moderate(1.0, 2)[1] == 2


def test_a_difference_without_any_spread_is_certain():
    assert stats.paired(rounds([0.1, 0.1])).p == pytest.approx(0.0)
    assert stats.paired(rounds([0.0, 0.0])).p == 1.0


def test_regression_by_hand():
    line = stats.regress([1, 2, 3], [2, 4, 9])
    assert (line.slope, line.intercept) == (pytest.approx(3.5), pytest.approx(-2.0))
    assert line.r2 == pytest.approx(0.9423, abs=1e-4)
    assert stats.regress([1, 1], [1, 2]) is None
    assert stats.regress([1, 2], [5, 5]) is None


def test_what_repeats_where_runs_were_pooled_are_the_runs():
    """Three rounds of one run and one of another: two values, weighted by their rounds."""
    found = stats.units([1.0, 2.0, 3.0, 6.0], [0, 0, 0, 1])
    assert found.values.tolist() == [2.0, 6.0] and found.mean == pytest.approx(3.0)
    assert found.variance == pytest.approx(8.0) and found.count == pytest.approx(1.6)
    assert stats.reach_of_mean(found.moments) == pytest.approx(12.7062 * math.sqrt(5.0), rel=1e-4)


def bound_of_p99(samples):
    place = place_of_bound(len(samples), 0.99, effective_count(samples))
    return None if place is None else np.sort(samples)[place]


@pytest.mark.parametrize(("confidence", "needed"), [(0.95, 299), (0.99, 459)])
def test_a_p99_takes_as_many_samples_as_early_stopping_says(confidence, needed):
    assert place_of_bound(needed, 0.99, float(needed), confidence) == needed - 1
    assert place_of_bound(needed - 1, 0.99, float(needed - 1), confidence) is None


def test_the_bound_of_a_quantile_holds_as_often_as_it_says():
    random = np.random.default_rng(5)
    bounds = [bound_of_p99(random.exponential(size=1000)) for _ in range(2000)]
    assert 0.95 <= np.mean(np.array(bounds) >= -math.log(0.01)) <= 0.98


def test_values_like_the_one_before_count_less():
    random = np.random.default_rng(6)
    noise = random.normal(size=20_000)
    values = noise.copy()
    for place in range(1, len(values)):
        values[place] = 0.8 * values[place - 1] + noise[place]
    assert effective_count(noise) == pytest.approx(20_000, rel=0.05)
    assert effective_count(values) == pytest.approx(20_000 / 9, rel=0.1)
    assert effective_count([0.1] * 300) == 300
    assert bound_of_p99(values[:1000]) is None


@pytest.mark.filterwarnings("error")
def test_values_beyond_what_can_be_squared_tell_as_much_as_one():
    assert effective_counts(np.array([[1e300, 1e299, 3e300, 1.0], [1.0, 2.0, 1.0, 2.0]])) == [1.0, 4.0]


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11, 100, 101, 299])
def test_percentiles_are_those_of_numpy_to_the_last_bit(count):
    rows = np.exp(np.random.default_rng(count).normal(size=(5, count)))
    assert np.array_equal(percentiles(rows, (50, 90, 99)), np.percentile(rows, (50, 90, 99), axis=1))


@pytest.mark.filterwarnings("error")
def test_a_percentile_beside_what_is_infinite_is_infinite():
    rows = np.array([[1.0, 2.0, math.inf, math.inf, math.inf]])
    assert [float(found[0]) for found in percentiles(rows, (0, 25, 30, 45, 75, 99))] == [
        1,
        2,
        *[math.inf] * 4,
    ]


@pytest.mark.parametrize(
    "prior", [stats.NO_PRIOR, stats.Prior(0.3, 4.0, 100.0), stats.Prior(0.3, math.inf, 50.0)]
)
@pytest.mark.parametrize("count", [2, 3, 9, 10, 33])
def test_many_pairs_are_judged_as_one_to_the_last_bit(count, prior):
    rows = np.random.default_rng(count).normal(size=(20, count))
    rows[3] = 0.0
    rows[4] = 0.5
    found = stats.paired_rows(rows, prior)
    alone = [stats.paired(rounds(row), prior) for row in rows]
    assert found.log_ratios.tolist() == [one.log_ratio for one in alone]
    assert found.errors.tolist() == [one.error for one in alone]
    assert found.ps.tolist() == [one.p for one in alone]
    assert {found.dof} == {one.dof for one in alone}


@pytest.mark.parametrize("count", [3, 10, 33, 299])
def test_many_rows_are_worth_what_each_is_alone_to_the_last_bit(count):
    rows = np.exp(np.cumsum(np.random.default_rng(count).normal(size=(20, count)), axis=1) / 10)
    rows[3] = 0.1
    assert effective_counts(rows) == [effective_count(row) for row in rows]
    centred = rows[0] - rows[0].sum() / count
    correlation = min(max(float(centred[1:] @ centred[:-1]) / float(centred @ centred), 0.0), 0.99)
    assert effective_count(rows[0]) == max(1.0, count * (1 - correlation) / (1 + correlation))
