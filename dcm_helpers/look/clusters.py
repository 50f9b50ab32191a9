"""Contents as points: features, a plane to look at them in, clusters, and whether labels agree with them by chance.

Every comparison with chance shuffles the labels over the points, which keeps how often each label occurs.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from dcm_helpers.errors import require
from dcm_helpers.shapes import Contents, Float, Int

Summary = Literal["flattened", "mean slot", "slot order ignored"]
Features = Literal[Summary, "directions, flattened", "directions, mean slot", "directions, slot order ignored"]
SUMMARIES: dict[Summary, Callable[[Contents], Float[torch.Tensor, "B F"]]] = {
    "flattened": lambda slots: slots.flatten(1),
    "mean slot": lambda slots: slots.mean(1),
    "slot order ignored": lambda slots: torch.cat([slots.mean(1), slots.std(1, correction=0)], 1),
}
FEWEST_FOR_UMAP = 5
"""UMAP needs neighbors; fewer points are drawn by their principal components."""
SMALLEST_CLUSTER = 5
"""Points that a cluster has at least."""
CLUSTER_AXES = 10
"""Axes that points are reduced to before clusters are sought; more than a plane has, so that less is torn."""
POINTS_AT_ONCE = 1024
"""Points whose cosines with all others are held at once."""
ROUNDING = 1e-12
"""Differences up to this, among numbers of the order of 1, are rounding."""


def features(contents: Contents, kind: Features = "flattened") -> Float[np.ndarray, "B F"]:
    """One vector per content, every coordinate standardized over the contents; constant ones are 0.

    Args:     kind  'flattened': all slots side by side, so that slot order matters; 'mean slot': their average; 'slot
              order ignored': average and standard deviation over slots; each as well with 'directions, ' before it,
              where all slots are scaled to unit norm first
    """
    slots = contents.double().cpu()
    if kind.startswith("directions, "):
        slots = torch.nn.functional.normalize(slots, dim=2)
    array = SUMMARIES[kind.removeprefix("directions, ")](slots).numpy()
    spread = array.std(0)
    varies = spread > ROUNDING * np.abs(array).max(initial=0)
    return np.where(varies, array - array.mean(0), 0) / np.where(varies, spread, 1)


def principal_axes(points: Float[np.ndarray, "B F"], axes: int) -> Float[np.ndarray, "B axes"]:
    """The points on their first principal components; zeros stand for components that so few points do not have."""
    left, singular, _ = np.linalg.svd(points - points.mean(0), full_matrices=False)
    places = (left * singular)[:, :axes]
    return np.pad(places, ((0, 0), (0, axes - places.shape[1])))


def umap_axes(points: Float[np.ndarray, "B F"], axes: int, min_dist: float, seed: int) -> Float[np.ndarray, "B axes"]:
    """The points on the axes of UMAP, with at most 15 neighbors.

    Args:     min_dist  how close points may be packed: 0 for clusters, 0.1 for drawings
    Source:   McInnes et al., UMAP (2018), https://arxiv.org/abs/1802.03426
    """
    from umap import UMAP  # slow to import, and only needed here

    # with so few points its spectral start is not defined
    init = "spectral" if len(points) > 15 else "random"
    neighbors = min(15, len(points) - 1)
    model = UMAP(n_neighbors=neighbors, n_components=axes, min_dist=min_dist, init=init, random_state=seed, n_jobs=1)
    return model.fit_transform(points)


def plane(points: Float[np.ndarray, "B F"], seed: int = 0) -> tuple[Float[np.ndarray, "B 2"], str]:
    """The points in a plane to look at: UMAP, or principal components where there are too few for it.

    UMAP keeps neighborhoods and tears everything else: distances between clusters, and their sizes, mean nothing.

    Returns:  positions, and the method's name
    """
    require(len(points) > 0, "there are no contents to draw; run stage 2 first")
    if len(points) < FEWEST_FOR_UMAP:
        return principal_axes(points, 2), "PCA"
    return umap_axes(points, 2, 0.1, seed), "UMAP"


def cluster_labels(
    points: Float[np.ndarray, "B F"], seed: int = 0, reduce: Literal["UMAP", "PCA"] = "UMAP"
) -> tuple[Int[np.ndarray, " B"], str]:
    """Clusters of the points: HDBSCAN on ten axes, never on the plane that is drawn.

    UMAP pulls even noise into clumps, so the number of clusters proves nothing; :func:`label_tests` does.

    Returns:  a cluster's number for every point, -1 for those in none (all, where there are fewer than
              SMALLEST_CLUSTER), and the name of the reduction
    Source:   Campello et al., Density-Based Clustering Based on Hierarchical Density Estimates (PAKDD 2013); order of
              the steps: https://umap-learn.readthedocs.io/en/latest/clustering.html
    """
    method = "PCA" if len(points) < FEWEST_FOR_UMAP else reduce
    if len(points) < SMALLEST_CLUSTER:
        return np.full(len(points), -1), method
    axes = min(CLUSTER_AXES, len(points) - 2)
    reduced = umap_axes(points, axes, 0.0, seed) if method == "UMAP" else principal_axes(points, axes)
    return HDBSCAN(min_cluster_size=SMALLEST_CLUSTER, copy=True).fit_predict(reduced), method


def against_chance(
    measure: Callable[[Int[np.ndarray, " B"]], float],
    labels: Sequence[str],
    shuffles: int,
    seed: int,
    within: Sequence[str] = (),
) -> dict[str, float]:
    """A measure of labels beside the same measure of shuffled ones.

    Args:     within  a stratum of every point; labels are shuffled among the points of one stratum, so that whatever
              strata explain is chance, too; none takes all points for one
    Returns:  ``value``; ``chance``, the mean over shuffles; ``low`` and ``high``, between which 95 % of them lie; and
              ``p``: the share of labelings, the real one included, that reach the value
    """
    _, codes = np.unique(np.array(labels), return_inverse=True)
    value = measure(codes)
    random = np.random.default_rng(seed)
    _, strata = np.unique(np.array(within or [""] * len(codes)), return_inverse=True)
    inside = np.argsort(strata, kind="stable")

    def shuffled() -> Int[np.ndarray, " B"]:
        """The labels, each moved to a random place of its stratum."""
        moved = np.empty_like(codes)
        moved[inside] = codes[np.lexsort((random.random(len(codes)), strata))]
        return moved

    drawn = np.array([measure(shuffled()) for _ in range(shuffles)])
    low, high = np.quantile(drawn, [0.025, 0.975])
    p = (1 + (drawn >= value - ROUNDING).sum()) / (shuffles + 1)
    chance = drawn.mean()
    return {"value": float(value), "chance": float(chance), "low": float(low), "high": float(high), "p": float(p)}


def distances_between(points: Float[np.ndarray, "B F"]) -> Float[np.ndarray, "B B"]:
    """Euclidean distances between all points."""
    return squareform(pdist(points))


def nearest_others(distances: Float[np.ndarray, "B B"], count: int) -> Int[np.ndarray, "B k"]:
    """Every point's nearest other points, the nearest first: ``count`` of them, or as many as there are."""
    apart = distances + np.diag(np.full(len(distances), np.inf))
    return apart.argsort(1, kind="stable")[:, : min(count, len(distances) - 1)]


