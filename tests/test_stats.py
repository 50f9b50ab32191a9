"""Estimates against cases whose answer is known, and their intervals against how often they cover it."""

import math

import numpy as np
import pytest
from scipy import stats

from dcm_helpers.errors import InputError
from dcm_helpers.stats import (
    Estimate,
    correlation,
    crossed_ranks,
    crossed_ratio,
    mean,
    mean_share,
    median,
    partial_correlation,
    ratio,
    ratio_of_sums,
    ratio_seen_mostly,
    share,
    share_difference,
)


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


def test_what_a_third_column_explains_is_no_partial_correlation():
    """Two columns that share nothing but a third, against two that share more."""
    random = np.random.default_rng(0)
    third, shared = random.normal(size=(2, 400))
    apart = [third + 0.5 * random.normal(size=400) for _ in range(2)]
    assert correlation(*apart).low > 0.5
    assert partial_correlation(*apart, third).low < 0.05 < partial_correlation(*apart, third).high + 0.1
    together = [column + shared for column in apart]
    assert partial_correlation(*together, third).low > 0.5
    ranks = [stats.rankdata(column) for column in (*together, third)]
    left = [column - np.polyval(np.polyfit(ranks[2], column, 1), ranks[2]) for column in ranks[:2]]
    assert partial_correlation(*together, third).value == pytest.approx(np.corrcoef(*left)[0, 1])


def test_several_columns_are_held_as_least_squares_on_ranks_hold_them():
    random = np.random.default_rng(1)
    held = random.normal(size=(2, 60))
    both = [held.sum(0) + random.normal(size=60) for _ in range(2)]
    ranks = [stats.rankdata(column) for column in (*both, *held)]
    design = np.stack([np.ones(60), *ranks[2:]], axis=1)
    left = [column - design @ np.linalg.lstsq(design, column)[0] for column in ranks[:2]]
    assert partial_correlation(*both, *held).value == pytest.approx(np.corrcoef(*left)[0, 1])


def test_one_value_has_no_interval_and_text_says_so():
    alone = mean([2.0])
    assert (alone.value, alone.low, alone.high, alone.n) == (2.0, -math.inf, math.inf, 1)
    assert Estimate(0.125, 0.1, 0.2, 8).text(percent=True) == "12.5 % (10 to 20), n=8"
    assert Estimate(1.0444, 0.78, 1.4, 32).text() == "1.04 (0.78 to 1.4), n=32"


def crossed(random, effect, questions=97, exchanges=3, rest=0.25):
    """Steps as the study has them: every question with its own answer and with some others'; spreads as fitted to it.

    Standard deviations of logs: 0.31 between questions, 0.21 between answers, 0.25 of the rest (K=2, until exact).
    """
    orders = [np.arange(questions), *(np.roll(np.arange(questions), shift + 1) for shift in range(exchanges))]
    question, answer = np.tile(np.arange(questions), len(orders)), np.concatenate(orders)
    own = question == answer
    hard, long = random.normal(0, 0.31, questions), random.normal(0, 0.21, questions)
    logs = 3.5 + hard[question] + long[answer] + effect * own + random.normal(0, rest, len(own))
    return np.exp(logs), question, answer, own


def test_the_ratio_of_crossed_texts_has_its_size_and_its_power():
    """Under the null it is 'shown' in 5 % of studies, a ratio of 0.94 in six of ten, one of 0.92 in four of five."""
    null, found, more = (
        [crossed_ratio(*crossed(np.random.default_rng(seed), math.log(effect))) for seed in range(300)]
        for effect in (1.0, 0.94, 0.92)
    )
    assert 0.02 <= np.mean([each.low > 1 or each.high < 1 for each in null]) <= 0.08
    assert 0.45 <= np.mean([each.high < 1 for each in found]) <= 0.7
    assert 0.72 <= np.mean([each.high < 1 for each in more]) <= 0.88
    assert np.mean([each.value for each in found]) == pytest.approx(0.94, abs=0.005)
    assert np.median([ratio_seen_mostly(each) for each in null]) == pytest.approx(0.92, abs=0.01)


