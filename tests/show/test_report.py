"""Reports: their index, and a failing cell that is told."""

import json
import re

import nbformat
import pytest

from dcm_helpers.report import main
from dcm_helpers.runs import RunFolder, summarize
from dcm_helpers.show import chosen_notebooks, write_report
from dcm_helpers.show.report import Page, described, index_page, verdicts


def outside_references(page):
    """Addresses that a browser would fetch while it shows the page."""
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    return [tag for tag in tags if re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", tag)]


def test_texts_of_the_data_are_escaped(example):
    page = index_page(example.folder, [Page("01_x", "<b>title</b>", "a <i>question</i>", error="cell 3: <script>")])
    assert str(example.folder.path) not in page, "a place on this machine"
    assert "<b>title" not in page and "<script>" not in page and "&lt;script&gt;" in page


def test_a_failing_cell_is_named_and_the_rest_is_kept(example, tmp_path, monkeypatch, capsys):
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
    monkeypatch.setattr("dcm_helpers.show.report.NOTEBOOKS", tmp_path)
    assert main([str(example.folder.path)]) == 1
    assert "02_bad failed in cell 3: ValueError: out of luck" in capsys.readouterr().err
    pages = {path.name: path.read_text() for path in (example.folder.path / "report").iterdir()}
    assert example.folder.path.name in pages["01_good.html"]
    assert "before" in pages["02_bad.html"] and "out of luck" in pages["02_bad.html"]
    index = pages["index.html"]
    assert "Failed in cell 3: ValueError: out of luck &lt;b&gt;" in index
    assert 'href="01_good.html"' in index and "Does it fail?" in index
    counts, share = verdicts(summarize(example.folder))[1][1].split(", ")
    assert f"<strong>{counts}</strong>{share}" in index
    assert outside_references(index) == []


def test_notebooks_of_stages_that_a_run_lacks_are_left_out(example, tmp_path, monkeypatch):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Stage one\n\n**Why?**")])
    notebook.metadata["dcm"] = {"reads_stage": 1}
    nbformat.write(notebook, tmp_path / "01_x.ipynb")
    monkeypatch.setattr(RunFolder, "records", lambda self, stage: [])
    (page,) = write_report(example.folder, [tmp_path / "01_x.ipynb"], timeout=60)
    assert page.skipped == "this run has nothing of stage 1"
    assert "Left out: this run has nothing of stage 1" in (example.folder.path / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no run folder"),
        (["--output-dir", "nowhere"], "make one with"),
        (["RUN", "--notebooks", "99"], "no notebook begins with '99'"),
    ],
)
def test_mistakes_are_told(example, arguments, message, capsys):
    arguments = [str(example.folder.path) if each == "RUN" else each for each in arguments]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_notebooks_say_which_stage_they_read():
    for path in chosen_notebooks([]):
        title, question, stage = described(path)
        notebook = json.loads(path.read_text())
        source = "".join("".join(cell["source"]) for cell in notebook["cells"])
        assert title and question.endswith("?")
        stages = re.search(r'stages="([\d,]+)"', source)
        assert stage == (int(stages[1].split(",")[-1]) if stages else 0)
