"""In a real browser: JupyterLab with the board, an interrupt, the explorer, and what is left of a saved notebook.

State is looked at, not presence: cells that turn green, curves that grow, a decode that changes.
"""

import base64
import itertools
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time

import nbformat
import pytest
from nbconvert import HTMLExporter

from dcm_helpers.config import PROJECT
from dcm_helpers.show import PLOTLY

NOTEBOOK = "02_joint_optimization.ipynb"
ENDLESS = """
problems = dcm.joint_problems(run.generator, list(run.pairs.values()))
config = dcm.OptimizerConfig(K=1, lr=1e-6, num_steps=10**6, num_restarts=1)
results = await dcm.Dashboard(dcm.ContentOptimizer(run.generator, config), "Endless").watch(problems)
"""
"""A run that nobody would wait for: at this learning rate nothing is ever reconstructed."""
WATCH = """
() => {
  window.seen = [];
  const look = () => {
    const boards = [...document.querySelectorAll(".dcm-board")].filter(b => b.innerText.startsWith("Joint pairs"));
    for (const board of boards) {
      window.seen.push([[...board.querySelectorAll("[data-state]")].map(c => c.dataset.state),
                        Number(board.querySelector(".dcm-curves")?.dataset.steps ?? 0)]);
    }
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true});
}
"""
"""Writes down what the board shows whenever something changes: states of its cells, steps that its curves span."""
BROKEN = ("Error displaying widget", "HBox(children", "Loading weights", "Loading widget", "model not found")


@pytest.fixture(scope="module")
def root(example):
    """The folder that JupyterLab serves, with notebook 02 and one that does not end."""
    root = example.folder.path.parent / "lab"
    root.mkdir()
    shutil.copy(PROJECT / "notebooks" / NOTEBOOK, root)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    money = "dcm.show.table(pd.DataFrame({'text': ['$5 or $6', '<b>$x$</b>']}))"
    begin = "import pandas as pd\n\nimport dcm_helpers as dcm\n\nrun = dcm.open_run()"
    cells = [begin, money, ENDLESS, "print('kept', len(results))"]
    endless = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    nbformat.write(endless, root / "endless.ipynb")
    return root


@pytest.fixture(scope="module")
def lab(example, root):
    """A JupyterLab. Gives what opens one of its notebooks in a page."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DCM_PICTURES"},
        **{"DCM_RUN": str(example.folder.path), "DCM_NUM_LIVE": "6", "JUPYTER_CONFIG_DIR": str(root / "config")},
    }
    log = open(root / "log.txt", "w")  # noqa: SIM115 - it outlives this function's frame
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--port={port}"),
            *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", "--allow-root"),
        ],
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert server.poll() is None and time.monotonic() < deadline, (root / "log.txt").read_text()
        time.sleep(0.2)

    def opened(page, name):
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{port}/lab/tree/{name}?token={token}&reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function("!document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=\"starting\"]')")
        page.locator(".jp-Notebook .jp-Cell").first.click()

    yield opened
    server.terminate()
    server.wait(timeout=20)
    log.close()


def scrolled_to(page, figure):
    """Turn the wheel until a figure is drawn: JupyterLab draws what comes into view, a busy machine seconds later."""
    page.locator(".jp-Notebook").hover()
    drawn, deadline = figure.locator(".main-svg").first, time.monotonic() + 180
    turns = itertools.cycle([*[400] * 60, *[-400] * 60])  # down, and up again past what was drawn too late
    while not drawn.is_visible():
        assert time.monotonic() < deadline, "the figure is not drawn"
        page.mouse.wheel(0, next(turns))
        page.wait_for_timeout(100)


def choose(page, *entries):
    """An entry of JupyterLab's menus."""
    for entry in entries:
        page.get_by_role("menuitem", name=re.compile(rf"^{entry}\b(?!:|…| and)")).first.click()


