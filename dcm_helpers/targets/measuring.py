"""How well each family of targets can be learned: its row of the table."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import torch

from dcm_helpers.config import DiffuserConfig, OptimizerConfig, Reads
from dcm_helpers.diffuser import CHOSEN_ON, Example, apart, examples_of_runs, topics_of
from dcm_helpers.errors import require
from dcm_helpers.files import is_there, parsed_json, read_text
from dcm_helpers.generator import Generator
from dcm_helpers.ladder import FEW, written_from
from dcm_helpers.runs import Run
from dcm_helpers.seeds import seeded
from dcm_helpers.shapes import Contents
from dcm_helpers.stats import Estimate, bootstrapped, mean, mean_share, share
from dcm_helpers.stm import joint_problems
from dcm_helpers.targets.learnability import evaluations_from, evaluations_over, in_contents, in_predictions, radii
from dcm_helpers.targets.network import NETWORKS, network_predicted
from dcm_helpers.targets.predict import PREDICTORS, predicted
from dcm_helpers.targets.table import HELD

LOOKED = 24
"""Held-out pairs whose basin is measured, and that are optimized from predictions: each costs a hundred evaluations."""
RADII = tuple(0.05 * step for step in range(1, 17))
MOST_STEPS = 300
"""Steps that it may take until a pair is exact, from wherever it begins; no terms are added, whatever the family's."""
OWN, PREDICTED = "own start", "predicted"
KEYS = ("family", "reads", "predictor", "made")
"""What tells a row of the table from another; ``made`` is how a network was trained."""


