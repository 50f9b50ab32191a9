"""Reports: the notebooks executed on a run, each as one page that can be mailed, and an index of them."""

import html
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm

from dcm_helpers.config import PROJECT, require
from dcm_helpers.files import write_safely
from dcm_helpers.runs import RunFolder, summarize
from dcm_helpers.show.page import to_html
from dcm_helpers.show.summary import percent, run_summary

NOTEBOOKS = PROJECT / "notebooks"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark;
           --ink: #1d2127; --soft: #5d6570; --line: #d9dde2; --card: #f5f7f9; --bad: #b3400a; }}
  @media (prefers-color-scheme: dark) {{
    :root {{ --ink: #e6e9ed; --soft: #9aa3ae; --line: #343a42; --card: #1d2127; --bad: #ff9d66; }}
    body {{ background: #14171b; }}
  }}
  body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 60rem; margin: 2.5rem auto;
          padding: 0 1.5rem; }}
  h1 {{ font-size: 1.6rem; margin-bottom: 0; }}
  h1 + p, .note {{ color: var(--soft); }}
  .cards {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem; margin: 1.5rem 0; }}
  .card {{ background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.2rem; }}
  .card h2 {{ font-size: .95rem; margin: 0 0 .3rem; color: var(--soft); font-weight: 600; }}
  .card strong {{ display: block; font-size: 1.25rem; }}
  ol {{ padding-left: 0; list-style: none; }}
  li {{ border-top: 1px solid var(--line); padding: .6rem 0; }}
  .bad {{ color: var(--bad); }}
  pre {{ background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; overflow-x: auto;
         font-size: .8rem; line-height: 1.45; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{subtitle}</p>
<div class="cards">{cards}</div>
<h2>Notebooks</h2>
<ol>{links}</ol>
<p class="note">Every page is one file that needs no network.</p>
<h2>In full</h2>
<pre>{text}</pre>
</body>
</html>
"""


@dataclass(frozen=True)
class Page:
    """What became of one notebook."""

    name: str
    title: str
    question: str
    """The question it answers, from its first cell."""
    seconds: float = 0.0
    error: str | None = None
    """Which cell failed, and how; None if all went well."""
    skipped: str | None = None
    """Why it was not executed."""

    @property
    def file(self) -> str:
        """Name of its HTML file."""
        return f"{self.name}.html"


def execute(path: Path, folder: RunFolder, timeout: int) -> tuple[nbformat.NotebookNode, str | None]:
    """Execute a notebook on a run in a kernel of its own.

    Returns:  the notebook with its outputs, those before a failure included, and what failed (None if nothing did)
    """
    notebook = nbformat.read(path, as_version=4)
    model = folder.manifest["identity"]["generator"]["model"]
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],  # each kernel would warn that it listens on this machine
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute(env={**os.environ, "DCM_RUN": str(folder.path.resolve()), "DCM_MODEL": model})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return notebook, f"cell {failed_cell(notebook)}: {reason(error)}"
    return notebook, None


def failed_cell(notebook: nbformat.NotebookNode) -> int:
    """Number of the cell that was executed last, counted from 1 over all cells."""
    executed = [number for number, cell in enumerate(notebook.cells, 1) if cell.get("execution_count") is not None]
    failing = [
        number
        for number, cell in enumerate(notebook.cells, 1)
        if any(output.output_type == "error" for output in cell.get("outputs", []))
    ]
    return (failing or executed or [1])[-1]


def reason(error: Exception) -> str:
    """An execution error in one line."""
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".splitlines()[0]
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"


def described(path: Path) -> tuple[str, str, int]:
    """Title and question of a notebook, from its first cell, and the stage that it reads (0 for none)."""
    notebook = nbformat.read(path, as_version=4)
    paragraphs = [part.strip() for part in notebook.cells[0].source.split("\n\n")]
    stage = notebook.metadata.get("dcm", {}).get("reads_stage", 0)
    return paragraphs[0].removeprefix("# "), paragraphs[1].strip("*"), stage


def write_report(folder: RunFolder, paths: Sequence[Path], timeout: int) -> list[Page]:
    """Execute notebooks on a run and write their pages and the index to the run's ``report`` folder.

    Returns:  what became of each notebook
    """
    target = folder.path / "report"
    target.mkdir(exist_ok=True)
    pages = []
    for path in tqdm(paths, desc="Notebooks", unit="notebook"):
        title, question, stage = described(path)
        page = Page(path.stem, title, question)
        if stage and not folder.records(stage):
            pages.append(Page(path.stem, title, question, skipped=f"this run has nothing of stage {stage}"))
            continue
        started = time.perf_counter()
        notebook, error = execute(path, folder, timeout)
        page = Page(path.stem, title, question, time.perf_counter() - started, error)
        write_safely(target / page.file, to_html(notebook, title, path.parent, back="index.html").encode())
        pages.append(page)
    write_safely(target / "index.html", index_page(folder, pages).encode())
    return pages


def index_page(folder: RunFolder, pages: Sequence[Page]) -> str:
    """The index page: verdicts, links to the executed notebooks, and the run's report in full."""
    manifest, summary = folder.manifest, summarize(folder)
    generator = manifest["generator"]
    return PAGE.format(
        title=html.escape(f"Phase 1a: {folder.path.name}"),
        subtitle=html.escape(f"{generator['name']}, {generator['dtype']}; {manifest['data']['account']}"),
        cards="".join(card(*each) for each in verdicts(summary)),
        links="".join(link(page) for page in pages),
        # the page goes to other people: where the run lies on this machine is none of its business
        text=html.escape(run_summary(folder).replace(str(folder.path), folder.path.name)),
    )


def verdicts(summary: dict) -> list[tuple[str, str, str]]:
    """Of every stage that has records: its name, its rate, and what that means."""
    found = []
    if (stage := summary["stage1"]) is not None:
        passed = {True: "gate passed", False: "gate not passed", None: "incomplete"}[stage["gate_passed"]]
        found.append(("Stage 1, texts alone: reconstructed", percent(stage["reconstructed"]), passed))
    if (stage := summary["stage2"]) is not None:
        found.append(("Stage 2, joint: reconstructed", percent(stage["reconstructed"]), "exactly, EOS included"))
        found.append(("Stage 2, joint: converged", percent(stage["converged"]), stage["verdict"]))
    if (stage := summary["stage3"]) is not None:
        bar = "bar reached" if stage["bar_passed"] else "bar not reached"
        found.append(("Stage 3, decoded: pass", percent(stage["pass"]), bar))
    return found


def card(name: str, figure: str, meaning: str) -> str:
    """One verdict as a card."""
    name, figure, meaning = (html.escape(text) for text in (name, figure, meaning))
    counts, _, share = figure.partition(", ")
    return f'<div class="card"><h2>{name}</h2><strong>{counts}</strong>{share}<br>{meaning}</div>'


def link(page: Page) -> str:
    """One notebook in the list."""
    title, question = html.escape(page.title), html.escape(page.question)
    if page.skipped:
        return f'<li>{title}<br><span class="note">{question} Left out: {html.escape(page.skipped)}.</span></li>'
    error = f'<br><strong class="bad">Failed in {html.escape(page.error)}</strong>' if page.error else ""
    return f'<li><a href="{page.file}">{title}</a><br><span class="note">{question}</span>{error}</li>'


def chosen_notebooks(beginnings: Sequence[str]) -> list[Path]:
    """The notebooks whose names begin so, in order; all if none is named.

    Raises:   InputError if a beginning fits none
    """
    every = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    require(bool(every), f"there are no notebooks in {NOTEBOOKS}; reports are made from a clone of the project")
    for beginning in beginnings:
        names = ", ".join(path.stem for path in every)
        require(
            any(path.name.startswith(beginning) for path in every),
            f"no notebook begins with {beginning!r}; expected beginnings of {names}",
        )
    return [path for path in every if not beginnings or path.name.startswith(tuple(beginnings))]
