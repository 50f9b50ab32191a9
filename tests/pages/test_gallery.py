"""The gallery: executed notebooks as a code host shows them, and whether those that are kept are still true."""

import base64
import json

import nbformat
import pytest
from made_notebooks import display, executed, printed, unexecuted

from dcm_helpers.config import PROJECT
from dcm_helpers.gallery import main
from dcm_helpers.pages import write_gallery
from dcm_helpers.pages.gallery import GALLERY, as_shown, flaws, source_hash
from dcm_helpers.pages.outputs import WIDGET
from dcm_helpers.show import PLOTLY

PNG = base64.b64encode(b"\x89PNG" + bytes(100)).decode()
SOURCES = {path.name: path for path in sorted((PROJECT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
KEPT = sorted(GALLERY.glob("*.ipynb"))


def test_the_gallery_is_whole():
    missing = sorted(set(SOURCES) - {path.name for path in KEPT})
    assert not missing, f"python -m dcm_helpers.gallery makes {', '.join(missing)}"


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_what_is_kept_is_as_it_should_be(path):
    notebook = nbformat.read(path, as_version=4)
    assert path.name in SOURCES, f"{path.name} is no notebook any more"
    now = source_hash(nbformat.read(SOURCES[path.name], as_version=4))
    assert notebook.metadata.dcm.source == now, f"stale: python -m dcm_helpers.gallery --notebooks {path.name[:2]}"
    assert list(flaws(notebook)) == []


def test_only_forms_that_a_code_host_shows_are_kept():
    notebook = executed(
        display({PLOTLY: {"data": [], "layout": {}}, "image/png": PNG, "text/html": "<p>", "text/plain": "figure"}),
        display({WIDGET: {"model_id": "x"}, "text/plain": "Button()"}),
        display({WIDGET: {"model_id": "x"}, "text/html": "<b>said</b>", "text/plain": "Box()"}),
        display({"text/html": "<table></table>", "text/plain": "table"}),
        display({"text/html": "<div></div><script>1</script>", "text/plain": "an explorer"}),
        printed("100 %, 00:12<00:00", "stderr"),
        printed("result"),
        markdown="![a drawing](figures/a.svg) and [there](https://example.org/) and [here](#below)",
    )
    notebook.metadata["widgets"] = {"state": {}}
    notebook.cells[1].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    shown = as_shown(notebook, "hash")
    forms = [[set(output.get("data", {"text": 0})) for output in cell.outputs] for cell in shown.cells[1:]]
    table = {"text/html", "text/plain"}
    assert forms == [[{"image/png", "text/plain"}], [], [table], [table], [{"text/plain"}], [], [{"text"}]]
    assert "widgets" not in shown.metadata and "execution" not in shown.cells[1].metadata
    assert shown.metadata.dcm.source == "hash"
    assert shown.cells[0].source == (
        "![a drawing](../figures/a.svg) and [there](https://example.org/) and [here](#below)"
    )
    assert list(flaws(shown)) == []


def test_a_figure_without_a_picture_is_a_flaw():
    (flaw,) = flaws(as_shown(executed(display({PLOTLY: {"data": [], "layout": {}}, "text/plain": "figure"})), "hash"))
    assert flaw.startswith(f"cell 2 holds {PLOTLY} and no picture")


@pytest.mark.parametrize(
    ("output", "flaw"),
    [
        (printed("wrote /home/someone/x.json"), "absolute path: /home/someone/"),
        (display({"text/html": "<td>/mnt/data/x</td>"}), "absolute path: /mnt/data/"),
        (display({PLOTLY: {}}), PLOTLY),
        (display({"image/svg+xml": "<svg/>"}), "image/svg"),
        (display({"text/html": "<script>1</script>"}), "a script"),
        (display({"image/png": base64.b64encode(bytes(400_000)).decode()}), "400 kB"),
        (printed("x" * 1_100_000), "1.1 MB"),
        (printed("C:\\Users\\someone"), "absolute path: C:"),
    ],
)
def test_flaws_are_found(output, flaw):
    (found,) = flaws(executed(output))
    assert flaw in found


@pytest.mark.parametrize("text", ["1/2", "and/or", "</b>", "a / b", "https://example.org/a/b", "results/reference/x"])
def test_what_is_no_absolute_path_passes(text):
    assert list(flaws(executed(display({"text/html": f"<p>{text}</p>", "text/plain": text})))) == []


def test_a_gallery_is_made_of_a_run(example, tmp_path):
    """Pictures are asked for, places of this machine are gone, and a notebook that fails is told and left out."""
    forms = {"image/png": PNG, "text/plain": "x"}
    shows = f"import os\nfrom IPython.display import display\ndisplay({forms!r}, raw=True)"
    path = unexecuted(
        tmp_path / "01_good.ipynb",
        "Good",
        "Does it show?",
        shows,
        "print(os.environ['DCM_PICTURES'], os.environ['DCM_RUN'])",
    )
    bad = unexecuted(tmp_path / "02_bad.ipynb", "Bad", "Does it fail?", "1 / 0")
    source = source_hash(nbformat.read(path, as_version=4))
    gallery = tmp_path / "gallery"
    assert write_gallery(example.folder, [path, bad], 60, gallery) == [
        "02_bad: failed in cell 2: ZeroDivisionError: division by zero"
    ]
    notebook = nbformat.read(gallery / "01_good.ipynb", as_version=4)
    assert notebook.metadata.dcm.source == source and list(flaws(notebook)) == []
    assert notebook.cells[1].outputs[0].data["image/png"].strip() == PNG
    assert notebook.cells[2].outputs[0].text == f"1 {example.folder.path.name}\n"
    text = (gallery / "README.md").read_text()
    assert "| [Good](01_good.ipynb) | Does it show? |" in text and "Bad" not in text
    assert not (gallery / "02_bad.ipynb").exists() and "tiny" in text


def test_a_changed_source_is_another_one():
    one, other = executed(source="x = 1"), executed(source="x = 1")
    assert source_hash(one) == source_hash(other)
    other.cells[0].source = "other text"
    assert source_hash(one) != source_hash(other)
    again = nbformat.reads(json.dumps(nbformat.from_dict(one)), as_version=4)
    again.metadata["dcm"] = {"reads_stage": 1}
    assert source_hash(one) == source_hash(again), "only what is written in cells counts"


def test_a_mistake_is_told(capsys):
    assert main(["nowhere"]) == 2
    assert "no run folder" in capsys.readouterr().err
