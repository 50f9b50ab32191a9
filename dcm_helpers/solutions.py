"""Solutions read back from a run folder: each record with its problem and its content, ready to be decoded again.

The diagnostics and notebooks start here. Nothing is optimized again: :func:`open_run` goes on with what a folder holds.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from dcm_helpers.anatomy import token_text
from dcm_helpers.config import PROJECT, DataConfig, GeneratorConfig, OptimizerConfig, RunConfig, require
from dcm_helpers.datasets import Pair, load_pairs
from dcm_helpers.decoding import decode_problems, greedy_decode
from dcm_helpers.models import Generator, load_generator
from dcm_helpers.results import RunFolder
from dcm_helpers.shapes import Content, Contents
from dcm_helpers.stages import prepare
from dcm_helpers.stm import Problem, View, initial_content, view_rows

EXAMPLE_STEPS, EXAMPLE_RESTARTS = 300, 2


@dataclass(frozen=True)
class Solution:
    """One finished problem of a run."""

    record: dict
    """As stored; see the README's section on reading a run."""
    problem: Problem
    content: Content
    """The stored content, on the CPU."""


def open_run(path: str, model: str, num_examples: int, K: int, stages: str, results: str = "") -> RunFolder:
    """The run at ``path``, or, where that is empty, a small example run, computed as far as it is not stored yet.

    Args:     path  a run folder, or '';  model, num_examples, K  of the example run, on the shipped pairs;  stages
              what either must have;  results  where example runs go; '' is the project's results folder
    Raises:   InputError if there is no run at ``path``, or it has nothing of a stage
    """
    if path:
        folder = RunFolder.read(Path(from_project(path)).expanduser())
        for stage in stages.split(","):
            require(
                folder.records(int(stage)),
                f"the run {path} has nothing of stage {stage}, which is read here; run it with --stage {stages}, too, "
                "or name another run in DCM_RUN (empty: a small example run)",
            )
        return folder
    config = RunConfig(
        generator=GeneratorConfig(model=model),
        data=DataConfig(num_examples=num_examples),
        optimizer=OptimizerConfig(K=K, num_steps=EXAMPLE_STEPS, num_restarts=EXAMPLE_RESTARTS),
        stage=stages,
        ignore_gates=True,
        output_dir=str(results or PROJECT / "results"),
    )
    with prepare(config) as run:
        run.run()
    return run.folder


def from_project(path: str) -> str:
    """A path that is not found from here but from the project's root, where commands are typed; others as they are.

    A notebook's kernel works in the notebook's folder, and a run remembers its files as they were typed.
    """
    elsewhere = PROJECT / path
    return str(elsewhere) if elsewhere.exists() and not Path(path).exists() else path


def generator_of(folder: RunFolder, device: str = "auto") -> Generator:
    """The Generator that a run was made with, in its precision.

    Raises:   InputError if what loads under its name today has other weights
    """
    manifest = folder.manifest
    settings = manifest["identity"]["generator"]
    generator = load_generator(
        GeneratorConfig(model=from_project(settings["model"]), device=device, dtype=settings["dtype"])
    )
    require(
        generator.fingerprint() == manifest["generator"]["fingerprint"],
        f"{folder.path} was made with other weights than {settings['model']!r} has now; its contents mean nothing to "
        "them. Load the Generator that the run's run.json describes.",
    )
    return generator


def optimizer_of(folder: RunFolder) -> OptimizerConfig:
    """The optimizer's settings of a run."""
    return OptimizerConfig(**folder.manifest["identity"]["optimizer"])


def pairs_of(folder: RunFolder) -> dict[str, Pair]:
    """The pairs of a run by id, with their topics and contexts.

    Raises:   InputError if the data set is gone or has changed
    """
    manifest = folder.manifest
    settings = manifest["identity"]["data"]
    dataset = load_pairs(DataConfig(**{**settings, "dataset": from_project(settings["dataset"])}))
    require(
        dataset.fingerprint() == manifest["data"]["fingerprint"],
        f"{folder.path} was made with other pairs than {dataset.source} holds now; put the data set back as it was",
    )
    return {pair.id: pair for pair in dataset.pairs}


def problem_of(generator: Generator, record: dict) -> Problem:
    """The problem that a record answers, rebuilt from the ids that were stored."""
    views = tuple(
        View(
            mode=view["mode"],
            target_text=view["target_text"],
            target_ids=tuple(view["target_ids"]),
            mode_ids=(generator.mode_id(view["mode"]),) if view["mode"] is not None else (),
            given_text=view["given_text"],
            given_ids=generator.text_ids(view["given_text"]) if view["given_text"] else (),
        )
        for view in record["views"]
    )
    return Problem(record["problem"], views, record["pair"])


def solutions(folder: RunFolder, generator: Generator, stage: int = 2) -> list[Solution]:
    """All finished problems of a stage, in the order in which they were finished; contents in float32 or better."""
    return [
        # a packed run keeps contents in half precision, but nothing is computed in it
        Solution(record, problem_of(generator, record), at_least_float32(folder.content(record)))
        for record in folder.records(stage)
    ]


def at_least_float32(content: Content) -> Content:
    """The content in float32, or in float64 if that is what it is in."""
    return content.to(torch.promote_types(content.dtype, torch.float32))


def contents_of(found: list[Solution], generator: Generator) -> Contents:
    """The contents of some solutions side by side, on the Generator's device.

    Raises:   InputError if there is none
    """
    require(bool(found), "the run has no finished problem at this stage; run the stage first")
    return torch.stack([solution.content for solution in found]).to(generator.device)


def start_of(folder: RunFolder, generator: Generator, solution: Solution) -> Content:
    """Where the restart began that a stored content came from; drawn again from its seed."""
    settings, record = optimizer_of(folder), solution.record
    return initial_content(generator, solution.problem, record["K"], settings.init, record["seed"], record["restart"])


def reconstructed_from(generator: Generator, found: list[Solution], contents: Contents) -> list[bool]:
    """Whether greedy decoding writes every view's target from some contents, one for each solution's problem."""
    problems = [solution.problem for solution in found]
    decoded = decode_problems(generator, problems, contents)
    wanted = [[view.target_ids for view in problem.views] for problem in problems]
    return [ids == targets for ids, targets in zip(decoded, wanted, strict=True)]


def written_tokens(generator: Generator, problem: Problem, content: Content) -> pd.DataFrame:
    """What greedy decoding writes from one content, token by token.

    Returns:  columns view, position (from 1), token (its text), probability
    """
    contents = content[None].to(generator.device)
    decoded = greedy_decode(generator, view_rows(generator, [problem]), contents, K=len(content))
    return pd.DataFrame(
        [
            (view.name, position, token_text(generator, token), probability)
            for view, written in zip(problem.views, decoded, strict=True)
            for position, (token, probability) in enumerate(
                zip(written.ids, written.probabilities, strict=True), start=1
            )
        ],
        columns=["view", "position", "token", "probability"],
    )


def text_table(found: list[Solution], pairs: dict[str, Pair]) -> pd.DataFrame:
    """What each solution is about: columns problem, question, answer, topic, question_type, decoded (all views)."""
    rows = []
    for solution in found:
        pair = pairs[solution.problem.pair]
        rows.append(
            {
                "problem": solution.problem.id,
                "question": pair.question,
                "answer": pair.answer,
                "topic": pair.topic or "no topic",
                "question_type": pair.question_type or "no type",
                "decoded": " / ".join(view["decoded_text"] for view in solution.record["views"]),
            }
        )
    return pd.DataFrame(rows)
