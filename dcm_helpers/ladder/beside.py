"""A Diffuser beside what needs none: the table of a rung of the ladder, on pairs that nobody learned from."""

from collections.abc import Iterator

import pandas as pd
import torch

from dcm_helpers.config import OptimizerConfig
from dcm_helpers.diffuser import Diffuser, Sides, contents_of, topics_of
from dcm_helpers.ladder.judged import FEW, written_after, written_from
from dcm_helpers.ladder.refuting import exchanged_conditions
from dcm_helpers.learned import task_prompt
from dcm_helpers.pairs import Pair
from dcm_helpers.shapes import Contents
from dcm_helpers.stats import mean, mean_share
from dcm_helpers.stm import View, text_prompts

FIGURES = {"exact": mean_share, "match": mean_share, "f1": mean_share, "nats": mean}
"""Columns of what was written, and how each is told."""
TEXTS = {"question": "question_only", "passage and question": "full_context"}
"""By what is read as text, the prompt that has it."""


def from_text(sides: Sides, config: OptimizerConfig) -> Iterator[tuple[str, pd.DataFrame]]:
    """What is answered to prompts of text, without a content, and after one for the whole task.

    Args:     config  of the task-level prompt, which is learned from the pairs that are not judged
    Yields:   a name, and the table of :func:`written_after`
    """
    for name, prompt in TEXTS.items():
        if any(text_prompts(pair)["answer"][prompt] is None for pair, _ in (*sides.learned, *sides.judged)):
            continue
        asked = [
            (example.problem.id, example.problem.view("answer"), text_prompts(pair)["answer"][prompt])
            for pair, example in sides.judged
        ]
        as_text = [(problem, view, sides.generator.prompt_ids(*told)) for problem, view, told in asked]
        yield f"{name} as text", written_after(sides.generator, as_text)
        views = [
            View.of(sides.generator, pair.answer, given=f"{text_prompts(pair)['answer'][prompt][0]}\n", kind="answer")
            for pair, _ in sides.learned
        ]
        found = task_prompt(sides.generator, views, config)
        given = [(problem, view, sides.generator.text_ids(f"{told[0]}\n")) for problem, view, told in asked]
        content = found.content[None].to(sides.generator.device)
        yield f"{name} as text after a task-level prompt", written_after(sides.generator, given, content)


def from_known(sides: Sides) -> Iterator[tuple[str, pd.DataFrame]]:
    """What is written from contents that no Diffuser makes; nothing where there are none.

    Yields:   a name, and the table of :func:`written_from`
    """
    generator, examples = sides.generator, [example for _, example in sides.judged]
    if all(example.content is not None for _, example in (*sides.learned, *sides.judged)):
        average = contents_of([example for _, example in sides.learned]).mean(0).expand(len(examples), -1, -1)
        yield "the mean content of training", written_from(generator, examples, average)
        yield "what optimization found, where it did", written_from(generator, examples, contents_of(examples))


def from_diffuser(
    sides: Sides, name: str, diffuser: Diffuser, steps: int, seed: int = 0
) -> Iterator[tuple[str, pd.DataFrame]]:
    """What is written from contents that a Diffuser makes, and from those that would refute it.

    Yields:   a name, and the table of :func:`written_from`
    """
    generator, examples = sides.generator, [example for _, example in sides.judged]
    made = diffuser.sample(examples, seed=seed, steps=steps)
    yield name, written_from(generator, examples, made)
    if len({example.problem.pair for example in examples}) > 1:
        exchanged = diffuser.sample(exchanged_conditions(examples), seed=seed, steps=steps)
        yield f"{name}, conditions exchanged", written_from(generator, examples, exchanged)
    if all(example.content is not None for _, example in sides.learned):
        nearest = nearest_of(contents_of([example for _, example in sides.learned]), made)
        yield f"{name}, the nearest content of training in its place", written_from(generator, examples, nearest)


def nearest_of(learned: Contents, made: Contents) -> Contents:
    """For each content the nearest of others."""
    learned = learned.to(made)
    return learned[torch.cdist(made.flatten(1), learned.flatten(1)).argmin(1)]


def ladder_rows(name: str, table: pd.DataFrame, pairs: dict[str, Pair]) -> list[dict]:
    """The rows of a method, one for each kind of text: its figures with 95 % intervals.

    Args:     pairs  of each problem; intervals are over their topics where there are enough, or else over pairs
    """
    rows = []
    for kind, part in table.groupby("kind", sort=False):
        mine = [pairs[problem] for problem in part["problem"]]
        topics = topics_of(mine)
        over = "topics" if len(set(topics)) >= FEW else "pairs"
        units = part[list(FIGURES)].astype(float).groupby(topics if over == "topics" else [p.id for p in mine]).mean()
        figures = {figure: FIGURES[figure](units[figure]).text(".3f") for figure in FIGURES}
        rows.append({"method": name, "kind": kind, "n": len(part), "intervals over": over, **figures})
    return rows
