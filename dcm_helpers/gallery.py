"""Execute the notebooks on a run and keep them with their outputs: ``python -m dcm_helpers.gallery [run]``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dcm_helpers.config import STOPPED, InputError


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
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.gallery")
    try:
        # imported here, so that --help does not wait for what draws and executes
        from dcm_helpers.pages import GALLERY, chosen_notebooks, write_gallery
        from dcm_helpers.runs import open_run

        wrong = write_gallery(open_run(command.run).folder, chosen_notebooks(command.notebooks), command.timeout)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. Finished notebooks are kept.", file=sys.stderr)
        return STOPPED
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    print(f"Look at {GALLERY / 'README.md'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
