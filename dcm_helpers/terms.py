"""Terms of the objective beside cross-entropy. Each is a number per content, with a weight of its own.

To add one: a function here, its name in :data:`TERMS`, and a weight of that name in ``OptimizerConfig``.
"""

from collections.abc import Callable

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.manifold import nearest_tokens
from dcm_helpers.models import Generator
from dcm_helpers.shapes import Contents, Float, Tensor


def token_distance(generator: Generator, contents: Contents) -> Float[Tensor, " B"]:
    """Mean Euclidean distance of each content's slots to their nearest tokens, in units of the embedding space."""
    slots = contents.flatten(0, 1)
    nearest = generator.embed(nearest_tokens(generator, slots.detach()).token).to(slots.dtype)
    return (slots - nearest).norm(dim=1).view(contents.shape[:2]).mean(1)


TERMS: dict[str, Callable[[Generator, Contents], Float[Tensor, " B"]]] = {"token_distance": token_distance}
"""All terms, under the names of their weights in ``OptimizerConfig``."""


def weighted_terms(generator: Generator, contents: Contents, config: OptimizerConfig) -> Float[Tensor, " B"] | None:
    """The sum of all terms that have a weight, per content; None where there is none."""
    weights = {name: getattr(config, name) for name in TERMS}
    used = [weight * TERMS[name](generator, contents) for name, weight in weights.items() if weight]
    return sum(used[1:], used[0]) if used else None
