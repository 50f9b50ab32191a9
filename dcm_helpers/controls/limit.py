"""Limit: where one slot no longer holds two texts, do texts that share something fit better?"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from dcm_helpers.generator import Generator
from dcm_helpers.inquiry import (
    BITS,
    Answer,
    Finding,
    Part,
    Problems,
    Question,
    Study,
    StudyConfig,
    Table,
    grouped,
    joint,
    long_pairs,
    long_part,
    long_settings,
    restating,
    verdict,
)
from dcm_helpers.look import nats_after
from dcm_helpers.pairs import Pair
from dcm_helpers.stats import Estimate, Quantity, mean, ratio_of_sums
from dcm_helpers.stm import Problem, with_view

SETS = {"long": "long answers", "restated": "short answers that restate the question"}
"""By the beginning of their parts' names: texts that share what pairs do, and that share most of what they hold."""
RESAMPLES = 1000
DETECTED = 2.8
"""An effect of so many standard errors is seen in four of five studies, at 5 %."""


def limit_parts(name: str) -> tuple[str, str]:
    """The parts of a set: true pairs, and the same texts with answers exchanged within blocks."""
    return f"{name}-K1", f"{name}-others-K1"


def blocks(problems: Sequence[Problem], kinds: Sequence[str]) -> list[tuple[Problem, Problem]]:
    """Two problems each, whose questions are of one type and whose answers are about as long, as far as they can be."""
    by_kind = grouped(zip(problems, kinds, strict=True), lambda both: both[1])
    made, left = [], []
    for _, those in sorted(by_kind.items()):
        ordered = sorted(
            [problem for problem, _ in those], key=lambda problem: (len(problem.view("answer").target_ids), problem.id)
        )
        made += zip(ordered[::2], ordered[1::2], strict=False)
        left += ordered[len(ordered) // 2 * 2 :]
    return [*made, *zip(left[::2], left[1::2], strict=False)]


def in_blocks(problems: Problems, exchanged: bool) -> Problems:
    """The problems of all blocks, as they are or with their answers exchanged within each block."""

    def make(generator: Generator, pairs: list[Pair]) -> list[Problem]:
        kinds, found = {pair.id: pair.question_type for pair in pairs}, problems(generator, pairs)
        made = []
        for one, other in blocks(found, [kinds[problem.pair] for problem in found]):
            answers = (other, one) if exchanged else (one, other)
            for problem, giver in zip((one, other), answers, strict=True):
                made.append(with_view(problem, giver.view("answer"), "mismatched") if exchanged else problem)
        return made

    return make


def limit(study: Study) -> pd.DataFrame:
    """What is left of two texts that one slot does not hold, and how much one tells of the other.

    Returns:  one row for each problem: columns set, block, problem, true (whether the answer is its question's), bits
              (of both texts without content), told (bits that the question as text saves its own answer, over what it
              saves with the block's other question), left (bits after optimization), exact
    """
    generator, rows = study.generator, []
    for name in SETS:
        true, others = limit_parts(name)
        places: dict[tuple[int, ...], int] = {}  # the block of each question
        found = study.run(true).solutions
        kinds = [study.run(true).pairs[each.problem.pair].question_type for each in found]
        given = {}
        for number, (one, other) in enumerate(blocks([each.problem for each in found], kinds)):
            for problem, partner in ((one, other), (other, one)):
                question, answer = (problem.view(kind) for kind in ("question", "answer"))
                places[question.target_ids] = number
                asked = [
                    replace(answer, given_ids=each.view("question").target_ids[:-1]) for each in (problem, partner)
                ]
                own, others_ = (cost for (cost,) in nats_after(generator, asked, None))
                given[answer.target_ids] = (others_ - own) * BITS
        for part in (true, others):
            for each in study.run(part).solutions:
                if each.problem.view("question").target_ids not in places:
                    continue  # of an odd number one is in no block
                views = each.problem.views
                alone = [cost for (cost,) in nats_after(generator, views, None)]
                left = sum(
                    view["loss"] * len(target.target_ids)
                    for view, target in zip(each.record["views"], views, strict=True)
                )
                rows.append(
                    {
                        "set": name,
                        "block": places[each.problem.view("question").target_ids],
                        "problem": each.problem.id,
                        "true": part == true,
                        "bits": sum(alone) * BITS,
                        "told": given[each.problem.view("answer").target_ids],
                        "left": left * BITS,
                        "exact": each.record["reconstructed"],
                    }
                )
    return pd.DataFrame(rows)


def saved_when_left(table: pd.DataFrame) -> Estimate:
    """Bits less that are left of true pairs than of exchanged ones, over bits that one text tells of the other."""
    left = table.pivot_table(index="block", columns="true", values="left", aggfunc="sum")
    saved = left[False] - left[True]
    share = ratio_of_sums(saved, table[table["true"]].groupby("block")["told"].sum())
    return replace(share, p=mean(saved).p)


def saved_when_exact(table: pd.DataFrame) -> float:
    """By how many bits true pairs may be longer for equal chances of being exact, over bits that one text tells.

    Logistic regression of exactness on bits and, for true pairs, on bits told: the ratio of both slopes.
    """
    measured = np.stack([table["bits"], table["told"].where(table["true"], 0.0)], axis=1) / 100
    slopes = LogisticRegression(C=np.inf, max_iter=1000).fit(measured, table["exact"]).coef_[0]
    return float(-slopes[1] / slopes[0])


def over_blocks(table: pd.DataFrame) -> Estimate:
    """:func:`saved_when_exact` with its bootstrap interval over blocks; resamples all exact, or none, are left out."""
    random, groups = np.random.default_rng(0), list(table.reset_index(drop=True).groupby("block").indices.values())
    drawn = []
    for chosen in random.integers(len(groups), size=(RESAMPLES, len(groups))):
        again = table.iloc[np.concatenate([groups[index] for index in chosen])]
        if again["exact"].nunique() == 2:
            drawn.append(saved_when_exact(again))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(saved_when_exact(table), float(low), float(high), len(groups))


def seen_mostly(estimate: Estimate) -> float:
    """The effect that a study as large as this one would see four times of five."""
    return DETECTED * (estimate.high - estimate.low) / (2 * 1.96)


def at_the_limit(name: str, study: Study) -> list[Finding]:
    """Whether texts that share something fit better where not all fit."""
    table = study.table("limit")
    here = table[table["set"] == name]
    left = saved_when_left(here)
    exact = tuple(here.groupby("true")["exact"].mean().reindex([True, False]))
    control = [
        Quantity("bits of both texts", (here["bits"].min(), here["bits"].max()), ".0f"),
        Quantity("bits told", here[here["true"]]["told"].mean(), ".1f"),
        Quantity("would be seen four times of five:", seen_mostly(left), ".0f", percent=True),
        Quantity("exact, true and exchanged", exact, ".0f", percent=True),
    ]
    if here["exact"].nunique() == 2:
        control.append(Quantity("by chances of being exact", over_blocks(here), ".0f", percent=True))
    return [
        Finding(
            "7h limit",
            f"bits saved where one slot does not hold both texts, over bits that one tells of the other, {SETS[name]}",
            [Quantity("", left, ".0f", percent=True)],
            control,
            Answer(
                f"Do texts that belong together fit better into one slot ({SETS[name]})?",
                verdict(0, "no, worse", "yes", left),
                "yes if the interval over blocks of two pairs lies above 0, worse if below",
                left.p,
            ),
        )
    ]


def limit_question(config: StudyConfig) -> Question:
    """Long pairs at one slot, and pairs that restate the question, each beside the same texts exchanged in blocks."""
    of_set = {
        "long": ("long", long_pairs(config)),
        "restated": ("pairs", restating(joint(config.controls))),
    }
    parts = [
        Part(part, f"{SETS[name]}, 1 slot", long_settings(config, 1), in_blocks(problems, exchanged), dataset=dataset)
        for name, (dataset, problems) in of_set.items()
        for part, exchanged in zip(limit_parts(name), (False, True), strict=True)
        if part != long_part(1)  # which the question of capacity has
    ]
    return Question(
        parts=parts,
        tables=[Table("limit", limit, [part for name in SETS for part in limit_parts(name)])],
        findings=[(["limit"], partial(at_the_limit, name)) for name in SETS],
    )
