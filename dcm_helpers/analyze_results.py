"""Print what one run says, or compare several: ``python -m dcm_helpers.analyze_results [run ...]``."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dcm_helpers.errors import require
from dcm_helpers.shell import FINISHED, command_line

if TYPE_CHECKING:
    from dcm_helpers.store import RunFolder

ROW_WIDTH = 400
"""Width of a table that goes to a file or another program, where lines may be long."""


@dataclass(frozen=True)
class Command:
    """Print the tables of one run, or compare several runs side by side."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Run folders, or names of folders in --output-dir; none means all that are there."""
    output_dir: Path = Path("results")
    """Folder that holds the run folders."""


def chosen(command: Command) -> "list[RunFolder]":
    """The runs that were named, or else all that are there and can be read.

    Raises:   InputError if there is none, or one that was named cannot be read
    """
    from dcm_helpers.runs import readable_run, readable_runs

    if command.runs:
        return [readable_run(run if run.exists() else command.output_dir / run) for run in command.runs]
    folders = readable_runs(command.output_dir)
    require(bool(folders), f"no run folder in {command.output_dir}; make one with python -m dcm_helpers.run_phase1a")
    return folders


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 well, 2 a mistake in the input, 130 stopped."""
    return command_line(analyze, arguments, "Nothing was changed.")


def analyze(arguments: Sequence[str] | None) -> int:
    """Print what was asked for."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.analyze_results")
    # imported here: it takes a second, which --help should not
    from dcm_helpers.show import comparison, next_commands, run_summary

    folders = chosen(command)
    if len(folders) == 1:
        print(f"{run_summary(folders[0])}\n\n{next_commands(folders[0])}")
    else:
        print(comparison(folders, shutil.get_terminal_size((ROW_WIDTH, 0)).columns))
    return FINISHED


if __name__ == "__main__":
    sys.exit(main())
