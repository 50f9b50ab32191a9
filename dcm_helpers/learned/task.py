"""A task-level prompt: one content for all pairs of a task, as prompt tuning has it, to be compared with.

It is one problem with very many views, each the answer of a pair after its question as text, visited in minibatches:
the same rows, scores and update as everywhere, and a driver of its own, since nothing ends early.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.generator import Generator
from dcm_helpers.learned.minibatch import BATCH, measured, minibatches
from dcm_helpers.optimize import adam_state, adam_update
from dcm_helpers.pairs import Pair
from dcm_helpers.shapes import Content, Float, Tensor
from dcm_helpers.stm import Problem, Row, Scores, View, initial_content, score_rows


class Diverged(InputError):
    """The loss of a task-level prompt did not stay finite."""


@dataclass(frozen=True)
class TaskPrompt:
    """A content that was found for a whole task."""

    content: Content
    start: Content
    """Where it began."""
    losses: tuple[float, ...]
    """Of every minibatch before its update: nats per target token, EOS included."""


def answers_after_questions(generator: Generator, pairs: Sequence[Pair]) -> list[View]:
    """For each pair its answer after its question as text, without a mode: what a task-level prompt is found for."""
    return [View.of(generator, pair.answer, given=f"{pair.question}\n", kind="answer") for pair in pairs]


def task_prompt(
    generator: Generator, views: Sequence[View], config: OptimizerConfig, stop: Event | None = None, batch: int = BATCH
) -> TaskPrompt:
    """One content for all views: ``config.num_steps`` updates, each on a minibatch of a new shuffle of them.

    Args:     config  its K, steps, learning rate and schedule, beta2, weighting, start and seed;  stop  once set, what
              there is is returned;  batch  views of a minibatch
    Raises:   InputError if there are no views, or a row does not fit the Generator's window
    Source:   Lester et al., The Power of Scale for Parameter-Efficient Prompt Tuning (EMNLP 2021)
    """
    require(len(views) > 0, "a task-level prompt needs at least one pair to be found for")
    for view in views:
        require_room(generator, view, config.K)
    problem = Problem("task", tuple(views))
    start = initial_content(generator, problem, config.K, config.start, config.seed, 0)[None]
    state, losses = adam_state(start), []
    for step, chosen in zip(range(config.num_steps), minibatches(len(views), batch, "task", config.seed), strict=False):
        if stop is not None and stop.is_set():
            break
        loss, gradient = of_minibatch(generator, [views[index] for index in chosen], state["latent"], config)
        losses.append(loss)
        rates, counts = (torch.tensor([value], dtype=start.dtype) for value in (config.lr_at(step), step + 1))
        state["latent"] = adam_update(state, gradient, rates, counts, config.beta2)
    return TaskPrompt(state["latent"][0].cpu(), start[0].cpu(), tuple(losses))


def of_minibatch(
    generator: Generator, views: Sequence[View], latent: Float[Tensor, "1 K D"], config: OptimizerConfig
) -> tuple[float, Float[Tensor, "1 K D"]]:
    """The loss of a minibatch in nats per token, and the gradient of what is minimized: that, or the mean of views."""
    rows = [Row.of(generator, view, 0, leads=index == 0) for index, view in enumerate(views)]
    tokens = sum(len(view.target_ids) for view in views)

    def minimized(group: list[int], scores: Scores) -> Float[Tensor, ""]:
        return scores.nll.sum() / tokens if config.weighting == "token" else scores.loss.sum() / len(views)

    _, gradient, nats = measured(generator, rows, latent, minimized)
    return nats / tokens, gradient


def halves_of(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Two halves of the pairs that share neither an answer nor a context, as even as that allows.

    Raises:   InputError if all pairs share them, so that no half is left to be judged
    """
    group: dict[str, int] = {}  # of each text the group that it belongs to
    groups: list[list[Pair]] = []
    for pair in pairs:
        texts = [text for text in (pair.answer.strip().lower(), pair.context.strip()) if text]
        found = sorted({group[text] for text in texts if text in group})
        mine = [pair, *(each for number in found for each in groups[number])]
        for number in found:
            groups[number] = []
        groups.append(mine)
        for each in mine:
            group |= dict.fromkeys((each.answer.strip().lower(), each.context.strip()), len(groups) - 1)
        group.pop("", None)
    halves: tuple[list[Pair], list[Pair]] = ([], [])
    for those in sorted(groups, key=len, reverse=True):
        min(halves, key=len).extend(those)
    require(
        all(halves),
        f"of {len(pairs)} pairs all share an answer or a context; a task-level prompt is found for some pairs and "
        "judged on others, so use more of them",
    )
    return halves


def require_task(generator: Generator, pairs: Sequence[Pair], K: int) -> None:
    """Check before any work that a task-level prompt can be found for some of the pairs and judged on others.

    Raises:   InputError if there are no two halves, or a pair does not fit the Generator's window
    """
    halves_of(pairs)
    for view in answers_after_questions(generator, pairs):
        require_room(generator, view, K)


def require_room(generator: Generator, view: View, K: int) -> None:
    """Check that the Generator can read a content, a question and all of its answer at once.

    Raises:   InputError if it cannot
    """
    length = Row.of(generator, view, 0).length(K)
    require(
        length <= generator.window,
        f"{K} slots, a question and its answer {view.target_text!r} have {length} positions, read at once for a "
        f"task-level prompt; {generator.name} reads at most {generator.window}",
    )


def crossed_prompts(
    generator: Generator, pairs: Sequence[Pair], config: OptimizerConfig, stop: Event | None = None
) -> list[tuple[TaskPrompt, list[Pair]]]:
    """For each of two halves of the pairs a task-level prompt that was found for the other one, see :func:`halves_of`.

    Returns:  prompts and the pairs that they never saw; none once ``stop`` is set
    Raises:   Diverged if the loss was not finite
    """
    first, second = halves_of(pairs)
    found = []
    for others, own in ((second, first), (first, second)):
        prompt = task_prompt(generator, answers_after_questions(generator, others), config, stop)
        if stop is not None and stop.is_set():
            return []
        if not all(map(math.isfinite, prompt.losses)):
            raise Diverged(f"the loss of a task-level prompt became {prompt.losses[-1]} at lr {config.lr:g}")
        found.append((prompt, own))
    return found


def losses_after(
    generator: Generator, pairs: Sequence[Pair], content: Content | None, K: int
) -> dict[str, dict[str, float]]:
    """What answers cost after their question as text, after a content or none.

    Returns:  by pair, ``loss`` and ``loss_text``, in nats per token
    """
    rows = [
        Row.of(generator, view, None if content is None else 0) for view in answers_after_questions(generator, pairs)
    ]
    contents = None if content is None else content[None].to(generator.device)
    scores = score_rows(generator, rows, contents, 0 if content is None else K)
    return {
        pair.id: {key: found[key] for key in ("loss", "loss_text")} for pair, found in zip(pairs, scores, strict=True)
    }


def task_losses(
    generator: Generator, pairs: Sequence[Pair], config: OptimizerConfig, stop: Event | None = None
) -> dict[str, dict[str, float]]:
    """What answers cost after their question as text, after a task-level prompt that never saw them.

    Returns:  as :func:`losses_after`; of no pair once ``stop`` is set
    """
    losses = {}
    for prompt, own in crossed_prompts(generator, pairs, config, stop):
        losses |= losses_after(generator, own, prompt.content, config.K)
    return losses
