"""Sharing: do question and answer share anything in a content?"""

from collections.abc import Callable

import pandas as pd

from dcm_helpers.errors import require
from dcm_helpers.inquiry import (
    Answer,
    Finding,
    K,
    Part,
    Problems,
    Question,
    Study,
    StudyConfig,
    alone_part,
    counted_slots,
    joint,
    others,
    restating,
    settings,
    true_part,
    verdict,
)
from dcm_helpers.stats import Estimate, Quantity, crossed_ranks, crossed_ratio, ratio, ratio_seen_mostly

EFFECTS = "questions' and answers' own effects are taken out"
BY_RANKS = "p with ranks in place of logarithms:"
RESTATED = "restated-"
"""In names of parts: the answer first repeats the question."""


def others_parts(size: int, exchanges: int, variant: str = "") -> list[str]:
    """The parts that have exchanged answers at so many slots, one for each exchange."""
    return [f"exact-{variant}others{number + 1}-K{size}" for number in range(exchanges)]


def crossed_parts(size: int, problems: Problems, config: StudyConfig, variant: str = "") -> list[Part]:
    """Some problems, and the same with exchanged answers."""
    until_exact, told = settings(config, size, "exact"), ", question restated" if variant else ""
    return [
        Part(true_part(size, variant), f"pairs{told}, {counted_slots(size)}", until_exact, problems),
        *[
            Part(name, f"others' answers{told}, {counted_slots(size)}", until_exact, others(problems, turn))
            for turn, name in enumerate(others_parts(size, config.exchanges, variant), start=1)
        ],
    ]


def crossed_steps(study: Study, size: int, variant: str = "") -> pd.DataFrame:
    """True and exchanged pairs at so many slots, as :meth:`Study.per_problem` has them.

    Returns:  beside its columns question and answer (their token ids as text) and own (whether they belong together)
    """
    tables = []
    for part in (true_part(size, variant), *others_parts(size, study.config.exchanges, variant)):
        texts = {
            record["problem"]: [str(view["target_ids"]) for view in record["views"]] for record in study.records(part)
        }
        found = study.per_problem(part)
        question, answer = zip(*(texts[problem] for problem in found.index), strict=True)
        tables.append(found.assign(question=question, answer=answer, own=part == true_part(size, variant)))
    return pd.concat(tables)


def crossed_over(table: pd.DataFrame, values: pd.Series) -> tuple[Estimate, list[Quantity]]:
    """Values of true pairs over those of exchanged ones, and how far that can be trusted.

    Every question and every answer stands several times on the other side, so their own effects are taken out. The
    answer rests on logarithms, as was written down before there were figures; a few pairs take far more steps than
    others, so what ranks say is told beside it.
    """
    crossed = (values, table["question"], table["answer"], table["own"])
    over = crossed_ratio(*crossed)
    return over, [
        Quantity(BY_RANKS, crossed_ranks(*crossed), ".2g"),
        Quantity("a ratio that would be seen four times of five:", ratio_seen_mostly(over)),
    ]


def crossed(size: int, variant: str = "") -> Callable[[Study], list[Finding]]:
    """Whether true pairs take fewer steps than exchanged ones: a finding, or of a variant one that must be seen."""
    whose = "pairs whose answer restates the question" if variant else "true pairs"

    def find(study: Study) -> list[Finding]:
        table = crossed_steps(study, size, variant)
        steps, trust = crossed_over(table, table["steps_to_exact"] + 1)
        shares = tuple(table.groupby("own")["reconstructed"].mean().reindex([True, False]))
        return [
            Finding(
                "7a mismatched",
                f"{whose} over answers of the same type and length, K={size}: steps to exact, as a ratio",
                [Quantity("", steps), Quantity("reconstructed", shares, percent=True)],
                [*trust, Quantity("answers of others for each question:", float(study.config.exchanges), ".0f")],
                Answer(
                    f"Do {whose} take fewer steps than mismatched ones, K={size}?",
                    verdict(1, "fewer steps", "more steps", steps),
                    f"fewer steps if the interval lies below 1, more if above; {EFFECTS}",
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
        table = crossed_steps(study, size)
        over_half = (table["steps_to_exact"] + 1) / (slower_half(study, size, table) + 1)
        more, trust = crossed_over(table, over_half)
        one = [1.0] * len(table)
        return [
            Finding(
                "7d split",
                f"shared content over the slower half, steps to exact, true over mismatched pairs, K={size}",
                [Quantity("", more)],
                [
                    *[
                        Quantity(which, ratio(over_half[flags], one[: flags.sum()]))
                        for which, flags in (("true", table["own"]), ("mismatched", ~table["own"]))
                    ],
                    *trust,
                ],
                Answer(
                    f"Does one content for both save more steps where texts belong together, K={size}?",
                    verdict(1, "yes", "less", more),
                    f"yes if the interval lies below 1, less if above; {EFFECTS}",
                    more.p,
                ),
            )
        ]

    return find


def slower_half(study: Study, size: int, table: pd.DataFrame) -> pd.Series:
    """For each row the steps of the slower of two contents of half the slots, one for each of its texts.

    Raises:   InputError if one of them is missing: the other is not the slower one for that
    """
    part = alone_part(size // 2)
    steps = study.per_problem(part)["steps_to_exact"]
    of_text = {str(record["views"][0]["target_ids"]): steps[record["problem"]] for record in study.records(part)}
    halves = pd.concat([table[kind].map(of_text) for kind in ("question", "answer")], axis=1)
    missing = sorted(table[halves.isna().any(axis=1)]["pair"].unique())
    require(
        not missing,
        f"{part} lacks texts of {', '.join(missing)}; make them with: {study.command} --parts {part}",
    )
    return halves.max(axis=1)


def sharing_question(config: StudyConfig) -> Question:
    """True pairs beside those with exchanged answers; one content for both texts beside halves."""
    everything = joint(config.num_examples)
    restated = restating(joint(config.controls))
    halved = [size for size in config.exchanged if size / 2 in config.alone]
    both = [(size, "") for size in config.exchanged] + [(K, RESTATED)]
    needs = {
        (size, variant): [true_part(size, variant), *others_parts(size, config.exchanges, variant)]
        for size, variant in both
    }
    return Question(
        parts=[
            *[part for size in config.exchanged for part in crossed_parts(size, everything, config)],
            *crossed_parts(K, restated, config, RESTATED),
        ],
        findings=[
            *[([*needs[size, ""], alone_part(size // 2)], split(size)) for size in halved],
            *[(needs[size, variant], crossed(size, variant)) for size, variant in both],
        ],
    )
