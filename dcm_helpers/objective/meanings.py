"""What predictions mean, by embeddings: of the tokens that are expected, and of the texts that contents are for."""

import torch
from torch.nn import functional as F

from dcm_helpers.objective.seen import Seen
from dcm_helpers.shapes import Float, Tensor


def expected(seen: Seen) -> tuple[Float[Tensor, "M D"], Float[Tensor, "M D"]]:
    """For each target token the embedding that its prediction expects, and the token's own."""
    table = seen.generator.vocabulary.to(seen.predicted.dtype)
    return seen.log_probabilities.exp() @ table, table[seen.targets]


def semantic(seen: Seen) -> Float[Tensor, " B"]:
    """One minus the cosine of the embedding that is expected and the target token's: mean over tokens, sum over views.

    A prediction of a near synonym costs less than one of something else.
    """
    return seen.mean_of_rows(1 - F.cosine_similarity(*expected(seen), dim=1))


def semantic_text(seen: Seen) -> Float[Tensor, " B"]:
    """The same of each target's sum over its tokens: the text as a whole, whatever the order of its tokens."""
    texts = [
        each.new_zeros(len(seen.lengths), each.shape[1]).index_add(0, seen.layout.target_rows, each)
        for each in expected(seen)
    ]
    return seen.sum_of_contents(1 - F.cosine_similarity(*texts, dim=1))


def relations(seen: Seen) -> Float[Tensor, " B"]:
    """Squared differences between how alike contents are (cosine of mean slots) and how alike their texts are.

    The one term that couples problems: each content is compared with all that are in flight, so what is found depends
    on which these are. The others are taken as they are, so that every pair of contents pulls both once.

    Source:   relational distillation, Bondarenko et al. (2602.18301)
    """
    slots = F.normalize(seen.contents.mean(1), dim=1)
    alike = slots @ slots.detach().T - seen.meanings.to(slots.dtype) @ seen.meanings.to(slots.dtype).T
    others = max(len(slots) - 1, 1)
    squared = alike.square().masked_fill(torch.eye(len(slots), dtype=torch.bool, device=slots.device), 0)
    return seen.once((squared.sum(1) / others)[seen.layout.leading_places])
