"""Axis letters used in every shape annotation, and the array types built from them.

Each letter means one thing everywhere in the project and is never reused:

======  =====================================================================
axis    meaning
======  =====================================================================
``B``   problems in flight (places of the batch)
``V``   views of a problem (the targets that its content must serve)
``N``   rows of one forward pass: problems x views, or prompts
``K``   content slots
``D``   embedding width of the Generator
``P``   prefix length: everything that stands before the first target token
``L``   row length: prefix and target, without the target's last token
``T``   target length in tokens, EOS included
``M``   target tokens of all rows together, padding left out
``W``   vocabulary size (rows of the embedding table)
``R``   restarts
``S``   optimization steps
``X``   positions of what a Diffuser reads, its condition
``Y``   width of the states at these positions
``H``   width inside a Diffuser
======  =====================================================================

Shapes are written in the types with jaxtyping: ``Float[Tensor, "B K D"]``.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

Content = Float[Tensor, "K D"]
"""The K optimized vectors of one problem."""

Contents = Float[Tensor, "B K D"]
"""The contents of all problems in flight."""

Embeddings = Float[Tensor, "N L D"]
"""Rows as the Generator reads them: [pad | BOS, mode | content | given | target]."""

Logits = Float[Tensor, "M W"]
"""Next-token scores aligned to the targets: entry m scores target token m."""

Mask = Bool[Tensor, "N T"]
"""True where a row has a real target token, False on padding."""

TokenIds = Int[Tensor, "N T"]
"""Target token ids, padded on the right."""

__all__ = ["Bool", "Content", "Contents", "Embeddings", "Float", "Int", "Logits", "Mask", "Tensor", "TokenIds"]
