"""Run Phase 1a from a terminal: ``python -m dcm_helpers.run_phase1a --help``."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from dcm_helpers.config import PRESETS, OptimizerConfig, RunConfig, with_terms
from dcm_helpers.errors import InputError
from dcm_helpers.shell import CONTINUES, FINISHED, STOPPED, command_line, given

if TYPE_CHECKING:
    from dcm_helpers.optimize import MakeSolver


@dataclass(frozen=True)
class Command:
    """Can one content make a frozen language model write a question and its answer?

    Every finished problem is stored at once; the same command continues a run.
    """

    # without a name, so that its settings stand among these and its groups have titles of their own
    run: tyro.conf.OmitArgPrefixes[Annotated[RunConfig, tyro.conf.arg(name="")]] = field(default_factory=RunConfig)
    all: tyro.conf.FlagCreatePairsOff[bool] = False
    """Run all three stages; the same as --stage 1,2,3."""
    preset: Literal[tuple(PRESETS)] = "default"  # type: ignore[valid-type]
    """Settings of the optimization to start from; flags beside it win.
    'mission': the plan's own (lr 1.0, every view pulls equally, ...);
    'progressive': 200 steps at lr 0.05, then 300 at 0.005."""
    resume: bool = True
    """Continue the run of equal settings; --no-resume refuses to touch an existing folder."""


def parse(arguments: Sequence[str] | None) -> Command:
    """The command that was typed; exits with a usage message where it makes no sense.

    Raises:   InputError if a value is out of range
    """
    preset = PRESETS.get(given(arguments, "preset", "default"), {})
    default = Command(run=RunConfig(optimizer=OptimizerConfig(**preset)))
    command = tyro.cli(
        Command,
        args=arguments,
        default=default,
        prog="python -m dcm_helpers.run_phase1a",
        description=with_terms(Command),
    )
    return replace(command, run=replace(command.run, stage="1,2,3")) if command.all else command


def execute(command: Command) -> int:
    """Run what was asked for, as far as it is not stored, and print the summary. Returns the exit status.

    Raises:   InputError if the Generator, the pairs or the folder cannot be used, or a row does not fit the device
    """
    # imported here: torch and transformers take seconds, which help and a mistyped command should not
    import torch
    from transformers.utils import logging

    from dcm_helpers.generator import MEMORY_ADVICE
    from dcm_helpers.runs import prepare
    from dcm_helpers.show import next_commands, run_summary
    from dcm_helpers.watch import stopping_on_interrupt

    logging.disable_progress_bar()
    try:
        with workers(command.run) as make_solver, prepare(command.run, make_solver, command.resume) as run:
            print(
                f"{run.generator.name} in {run.generator.precision} on {run.generator.device}, {run.dataset}",
                file=sys.stderr,
            )
            print(f"Results go to {run.folder.path}", file=sys.stderr)
            with stopping_on_interrupt(run.stop):
                summary = run.run()
            print(f"{run_summary(run.folder)}\n\n{next_commands(run.folder)}")
    except torch.OutOfMemoryError as error:
        raise InputError(f"one row does not fit the device's memory ({error}); {MEMORY_ADVICE}") from error
    if not summary["finished"]:
        print(f"Stopped. {CONTINUES}", file=sys.stderr)
        return STOPPED
    return FINISHED


@contextlib.contextmanager
def workers(config: RunConfig) -> "Iterator[MakeSolver]":
    """What finds contents: this process, or workers on several devices and hosts.

    Raises:   InputError if they cannot be had
    """
    from dcm_helpers.optimize import ContentOptimizer, compares_problems
    from dcm_helpers.workers import Fleet, FleetSolver, places_of

    if config.distributed is None:
        yield ContentOptimizer
        return
    if compares_problems(config.optimizer):
        raise InputError(
            "the term 'relations' compares all problems in flight, and workers do not see each other's; "
            "leave out --distributed, or the term"
        )
    with Fleet(places_of(config.distributed), config.generator) as fleet:
        yield partial(FleetSolver, fleet)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 finished, 2 a mistake in the input, 130 stopped."""
    return command_line(lambda typed: execute(parse(typed)), arguments, CONTINUES)


if __name__ == "__main__":
    sys.exit(main())
