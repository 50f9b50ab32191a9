"""A report: notebooks executed on a run, each as a page, and an index of them, in one folder."""

import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from plotly.offline import get_plotlyjs

from dcm_helpers.config import PROJECT
from dcm_helpers.files import write_safely
from dcm_helpers.pages.execute import described, execute
from dcm_helpers.pages.index import Index, Page
from dcm_helpers.pages.overview import details_html, overview_html
from dcm_helpers.pages.page import LIBRARY, to_html
from dcm_helpers.pages.progress import NotebookLine
from dcm_helpers.store import MANIFEST, RunFolder

RESULTS = PROJECT / "results"


def report_folder(run: Path) -> Path:
    """Where the report of a run goes: into its folder, unless that is kept in git, which no report shall change."""
    return RESULTS / "reports" / run_name(run) if is_tracked(run.resolve() / MANIFEST) else run / "report"


def run_name(run: Path) -> str:
    """What a run is called in a report: its place below the results folder, as 'reference-base', or its own name."""
    path, results = run.resolve(), RESULTS.resolve()
    return "-".join(path.relative_to(results).parts) if path.is_relative_to(results) else path.name


def is_tracked(path: Path) -> bool:
    """Whether git keeps a file; without git, nothing is kept."""
    if shutil.which("git") is None:
        return False
    asked = ["git", "-C", str(path.parent), "ls-files", "--error-unmatch", path.name]
    return subprocess.run(asked, capture_output=True).returncode == 0


def write_report(
    folder: RunFolder, paths: Sequence[Path], timeout: int, target: Path, single_file: bool = False
) -> list[Page]:
    """Execute notebooks on a run and write their pages and the index; pages of an earlier report stay.

    The index is written first and after every notebook, so that an interrupt at any moment leaves a whole report of
    what is finished.

    Args:     target  folder of the report;  single_file  see :func:`dcm_helpers.pages.to_html`
    Returns:  what became of each notebook; a stopped one is the last
    """
    target.mkdir(parents=True, exist_ok=True)
    made = []
    with NotebookLine(1 + len(paths)) as line:
        line.begin("index")
        if not single_file:
            write_safely(target / LIBRARY, get_plotlyjs().encode())
        generator, title = folder.manifest["generator"], f"Phase 1a: {run_name(folder.path)}"
        run = f"{title}, {generator['name']}, {generator['dtype']}"
        index = Index(target, title, overview_html(folder), details_html(folder), single_file)
        index.write()
        line.end("finished")
        for path in paths:
            name, question, stage = described(path)
            line.begin(path.stem)
            if stage and not folder.records(stage):
                page = Page(path.stem, name, question, "left out", reason=f"this run has nothing of stage {stage}")
            else:
                executed = execute(path, folder, timeout, line.at)
                text = to_html(executed, name, path.parent, run, single_file)
                write_safely(target / f"{path.stem}.html", text.encode())
                ended = (executed.outcome, executed.cell, executed.reason, executed.seconds)
                page = Page(path.stem, name, question, *ended, made=f"{datetime.now():%Y-%m-%d %H:%M}")
            index.add(page)
            made.append(page)
            line.end(f"{page.outcome}: {page.reason}" if page.reason else page.outcome)
            if page.outcome == "stopped":
                break
    return made
