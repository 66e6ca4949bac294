"""Bootstrap intervals: they hold the true figure about 19 times in 20, and figures that are missing are left out.

python -m pytest tests/models/test_statistics.py
"""

import numpy as np
import pytest

from models.statistics import bootstrap, bootstrap_means


def covered(samples, interval, truth):
    low, high = np.array([interval(sample) for sample in samples]).T
    assert (low < high).all()
    return np.mean((low <= truth) & (truth <= high))


@pytest.mark.parametrize(("statistic", "truth"), [(np.mean, 1.0), (np.median, np.log(2))])
def test_the_interval_holds_the_true_figure_in_about_95_of_100_samples(statistic, truth):
    samples = np.random.default_rng(0).exponential(size=(200, 100))
    assert 0.88 <= covered(samples, lambda sample: bootstrap(sample, statistic)[1], truth) <= 0.99


def test_shares_have_intervals_too():
    share, interval = bootstrap(np.arange(1000) < 900, np.mean)
    assert share == 0.9
    assert interval == pytest.approx([0.88, 0.918], abs=0.005)


def test_means_of_many_figures_have_the_intervals_that_each_has_alone():
    values = np.random.default_rng(1).normal(size=(80, 3))
    means, intervals = bootstrap_means(values)
    for i in range(3):
        mean, interval = bootstrap(values[:, i], np.mean)
        np.testing.assert_allclose([means[i], *intervals[i]], [mean, *interval])


def test_episodes_without_a_figure_are_left_out_of_its_mean():
    values = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    means, intervals = bootstrap_means(values)
    np.testing.assert_allclose(means, [2, np.nan])
    assert 1 <= intervals[0, 0] < intervals[0, 1] <= 3
    assert np.isnan(intervals[1]).all()


def test_the_same_values_have_the_same_interval():
    values = np.random.default_rng(2).normal(size=50)
    assert bootstrap(values, np.mean) == bootstrap(values, np.mean)