def nearest_by_cosine(
    points: Float[np.ndarray, "B F"], count: int
) -> tuple[Int[np.ndarray, "B k"], Float[np.ndarray, "B k"]]:
    """Every point's nearest other points by direction, the nearest first, and their cosines.

    Computed in blocks, so that ten thousand points fit.
    """
    count = min(count, len(points) - 1)
    if count < 1:
        return np.zeros((len(points), 0), int), np.zeros((len(points), 0))
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    units = (points / np.where(norms > 0, norms, 1)).astype(np.float32)
    nearest, cosines = [], []
    for start in range(0, len(units), POINTS_AT_ONCE):
        block = units[start : start + POINTS_AT_ONCE] @ units.T
        block[np.arange(len(block)), start + np.arange(len(block))] = -np.inf
        some = np.argpartition(-block, count - 1, axis=1)[:, :count]
        order = np.take_along_axis(block, some, 1).argsort(1)[:, ::-1]
        nearest.append(np.take_along_axis(some, order, 1))
        cosines.append(np.take_along_axis(block, nearest[-1], 1))
    return np.concatenate(nearest), np.concatenate(cosines)


def neighbor_accuracy(neighbors: Int[np.ndarray, "B k"], codes: Int[np.ndarray, " B"]) -> float:
    """The share of points whose neighbors name their label by majority; among equals, the nearest one decides."""
    if neighbors.shape[1] == 0:
        return 0.0
    # no two sums of different powers of 2 are equal, and all together they are less than a vote
    weights = 1 + 0.5 ** np.arange(2, neighbors.shape[1] + 2)
    votes = (weights[:, None] * np.eye(codes.max() + 1)[codes[neighbors]]).sum(1)
    return float((votes.argmax(1) == codes).mean())