@dataclass(frozen=True)
class Learnability:
    """What a predictor makes of a family's held-out pairs."""

    r2: Estimate
    """Share of the squared distance from the mean that is predicted; the interval is over topics, however few."""
    own_nearest: Estimate
    """How often the own content is the nearest of all that were held out."""
    within_radius: Estimate
    """How often the error is smaller than half of the random errors that a content bears."""
    kl: Estimate
    """KL of the Generator's predictions, in nats a token."""
    nats: Estimate
    """What the pair's own texts cost, in nats a token, from the prediction as it is."""
    exact: Estimate
    """How often both texts are written exactly from it."""
    evaluations: Estimate
    """Evaluations until exact from the prediction, over those from the family's own start."""
    optimized: Estimate
    """How often both texts became exact from the prediction, within the steps that were given."""

    def row(self) -> dict[str, str]:
        """The figures as text."""
        return {name: getattr(self, name).text(".3f") for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Split:
    """A family's examples: those that are learned from with their topics, and those that are held out with theirs."""

    learned: list[Example]
    topics: list[Hashable]
    held: list[Example]
    held_topics: list[Hashable]
    exact: Estimate
    """How many of all targets write their pair exactly."""


def split(run: Run, reads: Reads) -> Split:
    """A run's examples, whole topics held out; each is judged by its pair's own texts, whatever its content is for."""
    examples, pairs = examples_of_runs([run], DiffuserConfig(reads=reads), exact=False)
    own = [
        replace(each, problem=replace(problem, id=each.problem.id))
        for each, problem in zip(examples, joint_problems(run.generator, pairs), strict=True)
    ]
    topics = topics_of(pairs)
    sides = apart(topics, HELD, seed=0)
    learned, held = ([own[place] for place in places] for places in sides)
    of_learned, of_held = ([topics[place] for place in places] for places in sides)
    return Split(learned, of_learned, held, of_held, share([each["reconstructed"] for each in run.records(2)]))


def learnability(
    generator: Generator,
    parts: Split,
    predictions: Contents,
    config: OptimizerConfig,
    stop: Event | None = None,
    seed: int = 0,
) -> Learnability | None:
    """Measure predictions for what was held out.

    Args:     config  that of the family: where its contents start
    Returns:  None once ``stop`` is set
    """
    held, predictions = parts.held, predictions.to(generator.device, torch.float32)
    table = in_contents(predictions, held, parts.learned)
    written = written_from(generator, held, predictions)
    by_problem = written.groupby("problem", sort=False)
    order = torch.randperm(len(held), generator=seeded("looked at", seed))[:LOOKED].tolist()
    some, theirs = [held[place] for place in order], predictions[order]
    radius = radii(generator, some, RADII)
    norms = torch.stack([each.content for each in some]).flatten(1).norm(dim=1)
    errors = table["error"].to_numpy()[order] ** 0.5 / norms.numpy()
    plain = replace(config, num_steps=MOST_STEPS, terms=())
    steps = evaluations_from(generator, some, plain, {OWN: None, PREDICTED: theirs}, stop)
    if stop is not None and stop.is_set():
        return None
    by_topic = table.assign(topic=parts.held_topics).groupby("topic")
    sums, nearest = by_topic[["error", "from_mean"]].sum(), by_topic["own_nearest"].mean()
    return Learnability(
        r2=bootstrapped(r_squared, sums["error"].to_numpy(), sums["from_mean"].to_numpy()),
        own_nearest=mean_share(nearest) if len(nearest) >= FEW else share(table["own_nearest"]),
        within_radius=share(errors < radius),
        kl=mean(in_predictions(generator, predictions, held).tolist()),
        nats=mean(by_problem["nats"].mean()),
        exact=share(by_problem["exact"].all()),
        evaluations=evaluations_over(steps, PREDICTED, OWN),
        optimized=share(steps.loc[steps["start"] == PREDICTED, "exact"]),
    )


def r_squared(errors, from_mean):
    """One minus the sum of squared errors over that from the mean, along the last axis."""
    return 1 - errors.sum(-1) / from_mean.sum(-1)


def family_row(
    run: Run, parts: Split, predictor: str, config: DiffuserConfig, start: str, stop: Event
) -> dict[str, str | int] | None:
    """A row of the table: what a predictor makes of a family's held-out pairs from a condition.

    Args:     config  condition, network and steps of those that are networks, which are trained beside the run first;
              start  where contents begin that are learned without targets
    Returns:  None once ``stop`` is set
    """
    if predictor in PREDICTORS:
        learned_from = len(parts.learned)
        predictions = predicted(predictor, parts.learned, parts.topics, parts.held)
    else:
        trained = NETWORKS[predictor]
        of_family = f"{run.name}-" if trained.targets else ""
        size = f"{config.network.blocks}x{config.network.width}-{config.steps}"
        name = f"{of_family}{config.reads}-{trained.what.replace(' ', '-')}-{size}"
        folder = run.folder.path.parent / "networks" / name
        given = (run.generator, parts.learned, parts.topics, parts.held)
        predictions = network_predicted(predictor, folder, *given, config, start, stop)
        learned_from = len(apart(parts.topics, CHOSEN_ON, config.seed)[0])
    if predictions is None:
        return None
    found = learnability(run.generator, parts, predictions, run.optimizer, stop)
    if found is None:
        return None
    counts = {"learned_from": learned_from, "held_out": len(parts.held), "targets_exact": parts.exact.text(".3f")}
    return {**dict(zip(KEYS, key_of(run.name, predictor, config), strict=True)), **counts, **found.row()}


def key_of(family: str, predictor: str, config: DiffuserConfig) -> tuple[str, str, str, str]:
    """What tells a row from another, in the order of :data:`KEYS`."""
    network = config.network
    made = f"{network.blocks} blocks of {network.width}, {config.steps} steps" if predictor in NETWORKS else ""
    return family, config.reads, predictor, made


def kept_rows(path: Path) -> list[dict[str, str]]:
    """The rows of the table so far.

    Raises:   InputError if it is damaged
    """
    if not is_there(path):
        return []
    rows = parsed_json(read_text(path), str(path), "delete it; it is measured again")
    whole = isinstance(rows, list) and all(isinstance(row, dict) and row.keys() >= {*KEYS} for row in rows)
    require(whole, f"{path} is no table of learnability; delete it, and it is measured again")
    return rows
