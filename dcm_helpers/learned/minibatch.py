"""What both drivers share: minibatches of shuffles, and how a minibatch is measured."""

from collections.abc import Callable, Iterator, Sequence

import torch

from dcm_helpers.generator import Generator
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stm import (
    Row,
    Scores,
    each_group,
    groups_by_length,
    lay_out,
    scored,
    target_logits,
)

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


def measured(
    generator: Generator,
    rows: Sequence[Row],
    contents: Contents,
    minimized: Callable[[list[int], Scores], Float[Tensor, ""]],
) -> tuple[float, Contents, float]:
    """What is minimized of some rows, summed, its gradient in their contents, and the nats of all their targets.

    Args:     minimized  of a group, its places among the rows and its scores, what it adds to what is minimized
    Raises:   torch.OutOfMemoryError if a single row does not fit the device
    """

    def of_group(group: list[int]) -> tuple[float, Contents, float]:
        leaf = contents.detach().requires_grad_()
        layout = lay_out(generator, [rows[index] for index in group], contents.shape[1])
        scores = scored(target_logits(generator, layout, leaf), layout)
        value = minimized(group, scores)
        (gradient,) = torch.autograd.grad(value, leaf)
        return value.item(), gradient, scores.nll.sum().item()

    groups = groups_by_length(rows, contents.shape[1], generator.positions_at_once)
    values, gradients, nats = zip(*(found for _, found in each_group(groups, of_group)), strict=True)
    return sum(values), sum(gradients), sum(nats)
