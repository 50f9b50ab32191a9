"""An executed notebook as one HTML file that needs no network: figures drawn, equations readable, images inside."""

import copy
import itertools
import re
from pathlib import Path

import nbformat
import plotly.io
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

from dcm_helpers.show.style import PLOTLY

WIDGET = "application/vnd.jupyter.widget-view+json"

MATH = re.compile(
    r"(?P<code>```.*?```|`[^`\n]*`)|\$\$(?P<block>.+?)\$\$|(?<![\\\w$])\$(?P<inline>[^$\n]+?)\$(?!\w)", re.DOTALL
)
"""Code, which is left alone, or an equation of its own, or one in the text."""
STYLE = """
<style>
  body { max-width: 1100px; margin: 0 auto; }
  .jp-InputPrompt, .jp-OutputPrompt { display: none; }
  .dcm-back { display: block; margin: 1em 2em 0; font: 14px system-ui, sans-serif; }
</style>
"""


def to_html(notebook: nbformat.NotebookNode, title: str, folder: Path, back: str | None = None) -> str:
    """Turn an executed notebook into one self-contained page.

    Args:     notebook  executed, its outputs in place;  title  of the page;  folder  where the notebook's images are
              found;  back  address of a page to return to
    Returns:  HTML; plotly.js is in it once, if there is a figure at all
    """
    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    figures = itertools.count()
    equations: dict[str, str] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = without_math(cell.source, equations)
        elif cell.cell_type == "code":
            outputs = [static(output, figures) for output in cell.outputs]
            cell.outputs = [output for output in outputs if output is not None]
    notebook, _ = CoalesceStreamsPreprocessor().preprocess(notebook, {})
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="", embed_images=True)
    resources = {"metadata": {"name": title, "path": str(folder)}}
    page, _ = exporter.from_notebook_node(notebook, resources)
    for name, equation in equations.items():
        page = page.replace(name, equation)
    link = f'<a class="dcm-back" href="{back}">← all notebooks</a>' if back else ""
    page = page.replace("</head>", f"{STYLE}</head>", 1)
    return re.sub(r"(<body[^>]*>)", rf"\1{link}", page, count=1)


def static(output: nbformat.NotebookNode, figures: "itertools.count[int]") -> nbformat.NotebookNode | None:
    """An output that needs no kernel: a figure as HTML, a widget's other forms, or nothing where it has none."""
    data = output.get("data", {})
    if PLOTLY in data:
        figure = data[PLOTLY]
        html = plotly.io.to_html(
            {"data": figure["data"], "layout": figure["layout"]},
            include_plotlyjs=next(figures) == 0,
            full_html=False,
            include_mathjax=False,
            config={"responsive": True, "displaylogo": False},
            validate=False,
        )
        return nbformat.v4.new_output("display_data", {"text/html": html})
    if WIDGET in data:
        return None
    return output


def without_math(source: str, equations: dict[str, str]) -> str:
    """Markdown with every equation replaced by a name that markdown leaves alone; the MathML goes to ``equations``."""

    def named(match: re.Match) -> str:
        if match["code"]:
            return match["code"]
        tex, display = (match["block"], "block") if match["block"] else (match["inline"], "inline")
        name = f"DCMEQUATION{len(equations):04d}X"
        equations[name] = to_mathml(tex.strip(), display=display)
        return name

    return MATH.sub(named, source)
