"""The reference study's parts: which contents it needs, how each is found, and how to read them back.

A part is one run folder. Parts share pairs, problem ids and therefore starts, so they can be compared pair by pair.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from dcm_helpers.config import PROJECT, DataConfig, GeneratorConfig, OptimizerConfig, RunConfig, require
from dcm_helpers.datasets import Pair
from dcm_helpers.models import Generator
from dcm_helpers.problems import (
    joint_problems,
    mismatched,
    of_class,
    rephrased,
    restarts_of,
    views_apart,
    with_random_answer,
)
from dcm_helpers.results import MANIFEST, RunFolder, packed_file
from dcm_helpers.shapes import Contents
from dcm_helpers.solutions import Solution, solutions, start_of
from dcm_helpers.stm import Problem

K, LR, FAR_LR = 8, 0.03, 0.3
MODES, OTHER_MODES = ("Q", "A"), ("X", "Y")
CONTROLS, LANDSCAPE, FEW = 24, 16, 8
"""How many pairs are compared with controls, looked at closely, and used where each costs most."""
RESTARTS = 4
NEAR_TOKENS = (0.001, 0.01, 0.1)
"""Weights of the term that draws slots to their nearest tokens, in nats per unit of distance."""
CAPACITIES = (1, 2, 4, 16, 32, 64, 128)
"""Slots of the capacity parts, beside the base's."""

Problems = Callable[[Generator, list[Pair]], list[Problem]]


@dataclass(frozen=True)
class StudyConfig:
    """Where the reference study is made, on what, and at which size."""

    model: str = "smollm2-135m"
    """Generator: a name, hub id or folder, as in run_phase1a."""
    device: str = "auto"
    """Device: 'auto', 'cpu', 'cuda', ..."""
    dtype: str = "float32"
    """Precision of the Generator. The committed study is float32, which every machine evaluates alike."""
    compile: bool = False
    """Compile the Generator's blocks first: some 20 to 60 s once, then faster steps."""
    num_examples: int = 120
    """Pairs of the base part; the others take all, or the first 24, 16 or 8, of a sample that has every answer once."""
    num_steps: int = 300
    """Steps that one restart may take at most; twice as many with 1 or 2 slots, half with other layers."""
    output_dir: str = str(PROJECT / "results" / "reference")
    """Folder of the study."""


@dataclass(frozen=True)
class Part:
    """Some problems, and how their contents are optimized."""

    name: str
    asks: str
    """What the part is for, in a few words."""
    optimizer: OptimizerConfig
    problems: Problems
    layers: str = "trained"
    baselines: bool = False
    """With baselines, and with stage 3 after it, as a run of the command line has them."""

    def run_config(self, config: StudyConfig) -> RunConfig:
        """The configuration of the part's run folder."""
        return RunConfig(
            generator=GeneratorConfig(config.model, config.device, config.dtype, config.compile, self.layers),
            data=DataConfig(num_examples=config.num_examples),
            optimizer=self.optimizer,
            stage="2,3" if self.baselines else "2",
            ignore_gates=True,
            output_dir=config.output_dir,
            run_name=self.name,
        )


