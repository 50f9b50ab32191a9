"""Estimates against cases whose answer is known, and their intervals against how often they cover it."""

import math

import numpy as np
import pytest
from scipy import stats

from dcm_helpers.stats import Estimate, correlation, mean, median, ratio, share, share_difference


def covered(make, truth: float, trials: int = 200) -> float:
    """How often the interval of an estimate holds the truth."""
    found = [make(np.random.default_rng(seed)) for seed in range(trials)]
    return float(np.mean([each.low <= truth <= each.high for each in found]))


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    assert 0.9 < covered(lambda r: mean(r.normal(3, 1, 12)), 3) <= 1
    assert 0.9 < covered(lambda r: share(r.random(30) < 0.8), 0.8) <= 1
    assert 0.9 < covered(lambda r: ratio(*(np.exp(r.normal(m, 0.3, 15)) for m in (1, 0.5))), math.e**0.5) <= 1


def test_paired_intervals_cover_the_truth(monkeypatch):
    monkeypatch.setattr("dcm_helpers.stats.RESAMPLES", 200)
    assert 0.85 < covered(lambda r: median(r.normal(3, 1, 25)), 3, trials=100) <= 1

    def difference(random):
        first = random.random(40) < 0.7
        second = np.where(random.random(40) < 0.5, first, random.random(40) < 0.4)
        return share_difference(first, second)[0]

    assert 0.9 < covered(difference, 0.7 - (0.5 * 0.7 + 0.5 * 0.4)) <= 1


def test_a_ratio_is_paired_and_geometric():
    same = ratio([1, 10, 100], [2, 20, 200])
    assert same.value == pytest.approx(0.5) and same.high - same.low < 1e-9, "pairs differ alike, so nothing is unsure"
    assert ratio([4, 1], [1, 4]).value == pytest.approx(1)


def test_a_ratio_of_counts_from_one_up():
    """Steps are counted from 1 up where they are compared."""
    found = ratio([2, 4, 8, 16], [4, 8, 16, 32])
    assert found.value == pytest.approx(0.5) and found.low == pytest.approx(0.5)
    wide = ratio([2, 32], [32, 2])
    assert wide.value == pytest.approx(1.0) and wide.low < 1e-3 and wide.high > 1e3
    assert ratio([4], [8]).high == float("inf")


def test_paired_shares_and_mcnemar():
    one, other = [True] * 10, [True] * 4 + [False] * 6
    difference, p = share_difference(one, other)
    assert difference.value == pytest.approx(0.6) and difference.low > 0 and p == pytest.approx(2 * 0.5**6)
    nothing, p = share_difference(one, one)
    assert nothing.value == 0 and nothing.low < 0 < nothing.high and p == 1


def test_correlation_of_ranks():
    values = np.arange(20.0)
    rising = correlation(values, values**3)
    assert rising.value == pytest.approx(1) and rising.low == pytest.approx(1)
    random = np.random.default_rng(1)
    ties = random.integers(4, size=30), random.integers(4, size=30)
    assert correlation(*ties).value == pytest.approx(stats.spearmanr(*ties).statistic)
    unrelated = correlation(values, np.random.default_rng(0).permutation(values))
    assert unrelated.low < 0 < unrelated.high


def test_one_value_has_no_interval_and_text_says_so():
    alone = mean([2.0])
    assert (alone.value, alone.low, alone.high, alone.n) == (2.0, -math.inf, math.inf, 1)
    assert Estimate(0.125, 0.1, 0.2, 8).text(percent=True) == "12.5 % (10 to 20), n=8"
    assert Estimate(1.0444, 0.78, 1.4, 32).text() == "1.04 (0.78 to 1.4), n=32"
