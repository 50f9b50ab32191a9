"""Sharing: do question and answer share anything in a content, or the trained layers anything with it? The controls."""

from collections.abc import Callable

import pandas as pd
import torch

from dcm_helpers.config import MODES, StudyConfig
from dcm_helpers.look import written_with_modes
from dcm_helpers.stats import Quantity, ratio, share, share_difference
from dcm_helpers.stm import mismatched, views_apart, with_random_answer
from dcm_helpers.study.study import (
    OTHER_MODES,
    Answer,
    Finding,
    K,
    Part,
    Problems,
    Question,
    Study,
    Table,
    joint,
    settings,
    size_part,
)

COMPARED = [
    ("7a mismatched", "true over mismatched pairs, K=2, until exact", "exact-K2", "exact-mismatched-K2",
     "Are true pairs easier than mismatched ones?"),
    ("7a mismatched", "true over mismatched pairs, K=8, until exact", "base", "exact-mismatched-K8",
     "Are true pairs easier than mismatched ones?"),
    ("7a mismatched", "true over mismatched pairs, K=2", "K2", "mismatched-K2", ""),
    ("7a mismatched", "true over mismatched pairs, K=8", "base", "mismatched-K8", ""),
    ("7b random", "true answers over random tokens, K=8, until exact", "base", "exact-random-K8",
     "Are true answers easier than random tokens?"),
    ("7c layers", "trained over shuffled layers", "base", "exact-layers-shuffled",
     "Are trained layers easier than shuffled ones?"),
    ("7c layers", "trained over random layers", "base", "exact-layers-random",
     "Are trained layers easier than random ones?"),
    ("7e mode", "modes Q and A over X and Y", "base", "exact-modes", "Are Q and A easier modes than X and Y?"),
]  # fmt: skip
"""Question, what is compared, both parts, and the question in plain words where the comparison answers one."""
MODE_CHANGES = {
    "as optimized": tuple(MODES),
    "swapped": tuple(MODES)[::-1],
    "removed": (None, None),
    "other words": tuple(OTHER_MODES),
}


def exchanged(problems: Problems) -> Problems:
    """Each question with the answer of another pair that comes next in length, so that problems stay as long."""
    return lambda generator, pairs: mismatched(
        sorted(problems(generator, pairs), key=lambda problem: len(problem.view("answer").target_ids))
    )


def apart(problems: Problems) -> Problems:
    """Each view as a problem of its own, mode and all: two halves of a content that share nothing."""
    return lambda generator, pairs: [view for problem in problems(generator, pairs) for view in views_apart(problem)]


def random_answers(problems: Problems) -> Problems:
    """Each answer replaced by as many random tokens."""
    return lambda generator, pairs: [with_random_answer(generator, problem) for problem in problems(generator, pairs)]


def routing(study: Study) -> pd.DataFrame:
    """What greedy decoding writes from the base part's contents when other modes ask; see ``written_with_modes``."""
    found = study.solutions("base")
    contents = torch.stack([each.content for each in found]).to(study.generator.device)
    return written_with_modes(study.generator, [each.problem for each in found], contents, MODE_CHANGES)


def compared(question: str, name: str, one: str, other: str, asked: str = "") -> Callable[[Study], list[Finding]]:
    """A finding on two parts, pair by pair."""
    return lambda study: [side_by_side(question, name, *study.paired(one, other), asked)]


def side_by_side(question: str, name: str, first: pd.DataFrame, second: pd.DataFrame, asked: str = "") -> Finding:
    """Steps, loss and success of two conditions on the same pairs in the same order."""
    steps = ratio(first["steps_to_exact"] + 1, second["steps_to_exact"] + 1)
    difference, p = share_difference(first["reconstructed"], second["reconstructed"])
    minimized = first["loss"].notna().all() and second["loss"].notna().all()
    losses = [Quantity("loss ratio", ratio(first["loss"], second["loss"]), ".2g")] if minimized else []
    shares = (first["reconstructed"].mean(), second["reconstructed"].mean())
    fewer = "fewer steps" if steps.high < 1 else "more steps" if steps.low > 1 else "not shown"
    return Finding(
        question,
        f"{name}: steps to exact, as a ratio",
        [Quantity("", steps), Quantity("reconstructed", shares, ".0f", percent=True)],
        [*losses, Quantity("difference of reconstructed ones", difference, percent=True), Quantity("p=", p, ".2g")],
        Answer(asked, fewer, "fewer steps if the interval lies below 1, more if above") if asked else None,
    )


