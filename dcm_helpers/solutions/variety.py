"""Variety: how much of a content belongs to its pair, and what do its slots do?"""

import numpy as np
import pandas as pd
import torch

from dcm_helpers.inquiry import (
    FAMILY_NAMES,
    KINDS,
    NOT_SHOWN,
    Answer,
    Finding,
    Question,
    Study,
    StudyConfig,
    Table,
    families,
    family_parts,
    sample_of,
)
from dcm_helpers.look import (
    ablated,
    expected_overlap,
    features,
    found_again,
    gini,
    losses_at,
    participation_ratio,
    reordered,
    subspace_overlap,
    variance_shares,
)
from dcm_helpers.stats import Estimate, Quantity, mean, mean_share

ORDERS = 10
OVERLAPS = {"within": "within a pair", "between": "between pairs", "expected": "by chance"}


def heterogeneity(study: Study) -> pd.DataFrame:
    """How varied solutions of one pair are beside those of other pairs.

    Returns:  one row for each family, kind of features and figure: columns family, features, figure, value, low, high
    """
    rows = []
    for family in families(study.config):
        several = study.alike(family)
        count = max(map(len, several.values()), default=0)
        whole = [[each.content for each, _ in those[:count]] for those in several.values() if len(those) >= count]
        if len(whole) < 2:  # a set too small to tell pairs from restarts
            continue
        contents = torch.stack([torch.stack(those) for those in whole])
        for kind in KINDS:
            points = features(contents.flatten(0, 1), kind).reshape(*contents.shape[:2], -1)
            shares = variance_shares(points)
            entry = {"family": family, "features": kind}
            rows.append(
                {**entry, "figure": "ICC", "value": shares["icc"], "low": shares["low"], "high": shares["high"]}
            )
            rows.append({**entry, "figure": "participation ratio", "value": participation_ratio(points[:, 0])})
            chance = (points.shape[1] - 1) / (points.shape[0] * points.shape[1] - 1)
            again = mean_share(found_again(points))
            above = mean(found_again(points) - chance)
            band = {"value": again.value, "low": again.low, "high": again.high, "p": above.p}
            rows.append({**entry, "figure": "found again", **band})
            rows.append({**entry, "figure": "found again by chance", "value": chance})
        within = [subspace_overlap(*those[:2]) for those in whole]
        across = [subspace_overlap(a[0], b[0]) for a, b in zip(whole, [*whole[1:], whole[0]], strict=True)]
        expected = expected_overlap(*contents.shape[2:])
        for which, values in (("within", within), ("between", across), ("expected", [expected])):
            rows.append(
                {
                    "family": family,
                    "features": "row space",
                    "figure": f"overlap {which}",
                    "value": float(np.mean(values)),
                    "low": float(np.quantile(values, 0.025)),
                    "high": float(np.quantile(values, 0.975)),
                }
            )
    return pd.DataFrame(rows)


def ablation(study: Study) -> pd.DataFrame:
    """What a content loses with one slot put back to its start, and with its slots in another order.

    Returns:  columns pair, change ('slot' or 'order'), index (which slot, or which draw), teacher_forced_exact, loss
              (nats)
    """
    generator, tables = study.generator, []
    by_pair = study.by_pair("base")
    sample = sample_of(list(study.run("base").pairs.values()), study.config.controls)
    chosen = [by_pair[pair.id] for pair in sample]
    starts = study.starts("base", chosen)
    for each, start in zip(chosen, starts, strict=True):
        changed = {"slot": ablated(each.content, start), "order": reordered(each.content, ORDERS, each.problem.id)}
        for change, contents in changed.items():
            table = losses_at(generator, each.problem, contents.to(generator.device))[["loss", "teacher_forced_exact"]]
            tables.append(table.assign(pair=each.problem.pair, change=change, index=range(len(table))))
    return pd.concat(tables)


def of_the_pair(study: Study) -> list[Finding]:
    """How much of a content belongs to its pair."""
    table, found = study.table("heterogeneity"), []
    for family in table["family"].unique():
        here = table[table["family"] == family].set_index(["features", "figure"])
        flattened, mean_slot = (here.loc[(kind, "ICC")] for kind in ("flattened", "mean slot"))
        overlaps = [
            Quantity(f"row spaces overlap {where}", here.loc[("row space", f"overlap {which}"), "value"], ".3f")
            for which, where in OVERLAPS.items()
        ]
        again, chance = (here.loc[("mean slot", f"found again{how}")] for how in ("", " by chance"))
        elsewhere = [kind for kind in KINDS if kind != "mean slot"]
        found.append(
            Finding(
                "5 variety",
                f"solutions whose nearest other one, in the mean slot, is of the same pair{FAMILY_NAMES[family]}",
                [Quantity("", within_band(again), percent=True)],
                [
                    Quantity("by chance", chance["value"], percent=True),
                    *[
                        Quantity(f"in {kind}", within_band(here.loc[(kind, "found again")]), percent=True)
                        for kind in elsewhere
                    ],
                ],
                Answer(
                    "Does a content tell which pair it belongs to?",
                    "yes" if again["low"] > chance["value"] else NOT_SHOWN,
                    "yes if the interval lies above chance; p is corrected for the choice of features",
                    min(1.0, len(KINDS) * again["p"]),
                )
                if family == "base"
                else None,
            )
        )
        participation = here.loc[("flattened", "participation ratio"), "value"]
        found.append(
            Finding(
                "5 variety",
                f"share of variance that belongs to the pair (ICC), flattened{FAMILY_NAMES[family]}",
                [Quantity("", within_band(flattened), ".2f")],
                [
                    Quantity("in mean slot", within_band(mean_slot), ".2f"),
                    *overlaps,
                    Quantity("participation ratio of the pairs", participation, ".1f"),
                ],
            )
        )
    return found


def within_band(row: pd.Series) -> Estimate:
    """A stored value with its stored interval."""
    return Estimate(row["value"], row["low"], row["high"])


def of_slots(study: Study) -> list[Finding]:
    """What single slots do, and their order."""
    changed = study.table("ablation")
    rates = changed.groupby(["change", "pair"])["teacher_forced_exact"].mean()
    before = study.per_problem("base").set_index("pair")["loss"]
    lost = changed.assign(lost=(changed["loss"] - changed["pair"].map(before)).clip(lower=0))
    concentration = lost[lost["change"] == "slot"].groupby("pair")["lost"].agg(gini)
    return [
        Finding(
            "5 variety",
            "single slots that can go back to their start with all still teacher-forced exact",
            [Quantity("", mean_share(rates["slot"]), percent=True)],
            [
                Quantity("importance of slots (loss without them), Gini:", mean(concentration), ".2g"),
                Quantity("other orders of the slots that stay so:", mean_share(rates["order"]), percent=True),
            ],
        )
    ]


def variety_question(config: StudyConfig) -> Question:
    """The landscape's solutions again, and the base's."""
    return Question(
        tables=[
            Table("heterogeneity", heterogeneity, family_parts(config)),
            Table("ablation", ablation, ["base"], ("controls",)),
        ],
        findings=[(["heterogeneity"], of_the_pair), (["ablation"], of_slots)],
    )
