"""What would show that a Diffuser does something else than answer: ignores its condition, replays, or averages."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from dcm_helpers.diffuser import Diffuser, Example, contents_of
from dcm_helpers.errors import require
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents, Float
from dcm_helpers.stats import Estimate, mean

SAMPLES = 4
"""Samples of one example, of which it is asked how much they differ."""


def exchanged_conditions(examples: Sequence[Example], seed: int = 0) -> list[Example]:
    """The same examples, each with the condition of another pair: a Diffuser that reads its condition does badly.

    Raises:   InputError if more than half of them are of one pair
    """
    pairs = [each.problem.pair for each in examples]
    names = sorted(set(pairs))
    most = max((pairs.count(name) for name in names), default=0)
    require(2 * most <= len(examples), f"{most} of {len(examples)} examples are of one pair; give more pairs")
    drawn = torch.randperm(len(names), generator=seeded("exchanged conditions", seed)).tolist()
    rank = {names[place]: number for number, place in enumerate(drawn)}
    order = sorted(range(len(examples)), key=lambda place: rank[pairs[place]])
    giver = dict(zip(order, [*order[most:], *order[:most]], strict=True))  # pairs stand together: so far on is another
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
              training. Near 0 it makes one content for a question: it averages, or has learned from contents of which
              a pair has one, as those from one start are. Near 1 it is as free as optimization from any start.
    Raises:   InputError if there are not two samples at least
    """
    require(count >= 2, f"count is {count}; samples are compared with each other, so take 2 or more")
    samples = torch.stack([diffuser.sample(examples, seed=seed, steps=steps) for seed in range(count)])
    spread = samples.var(0).mean((1, 2)) / diffuser.scale.std**2
    return spread.double().cpu().numpy()


def refutations(
    diffuser: Diffuser, learned: Sequence[Example], judged: Sequence[Example], steps: int, seed: int = 0
) -> dict[str, Estimate]:
    """Where a Diffuser's contents lie, on average over what is judged; as far as it can be told.

    Args:     learned  what it learned from
    Returns:  the columns of :func:`nearness` where there are contents to compare with, and ``spread``, as
              :func:`sharpness` has it, for one that begins at noise
    """
    found = {}
    if all(example.content is not None for example in (*learned, *judged)):
        samples = diffuser.sample(judged, seed=seed, steps=steps)
        table = nearness(samples, contents_of(learned), contents_of(judged))
        found = {name: mean(table[name]) for name in table}
    if diffuser.config.kind == "flow":
        found["spread"] = mean(sharpness(diffuser, judged, SAMPLES, steps))
    return found
