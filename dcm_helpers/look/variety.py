"""How varied contents are: between restarts of one pair, over axes, in the spaces they span, and over their slots."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.linalg import orth

from dcm_helpers.errors import require
from dcm_helpers.look.clusters import distances_between, nearest_others
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content, Contents, Float
from dcm_helpers.stats import RESAMPLES


def variance_shares(points: Float[np.ndarray, "B R F"], seed: int = 0) -> dict[str, float]:
    """How much of the variance lies between pairs and how much between the solutions of one pair.

    One-way random effects; sums of squares are pooled over coordinates, which therefore should be of one scale.

    Args:     points  R solutions for each of B pairs
    Returns:  ``within`` and ``between``, variance components per coordinate (``between`` can fall below 0 by chance);
              ``icc``, the share of ``between`` in both: 1 where solutions of one pair are the same, about 0 where they
              are as far apart as those of different pairs; ``low`` and ``high``, its 95 % interval by a bootstrap over
              pairs (too narrow below some ten pairs)
    Raises:   InputError if there are fewer than 2 pairs or fewer than 2 solutions of each
    Source:   ICC(1) of Shrout and Fleiss, Intraclass Correlations (1979)
    """
    B, R, F = points.shape
    require(B >= 2 and R >= 2, f"there are {B} pairs with {R} solutions each; variance shares need 2 of each")
    means = points.mean(1)
    centered = means - means.mean(0)
    products = centered @ centered.T
    residuals = np.square(points - means[:, None]).sum((1, 2))

    def mean_squares(counts: Float[np.ndarray, "N B"]) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        """Between pairs and within them, where every pair is taken as often as it was drawn."""
        squares = counts @ products.diagonal() - np.einsum("nb,bc,nc->n", counts, products, counts) / B
        return R * squares / (B - 1) / F, counts @ residuals / (B * (R - 1)) / F

    def correlation(across: Float[np.ndarray, " N"], within: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        whole = across + (R - 1) * within
        return np.divide(across - within, whole, out=np.zeros_like(whole), where=whole != 0)

    across, within = mean_squares(np.ones((1, B)))
    drawn, drawn_within = mean_squares(np.random.default_rng(seed).multinomial(B, np.full(B, 1 / B), RESAMPLES))
    # a pair drawn twice does not differ from itself: without this factor the samples would center too low
    low, high = np.quantile(correlation(drawn * B / (B - 1), drawn_within), [0.025, 0.975])
    icc = correlation(across, within)
    figures = {"within": within[0], "between": (across[0] - within[0]) / R, "icc": icc[0], "low": low, "high": high}
    return {name: float(figure) for name, figure in figures.items()}


def found_again(points: Float[np.ndarray, "B R F"]) -> Float[np.ndarray, " B"]:
    """How many of each pair's solutions have another of the same pair as the nearest of all others.

    Returns:  for each pair a share; by chance (R - 1) / (B R - 1)
    """
    B, R, F = points.shape
    nearest = nearest_others(distances_between(points.reshape(B * R, F)), 1)[:, 0]
    return (nearest // R == np.arange(B * R) // R).reshape(B, R).mean(1)


def participation_ratio(points: Float[np.ndarray, "B F"]) -> float:
    r"""On how many axes the points vary: (Σ λ)² / Σ λ² over the eigenvalues λ of their covariance.

    Returns:  1 (a line) to B - 1, which also bounds it in any number of coordinates; 0 where nothing varies
    Source:   Gao et al., A Theory of Multineuronal Dimensionality (2017), https://doi.org/10.1101/214262
    """
    centered = points - points.mean(0)
    # trace and squared norm are Σ λ and Σ λ² of the covariance too, up to a common factor
    products = centered @ centered.T
    norm = np.square(products).sum()
    return float(np.trace(products) ** 2 / norm) if norm > 0 else 0.0


def subspace_overlap(one: Content, other: Content) -> float:
    """Mean squared cosine of the principal angles between the spaces that two contents' slots span.

    Returns:  1 for the same space, 0 for orthogonal ones, :func:`expected_overlap` for random ones
    Source:   Björck and Golub, Numerical Methods for Computing Angles between Linear Subspaces (1973)
    """
    bases = [orth(content.detach().double().cpu().numpy().T) for content in (one, other)]
    return float(np.square(bases[0].T @ bases[1]).sum() / min(basis.shape[1] for basis in bases))


def expected_overlap(K: int, D: int) -> float:
    """The mean overlap of random spaces of K dimensions among D."""
    return min(1.0, K / D)


def ablated(content: Content, replacement: Content) -> Contents:
    """The content K times: each time another slot is the replacement's (its start, say)."""
    K = len(content)
    versions, slots = content.repeat(K, 1, 1), torch.arange(K)
    versions[slots, slots] = replacement.to(content)
    return versions


def reordered(content: Content, count: int, *seed: object) -> Contents:
    """The content with its slots in ``count`` random orders, all different from its own.

    Raises:   InputError if there is a single slot
    """
    K = len(content)
    require(K > 1, "a content of 1 slot has no other order; take one with more slots")
    random, own, orders = seeded("order", *seed), torch.arange(K), []
    while len(orders) < count:
        order = torch.randperm(K, generator=random)
        if not torch.equal(order, own):
            orders.append(order)
    return content[torch.stack(orders).to(content.device)]


def gini(values: Sequence[float]) -> float:
    """How concentrated a quantity is: 0 where all have the same, 1 - 1/n where one of n has all.

    Raises:   InputError if a value is negative
    Source:   Gini (1912), in the form of Sen, On Economic Inequality (1973)
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    require(ordered[0] >= 0, f"{ordered[0]} is negative; a share of nothing has no meaning, so raise it to 0 first")
    n, total = len(ordered), ordered.sum()
    return float(2 * (np.arange(1, n + 1) @ ordered) / (n * total) - (n + 1) / n) if total > 0 else 0.0
