"""Where contents live: what is optimized, the latent, and the content that it stands for.

To add one: a class here, a name in ``config.Lives``, and a row of :data:`PARAMETERIZATIONS`. All yield plain contents,
(B, K, D); what else they hold of a problem is in its latent, so that no problem knows another.
"""

from collections.abc import Callable
from functools import cache
from typing import Protocol

import torch

from dcm_helpers.config import Lives
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents, Float, Tensor

HIDDEN = 64
"""Width of the network between a latent and its content."""
RANK = 64
"""Dimensions of the random subspace in which slots may move."""


class Parameterization(Protocol):
    """Maps the latents of the problems in flight to their contents, (B, K, D)."""

    def latents(self, starts: Contents) -> Float[Tensor, "B ..."]:
        """The latents that stand for the starts, exactly: a stored run's starts are drawn again, not stored."""

    def contents(self, latents: Float[Tensor, "B ..."], starts: Contents) -> Contents:
        """The contents that the Generator reads; differentiable."""

    def settled(self, moved: Float[Tensor, "B ..."], before: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        """Latents after an update, brought back to where they may lie."""


class Direct:
    """The content itself is optimized."""

    def latents(self, starts: Contents) -> Contents:
        """The starts themselves."""
        return starts

    def contents(self, latents: Contents, starts: Contents) -> Contents:
        """The latents themselves."""
        return latents

    def settled(self, moved: Contents, before: Contents) -> Contents:
        """Anywhere will do."""
        return moved


class HeldNorm(Direct):
    """Only directions are optimized: every slot stays at the norm it starts with."""

    def settled(self, moved: Contents, before: Contents) -> Contents:
        """Every slot scaled back to the norm that it had."""
        return moved * (before.norm(dim=2, keepdim=True) / moved.norm(dim=2, keepdim=True))


class Network(Direct):
    """A slot is its latent and what a small network of the problem's own makes of it: c = z + tanh(z V) U / hidden.

    The latent holds z, V and U side by side. U begins at 0, so that contents begin where they would without it, and V
    is drawn alike for all, in units of each start's size. The network is shared by a content's slots, which it couples.
    Dividing by its width keeps the first step of Adam nearly as long as without it (1.5 times with one slot, 1.1 with
    eight), so that what is compared is hardly the learning rate.

    Source:   the reparameterization of prefix tuning (Li and Liang 2021)
    """

    def latents(self, starts: Contents) -> Float[Tensor, "B P"]:
        """The starts, the drawn first layer, and a second layer of zeros."""
        count, _, width = starts.shape
        first = torch.randn(width, HIDDEN, generator=seeded("network"), dtype=torch.float64) / width**0.5
        size = starts.square().mean((1, 2)).sqrt().clamp(min=torch.finfo(starts.dtype).tiny)
        drawn = first.flatten().to(starts).expand(count, -1) / size[:, None]
        return torch.cat([starts.flatten(1), drawn, torch.zeros_like(drawn)], dim=1)

    def contents(self, latents: Float[Tensor, "B P"], starts: Contents) -> Contents:
        """Each slot and what the network makes of it."""
        _, slots, width = starts.shape
        own, first, second = latents.split([slots * width, width * HIDDEN, width * HIDDEN], dim=1)
        own = own.unflatten(1, (slots, width))
        hidden = torch.tanh(own @ first.unflatten(1, (width, HIDDEN)))
        return own + hidden @ second.unflatten(1, (HIDDEN, width)) / HIDDEN


class Projection(Direct):
    """Slots move in a subspace of few dimensions, the same for all slots and problems: c = start + sqrt(D / rank) z P.

    The rows of P are orthonormal, and random, or those of a basis that was learned from other problems (see
    :func:`dcm_helpers.learned.shared_subspace`). Adam moves every coordinate as far: with fewer of them a step would be
    shorter, but for the factor, so that what is compared is not the learning rate.

    Source:   intrinsic dimension (Li et al. 2018)
    """

    def __init__(self, basis: Float[Tensor, "rank D"] | None = None):
        self.basis = basis

    def latents(self, starts: Contents) -> Contents:
        """Zeros: nothing has moved."""
        return starts.new_zeros(*starts.shape[:2], len(self.rows(starts.shape[2])))

    def contents(self, latents: Contents, starts: Contents) -> Contents:
        """The starts, moved."""
        rows = self.rows(starts.shape[2]).to(latents)
        return starts + reach(rows) * latents @ rows

    def rows(self, width: int) -> Float[Tensor, "rank D"]:
        """The rows of P."""
        return random_subspace(width, min(RANK, width)) if self.basis is None else self.basis


def reach(rows: Float[Tensor, "rank D"]) -> float:
    """By how much a step along so many orthonormal rows is drawn out, to be as long as one of all coordinates."""
    rank, width = rows.shape
    return (width / rank) ** 0.5


@cache
def random_subspace(width: int, rank: int) -> Float[Tensor, "rank D"]:
    """Orthonormal rows that span a random subspace, in double precision; drawn once for all."""
    drawn = torch.randn(width, rank, generator=seeded("projection", width, rank), dtype=torch.float64)
    return torch.linalg.qr(drawn).Q.T


PARAMETERIZATIONS: dict[Lives, Callable[[], Parameterization]] = {
    "direct": Direct,
    "held_norm": HeldNorm,
    "mlp": Network,
    "projection": Projection,
}
"""By name."""
