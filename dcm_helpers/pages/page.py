"""An executed notebook as an HTML page that needs no network: what came out is seen, the code is folded."""

import copy
import re
from pathlib import Path

import nbformat
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from plotly.offline import get_plotlyjs

from dcm_helpers.markup import escaped
from dcm_helpers.pages.equations import without_math
from dcm_helpers.pages.execute import Executed
from dcm_helpers.pages.outputs import output_html, tables_aligned
from dcm_helpers.pages.stylesheet import stylesheet

LIBRARY = "plotly.min.js"
"""The file beside the pages that draws their figures."""
WAY = re.compile(r"<!-- way -->.*?<!-- end of way -->", re.DOTALL)
HEADING = re.compile(r"<h(?P<level>[1-4])>(?P<text>.*?)</h(?P=level)>", re.DOTALL)
DRAW = """
// beside the axes of a narrow figure, legends and color bars would leave no room
const above = {orientation: "h", x: 0, y: 1, xanchor: "left", yanchor: "bottom"};
const bar = {...above, len: 1, thickness: 10};
function narrowed({data, layout, ...rest}) {
  const axis = layout.coloraxis && {...layout.coloraxis, colorbar: {...layout.coloraxis.colorbar, ...bar}};
  return {...rest,
    data: data.map(trace => trace.z || trace.colorbar ? {...trace, colorbar: {...trace.colorbar, ...bar}} : trace),
    layout: {...layout, font: {...layout.font, size: 11}, legend: {...layout.legend, ...above},
             ...(axis && {coloraxis: axis})}};
}
for (const place of document.querySelectorAll(".dcm-plot")) {
  const figure = JSON.parse(place.nextElementSibling.textContent);
  const config = {responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"],
                  displayModeBar: matchMedia("(hover: none)").matches ? false : "hover"};
  Plotly.newPlot(place, {...(place.clientWidth < 560 ? narrowed(figure) : figure), config});
}
"""
UNFOLD = """
const contents = document.querySelector(".dcm-contents"), wide = matchMedia("(min-width: 75rem)");
const fold = () => { contents.open = wide.matches; };
if (contents) { fold(); wide.addEventListener("change", fold); }
"""


def to_html(executed: Executed, title: str, images: Path, run: str = "", single_file: bool = False) -> str:
    """Turn an executed notebook into a page.

    Args:     title  of the page;  images  folder in which the notebook's images are found;  run  what it was executed
              on, in a line;  single_file  puts plotly.js into the page, and no links to other pages, to mail it alone
    Returns:  HTML; without ``single_file`` it reads plotly.js from the file LIBRARY beside it
    """
    notebook, _ = CoalesceStreamsPreprocessor().preprocess(copy.deepcopy(executed.notebook), {})
    contents = Contents()
    body, folded = [], []
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            folded.append(code_html(cell, number))
            outputs = "".join(map(output_html, cell.outputs))
            if outputs or number == executed.cell:
                body.append(code_box(folded, is_open=number == executed.cell))
                body.append(f'<div class="dcm-output">{outputs}</div>')
                folded = []
        else:
            body += [code_box(folded), markdown_html(cell.source, images, contents)]
            folded = []
    body.append(code_box(folded))
    way = "" if single_file else "<!-- way --><!-- end of way -->"
    head = f'<p class="dcm-note">{escaped(run)}</p>' if run else ""
    return document(
        title,
        f"{contents.html()}<main>{way}{head}{ending_html(executed)}{''.join(body)}{way}</main>",
        single_file,
    )


def document(title: str, body: str, single_file: bool) -> str:
    """A whole HTML page in the project's look, with what draws its figures, if there are any."""
    has_figures = '<div class="dcm-plot"' in body
    library = f"<script>{get_plotlyjs()}</script>" if single_file else f'<script src="{LIBRARY}"></script>'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title>
<style>{stylesheet()}</style>
{library if has_figures else ""}
</head>
<body>
{body}
<script>{UNFOLD}{DRAW if has_figures else ""}</script>
</body>
</html>
"""


def with_way(page: str, before: tuple[str, str] | None, after: tuple[str, str] | None) -> str:
    """A page with links to the index and to its neighbors, whatever stood there before.

    Args:     before, after  address and title of the neighbors; None where there is none
    """
    links = [("index.html", "All notebooks"), *([(before[0], f"← {before[1]}")] if before else [])]
    links += [(after[0], f"{after[1]} →")] if after else []
    anchors = "".join(f'<a href="{escaped(file)}">{escaped(text)}</a>' for file, text in links)
    way = f'<!-- way --><nav class="dcm-way">{anchors}</nav><!-- end of way -->'
    return WAY.sub(lambda _: way, page)


def ending_html(executed: Executed) -> str:
    """A box that names the cell at which a notebook ended early; empty if it did not."""
    if executed.outcome == "finished":
        return ""
    what = {"failed": "failed", "stopped": "was stopped"}[executed.outcome]
    link = f'<a href="#cell-{executed.cell}">Go to the cell</a>'
    return (
        f'<div class="dcm-failure" role="alert"><strong>Cell {executed.cell} {what}.</strong> '
        f"{escaped(executed.reason)}. What was computed before it is below. {link}</div>"
    )


def code_html(cell: nbformat.NotebookNode, number: int) -> str:
    """The code of a cell, to be linked to by its number."""
    return f'<div id="cell-{number}">{Highlight2HTML(pygments_lexer="ipython3")(cell.source)}</div>'


def code_box(cells: list[str], is_open: bool = False) -> str:
    """Code of one or several cells, folded unless ``is_open``; cells that show nothing stand with the next."""
    if not cells:
        return ""
    state = " open" if is_open else ""
    return f'<details class="dcm-code"{state}><summary>show code</summary>{"".join(cells)}</details>'


class Contents:
    """The headings of a page, gathered as they come, for its table of contents."""

    def __init__(self):
        self._items: list[tuple[int, str]] = []

    def with_anchors(self, source: str) -> str:
        """HTML whose headings can be linked to."""

        def anchored(match: re.Match) -> str:
            self._items.append((int(match["level"]), match["text"]))
            return f'<h{match["level"]} id="section-{len(self._items)}">{match["text"]}</h{match["level"]}>'

        return HEADING.sub(anchored, source)

    def html(self) -> str:
        """The table of contents: beside the text where there is room, else folded above it."""
        rows = [
            f'<li class="{"deeper" if level > 2 else "section"}"><a href="#section-{number}">{text}</a></li>'
            for number, (level, text) in enumerate(self._items, 1)
        ]
        return f'<details class="dcm-contents"><summary>Contents</summary><ol>{"".join(rows)}</ol></details>'


def markdown_html(source: str, images: Path, contents: Contents) -> str:
    """A markdown cell: equations as MathML, images inside, headings that can be linked to."""
    equations: dict[str, str] = {}
    renderer = IPythonRenderer(escape=False, embed_images=True, exclude_anchor_links=True, path=str(images))
    text = MarkdownWithMath(renderer=renderer).render(without_math(source, equations))
    text = tables_aligned(contents.with_anchors(text))
    for name, equation in equations.items():
        text = text.replace(name, equation)
    return f'<div class="dcm-words">{text}</div>'
