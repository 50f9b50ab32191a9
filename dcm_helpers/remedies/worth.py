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
from dcm_helpers.remedies.tried import CONTROLS, NONE, PLACEBO, USUAL, remedies, remedy_parts
from dcm_helpers.stats import Estimate, Quantity, mean, ratio, share_difference

SOUGHT = {("relations", "distance")}
"""What a remedy asks for itself, so that it is no measure of it: contents of equal texts are pulled together."""
NO_DIFFERENCE = "no difference shown"
HELD = ("loss", "evaluations")
"""What may be held equal where contents are compared in what follows the loss."""
Way = tuple[str, str | None]
"""How contents are compared: the column, and what is held equal; None where it is the stop rule."""
FEWEST = 12
"""Pairs that a comparison needs."""

RULE = (
    f"a difference from none counts if its p is below {SURE}, corrected for all remedies and measures together, apart "
    "from the other answers; what follows the loss must differ alike by the same stop rule, at equal loss and after as "
    "many evaluations, and noise both as a share of slot norms and in the units of embeddings, and the largest p is "
    f"theirs; what cannot be compared so over {FEWEST} pairs is not tested; what other starts alone change is not told "
    "of a remedy. A default could be what is better in something and, by its intervals, nowhere worse by what would "
    "matter; an option what is better in something; of no use here what is only worse"
)


@dataclass(frozen=True, eq=False)
class Measure:
    """Something by which a remedy may be better than none."""

    columns: Mapping[str, str]
    """What it is told from, in words: its own column of the table first, then those that must show the same."""
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
    of_exact: bool = False
    """Whether only contents that are exact have it."""

    @property
    def column(self) -> str:
        """Its own column."""
        return next(iter(self.columns))

    def is_better(self, estimate: Estimate) -> bool:
        """Whether a remedy that differs from none is better by it."""
        neutral = 1 if self.compared is of_pairs else 0
        return (estimate.value < neutral) == self.less

    def excludes_harm(self, estimates: Mapping[Way, Estimate]) -> bool:
        """Whether all intervals of the measure's own column leave out that the remedy is worse by what would matter."""
        own = [each for (column, _), each in estimates.items() if column == self.column]
        return all(each.high < self.harm if self.less else each.low > -self.harm for each in own)

    def compares(self, estimates: Mapping[Way, Estimate]) -> bool:
        """Whether there are pairs enough for all comparisons."""
        return all(each.n >= FEWEST for each in estimates.values())

    def p(self, estimates: Mapping[Way, Estimate]) -> float | None:
        """Of no difference in one of the comparisons at least: the largest p, and 1 where they contradict each other.

        Returns:  None where nothing differs or pairs are too few, so that nothing is tested
        Source:   intersection-union test (Berger, Technometrics 1982)
        """
        told = [each.p for each in estimates.values()]
        if not self.compares(estimates) or all(p is None for p in told):
            return None
        agree = len({self.is_better(each) for each in estimates.values()}) == 1
        return max(told) if agree and None not in told else 1.0


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
    Measure({"steps": "steps to exact"}, "fewer steps", "more steps", of_pairs, 1.1),
    Measure(
        {"exact": "differences from none: share exact"},
        "exact more often",
        "exact less often",
        share_more,
        0.125,
        less=False,
    ),
    Measure(
        {"elsewhere": "share of first exact contents' decodes that are exact in another precision"},
        "first exact contents stay exact elsewhere more often",
        "first exact contents stay exact elsewhere less often",
        difference,
        0.05,
        less=False,
        level="exact",
    ),
    Measure(
        {
            "radius": "noise that breaks half of the decodes, of slot norms",
            "reach": "the same in the units of embeddings",
        },
        "bears more noise",
        "bears less noise",
        difference,
        0.03,
        less=False,
        follows_loss=True,
        of_exact=True,
    ),
    Measure(
        {"clean": "share of decodes under noise that stop and do not repeat"},
        "stops cleanly more often",
        "stops cleanly less often",
        difference,
        0.05,
        less=False,
        follows_loss=True,
        of_exact=True,
    ),
    Measure(
        {"question": "nats a token of an unseen question"},
        "unseen questions likelier",
        "unseen questions less likely",
        difference,
        0.1,
        follows_loss=True,
    ),
    Measure(
        {"answer": "nats a token of an unseen answer"},
        "unseen answers likelier",
        "unseen answers less likely",
        difference,
        0.1,
        follows_loss=True,
    ),
    Measure(
        {"distance": "distance of a pair's two solutions over that to others', as a ratio"},
        "solutions of a pair nearer",
        "solutions of a pair farther",
        of_pairs,
        1.1,
        follows_loss=True,
    ),
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