@pytest.fixture(scope="module")
def executed(browser, lab, root, photograph):
    """The page of notebook 02 after all of its cells ran."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    lab(page, NOTEBOOK)
    page.evaluate(WATCH)
    choose(page, "Run", "Run All Cells")
    page.get_by_text("Joint pairs: ").first.wait_for(state="attached", timeout=120_000)
    photograph(page, "lab_dashboard_begins")
    page.wait_for_selector(".dcm-panel .right", state="attached", timeout=180_000)
    return page


def test_cells_turn_green_and_curves_grow(executed, photograph):
    """The board follows the optimizer from waiting cells to the end."""
    seen = executed.evaluate("window.seen")
    first, last = seen[0], seen[-1]
    assert len(first[0]) == 6 and "reconstructed" not in first[0]
    assert any("optimizing" in states for states, _ in seen)
    assert set(last[0]) <= {"reconstructed", "failed"} and last[0].count("reconstructed") >= 4
    growth = [steps for _, steps in seen]
    assert growth == sorted(growth) and len(set(growth)) >= 3 and growth[-1] > 20, "curves get longer"
    board = executed.locator(".dcm-board", has_text="Joint pairs").first
    board.scroll_into_view_if_needed()
    green = board.locator("[data-state=reconstructed]").first
    assert green.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(0, 158, 115)"
    assert not board.locator("button").first.is_visible() or board.locator("button").count() == 0, "nothing to stop"
    photograph(executed, "lab_dashboard_ends")
    assert executed.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert executed.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0, "no red boxes"


def test_the_explorer_answers_in_jupyterlab(executed, photograph):
    """The slider, moved by keys, disturbs the chosen content; another point is chosen by a click on a neighbor."""
    panel, root = executed.locator(".dcm-panel"), executed.locator(".dcm-explorer")
    panel.scroll_into_view_if_needed()
    assert root.get_attribute("data-live") == "true"
    slider = panel.locator(".controls input[type=range]").first
    slider.focus()
    slider.press("End")
    executed.wait_for_function("document.querySelectorAll('.dcm-panel .wrong').length > 0")
    panel.locator("select").first.select_option("steps")
    assert panel.locator(".wrong").count() > 0, "coloring otherwise does not take the disturbance back"
    photograph(executed, "lab_explorer_disturbed")
    panel.get_by_text("undo all").click()
    executed.wait_for_function("document.querySelectorAll('.dcm-panel .right').length === 2")
    first = root.get_attribute("data-chosen")
    panel.locator(".neighbor").first.click()
    executed.wait_for_function("first => document.querySelector('.dcm-explorer').dataset.chosen !== first", arg=first)
    # a letter in the search box is a letter, not one of JupyterLab's shortcuts
    cells = executed.locator(".jp-Cell").count()
    panel.locator("input[type=search]").press_sequentially("which abc dd")
    assert panel.locator("input[type=search]").input_value() == "which abc dd"
    assert executed.locator(".jp-Cell").count() == cells


def test_a_saved_notebook_keeps_its_figures(executed, browser, lab, root, photograph):
    """Reopened without its kernel: figures are drawn, the board and the explorer are there, and no widget is missed."""
    choose(executed, "File", "Save Notebook")
    executed.wait_for_function("!document.querySelector('.jp-mod-dirty')")
    notebook = nbformat.read(root / NOTEBOOK, as_version=4)
    outputs = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    figures = [data for data in outputs if PLOTLY in data]
    panels = [data for data in outputs if "dcm-explorer" in data.get("text/html", "")]
    assert len(figures) == 2 and len(panels) == 1
    for data in [*figures, *panels]:
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG") and len(data["image/png"]) < 400_000
    text = (root / NOTEBOOK).read_text()
    assert not any(sign in text for sign in BROKEN) and "widget-view" not in text
    choose(executed, "Kernel", "Shut Down Kernel")
    again = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    lab(again, NOTEBOOK)
    for data in ("Joint pairs: share", "Steps to exact against length"):
        scrolled_to(again, again.locator(".js-plotly-plot", has_text=data))
    again.locator(".dcm-panel").scroll_into_view_if_needed()
    assert again.locator(".dcm-panel .right").count() == 2, "the stored decode is there"
    photograph(again, "lab_reopened")
    shown = again.locator(".jp-Notebook").inner_text()
    assert not any(sign in shown for sign in BROKEN)
    again.context.close()


def test_jupyterlabs_own_export_shows_every_figure(executed, browser, root, photograph):
    """File > Save and Export as HTML, which is nbconvert on what was saved, opened without a network."""
    page, _ = HTMLExporter().from_filename(str(root / NOTEBOOK))
    (root / "export.html").write_text(page, encoding="utf-8")
    opened = browser.new_context(offline=True, viewport={"width": 1400, "height": 1000}).new_page()
    opened.goto((root / "export.html").as_uri(), wait_until="domcontentloaded")
    pictures = opened.locator("img[src^='data:image/png']")
    assert pictures.count() == 2
    assert pictures.evaluate_all("all => all.every(each => each.naturalWidth > 300)")
    assert opened.locator("[data-state=reconstructed]").count() >= 4
    before = opened.locator(".dcm-panel .written").first.inner_text()
    opened.locator(".dcm-panel .neighbor").first.click()
    assert opened.locator(".dcm-panel .written").first.inner_text() != before
    shown = opened.locator("body").inner_text()
    assert not any(sign in shown for sign in BROKEN)
    photograph(opened, "lab_export")
    opened.context.close()


@pytest.mark.parametrize("way", ["interrupt", "button"])
def test_a_run_is_stopped_within_two_seconds(browser, lab, way, photograph):
    """By the kernel menu and by the board's button; what is done is kept, and the next cell runs."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    lab(page, "endless.ipynb")
    choose(page, "Run", "Run All Cells")
    board = page.locator(".dcm-board", has_text="Endless")
    board.wait_for(state="attached", timeout=120_000)
    page.wait_for_function("document.body.innerText.includes('steps/s')")
    started = time.monotonic()
    if way == "button":
        board.get_by_role("button").click()
    else:
        choose(page, "Kernel", "Interrupt Kernel")
    page.get_by_text("kept 0").wait_for(timeout=20_000)
    seconds = time.monotonic() - started
    assert seconds < 2, f"stopped after {seconds:.1f} s"
    assert "stopped; what is done is kept" in board.inner_text() and board.get_by_role("button").count() == 0
    photograph(page, f"lab_stopped_by_{way}")
    shown = page.locator(".dcm-table td").all_inner_texts()
    assert shown == ["$5 or $6", "<b>$x$</b>"], "dollars are money, and markup is text"
    page.context.close()
