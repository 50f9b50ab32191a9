"""How much each target token counts: what takes the place of its -log p.

Each is given what was seen, the losses so far and its own number, and returns losses of target tokens, (M,).
"""

import torch
from torch.nn import functional as F

from dcm_helpers.objective.seen import Seen
from dcm_helpers.shapes import Float, Tensor

OTHERS = 0.1
"""What a token with a large margin still counts, so that it is not lost while the others are found."""


def temperature(seen: Seen, losses: Float[Tensor, " M"], value: float) -> Float[Tensor, " M"]:
    """-log p with logits divided by a temperature, times it: below 1 tokens that win by far stop pulling.

    The factor keeps the pull of a token that is far from winning what it is at 1.

    Source:   Progressive Cramming (ICML 2026), at 0.25
    """
    return F.cross_entropy(seen.predicted / value, seen.targets, reduction="none") * value


def margin(seen: Seen, losses: Float[Tensor, " M"], value: float) -> Float[Tensor, " M"]:
    """Tokens that win by less than so many logits count in full, all others a tenth.

    Source:   margin-weighted cross-entropy, Progressive Cramming (ICML 2026), at 1
    """
    return losses * (seen.margins < value).to(losses.dtype).clamp(min=OTHERS)


def oracle(seen: Seen, losses: Float[Tensor, " M"], value: float) -> Float[Tensor, " M"]:
    """Losses blended with the divergence from the oracle's predictions, KL(oracle || content), in nats.

    The oracle is the Generator itself, after the whole context as text. Targets that have none count as they do.

    Args:     value  share of the divergence; with 1 nothing is asked of the target's own tokens but that they are read
    Source:   context distillation, Snell et al. (2209.15189)
    """
    told = (seen.oracle < 0).any(1)
    divergence = (seen.oracle.exp() * (seen.oracle - seen.log_probabilities)).sum(1)
    return torch.where(told, (1 - value) * losses + value * divergence, losses)
