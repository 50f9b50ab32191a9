"""Making a family of targets: a run folder with a content for every pair, made by the one loop."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import torch

from dcm_helpers.config import DataConfig, DiffuserConfig, GeneratorConfig, OptimizerConfig, Reads, RunConfig
from dcm_helpers.diffuser import Example, examples_of_runs
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import ContentOptimizer, MakeSolver
from dcm_helpers.pairs import Pair
from dcm_helpers.runs import Run, open_run, prepare
from dcm_helpers.shapes import Contents
from dcm_helpers.stm import Problem, joint_problems, of_class
from dcm_helpers.targets.predict import FOLDS, predicted
from dcm_helpers.targets.table import Family


@dataclass(frozen=True)
class TargetsConfig:
    """Which pairs get targets, and how targets are found."""

    model: str = "smollm2-135m"
    """Generator: a name, hub id or folder, as in run_phase1a."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""
    dtype: str = "auto"
    """Precision of the Generator, as in run_phase1a."""
    dataset: str = "pairs"
    """Question-answer pairs, as for run_phase1a."""
    num_examples: int = 800
    """How many pairs."""
    K: int = 8
    """Content slots."""
    num_steps: int = 300
    """Steps that one content may take at most."""
    output_dir: str = "results/targets"
    """Folder of the families."""

    def run_config(self, family: Family) -> RunConfig:
        """The configuration of a family's run folder."""
        settings = {"K": self.K, "num_steps": self.num_steps, "num_restarts": 1, **family.optimizer}
        return RunConfig(
            generator=GeneratorConfig(self.model, self.device, self.dtype),
            data=DataConfig(self.dataset, self.num_examples),
            optimizer=OptimizerConfig(**settings),
            ignore_gates=True,
            output_dir=self.output_dir,
            run_name=family.name,
        )


def make_family(
    family: Family,
    config: TargetsConfig,
    generator: Generator,
    stop: Event,
    make_solver: MakeSolver = ContentOptimizer,
    reads: Reads = "pair",
) -> Run:
    """The run of a family, computed as far as it is not stored yet; what is not done once ``stop`` is set is missing.

    Args:     reads  what contents are predicted from, where they begin at predictions
    Raises:   InputError if the family that it follows is not made, or pairs have no other phrasings
    """
    with prepare(config.run_config(family), make_solver, generator=generator) as run:
        run.stop = stop
        problems = problems_of(family, generator, run.dataset.pairs)
        if family.after:
            before = open_run(Path(config.output_dir) / family.after)
            problems = predicted_starts(problems, before, reads)
        with run.session():
            run.optimize(2, problems, run.config.optimizer)
    return Run(run.folder, generator)


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


def predicted_starts(problems: Sequence[Problem], before: Run, reads: Reads) -> list[Problem]:
    """Problems that begin at what is predicted for them from the contents of a run.

    No pair is predicted from itself, or from one of its topic: that would give its content back.
    """
    examples, topics = examples_of_runs([before], DiffuserConfig(reads=reads), exact=False)
    contents = cross_predicted("ridge", examples, topics)
    by_problem = {each.problem.id: content for each, content in zip(examples, contents, strict=True)}
    lacking = [problem.id for problem in problems if problem.id not in by_problem]
    require(not lacking, f"{before.name} has no content for {len(lacking)} pairs, as {lacking[:1]}; finish it first")
    return [replace(problem, initial=by_problem[problem.id]) for problem in problems]


def cross_predicted(name: str, examples: Sequence[Example], topics: Sequence[Hashable]) -> Contents:
    """What a predictor makes of each example, learned from those of other topics."""
    names = sorted(set(topics))
    fold = {topic: number % min(FOLDS, len(names)) for number, topic in enumerate(names)}
    found = torch.stack([each.content for each in examples]).clone()
    for number in sorted(set(fold.values())):
        mine = [place for place, topic in enumerate(topics) if fold[topic] == number]
        others = [place for place, topic in enumerate(topics) if fold[topic] != number]
        known, labels = [examples[place] for place in others], [topics[place] for place in others]
        found[mine] = predicted(name, known, labels, [examples[place] for place in mine]).to(found)
    return found
