"""A run read back: its records as tables, its contents ready to be decoded again, its Generator and its pairs.

Nothing is computed here that was not stored, and nothing that optimizes is imported. Records and tables are there at
once; torch and the Generator's libraries are imported where contents or the Generator are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from dcm_helpers.config import DataConfig, GeneratorConfig, OptimizerConfig
from dcm_helpers.errors import InputError, require
from dcm_helpers.pairs import Pair, load_pairs
from dcm_helpers.runs.places import stored_place
from dcm_helpers.runs.tables import Tables
from dcm_helpers.store import STAGES, RunFolder

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
        """The optimizer's settings.

        Raises:   InputError if the run has some that this version does not know
        """
        try:
            return OptimizerConfig.of_stored(self.folder.manifest["identity"]["optimizer"])
        except InputError as error:
            raise InputError(f"{self.folder.path}: {error}") from error

    @cached_property
    def generator(self) -> Generator:
        """The Generator that the run was made with, in its precision.

        Nothing is fetched from the hub for it, since a run may come from elsewhere.

        Raises:   InputError if it is not on this machine, or what loads under its name today has other weights
        """
        return self.load_generator()

    def load_generator(self, device: str = "auto") -> Generator:
        """The run's Generator on a device; see :attr:`generator`."""
        from dcm_helpers.generator import load_generator

        manifest = self.folder.manifest
        settings = manifest["identity"]["generator"]
        generator = load_generator(
            GeneratorConfig(
                model=stored_place(settings["model"]),
                device=device,
                dtype=settings["dtype"],
                layers=settings.get("layers", "trained"),  # runs of before there were controls do not say
            ),
            fetch=False,
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
        place = stored_place(settings["dataset"])
        dataset = load_pairs(DataConfig(place, settings["num_examples"], settings["data_seed"]))
        require(
            dataset.fingerprint() == manifest["data"]["fingerprint"],
            f"{self.folder.path} was made with other pairs than {dataset.source} holds now; put the data set back as "
            "it was",
        )
        left_out = set(manifest["data"].get("unwritable", ()))  # earlier versions left none out
        return {pair.id: pair for pair in dataset.pairs if pair.id not in left_out}

    @cached_property
    def solutions(self) -> list[Solution]:
        """The finished problems of stage 2, each with its problem and its content.

        Raises:   InputError if there is none
        """
        found = [self.solution(record) for record in self.records(2)]
        require(bool(found), f"{self.folder.path} has no finished problem of stage 2; run that stage first")
        return found

    def solution(self, record: dict) -> Solution:
        """A record with its problem and its content.

        Raises:   InputError if the content is not as wide as the Generator's embeddings
        """
        content, width = self.content(record), self.generator.width
        require(
            content.shape[1] == width,
            f"{self.folder.path}: the content of {record['problem']!r} has vectors of {content.shape[1]} numbers; "
            f"{self.generator.name} reads {width}",
        )
        return Solution(record, problem_of(self.generator, record), content)

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
        """Where the restart began that a stored content came from; drawn again from its seed, or as it was learned.

        Raises:   InputError if what was learned is not here, or is not what it was
        """
        from dcm_helpers.stm import initial_content, start_hash

        record, start = solution.record, stored_place(self.optimizer.start)
        if known := self.folder.manifest["identity"].get("start_fingerprints"):
            now = start_hash(self.generator.name, start, record["K"])
            require(now in known, f"the start {start!r} is not the one that {self.name} began at; make the run anew")
        return initial_content(self.generator, solution.problem, record["K"], start, record["seed"], record["restart"])


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
            weight=view.get("weight", 1.0),
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
