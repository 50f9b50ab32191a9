"""A run read back: its records as tables, its contents ready to be decoded again, its Generator and its pairs.

Nothing is computed here that was not stored, and nothing that optimizes is imported. Records and tables are there at
once; torch and the Generator's libraries are imported where contents or the Generator are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from dcm_helpers.config import PROJECT, DataConfig, GeneratorConfig, OptimizerConfig, require
from dcm_helpers.pairs import Pair, load_pairs
from dcm_helpers.runs.folder import STAGES, RunFolder
from dcm_helpers.runs.tables import Tables

if TYPE_CHECKING:
    from dcm_helpers.generator import Generator
    from dcm_helpers.shapes import Content, Contents
    from dcm_helpers.stm import Problem


@dataclass(frozen=True)
class Solution:
    """One finished problem of a run."""

    record: dict
    """As stored; `results/README.md` tells each field."""
    problem: Problem
    content: Content
    """The stored content, on the CPU, in float32 or better."""


class Run:
    """A run folder, read as far as one asks: records are JSON, contents need torch, the Generator takes seconds.

    >>> run = open_run("results/my-run")
    >>> run.tables.problems(2)
    >>> run.contents.shape
    """

    def __init__(self, folder: RunFolder, generator: Generator | None = None):
        self.folder = folder
        self.tables = Tables(folder, partial(getattr, self, "pairs"))
        if generator is not None:
            self.generator = generator

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.records(stage))} of stage {stage}" for stage in STAGES)
        return f"Run {self.name}: {counts}"

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return self.folder.path.name

    def records(self, stage: int = 2) -> list[dict]:
        """The finished problems of a stage, in the order in which they were finished."""
        return self.folder.records(stage)

    @cached_property
    def optimizer(self) -> OptimizerConfig:
        """The optimizer's settings."""
        return OptimizerConfig(**self.folder.manifest["identity"]["optimizer"])

    @cached_property
    def generator(self) -> Generator:
        """The Generator that the run was made with, in its precision.

        Raises:   InputError if what loads under its name today has other weights
        """
        return self.load_generator()

    def load_generator(self, device: str = "auto") -> Generator:
        """The run's Generator on a device; see :attr:`generator`."""
        from dcm_helpers.generator import load_generator

        manifest = self.folder.manifest
        settings = manifest["identity"]["generator"]
        generator = load_generator(
            GeneratorConfig(
                model=from_project(settings["model"]),
                device=device,
                dtype=settings["dtype"],
                layers=settings.get("layers", "trained"),  # runs of before there were controls do not say
            )
        )
        require(
            generator.fingerprint() == manifest["generator"]["fingerprint"],
            f"{self.folder.path} was made with other weights than {settings['model']!r} has now; its contents mean "
            "nothing to them. Load the Generator that the run's run.json describes.",
        )
        return generator

    @cached_property
    def pairs(self) -> dict[str, Pair]:
        """The pairs by id, with their topics and contexts.

        Raises:   InputError if the data set is gone or has changed
        """
        manifest = self.folder.manifest
        settings = manifest["identity"]["data"]
        dataset = load_pairs(DataConfig(**{**settings, "dataset": from_project(settings["dataset"])}))
        require(
            dataset.fingerprint() == manifest["data"]["fingerprint"],
            f"{self.folder.path} was made with other pairs than {dataset.source} holds now; put the data set back as "
            "it was",
        )
        return {pair.id: pair for pair in dataset.pairs}

    @cached_property
    def solutions(self) -> list[Solution]:
        """The finished problems of stage 2, each with its problem and its content.

        Raises:   InputError if there is none
        """
        found = [self.solution(record) for record in self.records(2)]
        require(bool(found), f"{self.folder.path} has no finished problem of stage 2; run that stage first")
        return found

    def solution(self, record: dict) -> Solution:
        """A record with its problem and its content."""
        return Solution(record, problem_of(self.generator, record), self.content(record))

    def content(self, record: dict) -> Content:
        """The stored content of a record, on the CPU, in float32 or better; no Generator is loaded for it."""
        return at_least_float32(self.folder.content(record))

    @cached_property
    def contents(self) -> Contents:
        """The contents of the solutions side by side, on the Generator's device."""
        import torch

        return torch.stack([each.content for each in self.solutions]).to(self.generator.device)

    @cached_property
    def starts(self) -> Contents:
        """Where these contents' optimization began, in the same order."""
        import torch

        return torch.stack([self.start(each) for each in self.solutions])

    def start(self, solution: Solution) -> Content:
        """Where the restart began that a stored content came from; drawn again from its seed."""
        from dcm_helpers.stm import initial_content

        record = solution.record
        return initial_content(
            self.generator, solution.problem, record["K"], self.optimizer.init, record["seed"], record["restart"]
        )


def from_project(path: str) -> str:
    """A path that is not found from here but from the project's root, where commands are typed; others as they are.

    A notebook's kernel works in the notebook's folder, and a run remembers its files as they were typed.
    """
    elsewhere = PROJECT / path
    return str(elsewhere) if elsewhere.exists() and not Path(path).exists() else path


def problem_of(generator: Generator, record: dict) -> Problem:
    """The problem that a record answers, rebuilt from what was stored."""
    from dcm_helpers.stm import Problem, View

    views = tuple(
        View(
            mode=view["mode"],
            target_text=view["target_text"],
            target_ids=tuple(view["target_ids"]),
            mode_ids=(generator.mode_id(view["mode"]),) if view["mode"] is not None else (),
            given_text=view["given_text"],
            given_ids=generator.text_ids(view["given_text"]) if view["given_text"] else (),
            kind=view["kind"],
        )
        for view in record["views"]
    )
    return Problem(
        id=record["problem"],
        views=views,
        pair=record["pair"],
        kind=record["kind"],
        restart=record["problem_restart"],
        variant=record["variant"],
    )


def at_least_float32(content: Content) -> Content:
    """The content in float32, or in float64 if that is what it is in; a packed run keeps half precision."""
    import torch

    return content.to(torch.promote_types(content.dtype, torch.float32))
