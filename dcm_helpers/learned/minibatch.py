"""What both drivers share: minibatches of shuffles, and Adam's state at its beginning."""

from collections.abc import Iterator

import torch

from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Tensor

BATCH = 16
"""Items of a minibatch."""


def minibatches(count: int, size: int, *seed: str | int) -> Iterator[list[int]]:
    """Places of items, without end: minibatches of one size, each shuffle's rest dropped.

    Args:     seed  what shuffles depend on, beside the step at which they are made
    """
    waiting, size, step = [], min(size, count), 0
    while True:
        if len(waiting) < size:
            waiting = torch.randperm(count, generator=seeded(*seed, step)).tolist()
        chosen, waiting = waiting[:size], waiting[size:]
        yield chosen
        step += 1


def begun(latent: Tensor) -> dict[str, Tensor]:
    """What is optimized, with Adam's averages at zero."""
    return {"latent": latent, "exp_avg": torch.zeros_like(latent), "exp_avg_sq": torch.zeros_like(latent)}
