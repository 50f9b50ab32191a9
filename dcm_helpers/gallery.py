"""Execute the notebooks on a run and keep them with their outputs: ``python -m dcm_helpers.gallery [run]``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dcm_helpers.shell import FINISHED, command_line


@dataclass(frozen=True)
class Command:
    """Execute the notebooks on a run and write them, with their outputs and figures as PNG, to notebooks/gallery/.

    A code host shows them as they are. Make them anew after a notebook has changed; a test tells.
    """

    run: Annotated[Path, tyro.conf.Positional] = Path("results/reference/base")
    """Run folder, from here or from the project."""
    notebooks: tuple[str, ...] = ()
    """Beginnings of notebook names, for instance 02 05; none means all."""
    timeout: int = 1800
    """Seconds that one cell may take."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 well, 1 a notebook failed, 2 a mistake in the input, 130 stopped."""
    return command_line(gallery, arguments, "Finished notebooks are kept.")


def gallery(arguments: Sequence[str] | None) -> int:
    """Write the notebooks that were asked for."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.gallery")
    # imported here, so that --help does not wait for what draws and executes
    from dcm_helpers.pages import GALLERY, chosen_notebooks, write_gallery
    from dcm_helpers.runs import open_run

    wrong = write_gallery(open_run(command.run).folder, chosen_notebooks(command.notebooks), command.timeout)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    print(f"Look at {GALLERY / 'README.md'}")
    return 1 if wrong else FINISHED


if __name__ == "__main__":
    sys.exit(main())
