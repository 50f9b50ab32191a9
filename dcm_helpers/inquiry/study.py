"""A reference study on disk: its parts, and the tables measured on them.

A part is one run folder. Parts share pairs, problem ids and therefore starts, so they can be compared pair by pair.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pandas as pd
import torch

from dcm_helpers.config import OptimizerConfig, parameter
from dcm_helpers.errors import require
from dcm_helpers.generator import Generator
from dcm_helpers.inquiry.size import SIZES, StudyConfig, size_of
from dcm_helpers.optimize import MakeSolver, Result
from dcm_helpers.runs import Run, Solution
from dcm_helpers.shapes import Content, Contents
from dcm_helpers.stm import Problem
from dcm_helpers.store import MANIFEST, RunFolder
from dcm_helpers.watch import Progress

STORED_AS = torch.float16
"""Contents of a finished part. Their stored losses re-evaluate to 1e-2 (relative) or better; a test holds it."""
FAMILIES = {"base": ("base", "restarts"), "far": ("far",)}
"""Contents that were found alike: at the base's learning rate, and ten times faster."""
FAMILY_NAMES = {"base": "", "far": ", ten times the lr"}
"""How findings call families of contents."""
KINDS = ("flattened", "mean slot", "slot order ignored", "directions, mean slot")
"""Kinds of features; of these, findings show the one that tells most, its p corrected for the choice."""
FORMERLY = {
    **{name: {"reconstructed": "teacher_forced_exact"} for name in ("snapped", "basin", "ablation")},
    "task": {"instance": "first"},
}
"""Columns of tables as earlier versions named them."""


def families(config: StudyConfig) -> list[str]:
    """The families of contents that a study of a size has."""
    return [family for family in FAMILIES if config.far or family != "far"]


def family_parts(config: StudyConfig) -> list[str]:
    """The parts that have them."""
    return [part for family in families(config) for part in FAMILIES[family]]


def steps_or_spent(steps_to_exact: int | None, optimizer: OptimizerConfig) -> int:
    """Steps to the first exact content; where none was exact, one more than a restart was given."""
    return optimizer.num_steps + 1 if steps_to_exact is None else steps_to_exact


class Stopped(Exception):
    """A table was left unfinished; nothing of it is kept."""


@dataclass(frozen=True)
class Study:
    """A study on disk, complete or not."""

    path: Path
    generator: Generator | None = None
    """The Generator it was made with, where contents are to be read by it."""
    make_solver: MakeSolver | None = None
    """What finds contents, where some are to be found again."""
    config: StudyConfig = field(default_factory=StudyConfig)
    stop: Event = field(default_factory=Event)
    """Once set, what is being measured ends with :class:`Stopped`."""

    def solve(
        self,
        optimizer: OptimizerConfig,
        problems: Sequence[Problem],
        on_step: Callable[[Progress], None] | None = None,
        **options,
    ) -> Iterator[Result]:
        """Find contents again, or for other problems.

        Args:     options  what the solver alone knows of
        Raises:   Stopped if that was stopped
        """
        yield from self.make_solver(self.generator, optimizer).iterate(problems, on_step, self.stop, **options)
        self.require_going()

    def require_going(self) -> None:
        """End what is being measured if the study was stopped.

        Raises:   Stopped
        """
        if self.stop.is_set():
            raise Stopped

    @property
    def command(self) -> str:
        """What makes more of this study."""
        names = {Path(StudyConfig(**size).output_dir).resolve(): name for name, size in SIZES.items()}
        preset = names.get(self.path.resolve())
        where = f"--preset {preset}" if preset else f"--output-dir {shlex.quote(str(self.path))}"
        return f"python -m dcm_helpers.reference{'' if preset == 'reference' else f' {where}'}"

    def folder(self, part: str) -> RunFolder:
        """The run folder of a part.

        Raises:   InputError if it has not been made
        """
        require(self.has(part), f"{self.path} has no part {part!r}; make it with: {self.command} --parts {part}")
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
        require(path.is_file(), f"{path} is missing; make it with: {self.command}")
        return pd.read_json(path, orient="records", lines=True).rename(columns=FORMERLY.get(name, {}))

    def per_problem(self, part: str) -> pd.DataFrame:
        """The records of a part by problem: columns pair, reconstructed, teacher_forced_exact, loss, steps_to_exact.

        Where no content was exact, steps to exact are one more than the restart was given. There is no loss of a part
        that does not minimize: that of a first exact content is wherever the last step led.
        """
        optimizer = self.run(part).optimizer
        minimized = optimizer.stop_rule == "minimize"
        rows = [
            {
                "problem": record["problem"],
                "pair": record["pair"],
                "reconstructed": record["reconstructed"],
                "teacher_forced_exact": all(view["teacher_forced_exact"] for view in record["views"]),
                "loss": record["loss"] if minimized else float("nan"),
                "steps_to_exact": steps_or_spent(record["steps_to_exact"], optimizer),
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
    """The study in a folder, or a committed one by its name, as 'replication'; else the one in ``DCM_REFERENCE``.

    Raises:   InputError if there is no such folder
    """
    committed = StudyConfig(**SIZES.get(path or "reference", {})).output_dir
    folder = Path(committed if path in SIZES else path or parameter("reference", Path(committed)))
    require(folder.is_dir(), f"there is no study in {folder}; make one with: python -m dcm_helpers.reference")
    return Study(folder, config=size_of(folder))
