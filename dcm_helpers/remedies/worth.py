"""What each remedy is worth beside none, once the loss is aligned: by what it is better, worse, and at equal loss."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.stats

from dcm_helpers.inquiry import SURE, Answer, Finding, Question, Study, StudyConfig, Table
from dcm_helpers.objective import TERMS
from dcm_helpers.remedies.tried import NONE, USUAL, remedies, remedy_parts
from dcm_helpers.stats import Estimate, Quantity, mean, ratio

SOUGHT = {("relations", "distance")}
"""What a remedy asks for itself, so that it is no measure of it: contents of equal texts are pulled together."""
NO_DIFFERENCE = "no difference shown"


@dataclass(frozen=True)
class Measure:
    """Something by which a remedy may be better than none."""

    column: str
    better: str
    """What is said of a remedy that is better."""
    worse: str
    compared: Callable[[pd.Series, pd.Series], Estimate]
    """Of the values with and without, pair by pair."""
    harm: float
    """How much worse would matter: a ratio, or a difference."""
    less: bool = True
    """Whether less is better."""
    at_equal_loss: bool = False
    """Whether it follows how far the loss has fallen, whatever made it fall."""
    level: str = USUAL

    def is_better(self, estimate: Estimate) -> bool:
        """Whether a remedy that differs from none is better by it."""
        neutral = 1 if self.compared is ratio else 0
        return (estimate.value < neutral) == self.less

    def excludes_harm(self, estimate: Estimate) -> bool:
        """Whether the interval leaves out that the remedy is worse by what would matter."""
        return estimate.high < self.harm if self.less else estimate.low > -self.harm


def difference(one: pd.Series, other: pd.Series) -> Estimate:
    """The mean difference, pair by pair, of those that have both."""
    return mean((one.astype(float) - other.astype(float)).dropna())


MEASURES = (
    Measure("steps", "fewer steps", "more steps", ratio, 1.1),
    Measure("exact", "exact more often", "exact less often", difference, 0.05, less=False),
    Measure(
        "elsewhere",
        "first exact contents stay exact elsewhere more often",
        "first exact contents stay exact elsewhere less often",
        difference,
        0.05,
        less=False,
        level="exact",
    ),
    Measure("radius", "bears more noise", "bears less noise", difference, 0.03, less=False, at_equal_loss=True),
    Measure(
        "clean",
        "stops cleanly more often",
        "stops cleanly less often",
        difference,
        0.05,
        less=False,
        at_equal_loss=True,
    ),
    Measure(
        "question",
        "unseen questions likelier",
        "unseen questions less likely",
        difference,
        0.1,
        at_equal_loss=True,
    ),
    Measure("answer", "unseen answers likelier", "unseen answers less likely", difference, 0.1, at_equal_loss=True),
    Measure("distance", "solutions of a pair nearer", "solutions of a pair farther", ratio, 1.1, at_equal_loss=True),
)


def none_at(none: pd.DataFrame, column: str, loss: pd.Series) -> pd.Series:
    """What contents with none have at given losses, pair by pair: between levels by the loss's logarithm."""
    values = {}
    for pair, rows in none.groupby("pair"):
        levels = rows.sort_values("loss")
        values[pair] = np.interp(np.log(loss[pair]), np.log(levels["loss"]), levels[column])
    return pd.Series(values).reindex(loss.index)


def beside_none(measure: Measure, rows: pd.DataFrame, none: pd.DataFrame) -> Estimate:
    """A remedy's values beside those with none, pair by pair."""
    own, usual = (
        each[each["level"] == measure.level].set_index("pair")[[measure.column, "loss"]] for each in (rows, none)
    )
    other = none_at(none, measure.column, own["loss"]) if measure.at_equal_loss else usual[measure.column]
    return measure.compared(own[measure.column], other.reindex(own.index))


def worth(study: Study) -> list[Finding]:
    """What each remedy is worth beside none; tests are corrected for all remedies and measures together."""
    table = study.table("remedies")
    by_name = dict(iter(table.groupby("remedy", sort=False)))
    none = by_name.pop(NONE)
    compared = {
        (name, measure): beside_none(measure, rows, none)
        for name, rows in by_name.items()
        for measure in MEASURES
        if (name, measure.column) not in SOUGHT
    }
    tested = {place: each.p for place, each in compared.items() if each.p is not None and not np.isnan(each.p)}
    corrected = dict(zip(tested, scipy.stats.false_discovery_control(list(tested.values())), strict=True))
    found = []
    for name, rows in by_name.items():
        own = {measure: estimate for (remedy, measure), estimate in compared.items() if remedy == name}
        differs = [measure for measure in own if corrected.get((name, measure), 1.0) < SURE]
        better = [measure for measure in differs if measure.is_better(own[measure])]
        worse = [measure for measure in differs if measure not in better]
        left = [each for each in own if each not in differs and not each.excludes_harm(own[each])]
        usual, others = (each[each["level"] == USUAL] for each in (rows, none))
        found.append(
            Finding(
                "10 remedies",
                f"{in_words(name)}: steps to exact over those with none",
                [
                    Quantity("", own[MEASURES[0]]),
                    Quantity("exact", (usual["exact"].mean(), others["exact"].mean()), ".0f", percent=True),
                    Quantity("loss", (usual["loss"].mean(), others["loss"].mean()), ".2f"),
                ],
                [Quantity(each.column, own[each]) for each in MEASURES[1:] if each in own],
                Answer(
                    f"What is {in_words(name)} worth?",
                    "; ".join(
                        [use_of(better, worse, left), *(each.better for each in better), *(e.worse for e in worse)]
                    ),
                    "what differs from none with a p below 0.05, corrected for all remedies and measures together, at "
                    "equal loss but for steps and exactness; a default could be what is better in something and, by "
                    "its intervals, nowhere worse by what would matter; an option what is better in something",
                ),
            )
        )
    return found


def in_words(name: str) -> str:
    """A remedy's name, with the number that it was tried at: another might be worth something else."""
    return f"{name}={TERMS[name].usual:g}" if name in TERMS else name


def use_of(better: list[Measure], worse: list[Measure], left: list[Measure]) -> str:
    """What a remedy is good for, told from where it is better, where worse, and where that is left open."""
    if not better:
        return "of no use here" if worse else NO_DIFFERENCE
    return "an option" if worse or left else "could be a default"


def remedies_question(config: StudyConfig) -> Question:
    """What each remedy is worth."""
    parts = remedy_parts(config)
    return Question(
        parts=parts,
        tables=[Table("remedies", remedies, [part.name for part in parts])],
        findings=[(["remedies"], worth)],
    )
