"""Contents as points: features, and a plane to look at them in."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from dcm_helpers.config import require
from dcm_helpers.shapes import Contents, Float

Features = Literal["flattened", "mean slot"]
FEWEST_FOR_UMAP = 5
"""UMAP needs neighbors; fewer points are drawn by their principal components."""


def features(contents: Contents, kind: Features = "flattened") -> Float[np.ndarray, "B F"]:
    """One vector per content, every coordinate standardized over the contents.

    Args:     kind  'flattened': all slots side by side, so that slot order matters; 'mean slot': their average
    """
    values = contents.flatten(1) if kind == "flattened" else contents.mean(1)
    array = values.double().cpu().numpy()
    spread = array.std(0)
    return (array - array.mean(0)) / np.where(spread > 0, spread, 1)


def principal_plane(points: Float[np.ndarray, "B F"]) -> Float[np.ndarray, "B 2"]:
    """The points on their first two principal components."""
    centered = points - points.mean(0)
    left, singular, _ = np.linalg.svd(centered, full_matrices=False)
    plane = (left * singular)[:, :2]
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def plane(points: Float[np.ndarray, "B F"], seed: int = 0) -> tuple[Float[np.ndarray, "B 2"], str]:
    """The points in a plane to look at: UMAP, or principal components where there are too few for it.

    UMAP keeps neighborhoods and tears everything else: distances between clusters, and their sizes, mean nothing.

    Returns:  positions, and the method's name
    """
    require(len(points) > 0, "there are no contents to draw; run stage 2 first")
    if len(points) < FEWEST_FOR_UMAP:
        return principal_plane(points), "PCA"
    from umap import UMAP  # slow to import, and only needed here

    neighbors = min(15, len(points) - 1)
    # with so few points its spectral start is not defined
    init = "spectral" if len(points) > 15 else "random"
    model = UMAP(n_neighbors=neighbors, init=init, random_state=seed, n_jobs=1)
    return model.fit_transform(points), "UMAP"


def neighbor_agreement(
    points: Float[np.ndarray, "B F"], labels: Sequence[str], shuffles: int = 1000, seed: int = 0
) -> dict[str, float]:
    """How often a point's nearest neighbor has its label, and whether that is more often than by chance.

    Returns:  ``agreement`` and what ``chance`` gives on average, both as shares of points, and ``p``: the share of
              shuffled labelings, the real one included, that agree at least as often
    """
    if len(points) < 2:
        return {"agreement": 0.0, "chance": 0.0, "p": 1.0}
    squares = (points**2).sum(1)
    distances = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(1)
    _, codes = np.unique(np.array(labels), return_inverse=True)
    agreement = float((codes[nearest] == codes).mean())
    random = np.random.default_rng(seed)
    drawn = np.array(
        [(mixed[nearest] == mixed).mean() for mixed in (random.permutation(codes) for _ in range(shuffles))]
    )
    p = (1 + (drawn >= agreement - 1e-12).sum()) / (shuffles + 1)
    return {"agreement": agreement, "chance": float(drawn.mean()), "p": float(p)}
