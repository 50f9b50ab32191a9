"""In a real browser: a report without a network, and JupyterLab with the dashboard and the explorer."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcm_helpers.config import PROJECT
from dcm_helpers.report import main

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed; on Debian and Ubuntu: apt-get install chromium"
)
SCREENSHOTS = os.environ.get("DCM_SCREENSHOTS")
"""Folder that pictures of every page are left in, for looking at; none means that none are taken."""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is part of the test extra")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def photograph(page, name):
    """A picture of the page, if someone wants to look."""
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def test_a_report_opens_without_a_network(browser, example, monkeypatch):
    """Every figure is drawn, every equation is there, and the browser has nothing to complain about."""
    monkeypatch.setenv("DCM_NUM_LIVE", "1")
    monkeypatch.setenv("DCM_NUM_EXAMPLES", "2")
    assert main([str(example.folder.path), "--notebooks", "00", "02"]) == 0
    context = browser.new_context(offline=True)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.goto((example.folder.path / "report" / "index.html").as_uri())
    assert page.locator(".card").count() == 4
    for name in ("00_start_here", "02_joint_optimization"):
        page.locator(f'a[href="{name}.html"]').click()
        page.wait_for_selector(".plotly-graph-div .main-svg", state="attached")
        figures = page.locator(".plotly-graph-div")
        drawn = page.locator(".plotly-graph-div:has(.main-svg)")
        assert figures.count() == drawn.count() >= 2
        assert page.locator("math").count() >= 1 and page.locator("math").first.bounding_box()["height"] > 5
        if name == "00_start_here":
            assert page.locator("img").first.evaluate("image => image.naturalWidth") > 0
        page.locator(".plotly-graph-div .nsewdrag").first.hover()
        photograph(page, f"report_{name}")
        page.go_back()
    assert complaints == []


@pytest.fixture(scope="module")
def lab(example):
    """A JupyterLab on a copy of notebook 02. Gives the address of the notebook."""
    root = example.folder.path.parent / "lab"
    root.mkdir()
    shutil.copy(PROJECT / "notebooks" / "02_joint_optimization.ipynb", root)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    log = open(root / "log.txt", "w")  # noqa: SIM115 - it outlives this function's frame
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--port={port}"),
            *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", "--allow-root"),
        ],
        env={**os.environ, "DCM_RUN": str(example.folder.path), "JUPYTER_CONFIG_DIR": str(root / "config")},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert server.poll() is None and time.monotonic() < deadline, (root / "log.txt").read_text()
        time.sleep(0.2)
    yield f"{address}/lab/tree/02_joint_optimization.ipynb?token={token}"
    server.terminate()
    server.wait(timeout=20)
    log.close()


def test_jupyterlab_runs_the_dashboard_and_the_explorer(browser, lab):
    """All cells run, the dashboard counts to the end, and moving the noise slider changes the decode."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.goto(lab)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function("!document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=\"starting\"]')")
    page.locator(".jp-mod-current .jp-Cell, .jp-Notebook .jp-Cell").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    decode = page.locator(".dcm-decode")
    decode.wait_for(state="attached", timeout=120_000)
    decode.scroll_into_view_if_needed()
    assert "exactly the target" in decode.inner_text()
    slider = page.locator(".widget-slider:has-text('noise') .noUi-handle").first
    slider.focus()
    slider.press("End")
    page.wait_for_function("document.querySelector('.dcm-decode').innerText.includes('not the target')")
    photograph(page, "lab_explorer")
    page.get_by_text(re.compile(r"(\d) of \1 done")).first.scroll_into_view_if_needed()
    # status grid and loss curves; JupyterLab draws what scrolls into view
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length >= 2")
    photograph(page, "lab_dashboard")
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']").count() == 0
