"""What is minimized: cross-entropy, weighted over views, and the weighted terms beside it.

To add a term: a function here, its name in :data:`TERMS`, and a weight of that name in ``OptimizerConfig``.
"""

from collections.abc import Callable

from dcm_helpers.config import OptimizerConfig, Weighting
from dcm_helpers.generator import Generator, nearest_tokens
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stm import Layout, Problem, Scores

Term = Callable[[Generator, Layout, Contents, Scores], Float[Tensor, " B"]]
"""What a term adds to the objective of every content in flight, in units of its weight; called for each group of rows.

It is given the group's layout, all contents, differentiable, and the scores of the group's rows, aligned to their
targets. A term of the rows adds up over a content's groups by itself; one of the contents alone counts each where its
first row stands (``layout.leading_slots``).
"""


def token_distance(generator: Generator, layout: Layout, contents: Contents, scores: Scores) -> Float[Tensor, " B"]:
    """Mean Euclidean distance of each content's slots to their nearest tokens, in units of the embedding space."""
    leading = layout.leading_slots
    if not len(leading):  # no content has its first row in this group
        return contents.new_zeros(len(contents))
    slots = contents[leading].flatten(0, 1)
    nearest = generator.embed(nearest_tokens(generator, slots.detach()).token).to(slots.dtype)
    distances = (slots - nearest).norm(dim=1).view(len(leading), contents.shape[1]).mean(1)
    return distances.new_zeros(len(contents)).index_put((leading,), distances)


TERMS: dict[str, Term] = {"token_distance": token_distance}
"""All terms, under the names of their weights in ``OptimizerConfig``."""


def weighted_terms(
    generator: Generator, config: OptimizerConfig, layout: Layout, contents: Contents, scores: Scores
) -> Float[Tensor, " B"] | None:
    """The sum of all terms that have a weight, per content, as far as a group of rows tells; None without any."""
    weights = {name: getattr(config, name) for name in TERMS}
    used = [weight * TERMS[name](generator, layout, contents, scores) for name, weight in weights.items() if weight]
    return sum(used[1:], used[0]) if used else None


def view_weights(problem: Problem, weighting: Weighting) -> list[float]:
    """What each view's loss is multiplied by before gradients are taken; the mean over views is 1."""
    if weighting == "view":
        return [1.0] * len(problem.views)
    lengths = [len(view.target_ids) for view in problem.views]
    return [len(lengths) * length / sum(lengths) for length in lengths]
