"""Capacity: how many slots does a pair need, and what decides how hard it is with few?"""

import numpy as np
import pandas as pd

from dcm_helpers.inquiry import (
    BITS,
    Answer,
    Finding,
    K,
    Part,
    Question,
    Study,
    StudyConfig,
    Table,
    counted_slots,
    joint,
    long_pairs,
    long_part,
    long_settings,
    settings,
    size_part,
)
from dcm_helpers.look import nats_after
from dcm_helpers.stats import Quantity, correlation, share

LONG_SIZES = (1, 2, 4, 8)
"""Slots for pairs with long answers; with one slot they are also where the limit of a slot is looked at."""
MOST = "the fewest at which the interval of exact ones lies above 50 %, within the steps that were given"


def how_many_slots(study: Study) -> list[Finding]:
    """What fits into so many slots, and what decides how hard that is with the fewest."""
    made = [size for size in study.config.capacities if study.complete(size_part(size))]
    sizes = sorted([K, *made])
    tables = {size: study.per_problem(size_part(size)).set_index("pair") for size in sizes}
    texts = study.table("surprisal").groupby("pair")[["tokens", "nats_without"]].sum()
    enough = next((size for size in sizes if share(tables[size]["reconstructed"]).low > 0.5), None)
    answer = Answer(
        "How many slots does a pair need?",
        f"{enough} for most" if enough else f"more than {sizes[-1]}",
        MOST,
    )
    found = []
    for size, table in tables.items():
        done = table["reconstructed"]
        gain = (texts["nats_without"] - nats_with(study, size_part(size)))[done.index[done]] * BITS / size
        beside = [Quantity("steps to exact: median", table["steps_to_exact"].median(), ".0f")]
        if table["loss"].notna().all():
            beside.append(Quantity("nats of loss: median", table["loss"].median(), ".2g"))
        if len(gain):
            beside.append(Quantity("bits a slot, where written: mean", gain.mean(), ".1f"))
            beside.append(Quantity("most", gain.max(), ".1f"))
        found.append(
            Finding(
                "6 capacity",
                f"written exactly by greedy decoding within {steps_of(study, size_part(size))} steps, K={size}",
                [Quantity("", share(done), percent=True)],
                beside,
                answer if size == (enough or sizes[-1]) else None,
            )
        )
    return [*found, what_is_hard(tables, texts)]


def what_is_hard(tables: dict[int, pd.DataFrame], texts: pd.DataFrame) -> Finding:
    """Steps with the fewest slots that tell pairs apart, against what the texts hold."""
    # where no pair is solved, all have the same steps, and those tell nothing
    telling = next((size for size in tables if tables[size]["steps_to_exact"].nunique() > 1), max(tables))
    steps = tables[telling]["steps_to_exact"]
    surprise, tokens = (texts.loc[steps.index, name] for name in ("nats_without", "tokens"))
    return Finding(
        "6 capacity",
        f"rank correlation of steps to exact with surprisal, K={telling}",
        [Quantity("", correlation(steps, surprise), ".2g")],
        [
            Quantity("with tokens", correlation(steps, tokens), ".2g"),
            *counts_of(fewest_slots(tables)),
        ],
    )


def steps_of(study: Study, part: str) -> int:
    """Steps that a part gives a restart; with more, fewer slots may suffice."""
    return study.run(part).optimizer.num_steps


def nats_with(study: Study, part: str) -> pd.Series:
    """Nats of all targets of each pair after its content."""
    return pd.Series(
        {
            record["pair"]: sum(view["loss"] * len(view["target_ids"]) for view in record["views"])
            for record in study.records(part)
        }
    )


def surprisal_of_long(study: Study) -> pd.DataFrame:
    """What pairs with long answers hold without content: columns pair, tokens, nats_without, of both texts together."""
    problems = [each.problem for each in study.solutions(long_part(1))]
    rows = [
        {
            "pair": problem.pair,
            "tokens": sum(len(view.target_ids) for view in problem.views),
            "nats_without": sum(cost for (cost,) in nats_after(study.generator, problem.views, None)),
        }
        for problem in problems
    ]
    return pd.DataFrame(rows)


