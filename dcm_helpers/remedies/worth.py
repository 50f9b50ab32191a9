"""What each remedy is worth beside none, once the loss is aligned: by what it is better, and by what worse.

What changes as the loss falls, whatever made it fall, is compared three times: with contents found with none by the
same stop rule, at the same loss, and after as many evaluations. At equal loss alone, whatever goes on after the first
exact content is better than none, which has only just reached it; at equal evaluations alone, whatever slows the loss
is. A difference counts where all of them show it, over pairs whose loss or evaluations contents with none have, too;
and of no remedy where other starts alone make one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.stats

from dcm_helpers.inquiry import SURE, Answer, Finding, Question, Study, StudyConfig, Table
from dcm_helpers.objective import TERMS
from dcm_helpers.remedies.tried import NONE, PLACEBO, USUAL, remedies, remedy_parts
from dcm_helpers.stats import Estimate, Quantity, mean, ratio, share_difference

SOUGHT = {("relations", "distance")}
"""What a remedy asks for itself, so that it is no measure of it: contents of equal texts are pulled together."""
NO_DIFFERENCE = "no difference shown"
HELD = ("loss", "evaluations")
"""At which equality contents are compared in what follows the loss, beside at the same stop rule."""
FEWEST = 12
"""Pairs that a comparison needs."""

RULE = (
    f"what differs from none with a p below {SURE}, corrected for all remedies and measures together; but for steps "
    "and exactness by the same stop rule, at equal loss and after equally many evaluations, and noise both as a share "
    "of slot norms and in the units of embeddings, by the largest p; what cannot be compared so over "
    f"{FEWEST} pairs is not shown, nor a difference in what differs with other starts alone; a default could be what "
    "is better in something and, by its intervals, nowhere worse by what would matter; an option what is better in "
    "something"
)


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
    """How much worse would matter: a ratio, or a difference; of shares, as little as so few pairs can rule out."""
    less: bool = True
    """Whether less is better."""
    follows_loss: bool = False
    """Whether it follows how far the loss has fallen, whatever made it fall."""
    level: str = USUAL
    also: tuple[str, ...] = ()
    """Other columns that must show the same."""
    of_exact: bool = False
    """Whether only contents that are exact have it."""

    def is_better(self, estimate: Estimate) -> bool:
        """Whether a remedy that differs from none is better by it."""
        neutral = 1 if self.compared is of_pairs else 0
        return (estimate.value < neutral) == self.less

    def excludes_harm(self, estimates: Mapping[str, Estimate]) -> bool:
        """Whether all intervals of the measure's own column leave out that the remedy is worse by what would matter."""
        own = [each for name, each in estimates.items() if not name.startswith(self.also)]
        return all(each.high < self.harm if self.less else each.low > -self.harm for each in own)

    def p(self, estimates: Mapping[str, Estimate]) -> float | None:
        """Of no difference in one of the comparisons at least: the largest p, and 1 where they contradict each other.

        Returns:  None where nothing differs, so that nothing is tested
        Source:   intersection-union test (Berger, Technometrics 1982)
        """
        told = [each.p for each in estimates.values()]
        if all(p is None for p in told):
            return None
        agree = len({self.is_better(each) for each in estimates.values()}) == 1
        enough = all(each.n >= FEWEST for each in estimates.values())
        return max(told) if agree and enough and None not in told else 1.0


def difference(one: pd.Series, other: pd.Series) -> Estimate:
    """The mean difference, pair by pair, of those that have both; without a p where none differs."""
    differences = (one.astype(float) - other.astype(float)).dropna()
    return replace(mean(differences), p=None) if not differences.any() else mean(differences)


def of_pairs(one: pd.Series, other: pd.Series) -> Estimate:
    """How many times the first values are the second ones, pair by pair, of those that have both."""
    both = one.notna() & other.notna()
    return ratio(one[both], other[both])


def share_more(one: pd.Series, other: pd.Series) -> Estimate:
    """By how much the share of pairs that are so is larger, with McNemar's p; without one where none differs."""
    estimate, p = share_difference(one, other)
    return replace(estimate, p=p if (one.astype(bool) != other.astype(bool)).any() else None)


