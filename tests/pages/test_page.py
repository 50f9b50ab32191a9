"""An executed notebook becomes a page that needs nothing from outside, and shows before all what matters."""

import json
import re
from html.parser import HTMLParser

import nbformat
import pandas as pd
import pytest
from made_notebooks import display, executed, printed

from dcm_helpers.config import PROJECT
from dcm_helpers.pages import Executed, to_html
from dcm_helpers.pages.equations import without_math
from dcm_helpers.pages.outputs import LONG_TEXT, WIDGET, output_html
from dcm_helpers.pages.page import LIBRARY, with_way
from dcm_helpers.show import PLOTLY

FIGURE = {
    "data": [{"type": "scatter", "y": [1, 2], "name": "</script><script>alert(1)</script>"}],
    "layout": {"title": {"text": "<b>Loss</b> of a &lt;pair&gt;"}, "margin": {"t": 56}},
}
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def outside_references(page):
    """Addresses that a browser would fetch while it shows the page."""
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    return [tag for tag in tags if re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", tag)]


class Outline(HTMLParser):
    """Of the open tags: which there are, and in which details element each cell's code stands."""

    def __init__(self, page):
        super().__init__()
        self.details, self.code = [], {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "details":
            self.details.append("open" in attributes)
        if attributes.get("id", "").startswith("cell-"):
            self.code[attributes["id"]] = (len(self.details), self.details[-1])


def test_a_page_needs_nothing_from_outside(tmp_path):
    (tmp_path / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>')
    notebook = executed(
        display({PLOTLY: FIGURE, "text/plain": "one"}),
        display({PLOTLY: FIGURE, WIDGET: {"model_id": "x"}, "image/png": "AAAA", "text/plain": "two"}),
        display({WIDGET: {"model_id": "alone"}, "text/plain": "a lonely widget"}),
        display({WIDGET: {"model_id": "told"}, "text/html": "<b>what the widget says</b>", "text/plain": "Box()"}),
        markdown="An image ![a drawing](drawing.svg), $a_1 * b * c$, and\n\n$$c^\\ast = \\frac{1}{T} \\sum_t x_t$$",
    )
    notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    page = to_html(Executed(notebook), "A title", tmp_path)
    assert outside_references(page) == []
    assert f'<script src="{LIBRARY}"></script>' in page and len(page) < 100_000, "the library stands beside the page"
    assert page.count('class="dcm-plot"') == 2 and "AAAA" not in page, "every figure, as plotly where that is there"
    assert "model_id" not in page and "a lonely widget" not in page and "<b>what the widget says</b>" in page
    assert "<script>alert(1)" not in page, "texts in figures stay texts"
    assert "<figcaption>" in page and "Loss of a &lt;pair&gt;" in re.sub(r" +", " ", page), "titles wrap like text"
    assert page.count("<math") == 2 and "<mfrac>" in page and "$" not in re.sub(r"(?s)<script.*?</script>", "", page)
    assert "data:image/svg+xml" in page and "<title>A title</title>" in page


def test_a_page_for_mailing_holds_the_library_and_leads_nowhere(tmp_path):
    notebook = executed(display({PLOTLY: FIGURE}))
    page = to_html(Executed(notebook), "A title", tmp_path, single_file=True)
    assert page.count("plotly.js v") == 1 and LIBRARY not in page and outside_references(page) == []
    assert with_way(page, None, ("02.html", "Two")) == page, "a link to another page would be dead in a mail"
    assert "plotly.js v" not in to_html(Executed(executed(printed("1"))), "no figure", tmp_path, single_file=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_backslash_survives_in_equations(path):
    equations = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            without_math(cell.source, equations)
    assert [equation for equation in equations.values() if "\\" in equation] == []


def test_operators_are_spelled_out():
    equations = {}
    without_math(r"$\arg\min_c L$ and $\argmax$ and $\mathbf{c} \in \mathbb{R}^{K \times D}$", equations)
    assert "\\" not in "".join(equations.values()) and "arg" in equations["DCMEQUATION0000X"]


def test_math_in_code_is_left_alone():
    equations = {}
    text = without_math("`$x$` costs $5 and $y$ is\n```\n$z$\n```", equations)
    assert text.startswith("`$x$` costs $5 and DCMEQUATION0000X is") and "$z$" in text
    assert len(equations) == 1


def test_text_is_data(tmp_path):
    """What a cell puts out is never read as markup, as math, or as the name of an equation."""
    text = "$5 or $6, $x_1$, DCMEQUATION0000X, <b>bold</b> &amp; \x1b[31mred\x1b[0m"
    page = to_html(Executed(executed(printed(text), markdown="$a$")), "t", tmp_path)
    assert "$5 or $6, $x_1$, DCMEQUATION0000X, &lt;b&gt;bold&lt;/b&gt; &amp;amp; red</pre>" in page
    assert page.count("<math") == 1


def test_scripts_and_data_in_html_outputs_come_through(tmp_path):
    source = '<div class="dcm-explorer"></div><script>const a = "<table><tr><td>1</td></tr></table>";</script>'
    assert source in to_html(Executed(executed(display({"text/html": source}))), "t", tmp_path)


def test_long_texts_are_folded():
    short, long = "\n".join("x" * LONG_TEXT), "\n".join("x" * (LONG_TEXT + 1))
    assert "<details>" not in output_html(printed(short)) and "<details>" in output_html(printed(long))


def test_code_is_folded_and_stands_with_the_next_output(tmp_path):
    """Cells that show nothing (imports, parameters) share the fold of the next one; an assertion has its own."""
    cells = [
        nbformat.v4.new_code_cell("import math", execution_count=1),
        nbformat.v4.new_code_cell("K = 8", execution_count=2),
        nbformat.v4.new_code_cell("print(K)", execution_count=3, outputs=[printed("8")]),
        nbformat.v4.new_markdown_cell("## On"),
        nbformat.v4.new_code_cell("assert K", execution_count=4),
    ]
    page = to_html(Executed(nbformat.v4.new_notebook(cells=cells)), "t", tmp_path)
    outline = Outline(page)
    folds = {cell: fold for cell, (fold, is_open) in outline.code.items() if not is_open}
    assert folds["cell-1"] == folds["cell-2"] == folds["cell-3"] != folds["cell-5"]
    assert page.index("print") < page.index(">8</pre>")


@pytest.mark.parametrize(("outcome", "word"), [("failed", "failed"), ("stopped", "was stopped")])
def test_failures_come_first_and_lead_to_the_open_cell(tmp_path, outcome, word):
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="<no>", traceback=["\x1b[31mValueError: <no>"])
    notebook = executed(printed("before"), error if outcome == "failed" else printed("half"), printed("never"))
    page = to_html(Executed(notebook, outcome, 3, "ValueError: <no>"), "t", tmp_path)
    assert page.index(f"Cell 3 {word}.") < page.index("before") and "ValueError: &lt;no&gt;" in page
    assert 'href="#cell-3"' in page
    outline = Outline(page)
    assert [cell for cell, (_, is_open) in outline.code.items() if is_open] == ["cell-3"]


def test_headings_make_a_table_of_contents(tmp_path):
    page = to_html(Executed(executed(markdown="# A title\n\n## One *thing*\n\n### Deeper")), "t", tmp_path)
    for target in re.findall(r'href="#(section-\d)"', page):
        assert f'id="{target}"' in page
    assert page.count('href="#section-') == 3 and ">One <em>thing</em></a>" in page


def test_links_to_neighbors_can_be_replaced(tmp_path):
    page = to_html(Executed(executed()), "t", tmp_path)
    first = with_way(page, ("01.html", "One"), ("03.html", "Three & more"))
    assert 'href="01.html"' in first and "Three &amp; more" in first and 'href="index.html"' in first
    second = with_way(first, None, None)
    assert "01.html" not in second and "03.html" not in second and second.count('href="index.html"') == 2


def alignments(table):
    """By text, whether a cell stands to the right."""
    page = output_html(display({"text/html": table}))
    cells = re.findall(r"<t([hd])([^>]*)>(.*?)</t", page)
    return {text: "dcm-number" in attributes for _, attributes, text in cells}


def test_numbers_stand_right_and_words_left():
    table = pd.DataFrame({"word": ["a", "7"], "loss": [0.25, float("nan")], "share": ["10 %", "..."]}, index=["x", "y"])
    found = alignments(table.to_html())
    assert found["loss"] and found["share"] and found["0.25"] and found["NaN"] and found["10 %"]
    assert not found["word"] and not found["7"] and not found["x"]


def test_tables_with_joined_cells_are_aligned_from_the_right():
    table = pd.DataFrame({"n": [1, 2, 3]}, index=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c"), ("d", "e")]))
    found = alignments(table.to_html())
    assert found["n"] and found["1"] and found["3"] and not found["a"] and not found["c"]


def test_tables_scroll_in_their_own_box():
    page = output_html(display({"text/html": pd.DataFrame({"a": [1]})._repr_html_()}))
    assert '<div class="dcm-scroll"><table' in page and "<style scoped>" not in page


def test_figures_survive_as_json():
    page = output_html(display({PLOTLY: FIGURE}))
    drawn = json.loads(re.search(r'<script type="application/json">(.*?)</script>', page)[1])
    assert drawn["data"] == FIGURE["data"] and "title" not in drawn["layout"] and drawn["layout"]["margin"]["t"] < 56
