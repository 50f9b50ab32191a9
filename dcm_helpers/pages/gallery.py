"""The gallery: notebooks executed on a run and kept with their outputs, as a code host shows them, figures as PNG."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat

from dcm_helpers.files import write_safely
from dcm_helpers.pages.execute import NOTEBOOKS, described, execute
from dcm_helpers.pages.outputs import WIDGET
from dcm_helpers.pages.progress import NotebookLine
from dcm_helpers.show import PLOTLY
from dcm_helpers.store import RunFolder

GALLERY = NOTEBOOKS / "gallery"
LARGEST_NOTEBOOK, LARGEST_FIGURE = 1_000_000, 300_000
"""Bytes that a notebook, and one of its figures, may have."""
NO_PICTURE = " and no picture of it; a kernel with DCM_PICTURES=1 is to add one"
SHOWN = ("image/png", "text/html", "text/plain")
"""Forms of outputs that are kept: what code hosts show without running anything."""
ABSOLUTE = re.compile(r"(?<![\w.)}/:<])/(?:\w[\w.-]*/)+|\b[A-Z]:\\")
"""The beginning of a path on someone's machine."""
RELATIVE_LINK = re.compile(r"\]\((?!\w+:|[/#])")


def write_gallery(folder: RunFolder, paths: Sequence[Path], timeout: int, target: Path = GALLERY) -> list[str]:
    """Execute notebooks on a run, or on an example run if it lacks what they read, and write them with their outputs.

    Returns:  what is wrong, a line each; such a notebook is not written
    Raises:   KeyboardInterrupt where it was interrupted; what was finished is there
    """
    target.mkdir(parents=True, exist_ok=True)
    wrong = []
    with NotebookLine(len(paths)) as line:
        try:
            for path in paths:
                line.begin(path.stem)
                source = source_hash(nbformat.read(path, as_version=4))
                stage = described(path)[2]
                # the study has no stage 1: such a notebook shows its own small example run
                shown = folder if not stage or folder.records(stage) else None
                executed = execute(path, shown, timeout, line.at, pictures=True)
                line.end(executed.outcome)
                if executed.outcome == "stopped":
                    raise KeyboardInterrupt
                if executed.outcome == "failed":
                    found = [f"failed in cell {executed.cell}: {executed.reason}"]
                else:
                    notebook = as_shown(executed.notebook, source)
                    found = list(flaws(notebook))
                if not found:
                    write_safely(target / path.name, as_text(notebook).encode())
                wrong += [f"{path.stem}: {flaw}" for flaw in found]
        finally:
            write_safely(target / "README.md", index_text(folder, target).encode())
    return wrong


def as_shown(notebook: nbformat.NotebookNode, source: str) -> nbformat.NotebookNode:
    """An executed notebook in the form of the gallery. The one that is given is changed.

    Lines that report progress on stderr are left out: they hold times.

    Args:     source  hash of the notebook's cells before it was executed
    """
    notebook.metadata.pop("widgets", None)
    notebook.metadata["dcm"] = {**notebook.metadata.get("dcm", {}), "source": source}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            cell.outputs = [output for output in cell.outputs if kept(output)]
        else:
            cell.source = RELATIVE_LINK.sub("](../", cell.source)  # the gallery is one folder further down
    return notebook


def kept(output: nbformat.NotebookNode) -> bool:
    """Whether an output of a cell stays; if so, it is reduced to the forms that are shown."""
    if output.output_type == "stream":
        return output.name == "stdout"
    data = output.data
    if PLOTLY in data and "image/png" not in data:
        return True  # a figure without a picture is a flaw, which is found below
    if "text/html" in data and ("image/png" in data or "<script" in data["text/html"]):
        del data["text/html"]
    is_widget = WIDGET in data
    for form in set(data) - set(SHOWN):
        del data[form]
    output.metadata = {form: about for form, about in output.get("metadata", {}).items() if form in data}
    return set(data) > {"text/plain"} if is_widget else bool(data)


def source_hash(notebook: nbformat.NotebookNode) -> str:
    """SHA-256 over the cells of a notebook as they are written, without outputs."""
    cells = [[cell.cell_type, cell.source] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()


def as_text(notebook: nbformat.NotebookNode) -> str:
    """The notebook's file."""
    return nbformat.writes(notebook) + "\n"


def flaws(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """What a notebook of the gallery must not have: other figures than PNG, places of a machine, too many bytes."""
    size = len(as_text(notebook).encode())
    if size > LARGEST_NOTEBOOK:
        yield f"it has {size / 1e6:.1f} MB; at most {LARGEST_NOTEBOOK / 1e6:.0f} MB are shown well"
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for form in sorted(set(data) - set(SHOWN)):
                yield f"cell {number} holds {form}{NO_PICTURE if form == PLOTLY else ''}"
            if "<script" in data.get("text/html", ""):
                yield f"cell {number} holds a script"
            picture = len(base64.b64decode(data.get("image/png", "")))
            if picture > LARGEST_FIGURE:
                yield f"the figure of cell {number} has {picture / 1e3:.0f} kB; at most {LARGEST_FIGURE / 1e3:.0f}"
            texts = [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
            if place := next(filter(None, map(ABSOLUTE.search, texts)), None):
                yield f"cell {number} holds an absolute path: {place[0]}"


def index_text(folder: RunFolder, target: Path) -> str:
    """The gallery's README: its notebooks, each with its question."""
    generator = folder.manifest["generator"]
    rows = []
    for path in sorted(target.glob("[0-9][0-9]_*.ipynb")):
        title, question, _ = described(path)
        rows.append(f"| [{title}]({path.name}) | {question} |")
    return "\n".join(
        [
            "# Gallery",
            "",
            f"The notebooks as they look after execution, with {generator['name']} in {generator['dtype']} and "
            f"{folder.manifest['data']['account']}.",
            "Made by `python -m dcm_helpers.gallery`; to step through them, open those in the folder above.",
            "",
            "| notebook | its question |",
            "|---|---|",
            *rows,
            "",
        ]
    )
