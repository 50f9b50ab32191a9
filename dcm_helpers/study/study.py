"""A reference study on disk: its parts, the tables measured on them, and what a finding is.

A part is one run folder. Parts share pairs, problem ids and therefore starts, so they can be compared pair by pair.
Each question of the study is one file beside this one: the parts it needs, what it measures, what it finds.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch

from dcm_helpers.config import (
    MODES,
    PROJECT,
    DataConfig,
    GeneratorConfig,
    Kind,
    Layers,
    OptimizerConfig,
    RunConfig,
    StopRule,
    StudyConfig,
    parameter,
)
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.optimize import MakeSolver
from dcm_helpers.pairs import Pair
from dcm_helpers.runs import Run, Solution
from dcm_helpers.shapes import Content, Contents
from dcm_helpers.stats import Quantity
from dcm_helpers.stm import Problem, joint_problems, restarts_of
from dcm_helpers.store import MANIFEST, RunFolder

BITS = 1 / math.log(2)
"""Bits in a nat."""
K, LR, FAR_LR = 8, 0.03, 0.3
"""Slots and learning rate of the base part, and a learning rate ten times as high."""
OTHER_MODES = {"X": "question", "Y": "answer"}
"""Mode words that share nothing with what they ask for."""
FAMILIES = {"base": ("base", "restarts"), "far": ("far",)}
"""Contents that were found alike: at the base's learning rate, and ten times faster."""
FAMILY_PARTS = [part for parts in FAMILIES.values() for part in parts]
FAMILY_NAMES = {"base": "", "far": ", ten times the lr"}
"""How findings call families of contents."""
KINDS = ("flattened", "mean slot", "slot order ignored", "directions, mean slot")
"""Kinds of features; of these, findings show the one that tells most, its p corrected for the choice."""
FORMERLY = {name: {"reconstructed": "teacher_forced_exact"} for name in ("snapped", "basin", "ablation")}
"""Columns of tables as earlier versions named them."""

Problems = Callable[[Generator, list[Pair]], list[Problem]]


@dataclass(frozen=True)
class Part:
    """Some problems, and how their contents are optimized."""

    name: str
    asks: str
    """What the part is for, in a few words."""
    optimizer: OptimizerConfig
    problems: Problems
    layers: Layers = "trained"
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


@dataclass(frozen=True)
class Table:
    """Something that is measured on contents, once."""

    name: str
    measured: Callable[["Study"], pd.DataFrame]
    needs: Sequence[str]
    """Parts that must be complete."""


@dataclass(frozen=True)
class Answer:
    """What a finding says to a question of the study, by a rule."""

    question: str
    answer: str
    rule: str
    """How the answer follows from the figure."""


@dataclass(frozen=True)
class Finding:
    """One measured answer, beside a control that could have refuted it."""

    question: str
    measured: str
    """What the figure is."""
    figure: Sequence[Quantity]
    control: Sequence[Quantity]
    """The same for what could have refuted it."""
    answer: Answer | None = None
    """For the few findings that answer a question of the whole study."""


@dataclass(frozen=True)
class Question:
    """What one question of the study needs, measures and finds, at some size."""

    parts: Sequence[Part] = ()
    """The parts that it needs beside those of the questions before it."""
    tables: Sequence[Table] = ()
    findings: Sequence[tuple[Sequence[str], Callable[["Study"], list[Finding]]]] = ()
    """What each finding needs, parts and tables by name, and how it is found."""


