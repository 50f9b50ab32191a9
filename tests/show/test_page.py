"""An executed notebook becomes a single file that needs nothing from outside."""

import re

import nbformat

from dcm_helpers.show import to_html
from dcm_helpers.show.live import PLOTLY, WIDGET
from dcm_helpers.show.page import without_math

FIGURE = {"data": [{"type": "scatter", "y": [1, 2], "name": "</script><script>alert(1)</script>"}], "layout": {}}


def executed(*outputs, markdown="text"):
    """A notebook as it is after execution."""
    cells = [nbformat.v4.new_markdown_cell(markdown)]
    cells += [nbformat.v4.new_code_cell("1", execution_count=1, outputs=[output]) for output in outputs]
    return nbformat.v4.new_notebook(cells=cells)


def outside_references(page):
    """Addresses that a browser would fetch while it shows the page."""
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    return [tag for tag in tags if re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", tag)]


def test_a_page_needs_nothing_from_outside(tmp_path):
    (tmp_path / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>')
    notebook = executed(
        nbformat.v4.new_output("display_data", {PLOTLY: FIGURE, "text/plain": "one"}),
        nbformat.v4.new_output("display_data", {PLOTLY: FIGURE, WIDGET: {"model_id": "x"}, "text/plain": "two"}),
        nbformat.v4.new_output("display_data", {WIDGET: {"model_id": "alone"}, "text/plain": "a lonely widget"}),
        markdown="An image ![a drawing](drawing.svg), $a_1 * b * c$, and\n\n$$c^\\ast = \\frac{1}{T} \\sum_t x_t$$",
    )
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    page = to_html(notebook, "A title", tmp_path, back="index.html")
    assert outside_references(page) == []
    assert page.count("plotly.js v") == 1 and page.count("Plotly.newPlot(") == 2, "the library once, every figure"
    assert "model_id" not in page and "a lonely widget" not in page
    assert "<script>alert(1)" not in page, "texts in figures stay texts"
    assert page.count("<math") == 2 and "<mfrac>" in page and "$" not in re.sub(r"(?s)<script.*?</script>", "", page)
    assert "data:image/svg+xml" in page and "<title>A title</title>" in page
    assert 'href="index.html"' in page


def test_math_in_code_is_left_alone():
    equations = {}
    text = without_math("`$x$` costs $5 and $y$ is\n```\n$z$\n```", equations)
    assert text.startswith("`$x$` costs $5 and DCMEQUATION0000X is") and "$z$" in text
    assert len(equations) == 1
