"""Curved paths between contents along which the loss stays low: a Bezier curve whose middle is found."""

from collections.abc import Callable, Sequence

import pandas as pd
import torch

from dcm_helpers.generator import Generator
from dcm_helpers.look.landscape import losses_at
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content, Contents, Float, Tensor
from dcm_helpers.stm import Problem, Row, lay_out, scored, target_logits

POINTS = 8
"""Places on the curve whose mean loss is lowered in each step, one in each eighth of it, drawn anew."""


def on_curve(start: Content, middle: Content, end: Content, t: Float[Tensor, " P"]) -> Contents:
    """Places on the quadratic Bezier curve from ``start`` (t=0) to ``end`` (t=1) that bends toward ``middle``."""
    t = t.to(start)[:, None, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end


def bend(
    value: Callable[[Contents], Float[Tensor, " P"]], start: Content, end: Content, steps: int, lr: float, *seed: object
) -> Content:
    """The middle of a Bezier curve between two contents along which a function is small in the mean.

    The curve begins straight; its ends stay where they are.

    Args:     value  of each of some contents, differentiable;  lr  Adam's learning rate, in embedding units
    Source:   Garipov et al., Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs (NeurIPS 2018), on contents
              in place of weights
    """
    middle = ((start + end) / 2).detach().requires_grad_()
    optimizer, random = torch.optim.Adam([middle], lr=lr), seeded("bend", *seed)
    for _ in range(steps):
        t = (torch.arange(POINTS) + torch.rand(POINTS, generator=random)) / POINTS
        (middle.grad,) = torch.autograd.grad(value(on_curve(start, middle, end, t)).mean(), middle)
        optimizer.step()
    return middle.detach()


def low_curve(generator: Generator, problem: Problem, start: Content, end: Content, steps: int, lr: float) -> Content:
    """The middle of a Bezier curve between two contents along which a problem's loss is low; see :func:`bend`."""
    rows = [Row.of(generator, view, slot) for slot in range(POINTS) for view in problem.views]
    layout = lay_out(generator, rows, len(start))

    def objective(contents: Contents) -> Float[Tensor, " P"]:
        losses = scored(target_logits(generator, layout, contents), layout).loss
        return losses.view(POINTS, len(problem.views)).sum(1)

    return bend(objective, start, end, steps, lr, problem.id)


def along_curve(
    generator: Generator, problem: Problem, start: Content, middle: Content, end: Content, t: Sequence[float]
) -> pd.DataFrame:
    """The objective on a Bezier curve.

    Returns:  the table of :func:`losses_at` with a column ``t``
    """
    return losses_at(generator, problem, on_curve(start, middle, end, torch.tensor(list(t)))).assign(t=list(t))
