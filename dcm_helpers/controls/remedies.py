"""Remedies: what is each term, each parameterization, and the mission's combination worth, once the loss is aligned?"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import scipy.stats
import torch

from dcm_helpers.config import MODES, GeneratorConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.inquiry import (
    SURE,
    Answer,
    Finding,
    Part,
    Pieces,
    Question,
    Study,
    StudyConfig,
    Table,
    joint,
    settings,
    with_one_restart,
)
from dcm_helpers.look import (
    exact_by_generate,
    exact_in_batches,
    half_radius,
    nats_after,
    turned,
    under_noise,
)
from dcm_helpers.objective import TERMS
from dcm_helpers.runs import Solution
from dcm_helpers.stats import Estimate, Quantity, mean, ratio
from dcm_helpers.stm import View, decode_problems, degeneration

NONE = "none"
"""The remedy that the others are compared with."""
MISSION = (("semantic", 0.3), ("eos", 0.5), ("unlikelihood", 0.5), ("scheduled_linear", 30.0))
"""The mission's combination: its blend, its clean stop, no repeating, scheduled sampling."""
REMEDIES: dict[str, dict] = {
    NONE: {},
    **{name: {"terms": ((name, term.usual),)} for name, term in TERMS.items()},
    **{name: {"parameterization": name} for name in ("held_norm", "mlp", "projection")},
    "the mission's combination": {"terms": MISSION},
}
"""By name, the settings of each."""
RADII = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
DRAWS = 6
SOUGHT = {("relations", "distance")}
"""What a remedy asks for itself, so that it is no measure of it: contents of equal texts are pulled together."""
STOPS_AT = 0.2
"""Noise, as a share of slot norms, at which decodes are looked at for clean stops and repetition."""
STOP_DRAWS = 3
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
    less: bool = True
    """Whether less is better."""


def difference(one: pd.Series, other: pd.Series) -> Estimate:
    """The mean difference, pair by pair."""
    return mean(one.astype(float) - other.astype(float))


MEASURES = (
    Measure("steps", "fewer steps", "more steps", ratio),
    Measure("evaluations", "fewer evaluations until confident", "more evaluations until confident", ratio),
    Measure("exact", "exact more often", "exact less often", difference, less=False),
    Measure(
        "elsewhere", "stays exact elsewhere more often", "stays exact elsewhere less often", difference, less=False
    ),
    Measure("radius", "bears more noise", "bears less noise", difference, less=False),
    Measure("clean", "stops cleanly more often", "stops cleanly less often", difference, less=False),
    Measure("question", "unseen questions likelier", "unseen questions less likely", difference),
    Measure("answer", "unseen answers likelier", "unseen answers less likely", difference),
    Measure("distance", "solutions of a pair nearer", "solutions of a pair farther", ratio),
)


def remedy_part(name: str) -> str:
    """The part that has the contents found with a remedy."""
    return f"confident-with-{name.replace(' ', '-')}".replace("'", "")


def remedies_of(config: StudyConfig) -> dict[str, dict]:
    """The remedies that a study tries: none, and all or those that it names.

    Raises:   InputError if it names one that does not exist
    """
    for name in config.remedies:
        require(name in REMEDIES, f"there is no remedy {name!r}; expected some of: {', '.join(REMEDIES)}")
    return {name: REMEDIES[name] for name in REMEDIES if name in (NONE, *(config.remedies or REMEDIES))}


def remedies(study: Study) -> Pieces:
    """What contents found with each remedy are like; a piece is a remedy.

    Returns:  of one row for each remedy and pair: columns remedy, pair, exact, steps (to exact, counted from 1;
              those of one more than it was given where there was none), evaluations (until confident),
              elsewhere (share of two decoders by which it decodes exactly in bfloat16, or in float32 where the study is
              in bfloat16), radius (noise that breaks half of the decodes, of slot norms), clean (share of decodes under
              noise that stop and do not repeat), question and answer (nats a token of an unseen paraphrase, minus those
              without content), distance (to the pair's other solution over that to solutions of others, means of slots'
              directions)
    """
    other = "float32" if study.config.dtype == "bfloat16" else "bfloat16"
    elsewhere = load_generator(GeneratorConfig(study.config.model, study.config.device, other))
    return {name: partial(of_remedy, study, elsewhere, name) for name in remedies_of(study.config)}


def of_remedy(study: Study, elsewhere: Generator, name: str) -> pd.DataFrame:
    """The rows of a remedy."""
    found = [each for each in study.solutions(remedy_part(name)) if each.problem.restart == 0]
    index = [each.problem.pair for each in found]
    records = study.per_problem(remedy_part(name)).loc[[each.problem.id for each in found]]
    columns = {
        "exact": records["reconstructed"].to_numpy(),
        "evaluations": [each.record["steps_total"] + 1 for each in found],
        "steps": records["steps_to_exact"].to_numpy() + 1,
        "elsewhere": exact_elsewhere(elsewhere, found),
        "radius": [radius(study.generator, each) for each in found],
        "clean": clean_shares(study.generator, found),
        **unseen(study, found),
        "distance": own_distances(study.solutions(remedy_part(name)), index),
    }
    return pd.DataFrame({"remedy": name, "pair": index, **columns})


def exact_elsewhere(elsewhere: Generator, found: list[Solution]) -> np.ndarray:
    """For each content the share of decoders by which it decodes exactly with a Generator in another precision.

    Of all that the question of exactness tries, precision alone ever broke a content.
    """
    problems = [each.problem for each in found]
    contents = torch.stack([each.content for each in found]).to(elsewhere.device)
    ours = exact_in_batches(elsewhere, problems, contents, len(problems))
    return np.mean([ours, exact_by_generate(elsewhere, problems, contents, 32)], axis=0)


