"""Where texts end, and what they must not repeat. Each term is in nats, per target token or per target."""

import torch

from dcm_helpers.objective.seen import Seen
from dcm_helpers.shapes import Float, Tensor

LEAST = 1e-6
"""Probabilities of mistakes are taken this much smaller, so that a certain one costs 14 nats and still pulls."""


def eos(seen: Seen) -> Float[Tensor, " B"]:
    """-log p of the token that ends the target, which plain cross-entropy counts like any other; sum over views.

    It is what any token after the target takes away from EOS: a clean stop.
    """
    last = seen.is_last
    is_eos = (seen.targets[last] == seen.generator.eos_id).to(seen.predicted.dtype)  # some targets are only begun
    ends = -seen.log_probabilities[last].gather(1, seen.targets[last][:, None])[:, 0]
    return seen.sum_of_contents(ends * is_eos)  # rows are in order, and each has one last token


def length(seen: Seen) -> Float[Tensor, " B"]:
    """-log(1 - p(EOS)) at the tokens before the end: texts must not end early; mean over tokens, sum over views."""
    early = seen.log_probabilities[:, seen.generator.eos_id].exp() * (1 - LEAST)
    return seen.mean_of_rows(-torch.log1p(-early) * ~seen.is_last)


def unlikelihood(seen: Seen) -> Float[Tensor, " B"]:
    """-log(1 - p) of the target's earlier tokens, but the one that is due: no repeating; mean over tokens.

    Source:   Welleck et al., Neural Text Generation with Unlikelihood Training (ICLR 2020)
    """
    layout = seen.layout
    of_rows = layout.target_ids
    again = (of_rows[:, :, None] == of_rows[:, None, :]).tril(-1).any(2)  # a token that stands there twice counts once
    texts, again = of_rows[layout.target_rows], again[layout.target_rows]  # (M, T): the target of each token's row
    earlier = torch.arange(texts.shape[1], device=texts.device)[None] < layout.target_columns[:, None]
    wrong = earlier & ~again & (texts != seen.targets[:, None])
    repeated = seen.log_probabilities.gather(1, texts).exp() * (1 - LEAST)
    return seen.mean_of_rows((-torch.log1p(-repeated) * wrong).sum(1))
