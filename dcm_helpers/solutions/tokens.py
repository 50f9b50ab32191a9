"""Tokens: do contents lie near anything that the Generator has ever read, and can they be made to?"""

import pandas as pd
import torch

from dcm_helpers.generator import nearest_of_tokens
from dcm_helpers.inquiry import (
    FAR_LR,
    NOT_SHOWN,
    Answer,
    Finding,
    Part,
    Question,
    Study,
    StudyConfig,
    Table,
    joint,
    settings,
    verdict,
)
from dcm_helpers.look import losses_at, random_travel, rank_among_tokens, slot_geometry, snapped
from dcm_helpers.stats import Quantity, correlation, ratio, share

TOKEN_SAMPLE = 4096
HELD = ("norm", "norm-gaussian")
"""Parts that tell whether contents lie near tokens: elsewhere a distance is one of norms, or back to the start."""
NEARER = 0.95
"""Contents lie near tokens if their distance is less than this share of a random step's: tiny differences, which are
certain with many pairs, do not count."""
PART_NAMES = {
    "base": "",
    "far": ", ten times the lr",
    "norm": ", norms held",
    "norm-far": ", norms held, ten times the lr",
    "norm-gaussian": ", norms held, from starts that are no tokens",
}
"""Parts whose distances are told, and how findings call them."""


def near_part(weight: float) -> str:
    """The part whose slots are drawn to tokens with a weight."""
    return f"near-{weight:g}"


def slot_parts(config: StudyConfig) -> list[str]:
    """The parts whose slots are set beside tokens."""
    return [*PART_NAMES, *map(near_part, config.near_tokens)]


def slots(study: Study) -> pd.DataFrame:
    """Where slots lie to tokens, beside their starts and a null; means over the slots of a content.

    Returns:  one row for each part, content and kind ('content', 'start', 'random step' as far from the start, at the
              same angle): columns part, problem, pair, kind, those of :func:`slot_geometry`, rank (share of tokens
              that lie nearer to another token than the slot to any but that of its start), cosine_rank
    """
    generator, tables = study.generator, []
    reference = nearest_of_tokens(generator, TOKEN_SAMPLE)
    for part in slot_parts(study.config):
        found = study.solutions(part)
        contents = torch.stack([each.content for each in found]).to(generator.device)
        starts = study.starts(part, found).to(generator.device)
        kinds = {"content": contents, "start": starts, "random step": random_travel(starts, contents, part)}
        names = pd.DataFrame([(each.problem.id, each.problem.pair) for each in found], columns=["problem", "pair"])
        for kind, vectors in kinds.items():
            table = slot_geometry(generator, vectors, starts)
            table["rank"] = rank_among_tokens(table["other_distance"].to_numpy(), reference.distance)
            table["cosine_rank"] = rank_among_tokens(-table["other_cosine"].to_numpy(), -reference.cosine)
            means = table.groupby("content").mean().drop(columns="slot").reset_index(drop=True)
            tables.append(names.join(means).assign(part=part, kind=kind))
    return pd.concat(tables)


def snapping(study: Study) -> pd.DataFrame:
    """What is left when every slot is replaced by its nearest token.

    Returns:  columns part, problem, by ('distance' or 'direction'), teacher_forced_exact, loss
    """
    generator, rows = study.generator, []
    for part in slot_parts(study.config):
        found = study.solutions(part)
        contents = torch.stack([each.content for each in found]).to(generator.device)
        for by in ("distance", "direction"):
            for each, content in zip(found, snapped(generator, contents, by), strict=True):
                measured = losses_at(generator, each.problem, content[None]).iloc[0]
                rows.append(
                    {
                        "part": part,
                        "problem": each.problem.id,
                        "by": by,
                        "teacher_forced_exact": bool(measured["teacher_forced_exact"]),
                        "loss": float(measured["loss"]),
                    }
                )
    return pd.DataFrame(rows)


def from_tokens(study: Study) -> list[Finding]:
    """Whether contents lie near tokens that they did not begin at, against steps as far in random directions."""
    places, replaced = (study.first_of_each(study.table(name)) for name in ("slots", "snapped"))
    of_part = {part: places[places["part"] == part].set_index(["kind", "problem"]).sort_index() for part in PART_NAMES}
    over_random = {
        part: ratio(here.loc["content", "other_distance"], here.loc["random step", "other_distance"])
        for part, here in of_part.items()
    }
    found = []
    for part, name in PART_NAMES.items():
        content, random = (of_part[part].loc[kind] for kind in ("content", "random step"))
        kept = replaced[replaced["part"] == part].groupby("problem")["teacher_forced_exact"].any()
        found.append(
            Finding(
                "3 tokens",
                f"distance to the nearest token but the start's, over that of a random step{name}",
                [Quantity("", over_random[part], ".4g")],
                [
                    Quantity("distance", content["other_distance"].mean()),
                    Quantity(
                        "cosine, and of a random step,",
                        (content["other_cosine"].mean(), random["other_cosine"].mean()),
                        ".2f",
                    ),
                    Quantity("tokens that have a nearer token than slots have:", content["rank"].mean(), ".0f", True),
                    Quantity("slots whose nearest token is the start's", content["at_start"].mean(), ".0f", True),
                    Quantity("teacher-forced exact with slots at their nearest tokens", share(kept), percent=True),
                ],
                Answer(
                    "Do contents lie near tokens that they did not begin at?",
                    verdict(NEARER, "yes", "no", *[over_random[part] for part in HELD]),
                    f"yes if, with norms held, the intervals from starts that are tokens and from others lie below "
                    f"{NEARER}, no if both above",
                )
                if part == HELD[0]
                else None,
            )
        )
    return found


