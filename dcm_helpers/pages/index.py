"""The index page of a report, and what it remembers of the pages that an earlier report made."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dcm_helpers.files import write_safely
from dcm_helpers.markup import escaped
from dcm_helpers.pages.execute import Outcome
from dcm_helpers.pages.page import document, with_way

MEMORY = "report.json"


@dataclass(frozen=True)
class Page:
    """What became of one notebook."""

    name: str
    title: str
    question: str
    """The question it answers, from its first cell."""
    outcome: Outcome = "finished"
    cell: int | None = None
    """Where it ended early: the cell's number, counted from 1."""
    reason: str = ""
    """Why it ended early, or was not executed."""
    seconds: float = 0.0
    made: str = ""
    """When, as a date and a time; earlier versions do not say."""

    @property
    def file(self) -> str:
        """Name of its HTML file."""
        return f"{self.name}.html"

    @property
    def is_there(self) -> bool:
        """Whether it has a file at all."""
        return self.outcome != "left out"


class Index:
    """The pages of a report folder, those of earlier reports included, as long as their files are there.

    Args:     folder  of the report;  title  of the index;  before, after  HTML around its list of notebooks
    """

    def __init__(self, folder: Path, title: str, before: str, after: str, single_file: bool):
        self._folder, self._title, self._single_file = folder, title, single_file
        self._before, self._after = before, after
        self._pages = {page.name: page for page in remembered(folder)}

    def add(self, page: Page) -> None:
        """Take in a page that was made, in place of an earlier one, and write index and links anew."""
        self._pages[page.name] = page
        self.write()

    def write(self) -> None:
        """Write the index, the links between pages, and what the next report wants to know."""
        pages = [self._pages[name] for name in sorted(self._pages)]
        memory = json.dumps([asdict(page) for page in pages], ensure_ascii=False, indent=2)
        write_safely(self._folder / MEMORY, memory.encode() + b"\n")
        body = index_body(self._title, self._before, pages, self._after + note(self._single_file))
        write_safely(self._folder / "index.html", document(self._title, body, self._single_file).encode())
        link_neighbors(self._folder, [page for page in pages if page.is_there])


def remembered(folder: Path) -> list[Page]:
    """The pages of an earlier report whose files are still there."""
    memory = folder / MEMORY
    if not memory.is_file():
        return []
    pages = [Page(**fields) for fields in json.loads(memory.read_text(encoding="utf-8"))]
    return [page for page in pages if not page.is_there or (folder / page.file).is_file()]


def link_neighbors(folder: Path, pages: Sequence[Page]) -> None:
    """Give every page its links to the pages before and after it."""
    for page, before, after in zip(pages, [None, *pages], [*pages[1:], None], strict=False):
        path = folder / page.file
        text = path.read_text(encoding="utf-8")
        linked = with_way(text, *((each.file, each.title) if each else None for each in (before, after)))
        if linked != text:
            write_safely(path, linked.encode())


def index_body(title: str, before: str, pages: Sequence[Page], after: str) -> str:
    """The body of the index page: its notebooks, between what the run amounts to and how it was made."""
    return (
        f"<main><h1>{escaped(title)}</h1>{before}<h2>Notebooks</h2>"
        f'<ol class="dcm-notebooks">{"".join(map(entry, pages))}</ol>{after}</main>'
    )


def note(single_file: bool) -> str:
    """How pages are passed on."""
    how = "mail any of them" if single_file else "pass on the folder"
    return f'<p class="dcm-note">No page needs a network. To pass them on, {how}.</p>'


def entry(page: Page) -> str:
    """One notebook in the list."""
    title, question, reason = map(escaped, (page.title, page.question, page.reason))
    if not page.is_there:
        return f'<li>{title}<br><span class="dcm-note">{question} Left out: {reason}.</span></li>'
    endings: Mapping[Outcome, str] = {"failed": f"Failed in cell {page.cell}: ", "stopped": "Stopped: "}
    ending = endings.get(page.outcome)
    told = f'<br><a class="dcm-bad" href="{page.file}#cell-{page.cell}">{ending}{reason}</a>' if ending else ""
    made = f" Made {page.made}." if page.made else ""
    return f'<li><a href="{page.file}">{title}</a><br><span class="dcm-note">{question}{made}</span>{told}</li>'
