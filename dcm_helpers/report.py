"""Execute the notebooks on a run and write pages that can be passed on: ``python -m dcm_helpers.report [run]``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dcm_helpers.errors import require
from dcm_helpers.shell import FINISHED, STOPPED, command_line


@dataclass(frozen=True)
class Command:
    """Execute the notebooks on a run and write them, with an index, as HTML that needs no network.

    The pages go to report/ in the run's folder, or, for a run that is kept in git, to results/reports/; pages of an
    earlier report stay unless they are made anew. Ctrl-C ends at once and keeps what is finished.
    """

    run: Annotated[Path | None, tyro.conf.Positional] = None
    """Run folder, or the name of one in --output-dir; none means the latest there."""
    output_dir: Path = Path("results")
    """Folder that holds the run folders."""
    report_dir: Path | None = None
    """Folder of the report; none means the one named above."""
    notebooks: tuple[str, ...] = ()
    """Beginnings of notebook names, for instance 02 05; none means all."""
    single_file: tyro.conf.FlagCreatePairsOff[bool] = False
    """Put what draws the figures into each page (5 MB), so that a page can be mailed by itself."""
    timeout: int = 1800
    """Seconds that one cell may take."""


def latest_run(output_dir: Path) -> Path:
    """The run folder that was written to last.

    Raises:   InputError if there is none
    """
    from dcm_helpers.runs import readable_runs
    from dcm_helpers.store import MANIFEST

    folders = readable_runs(output_dir)
    require(bool(folders), f"no run folder in {output_dir}; make one with python -m dcm_helpers.run_phase1a --all")
    return max(folders, key=lambda folder: (folder.path / MANIFEST).stat().st_mtime).path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status: 0 well, 1 a notebook failed, 2 a mistake in the input, 130 stopped."""
    return command_line(report, arguments, "Finished pages are kept.")


def report(arguments: Sequence[str] | None) -> int:
    """Write the report that was asked for."""
    command = tyro.cli(Command, args=arguments, prog="python -m dcm_helpers.report")
    # imported here, so that --help does not wait for what draws and executes
    from dcm_helpers.pages import chosen_notebooks, report_folder, write_report
    from dcm_helpers.store import RunFolder

    path = command.run or latest_run(command.output_dir)
    folder = RunFolder.read(path if path.exists() else command.output_dir / path)
    target = command.report_dir or report_folder(folder.path)
    notebooks = chosen_notebooks(command.notebooks)
    print(f"Report of {folder.path} goes to {target}", file=sys.stderr)
    pages = write_report(folder, notebooks, command.timeout, target, command.single_file)
    failed = [page for page in pages if page.outcome == "failed"]
    for page in failed:
        print(f"error: {page.name} failed in cell {page.cell}: {page.reason}", file=sys.stderr)
    print(f"Open {target / 'index.html'}")
    if any(page.outcome == "stopped" for page in pages):
        print(f"Stopped in {pages[-1].name}. Finished pages are kept.", file=sys.stderr)
        return STOPPED
    return 1 if failed else FINISHED


if __name__ == "__main__":
    sys.exit(main())