def where_one_is_too_few(study: Study) -> list[Finding]:
    """How many slots pairs with long answers need, and whether what they hold decides it."""
    sizes = [size for size in LONG_SIZES if study.complete(long_part(size))]
    tables = {size: study.per_problem(long_part(size)).set_index("pair") for size in sizes}
    texts = study.table("long").set_index("pair")
    for table in tables.values():  # the pairs that all sizes have: at one slot there are longer ones, too
        texts = texts.loc[texts.index.intersection(table.index)]
    tables = {size: table.loc[texts.index] for size, table in tables.items()}
    bits, fewest, found = texts["nats_without"] * BITS, fewest_slots(tables), []
    enough = next((size for size in sizes if share(tables[size]["reconstructed"]).low > 0.5), None)
    for size, table in tables.items():
        done = table["reconstructed"]
        held = [
            Quantity(f"bits of those that {which}: median", bits[done.index[flags]].median(), ".0f")
            for which, flags in (("are", done), ("are not", ~done))
            if flags.any()
        ]
        found.append(
            Finding(
                "6 capacity",
                f"pairs with long answers written exactly within {steps_of(study, long_part(size))} steps, K={size}",
                [Quantity("", share(done), percent=True)],
                [*held, Quantity("steps to exact: median", table["steps_to_exact"].median(), ".0f")],
                Answer(
                    "How many slots does a pair with a long answer need?",
                    f"{enough} for most" if enough else f"more than {sizes[-1]}",
                    MOST,
                )
                if size == (enough or sizes[-1])
                else None,
            )
        )
    if fewest.nunique() == 1:  # one number of slots for all tells nothing of what decides it
        return found
    needed = fewest[texts.index].replace(np.inf, 2 * sizes[-1])
    decides = Finding(
        "6 capacity",
        "rank correlation of the fewest slots of a pair with a long answer with its surprisal",
        [Quantity("", correlation(needed, texts["nats_without"]), ".2g")],
        [
            Quantity("with tokens", correlation(needed, texts["tokens"]), ".2g"),
            Quantity("bits of all: from", bits.min(), ".0f"),
            Quantity("to", bits.max(), ".0f"),
            *counts_of(fewest),
        ],
    )
    return [*found, decides]


def fewest_slots(tables: dict[int, pd.DataFrame]) -> pd.Series:
    """For each pair the fewest slots that were enough; infinite where none were."""
    exact = pd.DataFrame({size: table["reconstructed"] for size, table in tables.items()}).dropna()
    return exact.apply(lambda row: next((size for size in tables if row[size]), np.inf), axis=1)


def counts_of(fewest: pd.Series) -> list[Quantity]:
    """How many pairs need how many slots."""
    return [
        Quantity(f"pairs whose fewest slots are {size:g}:", count, ".0f")
        for size, count in fewest.value_counts().sort_index().items()
    ]


def capacity_question(config: StudyConfig) -> Question:
    """The same pairs with other numbers of slots, from 4 on until the first exact content; pairs with long answers."""
    controls = joint(config.controls)
    return Question(
        parts=[
            Part(
                size_part(slots),
                counted_slots(slots),
                settings(config, slots, "minimize" if slots <= 2 else "exact"),
                controls,
            )
            for slots in config.capacities
        ]
        + [
            Part(
                long_part(slots),
                f"long answers, {counted_slots(slots)}",
                long_settings(config, slots),
                long_pairs(config.limit if slots == 1 else config.controls),
                dataset="long",
            )
            for slots in LONG_SIZES
        ],
        tables=[Table("long", surprisal_of_long, [long_part(1)])],
        findings=[
            (["base", "surprisal", "K1", "exact-K4"], how_many_slots),
            (["long", *map(long_part, LONG_SIZES[:2])], where_one_is_too_few),
        ],
    )