@dataclass(frozen=True)
class Study:
    """A study on disk, complete or not."""

    path: Path
    generator: Generator | None = None
    """The Generator it was made with, where contents are to be read by it."""
    make_solver: MakeSolver | None = None
    """What finds contents, where some are to be found again."""
    config: StudyConfig = field(default_factory=StudyConfig)

    def folder(self, part: str) -> RunFolder:
        """The run folder of a part.

        Raises:   InputError if it has not been made
        """
        require(
            self.has(part),
            f"{self.path} has no part {part!r}; make it with: python -m dcm_helpers.reference --parts {part}",
        )
        return RunFolder.read(self.path / part)

    def run(self, part: str) -> Run:
        """A part read back."""
        return Run(self.folder(part), self.generator)

    def has(self, part: str) -> bool:
        """Whether a part was begun."""
        return (self.path / part / MANIFEST).is_file()

    def complete(self, part: str) -> bool:
        """Whether all of a part was made: finished parts are packed."""
        return self.has(part) and self.folder(part).packed(2)

    def records(self, part: str) -> list[dict]:
        """The records of a part."""
        return self.folder(part).records(2)

    def solutions(self, part: str) -> list[Solution]:
        """The records of a part with their problems and contents, ordered by problem."""
        return sorted(self.run(part).solutions, key=lambda each: each.problem.id)

    def starts(self, part: str, found: Sequence[Solution]) -> Contents:
        """Where the contents of a part began, on the CPU."""
        run = self.run(part)
        return torch.stack([run.start(each).cpu() for each in found])

    def by_pair(self, part: str) -> dict[str, Solution]:
        """The solutions of a part that has one for each pair; of several restarts, the first."""
        return {each.problem.pair: each for each in self.solutions(part) if each.problem.restart == 0}

    def alike(self, family: str) -> dict[str, list[tuple[Solution, Content]]]:
        """For each pair that has several reconstructed solutions of a family: the solutions with their starts."""
        found: dict[str, list[tuple[Solution, Content]]] = {}
        for part in FAMILIES[family]:
            those = self.solutions(part)
            for each, start in zip(those, self.starts(part, those), strict=True):
                if each.record["reconstructed"]:
                    found.setdefault(each.problem.pair, []).append((each, start))
        return {pair: several for pair, several in sorted(found.items()) if len(several) > 1}

    def first_of_each(self, table: pd.DataFrame) -> pd.DataFrame:
        """Of a table with columns part and problem, the rows of each pair's first solution: the unit stays the pair."""
        firsts = {
            (part, record["problem"])
            for part in table["part"].unique()
            for record in self.records(part)
            if record["problem_restart"] == 0
        }
        return table[[place in firsts for place in zip(table["part"], table["problem"], strict=True)]]

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
        return pd.read_json(path, orient="records", lines=True).rename(columns=FORMERLY.get(name, {}))

    def per_problem(self, part: str) -> pd.DataFrame:
        """The records of a part by problem: columns pair, reconstructed, teacher_forced_exact, loss, steps_to_exact.

        Where no content was exact, steps to exact are one more than the restart was given. There is no loss of a part
        that does not minimize: that of a first exact content is wherever the last step led.
        """
        optimizer = self.run(part).optimizer
        minimized, spent = optimizer.stop_rule == "minimize", optimizer.num_steps + 1
        rows = [
            {
                "problem": record["problem"],
                "pair": record["pair"],
                "reconstructed": record["reconstructed"],
                "teacher_forced_exact": all(view["teacher_forced_exact"] for view in record["views"]),
                "loss": record["loss"] if minimized else float("nan"),
                "steps_to_exact": spent if record["steps_to_exact"] is None else record["steps_to_exact"],
            }
            for record in self.records(part)
        ]
        return pd.DataFrame(rows).set_index("problem").sort_index()

    def paired(self, one: str, other: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The records of two parts for the problems that both have, in one order."""
        first, second = self.per_problem(one), self.per_problem(other)
        both = first.index.intersection(second.index)
        return first.loc[both], second.loc[both]


def open_study(path: str = "") -> Study:
    """The study in a folder, or in ``DCM_REFERENCE``, or the committed one."""
    folder = Path(path or parameter("reference", PROJECT / "results" / "reference"))
    require(folder.is_dir(), f"there is no study in {folder}; make one with: python -m dcm_helpers.reference")
    return Study(folder)


def settings(config: StudyConfig, slots: int = K, rule: StopRule = "minimize", **changes) -> OptimizerConfig:
    """The optimizer's settings of a part: those of the base but for what is named."""
    steps = config.num_steps * (2 if slots <= 2 else 1)
    return OptimizerConfig(
        **{"K": slots, "num_steps": steps, "num_restarts": 1, "stop_rule": rule, "lr": LR, **changes}
    )


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


def joint(count: int | None, modes: Mapping[str, Kind] = MODES) -> Problems:
    """Question and answer from one content, of the first pairs of the sample, or of all."""
    return lambda generator, pairs: joint_problems(generator, sample_of(pairs, count), modes)


def restarted(problems: Problems, count: int) -> Problems:
    """The same problems from some other starts."""
    return lambda generator, pairs: [
        again for problem in problems(generator, pairs) for again in restarts_of(problem, count)
    ]
