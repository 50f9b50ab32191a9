"""Where contents live: what is optimized, the latent, and the content that it stands for.

To add one: a class here, and a setting that :func:`parameterization_of` reads.
"""

from typing import Protocol

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.shapes import Contents


class Parameterization(Protocol):
    """Maps the latents of the problems in flight to their contents, (B, K, D)."""

    def latents(self, starts: Contents) -> Contents:
        """The latents that stand for the starts, exactly: a stored run's starts are drawn again, not stored."""

    def contents(self, latents: Contents) -> Contents:
        """The contents that the Generator reads; differentiable."""

    def settled(self, moved: Contents, before: Contents) -> Contents:
        """Latents after an update, brought back to where they may lie."""


class Direct:
    """The content itself is optimized."""

    def latents(self, starts: Contents) -> Contents:
        """The starts themselves."""
        return starts

    def contents(self, latents: Contents) -> Contents:
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


def parameterization_of(config: OptimizerConfig) -> Parameterization:
    """The parameterization that the settings ask for."""
    return HeldNorm() if config.hold_norm else Direct()
