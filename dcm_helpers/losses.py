"""How well rows predict their targets: aligned logits, and cross-entropy in nats per token.

:func:`target_logits` is the only place in the project where logits are shifted against targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from dcm_helpers.models import Generator
from dcm_helpers.shapes import Bool, Contents, Float, Logits, Mask, Tensor
from dcm_helpers.stm import Layout, Row, lay_out

POSITIONS_PER_FORWARD = 4096
"""Rows are scored in groups of at most this many positions, which bounds the memory of one forward pass."""


@dataclass(frozen=True)
class Scores:
    """What a forward pass says about each target token; every property is per row."""

    nll: Float[Tensor, "N T"]
    """-log p of each target token in nats; 0 on padding."""
    correct: Bool[Tensor, "N T"]
    """Whether the target token is the most probable one; True on padding."""
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
    def exact(self) -> Bool[Tensor, " N"]:
        """Whether every target token, EOS included, is the most probable one under teacher forcing."""
        return self.correct.all(1)


def target_logits(generator: Generator, layout: Layout, contents: Contents | None) -> Logits:
    """Logits aligned to the targets: entry [n, t] scores target token t of row n.

    The position before a token predicts it, so the prefix's last position (P - 1) predicts target token 0. The last
    target token is never read, so the targets are predicted at exactly the last T positions of a row; logits are
    computed there alone, by the Generator's own head with whatever capping and scaling it applies.
    """
    output = generator.model(
        inputs_embeds=layout.embeddings(contents),
        attention_mask=layout.attention_mask,
        position_ids=layout.position_ids,
        logits_to_keep=layout.target_ids.shape[1],
        use_cache=False,
    )
    return output.logits.to(generator.device)


def score(logits: Logits, layout: Layout) -> Scores:
    """Score aligned logits against the targets, in float32 or better."""
    logits = logits.to(torch.promote_types(torch.float32, logits.dtype))
    nll = F.cross_entropy(logits.flatten(0, 1), layout.target_ids.flatten(), reduction="none").view(logits.shape[:2])
    correct = (logits.argmax(-1) == layout.target_ids) | ~layout.target_mask
    return Scores(nll.masked_fill(~layout.target_mask, 0), correct, layout.target_mask)


@torch.no_grad()
def score_rows(generator: Generator, rows: Sequence[Row], contents: Contents | None, K: int) -> list[dict[str, float]]:
    """Score any number of rows without gradients, in groups of similar length.

    Returns:  for each row, in order: ``loss`` and ``loss_text`` in nats per token, ``p_eos``, ``min_p``, ``exact``
    """
    results: dict[int, dict[str, float]] = {}
    for group in groups_by_length(rows, K):
        layout = lay_out(generator, [rows[index] for index in group], K)
        scores = score(target_logits(generator, layout, contents), layout)
        columns = {name: getattr(scores, name).tolist() for name in ("loss", "loss_text", "p_eos", "min_p", "exact")}
        for position, index in enumerate(group):
            results[index] = {name: values[position] for name, values in columns.items()}
    return [results[index] for index in range(len(rows))]


def groups_by_length(rows: Sequence[Row], K: int, most: int = POSITIONS_PER_FORWARD) -> list[list[int]]:
    """Split row indices into groups of similar length, each at most ``most`` positions once padded."""
    order = sorted(range(len(rows)), key=lambda index: (rows[index].prefix_length(K), rows[index].length(K)))
    groups: list[list[int]] = []
    for index in order:
        members = [rows[member] for member in [*(groups[-1] if groups else []), index]]
        padded = max(row.prefix_length(K) for row in members) + max(len(row.target_ids) for row in members)
        if groups and len(members) * padded <= most:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups
