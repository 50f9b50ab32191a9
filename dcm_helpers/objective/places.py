"""Where contents lie. Each term is one number for every content, in units of the embedding space."""

from dcm_helpers.generator import nearest_tokens
from dcm_helpers.objective.seen import Seen
from dcm_helpers.shapes import Float, Tensor


def token_distance(seen: Seen) -> Float[Tensor, " B"]:
    """Mean Euclidean distance of each content's slots to their nearest tokens."""
    slots = seen.contents[seen.layout.leading_places].flatten(0, 1)
    if not len(slots):  # no content has its first row in this group
        return seen.contents.new_zeros(len(seen.contents))
    nearest = seen.generator.embed(nearest_tokens(seen.generator, slots.detach()).token).to(slots.dtype)
    return seen.once((slots - nearest).norm(dim=1).view(-1, seen.contents.shape[1]).mean(1))


def norm(seen: Seen) -> Float[Tensor, " B"]:
    """Mean Euclidean norm of a content's slots."""
    return seen.once(seen.contents[seen.layout.leading_places].norm(dim=2).mean(1))


def travel(seen: Seen) -> Float[Tensor, " B"]:
    """Mean Euclidean distance of a content's slots from where they began.

    At the start itself the gradient is 0, where that of a distance does not exist.
    """
    leading = seen.layout.leading_places
    squared = (seen.contents[leading] - seen.starts[leading]).square().sum(2)
    return seen.once((squared + (squared == 0)).sqrt().sub((squared == 0).to(squared.dtype)).mean(1))
