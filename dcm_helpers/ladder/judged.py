"""How well texts are written from contents, or after prompts; and what would show that a Diffuser does something else.

Everything is judged by the project's decoder: exact is what `generate` would write, EOS included.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from dcm_helpers.diffuser import Diffuser, Example
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents, Float
from dcm_helpers.stm import Row, View, exact_match, f1, greedy_decode, score_rows, view_rows


def written_from(generator: Generator, examples: Sequence[Example], contents: Contents) -> pd.DataFrame:
    """What is written from one content for each example.

    Returns:  one row a view: problem, kind, ``nats`` per target token, ``exact``, ``match`` and ``f1`` (SQuAD's), text
    """
    problems = [each.problem for each in examples]
    views = [(problem.id, view) for problem in problems for view in problem.views]
    return judged(generator, views, view_rows(generator, problems), contents.to(generator.device))


def written_after(
    generator: Generator, asked: Sequence[tuple[str, View, tuple[int, ...]]], content: Contents | None = None
) -> pd.DataFrame:
    """What is written after prompts of text, each with the view that it asks for, or after one content and a text.

    Args:     asked  of each: the problem's id, the view, and the prompt's token ids;  content  (1, K, D), read before
              each prompt, as a task-level prompt is
    Returns:  as :func:`written_from`
    """
    head = generator.bos_ids if content is not None else ()
    rows = [
        Row(head, 0, ids, view.target_ids) if content is not None else Row(ids, None, (), view.target_ids)
        for _, view, ids in asked
    ]
    return judged(generator, [(name, view) for name, view, _ in asked], rows, content)


def judged(
    generator: Generator, views: Sequence[tuple[str, View]], rows: Sequence[Row], contents: Contents | None
) -> pd.DataFrame:
    """Score and decode rows, each beside the view that it should write."""
    K = 0 if contents is None else contents.shape[1]
    scores, decoded = score_rows(generator, rows, contents, K), greedy_decode(generator, rows, contents, K)
    found = []
    for (problem, view), score, written in zip(views, scores, decoded, strict=True):
        text = generator.text(written.ids)
        found.append(
            {
                "problem": problem,
                "kind": view.kind,
                "nats": score["loss"],
                "exact": view.is_written(written.ids),
                "match": exact_match(text, view.target_text),
                "f1": f1(text, view.target_text),
                "text": text,
            }
        )
    return pd.DataFrame(found)


def exchanged_conditions(examples: Sequence[Example], seed: int = 0) -> list[Example]:
    """The same examples, each with the condition of another: a Diffuser that reads its condition does badly on them.

    Raises:   InputError if there is only one
    """
    require(len(examples) > 1, "there is one example; conditions are exchanged between two or more")
    order = torch.randperm(len(examples), generator=seeded("exchanged conditions", seed)).tolist()
    giver = dict(zip(order, [*order[1:], order[0]], strict=True))  # one cycle, so that nobody keeps its own
    return [replace(each, condition=examples[giver[place]].condition) for place, each in enumerate(examples)]


def nearness(samples: Contents, learned: Contents, known: Contents) -> pd.DataFrame:
    """How near what is made lies to what was learned from: a Diffuser that replays makes one of these again.

    Args:     samples  one for each example;  learned  the contents of training;  known  what optimization finds for the
              same examples as the samples
    Returns:  one row an example: relative distances to the nearest content of training, of the sample and of what
              optimization finds, and from the sample to that; 1 is how far the learned ones lie from their mean
    """
    flat = [each.detach().flatten(1).double().cpu() for each in (samples, learned, known)]
    unit = (flat[1] - flat[1].mean(0)).square().sum(1).mean().sqrt()
    made, optimized = (torch.cdist(each, flat[1]).min(1).values / unit for each in (flat[0], flat[2]))
    own = (flat[0] - flat[2]).norm(dim=1) / unit
    return pd.DataFrame({"made_to_learned": made, "optimized_to_learned": optimized, "made_to_optimized": own})


def sharpness(diffuser: Diffuser, examples: Sequence[Example], count: int, steps: int) -> Float[np.ndarray, " B"]:
    """How much samples of one example differ, beside how much contents differ that it learned from.

    Returns:  for each example the mean squared distance of its samples from their mean, over that of the contents of
              training: near 0 where a Diffuser averages, near 1 where it is as free as optimization from any start
    Raises:   InputError if there are not two samples at least
    """
    require(count >= 2, f"count is {count}; samples are compared with each other, so take 2 or more")
    samples = torch.stack([diffuser.sample(examples, seed=seed, steps=steps) for seed in range(count)])
    spread = samples.var(0).mean((1, 2)) / diffuser.scale.std**2
    return spread.double().cpu().numpy()
