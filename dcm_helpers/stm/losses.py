"""What a forward pass says about each target token: losses in nats per token, and whether the token wins."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from dcm_helpers.shapes import Bool, Float, Int, Logits, Mask, Tensor

CELLS = {"cpu": 2**18}
CELLS_ELSEWHERE = 2**26
"""Logits that are worked on at once, by type of device: on a CPU as many as its cache holds in float32, elsewhere as
many as cost little memory."""


class TokenLosses(torch.autograd.Function):
    """-log p of each target token in nats, and whether it beats all others: in float32 or better, some rows at a time.

    What autograd would do by itself makes five copies of all logits in float32, and for a large vocabulary waits for
    memory most of a step. Differentiable twice.
    """

    @staticmethod
    def forward(ctx, logits: Logits, targets: Int[Tensor, " M"]) -> tuple[Float[Tensor, " M"], Bool[Tensor, " M"]]:
        nll, top, log_total = logits.new_empty(3, len(targets), dtype=torch.promote_types(torch.float32, logits.dtype))
        wins = torch.empty_like(targets, dtype=torch.bool)
        for some in rows_at_once(logits):
            values, own_ids = logits[some].to(nll.dtype, copy=True), targets[some, None]
            own = values.gather(1, own_ids)
            rival = values.scatter_(1, own_ids, -math.inf).amax(1, keepdim=True)
            values.scatter_(1, own_ids, own)
            wins[some] = (own > rival)[:, 0]  # a token that only ties is written or not, by the order of ids
            top[some] = torch.maximum(own, rival)[:, 0]
            log_total[some] = values.sub_(top[some, None]).exp_().sum(1).log_()
            nll[some] = log_total[some] - (own[:, 0] - top[some])  # in this order a loss near 0 keeps its digits
        ctx.save_for_backward(logits, targets, top, log_total)
        ctx.mark_non_differentiable(wins)
        return nll, wins

    @staticmethod
    def backward(ctx, grad: Float[Tensor, " M"], _: None) -> tuple[Logits, None]:
        logits, targets, top, log_total = ctx.saved_tensors
        if torch.is_grad_enabled():  # a graph of this is asked for
            chosen = torch.nn.functional.one_hot(targets, logits.shape[1])
            return (grad[:, None] * (logits.to(grad.dtype).softmax(1) - chosen)).to(logits.dtype), None
        gradient = torch.empty_like(logits)
        for some in rows_at_once(logits):
            p = logits[some].to(grad.dtype, copy=True).sub_(top[some, None]).sub_(log_total[some, None]).exp_()
            p.scatter_add_(1, targets[some, None], p.new_full((len(p), 1), -1.0))
            gradient[some] = p.mul_(grad[some, None])
        return gradient, None


def rows_at_once(logits: Logits) -> Iterator[slice]:
    """Which rows to work on, some at a time."""
    rows, width = logits.shape
    step = max(1, CELLS.get(logits.device.type, CELLS_ELSEWHERE) // width)
    return (slice(start, start + step) for start in range(0, rows, step))


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