def split(size: int) -> Callable[[Study], list[Finding]]:
    """One content for two texts against halves that share nothing, at equal K; for texts that do not belong together,
    too: what they gain is no sharing of structure, only of room.
    """

    def find(study: Study) -> list[Finding]:
        true, exchanged = (with_halves(study, size, part) for part in (size_part(size), f"mismatched-K{size}"))
        asked = f"Is one content for both easier than two halves, K={size}?"
        also = f"Also for texts that do not belong together, K={size}?"
        return [
            side_by_side("7d split", f"shared content over halves, K={size}", *true, asked),
            side_by_side("7d split", f"the same for mismatched pairs, K={size}", *exchanged, also),
        ]

    return find


def with_halves(study: Study, size: int, part: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The records of a part whose texts both have a half content of their own, and what both halves are together."""
    halves = study.per_problem(f"split-K{size}")
    of_text = {tuple(half["views"][0]["target_ids"]): half["problem"] for half in study.records(f"split-K{size}")}
    whole, names, together = study.per_problem(part), [], []
    for record in study.records(part):
        texts = [tuple(view["target_ids"]) for view in record["views"]]
        if all(text in of_text for text in texts):
            both = halves.loc[[of_text[text] for text in texts]]
            names.append(record["problem"])
            together.append((both["reconstructed"].all(), both["loss"].sum(), both["steps_to_exact"].max()))
    columns = ["reconstructed", "loss", "steps_to_exact"]
    return whole.loc[names], pd.DataFrame(together, index=names, columns=columns)


def what_modes_do(study: Study) -> list[Finding]:
    """Whether the mode routes, or the content does."""
    table, found = study.table("routing"), []
    for change in ("swapped", "removed", "other words"):
        texts, followed = [], []
        for view in MODES:
            wrote = table[(table["modes"] == change) & (table["view"] == view)]["wrote"]
            other, own = (share(wrote == which) for which in ("other", "own"))
            followed.append(other.low > 0.5)
            texts.append(
                [
                    Quantity(f"in {view}'s place the other text", other, percent=True),
                    Quantity("its own", own, percent=True),
                ]
            )
        answer = Answer(
            "Does the mode say which text is written?",
            "yes" if all(followed) else "not always",
            "yes if, with modes swapped, both places write the other text above 50 % at the lower end of the interval",
        )
        found.append(
            Finding("7e mode", f"what is written with modes {change}", *texts, answer if change == "swapped" else None)
        )
    return found


def question(config: StudyConfig) -> Question:
    """True pairs beside mismatched ones, random answers, halves, other layers and other modes."""
    controls, everything = joint(config.controls), joint(config.num_examples)
    until_exact, two_until_exact = settings(config, rule="exact"), settings(config, 2, "exact")
    two, eight = settings(config, 2), settings(config)
    other_layers = settings(config, rule="exact", num_steps=config.num_steps // 2)  # 8 times what the trained ones take
    return Question(
        parts=[
            Part("mismatched-K2", "each question with another's answer, 2 slots", two, exchanged(controls)),
            Part("mismatched-K8", "each question with another's answer", eight, exchanged(controls)),
            Part("exact-K2", "every answer once, 2 slots, until exact", two_until_exact, everything),
            Part("exact-mismatched-K2", "mismatched, 2 slots, until exact", two_until_exact, exchanged(everything)),
            Part("exact-mismatched-K8", "mismatched, until exact", until_exact, exchanged(everything)),
            Part("split-K2", "a slot for the question, a slot for the answer", settings(config, 1), apart(controls)),
            Part(
                "split-K8",
                "half the slots for the question, half for the answer",
                settings(config, K // 2),
                apart(controls),
            ),
            Part("exact-random-K8", "the answer replaced by random tokens", until_exact, random_answers(controls)),
            Part("exact-layers-shuffled", "layers in another order", other_layers, controls, "shuffled"),
            Part("exact-layers-random", "layers of random weights", other_layers, controls, "random"),
            Part("exact-modes", "other words as modes", until_exact, joint(config.controls, OTHER_MODES)),
        ],
        tables=[Table("routing", routing, ["base"])],
        findings=[
            (["K2", "mismatched-K2", "split-K2"], split(2)),
            (["base", "mismatched-K8", "split-K8"], split(8)),
            (["routing"], what_modes_do),
            *[((one, other), compared(label, name, one, other, asked)) for label, name, one, other, asked in COMPARED],
        ],
    )
