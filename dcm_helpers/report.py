"""Execute the notebooks on a run and write pages that can be mailed: ``python -m dcm_helpers.report [run]``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dcm_helpers.config import InputError, require
from dcm_helpers.runs import MANIFEST, RunFolder
from dcm_helpers.show import chosen_notebooks, write_report


@dataclass(frozen=True)
class Command:
    """Execute the notebooks on a run and write them, with an index, as self-contained HTML to its folder's report/."""

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """Run folder, or the name of one in --output-dir; none means the latest there."""
    output_dir: Path = Path("results")
    """Folder that holds the run folders."""
    notebooks: tuple[str, ...] = ()
    """Beginnings of notebook names, for instance 02 05; none means all."""
    timeout: int = 1800
    """Seconds that one cell may take."""


def latest_run(output_dir: Path) -> Path:
    """The run folder that was written to last.

    Raises:   InputError if there is none
    """
    manifests = sorted(output_dir.glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime)
    require(bool(manifests), f"no run folder in {output_dir}; make one with python -m dcm_helpers.run_phase1a --all")
    return manifests[-1].parent


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 all well, 1 a notebook failed, 2 a mistake in the input."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.report")
    try:
        path = command.run or latest_run(command.output_dir)
        folder = RunFolder.read(path if path.exists() else command.output_dir / path)
        pages = write_report(folder, chosen_notebooks(command.notebooks), command.timeout)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    failed = [page for page in pages if page.error]
    for page in failed:
        print(f"error: {page.name} failed in {page.error}", file=sys.stderr)
    print(f"Open {folder.path / 'report' / 'index.html'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
