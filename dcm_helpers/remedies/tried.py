"""Remedies: each term, each parameterization and the mission's combination, and what contents found so are like."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch

from dcm_helpers.config import MODES, GeneratorConfig
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator, load_generator
from dcm_helpers.inquiry import LR, Part, Pieces, Study, StudyConfig, joint, settings, with_one_restart
from dcm_helpers.look import exact_by_generate, exact_in_batches, half_radius, nats_after, turned, under_noise
from dcm_helpers.objective import TERMS
from dcm_helpers.runs import Solution
from dcm_helpers.stm import View, decode_problems, degeneration

NONE = "none"
"""The remedy that the others are compared with."""
PLACEBO = "another seed"
"""What changes nothing but the starts, so that no difference should be shown."""
CONTROLS = (PLACEBO, "twice the rate")
"""What is tried beside remedies: the placebo, and what leads farther from the start."""
MISSION = (("semantic", 0.3), ("eos", 0.5), ("unlikelihood", 0.5), ("scheduled_linear", 30.0))
"""The mission's combination: its blend, its clean stop, no repeating, scheduled sampling."""
REMEDIES: dict[str, dict] = {
    NONE: {},
    **{name: {"terms": ((name, term.usual),)} for name, term in TERMS.items()},
    **{name: {"parameterization": name} for name in ("held_norm", "mlp", "projection")},
    "the mission's combination": {"terms": MISSION},
    PLACEBO: {"seed": 1},
    CONTROLS[1]: {"lr": 2 * LR},
}
"""By name, the settings of each; controls come last."""
RADII = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
DRAWS = 6
LEVELS: dict[str, dict] = {
    "exact": {"stop_rule": "exact"},
    "confident": {},
    "surer": {"loss_threshold": 0.1},
    "surest": {"loss_threshold": 0.02},
    "longest": {"stop_rule": "minimize"},
}
"""How far contents with none go, from the first that is exact to as many steps as any remedy is given: each remedy is
compared with them at its own loss, and after as many evaluations."""
USUAL = "confident"
"""How far those with a remedy go."""
STOPS_AT = 0.2
"""Noise, as a share of slot norms, at which decodes are looked at for clean stops and repetition."""
STOP_DRAWS = 3


def remedy_part(name: str, level: str = USUAL) -> str:
    """The part that has the contents found with a remedy, as far as a level goes."""
    return f"{level}-with-{name.replace(' ', '-')}".replace("'", "")


def remedies_of(config: StudyConfig) -> dict[str, dict]:
    """The remedies that a study tries: none, and all or those that it names.

    Raises:   InputError if it names one that does not exist
    """
    for name in config.remedies:
        require(name in REMEDIES, f"there is no remedy {name!r}; expected some of: {', '.join(REMEDIES)}")
    return {name: REMEDIES[name] for name in REMEDIES if name in (NONE, *(config.remedies or REMEDIES))}


def remedies(study: Study) -> Pieces:
    """What contents found with each remedy are like; a piece is a remedy.

    Returns:  of one row for each remedy, level and pair: columns remedy, level, pair, exact, loss (nats a token, sum of
              both texts), evaluations (all of them), steps (to exact, counted from 1; those of one more than it was
              given where there was none), elsewhere (of a first exact content: share of two decoders by which it
              decodes exactly in bfloat16, or in float32 where the study is in bfloat16), radius (noise that breaks half
              of the decodes, of slot norms), reach (the same times the mean slot norm, in the units of embeddings),
              clean (share of decodes under noise that stop and do not repeat), question and answer (nats a token of an
              unseen paraphrase, minus those without content), distance (to the pair's other solution over that to
              solutions of others, means of slots' directions); of remedies at the level 'exact' only elsewhere
    """
    other = "float32" if study.config.dtype == "bfloat16" else "bfloat16"
    elsewhere = load_generator(GeneratorConfig(study.config.model, study.config.device, other))
    return {name: partial(of_remedy, study, elsewhere, name) for name in remedies_of(study.config)}


def of_remedy(study: Study, elsewhere: Generator, name: str) -> pd.DataFrame:
    """The rows of a remedy."""
    levels = LEVELS if name == NONE else ("exact", USUAL)
    return pd.concat([of_level(study, elsewhere, name, level) for level in levels])


def of_level(study: Study, elsewhere: Generator, name: str, level: str) -> pd.DataFrame:
    """The rows of a remedy whose contents went so far."""
    part = remedy_part(name, level)
    found = [each for each in study.solutions(part) if each.problem.restart == 0]
    index = [each.problem.pair for each in found]
    records = study.per_problem(part).loc[[each.problem.id for each in found]]
    columns = {
        "exact": records["reconstructed"].to_numpy(),
        "loss": [each.record["loss"] for each in found],
        "evaluations": [each.record["steps"] + 1 for each in found],
        "steps": records["steps_to_exact"].to_numpy() + 1,
    }
    if level == "exact":
        columns["elsewhere"] = exact_elsewhere(elsewhere, study.solutions(part)).reindex(index).to_numpy()
    if level == USUAL or name == NONE:
        radii = [radius(study.generator, each) for each in found]
        columns |= {
            "radius": radii,
            "reach": [share * norm_of(each) for share, each in zip(radii, found, strict=True)],
            "clean": clean_shares(study.generator, found),
            **unseen(study, found),
            "distance": own_distances(study.solutions(part), index),
        }
    return pd.DataFrame({"remedy": name, "level": level, "pair": index, **columns})


def exact_elsewhere(elsewhere: Generator, found: list[Solution]) -> pd.Series:
    """For each pair the share of decoders by which its exact contents decode exactly in another precision.

    Of all that the question of exactness tries, precision alone ever broke a content, and only first exact ones. Which
    of them it breaks is chance, so that of contents with none those of both starts count.
    """
    exact = [each for each in found if each.record["reconstructed"]]
    if not exact:
        return pd.Series(dtype=float)
    problems = [each.problem for each in exact]
    contents = torch.stack([each.content for each in exact]).to(elsewhere.device)
    ours = exact_in_batches(elsewhere, problems, contents, len(problems))
    shares = np.mean([ours, exact_by_generate(elsewhere, problems, contents, 32)], axis=0)
    return pd.Series(shares).groupby([problem.pair for problem in problems]).mean()


def radius(generator: Generator, each: Solution) -> float:
    """The noise that breaks half of a content's decodes, of slot norms."""
    noisy = under_noise(generator, each.problem, each.content.to(generator.device), RADII, DRAWS)
    return half_radius(noisy.groupby("radius")["teacher_forced_exact"].mean())


def norm_of(each: Solution) -> float:
    """The mean norm of a content's slots."""
    return each.content.norm(dim=1).mean().item()


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


def remedy_parts(config: StudyConfig) -> list[Part]:
    """The same pairs from the same two starts with each remedy, until confident; and the first exact contents."""
    once, twice = joint(config.controls), with_one_restart(joint(config.controls))
    # three times what the slowest pair takes with none: what is not there by then is told by that, not waited for
    plain = settings(config, rule="confident", num_steps=max(1, config.num_steps // 3))
    tried = remedies_of(config)
    return [
        Part(
            remedy_part(name, level),
            f"with {name}, {level}",
            replace(plain, **tried[name], **LEVELS[level]),
            once if level == "exact" and name != NONE else twice,
        )
        for level in LEVELS
        for name in tried
        if name == NONE or level in ("exact", USUAL)
    ]
