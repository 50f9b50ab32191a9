"""Sharing: do question and answer share anything in a content?"""

from collections.abc import Callable

import pandas as pd

from dcm_helpers.config import StudyConfig
from dcm_helpers.generator import Generator
from dcm_helpers.inquiry import (
    Answer,
    Finding,
    K,
    Part,
    Problems,
    Question,
    Study,
    apart,
    joint,
    others,
    restating,
    settings,
    size_part,
    verdict,
)
from dcm_helpers.pairs import Pair
from dcm_helpers.stats import Estimate, Quantity, crossed_ratio, ratio
from dcm_helpers.stm import Problem, with_view

EXCHANGES = 3
"""How often answers are exchanged among all pairs, so that every question meets so many answers of others."""
RESTATED = "restated-"
"""In names of parts: the answer first repeats the question."""


def exchanged(problems: Problems) -> Problems:
    """Each question with the answer of another pair that comes next in length, so that problems stay as long."""

    def make(generator: Generator, pairs: list[Pair]) -> list[Problem]:
        found = sorted(problems(generator, pairs), key=lambda problem: len(problem.view("answer").target_ids))
        following = [*found[1:], found[0]]
        return [with_view(one, next_.view("answer"), "mismatched") for one, next_ in zip(found, following, strict=True)]

    return make


def others_parts(size: int, variant: str = "") -> list[str]:
    """The parts that have exchanged answers at so many slots, one for each exchange."""
    return [f"exact-{variant}others{number + 1}-K{size}" for number in range(EXCHANGES)]


def true_part(size: int, variant: str = "") -> str:
    """The part that has every true pair at so many slots, found by the same rule as the exchanged ones."""
    return f"exact-{variant}K{size}"


def crossed_parts(size: int, problems: Problems, config: StudyConfig, variant: str = "") -> list[Part]:
    """Some problems, and the same with exchanged answers."""
    until_exact, told = settings(config, size, "exact"), ", question restated" if variant else ""
    return [
        Part(true_part(size, variant), f"pairs{told}, {size} slots", until_exact, problems),
        *[
            Part(name, f"others' answers{told}, {size} slots", until_exact, others(problems, turn))
            for turn, name in enumerate(others_parts(size, variant), start=1)
        ],
    ]


def steps_of_true(study: Study, size: int, variant: str = "") -> tuple[Estimate, tuple[float, float]]:
    """True pairs over exchanged ones in steps, and the shares of both that are exact.

    Every question and every answer stands several times on the other side, so their own effects are taken out.
    """
    tables = []
    for part in (true_part(size, variant), *others_parts(size, variant)):
        answers = {record["problem"]: str(record["views"][1]["target_ids"]) for record in study.records(part)}
        found = study.per_problem(part)
        tables.append(found.assign(answer=found.index.map(answers), own=part == true_part(size, variant)))
    table = pd.concat(tables)
    steps = crossed_ratio(table["steps_to_exact"] + 1, table["pair"], table["answer"], table["own"])
    return steps, (table[table["own"]]["reconstructed"].mean(), table[~table["own"]]["reconstructed"].mean())


def crossed(size: int, variant: str = "") -> Callable[[Study], list[Finding]]:
    """Whether true pairs take fewer steps than exchanged ones: a finding, or of a variant one that must be seen."""
    whose = "pairs whose answer restates the question" if variant else "true pairs"

    def find(study: Study) -> list[Finding]:
        steps, shares = steps_of_true(study, size, variant)
        return [
            Finding(
                "7a mismatched",
                f"{whose} over answers of the same type and length, K={size}: steps to exact, as a ratio",
                [Quantity("", steps), Quantity("reconstructed", shares, ".0f", percent=True)],
                [Quantity("answers of others for each question:", float(EXCHANGES), ".0f")],
                Answer(
                    f"Do {whose} take fewer steps than mismatched ones, K={size}?",
                    verdict(1, "fewer steps", "more steps", steps),
                    "fewer steps if the interval lies below 1, more if above; questions' and answers' own effects are "
                    "taken out",
                    steps.p,
                ),
            )
        ]

    return find


def split(size: int) -> Callable[[Study], list[Finding]]:
    """One content for two texts against halves that share nothing, at equal K: more so for texts that belong together?

    A content for two texts is also one with room for both, and the slower of two halves is slow by being the slower of
    two. Both are as true of texts that do not belong together, so only the interaction tells.
    """

    def find(study: Study) -> list[Finding]:
        over_halves = []
        for part in (size_part(size), f"mismatched-K{size}"):
            whole, halves = with_halves(study, size, part)
            over_halves.append((whole["steps_to_exact"] + 1) / (halves["steps_to_exact"] + 1))
        true, mismatched = over_halves
        both = true.index.intersection(mismatched.index)
        more = ratio(true[both], mismatched[both])
        one = [1.0] * len(both)
        return [
            Finding(
                "7d split",
                f"shared content over the slower half, steps to exact, true over mismatched pairs, K={size}",
                [Quantity("", more)],
                [
                    Quantity("true", ratio(true[both], one)),
                    Quantity("mismatched", ratio(mismatched[both], one)),
                ],
                Answer(
                    f"Does one content for both save more steps where texts belong together, K={size}?",
                    verdict(1, "yes", "less", more),
                    "yes if the interval lies below 1, less if above",
                    more.p,
                ),
            )
        ]

    return find


def with_halves(study: Study, size: int, part: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The records of a part whose texts both have a half content of their own, and what both halves are together."""
    halves = study.per_problem(f"split-K{size}")
    of_text = {tuple(half["views"][0]["target_ids"]): half["problem"] for half in study.records(f"split-K{size}")}
    whole, names, together = study.per_problem(part), [], []
    for record in study.records(part):
        texts = [tuple(view["target_ids"]) for view in record["views"]]
        if all(text in of_text for text in texts):
            both = halves.loc[[of_text[text] for text in texts]]
            names.append(record["problem"])
            together.append((both["reconstructed"].all(), both["loss"].sum(), both["steps_to_exact"].max()))
    columns = ["reconstructed", "loss", "steps_to_exact"]
    return whole.loc[names], pd.DataFrame(together, index=names, columns=columns)


def sharing_question(config: StudyConfig) -> Question:
    """True pairs beside mismatched ones, and one content for both texts beside halves."""
    controls, everything = joint(config.controls), joint(config.num_examples)
    two, eight = settings(config, 2), settings(config)
    return Question(
        parts=[
            Part("mismatched-K2", "each question with another's answer, 2 slots", two, exchanged(controls)),
            Part("mismatched-K8", "each question with another's answer", eight, exchanged(controls)),
            *crossed_parts(2, everything, config),
            *crossed_parts(K, everything, config),
            *crossed_parts(K, restating(controls), config, RESTATED),
            Part("split-K2", "a slot for the question, a slot for the answer", settings(config, 1), apart(controls)),
            Part(
                "split-K8",
                "half the slots for the question, half for the answer",
                settings(config, K // 2),
                apart(controls),
            ),
        ],
        findings=[
            (["K2", "mismatched-K2", "split-K2"], split(2)),
            (["base", "mismatched-K8", "split-K8"], split(8)),
            *[
                ([true_part(size, variant), *others_parts(size, variant)], crossed(size, variant))
                for size, variant in ((2, ""), (K, ""), (K, RESTATED))
            ],
        ],
    )
