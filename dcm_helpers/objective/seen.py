"""What a term is given of a group of rows: predictions aligned to targets, and the contents that were read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn import functional as F

from dcm_helpers.generator import Generator
from dcm_helpers.shapes import Contents, Float, Int, Logits, Tensor
from dcm_helpers.stm import Layout, margins


@dataclass(frozen=True)
class Seen:
    """A group of rows as it was measured. M counts the group's target tokens, row by row."""

    generator: Generator
    layout: Layout
    contents: Contents
    """All contents in flight; differentiable."""
    starts: Contents
    """Where they began."""
    aligned: Logits
    """Of each target token, (M, W), as the Generator computed them; differentiable."""
    meanings: Float[Tensor, "B E"] | None = None
    """A text embedding for each content, of unit length, where the problems bring one."""
    oracle: Float[Tensor, "M W"] | None = None
    """Log probabilities after the prompt that tells what a target is about; zeros for targets without one."""
    pulls: Sequence[float] | None = None
    """How much the view of each row counts among its problem's, 1 on average; None where all count alike."""

    @cached_property
    def predicted(self) -> Logits:
        """The same in float32 or better."""
        return self.aligned.to(torch.promote_types(torch.float32, self.aligned.dtype))

    @property
    def targets(self) -> Int[Tensor, " M"]:
        """The target token ids."""
        return self.layout.targets

    @cached_property
    def log_probabilities(self) -> Float[Tensor, "M W"]:
        """Of every token of the vocabulary."""
        return F.log_softmax(self.predicted, dim=-1)

    @cached_property
    def margins(self) -> Float[Tensor, " M"]:
        """Logit of each target token minus the largest other; without gradients."""
        return margins(self.predicted.detach(), self.targets)

    @property
    def lengths(self) -> Float[Tensor, " N"]:
        """Target tokens of each row, EOS included."""
        return self.layout.target_mask.sum(1).to(self.predicted.dtype)

    @property
    def is_last(self) -> Tensor:
        """For each target token whether it ends its target."""
        return self.layout.target_columns == (self.layout.target_mask.sum(1) - 1)[self.layout.target_rows]

    def mean_of_rows(self, values: Float[Tensor, " M"]) -> Float[Tensor, " B"]:
        """Values of target tokens as a mean for each row, summed over the rows of each content."""
        rows = values.new_zeros(len(self.lengths)).index_add(0, self.layout.target_rows, values) / self.lengths
        return self.sum_of_contents(rows)

    def sum_of_contents(self, rows: Float[Tensor, " N"]) -> Float[Tensor, " B"]:
        """Values of rows, as their views count, summed over the rows of each content."""
        pulled = rows if self.pulls is None else rows * rows.new_tensor(self.pulls)
        reading = pulled[self.layout.content_rows[:, 0]]
        return rows.new_zeros(len(self.contents)).index_add(0, self.layout.content_places, reading)

    def once(self, values: Float[Tensor, " leading"]) -> Float[Tensor, " B"]:
        """Values of the contents whose first row stands in this group, so that over a step each counts once."""
        return values.new_zeros(len(self.contents)).index_put((self.layout.leading_places,), values)