def parts_of(config: StudyConfig) -> list[Part]:
    """All parts in the order in which they are made: first what most questions need.

    Those that compare nothing but steps and success end at the first exact content, a fifth of the work or less, and
    are named so.
    """

    def settings(slots: int = K, rule: str = "minimize", **changes) -> OptimizerConfig:
        steps = config.num_steps * (2 if slots <= 2 else 1)
        return OptimizerConfig(
            **{"K": slots, "num_steps": steps, "num_restarts": 1, "stop_rule": rule, "lr": LR, **changes}
        )

    controls, landscape, few, everything = map(joint, (CONTROLS, LANDSCAPE, FEW, config.num_examples))
    other_layers = settings(K, "exact", num_steps=config.num_steps // 2)  # some eight times what the trained ones take
    return [
        Part("base", "every pair, the point of comparison", settings(num_restarts=2), joint(None), baselines=True),
        Part("restarts", "more solutions of one pair", settings(), restarted(landscape, RESTARTS - 1)),
        Part("K2", "2 slots", settings(2), controls),
        Part("mismatched-K2", "each question with another's answer, 2 slots", settings(2), exchanged(controls)),
        Part("mismatched-K8", "each question with another's answer", settings(), exchanged(controls)),
        Part("exact-K2", "every answer once, 2 slots, until exact", settings(2, "exact"), everything),
        Part("exact-mismatched-K2", "mismatched, 2 slots, until exact", settings(2, "exact"), exchanged(everything)),
        Part("exact-mismatched-K8", "mismatched, until exact", settings(K, "exact"), exchanged(everything)),
        Part("far", "ten times the learning rate", settings(lr=FAR_LR), with_one_restart(landscape)),
        Part("split-K2", "a slot for the question, a slot for the answer", settings(1), apart(controls)),
        Part("split-K8", "half the slots for the question, half for the answer", settings(K // 2), apart(controls)),
        Part("K1", "1 slot", settings(1), controls),
        Part("norm", "slots held at token norm", settings(hold_norm=True), landscape),
        Part("norm-far", "slots held, ten times the rate", settings(hold_norm=True, lr=FAR_LR), landscape),
        Part("exact-random-K8", "the answer replaced by random tokens", settings(K, "exact"), random_answers(controls)),
        Part("rephrased", "the question in other words", settings(), rewordings(LANDSCAPE)),
        Part("paraphrases", "all but one phrasing", settings(num_steps=150), classes(FEW)),
        Part("exact-layers-shuffled", "layers in another order", other_layers, controls, "shuffled"),
        Part("exact-layers-random", "layers of random weights", other_layers, controls, "random"),
        Part("exact-modes", "other words as modes", settings(K, "exact"), joint(CONTROLS, OTHER_MODES)),
        *[
            Part(f"near-{weight:g}", f"drawn to tokens by {weight:g}", settings(token_distance=weight), few)
            for weight in NEAR_TOKENS
        ],
        *[
            Part(size_part(slots), f"{slots} slots", settings(slots, "exact"), controls)
            for slots in CAPACITIES
            if slots > 2
        ],
    ]


def size_part(slots: int) -> str:
    """The part that has true pairs at so many slots."""
    return "base" if slots == K else f"K{slots}" if slots <= 2 else f"exact-K{slots}"


def sample_of(pairs: Sequence[Pair], count: int | None) -> list[Pair]:
    """The first pairs of an order that takes topics in turn and no answer twice; all pairs, in theirs, for None."""
    if count is None:
        return list(pairs)
    by_topic: dict[str, list[Pair]] = {}
    answers = set()
    for pair in pairs:
        if pair.answer not in answers:
            answers.add(pair.answer)
            by_topic.setdefault(pair.topic, []).append(pair)
    longest = max(map(len, by_topic.values()))
    in_turn = [group[turn] for turn in range(longest) for group in by_topic.values() if turn < len(group)]
    return in_turn[:count]


def joint(count: int | None, modes: tuple[str, str] = MODES) -> Problems:
    """Question and answer from one content."""
    return lambda generator, pairs: joint_problems(generator, sample_of(pairs, count), modes)


def restarted(problems: Problems, count: int) -> Problems:
    """The same problems from some other starts."""
    return lambda generator, pairs: [
        again for problem in problems(generator, pairs) for again in restarts_of(problem, count)
    ]


def with_one_restart(problems: Problems) -> Problems:
    """The problems from the base's starts, and once more from those of the first restart."""
    again = restarted(problems, 1)
    return lambda generator, pairs: problems(generator, pairs) + again(generator, pairs)


def exchanged(problems: Problems) -> Problems:
    """Each question with the answer of another pair that comes next in length, so that problems stay as long."""
    return lambda generator, pairs: mismatched(
        sorted(problems(generator, pairs), key=lambda problem: len(problem.views[1].target_ids))
    )


def apart(problems: Problems) -> Problems:
    """Each view as a problem of its own, mode and all: two halves of a content that share nothing."""
    return lambda generator, pairs: [view for problem in problems(generator, pairs) for view in views_apart(problem)]


def random_answers(problems: Problems) -> Problems:
    """Each answer replaced by as many random tokens."""
    return lambda generator, pairs: [with_random_answer(generator, problem) for problem in problems(generator, pairs)]


def rewordings(count: int) -> Problems:
    """Each question in other words, with the same answer, from another start."""
    return lambda generator, pairs: [rephrased(generator, pair, MODES) for pair in sample_of(pairs, count)]


def classes(count: int) -> Problems:
    """Each pair with its paraphrases, the last question and the last answer held out."""
    return lambda generator, pairs: [of_class(generator, pair, MODES) for pair in sample_of(pairs, count)]


def open_study(path: str = "") -> "Study":
    """The study in a folder, or the committed one; see :class:`Study`."""
    return Study(Path(path) if path else PROJECT / "results" / "reference")


@dataclass(frozen=True)
class Study:
    """A study on disk, complete or not."""

    path: Path
    generator: Generator | None = None
    """The Generator it was made with, where contents are to be read by it."""

    def folder(self, part: str) -> RunFolder:
        """The run folder of a part.

        Raises:   InputError if it has not been made
        """
        require(
            self.has(part),
            f"{self.path} has no part {part!r}; make it with: python -m dcm_helpers.reference --parts {part}",
        )
        return RunFolder.read(self.path / part)

    def has(self, part: str) -> bool:
        """Whether a part was begun."""
        return (self.path / part / MANIFEST).is_file()

    def complete(self, part: str) -> bool:
        """Whether all of a part was made: finished parts are packed, to the last file."""
        folder = self.path / part
        return (folder / packed_file(2)).is_file() and not any(folder.glob("content-stage2-*"))

    def records(self, part: str) -> list[dict]:
        """The records of a part."""
        return self.folder(part).records(2)

    def solutions(self, part: str) -> list[Solution]:
        """The records of a part with their problems and contents, ordered by problem."""
        return sorted(solutions(self.folder(part), self.generator), key=lambda each: each.problem.id)

    def table_path(self, name: str) -> Path:
        """Where a table of measurements is kept."""
        return self.path / "measured" / f"{name}.jsonl"

    def has_table(self, name: str) -> bool:
        """Whether a table was made."""
        return self.table_path(name).is_file()

    def table(self, name: str) -> pd.DataFrame:
        """A table of measurements.

        Raises:   InputError if it has not been made
        """
        path = self.table_path(name)
        require(path.is_file(), f"{path} is missing; make it with: python -m dcm_helpers.reference")
        return pd.read_json(path, orient="records", lines=True)

    def starts(self, part: str, found: Sequence[Solution]) -> Contents:
        """Where the contents of a part began, on the CPU."""
        folder = self.folder(part)
        return torch.stack([start_of(folder, self.generator, each).cpu() for each in found])

    def by_pair(self, part: str) -> dict[str, Solution]:
        """The solutions of a part that has one for each pair; of several restarts, the first."""
        found = {each.problem.id: each for each in self.solutions(part)}
        return {each.problem.pair: each for name, each in found.items() if "/restart" not in name}
