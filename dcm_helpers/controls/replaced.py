"""Controls: what do contents take that were found for random answers, through other layers, or under other modes?"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from scipy.stats import linregress

from dcm_helpers.config import MODES
from dcm_helpers.inquiry import (
    NOT_SHOWN,
    OTHER_MODES,
    Answer,
    Finding,
    K,
    Part,
    Problems,
    Question,
    Study,
    StudyConfig,
    Table,
    joint,
    settings,
    true_part,
    verdict,
)
from dcm_helpers.look import nats_after, written_with_modes
from dcm_helpers.runs import Run
from dcm_helpers.stats import Estimate, Quantity, ratio, share, share_difference
from dcm_helpers.stm import Row, score_rows, with_random_answer

Compared = tuple[str, str, str, str, str]
"""Question, what is compared, both parts, and the question in plain words."""

COMPARED: list[Compared] = [
    ("7b random", "true answers over random tokens", true_part(K), "exact-random-K8",
     "Do true answers take fewer steps than random tokens?"),
    ("7c layers", "trained over shuffled layers", true_part(K), "exact-layers-shuffled",
     "Do trained layers take fewer steps than shuffled ones?"),
    ("7c layers", "trained over random layers", true_part(K), "exact-layers-random",
     "Do trained layers take fewer steps than random ones?"),
    ("7e mode", "modes Q and A over X and Y", true_part(K), "exact-modes",
     "Do modes Q and A take fewer steps than X and Y?"),
]  # fmt: skip
COMPARED_PARTS = sorted({part for _, _, *both, _ in COMPARED for part in both})
NATS = "control_nats"
RULE = (
    "fewer if the interval of steps lies below 1, more if above; of fewer or more nats by the interval of what there "
    "is to take away at the start: difficulty is not held, then, and steps for each nat would make up for it only "
    "where steps grow in proportion to nats. A bound where less than half are exact on the side that takes more: "
    "these count as one step more than they were given"
)
MOSTLY = 0.5
"""Where a smaller share is exact, steps are mostly those that were given."""
MODE_CHANGES = {
    "as optimized": tuple(MODES),
    "removed": (None, None),
    "other words": tuple(OTHER_MODES),
}


def random_answers(problems: Problems) -> Problems:
    """Each answer replaced by as many random tokens."""
    return lambda generator, pairs: [with_random_answer(generator, problem) for problem in problems(generator, pairs)]


def routing(study: Study) -> pd.DataFrame:
    """What greedy decoding writes from the base part's contents when other modes ask; see ``written_with_modes``."""
    found = study.solutions("base")
    contents = torch.stack([each.content for each in found]).to(study.generator.device)
    return written_with_modes(study.generator, [each.problem for each in found], contents, MODE_CHANGES)


def nats(study: Study) -> pd.DataFrame:
    """What the targets of all compared parts cost; see :func:`nats_at_start`."""
    return pd.concat([nats_at_start(study, part) for part in COMPARED_PARTS])


def nats_at_start(study: Study, part: str) -> pd.DataFrame:
    """What a part's targets cost where optimization began, all views together: what there is to be taken away.

    A start is a few random tokens, which make any text less likely, and texts that read well more than others; so what
    targets cost without any content is told beside it.

    Returns:  one row for each problem: columns part, problem, nats, nats_without (content)
    """
    trained = study.folder(part).manifest["identity"]["generator"].get("layers", "trained") == "trained"
    run = study.run(part) if trained else Run(study.folder(part))
    asked = [
        Row.of(run.generator, view, place) for place, each in enumerate(run.solutions) for view in each.problem.views
    ]
    scores = iter(score_rows(run.generator, asked, run.starts, run.optimizer.K))
    rows = []
    for each in run.solutions:
        nats = sum(next(scores)["loss"] * len(view.target_ids) for view in each.problem.views)
        without = sum(cost for (cost,) in nats_after(run.generator, each.problem.views, None))
        rows.append({"part": part, "problem": each.problem.id, "nats": nats, "nats_without": without})
    return pd.DataFrame(rows)


def compared(row: Compared) -> Callable[[Study], list[Finding]]:
    """A finding on two parts, pair by pair."""
    question, name, one, other, asked = row

    def find(study: Study) -> list[Finding]:
        costs = study.table(NATS).set_index(["part", "problem"])
        both = [found.join(costs.loc[part]) for part, found in zip((one, other), study.paired(one, other), strict=True)]
        return [side_by_side(question, name, *both, asked)]

    return find


