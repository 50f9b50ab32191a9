"""How much each target token counts: what takes the place of its -log p.

Each is given what was seen, the losses so far and its own number, and returns losses of target tokens, (M,).
"""

from torch.nn import functional as F

from dcm_helpers.objective.seen import Seen
from dcm_helpers.shapes import Float, Tensor

OTHERS = 0.1
"""What a token with a large margin still counts, so that it is not lost while the others are found."""


def temperature(seen: Seen, losses: Float[Tensor, " M"], value: float) -> Float[Tensor, " M"]:
    """-log p with logits divided by a temperature: below 1 tokens that win by far stop pulling, the others pull more.

    Source:   Progressive Cramming (ICML 2026), at 0.25
    """
    return F.cross_entropy(seen.predicted / value, seen.targets, reduction="none") * value


def margin(seen: Seen, losses: Float[Tensor, " M"], value: float) -> Float[Tensor, " M"]:
    """Tokens that win by less than so many logits count in full, all others a tenth.

    Source:   margin-weighted cross-entropy, Progressive Cramming (ICML 2026), at 1
    """
    return losses * (seen.margins < value).to(losses.dtype).clamp(min=OTHERS)