def neighbor_agreement(
    points: Float[np.ndarray, "B F"], labels: Sequence[str], shuffles: int = 1000, seed: int = 0
) -> dict[str, float]:
    """How often a point's nearest neighbor has its label, and whether that is more often than by chance.

    Returns:  ``agreement`` and what ``chance`` gives on average, both as shares of points, and ``p``: the share of
              shuffled labelings, the real one included, that agree at least as often
    """
    if len(points) < 2:
        return {"agreement": 0.0, "chance": 0.0, "p": 1.0}
    nearest = nearest_others(distances_between(points), 1)
    found = against_chance(partial(neighbor_accuracy, nearest), labels, shuffles, seed)
    return {"agreement": found["value"], "chance": found["chance"], "p": found["p"]}


def silhouette(distances: Float[np.ndarray, "B B"], codes: Int[np.ndarray, " B"]) -> float:
    """Mean silhouette of labels, as scikit-learn's, in a form that can be computed for thousands of shuffles.

    Returns:  -1 to 1; a point with a label of its own counts 0, as do all where there is a single label
    Source:   Rousseeuw, Silhouettes (1987)
    """
    member = np.eye(codes.max() + 1)[codes]
    sizes = member.sum(0)
    if len(sizes) < 2:
        return 0.0
    sums, each = distances @ member, np.arange(len(codes))
    own = sums[each, codes] / np.maximum(sizes[codes] - 1, 1)
    means = sums / sizes
    means[each, codes] = np.inf
    other = means.min(1)
    larger = np.maximum(own, other)
    counted = (sizes[codes] > 1) & (larger > 0)
    return float(np.divide(other - own, larger, out=np.zeros_like(own), where=counted).mean())


def label_tests(
    points: Float[np.ndarray, "B F"],
    labels: Sequence[str],
    clusters: Int[np.ndarray, " B"],
    shuffles: int = 1000,
    seed: int = 0,
    neighbors: int = 5,
    within: Sequence[str] = (),
) -> pd.DataFrame:
    """Whether points of one label lie together: measures of labels on points and on clusters, each beside chance.

    A label that occurs once can be right nowhere; shuffled labels have it too, so comparisons with chance stay fair.

    Args:     clusters  of :func:`cluster_labels`; a point in none counts as a cluster of its own
              neighbors  how many vote in 'kNN accuracy' (every point left out of its own vote)
              within  strata in which labels are shuffled, see :func:`against_chance`
    Returns:  a row for each measure ('silhouette', 'kNN accuracy', 'nearest neighbor agreement', 'ARI', 'AMI'):
              columns measure, value, chance (mean over shuffles), low, high (95 % of shuffles), p (one-sided)
    Source:   Hubert and Arabie, Comparing Partitions (1985) for ARI; Vinh et al., Information Theoretic Measures for
              Clusterings Comparison (JMLR 2010) for AMI
    """
    distances = distances_between(points)
    alone = np.where(clusters < 0, clusters.max() + 1 + np.arange(len(clusters)), clusters)
    measures = {
        "silhouette": partial(silhouette, distances),
        "kNN accuracy": partial(neighbor_accuracy, nearest_others(distances, neighbors)),
        "nearest neighbor agreement": partial(neighbor_accuracy, nearest_others(distances, 1)),
        "ARI": partial(adjusted_rand_score, alone),
        "AMI": partial(adjusted_mutual_info_score, alone),
    }
    return pd.DataFrame(
        [
            {"measure": name, **against_chance(measure, labels, shuffles, seed, within)}
            for name, measure in measures.items()
        ]
    )


def same_against_other(
    points: Float[np.ndarray, "B F"], groups: Sequence[str], shuffles: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Mean distance between points of one group over mean distance between points of different groups.

    Args:     groups  of every point; '' is none, and such a point is other to all
    Returns:  ``ratio``, below 1 where groups lie together; ``chance``, its mean over shuffled groups; ``low`` and
              ``high``, between which 95 % of them lie; ``p``: the share of shuffles, the real groups included, with a
              ratio as small. Where no two points, or all, are of one group: nan, and p 1
    """
    names = [name or f"\0{place}" for place, name in enumerate(groups)]
    one, two = np.triu_indices(len(points), 1)
    distances = pdist(points)
    total, count = distances.sum(), len(distances)
    alike = sum(times * (times - 1) // 2 for times in Counter(names).values())
    if not 0 < alike < count or total == 0:
        return {"ratio": np.nan, "chance": np.nan, "low": np.nan, "high": np.nan, "p": 1.0}

    def closeness(codes: Int[np.ndarray, " B"]) -> float:
        within = distances[codes[one] == codes[two]].sum()
        return -(within / alike) / ((total - within) / (count - alike))

    found = against_chance(closeness, names, shuffles, seed)
    ratios = {"ratio": -found["value"], "chance": -found["chance"], "low": -found["high"], "high": -found["low"]}
    return {**ratios, "p": found["p"]}
