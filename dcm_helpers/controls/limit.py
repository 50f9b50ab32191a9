"""Limit: where steps with one slot do not suffice for two texts, is less left of those that share something?"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from dcm_helpers.generator import Generator
from dcm_helpers.inquiry import (
    BITS,
    Answer,
    Finding,
    Part,
    Problems,
    Question,
    Study,
    StudyConfig,
    Table,
    grouped,
    joint,
    long_pairs,
    long_part,
    long_settings,
    restating,
    verdict,
)
from dcm_helpers.look import nats_after, nats_of_tokens
from dcm_helpers.pairs import Pair
from dcm_helpers.stats import (
    Estimate,
    Quantity,
    correlation,
    mean,
    partial_correlation,
    ratio_of_sums,
    seen_mostly,
)
from dcm_helpers.stm import Problem, View, with_view

SETS = {"long": "long answers", "restated": "short answers that restate the question"}
"""By the beginning of their parts' names: texts that share what pairs do, and that share most of what they hold."""
RESAMPLES = 1000


def limit_parts(name: str) -> tuple[str, str]:
    """The parts of a set: true pairs, and the same texts with answers exchanged within blocks."""
    return f"{name}-K1", f"{name}-others-K1"


def blocks(problems: Sequence[Problem], kinds: Sequence[str]) -> list[tuple[Problem, Problem]]:
    """Two problems each, whose questions are of one type and whose answers are about as long, as far as they can be."""
    by_kind = grouped(zip(problems, kinds, strict=True), lambda both: both[1])
    made, left = [], []
    for _, those in sorted(by_kind.items()):
        ordered = sorted(
            [problem for problem, _ in those], key=lambda problem: (len(problem.view("answer").target_ids), problem.id)
        )
        made += zip(ordered[::2], ordered[1::2], strict=False)
        left += ordered[len(ordered) // 2 * 2 :]
    return [*made, *zip(left[::2], left[1::2], strict=False)]


def in_blocks(problems: Problems, exchanged: bool) -> Problems:
    """The problems of all blocks, as they are or with their answers exchanged within each block."""

    def make(generator: Generator, pairs: list[Pair]) -> list[Problem]:
        kinds, found = {pair.id: pair.question_type for pair in pairs}, problems(generator, pairs)
        made = []
        for one, other in blocks(found, [kinds[problem.pair] for problem in found]):
            answers = (other, one) if exchanged else (one, other)
            for problem, giver in zip((one, other), answers, strict=True):
                made.append(with_view(problem, giver.view("answer"), "mismatched") if exchanged else problem)
        return made

    return make


def limit(study: Study) -> pd.DataFrame:
    """What is left of two texts when steps with one slot end, and how much likelier the question makes its answer.

    Returns:  one row for each problem: columns set, block, problem, true (whether the answer is its question's),
              bits_question and bits_answer (without content), told (bits that its own question as text saves the
              answer, over what the block's other question saves it), repeated (bits of the answer's words that its own
              question has, over those that the other one has), left (bits after optimization), exact
    """
    generator, rows = study.generator, []
    for name in SETS:
        true, others = limit_parts(name)
        places: dict[tuple[int, ...], int] = {}  # the block of each question
        found = study.run(true).solutions
        kinds = [study.run(true).pairs[each.problem.pair].question_type for each in found]
        given, repeats = {}, {}
        for number, (one, other) in enumerate(blocks([each.problem for each in found], kinds)):
            for problem, partner in ((one, other), (other, one)):
                question, answer = (problem.view(kind) for kind in ("question", "answer"))
                places[question.target_ids] = number
                asked = [
                    replace(answer, given_ids=each.view("question").target_ids[:-1]) for each in (problem, partner)
                ]
                own, others_ = (cost for (cost,) in nats_after(generator, asked, None))
                given[answer.target_ids] = (others_ - own) * BITS
                own, others_ = (of_words_in(generator, answer, each.view("question")) for each in (problem, partner))
                repeats[answer.target_ids] = (own - others_) * BITS
        for part in (true, others):
            for each in study.run(part).solutions:
                if each.problem.view("question").target_ids not in places:
                    continue  # of an odd number one is in no block
                views = each.problem.views
                alone = [cost for (cost,) in nats_after(generator, views, None)]
                left = sum(
                    view["loss"] * len(target.target_ids)
                    for view, target in zip(each.record["views"], views, strict=True)
                )
                rows.append(
                    {
                        "set": name,
                        "block": places[each.problem.view("question").target_ids],
                        "problem": each.problem.id,
                        "true": part == true,
                        **{f"bits_{view.kind}": cost * BITS for view, cost in zip(views, alone, strict=True)},
                        "told": given[each.problem.view("answer").target_ids],
                        "repeated": repeats[each.problem.view("answer").target_ids],
                        "left": left * BITS,
                        "exact": each.record["reconstructed"],
                    }
                )
    return pd.DataFrame(rows)


def of_words_in(generator: Generator, answer: View, question: View) -> float:
    """What those of an answer's tokens cost, in nats, whose words stand in a question; each where it stands first."""
    texts = [[generator.text([token]).strip().lower() for token in view.target_ids[:-1]] for view in (answer, question)]
    said, words = texts[0], {word for word in texts[1] if word.isalnum()}
    costs = nats_of_tokens(generator, answer)
    return sum(
        cost for place, (word, cost) in enumerate(zip(said, costs, strict=False)) if word in words - {*said[:place]}
    )


def less_left(table: pd.DataFrame) -> pd.Series:
    """For each block the bits less that are left of its true pairs than of its exchanged ones."""
    left = table.pivot_table(index="block", columns="true", values="left", aggfunc="sum")
    return left[False] - left[True]


def of_blocks(table: pd.DataFrame, what: str) -> pd.Series:
    """For each block the sum over its true pairs."""
    return table[table["true"]].groupby("block")[what].sum()


def saved_when_left(table: pd.DataFrame) -> Estimate:
    """Bits less that are left of true pairs than of exchanged ones, over bits that a question tells of its answer.

    No share of what both hold in common: of what is written in time nothing is left, however much it shares.
    """
    return ratio_of_sums(less_left(table), of_blocks(table, "told"))


def saved_over_words(table: pd.DataFrame) -> Estimate:
    """Bits less that are left of a true pair than of an exchanged one, less those of the words that both texts have."""
    return mean((less_left(table) - of_blocks(table, "repeated")) / 2)


def saved_when_exact(table: pd.DataFrame) -> float:
    """By how many bits true pairs may be longer than exchanged ones for equal chances of being exact.

    Logistic regression of exactness on bits of both texts, on whether they belong together, and on bits told of the
    answer, since those answers may be easy or hard with any question: the second slope over the first. Whether it grows
    with bits told is another question, which so few blocks do not answer.
    """
    bits, told = table["bits_question"] + table["bits_answer"], table["told"]
    measured = np.stack([bits / 100, table["true"], told / 100], axis=1)
    slopes = LogisticRegression(C=np.inf, max_iter=1000).fit(measured, table["exact"]).coef_[0]
    return float(-100 * slopes[1] / slopes[0])


def over_blocks(table: pd.DataFrame) -> Estimate:
    """:func:`saved_when_exact` with its bootstrap interval over blocks; resamples all exact, or none, are left out."""
    random, groups = np.random.default_rng(0), list(table.reset_index(drop=True).groupby("block").indices.values())
    drawn = []
    for chosen in random.integers(len(groups), size=(RESAMPLES, len(groups))):
        again = table.iloc[np.concatenate([groups[index] for index in chosen])]
        if again["exact"].nunique() == 2:
            drawn.append(saved_when_exact(again))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(saved_when_exact(table), float(low), float(high), len(groups))


def at_the_limit(name: str, study: Study) -> list[Finding]:
    """Whether less is left of texts that share something, where not all are written in time.

    Blocks hold equal texts on both sides, but where long questions have long answers, as those that are restated do,
    true pairs are longer and shorter than exchanged ones, and what is left grows faster than what there is: that works
    against a yes, so how both texts' bits go together is told. Bits less left are no share of what a question tells: of
    what is written in time nothing is left, however much it shares; whether they grow with it is told.
    """
    table, steps = study.table("limit"), study.run(limit_parts(name)[0]).optimizer.num_steps
    here = table[table["set"] == name]
    less, over_words, true = mean(less_left(here) / 2), saved_over_words(here), here[here["true"]]
    says = verdict(0, "no, more", "yes", less)
    if says == "yes":
        says += "; more than common words" if over_words.low > 0 else "; not shown to exceed common words"
    exact, left_of = (tuple(here.groupby("true")[what].mean().reindex([True, False])) for what in ("exact", "left"))
    bits = here["bits_question"] + here["bits_answer"]
    held = bits.groupby(here["block"]).sum()
    grows = partial_correlation(less_left(here), of_blocks(here, "told"), held)
    control = [
        Quantity("bits left of a pair, true and exchanged", left_of, ".1f"),
        Quantity("exact, true and exchanged", exact, ".0f", percent=True),
        Quantity("would be seen four times of five:", seen_mostly(less)),
        Quantity("over bits told of both answers", saved_when_left(here), ".0f", percent=True),
        Quantity("its rank correlation with these, bits of both texts held", grows, ".2g"),
        Quantity("bits of both texts, least and most", (bits.min(), bits.max()), ".0f"),
        Quantity(
            "rank correlation of both texts' bits", correlation(true["bits_question"], true["bits_answer"]), ".2g"
        ),
        Quantity("bits that its own question, not the block's other, tells of an answer", true["told"].mean(), ".1f"),
        Quantity("bits of its words that the question has", true["repeated"].mean(), ".1f"),
        Quantity("bits less left of a pair, less these words' bits", over_words, ".1f"),
        Quantity("of these would be seen four times of five:", seen_mostly(over_words), ".1f"),
    ]
    if here["exact"].nunique() == 2:
        chances = "bits that true pairs may be longer for equal chances of being exact"
        control.append(Quantity(chances, over_blocks(here), ".0f"))
    return [
        Finding(
            "7h limit",
            f"bits less left of a true pair than of an exchanged one after {steps} steps with one slot, over blocks of "
            f"two pairs; {SETS[name]}",
            [Quantity("", less)],
            control,
            Answer(
                f"Is less left of pairs that belong together after {steps} steps with one slot ({SETS[name]})?",
                says,
                "yes if the interval over blocks of two pairs lies above 0, more if below; more than of common words "
                "if what is less left, less the bits of those words, lies above 0, too",
                less.p if over_words.low <= 0 else max(less.p, over_words.p),
            ),
        )
    ]


def limit_question(config: StudyConfig) -> Question:
    """Long pairs at one slot, and pairs that restate the question, each beside the same texts exchanged in blocks."""
    of_set = {
        "long": ("long", long_pairs(config.limit)),
        "restated": ("pairs", restating(joint(config.limit))),
    }
    parts = [
        Part(part, f"{SETS[name]}, 1 slot", long_settings(config, 1), in_blocks(problems, exchanged), dataset=dataset)
        for name, (dataset, problems) in of_set.items()
        for part, exchanged in zip(limit_parts(name), (False, True), strict=True)
        if part != long_part(1)  # which the question of capacity has
    ]
    return Question(
        parts=parts,
        tables=[Table("limit", limit, [part for name in SETS for part in limit_parts(name)])],
        findings=[(["limit"], partial(at_the_limit, name)) for name in SETS],
    )
