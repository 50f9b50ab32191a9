"""Noise and back: a straight path from noise to a content, what is learned on it, and how it is walked.

At time t a content x stands at t x + (1 - t) noise. The network estimates x itself, and is judged by the velocity that
follows from its estimate.
"""

from collections.abc import Callable, Iterator

import torch

from dcm_helpers.shapes import Contents, Float, Tensor

LAST = 0.05
"""The velocity's error is that of the estimate over 1 - t, which is taken as at least this."""
TIME_MEAN, TIME_STD = -0.8, 0.8
"""Of the logit of the times that are trained on: most where the condition decides, few where the noise is all but gone.

Source: Li and He, Back to Basics: Let Denoising Generative Models Denoise (2025)."""

Estimate = Callable[[Contents, Float[Tensor, " B"], Contents], Contents]
"""A clean content of a noisy one, its time, and the estimate before it (zeros at first)."""


def draw_times(count: int, random: torch.Generator) -> Float[Tensor, " B"]:
    """Times to be trained at, logit-normal."""
    return torch.sigmoid(TIME_MEAN + TIME_STD * torch.randn(count, generator=random))


def at_time(clean: Contents, noise: Contents, time: Float[Tensor, " B"]) -> Contents:
    """Where contents stand between their noise and themselves."""
    t = time[:, None, None]
    return t * clean + (1 - t) * noise


def velocity_loss(estimate: Contents, clean: Contents, time: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Mean squared error of the velocity that follows from an estimate, for each content.

    Source:   Liu et al., Flow Straight and Fast (ICLR 2023)
    """
    remaining = (1 - time).clamp(min=LAST)
    return (estimate - clean).square().mean((1, 2)) / remaining.square()


def walk(noise: Contents, steps: int, estimate: Estimate) -> Iterator[tuple[float, Contents, Contents]]:
    """Walk from noise to contents in equal steps of time, each along the velocity that the estimate at its start gives.

    Yields:   after each step the time, where contents stand, and the estimate; at the last both are equal
    """
    state, told = noise, torch.zeros_like(noise)
    for step in range(steps):
        time = step / steps
        told = estimate(state, torch.full((len(noise),), time, dtype=noise.dtype, device=noise.device), told)
        # (1 - time) steps remain: the whole way to the estimate is walked in so many equal parts
        state = torch.lerp(state, told, 1 / (steps - step))
        yield (step + 1) / steps, state, told


def guided(with_condition: Contents, without: Contents, guidance: float) -> Contents:
    """An estimate moved away from the one that knows nothing: 1 leaves it, more exaggerates what the condition says.

    Source:   Ho and Salimans, Classifier-Free Diffusion Guidance (2022)
    """
    return without + guidance * (with_condition - without)