def side_by_side(question: str, name: str, first: pd.DataFrame, second: pd.DataFrame, asked: str) -> Finding:
    """Steps, nats and success of two conditions on the same pairs in the same order.

    What has more nats to be taken away may take more steps for that alone, so steps for each nat stand beside them,
    however counted, and whether steps grow with nats at all: with the power of 1 where steps for each nat are the same.
    No answer rests on steps for each nat, since that power differs between Generators and layers.
    """
    steps = ratio(first["steps_to_exact"] + 1, second["steps_to_exact"] + 1)
    at_start, without = (
        ratio((first["steps_to_exact"] + 1) / first[nats], (second["steps_to_exact"] + 1) / second[nats])
        for nats in ("nats", "nats_without")
    )
    success = []
    if not (first["reconstructed"].all() and second["reconstructed"].all()):  # else there is nothing to compare
        difference, p = share_difference(first["reconstructed"], second["reconstructed"])
        success = [Quantity("difference of reconstructed ones", difference, percent=True), Quantity("p=", p, ".2g")]
    growth = []
    shares = (first["reconstructed"].mean(), second["reconstructed"].mean())
    if min(shares) >= MOSTLY and min(each["nats"].nunique() for each in (first, second)) > 2:
        growth = [Quantity("steps grow with nats to the power of", (power(first), power(second)), ".2g")]
    begun_with = ratio(first["nats"], second["nats"])
    return Finding(
        question,
        f"{name}, K={K}: steps to exact, as a ratio",
        [Quantity("", steps), Quantity("reconstructed", shares, percent=True)],
        [
            Quantity("nats at the start", begun_with),
            Quantity("steps for each nat at the start", at_start),
            Quantity("for each nat without content", without),
            *growth,
            *success,
        ],
        Answer(asked, fewer_or_more(steps, begun_with, *shares), RULE, steps.p),
    )


def power(found: pd.DataFrame) -> float:
    """The power of nats at the start that steps to exact grow with: the slope of their logarithms."""
    return float(linregress(np.log(found["nats"]), np.log(found["steps_to_exact"] + 1)).slope)


def fewer_or_more(steps: Estimate, nats: Estimate, exact: float, exact_of_others: float) -> str:
    """What steps say, whether there were as many nats to be taken away, and whether that is but a bound.

    Steps of what is not exact count too little, which makes a difference smaller, or one that there is not.

    Args:     nats  at the start, as a ratio;  exact, exact_of_others  shares on both sides
    """
    says = verdict(1, "fewer", "more", steps)
    fewer, more = (share < MOSTLY for share in (exact, exact_of_others))
    if says == NOT_SHOWN or (says == "fewer" and fewer) or (says == "more" and more):
        return NOT_SHOWN
    bound = " (a bound)" if fewer or more else ""
    at_start = {"fewer nats": ", but of fewer nats", "more nats": ", but of more nats"}
    return says + bound + at_start.get(verdict(1, "fewer nats", "more nats", nats), "")


def what_modes_do(study: Study) -> list[Finding]:
    """What is written without a mode, and with others.

    With the modes exchanged there is nothing to ask: a content under the other view's mode is the other view's own STM.
    """
    table, found = study.table("routing"), []
    for change in ("removed", "other words"):
        texts = []
        for view in MODES:
            wrote = table[(table["modes"] == change) & (table["view"] == view)]["wrote"]
            texts.append(
                [
                    Quantity(f"in {view}'s place its own text", share(wrote == "own"), percent=True),
                    Quantity("the other", share(wrote == "other"), percent=True),
                ]
            )
        found.append(Finding("7e mode", f"what is written with modes {change}", *texts))
    return found


def replaced_question(config: StudyConfig) -> Question:
    """Random answers, other layers and other modes, beside the base."""
    controls, until_exact = joint(config.controls), settings(config, rule="exact")
    other_layers = settings(config, rule="exact", num_steps=config.num_steps // 2)  # 8 times what the trained ones take
    return Question(
        parts=[
            Part("exact-random-K8", "the answer replaced by random tokens", until_exact, random_answers(controls)),
            Part("exact-layers-shuffled", "layers in another order", other_layers, controls, "shuffled"),
            Part("exact-layers-random", "layers of random weights", other_layers, controls, "random"),
            Part("exact-modes", "other words as modes", until_exact, joint(config.controls, OTHER_MODES)),
        ],
        tables=[Table("routing", routing, ["base"]), Table(NATS, nats, COMPARED_PARTS)],
        findings=[
            (["routing"], what_modes_do),
            *[((row[2], row[3], NATS), compared(row)) for row in COMPARED],
        ],
    )
