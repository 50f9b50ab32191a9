"""How well rows predict their targets: aligned logits, and cross-entropy in nats per token.

:func:`target_logits` is the only place in the project where logits are shifted against targets.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch.nn import functional as F

from dcm_helpers.models import Generator
from dcm_helpers.shapes import Bool, Contents, Float, Logits, Mask, Tensor
from dcm_helpers.stm import Layout, Row, lay_out

Computed = TypeVar("Computed")

POSITIONS_PER_FORWARD = 4096
"""Rows are scored in groups of at most this many positions, which bounds the memory of one forward pass."""
GROUP_OVERHEAD = 16
"""Starting a group costs about as much as a full group divided by this: it reads all weights once more."""


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
    """Logits aligned to the targets: entry m scores the m-th target token, in the order of ``layout.target_rows``.

    The position before a token predicts it, so the prefix's last position (P - 1) predicts target token 0. The last
    target token is never read, so the targets are predicted at exactly the last T positions of a row; logits are
    computed there alone, padding left out, by the Generator's own head with whatever capping and scaling it applies.
    """

    def at_targets(states: Float[Tensor, "N T D"]) -> Float[Tensor, "M D"]:
        device = states.device  # another GPU than the embeddings', if the Generator is sharded
        return states[layout.target_rows.to(device), layout.target_columns.to(device)]

    with generator.head_reads(at_targets):
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
    places = (layout.target_rows, layout.target_columns)
    targets = layout.target_ids[places]
    logits = logits.to(torch.promote_types(torch.float32, logits.dtype))
    nll = F.cross_entropy(logits, targets, reduction="none")
    return Scores(
        nll=nll.new_zeros(layout.target_mask.shape).index_put(places, nll),
        correct=torch.ones_like(layout.target_mask).index_put(places, logits.argmax(-1) == targets),
        mask=layout.target_mask,
    )


@torch.no_grad()
def score_rows(generator: Generator, rows: Sequence[Row], contents: Contents | None, K: int) -> list[dict[str, float]]:
    """Score any number of rows without gradients, in groups of similar length.

    Returns:  for each row, in order: ``loss`` and ``loss_text`` in nats per token, ``p_eos``, ``min_p``, ``exact``
    """
    names = ("loss", "loss_text", "p_eos", "min_p", "exact")

    def score_group(group: list[int]) -> list[dict[str, float]]:
        layout = lay_out(generator, [rows[index] for index in group], K)
        scores = score(target_logits(generator, layout, contents), layout)
        columns = [getattr(scores, name).tolist() for name in names]
        return [dict(zip(names, numbers, strict=True)) for numbers in zip(*columns, strict=True)]

    results: dict[int, dict[str, float]] = {}
    with torch.compiler.set_stance("force_eager"):
        for group, scored in each_group(groups_by_length(rows, K), score_group):
            results |= zip(group, scored, strict=True)
    return [results[index] for index in range(len(rows))]


def each_group(
    groups: Sequence[list[int]], compute: Callable[[list[int]], Computed]
) -> Iterator[tuple[list[int], Computed]]:
    """Compute every group; one that does not fit the device's memory is halved and tried again.

    Returns:  (group, what ``compute`` returned for it), the groups in order, halves in their whole's place
    Raises:   torch.OutOfMemoryError if a single row does not fit
    """
    pending = deque(groups)
    while pending:
        group, computed = pending.popleft(), None
        try:
            computed = compute(group)
        except torch.OutOfMemoryError:
            if len(group) == 1:
                raise
        if computed is not None:
            yield group, computed
            continue
        # only here, where the exception and the tensors that its traceback holds are gone, can memory be given back
        if torch.accelerator.is_available():
            torch.accelerator.empty_cache()
        middle = len(group) // 2
        pending.extendleft([group[middle:], group[:middle]])


def groups_by_length(rows: Sequence[Row], K: int, most: int = POSITIONS_PER_FORWARD) -> list[list[int]]:
    """Split row indices into groups of similar length, each at most ``most`` positions once padded.

    Of all ways to cut the rows in order of length, the one that computes the fewest positions, where starting a group
    counts as ``most / GROUP_OVERHEAD`` positions.
    """
    order = sorted(range(len(rows)), key=lambda index: (rows[index].prefix_length(K), rows[index].length(K)))
    prefixes = [rows[index].prefix_length(K) for index in order]
    targets = [rows[index].length(K) - rows[index].prefix_length(K) for index in order]
    best, cut = [0.0], [0]
    for end in range(1, len(order) + 1):
        cheapest, start_of_cheapest, prefix, target = math.inf, end - 1, 0, 0
        for start in range(end - 1, -1, -1):
            prefix, target = max(prefix, prefixes[start]), max(target, targets[start])
            padded = (end - start) * (prefix + target)
            if padded > most and end - start > 1:
                break
            if best[start] + padded < cheapest:
                cheapest, start_of_cheapest = best[start] + padded, start
        best.append(cheapest + most / GROUP_OVERHEAD)
        cut.append(start_of_cheapest)
    groups: list[list[int]] = []
    end = len(order)
    while end:
        groups.append(order[cut[end] : end])
        end = cut[end]
    return groups[::-1]