def radius(generator: Generator, each: Solution) -> float:
    """The noise that breaks half of a content's decodes, of slot norms."""
    noisy = under_noise(generator, each.problem, each.content.to(generator.device), RADII, DRAWS)
    return half_radius(noisy.groupby("radius")["teacher_forced_exact"].mean())


def clean_shares(generator: Generator, found: list[Solution]) -> list[float]:
    """For each content the share of decodes under noise that stop and do not repeat."""
    drawn = [(each.problem, each.content.to(generator.device), draw) for each in found for draw in range(STOP_DRAWS)]
    moved = [content + STOPS_AT * turned(content, "stops", problem.id, draw) for problem, content, draw in drawn]
    decoded = decode_problems(generator, [problem for problem, *_ in drawn], torch.stack(moved))
    clean = [np.mean([not degeneration(ids, generator.eos_id) for ids in views]) for views in decoded]
    return np.reshape(clean, (len(found), STOP_DRAWS)).mean(1).tolist()


def unseen(study: Study, found: list[Solution]) -> dict[str, list[float]]:
    """By kind of text, what an unseen paraphrase costs after each content minus after none, in nats a token."""
    pairs, costs = study.run(remedy_part(NONE)).pairs, {}
    for mode, kind in MODES.items():
        costs[kind] = []
        for each in found:
            view = View.of(study.generator, pairs[each.problem.pair].paraphrases(kind)[-1], mode, kind=kind)
            ((own, none),) = nats_after(study.generator, [view], each.content[None].to(study.generator.device))
            costs[kind].append((own - none) / len(view.target_ids))
    return costs


def own_distances(found: list[Solution], order: list[str]) -> list[float]:
    """For each pair the distance of its two solutions over their mean distance to those of others."""
    contents = torch.stack([each.content for each in found]).double()
    points = torch.nn.functional.normalize(contents, dim=2).mean(1)
    distances = torch.cdist(points, points)
    owners = [each.problem.pair for each in found]
    shares = {}
    for pair in order:
        mine = torch.tensor([owner == pair for owner in owners])
        first, second = mine.nonzero()[:2, 0]
        shares[pair] = (distances[first, second] / distances[mine][:, ~mine].mean()).item()
    return list(shares.values())


def worth(study: Study) -> list[Finding]:
    """What each remedy is worth beside none; tests are corrected for all remedies and measures together."""
    table = study.table("remedies")
    by_name = {name: rows.set_index("pair") for name, rows in table.groupby("remedy", sort=False)}
    none = by_name[NONE]
    compared = {
        (name, measure.column): measure.compared(rows[measure.column], none[measure.column])
        for name, rows in by_name.items()
        if name != NONE
        for measure in MEASURES
        if (name, measure.column) not in SOUGHT
    }
    tested = {place: each.p for place, each in compared.items() if each.p is not None and not np.isnan(each.p)}
    corrected = dict(zip(tested, scipy.stats.false_discovery_control(list(tested.values())), strict=True))
    found = []
    for name, rows in by_name.items():
        if name == NONE:
            continue
        differs = [
            (measure, is_better(measure, compared[name, measure.column]))
            for measure in MEASURES
            if corrected.get((name, measure.column), 1.0) < SURE
        ]
        found.append(
            Finding(
                "10 remedies",
                f"{name}: steps to exact over those with none",
                [
                    Quantity("", compared[name, "steps"]),
                    Quantity("exact", (rows["exact"].mean(), none["exact"].mean()), ".0f", percent=True),
                ],
                [
                    Quantity(measure.column, compared[name, measure.column])
                    for measure in MEASURES[1:]
                    if (name, measure.column) in compared
                ],
                Answer(
                    f"What is {name} worth?",
                    "; ".join([use_of([better for _, better in differs]), *map(said_of, differs)]),
                    "what differs from none with a p below 0.05, corrected for all remedies and measures together: a "
                    "default could be what is better in something and worse in nothing, an option what is both",
                ),
            )
        )
    return found


def is_better(measure: Measure, estimate: Estimate) -> bool:
    """Whether a remedy that differs from none in a measure is better by it."""
    neutral = 1 if measure.compared is ratio else 0
    return (estimate.value < neutral) == measure.less


def said_of(differs: tuple[Measure, bool]) -> str:
    """What is said of a remedy that is better, or worse, by a measure."""
    measure, better = differs
    return measure.better if better else measure.worse


def use_of(better: list[bool]) -> str:
    """What a remedy is good for, told from whether it is better or worse in each measure in which it differs."""
    if not better:
        return NO_DIFFERENCE
    return "of no use here" if not any(better) else "could be a default" if all(better) else "an option"


def remedies_question(config: StudyConfig) -> Question:
    """The same pairs from the same two starts with each remedy, until confident."""
    twice = with_one_restart(joint(config.controls))
    # three times what the slowest pair takes with none: what is not there by then is told by that, not waited for
    plain = settings(config, rule="confident", num_steps=config.num_steps // 3)
    parts = [
        Part(remedy_part(name), f"with {name}", replace(plain, **changes), twice)
        for name, changes in remedies_of(config).items()
    ]
    return Question(
        parts=parts,
        tables=[Table("remedies", remedies, [part.name for part in parts])],
        findings=[(["remedies"], worth)],
    )
