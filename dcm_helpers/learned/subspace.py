"""A subspace that is shared by problems: learned with the contents of some of them, and then held fixed for others.

A driver of its own on the same pieces, since here problems are coupled: what one of them needs moves the subspace of
all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.learned.minibatch import BATCH, measured, minibatches
from dcm_helpers.optimize import RANK, adam_state, adam_update, random_subspace, reach
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stm import Problem, Scores, initial_content, require_fits, view_rows, view_weights

BASIS_RATE = 0.25
"""Learning rate of the basis as a share of that of what lies in it."""


@dataclass(frozen=True)
class SharedSubspace:
    """Directions in which the slots of all problems may move."""

    basis: Float[Tensor, "rank D"]
    """Orthonormal rows, for ``Projection(basis)``."""
    losses: tuple[float, ...]
    """Of every minibatch before its update: the mean of what is minimized, over problems."""

    @property
    def overlap(self) -> float:
        """Mean squared cosine with the random subspace that it began as; of two random ones it is rank / D."""
        rank, width = self.basis.shape
        return (self.basis @ random_subspace(width, rank).T).square().sum().item() / rank


def shared_subspace(
    generator: Generator,
    problems: Sequence[Problem],
    config: OptimizerConfig,
    rank: int = RANK,
    stop: Event | None = None,
) -> SharedSubspace:
    """A subspace in which the contents of some problems have low losses, learned together with them.

    Contents are those of a projection. A step updates z of a minibatch's problems, and with the mean of what they ask
    for the basis, whose rows are made orthonormal again, z with them; there are ``config.num_steps`` steps. The basis
    begins as the random one of a projection.

    Args:     config  its K, steps, learning rate and schedule, beta2, weighting, start and seed;  stop  once set, what
              there is is returned
    Raises:   InputError if there are no problems, the rank is not above 0, a row does not fit the Generator's window,
              or the loss was not finite
    Source:   the shared projection of Progressive Cramming (ICML 2026)
    """
    require(len(problems) > 0, "a shared subspace needs at least one problem to be learned from")
    require(rank >= 1, f"a subspace of {rank} dimensions holds nothing; expected at least 1")
    require_fits(generator, problems, config.K)
    starts = torch.stack(
        [initial_content(generator, each, config.K, config.start, config.seed, 0) for each in problems]
    )
    rank = min(rank, starts.shape[2])
    latents = adam_state(starts.new_zeros(*starts.shape[:2], rank))
    directions = adam_state(random_subspace(starts.shape[2], rank).to(starts)[None])
    visits = torch.zeros(len(problems), dtype=starts.dtype)
    losses, shuffled = [], minibatches(len(problems), BATCH, "shared subspace", config.seed)
    for step, chosen in zip(range(config.num_steps), shuffled, strict=False):
        if stop is not None and stop.is_set():
            break
        size = len(chosen)
        basis, z = directions["latent"][0], latents["latent"][chosen]
        drawn_out = reach(basis)
        contents = starts[chosen] + drawn_out * z @ basis
        loss, gradient = of_minibatch(generator, [problems[index] for index in chosen], contents, config)
        require(math.isfinite(loss), f"the loss became {loss} at step {step} and lr {config.lr:g}; choose a lower lr")
        losses.append(loss / size)
        rate = config.lr_at(step)
        visits[chosen] += 1
        here = {name: tensor[chosen] for name, tensor in latents.items()}
        rates = torch.full((size,), rate, dtype=starts.dtype)
        here["latent"] = adam_update(here, drawn_out * gradient @ basis.T, rates, visits[chosen], config.beta2)
        for name, tensor in here.items():
            latents[name][chosen] = tensor
        towards = drawn_out * torch.einsum("bkr,bkd->rd", z, gradient)[None] / size
        rates, counts = (torch.tensor([value], dtype=starts.dtype) for value in (BASIS_RATE * rate, step + 1))
        moved = adam_update(directions, towards, rates, counts, config.beta2)[0]
        rows, turned = orthonormal(moved)
        directions["latent"], latents["latent"] = rows[None], latents["latent"] @ turned
    return SharedSubspace(torch.linalg.qr(directions["latent"][0].double().T).Q.T.cpu(), tuple(losses))


def orthonormal(moved: Float[Tensor, "rank D"]) -> tuple[Float[Tensor, "rank D"], Float[Tensor, "rank rank"]]:
    """Orthonormal rows near some that have moved a little, and what brings z with them: z @ moved = z @ turned @ rows.

    None of them changes its sign: Adam's averages stay as they are, and would push a row that was turned round back.
    """
    rows, upper = torch.linalg.qr(moved.T)  # moved = upper.T @ rows.T
    signs = torch.where(upper.diagonal() < 0, -1.0, 1.0).to(moved)
    return (rows * signs).T.contiguous(), (signs[:, None] * upper).T


def of_minibatch(
    generator: Generator, problems: Sequence[Problem], contents: Contents, config: OptimizerConfig
) -> tuple[float, Contents]:
    """What is minimized of some problems, summed, and its gradient in their contents."""
    weights = torch.tensor([weight for each in problems for weight in view_weights(each, config.weighting)])
    weights = weights.to(contents)

    def minimized(group: list[int], scores: Scores) -> Float[Tensor, ""]:
        return (weights[group] * scores.loss).sum()

    total, gradient, _ = measured(generator, view_rows(generator, problems), contents, minimized)
    return total, gradient