MEASURES = (
    Measure("steps", "fewer steps", "more steps", of_pairs, 1.1),
    Measure("exact", "exact more often", "exact less often", share_more, 0.125, less=False),
    Measure(
        "elsewhere",
        "first exact contents stay exact elsewhere more often",
        "first exact contents stay exact elsewhere less often",
        difference,
        0.05,
        less=False,
        level="exact",
    ),
    Measure(
        "radius",
        "bears more noise",
        "bears less noise",
        difference,
        0.03,
        less=False,
        follows_loss=True,
        also=("reach",),
        of_exact=True,
    ),
    Measure(
        "clean",
        "stops cleanly more often",
        "stops cleanly less often",
        difference,
        0.05,
        less=False,
        follows_loss=True,
        of_exact=True,
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
    Measure("distance", "solutions of a pair nearer", "solutions of a pair farther", of_pairs, 1.1, follows_loss=True),
)


def none_at(none: pd.DataFrame, column: str, held: pd.Series) -> pd.Series:
    """What contents with none have at given losses, or after given evaluations, pair by pair.

    Returns:  between levels by logarithms; beyond them nothing
    """
    by_pair, values = dict(iter(none.groupby("pair"))), []
    for pair, place in np.log(held).items():
        levels = by_pair[pair].sort_values(held.name)
        values.append(np.interp(place, np.log(levels[held.name]), levels[column], left=np.nan, right=np.nan))
    return pd.Series(values, held.index)


def beside_none(measure: Measure, rows: pd.DataFrame, none: pd.DataFrame) -> dict[str, Estimate]:
    """A remedy's values beside those with none, pair by pair, by what is compared and what is held equal."""
    own, usual = (each[each["level"] == measure.level].set_index("pair") for each in (rows, none))
    if measure.of_exact:
        own = own[own["exact"].astype(bool)]
    found = {}
    for column in (measure.column, *measure.also):
        found[column] = measure.compared(own[column], usual[column].reindex(own.index))
        for held in HELD if measure.follows_loss else ():
            found[f"{column} at equal {held}"] = measure.compared(own[column], none_at(none, column, own[held]))
    return found


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
    told = {place: place[1].p(each) for place, each in compared.items()}
    tested = {place: p for place, p in told.items() if p is not None}
    corrected = dict(zip(tested, scipy.stats.false_discovery_control(list(tested.values())), strict=True))
    differing = {place for place, p in corrected.items() if p < SURE}
    blind = {measure for name, measure in differing if name == PLACEBO}
    found = []
    for name, rows in by_name.items():
        own = {measure: estimates for (remedy, measure), estimates in compared.items() if remedy == name}
        differs = [each for each in own if (name, each) in differing and (name == PLACEBO or each not in blind)]
        better = [measure for measure in differs if all(map(measure.is_better, own[measure].values()))]
        worse = [measure for measure in differs if measure not in better]
        left = [each for each in own if each not in differs and (each in blind or not each.excludes_harm(own[each]))]
        usual, others = (each[each["level"] == USUAL] for each in (rows, none))
        found.append(
            Finding(
                "10 remedies",
                f"{in_words(name)}: steps to exact over those with none{'' if usual['exact'].all() else ', at least'}",
                [
                    Quantity("", own[MEASURES[0]]["steps"]),
                    Quantity("exact", (usual["exact"].mean(), others["exact"].mean()), ".0f", percent=True),
                    Quantity("loss", (usual["loss"].mean(), others["loss"].mean()), ".2f"),
                ],
                [
                    Quantity(compared, estimate)
                    for estimates in list(own.values())[1:]
                    for compared, estimate in estimates.items()
                    if estimate.n >= FEWEST
                ],
                Answer(
                    f"What is {in_words(name)} worth?",
                    "; ".join(
                        [use_of(better, worse, left), *(each.better for each in better), *(e.worse for e in worse)]
                    ),
                    RULE,
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
