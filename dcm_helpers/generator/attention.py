"""An attention kernel for rows of a few dozen positions: plain matrix products, one for all heads that share keys.

Fused kernels spare the memory of long rows, and pay for it when gradients are computed: on a CPU in bfloat16 their way
back took a third of all time on rows of 40 positions. Hugging Face's own plain one copies keys and values for every
head that shares them, and rounds to float32 and back.
"""

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from dcm_helpers.shapes import Float, Tensor

GROUPED = "grouped"
"""The name of the kernel, as Hugging Face's models know it."""
UNKNOWN = ("softcap", "s_aux", "position_bias")
"""What some families ask of attention beside what this kernel does."""


def grouped_attention(
    module: torch.nn.Module,
    query: Float[Tensor, "N H Lq d"],
    key: Float[Tensor, "N groups L d"],
    value: Float[Tensor, "N groups L d"],
    attention_mask: Float[Tensor, "N 1 Lq L"] | None,
    scaling: float,
    dropout: float = 0.0,
    **asked: object,
) -> tuple[Float[Tensor, "N Lq H d"], None]:
    """Attention as Hugging Face's models call it; the heads of a group, one below the other, read its keys at once.

    Raises:   ValueError if a family asks for something that this does not do
    """
    if dropout or any(asked.get(name) is not None for name in UNKNOWN):
        raise ValueError(
            f"attention {GROUPED!r} has no dropout, caps, sinks or biases, and {type(module).__name__} does"
        )
    N, H, Lq, d = query.shape
    groups, L = key.shape[1:3]
    scores = (query * scaling).reshape(N, groups, H // groups * Lq, d) @ key.transpose(-1, -2)
    scores = scores.view(N, groups, H // groups, Lq, L)
    if attention_mask is not None:
        scores = scores + attention_mask[:, :, None]
    weights = scores.softmax(-1).view(N, groups, H // groups * Lq, L)
    return (weights @ value).view(N, H, Lq, -1).transpose(1, 2), None


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, eager_mask)
