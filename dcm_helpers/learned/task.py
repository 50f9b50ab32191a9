"""A task-level prompt: one content for all pairs of a task, as prompt tuning has it, to be compared with.

It is one problem with very many views, each the answer of a pair after its question as text, visited in minibatches:
the same rows, scores and update as everywhere, and a driver of its own, since nothing ends early.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import adam_update
from dcm_helpers.pairs import Pair
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Content, Float, Tensor
from dcm_helpers.stm import (
    Problem,
    Row,
    View,
    groups_by_length,
    initial_content,
    lay_out,
    require_fits,
    score_rows,
    scored,
    target_logits,
)

BATCH = 16
"""Pairs of a minibatch, where the settings leave it open."""
POSITIONS = 2048
"""Positions of a minibatch that are computed at once."""


@dataclass(frozen=True)
class TaskPrompt:
    """A content that was found for a whole task."""

    content: Content
    losses: tuple[float, ...]
    """Of every minibatch before its update: nats per target token, EOS included."""


def answers_after_questions(generator: Generator, pairs: Sequence[Pair]) -> list[View]:
    """For each pair its answer after its question as text, without a mode: what a task-level prompt is found for."""
    return [View.of(generator, pair.answer, given=f"{pair.question}\n", kind="answer") for pair in pairs]


def task_prompt(
    generator: Generator, views: Sequence[View], config: OptimizerConfig, stop: Event | None = None
) -> TaskPrompt:
    """One content for all views: ``config.num_steps`` updates, each on a minibatch of a new shuffle of them.

    Args:     stop  once set, what there is is returned
    Raises:   InputError if there are no views, or a row does not fit the Generator's window
    Source:   Lester et al., The Power of Scale for Parameter-Efficient Prompt Tuning (EMNLP 2021)
    """
    require(len(views) > 0, "a task-level prompt needs at least one pair to be found for")
    problem = Problem("task", tuple(views))
    require_fits(generator, [problem], config.K)
    start = initial_content(generator, problem, config.K, config.init, config.seed, 0)[None]
    state = {"latent": start, "exp_avg": torch.zeros_like(start), "exp_avg_sq": torch.zeros_like(start)}
    losses, waiting, size = [], [], min(config.batch_size or BATCH, len(views))
    for step in range(config.num_steps):
        if stop is not None and stop.is_set():
            break
        if len(waiting) < size:  # what is left of a shuffle is dropped, so that minibatches are of one size
            waiting = torch.randperm(len(views), generator=seeded("task", config.seed, step)).tolist()
        chosen, waiting = waiting[:size], waiting[size:]
        loss, gradient = measured(generator, [views[index] for index in chosen], state["latent"], config)
        losses.append(loss)
        rates, counts = (torch.tensor([value], dtype=start.dtype) for value in (config.lr_at(step), step + 1))
        state["latent"] = adam_update(state, gradient, rates, counts, config.beta2)
    return TaskPrompt(state["latent"][0].cpu(), tuple(losses))


def measured(
    generator: Generator, views: Sequence[View], latent: Float[Tensor, "1 K D"], config: OptimizerConfig
) -> tuple[float, Float[Tensor, "1 K D"]]:
    """The loss of a minibatch in nats per token, and the gradient of what is minimized: that, or the mean of views."""
    rows = [Row.of(generator, view, 0, leads=index == 0) for index, view in enumerate(views)]
    tokens = sum(len(view.target_ids) for view in views)
    total, gradient = 0.0, torch.zeros_like(latent)
    for group in groups_by_length(rows, config.K, POSITIONS):
        layout = lay_out(generator, [rows[index] for index in group], config.K)
        content = latent.detach().requires_grad_()
        scores = scored(target_logits(generator, layout, content), layout)
        summed = scores.nll.sum()
        minimized = summed / tokens if config.weighting == "token" else scores.loss.sum() / len(views)
        gradient += torch.autograd.grad(minimized, content)[0]
        total += summed.item()
    return total / tokens, gradient


def task_losses(
    generator: Generator, pairs: Sequence[Pair], config: OptimizerConfig, stop: Event | None = None
) -> dict[str, dict[str, float]]:
    """What answers cost after their question as text, after a task-level prompt that never saw them.

    Pairs are put into two halves in turn. A prompt is found for each half, and used on the other.

    Args:     config  of the prompt; it has one restart of ``num_steps``
    Returns:  by pair, ``loss`` and ``loss_text``, in nats per token; of no pair once ``stop`` is set
    Raises:   InputError if there are fewer than two pairs
    """
    require(len(pairs) > 1, "a task-level prompt is found for some pairs and used on others; expected at least 2 pairs")
    halves, losses = (pairs[::2], pairs[1::2]), {}
    for others, own in (halves, halves[::-1]):
        prompt = task_prompt(generator, answers_after_questions(generator, others), config, stop).content
        if stop is not None and stop.is_set():
            return {}
        rows = [Row.of(generator, view, 0) for view in answers_after_questions(generator, own)]
        scores = score_rows(generator, rows, prompt[None].to(generator.device), config.K)
        for pair, found in zip(own, scores, strict=True):
            losses[pair.id] = {key: found[key] for key in ("loss", "loss_text")}
    return losses
