"""Run Phase 1a from a terminal: ``python -m dcm_helpers.run_phase1a --help``."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
import tyro
from transformers.utils import logging

from dcm_helpers.config import PRESETS, InputError, OptimizerConfig, RunConfig
from dcm_helpers.generator import MEMORY_ADVICE
from dcm_helpers.optimize import ContentOptimizer
from dcm_helpers.runs import prepare
from dcm_helpers.show import run_summary
from dcm_helpers.watch import stopping_on_interrupt

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it."""
STORAGE_ADVICE = "What was finished is stored. Check permissions and free space, or choose another --output-dir."


@dataclass(frozen=True)
class Command:
    """Ask a frozen language model whether one content can serve both a question and its answer (Phase 1a).

    Runs the stages, stores every finished problem at once, and prints a summary. The same command again continues an
    interrupted run.
    """

    run: tyro.conf.OmitArgPrefixes[RunConfig] = field(default_factory=RunConfig)
    all: tyro.conf.FlagCreatePairsOff[bool] = False
    """Run all three stages; the same as --stage 1,2,3."""
    preset: Literal["default", "mission", "progressive"] = "default"
    """Starting values of the optimizer's settings: 'default' (shown here), 'mission' (lr 1.0, views weighted equally),
    or 'progressive' (200 steps at lr 0.05, then 300 at 0.005, views weighted equally). Flags given beside it win."""
    resume: bool = True
    """Continue the run of an equal configuration; --no-resume refuses to touch an existing folder."""


def parse(arguments: Sequence[str] | None) -> Command:
    """The command that was typed; exits with a usage message where it makes no sense.

    Raises:   InputError if a value is out of range
    """
    first_look = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first_look.add_argument("--preset", default="default")
    preset = first_look.parse_known_args(arguments)[0].preset
    default = Command(run=RunConfig(optimizer=OptimizerConfig(**PRESETS.get(preset, {}))))
    command = tyro.cli(Command, args=arguments, default=default, prog="python -m dcm_helpers.run_phase1a")
    return replace(command, run=replace(command.run, stage="1,2,3")) if command.all else command


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 finished, 2 a mistake in the input, 130 stopped."""
    logging.disable_progress_bar()
    try:
        command = parse(arguments)
        with prepare(command.run, ContentOptimizer, command.resume) as run:
            print(f"{run.generator.name} on {run.generator.device}, {run.dataset}", file=sys.stderr)
            print(f"Results go to {run.folder.path}", file=sys.stderr)
            with stopping_on_interrupt(run.stop):
                summary = run.run()
            print(run_summary(run.folder))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}\n{STORAGE_ADVICE}", file=sys.stderr)
        return 2
    except torch.OutOfMemoryError as error:
        print(f"error: one row does not fit the device's memory ({error}); {MEMORY_ADVICE}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Ended at once. Everything confirmed is stored; the same command continues.", file=sys.stderr)
        return STOPPED
    if not summary["finished"]:
        print("Stopped. Everything finished is stored; the same command continues.", file=sys.stderr)
        return STOPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