def beside_none(measure: Measure, rows: pd.DataFrame, none: pd.DataFrame) -> dict[Way, Estimate]:
    """A remedy's values beside those with none, pair by pair, by what is compared and what is held equal."""
    own, usual = (each[each["level"] == measure.level].set_index("pair") for each in (rows, none))
    if measure.of_exact:
        own = own[own["exact"].astype(bool)]
    found: dict[Way, Estimate] = {}
    for column in measure.columns:
        found[column, None] = measure.compared(own[column], usual[column].reindex(own.index))
        for held in HELD if measure.follows_loss else ():
            found[column, held] = measure.compared(own[column], none_at(none, column, own[held]))
    return found


def worth(study: Study) -> list[Finding]:
    """What each remedy is worth beside none; tests are corrected for all remedies and measures together."""
    table = study.table("remedies")
    by_name = dict(iter(table.groupby("remedy", sort=False)))
    none = by_name.pop(NONE)
    compared = {
        (name, each.column): beside_none(each, rows, none) for name, rows in by_name.items() for each in of(name)
    }
    p = {(name, each.column): each.p(compared[name, each.column]) for name in by_name for each in of(name)}
    tested = {place: value for place, value in p.items() if value is not None}
    corrected = dict(zip(tested, scipy.stats.false_discovery_control(list(tested.values())), strict=True))
    blind = {column for name, column in corrected if name == PLACEBO and corrected[name, column] < SURE}
    found = []
    for name, rows in by_name.items():
        own = {each: compared[name, each.column] for each in of(name)}
        sure = {each: corrected.get((name, each.column), 1.0) for each in own}
        differs = [each for each in own if sure[each] < SURE and (name in CONTROLS or each.column not in blind)]
        better = [each for each in differs if all(map(each.is_better, own[each].values()))]
        worse = [each for each in differs if each not in better]
        left = [
            each for each in own if each not in differs and (each.column in blind or not each.excludes_harm(own[each]))
        ]
        told = [f"{each.better} (p {sure[each]:.2g})" for each in better]
        told += [f"{each.worse} (p {sure[each]:.2g})" for each in worse]
        if untested := [each for each in own if not each.compares(own[each])]:
            told.append(f"too few pairs for {len(untested)} of {len(own)} measures")
        usual, others = (each[each["level"] == USUAL] for each in (rows, none))
        found.append(
            Finding(
                "10 remedies",
                f"{in_words(name)}: steps to exact over those with none{'' if usual['exact'].all() else ', at least'}",
                [
                    Quantity("", own[MEASURES[0]]["steps", None]),
                    Quantity("exact", (usual["exact"].mean(), others["exact"].mean()), ".0f", percent=True),
                    Quantity(
                        "loss, nats a token, the sum of both texts",
                        (usual["loss"].mean(), others["loss"].mean()),
                        ".2f",
                    ),
                ],
                [
                    Quantity(each.columns[column] + (f", at equal {held}" if held else ""), estimate)
                    for each, estimates in list(own.items())[1:]
                    for (column, held), estimate in estimates.items()
                    if estimate.n > 1
                ],
                Answer(asked_of(name), "; ".join([use_of(name, better, worse, left), *told]), RULE),
            )
        )
    return found


def of(name: str) -> list[Measure]:
    """The measures of a remedy: all but what it asks for itself."""
    return [each for each in MEASURES if (name, each.column) not in SOUGHT]


def asked_of(name: str) -> str:
    """The question that the ablation answers of a remedy, or of a control."""
    return f"What does {name}, a control, change?" if name in CONTROLS else f"What is {in_words(name)} worth?"


def in_words(name: str) -> str:
    """A remedy's name, with the number that it was tried at: another might be worth something else."""
    return f"{name}={TERMS[name].usual:g}" if name in TERMS else name


def use_of(name: str, better: list[Measure], worse: list[Measure], left: list[Measure]) -> str:
    """What a remedy is good for, told from where it is better, where worse, and where that is left open."""
    if not better and not worse:
        return NO_DIFFERENCE
    if name in CONTROLS:
        return "a difference"
    if not better:
        return "of no use here"
    return "an option" if worse or left else "could be a default"


def remedies_question(config: StudyConfig) -> Question:
    """What each remedy is worth."""
    parts = remedy_parts(config)
    return Question(
        parts=parts,
        tables=[Table("remedies", remedies, [part.name for part in parts])],
        findings=[(["remedies"], worth)],
    )
