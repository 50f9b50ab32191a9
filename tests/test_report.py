"""Reports: executed notebooks become single files that need nothing from outside, and a failing cell is told."""

import json
import re

import nbformat
import pytest

from dcm_helpers import report
from dcm_helpers.export import to_html, without_math
from dcm_helpers.live import PLOTLY, WIDGET
from dcm_helpers.solutions import open_run

FIGURE = {"data": [{"type": "scatter", "y": [1, 2], "name": "</script><script>alert(1)</script>"}], "layout": {}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return open_run("", "tiny", 4, 8, stages="1,2,3", results=str(tmp_path_factory.mktemp("results")))


def executed(*outputs, markdown="text"):
    """A notebook as it is after execution."""
    cells = [nbformat.v4.new_markdown_cell(markdown)]
    cells += [nbformat.v4.new_code_cell("1", execution_count=1, outputs=[output]) for output in outputs]
    return nbformat.v4.new_notebook(cells=cells)


def shown(**forms):
    return nbformat.v4.new_output("display_data", forms)


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


def test_texts_of_the_data_are_escaped(folder):
    page = report.index(folder, [report.Page("01_x", "<b>title</b>", "a <i>question</i>", error="cell 3: <script>")])
    assert str(folder.path) not in page, "a place on this machine"
    assert "<b>title" not in page and "<script>" not in page and "&lt;script&gt;" in page


def test_a_failing_cell_is_named_and_the_rest_is_kept(folder, tmp_path, monkeypatch, capsys):
    """Exit status 1, the index names the cell, and the page holds what was computed before it."""
    good = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Good\n\n**Does it run?**"),
            nbformat.v4.new_code_cell("import os\nprint(os.environ['DCM_RUN'].rsplit(os.sep, 1)[1])"),
        ]
    )
    bad = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Bad\n\n**Does it fail?**"),
            nbformat.v4.new_code_cell("print('before')"),
            nbformat.v4.new_code_cell("raise ValueError('out of luck <b>')"),
            nbformat.v4.new_code_cell("print('never')"),
        ]
    )
    for name, notebook in {"01_good": good, "02_bad": bad}.items():
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    monkeypatch.setattr(report, "NOTEBOOKS", tmp_path)
    assert report.main([str(folder.path)]) == 1
    assert "02_bad failed in cell 3: ValueError: out of luck" in capsys.readouterr().err
    pages = {path.name: path.read_text() for path in (folder.path / "report").iterdir()}
    assert folder.path.name in pages["01_good.html"]
    assert "before" in pages["02_bad.html"] and "out of luck" in pages["02_bad.html"]
    index = pages["index.html"]
    assert "Failed in cell 3: ValueError: out of luck &lt;b&gt;" in index
    assert 'href="01_good.html"' in index and "Does it fail?" in index
    counts, share = report.verdicts(report.summarize(folder))[1][1].split(", ")
    assert f"<strong>{counts}</strong>{share}" in index
    assert outside_references(index) == []


def test_notebooks_of_stages_that_a_run_lacks_are_left_out(folder, tmp_path, monkeypatch):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Stage one\n\n**Why?**")])
    notebook.metadata["dcm"] = {"reads_stage": 1}
    nbformat.write(notebook, tmp_path / "01_x.ipynb")
    monkeypatch.setattr(type(folder), "records", lambda self, stage: [])
    (page,) = report.write_report(folder, [tmp_path / "01_x.ipynb"], timeout=60)
    assert page.skipped == "this run has nothing of stage 1"
    assert "Left out: this run has nothing of stage 1" in (folder.path / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no run folder"),
        (["--output-dir", "nowhere"], "make one with"),
        (["RUN", "--notebooks", "99"], "no notebook begins with '99'"),
    ],
)
def test_mistakes_are_told(folder, arguments, message, capsys):
    arguments = [str(folder.path) if each == "RUN" else each for each in arguments]
    assert report.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_notebooks_say_which_stage_they_read():
    for path in report.chosen_notebooks([]):
        title, question, stage = report.described(path)
        notebook = json.loads(path.read_text())
        source = "".join("".join(cell["source"]) for cell in notebook["cells"])
        assert title and question.endswith("?")
        stages = re.search(r'stages="([\d,]+)"', source)
        assert stage == (int(stages[1].split(",")[-1]) if stages else 0)
