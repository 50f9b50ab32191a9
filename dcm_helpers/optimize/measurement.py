"""What is told of an attempt: what was measured of its contents, and why it ended."""

from dataclasses import dataclass
from enum import StrEnum


class StopReason(StrEnum):
    """Why an attempt ended; the first three mean that its stop rule was met."""

    EXACT = "exact"
    CONFIDENT = "confident"
    MINIMIZED = "minimized"
    STEPS_SPENT = "steps_spent"
    STALLED = "stalled"
    NON_FINITE = "non_finite"
    UNCONFIRMED = "unconfirmed"
    """Confident under teacher forcing, but the decoder still wrote something else."""


@dataclass(frozen=True)
class Measurement:
    """What one forward pass said about a content in one view."""

    loss: float
    """Nats per token, EOS included."""
    loss_text: float
    """Nats per token, EOS left out."""
    p_eos: float
    min_p: float
    tokens_right: float
    """Share of the target's tokens, EOS included, that have the largest logit, given the true ones before them."""
    teacher_forced_exact: bool
    """Every target token has the largest logit, given the true ones before it."""
