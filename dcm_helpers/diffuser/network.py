"""The network that estimates a clean content from a noisy one and a condition.

K slots attend to each other and to the positions of the condition in every block; how noisy they are shifts and scales
what each block reads. Slots are positions, not a set: each has a learned vector of its own.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from dcm_helpers.config import NetworkConfig
from dcm_helpers.shapes import Bool, Contents, Float, Tensor

FARTHEST = 8.0
"""What lies farther from the middle of a state's coordinate, in its spreads, is read as lying so far: the first token's
states are a hundred times as long as others."""
USUAL = 64
"""Conditions of which it is told what is usual in them."""
NORMAL = 1.4826
"""A normal distribution's standard deviation, in median distances from its median."""
PARTS = ("self", "cross", "mlp")
"""What a block is made of; a time shifts, scales and weighs each."""


class Network(nn.Module):
    """Estimates clean contents, in standard units, from noisy ones, the time, an earlier estimate and a condition."""

    def __init__(self, K: int, D: int, usual: Float[Tensor, "2 Y"], config: NetworkConfig):
        """Args:     usual  of each coordinate of a condition's states its middle and its spread, as :func:`usual_of`"""
        super().__init__()
        H = config.width
        self.register_buffer("usual", usual)
        self.slots = nn.Parameter(0.02 * torch.randn(K, H))
        self.nothing = nn.Parameter(0.02 * torch.randn(1, H))
        self.read_content = nn.Linear(2 * D, H)
        self.read_condition = nn.Linear(usual.shape[1], H)
        self.read_time = nn.Sequential(nn.Linear(H, H), nn.SiLU(), nn.Linear(H, H), nn.SiLU())
        self.modulate = nn.Linear(H, 3 * len(PARTS) * H)
        self.blocks = nn.ModuleList(Block(H, config.heads) for _ in range(config.blocks))
        self.norm, self.write = nn.RMSNorm(H), nn.Linear(H, D)
        for layer in (self.modulate, self.write):  # at first no time differs, and the estimate is the mean
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        noisy: Contents,
        time: Float[Tensor, " B"],
        estimate: Contents,
        condition: Float[Tensor, "B X Y"],
        told: Bool[Tensor, "B X"],
    ) -> Contents:
        """Clean contents, as far as they can be told.

        Args:     noisy, estimate  in standard units; an estimate of zeros is none;  time  from 0, noise alone, to 1,
                  clean;  told  which positions of the condition are there: where none is, nothing is asked for
        """
        H = self.slots.shape[1]
        shifts = self.modulate(self.read_time(waves(1000 * time, H))).unflatten(1, (3 * len(PARTS), 1, H)).unbind(1)
        places = torch.arange(condition.shape[1], device=condition.device, dtype=noisy.dtype)
        middle, spread = self.usual
        standard = ((condition - middle) / spread).clamp(-FARTHEST, FARTHEST)
        read = self.read_condition(standard) + waves(places, H)
        # a row that attends to nothing would be no number; this is there for all, and alone where nothing is told
        read = torch.cat([self.nothing.expand(len(read), 1, -1), read], 1)
        seen = F.pad(told, (1, 0), value=True)[:, None, None]
        hidden = self.slots + self.read_content(torch.cat([noisy, estimate], 2))
        for block in self.blocks:
            hidden = block(hidden, shifts, read, seen)
        return self.write(self.norm(hidden))


class Block(nn.Module):
    """Slots attend to each other, then to the condition, then each goes through a small network of its own."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleDict({part: nn.RMSNorm(width, elementwise_affine=False) for part in PARTS})
        self.shifts = nn.ParameterDict({part: nn.Parameter(torch.zeros(3, width)) for part in PARTS})
        self.attend, self.ask = Attention(width, heads), Attention(width, heads)
        self.think = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, hidden: Tensor, shifts: tuple[Tensor, ...], condition: Tensor, seen: Tensor) -> Tensor:
        """One block. ``shifts`` has three for each part: what is added to what it reads, scales it, and weighs it."""
        parts = {
            "self": lambda read: self.attend(read, read, None),
            "cross": lambda read: self.ask(read, condition, seen),
            "mlp": self.think,
        }
        for number, (part, compute) in enumerate(parts.items()):
            add, scale, weight = (
                of_time + own for of_time, own in zip(shifts[3 * number :], self.shifts[part], strict=False)
            )
            hidden = hidden + (1 + weight) * compute(self.norms[part](hidden) * (1 + scale) + add)
        return hidden


class Attention(nn.Module):
    """Attention with normalized queries and keys, which keeps it from saturating early in training.

    Source:   Henry et al., Query-Key Normalization for Transformers (Findings of EMNLP 2020)
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.norm_query, self.norm_key = nn.RMSNorm(width // heads), nn.RMSNorm(width // heads)

    def forward(self, hidden: Tensor, read: Tensor, seen: Tensor | None) -> Tensor:
        """What positions take of others."""
        query, key = self.norm_query(self.of(self.query, hidden)), self.norm_key(self.of(self.key, read))
        value = self.of(self.value, read)
        return self.out(F.scaled_dot_product_attention(query, key, value, seen).transpose(1, 2).flatten(2))

    def of(self, layer: nn.Linear, hidden: Tensor) -> Tensor:
        """What a layer makes of positions, head by head."""
        return layer(hidden).unflatten(2, (self.heads, -1)).transpose(1, 2)

    def weights(self, hidden: Tensor, read: Tensor, seen: Tensor) -> Float[Tensor, "B heads K X"]:
        """How much each position takes of each other, head by head."""
        query, key = self.norm_query(self.of(self.query, hidden)), self.norm_key(self.of(self.key, read))
        scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
        return scores.masked_fill(~seen, -torch.inf).softmax(3)


def waves(values: Float[Tensor, " N"], width: int) -> Float[Tensor, "N H"]:
    """Numbers as sines and cosines, half of each, of wavelengths from 2 pi to nearly 10 000 times that."""
    count = width // 2
    rates = 10_000.0 ** (-torch.arange(count, device=values.device, dtype=values.dtype) / count)
    angles = values[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


def usual_of(conditions: Sequence[Float[Tensor, "X Y"]]) -> Float[Tensor, "2 Y"]:
    """Of each coordinate of some conditions' states the median, and the median distance from it in standard deviations.

    A Generator's states have coordinates that are forty times as large as others and hardly change; without this they
    would be most of what is read.
    """
    states = torch.cat([each.float() for each in conditions])
    middle = states.median(0).values
    spread = (states - middle).abs().median(0).values * NORMAL
    return torch.stack([middle, spread.clamp(min=1e-3 * spread.median().clamp(min=1e-6))])


@torch.no_grad()
def attended(network: Network, *given: Tensor) -> Float[Tensor, "B blocks K X"]:
    """How much each slot takes of each position of the condition, in every block, on average over heads.

    Args:     given  what the network is given
    Returns:  shares; what is left of 1 goes to the vector that stands for nothing
    """
    found = []

    def keep(attention: Attention, read: tuple[Tensor, Tensor, Tensor], _: Tensor) -> None:
        found.append(attention.weights(*read).mean(1)[:, :, 1:])

    hooks = [block.ask.register_forward_hook(keep) for block in network.blocks]
    try:
        network(*given)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found, 1)
