"""Capacity: how many slots does a pair need, and what decides how hard it is with few?"""

import numpy as np
import pandas as pd

from dcm_helpers.config import StudyConfig
from dcm_helpers.inquiry import BITS, Answer, Finding, K, Part, Question, Study, joint, settings, size_part
from dcm_helpers.stats import Quantity, correlation, share


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
        "the fewest at which the interval of exact ones lies above 50 %",
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
                f"written exactly by greedy decoding, K={size}",
                [Quantity("", share(done), percent=True)],
                beside,
                answer if size == (enough or sizes[-1]) else None,
            )
        )
    return [*found, what_is_hard(tables, texts)]


def what_is_hard(tables: dict[int, pd.DataFrame], texts: pd.DataFrame) -> Finding:
    """Steps with the fewest slots that tell pairs apart, against what the texts hold."""
    exact = pd.DataFrame({size: table["reconstructed"] for size, table in tables.items()}).dropna()
    fewest = exact.apply(lambda row: next((size for size in tables if row[size]), np.inf), axis=1)
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
            *[
                Quantity(f"pairs whose fewest slots are {size:g}:", count, ".0f")
                for size, count in fewest.value_counts().sort_index().items()
            ],
        ],
    )


def nats_with(study: Study, part: str) -> pd.Series:
    """Nats of all targets of each pair after its content."""
    return pd.Series(
        {
            record["pair"]: sum(view["loss"] * len(view["target_ids"]) for view in record["views"])
            for record in study.records(part)
        }
    )


def capacity_question(config: StudyConfig) -> Question:
    """The same pairs with 1 to 128 slots; from 4 on until the first exact content, as only success is asked."""
    controls = joint(config.controls)
    return Question(
        parts=[
            Part(
                size_part(slots),
                f"{slots} slot{'s' if slots > 1 else ''}",
                settings(config, slots, "minimize" if slots <= 2 else "exact"),
                controls,
            )
            for slots in config.capacities
        ],
        findings=[(["base", "surprisal", "K1", "exact-K4"], how_many_slots)],
    )
