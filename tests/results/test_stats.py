import math

import numpy as np
import pytest

from inferometer.results import stats


def test_t_interval_by_hand():
    assert stats.t_quantile(0.95, 2) == pytest.approx(4.302653)
    assert stats.reach_of_mean([1.0, 2.0, 3.0]) == pytest.approx(4.302653 / math.sqrt(3))
    assert stats.reach_of_mean([1.0]) is None
    assert stats.around(10.0, None) == (None, None)


def test_welch_against_scipy():
    from scipy.stats import ttest_ind

    random = np.random.default_rng(1)
    a, b = random.normal(size=5), random.normal(1, 3, size=8)
    assert stats.welch(a, b).p == pytest.approx(ttest_ind(a, b, equal_var=False).pvalue)


def test_paired_against_scipy():
    from scipy.stats import ttest_1samp

    values = [0.1, 0.2, -0.05, 0.3]
    assert stats.paired(values).p == pytest.approx(ttest_1samp(values, 0).pvalue)


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
    assert stats.paired([0.1, 0.1]).p == pytest.approx(0.0)
    assert stats.paired([0.0, 0.0]).p == 1.0


def test_regression_by_hand():
    line = stats.regress([1, 2, 3], [2, 4, 9])
    assert (line.slope, line.intercept) == (pytest.approx(3.5), pytest.approx(-2.0))
    assert line.r2 == pytest.approx(0.9423, abs=1e-4)
    assert stats.regress([1, 1], [1, 2]) is None
    assert stats.regress([1, 2], [5, 5]).r2 == 1.0
