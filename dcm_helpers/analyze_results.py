"""Print what one run says, or compare several: ``python -m dcm_helpers.analyze_results [run ...]``."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from dcm_helpers.config import InputError, require

if TYPE_CHECKING:
    from dcm_helpers.runs import RunFolder

ROW_WIDTH = 400
"""Width of a table that goes to a file or another program, where lines may be long."""


@dataclass(frozen=True)
class Command:
    """Print the tables of one run, or compare several runs side by side."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Run folders, or names of folders in --output-dir; none means all that are there."""
    output_dir: Path = Path("results")
    """Folder that holds the run folders."""


def readable(path: Path) -> "RunFolder":
    """A run folder whose records add up.

    Raises:   InputError if it is no run, is damaged, or lacks what a run of this version has
    """
    from dcm_helpers.runs import RunFolder, summarize
    from dcm_helpers.show import settings_of

    folder = RunFolder.read(path)
    try:
        summarize(folder)
        settings_of(folder.manifest["identity"])
    except KeyError as error:
        raise InputError(f"{path} has no {error}, which a run of this version has; see results/README.md") from error
    return folder


def chosen(command: Command) -> "list[RunFolder]":
    """The runs that were named, or else all that are there; of these, one that cannot be read is said and left out.

    Raises:   InputError if there is none, or one that was named cannot be read
    """
    from dcm_helpers.runs import MANIFEST

    if command.runs:
        return [readable(run if run.exists() else command.output_dir / run) for run in command.runs]
    folders = []
    for manifest in sorted(command.output_dir.glob(f"*/{MANIFEST}")):
        try:
            folders.append(readable(manifest.parent))
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
    require(bool(folders), f"no run folder in {command.output_dir}; make one with python -m dcm_helpers.run_phase1a")
    return folders


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.analyze_results")
    # imported here: it takes a second, which --help should not
    from dcm_helpers.show import comparison, next_commands, run_summary

    try:
        folders = chosen(command)
        if len(folders) == 1:
            print(f"{run_summary(folders[0])}\n\n{next_commands(folders[0])}")
        else:
            print(comparison(folders, shutil.get_terminal_size((ROW_WIDTH, 0)).columns))
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
