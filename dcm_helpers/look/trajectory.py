"""The way that optimization takes through content space: recorded while it runs, measured, and laid in a plane.

A point of a trajectory is a content with its slots side by side, F = K D coordinates in embedding units.
"""

import torch

from dcm_helpers.errors import require
from dcm_helpers.shapes import Content, Float, Tensor
from dcm_helpers.watch import Progress


class Recorder:
    """Keeps the contents that optimization passes through, on the CPU in float32.

    >>> recorder = Recorder(every=5)
    >>> results = optimizer.optimize(problems, on_step=recorder)
    """

    def __init__(self, every: int = 1):
        self.every = every
        self.contents: dict[tuple[str, int], dict[int, Content]] = {}
        """By problem id and restart: contents by the number of updates made before them, in order, without step 0."""

    def __call__(self, progress: Progress) -> None:
        """Take in the contents in flight whose step count is a multiple of ``every``."""
        due = [slot for slot, attempt in enumerate(progress.in_flight) if attempt.step % self.every == 0]
        if not due:
            return
        for slot, content in zip(due, progress.contents[due].to("cpu", torch.float32), strict=True):
            attempt = progress.in_flight[slot]
            self.contents.setdefault((attempt.problem.id, attempt.restart), {})[attempt.step] = content

    def points(self, start: Content, problem: str, restart: int = 0) -> Float[Tensor, "S F"]:
        """One recorded trajectory, its start in front.

        Args:     start  where it began, as :func:`dcm_helpers.stm.initial_content` draws it;  problem  its id
        Raises:   InputError if nothing was recorded of it
        """
        recorded = self.contents.get((problem, restart), {})
        require(bool(recorded), f"no step of problem {problem!r}, restart {restart}, was recorded")
        return torch.stack([start.to("cpu", torch.float32), *recorded.values()]).flatten(1)


def travel(points: Float[Tensor, "S F"]) -> dict[str, float]:
    """How far, how straight and in how many dimensions a trajectory runs.

    Few dimensions alone are no sign of structure: of a long random walk in many dimensions the first two components
    hold 76 % of the variance and about 61 hold 99 %, however long it is.

    Returns:  ``length``, the sum of Euclidean step lengths, and ``displacement``, from first to last point, in
              embedding units; ``straightness``, displacement over length, 1 for a straight line;
              ``dimensions_99``, the principal components, of all points about their mean, that hold 99 % of the
              variance; ``share_of_two``, the variance in the first two. The ratios are NaN where nothing moved
    Raises:   InputError for fewer than two points
    Source:   Li et al., Visualizing the Loss Landscape of Neural Nets (NeurIPS 2018), section 7; PCA 99 % as in
              Progressive Cramming (ICML 2026); random walks: Antognini and Sohl-Dickstein, PCA of High Dimensional
              Random Walks (NeurIPS 2018)
    """
    require(len(points) >= 2, f"a trajectory of {len(points)} points has no steps; expected at least 2")
    points = points.double()
    length = points.diff(dim=0).norm(dim=1).sum()
    displacement = (points[-1] - points[0]).norm()
    centered = points - points.mean(0)
    # the points' products have the same eigenvalues as the coordinates' covariance, of which there are far more
    variances = torch.linalg.eigvalsh(centered @ centered.T).flip(0).clamp(min=0)
    shares = variances.cumsum(0) / variances.sum()
    return {
        "length": length.item(),
        "displacement": displacement.item(),
        "straightness": (displacement / length).item(),
        "dimensions_99": 1 + int((shares < 0.99).sum()),
        "share_of_two": shares[1].item(),
    }


def principal_directions(points: Float[Tensor, "S F"]) -> tuple[Float[Tensor, "2 F"], Float[Tensor, "S 2"]]:
    """The plane in which a trajectory varies most, and the trajectory in it, for drawing the loss around its end.

    Returns:  two orthonormal directions, the one of larger variance first, each pointing from the first point towards
              the last; and every point's coordinates along them in embedding units, the last point at the origin
    Raises:   InputError for fewer than two points
    Source:   Li et al., Visualizing the Loss Landscape of Neural Nets (NeurIPS 2018), section 7.2
    """
    require(len(points) >= 2, f"a trajectory of {len(points)} points spans no plane; expected at least 2")
    exact = points.double()
    _, _, components = torch.linalg.svd(exact - exact.mean(0), full_matrices=False)
    towards = (exact[-1] - exact[0]) @ components[:2].T
    directions = components[:2] * torch.where(towards < 0, -1.0, 1.0)[:, None]
    return directions.to(points.dtype), ((exact - exact[-1]) @ directions.T).to(points.dtype)
