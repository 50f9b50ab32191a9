"""In a real browser: JupyterLab with the dashboard and the explorer."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time

import pytest

from dcm_helpers.config import PROJECT


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


def test_jupyterlab_runs_the_dashboard_and_the_explorer(browser, lab, photograph):
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
