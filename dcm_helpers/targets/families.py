"""Making a family of targets: a run folder with a content for every pair, made by the one loop."""

import hashlib
import json
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import torch
from safetensors.torch import save

from dcm_helpers.config import DiffuserConfig, RunConfig, TargetsConfig
from dcm_helpers.diffuser import PROGRESS, Example, apart, examples_of_runs, tensors_of, topics_of
from dcm_helpers.errors import require
from dcm_helpers.files import is_there, write_safely
from dcm_helpers.generator import Generator
from dcm_helpers.learned import shared_subspace
from dcm_helpers.optimize import ContentOptimizer, MakeSolver, Projection
from dcm_helpers.pairs import Pair
from dcm_helpers.runs import Run, open_run, prepare
from dcm_helpers.shapes import Contents, Float, Tensor
from dcm_helpers.stm import Problem, joint_problems, of_class
from dcm_helpers.targets.predict import FOLDS, predicted
from dcm_helpers.targets.table import HELD, Family

SUBSPACE = "subspace.safetensors"
SUBSPACE_STEPS = 200
"""Minibatches from which directions are learned."""


def make_family(
    family: Family,
    config: TargetsConfig,
    generator: Generator,
    stop: Event,
    make_solver: MakeSolver = ContentOptimizer,
) -> Run:
    """The run of a family, computed as far as it is not stored yet; what is not done once ``stop`` is set is missing.

    Raises:   InputError if the family that it follows is not made, or pairs have no other phrasings
    """
    settings = config.run_config(family.name, family.optimizer)
    with prepare(settings, make_solver, generator=generator) as run:
        run.stop = stop
        problems = problems_of(family, generator, run.dataset.pairs)
        done = {record["problem"] for record in run.folder.records(2)}
        if any(problem.id not in done for problem in problems):
            if family.subspace:
                basis = learned_directions(run.dataset.pairs, settings, generator, stop)
                run.make_solver = partial(ContentOptimizer, parameterization=Projection(basis))
            if family.after:
                before = open_run(Path(config.output_dir) / family.after)
                problems = predicted_starts(problems, Run(before.folder, generator))
            with run.session():
                run.optimize(2, problems, run.config.optimizer)
    return Run(run.folder, generator)


def learned_directions(
    pairs: Sequence[Pair], config: RunConfig, generator: Generator, stop: Event
) -> Float[Tensor, "rank D"] | None:
    """The directions that a family's contents move in: learned at first, and kept beside its run.

    They are learned from pairs that are not held out; learning is not gone on with, but begins anew.

    Returns:  None once ``stop`` is set
    Raises:   InputError if what was kept cannot be read, or was learned from others
    """
    path = Path(config.output_dir).expanduser() / SUBSPACE
    known, _ = apart(topics_of(pairs), HELD, seed=0)
    names = [generator.fingerprint(), *(pairs[place].id for place in known)]
    learned_from = hashlib.sha256(repr(names).encode()).hexdigest()
    if not is_there(path):
        problems = joint_problems(generator, [pairs[place] for place in known])
        learned = shared_subspace(generator, problems, replace(config.optimizer, num_steps=SUBSPACE_STEPS), stop=stop)
        if stop.is_set():
            return None
        write_safely(path, save({"basis": learned.basis.contiguous()}, {PROGRESS: json.dumps(learned_from)}))
    told, tensors = tensors_of(path)
    require(told == learned_from, f"{path} was learned from other pairs; delete it, and it is learned anew")
    return tensors["basis"]


def problems_of(family: Family, generator: Generator, pairs: Sequence[Pair]) -> list[Problem]:
    """A family's problems.

    Raises:   InputError if it needs other phrasings, and a pair has none
    """
    if not family.phrasings:
        return joint_problems(generator, pairs)
    lacking = [pair.id for pair in pairs if not pair.question_paraphrases]
    require(
        not lacking,
        f"{len(lacking)} pairs have no other phrasings, as {lacking[:1]}; leave out the family {family.name!r}",
    )
    return [of_class(generator, pair) for pair in pairs]


def predicted_starts(problems: Sequence[Problem], before: Run) -> list[Problem]:
    """Problems that begin at what is predicted for them, from the whole pair, by the contents of a run.

    Raises:   InputError if the run lacks some of their contents
    """
    examples, pairs = examples_of_runs([before], DiffuserConfig(reads="pair"), exact=False)
    contents = cross_predicted("ridge", examples, topics_of(pairs))
    by_problem = {each.problem.id: content for each, content in zip(examples, contents, strict=True)}
    lacking = [problem.id for problem in problems if problem.id not in by_problem]
    require(not lacking, f"{before.name} has no content for {len(lacking)} pairs, as {lacking[:1]}; finish it first")
    return [replace(problem, initial=by_problem[problem.id]) for problem in problems]


def cross_predicted(name: str, examples: Sequence[Example], topics: Sequence[Hashable]) -> Contents:
    """What a predictor makes of each example, learned from those of other topics that are not held out.

    No pair is predicted from itself, or from one of its topic: that would give its content back. And nothing that is
    held out tells of anything: what is learned from these contents would know it.
    """
    known, held = apart(topics, HELD, seed=0)
    found = torch.stack([each.content for each in examples]).clone()

    def predict(places: list[int], others: list[int]) -> None:
        mine, theirs = ([examples[place] for place in some] for some in (places, others))
        found[places] = predicted(name, theirs, [topics[place] for place in others], mine).to(found)

    predict(held, known)
    names = sorted({topics[place] for place in known})
    fold = {topic: number % min(FOLDS, len(names)) for number, topic in enumerate(names)}
    for number in sorted(set(fold.values())):
        mine = [place for place in known if fold[topics[place]] == number]
        predict(mine, [place for place in known if fold[topics[place]] != number])
    return found