def held(study: Study) -> list[Finding]:
    """What it costs to hold every slot at token norm, and whether distance is a property of the pair, then or at all.

    With norms held distance could be one of the norms, which are those of the start and the same at both rates.
    """
    base, norm = study.paired("base", "norm")
    places = study.first_of_each(study.table("slots"))
    content = places[places["kind"] == "content"]
    distances = content.pivot(index="pair", columns="part", values="other_distance")
    distances = distances[["base", "far", "norm", "norm-far"]].dropna()
    norms = content[content["part"] == "norm"].set_index("pair")["norm"].loc[distances.index]
    free = correlation(distances["base"], distances["far"])
    return [
        Finding(
            "3 tokens",
            "steps to exact with norms held, over free",
            [Quantity("", ratio(norm["steps_to_exact"] + 1, base["steps_to_exact"] + 1))],
            [
                Quantity("loss ratio", ratio(norm["loss"], base["loss"]), ".2g"),
                Quantity("reconstructed", share(norm["reconstructed"]), percent=True),
                Quantity("free", share(base["reconstructed"]), percent=True),
            ],
        ),
        Finding(
            "3 tokens",
            "rank correlation of pairs' distances at both learning rates",
            [Quantity("", free, ".2g")],
            [
                Quantity("norms held", correlation(distances["norm"], distances["norm-far"]), ".2g"),
                Quantity("distance with the held norm", correlation(distances["norm"], norms), ".2g"),
                Quantity("ten times the lr multiplies distance by", ratio(distances["far"], distances["base"])),
                Quantity("held by", ratio(distances["norm-far"], distances["norm"])),
            ],
            Answer(
                "Is distance from tokens a property of the pair?",
                "in part" if free.low > 0 else NOT_SHOWN,
                "in part if the interval lies above 0",
                free.p,
            ),
        ),
    ]


def drawn(study: Study) -> list[Finding]:
    """What drawing slots to tokens costs and buys: the token that is nearest is mostly the one a slot began at."""
    places, replaced = study.table("slots"), study.table("snapped")
    here = places[places["kind"] == "content"].set_index(["part", "problem"])
    found = []
    for weight in study.config.near_tokens:
        part = near_part(weight)
        base, near = study.paired("base", part)
        kept = replaced[replaced["part"] == part].groupby("problem")["teacher_forced_exact"].any()
        drawn_to, free = here.loc[part].loc[near.index], here.loc["base"].loc[near.index]
        found.append(
            Finding(
                "3 tokens",
                f"loss with a term of {weight:g} nats per unit of distance to tokens, over without",
                [Quantity("", ratio(near["loss"], base["loss"]))],
                [
                    Quantity("distance from the start, over without", ratio(drawn_to["travel"], free["travel"])),
                    Quantity("to other tokens", ratio(drawn_to["other_distance"], free["other_distance"])),
                    Quantity("reconstructed", share(near["reconstructed"]), percent=True),
                    Quantity(
                        "times the steps to exact:", ratio(near["steps_to_exact"] + 1, base["steps_to_exact"] + 1)
                    ),
                    Quantity("teacher-forced exact with slots at their nearest tokens", share(kept), percent=True),
                ],
            )
        )
    return found


def tokens_question(config: StudyConfig) -> Question:
    """Slots held at token norm, at both learning rates, and slots drawn to tokens."""
    some, few = joint(config.landscape), joint(config.few)
    held_far = settings(config, parameterization="held_norm", lr=FAR_LR)
    held_gaussian = settings(config, parameterization="held_norm", start="gaussian")
    return Question(
        parts=[
            Part("norm", "slots held at token norm", settings(config, parameterization="held_norm"), some),
            Part("norm-far", "slots held, ten times the rate", held_far, some),
            Part("norm-gaussian", "slots held, from Gaussian starts", held_gaussian, some),
            *[
                Part(
                    near_part(weight),
                    f"drawn to tokens by {weight:g}",
                    settings(config, terms=(("token_distance", weight),)),
                    few,
                )
                for weight in config.near_tokens
            ],
        ],
        tables=[Table("slots", slots, slot_parts(config)), Table("snapped", snapping, slot_parts(config))],
        findings=[(["slots", "snapped"], from_tokens), (["slots", "norm"], held), (["slots", "snapped"], drawn)],
    )
