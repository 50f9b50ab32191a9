"""Variance shares, dimensions, overlaps and changes of slots, on cases with a known answer."""

import numpy as np
import pytest
import torch

from dcm_helpers.errors import InputError
from dcm_helpers.look import (
    ablated,
    expected_overlap,
    found_again,
    gini,
    participation_ratio,
    reordered,
    subspace_overlap,
    variance_shares,
)


def solutions(icc, pairs=40, restarts=4, coordinates=50, seed=0):
    """Points of variance 1, of which ``icc`` lies between pairs."""
    random = np.random.default_rng(seed)
    between = random.normal(size=(pairs, 1, coordinates))
    return icc**0.5 * between + (1 - icc) ** 0.5 * random.normal(size=(pairs, restarts, coordinates))


@pytest.mark.parametrize("icc", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("coordinates", [1, 50])
def test_a_planted_correlation_is_recovered(icc, coordinates):
    found = variance_shares(solutions(icc, coordinates=coordinates))
    assert found["low"] <= icc <= found["high"] and found["low"] < found["icc"] < found["high"]
    if coordinates > 1:
        assert found["icc"] == pytest.approx(icc, abs=0.05)
        assert found["within"] == pytest.approx(1 - icc, abs=0.05)
        assert found["between"] == pytest.approx(icc, abs=0.05)


def test_noise_has_no_correlation_on_average():
    noise = [variance_shares(solutions(0.0, pairs=12, restarts=2, coordinates=20, seed=seed)) for seed in range(40)]
    assert np.mean([each["icc"] for each in noise]) == pytest.approx(0, abs=0.03)
    assert np.mean([each["low"] <= 0 <= each["high"] for each in noise]) > 0.8


def test_equal_restarts_correlate_fully():
    found = variance_shares(np.repeat(solutions(0.5, restarts=1), 3, axis=1))
    assert [found["icc"], found["low"], found["high"]] == pytest.approx([1, 1, 1])
    assert found["within"] == pytest.approx(0)
    assert variance_shares(np.zeros((3, 2, 4)))["icc"] == 0


def test_variance_shares_equal_the_analysis_of_variance():
    """One coordinate: mean squares by their textbook formulas; many: sums of squares added up."""
    points = solutions(0.4, pairs=6, restarts=3, coordinates=2)
    means = points.mean(1)
    across = 3 * means.var(0, ddof=1)
    within = points.var(1, ddof=1).mean(0)
    for chosen in ([0], [1], [0, 1]):
        a, w = across[chosen].sum(), within[chosen].sum()
        assert variance_shares(points[:, :, chosen])["icc"] == pytest.approx((a - w) / (a + 2 * w))


@pytest.mark.parametrize("shape", [(1, 3, 4), (3, 1, 4)])
def test_variance_shares_need_pairs_and_restarts(shape):
    with pytest.raises(InputError, match=f"{shape[0]} pairs with {shape[1]} solutions"):
        variance_shares(np.zeros(shape))


def test_participation_ratio_counts_axes():
    random = np.random.default_rng(0)
    assert participation_ratio(random.normal(size=(1500, 5))) == pytest.approx(5, abs=0.1)
    line = np.outer(random.normal(size=30), random.normal(size=8)) + 7
    assert participation_ratio(line) == pytest.approx(1)
    corners = np.vstack([np.eye(4), -np.eye(4)])
    assert participation_ratio(corners) == pytest.approx(4)
    assert participation_ratio(random.normal(size=(10, 5000))) == pytest.approx(9, abs=0.1), "bounded by the points"
    for count in range(1, 7):
        assert 0 <= participation_ratio(random.normal(size=(count, 5))) <= max(count - 1, 0) + 1e-9


def test_overlaps_of_spaces():
    random = torch.Generator().manual_seed(0)
    one, mixing = torch.randn(4, 40, generator=random), torch.randn(4, 4, generator=random)
    assert subspace_overlap(one, one) == pytest.approx(1)
    assert subspace_overlap(one, mixing @ one) == pytest.approx(1), "the space counts, not the slots that span it"
    axes = torch.eye(40)
    assert subspace_overlap(axes[:4], axes[4:8]) == 0 and subspace_overlap(axes[:4], axes[2:6]) == pytest.approx(0.5)
    drawn = [subspace_overlap(*torch.randn(2, 4, 40, generator=random)) for _ in range(100)]
    assert np.mean(drawn) == pytest.approx(expected_overlap(4, 40), abs=0.01) and expected_overlap(4, 40) == 0.1
    assert subspace_overlap(*torch.randn(2, 5, 3, generator=random)) == pytest.approx(expected_overlap(5, 3))


def test_every_slot_is_replaced_once():
    content, start = torch.arange(12.0).view(4, 3), -torch.arange(12.0).view(4, 3) - 1
    versions = ablated(content, start)
    assert versions.shape == (4, 4, 3)
    for slot, version in enumerate(versions):
        others = [index for index in range(4) if index != slot]
        assert torch.equal(version[slot], start[slot]) and torch.equal(version[others], content[others])
    assert torch.equal(content, torch.arange(12.0).view(4, 3))


@pytest.mark.parametrize("K", [2, 3, 32])
def test_reordered_slots_are_the_same_in_another_order(K):
    content = torch.randn(K, 3, generator=torch.Generator().manual_seed(0))
    versions = reordered(content, 20, "problem", 1)
    assert versions.shape == (20, K, 3) and torch.equal(versions, reordered(content, 20, "problem", 1))
    assert not any(torch.equal(version, content) for version in versions)
    for version in versions:
        assert torch.equal(version[version[:, 0].argsort()], content[content[:, 0].argsort()])
    assert K == 2 or not torch.equal(versions, reordered(content, 20, "problem", 2))


def test_a_single_slot_has_no_other_order():
    with pytest.raises(InputError, match="1 slot"):
        reordered(torch.zeros(1, 3), 5, "problem")


def test_gini_is_zero_for_equal_shares_and_one_for_all_in_one():
    assert gini([2.0] * 7) == pytest.approx(0) and gini([0.0, 0.0]) == 0
    assert gini([0.0] * 99 + [5.0]) == pytest.approx(0.99)
    assert gini([1.0, 3.0]) == gini([3.0, 1.0]) == pytest.approx(0.25)
    with pytest.raises(InputError, match="negative"):
        gini([-0.1, 1.0])


def test_solutions_of_a_pair_are_found_again_as_often_as_they_lie_together():
    assert (found_again(solutions(0.9)) == 1).all()
    chance = 3 / (40 * 4 - 1)
    at_random = np.mean([found_again(solutions(0.0, seed=seed)).mean() for seed in range(20)])
    assert at_random == pytest.approx(chance, abs=0.01)
    apart = np.array(
        [[[0.0], [1.0]], [[10.0], [30.0]], [[11.0], [31.0]]]
    )  # the first pair lies together, others do not
    assert found_again(apart).tolist() == [1, 0, 0]
