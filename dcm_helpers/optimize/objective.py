"""What is minimized: cross-entropy, weighted over views, as its tokens count, and the weighted terms beside it."""

from collections.abc import Sequence

import torch

from dcm_helpers.config import OptimizerConfig, Weighting
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.objective import TERMS, Seen, term_function
from dcm_helpers.shapes import Float, Tensor
from dcm_helpers.stm import Problem, Scores


def terms_of(config: OptimizerConfig, kind: str) -> dict[str, float]:
    """The terms of a kind that have a number, by name."""
    return {name: value for name, value in config.terms if value and TERMS[name].kind == kind}


def counted_loss(config: OptimizerConfig, seen: Seen, scores: Scores) -> Float[Tensor, " N"]:
    """The loss of each row that is minimized: plain cross-entropy, or with its tokens counted otherwise."""
    counting = terms_of(config, "counted")
    if not counting:
        return scores.loss
    losses = scores.nll[seen.layout.target_rows, seen.layout.target_columns]
    for name in TERMS:  # in the table's order, whatever the order in which they were named
        if name in counting:
            losses = term_function(name)(seen, losses, counting[name])
    return losses.new_zeros(len(scores.lengths)).index_add(0, seen.layout.target_rows, losses) / scores.lengths


def added_terms(config: OptimizerConfig, seen: Seen) -> Float[Tensor, " B"] | None:
    """The weighted sum of all added terms, per content, as far as a group of rows tells; None without any."""
    used = [weight * term_function(name)(seen) for name, weight in terms_of(config, "added").items()]
    return sum(used[1:], used[0]) if used else None


def compares_problems(config: OptimizerConfig) -> bool:
    """Whether a term compares problems by what their texts mean, so that they must say it."""
    return bool(dict(config.terms).get("relations"))


def meanings_of(
    problems: Sequence[Problem], config: OptimizerConfig, generator: Generator
) -> Float[Tensor, "B E"] | None:
    """The text embeddings of problems, where a term compares them.

    Raises:   InputError if a problem brings none
    """
    if not compares_problems(config):
        return None
    for problem in problems:
        require(
            problem.meaning is not None,
            f"the term 'relations' compares texts, and problem {problem.id!r} brings no embedding of its own; give "
            "problems theirs with dcm.stm.with_meanings",
        )
    return torch.stack([problem.meaning for problem in problems]).to(generator.device)


def view_weights(problem: Problem, weighting: Weighting) -> list[float]:
    """What each view's loss is multiplied by before gradients are taken; the mean over views is 1."""
    pulls = [view.weight * (1 if weighting == "view" else len(view.target_ids)) for view in problem.views]
    return [len(pulls) * pull / sum(pulls) for pull in pulls]
