"""What a forward pass says about each target token: losses in nats per token, and whether the token wins."""

import math
from dataclasses import dataclass

from dcm_helpers.shapes import Bool, Float, Int, Logits, Mask, Tensor


@dataclass(frozen=True)
class Scores:
    """What a forward pass says about each target token; every property is per row."""

    nll: Float[Tensor, "N T"]
    """-log p of each target token in nats; 0 on padding."""
    correct: Bool[Tensor, "N T"]
    """Whether the target token has the largest logit, and no other token the same; True on padding."""
    mask: Mask

    @property
    def lengths(self) -> Float[Tensor, " N"]:
        """Target lengths T in tokens, EOS included."""
        return self.mask.sum(1).to(self.nll.dtype)

    @property
    def is_eos(self) -> Bool[Tensor, "N T"]:
        """True at each row's last target token."""
        return self.mask & (self.mask.cumsum(1) == self.mask.sum(1, keepdim=True))

    @property
    def loss(self) -> Float[Tensor, " N"]:
        """Mean -log p over the target, EOS included, in nats per token."""
        return self.nll.sum(1) / self.lengths

    @property
    def first(self) -> Float[Tensor, " N"]:
        """-log p of the target's first token, in nats."""
        return self.nll[:, 0]

    @property
    def loss_text(self) -> Float[Tensor, " N"]:
        """Mean -log p over the target without its EOS, in nats per token (0 for a target of EOS alone)."""
        return self.nll.masked_fill(self.is_eos, 0).sum(1) / (self.lengths - 1).clamp(min=1)

    @property
    def p_eos(self) -> Float[Tensor, " N"]:
        """Probability of EOS after the whole target."""
        return (-self.nll.masked_fill(~self.is_eos, 0).sum(1)).exp()

    @property
    def min_p(self) -> Float[Tensor, " N"]:
        """Probability of the least probable target token."""
        return (-self.nll.max(1).values).exp()

    @property
    def tokens_right(self) -> Float[Tensor, " N"]:
        """Share of the target's tokens, EOS included, that are the most probable ones under teacher forcing."""
        return (self.correct & self.mask).sum(1) / self.lengths

    @property
    def teacher_forced_exact(self) -> Bool[Tensor, " N"]:
        """Whether every target token, EOS included, is the most probable one under teacher forcing."""
        return self.correct.all(1)


def margins(logits: Logits, targets: Int[Tensor, " M"]) -> Float[Tensor, " M"]:
    """Logit of each target token minus the largest other: above 0 exactly where it is the most probable one."""
    own, others = logits.gather(1, targets[:, None]), logits.scatter(1, targets[:, None], -math.inf)
    return (own - others.max(1, keepdim=True).values)[:, 0]
