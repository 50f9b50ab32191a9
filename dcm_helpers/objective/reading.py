"""What the Generator reads while contents are sought: contents with noise, and its own words in the target's place.

Both depend on a problem, its restart and its step alone, so that no neighbor can change a result.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from dcm_helpers.generator import Generator
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents, Int, Mask, Tensor, TokenIds
from dcm_helpers.stm import Layout, repeated_share

Place = tuple[str, int, int, int]
"""A problem's id, its restart and its step."""
STUCK = 0.3
"""Where the Generator's own words repeat more than this, none of them are read: it would read on what it repeats."""


def noise(contents: Contents, value: float, places: Sequence[Place]) -> Contents:
    """Contents with noise drawn anew at every step, whose norm is a share of each slot's own.

    What is measured and kept is the content itself, without noise.
    """
    drawn = torch.stack(
        [torch.randn(contents.shape[1:], generator=seeded("noise", *place), dtype=torch.float64) for place in places]
    )
    directions = (drawn / drawn.norm(dim=2, keepdim=True)).to(contents)
    return contents + value * contents.detach().norm(dim=2, keepdim=True) * directions


def scheduled_linear(step: int, value: float) -> float:
    """Share of target tokens that are still read after so many steps: falls evenly to 0 over ``value`` steps."""
    return max(0.0, 1 - step / value)


def scheduled_exponential(step: int, value: float) -> float:
    """The same, falling to 37 % in ``value`` steps and again in as many."""
    return math.exp(-step / value)


def scheduled_sigmoid(step: int, value: float) -> float:
    """The same, as an inverse sigmoid: k / (k + exp(step / k)), which stays near 1 for a while.

    Source:   Bengio et al., Scheduled Sampling (NeurIPS 2015), for all three
    """
    return value / (value + math.exp(min(step / value, 700)))


def heard(
    said: Sequence[Int[Tensor, " T"] | None], mask: Mask, places: Sequence[Place], shares: Sequence[float]
) -> Mask:
    """Where rows read what the Generator said at the step before, in place of their targets.

    Args:     said  its most probable token at each of the target's places, None before it was asked;  places  of each
              row, told apart by view;  shares  of target tokens that are still read
    """
    chosen = torch.zeros_like(mask)
    for row, (words, place, share) in enumerate(zip(said, places, shares, strict=True)):
        if words is None or is_stuck(words):
            continue
        drawn = torch.rand(len(words), generator=seeded("own words", *place)) >= share
        chosen[row, : len(words) - 1] = drawn[:-1].to(mask.device)  # the last word is never read
    return chosen


def is_stuck(words: Int[Tensor, " T"]) -> bool:
    """Whether words repeat themselves too much to be of use: one word or a few, again and again."""
    return repeated_share(words.tolist()) > STUCK


def with_own_words(generator: Generator, layout: Layout, words: TokenIds, chosen: Mask) -> Layout:
    """The layout with other words read in the target's places; what is to be predicted stays."""
    rows, columns = chosen.nonzero(as_tuple=True)
    first = layout.constants.shape[1] - (layout.target_ids.shape[1] - 1)
    read = generator.embed(words[rows, columns]).to(layout.constants.dtype)
    return replace(layout, constants=layout.constants.index_put((rows, columns + first), read))
