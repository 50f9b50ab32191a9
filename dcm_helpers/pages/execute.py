"""Which notebooks there are, and running one on a run, in a kernel of its own that ends with it, whatever happens."""

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from dcm_helpers.config import PROJECT
from dcm_helpers.errors import require
from dcm_helpers.store import RunFolder

NOTEBOOKS = PROJECT / "notebooks"
Outcome = Literal["finished", "failed", "stopped", "left out"]
"""What became of a notebook; 'left out' where the run lacks what it reads."""


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


def described(path: Path) -> tuple[str, str, int]:
    """Title and question of a notebook, from its first cell, and the stage that it reads (0 for none)."""
    notebook = nbformat.read(path, as_version=4)
    paragraphs = [part.strip() for part in notebook.cells[0].source.split("\n\n")]
    stage = notebook.metadata.get("dcm", {}).get("reads_stage", 0)
    return paragraphs[0].removeprefix("# "), paragraphs[1].strip("*"), stage


@dataclass(frozen=True)
class Executed:
    """A notebook with its outputs, those before a failure included."""

    notebook: nbformat.NotebookNode
    outcome: Outcome = "finished"
    cell: int | None = None
    """Where it ended early: the cell's number, counted from 1 over all cells."""
    reason: str = ""
    """What failed, in one line."""
    seconds: float = 0.0


def execute(
    path: Path, folder: RunFolder | None, timeout: int, follow: Callable[[int, int], None], pictures: bool = False
) -> Executed:
    """Execute a notebook on a run, or on its own example run. An interrupt ends it at once; what was computed is kept.

    nbclient's own ``execute`` handles signals in a way that makes an interrupt look like a kernel that died, so the
    cells are gone through here, and an interrupt is Python's own exception.

    Args:     timeout  seconds that one cell may take;  follow  is told the number of each cell before it runs, and how
              many there are;  pictures  asks figures for a PNG form, too
    """
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    manager = AsyncKernelManager(kernel_name="python3")
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=timeout,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # each kernel would warn that it listens on this machine
        resources={"metadata": {"path": str(path.parent)}},
    )
    number, outcome, reason = 1, "finished", ""
    try:
        client.start_new_kernel(env=environment(folder, pictures))
        client.start_new_kernel_client()
        for number, cell in enumerate(notebook.cells, 1):
            follow(number, len(notebook.cells))
            client.execute_cell(cell, number - 1, execution_count=client.code_cells_executed + 1)
    except KeyboardInterrupt:
        outcome, reason = "stopped", f"interrupted at cell {number} of {len(notebook.cells)}"
    except (CellExecutionError, CellTimeoutError, RuntimeError) as error:  # the last: a kernel died or did not start
        outcome, reason = "failed", one_line(error)
    finally:
        if manager.has_kernel:
            run_sync(manager.shutdown_kernel)(now=True)
        if client.kc is not None:
            client.kc.stop_channels()
    without_places(notebook, folder)
    cell = None if outcome == "finished" else number
    return Executed(notebook, outcome, cell, reason, time.perf_counter() - started)


def environment(folder: RunFolder | None, pictures: bool) -> dict[str, str]:
    """Environment of a kernel: this process's, and the run as the notebooks' parameters."""
    parameters = {"DCM_RUN": ""}
    if folder is not None:
        model = folder.manifest["identity"]["generator"]["model"]
        parameters = {"DCM_RUN": str(folder.path.resolve()), "DCM_MODEL": model}
    return {**os.environ, **parameters, "DCM_PICTURES": "1" if pictures else "0"}


def one_line(error: Exception) -> str:
    """An execution error in one line."""
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}".splitlines()[0]
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"


def without_places(notebook: nbformat.NotebookNode, folder: RunFolder | None) -> None:
    """Take this machine's places out of the texts of outputs: they go to other people."""
    places = {str(PROJECT), sys.prefix, sys.base_prefix}
    if folder is not None:
        places |= {str(folder.path.resolve().parent), str(folder.path.parent)}
    absolute = sorted((place for place in places if Path(place).is_absolute() and place != "/"), key=len, reverse=True)
    found = re.compile(rf"(?:{'|'.join(map(re.escape, absolute))})(?:/|\b)")
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = found.sub("", output.text)
            elif output.output_type == "error":
                output.evalue = found.sub("", output.evalue)
                output.traceback = [found.sub("", line) for line in output.traceback]
            else:
                texts = {kind: text for kind, text in output.data.items() if isinstance(text, str)}
                output.data.update({kind: found.sub("", text) for kind, text in texts.items() if "image" not in kind})
