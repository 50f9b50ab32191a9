"""What is minimized: cross-entropy, weighted over views, as its tokens count, and the weighted terms beside it."""

from collections.abc import Sequence

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.objective import TERMS, Seen, term_function
from dcm_helpers.shapes import Float, Tensor
from dcm_helpers.stm import Problem, Row, Scores, View, lay_out, target_logits


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


def added_terms(config: OptimizerConfig, seen: Seen) -> Float[Tensor, "added B"]:
    """Every added term without its weight, per content, as far as a group of rows tells.

    Returns:  in the order of :func:`terms_of`
    """
    values = [term_function(name)(seen) for name in terms_of(config, "added")]
    return torch.stack(values) if values else seen.contents.new_zeros(0, len(seen.contents))


def compares_problems(config: OptimizerConfig) -> bool:
    """Whether a term compares problems by what their texts mean, so that they must say it."""
    return bool(dict(config.terms).get("relations"))


def asks_oracle(config: OptimizerConfig) -> bool:
    """Whether a term compares predictions with those after a prompt, so that problems must bring it."""
    return bool(dict(config.terms).get("oracle"))


@torch.no_grad()
def oracle_of(generator: Generator, view: View) -> Float[Tensor, "T W"]:
    """What the Generator predicts at each of a view's target tokens after its oracle's prompt, as log probabilities."""
    layout = lay_out(generator, [Row(view.oracle_ids, None, (), view.target_ids)], 0)
    logits = target_logits(generator, layout, None)
    return logits.to(torch.promote_types(torch.float32, logits.dtype)).log_softmax(-1)


def require_told(problems: Sequence[Problem], config: OptimizerConfig) -> None:
    """Check that problems bring what terms compare with.

    Raises:   InputError if one does not
    """
    require(
        not asks_oracle(config) or any(view.oracle_ids or view.kind for problem in problems for view in problem.views),
        "the term 'oracle' compares answers with a prompt, and no view says that it is one; give them a kind, and a "
        "prompt with dcm.stm.with_oracle",
    )
    for problem in problems:
        require(
            problem.meaning is not None or not compares_problems(config),
            f"the term 'relations' compares texts, and problem {problem.id!r} brings no embedding of its own; give "
            "problems theirs with dcm.stm.with_meanings",
        )
        require(
            not asks_oracle(config) or all(view.oracle_ids or view.kind != "answer" for view in problem.views),
            f"the term 'oracle' compares with a prompt, and problem {problem.id!r} brings no oracle; give problems "
            "theirs with dcm.stm.with_oracle",
        )


def meanings_of(
    problems: Sequence[Problem], config: OptimizerConfig, generator: Generator
) -> Float[Tensor, "B E"] | None:
    """The text embeddings of problems, where a term compares them."""
    if not compares_problems(config):
        return None
    return torch.stack([problem.meaning for problem in problems]).to(generator.device)
