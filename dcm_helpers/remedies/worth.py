"""What each remedy is worth beside none, once the loss is aligned: by what it is better, and by what worse.

What changes as the loss falls, whatever made it fall, is compared twice: with contents found with none at the same
loss, and with those after as many evaluations. At equal loss alone, whatever goes on after the first exact content is
better than none, which has only just reached it; at equal evaluations alone, whatever slows the loss is. A difference
counts where both comparisons show it.
"""

from collections.abc import Callable, Mapping
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
HELD = ("loss", "evaluations")
"""At which equality contents are compared in what follows the loss."""


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
    follows_loss: bool = False
    """Whether it follows how far the loss has fallen, whatever made it fall."""
    level: str = USUAL

    def is_better(self, estimate: Estimate) -> bool:
        """Whether a remedy that differs from none is better by it."""
        neutral = 1 if self.compared is ratio else 0
        return (estimate.value < neutral) == self.less

    def excludes_harm(self, estimates: Mapping[str, Estimate]) -> bool:
        """Whether all intervals leave out that the remedy is worse by what would matter."""
        return all(each.high < self.harm if self.less else each.low > -self.harm for each in estimates.values())

    def p(self, estimates: Mapping[str, Estimate]) -> float:
        """Of no difference in one of the comparisons at least: the largest p, and 1 where they contradict each other.

        Source:   intersection-union test (Berger, Technometrics 1982)
        """
        told = [each.p for each in estimates.values()]
        agree = len({self.is_better(each) for each in estimates.values()}) == 1
        known = agree and all(p is not None and not np.isnan(p) for p in told)
        return max(told) if known else 1.0


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
    Measure("radius", "bears more noise", "bears less noise", difference, 0.03, less=False, follows_loss=True),
    Measure(
        "clean",
        "stops cleanly more often",
        "stops cleanly less often",
        difference,
        0.05,
        less=False,
        follows_loss=True,
    ),
    Measure(
        "question",
        "unseen questions likelier",
        "unseen questions less likely",
        difference,
        0.1,
        follows_loss=True,
    ),
    Measure("answer", "unseen answers likelier", "unseen answers less likely", difference, 0.1, follows_loss=True),
    Measure("distance", "solutions of a pair nearer", "solutions of a pair farther", ratio, 1.1, follows_loss=True),
)


def none_at(none: pd.DataFrame, column: str, held: pd.Series) -> pd.Series:
    """What contents with none have at given losses, or after given evaluations, pair by pair.

    Between levels by logarithms; beyond them what the last level has.
    """
    values = {}
    for pair, rows in none.groupby("pair"):
        levels = rows.sort_values(held.name)
        values[pair] = np.interp(np.log(held[pair]), np.log(levels[held.name]), levels[column])
    return pd.Series(values).reindex(held.index)


def beside_none(measure: Measure, rows: pd.DataFrame, none: pd.DataFrame) -> dict[str, Estimate]:
    """A remedy's values beside those with none, pair by pair; by what is held equal, '' where that is the level."""
    own, usual = (each[each["level"] == measure.level].set_index("pair") for each in (rows, none))
    others = {"": usual[measure.column].reindex(own.index)}
    if measure.follows_loss:
        others = {held: none_at(none, measure.column, own[held]) for held in HELD}
    return {held: measure.compared(own[measure.column], other) for held, other in others.items()}


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
    tested = {(name, measure): measure.p(each) for (name, measure), each in compared.items()}
    corrected = dict(zip(tested, scipy.stats.false_discovery_control(list(tested.values())), strict=True))
    found = []
    for name, rows in by_name.items():
        own = {measure: estimates for (remedy, measure), estimates in compared.items() if remedy == name}
        differs = [measure for measure in own if corrected[name, measure] < SURE]
        better = [measure for measure in differs if all(map(measure.is_better, own[measure].values()))]
        worse = [measure for measure in differs if measure not in better]
        left = [each for each in own if each not in differs and not each.excludes_harm(own[each])]
        usual, others = (each[each["level"] == USUAL] for each in (rows, none))
        found.append(
            Finding(
                "10 remedies",
                f"{in_words(name)}: steps to exact over those with none",
                [
                    Quantity("", own[MEASURES[0]][""]),
                    Quantity("exact", (usual["exact"].mean(), others["exact"].mean()), ".0f", percent=True),
                    Quantity("loss", (usual["loss"].mean(), others["loss"].mean()), ".2f"),
                ],
                [
                    Quantity(f"{measure.column} at equal {held}" if held else measure.column, estimate)
                    for measure, estimates in list(own.items())[1:]
                    for held, estimate in estimates.items()
                ],
                Answer(
                    f"What is {in_words(name)} worth?",
                    "; ".join(
                        [use_of(better, worse, left), *(each.better for each in better), *(e.worse for e in worse)]
                    ),
                    "what differs from none with a p below 0.05, corrected for all remedies and measures together; "
                    "but for steps and exactness both at equal loss and after equally many evaluations, the larger p "
                    "of the two; a default could be what is better in something and, by its intervals, nowhere worse "
                    "by what would matter; an option what is better in something",
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
