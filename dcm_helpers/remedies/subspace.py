"""Subspace: does a subspace that is learned from some pairs help others, or only those that it was learned from?"""

import numpy as np
import pandas as pd

from dcm_helpers.config import DataConfig
from dcm_helpers.inquiry import (
    Answer,
    Finding,
    Question,
    Study,
    StudyConfig,
    Table,
    joint,
    settings,
    steps_or_spent,
    verdict,
)
from dcm_helpers.learned import shared_subspace
from dcm_helpers.optimize import RANK, ContentOptimizer, Parameterization, Projection
from dcm_helpers.pairs import load_pairs
from dcm_helpers.stats import Quantity, ratio, share
from dcm_helpers.stm import restarts_of

SLOTS = 4
STEPS = 100
"""Updates in which the subspace is learned."""
LAST = 6
"""Minibatches that its loss is taken over."""
TRAINED_ON = 2
"""Pairs that it is learned from, for each that it is judged on."""


def subspaces(study: Study) -> pd.DataFrame:
    """Steps of pairs whose slots may move anywhere, in a random subspace, and in one that was learned.

    Returns:  one row for each pair and way: columns pair, way ('anywhere', 'random', 'learned'), new (whether the
              subspace was not learned from this pair; those that it was start elsewhere than there), reconstructed,
              steps (to exact, counted from 1; of one that is not, those of one more than it was given); and of the
              learning overlap (with the random subspace), first and last (losses of so many minibatches)
    """
    generator, config = study.generator, study.config
    pairs = load_pairs(DataConfig(num_examples=config.num_examples)).pairs
    problems = joint((1 + TRAINED_ON) * config.controls)(generator, pairs)
    new, old = problems[: config.controls], problems[config.controls :]
    learned = shared_subspace(generator, old, settings(config, SLOTS, num_steps=STEPS), stop=study.stop)
    again = [restart for problem in old[: len(new)] for restart in restarts_of(problem, 1)]
    optimizer = settings(config, SLOTS, "exact", num_steps=config.num_steps // 2)
    ways: dict[str, Parameterization | None] = {
        "anywhere": None,
        "random": Projection(),
        "learned": Projection(learned.basis),
    }
    tables = []
    for way, parameterization in ways.items():
        for asked in (new, again):
            results = ContentOptimizer(generator, optimizer, parameterization).optimize(asked, stop=study.stop)
            study.require_going()
            rows = [
                {"pair": each.problem.pair, "way": way, "new": asked is new, "reconstructed": each.reconstructed}
                | {"steps": steps_or_spent(each.steps_to_exact, optimizer) + 1}
                for each in results
            ]
            tables.append(pd.DataFrame(rows))
    first, last = (float(np.mean(some)) for some in (learned.losses[:LAST], learned.losses[-LAST:]))
    return pd.concat(tables).assign(overlap=learned.overlap, first=first, last=last)


def what_is_shared(study: Study) -> list[Finding]:
    """What a learned subspace is worth to pairs that it was not learned from, beside those that it was."""
    table, spent, found = study.table("subspace"), study.config.num_steps // 2, []
    for new, whose in ((True, "new pairs"), (False, "pairs that it was learned from")):
        here = table[table["new"] == new]
        steps = here.pivot(index="pair", columns="way", values="steps")
        exact = here.groupby("way")["reconstructed"]
        over_random = ratio(steps["learned"], steps["random"])
        found.append(
            Finding(
                "12 subspace",
                f"steps in a learned subspace of {RANK} directions over those in a random one, {whose}, K={SLOTS}; "
                f"what is not exact after {spent} steps counts as {spent + 1}",
                [Quantity("", over_random)],
                [
                    Quantity("over those of slots that may move anywhere", ratio(steps["learned"], steps["anywhere"])),
                    *[
                        Quantity(f"exact, {way}", share(exact.get_group(way)), percent=True)
                        for way in ("anywhere", "random", "learned")
                    ],
                    Quantity("overlap of both subspaces", table["overlap"].iloc[0], ".2g"),
                    Quantity(
                        "loss while it was learned, at first and last", tuple(table.iloc[0][["first", "last"]]), ".2g"
                    ),
                ],
                Answer(
                    f"Is a learned subspace better than a random one, for {whose}?",
                    verdict(1, "yes", "no, worse", over_random),
                    "yes if the interval lies below 1, worse if above",
                    over_random.p,
                ),
            )
        )
    return found


def subspace_question(config: StudyConfig) -> Question:
    """Pairs of the study, in subspaces."""
    return Question(
        tables=[Table("subspace", subspaces, [], ("num_examples", "controls", "num_steps"))],
        findings=[(["subspace"], what_is_shared)],
    )