def test_ranks_of_crossed_texts_have_their_size_and_bear_a_few_far_values():
    def far(seed, effect):
        random = np.random.default_rng(seed)
        values, *rest = crossed(random, math.log(effect), rest=0.12)
        return (values * np.exp(random.choice([0.0, 1.5], p=[0.97, 0.03], size=len(values))), *rest)

    null = [crossed_ranks(*far(seed, 1.0)) for seed in range(200)]
    by_ranks = np.mean([crossed_ranks(*far(seed, 0.94)) < 0.05 for seed in range(100)])
    by_logs = np.mean([crossed_ratio(*far(seed, 0.94)).p < 0.05 for seed in range(100)])
    assert 0.01 <= np.mean(np.array(null) < 0.05) <= 0.09
    assert by_ranks > by_logs + 0.1


@pytest.mark.parametrize("n", [6, 12, 97])
def test_the_ratio_of_sums_holds_its_ratio_in_nineteen_of_twenty(n):
    """Also where a dozen blocks are all there is, and where the true ratio is 0."""
    for true in (0.0, 0.6):
        found = []
        for seed in range(400):
            random = np.random.default_rng(seed)
            below = random.gamma(5, 2, size=n)
            found.append(ratio_of_sums(true * below + random.normal(scale=6, size=n), below))
        held = np.mean([each.low <= true <= each.high for each in found])
        assert 0.925 <= held <= 0.975
        assert np.mean([(each.p < 0.05) != (each.low > 0 or each.high < 0) for each in found]) == 0
    noise = ratio_of_sums([1.0, 2.0, 3.0], [-1.0, 1.0, 0.5])
    assert (noise.low, noise.high) == (-math.inf, math.inf), "a sum that may be 0 bounds no ratio"


def test_the_ratio_of_crossed_texts_takes_out_rows_and_columns():
    rows, columns = np.divmod(np.arange(16), 4)
    own = rows == columns
    values = np.exp(rows - 2.0 * columns + 0.5 * own)
    assert crossed_ratio(values, rows, columns, own).value == pytest.approx(math.exp(0.5))


def test_one_exchange_in_a_circle_leaves_nothing_to_compare():
    values, question, answer, own = crossed(np.random.default_rng(0), 0.0, exchanges=1)
    with pytest.raises(InputError, match="leave nothing to compare"):
        crossed_ratio(values, question, answer, own)


def test_one_exchange_in_small_circles_is_worth_as_many_values_as_it_has_circles():
    """Answers swapped within blocks of two: each block is one value, and under the null 5 % of studies find any."""
    blocks, shown = 11, []
    question = np.arange(2 * blocks)
    rows, columns = np.tile(question, 2), np.concatenate([question, question ^ 1])
    for seed in range(400):
        random = np.random.default_rng(seed)
        hard, long = random.normal(0, 0.31, 2 * blocks), random.normal(0, 0.21, 2 * blocks)
        values = np.exp(3.5 + hard[rows] + long[columns] + random.normal(0, 0.25, len(rows)))
        found = crossed_ratio(values, rows, columns, rows == columns)
        shown.append(found.p < 0.05)
    assert found.n == blocks and 0.03 <= np.mean(shown) <= 0.075


def test_shares_of_all_or_none_are_not_certain():
    """Twenty-four pairs of which none does something say no more than that few do."""
    none, every, some = (mean_share(values) for values in ([0.0] * 24, [1.0] * 24, [0.0] * 20 + [0.5, 1, 1, 1]))
    assert none == share([False] * 24) and none.high > 0.1 and every.low < 0.9
    assert some.value == pytest.approx(3.5 / 24) and 0 <= some.low < some.value < some.high < 0.35


def test_p_values_are_those_of_the_tests_that_they_name():
    random = np.random.default_rng(5)
    one, other = random.lognormal(0.3, 0.2, 20), random.lognormal(0.1, 0.2, 20)
    assert mean(np.log(one)).p == pytest.approx(stats.ttest_1samp(np.log(one), 0).pvalue)
    assert ratio(one, other).p == pytest.approx(stats.ttest_rel(np.log(one), np.log(other)).pvalue)
    assert correlation(one, other).p == pytest.approx(stats.spearmanr(one, other).pvalue)
    rows, columns = np.repeat(np.arange(20), 2), np.tile([0, 1], 20)
    both = np.stack([one, other], axis=1).ravel()
    crossed = crossed_ratio(both, rows, random.integers(4, size=40), columns == 0)
    assert (crossed.p < 0.05) == (crossed.high < 1 or crossed.low > 1)
    assert mean([2.0, 2.0]).p == 0 and mean([0.0, 0.0]).p == 1 and share([True]).p is None
