"""Print what one run says, or compare several: ``python -m dcm_helpers.analyze_results [run ...]``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dcm_helpers.config import InputError, require


@dataclass(frozen=True)
class Command:
    """Print the tables of one run, or compare several runs side by side."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Run folders, or names of folders in --output-dir; none means all that are there."""
    output_dir: Path = Path("results")
    """Folder that holds the run folders."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.analyze_results")
    # imported here: they take a second, which --help should not
    from dcm_helpers.runs import MANIFEST, RunFolder
    from dcm_helpers.show import comparison, run_summary

    try:
        paths = [run if run.exists() else command.output_dir / run for run in command.runs]
        paths = paths or sorted(manifest.parent for manifest in command.output_dir.glob(f"*/{MANIFEST}"))
        require(bool(paths), f"no run folder in {command.output_dir}; make one with python -m dcm_helpers.run_phase1a")
        folders = [RunFolder.read(path) for path in paths]
        print(run_summary(folders[0]) if len(folders) == 1 else comparison(folders).T.to_string())
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
