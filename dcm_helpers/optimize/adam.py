"""Adam on many latents at once, each with its own step count, learning rate and gradient clip."""

import torch

from dcm_helpers.shapes import Float, Tensor

BETA1 = 0.9
EPSILON = 1e-8


def adam_state(latent: Tensor) -> dict[str, Tensor]:
    """What is optimized, with Adam's averages at zero."""
    return {"latent": latent, "exp_avg": torch.zeros_like(latent), "exp_avg_sq": torch.zeros_like(latent)}


def adam_update(
    state: dict[str, Float[Tensor, "B ..."]],
    gradient: Float[Tensor, "B ..."],
    rates: Float[Tensor, " B"],
    counts: Float[Tensor, " B"],
    beta2: float,
) -> Float[Tensor, "B ..."]:
    """One step of Adam: the averages in ``state`` are updated in place, and where the latents go is returned.

    Args:     state  as of :func:`adam_state`;  rates  learning rate of each;  counts  updates of
              each, this one included;  rates and counts are on the CPU
    Source:   Kingma and Ba, Adam (ICLR 2015)
    """
    factors = torch.stack([rates / (1 - BETA1**counts), (1 - beta2**counts).sqrt()])
    size, correction = to_device(factors, gradient.device).view(2, -1, *(1 for _ in gradient.shape[1:]))
    state["exp_avg"].lerp_(gradient, 1 - BETA1)
    state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    denominator = state["exp_avg_sq"].sqrt() / correction + EPSILON
    return state["latent"] - size * state["exp_avg"] / denominator


def clipped(gradient: Float[Tensor, "B ..."], most: float) -> Float[Tensor, "B ..."]:
    """The gradient with that of every latent scaled down to a Euclidean norm of at most so much."""
    norm = gradient.flatten(1).norm(dim=1)
    return gradient * (most / norm.clamp(min=most)).view(-1, *(1 for _ in gradient.shape[1:]))


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """A small tensor on a device; on a GPU, without waiting for it."""
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
